"""The training loop of the student encoder: it learns to give the teacher's vectors.

Loss of a batch: squared distance of the pooled unit vectors (twice one minus their cosine), the same after the
teacher's whitening, squared distance of hidden states token by token after each of the student's layers, and squared
distance of the two cosine matrices between the batch's texts. The app ranks by whitened vectors, and whitening
magnifies small directions, of which the plain distance sees little. A layer of the student learns what the teacher's
layer gives from which the next one was taken, so that the stitches close first. Sources: DistilBERT (Sanh et al., 2019,
https://arxiv.org/abs/1910.01108) for taking some of the layers, TinyBERT (Jiao et al., 2020,
https://arxiv.org/abs/1909.10351) for hidden states, relational distillation (Park et al., 2019,
https://arxiv.org/abs/1904.05068) for the cosine matrix; the distance after whitening is that of Mahalanobis (1936),
here of whitened unit vectors.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmrec.models.training.bert import Bert, Output
from llmrec.models.training.checkpoints import CheckpointError, Checkpoints, State
from llmrec.models.training.encoder_batches import endless, plan, token_ids
from llmrec.models.training.encoder_texts import TokenTexts
from llmrec.models.training.precision import mixed
from llmrec.models.vectors import Whitening

COOL_DOWN = 0.3
"""Share of the steps over which the learning rate falls."""
_AHEAD = 3
"""Batches that the teacher is ahead of the student."""
_WHITENING_BATCHES = 200
"""The teacher's vectors of these are what its whitening is fitted on: some 5,000 texts."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides the outcome of a run, besides data, teacher and length."""

    layers: tuple[int, ...] = (0, 2, 5)
    """The teacher's layers the student begins with."""
    targets: tuple[int, ...] = (1, 4, 5)
    """The teacher's layers whose hidden states the student's layers learn to give."""
    tokens: int = 1_024
    """Tokens of a batch at most."""
    rate: float = 2.5e-4
    """Highest learning rate."""
    warm_up: int = 60
    """Updates until the highest rate."""
    decay: float = 0.01
    """Weight decay of matrices."""
    tokens_weight: float = 1.0
    """Of the token loss, beside the vectors' 1."""
    pairs_weight: float = 1.0
    """Of the cosine matrix's loss."""
    whitened_weight: float = 1.0
    """Of the squared distance after the teacher's whitening."""
    seed: int = 5
    """Of the order of texts."""

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate of update `step` of `steps`: up, level, and down to zero over the last `COOL_DOWN`.

        A level middle, so that the number of steps may be changed until the descent begins.
        Source: Hägele et al., 2024, https://arxiv.org/abs/2405.18392 (the 1 - sqrt descent).
        """
        rise = min(1.0, (step + 1) / self.warm_up)
        down = max(0.0, 1 - (steps - step) / (COOL_DOWN * steps))
        return self.rate * rise * (1 - math.sqrt(down))


@dataclass(frozen=True, slots=True)
class Losses:
    """The parts of a batch's loss, unweighted."""

    vectors: Tensor
    """Squared distance of unit vectors; 2 - 2 cos."""
    tokens: Tensor
    """Squared distance of the hidden states of each layer (l,), relative to the variance of the teacher's."""
    pairs: Tensor
    """Squared difference of cosines between texts, summed over the other texts."""
    whitened: Tensor
    """Squared distance of unit vectors after the teacher's whitening."""

    def total(self, recipe: Recipe) -> Tensor:
        """What is learnt from: the parts by their weights, the vectors' being 1."""
        total: Tensor = (
            self.vectors
            + recipe.tokens_weight * self.tokens.sum()
            + recipe.pairs_weight * self.pairs
            + recipe.whitened_weight * self.whitened
        )
        return total


@dataclass(frozen=True, slots=True)
class Whitener:
    """`Whitening` of the teacher's vectors as PyTorch computes it, so that the student learns through it."""

    mean: Tensor
    """(d,)"""
    root: Tensor
    """(d, d), symmetric."""

    @classmethod
    def fit(cls, vectors: Tensor) -> "Whitener":
        """The whitening of n unit vectors (n, d), on their device."""
        fitted = Whitening.fit(vectors.cpu().numpy())
        return cls(*(torch.from_numpy(part).to(vectors.device) for part in (fitted.mean, fitted.root)))

    def __call__(self, vectors: Tensor) -> Tensor:
        """Whitened unit vectors. (b, d) -> (b, d)."""
        return F.normalize((vectors - self.mean) @ self.root, dim=-1)  # (b, d) @ (d, d) -> (b, d)


def losses(student: Output, teacher: Output, targets: Sequence[int], whiten: Whitener) -> Losses:
    """Distance of the student's output from the teacher's for the same batch.

    Args:
        student: its output for b texts.
        teacher: the same of the teacher.
        targets: the teacher's layer that each of the student's is compared with.
        whiten: the teacher's whitening.
    """
    b = len(teacher.vectors)
    vectors = (student.vectors - teacher.vectors).square().sum(-1).mean()
    tokens = torch.stack(
        [
            (ours - teacher.hidden[n]).square().mean() / teacher.hidden[n].var()
            for ours, n in zip(student.hidden, targets, strict=True)
        ]
    )
    gap = student.vectors @ student.vectors.T - teacher.vectors @ teacher.vectors.T  # (b, d) @ (d, b) -> (b, b)
    whitened = (whiten(student.vectors) - whiten(teacher.vectors)).square().sum(-1).mean()
    return Losses(vectors, tokens, gap.square().sum() / b, whitened)


class Trainer:
    """A run that can stop at any step and go on as if it had not."""

    def __init__(self, teacher: Bert, student: Bert, texts: TokenTexts, recipe: Recipe):
        """Train `student` in place, on the device where its weights are."""
        self.recipe, self.student = recipe, student
        self._teacher = teacher.eval().requires_grad_(False)
        self._texts = texts
        for table in (student.embeddings.word_embeddings, student.embeddings.position_embeddings):
            table.requires_grad_(False)
        self.device = next(student.parameters()).device
        self._optimizer = _optimizer(student, recipe)
        self._whiten: Whitener | None = None
        self._before: list[str] = []
        self.step = 0

    def state(self) -> State:
        """All that decides the further course."""
        return {
            "recipe": asdict(self.recipe),
            "before": self._before,
            "step": self.step,
            "whitening": self._whiten and (self._whiten.mean, self._whiten.root),
            "student": self.student.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, state: State) -> None:
        """Go on from a state of the same recipe.

        Raises:
            CheckpointError: it is of another recipe.
        """
        if state["recipe"] != asdict(self.recipe):
            raise CheckpointError("The checkpoint is of another recipe; delete it or use the same settings.")
        self.student.load_state_dict(state["student"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._whiten = state["whitening"] and Whitener(*(part.to(self.device) for part in state["whitening"]))
        self.step, self._before = state["step"], state["before"]

    def start_from(self, state: State) -> None:
        """Begin a new run with the student of another one, whatever its recipe but of the same shape.

        Raises:
            CheckpointError: its student has another shape.
        """
        try:
            self.student.load_state_dict(state["student"])
        except (KeyError, RuntimeError) as exc:
            raise CheckpointError("The checkpoint to start from holds no student of this shape.") from exc
        learnt = [f"{state['step']:,} updates with `{state['recipe']}`"] if "step" in state else []
        self._before = [*state.get("before", []), *learnt]

    def run(self, steps: int, checkpoints: Checkpoints, report: Callable[[int, Losses], None]) -> None:
        """Train until `steps` updates are done in all, saving when due and at the end."""
        for ids, wanted in self._lessons(max(0, steps - self.step)):
            self._whiten = self._whiten or self._fit()
            parts = self._update(ids, wanted, self._whiten, self.recipe.rate_at(self.step, steps))
            self.step += 1
            report(self.step, parts)
            if checkpoints.due() or self.step == steps:
                checkpoints.save(self.state())

    def _lessons(self, count: int) -> Iterator[tuple[Tensor, Output]]:
        """Token ids (b, s) and the teacher's answer to them, which another thread works out a little ahead.

        On two cores this beats two threads in every product: neither waits for the other.
        """
        batches = islice(endless(self._texts, self.recipe.tokens, self.recipe.seed, self.step), count)
        waiting: deque[tuple[Tensor, Future[Output]]] = deque()
        share = torch.get_num_threads()  # PyTorch keeps it by thread
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(share,)) as pool:
            for rows in batches:
                ids = token_ids(self._texts, rows).to(self.device)
                waiting.append((ids, pool.submit(self._ask, ids)))
                if len(waiting) > _AHEAD:
                    ids, answer = waiting.popleft()
                    yield ids, answer.result()
            for ids, answer in waiting:
                yield ids, answer.result()

    def _fit(self) -> Whitener:
        """The whitening of the teacher's vectors of the first training texts."""
        first = plan(self._texts, self.recipe.tokens, self.recipe.seed)[:_WHITENING_BATCHES]
        answers = (self._ask(token_ids(self._texts, rows).to(self.device)) for rows in first)
        return Whitener.fit(torch.cat([answer.vectors for answer in answers]))

    def _ask(self, ids: Tensor) -> Output:
        """The teacher's answer, in full precision: it is what is to be reached."""
        with torch.no_grad():
            answer: Output = self._teacher(ids)
        return answer

    def _update(self, ids: Tensor, wanted: Output, whiten: Whitener, rate: float) -> Losses:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with mixed(self.device):
            got = self.student(ids)
        parts = losses(got, wanted, self.recipe.targets, whiten)
        self._optimizer.zero_grad()
        torch.autograd.backward(parts.total(self.recipe))
        nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self._optimizer.step()
        return parts


def _optimizer(student: Bert, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW with decay for matrices only; what is frozen is left out."""
    learnt = [weight for weight in student.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in learnt if weight.ndim > 1], "weight_decay": recipe.decay},
        {"params": [weight for weight in learnt if weight.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98))
