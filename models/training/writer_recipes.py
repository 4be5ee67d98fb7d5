"""Sizes of the writer and how each is trained: all numbers that decide the outcome of a run stand here."""

import math
from dataclasses import dataclass

from llmrec.models import JOBS


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder in the Llama layout."""

    width: int
    """Length d of a hidden state; heads divide it into an even number."""
    layers: int
    """Blocks."""
    heads: int
    """Attention heads."""
    feed_forward: int
    """Length of the hidden part of a block's second half; a multiple of 32, so that Q8_0 fits."""
    context: int
    """Tokens of prompt and answer together, at most."""
    vocabulary: int = 8_192
    """Tokens the tokenizer knows, the end token included."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One training run over one mixture."""

    name: str
    """pretrain, tune, polish, finish or answer; names the checkpoint."""
    tokens: int
    """Tokens to read in all; the learning rate reaches its lowest at the end."""
    text_share: float
    """Share of batches that are plain text, 0 to 1; the others are sheets."""
    prompt_share: float
    """Share of a prompt's tokens that count in the loss beside all of the answers', 0 to 1."""
    rate: float
    """Highest learning rate."""
    batch: int
    """Tokens computed at once, about."""
    echo: float = 0.1
    """Share of batches that copy any tokens whatever, 0 to 1."""
    papers: float = 0.0
    """Share of the batches of examples that are papers: the longest items, with the hardest words, and few of them."""
    table_rate: float = 0.3
    """Learning rate of the token table, beside the others' 1. It is read and written with: where it moves as fast as
    the rest, tokens that no answer holds are pushed away from all others, and can no longer be copied."""
    opening: float = 1.0
    """Weight of an answer's first two tokens, beside the others' 1: they choose the sentence, the others copy it."""
    accumulate: int = 1
    """Batches whose gradients make one update."""
    warm_up: float = 0.03
    """Share of the updates until the highest rate."""
    decay: float = 0.1
    """Weight decay of matrices."""
    seed: int = 5
    """Of the order of texts."""
    short: tuple[float, float] = (0.0, 0.0)
    """Weights in the loss of a batch of "still useful in a year" and of one of topics, beside 1 for the rest."""
    begins: int = 1
    """Stages before it, the mean of whose last weights it begins with (Wortsman et al., 2022,
    https://arxiv.org/abs/2203.05482): each has forgotten something else."""

    @property
    def steps(self) -> int:
        """Updates."""
        return max(1, self.tokens // (self.batch * self.accumulate))

    def rate_at(self, step: int) -> float:
        """Learning rate of an update: linear to the highest, then half a cosine down to a twentieth of it."""
        warm = max(1, int(self.warm_up * self.steps))
        if step < warm:
            return self.rate * (step + 1) / warm
        done = min(1.0, (step - warm) / max(1, self.steps - warm))
        return self.rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True, slots=True)
class Recipe:
    """One size: its shape, its data, its stages."""

    shape: Shape
    """Of the model."""
    item_chars: int
    """Characters of an item's text in an example, at most."""
    parts: int
    """Examples that one long article gives beside its opening, at most."""
    composed: bool
    """Whether to learn sentences that the item does not contain; else only to choose, shorten and copy its own."""
    pretrain: Stage
    """Language, from plain text and sheets."""
    tune: Stage
    """The jobs: loss on answers only."""
    polish: tuple[Stage, ...] = ()
    """The jobs again, with more of what is still hard."""
    kept: float = 0.0
    """Share of the weights with which the last stage began that goes into the file: what is new is learnt by it, and
    what was known before comes back (Wortsman et al., 2022, https://arxiv.org/abs/2109.01903)."""
    jobs: tuple[str, ...] = JOBS
    """What it learns well enough to be asked for."""
    questions: tuple[int, int] = (60_000, 14_000)
    """Examples of "still useful in a year" and of "what is it about"."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All runs, in their order; each begins with the weights of the one before."""
        return (self.pretrain, self.tune, *self.polish)


RECIPES = {
    # Proves the chain in tests; learns nothing worth reading.
    "tiny": Recipe(
        Shape(width=64, layers=2, heads=2, feed_forward=128, context=512, vocabulary=384),
        item_chars=200,
        parts=1,
        composed=True,
        pretrain=Stage("pretrain", 12_000, 0.5, 1.0, 3e-3, 1_024),
        tune=Stage("tune", 12_000, 0.0, 0.0, 3e-3, 1_024),
        polish=(Stage("polish", 6_000, 0.0, 0.0, 1e-3, 1_024, papers=0.5, short=(0.5, 0.5), begins=2),),
        questions=(200, 50),
    ),
    # For two processor cores: examples from the start and little plain text, because copying from the item is what so
    # small a model can learn; small batches, because updates are what is short; some of the prompt's own tokens count,
    # for the language they are written in.
    "small": Recipe(
        Shape(width=256, layers=6, heads=4, feed_forward=704, context=512),
        item_chars=1_000,
        parts=3,
        composed=False,
        kept=0.2,
        jobs=("texts", "topics", "half-lives"),
        pretrain=Stage("pretrain", 1_200_000, 0.1, 0.25, 4e-4, 2_048),
        tune=Stage("tune", 8_000_000, 0.0, 0.1, 4e-4, 2_048, opening=4.0),
        polish=(
            Stage("polish", 2_500_000, 0.0, 0.1, 1.5e-4, 2_048, papers=0.5, opening=4.0),
            Stage("finish", 1_600_000, 0.0, 0.1, 1.5e-4, 2_048, papers=0.8, opening=4.0, seed=6),
            Stage(
                "answer", 3_000_000, 0.0, 0.1, 2e-4, 2_048, papers=0.6, opening=4.0, seed=7, short=(0.5, 0.5), begins=2
            ),
        ),
    ),
    # For one GPU: six passes over the text, then the jobs.
    "large": Recipe(
        Shape(width=512, layers=8, heads=8, feed_forward=1_408, context=1_024),
        item_chars=1_500,
        parts=4,
        composed=True,
        pretrain=Stage("pretrain", 400_000_000, 0.8, 0.5, 1.2e-3, 32_768, accumulate=2),
        tune=Stage("tune", 120_000_000, 0.0, 0.0, 4e-4, 32_768, opening=4.0, accumulate=2, short=(0.1, 0.3)),
        questions=(240_000, 60_000),
    ),
}
"""Recipes by name of size."""
