"""Batches of the writer's training: batch k is a pure function of k, so a run goes on exactly where it stopped."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from llmrec.models.training.writer_recipes import Shape, Stage
from llmrec.models.training.writer_tokens import Ids, Marks, Rows

_POOL = 4_096
"""Rows that are sorted by length together, so that a batch holds little padding."""
_ECHO = (16, 64)
"""Tokens that are copied, at least and at most."""
_BETWEEN = (0, 200)
"""Tokens between the two, at least and at most."""
_OPENING = 2
"""Tokens of an answer that decide which sentence it is."""
_ROUND = 32
"""Rows are padded to a multiple of this, so that few shapes occur."""


@dataclass(frozen=True, slots=True)
class Batch:
    """b rows of s tokens, padded at their ends."""

    ids: Tensor
    """Token ids (b, s)."""
    places: Tensor
    """Positions (b, s)."""
    branch: Tensor | None
    """Which question a token belongs to (b, s), 0 for the prompt; None where everybody sees what came before."""
    weights: Tensor
    """Weight in the loss (b, s) of each token as it is predicted from the one before; 0 for none."""

    def to(self, device: torch.device) -> "Batch":
        """The same on another device."""
        branch = None if self.branch is None else self.branch.to(device)
        return Batch(self.ids.to(device), self.places.to(device), branch, self.weights.to(device))

    def mask(self) -> Tensor | None:
        """Who sees whom (b, 1, s, s): what came before, of the prompt and of one's own branch."""
        if self.branch is None:
            return None
        here, there = self.branch[:, None, :], self.branch[:, :, None]  # (b, 1, s), (b, s, 1)
        return (((here == 0) | (here == there)).tril())[:, None]


class Mixture:
    """Plain text and examples in the shares of a stage."""

    def __init__(
        self,
        stream: Ids,
        rows: Rows,
        stage: Stage,
        shape: Shape,
        papers: Rows | None = None,
        short: Sequence[Rows] = (),
    ):
        """Read windows of a context's tokens from a stream, and rows; papers and short questions by themselves."""
        self._stream, self._rows, self._papers, self._stage = stream, rows, papers, stage
        self._short = [(rows, w) for rows, w in zip(short, stage.short, strict=False) if w and len(rows)]
        self._context, self._vocabulary = shape.context, shape.vocabulary
        self._windows = len(stream) // shape.context
        self._plans: dict[tuple[int, int], list[npt.NDArray[np.int64]]] = {}

    def batch(self, number: int) -> Batch:
        """Batch `number` of the run, counted from 0."""
        echoes = int(number * self._stage.echo)
        if int((number + 1) * self._stage.echo) > echoes:
            return self._echo(number)
        number -= echoes
        share = self._stage.text_share
        texts = int((number + 1) * share)
        if texts > int(number * share):
            return self._text(texts - 1)
        number -= texts
        papers = int((number + 1) * self._stage.papers)
        if self._papers is not None and papers > int(number * self._stage.papers):
            return self._examples(self._papers, papers - 1)
        return self._examples(self._rows, number - papers)

    def short(self, number: int) -> list[tuple[Batch, float]]:
        """A batch of each short question beside batch `number`, with its weight; only answers count, all alike."""
        return [(self._sheets(rows, number, prompt_share=0.0, opening=1.0), weight) for rows, weight in self._short]

    def texts(self) -> Iterator[Batch]:
        """Every window once, in order."""
        for start in range(0, self._windows, self._per_batch):
            yield text_batch(self._window(n) for n in range(start, min(start + self._per_batch, self._windows)))

    def answers(self) -> Iterator[Batch]:
        """Every row once; only answers count."""
        for rows in plan(self._rows.lengths, self._stage.batch, 0):
            yield sheet_batch([self._rows.row(int(n)) for n in rows], 0.0, np.random.default_rng(0))

    @property
    def _per_batch(self) -> int:
        return max(1, self._stage.batch // self._context)

    def _window(self, n: int) -> Ids:
        return np.asarray(self._stream[n * self._context : (n + 1) * self._context])

    def _text(self, number: int) -> Batch:
        """Windows in an order of their own in every pass."""
        first = number * self._per_batch
        chosen = []
        for n in range(first, first + self._per_batch):
            epoch, place = divmod(n, self._windows)
            chosen.append(self._window(int(_permutation(self._windows, self._stage.seed + epoch)[place])))
        return text_batch(chosen)

    def _echo(self, number: int) -> Batch:
        """Tokens drawn from the whole vocabulary, text, and the same tokens again, which alone count.

        Nothing but copying helps here, so copying stays what it was at the start: good for every token, not only for
        those that the answers are made of. The first one is not known to be a copy and does not count.
        """
        rng = np.random.default_rng([self._stage.seed, number])
        copied, between = int(rng.integers(*_ECHO)), int(rng.integers(*_BETWEEN))
        count = max(1, self._stage.batch // (2 * copied + between))
        drawn = rng.integers(1, self._vocabulary, size=(count, copied))
        starts = rng.integers(max(1, len(self._stream) - between), size=count)
        batch = text_batch(
            np.concatenate([ids, self._stream[start : start + between], ids])
            for ids, start in zip(drawn, starts, strict=True)
        )
        batch.weights[:, : batch.ids.shape[1] - copied + 1] = 0
        return batch

    def _examples(self, source: Rows, number: int) -> Batch:
        return self._sheets(source, number, self._stage.prompt_share, self._stage.opening)

    def _sheets(self, source: Rows, number: int, prompt_share: float, opening: float) -> Batch:
        """Rows in an order of their own in every pass; a pass has as many batches as the first."""
        epoch, place = divmod(number, len(self._plan(source, 0)))
        batches = self._plan(source, epoch)
        rows = batches[place % len(batches)]
        rng = np.random.default_rng([self._stage.seed, number])
        chosen = [source.row(int(n)) for n in rows]
        return sheet_batch(chosen, prompt_share, rng, opening)

    def _plan(self, source: Rows, epoch: int) -> list[npt.NDArray[np.int64]]:
        key = (id(source), epoch)
        if key not in self._plans:
            self._plans = {k: v for k, v in self._plans.items() if k[1] == 0 or k[0] != id(source)}
            self._plans[key] = plan(source.lengths, self._stage.batch, self._stage.seed + epoch)
        return self._plans[key]


def plan(lengths: npt.NDArray[np.int64], tokens: int, seed: int) -> list[npt.NDArray[np.int64]]:
    """Which rows make up each batch: every row once, alike lengths together, batches shuffled.

    Args:
        lengths: tokens of each row (n,).
        tokens: a batch's tokens at most, padding included; one row may be longer.
        seed: of the order.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(lengths))
    batches: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(order), _POOL):
        pool = order[start : start + _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        sizes = _padded(lengths[pool])
        at = 0
        while at < len(pool):
            count = 1
            while at + count < len(pool) and int(sizes[at + count]) * (count + 1) <= tokens:
                count += 1
            batches.append(pool[at : at + count])
            at += count
    return [batches[n] for n in rng.permutation(len(batches))]


def text_batch(windows: Iterable[Ids]) -> Batch:
    """Windows of one length; every token is predicted from those before it."""
    ids = torch.from_numpy(np.stack(list(windows)).astype(np.int64))
    places = torch.arange(ids.shape[1])[None].expand_as(ids)
    weights = torch.ones(ids.shape)
    weights[:, 0] = 0
    return Batch(ids, places, None, weights)


def sheet_batch(
    rows: list[tuple[Ids, Marks]], prompt_share: float, rng: np.random.Generator, opening: float = 1.0
) -> Batch:
    """Rows of examples; a branch sees the prompt and itself.

    Args:
        rows: ids and marks of each.
        prompt_share: share of the prompts' tokens that count, beside all of the answers'.
        rng: draws them.
        opening: weight of an answer's first tokens, beside the others' 1.
    """
    size = int(_padded(np.array([max(len(ids) for ids, _ in rows)]))[0])
    ids, marks = np.zeros((2, len(rows), size), np.int64)
    places = np.zeros((len(rows), size), np.int64)
    real = np.zeros((len(rows), size), bool)
    for n, (row_ids, row_marks) in enumerate(rows):
        count = len(row_ids)
        ids[n, :count], marks[n, :count], real[n, :count] = row_ids, row_marks, True
        marks[n, count:] = 2 * 127
        places[n, :count] = _places((row_marks >> 1).astype(np.int64))
    branch, answer = marks >> 1, (marks & 1).astype(bool)
    follows = np.zeros_like(real)
    follows[:, 1:] = branch[:, 1:] == branch[:, :-1]
    counts = answer | (rng.random(answer.shape) < prompt_share)
    begun = np.zeros_like(answer)
    begun[:, _OPENING:] = answer[:, :-_OPENING] & (branch[:, _OPENING:] == branch[:, :-_OPENING])
    weights = np.where(answer & ~begun, opening, 1.0) * (counts & real & follows)
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(places),
        torch.from_numpy(branch),
        torch.from_numpy(weights.astype(np.float32)),
    )


def _places(branch: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Positions of a row's tokens: every branch goes on from the prompt's end."""
    prefix = int((branch == 0).sum())
    starts = np.flatnonzero(np.diff(branch, prepend=branch[:1])) if len(branch) else np.zeros(0, np.int64)
    places = np.arange(len(branch))
    for start in starts:
        places[start:] = prefix + np.arange(len(branch) - start)
    return places


def _padded(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return -(-lengths // _ROUND) * _ROUND


@lru_cache(maxsize=2)
def _permutation(count: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(count)
