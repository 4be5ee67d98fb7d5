"""Means of what was liked: the policies whose score is one dot product."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.policies.base import DAY, Contribution, LogPolicy, moment
from llmrec.engine.policies.baselines import Likeness, by_words, liked
from llmrec.engine.records import Interaction
from llmrec.engine.vectors import DoubleArray
from llmrec.models import FloatArray


@dataclass(frozen=True, slots=True)
class Clock:
    """How the past fades: by counting events, by days, or not at all."""

    events: float | None = None
    """Half-life in positive events."""
    days: float | None = None
    """Half-life in days."""
    last: int | None = None
    """Only so many of the newest events."""

    def weights(self, times: DoubleArray) -> DoubleArray:
        """Weights of m events learnt in this order at these times, summing to 1. (m,) -> (m,)."""
        weights = np.ones(len(times))
        if self.events is not None:
            weights *= 2.0 ** (-np.arange(len(times) - 1, -1, -1) / self.events)
        if self.days is not None and len(times):
            weights *= np.maximum(2.0 ** (-(times.max() - times) / (self.days * DAY)), 1e-300)
        if self.last is not None:
            weights[: max(0, len(times) - self.last)] = 0
        return np.asarray(weights / max(float(weights.sum()), 1e-300))


class Rocchio(LogPolicy):
    """score(c) = sum_j a_j c . x_j over the liked j, with a_j from a clock (Rocchio, 1971).

    In the whitened space this is Fisher's linear discriminant of the liked against the catalogue.
    """

    def __init__(self, catalogue: Catalogue, clock: Clock | None = None, *, white: bool = False) -> None:
        """Know nothing yet; `white` takes the whitened rows."""
        super().__init__(catalogue)
        self.clock = clock or Clock()
        self.white = white

    def _liked(self) -> tuple[list[int], DoubleArray, FloatArray]:
        """Indices, weights (m,) and vectors (m, d) of the positive events."""
        chosen = liked(self.events)
        weights = self.clock.weights(np.array([moment(self.events[j].at) for j in chosen]))
        vectors = [self.catalogue.vector(self.events[j]) for j in chosen]
        stacked = np.array(vectors, np.float32).reshape(len(chosen), self.catalogue.dim)
        return chosen, weights, self.catalogue.whitening.apply(stacked) if self.white else stacked

    def _items(self) -> FloatArray:
        return self.catalogue.whitened if self.white else self.catalogue.vectors

    def scores(self, now: float) -> FloatArray:
        """One dot product per item, (n,)."""
        _, weights, vectors = self._liked()
        return self._items() @ (weights @ vectors).astype(np.float32)  # (n, d) @ (d,) -> (n,)

    def explain(self, row: int, now: float) -> list[Contribution]:
        """a_j c . x_j per liked event."""
        chosen, weights, vectors = self._liked()
        amounts = weights * (vectors @ self._items()[row])
        return [Contribution("likes", float(a), j) for a, j in zip(amounts, chosen, strict=True)]


class LikenessMean(LogPolicy):
    """The mean likeness to what was liked, for likenesses that have no one vector to multiply with."""

    def __init__(self, catalogue: Catalogue, likeness: Likeness, part: str) -> None:
        """Know nothing yet; `part` names the contributions."""
        super().__init__(catalogue)
        self._likeness, self._part = likeness, part
        self._version = catalogue.version
        self._total, self._count = self._constant(), 0

    def learn(self, step: Sequence[Interaction]) -> None:
        """Add each liked item's likenesses."""
        super().learn(step)
        for j in liked(step):
            self._total = self._total + self._likeness(self.catalogue, step[j])
            self._count += 1

    def scores(self, now: float) -> FloatArray:
        """Mean likeness to the liked items, (n,)."""
        if self._version != self.catalogue.version:
            self.restore(self.events)
        return np.asarray(self._total / max(self._count, 1), np.float32)

    def explain(self, row: int, now: float) -> list[Contribution]:
        """Likeness to each liked item, over their number."""
        parts = []
        for j in liked(self.events):
            near = float(self._likeness(self.catalogue, self.events[j])[row])
            parts.append(Contribution(self._part, near / self._count, j))
        return parts

    def restore(self, state: tuple[Interaction, ...]) -> None:
        """Sum again over the events of a snapshot."""
        self._version = self.catalogue.version
        self.events, self._total, self._count = (), self._constant(), 0
        self.learn(state)


class WordRocchio(LikenessMean):
    """The mean of the liked items' tf-idf rows; the method of the first text recommenders."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Know nothing yet."""
        super().__init__(catalogue, by_words, "words")
