"""Simple methods from the literature that evaluation compares the default policy with."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.policies.base import POSITIVE, Contribution, LogPolicy, moment
from llmrec.engine.records import Interaction
from llmrec.models import FloatArray

Likeness = Callable[[Catalogue, Interaction], FloatArray]
"""Likeness of all items to an event, (n,)."""


def liked(events: Sequence[Interaction]) -> list[int]:
    """Indices of the clear yeses among events."""
    return [j for j, event in enumerate(events) if event.kind in POSITIVE and event.weight > 0]


def by_meaning(catalogue: Catalogue, event: Interaction) -> FloatArray:
    """Cosine of the vectors."""
    return catalogue.similarity(catalogue.vector(event))


def by_white(catalogue: Catalogue, event: Interaction) -> FloatArray:
    """Cosine of the whitened vectors."""
    white = catalogue.whitening.apply(catalogue.vector(event)[None])[0]
    return np.asarray(catalogue.whitened @ white, np.float32)


def by_words(catalogue: Catalogue, event: Interaction) -> FloatArray:
    """Cosine of the tf-idf rows; nothing for a typed interest."""
    n = len(catalogue)
    return catalogue.words.similarity(event.row) if event.row >= 0 else np.zeros(n, np.float32)


def by_both(catalogue: Catalogue, event: Interaction) -> FloatArray:
    """Whitened cosine of vectors and leading word topics joined."""
    joint = catalogue.joint
    if event.row < 0:
        return np.zeros(len(catalogue), np.float32)
    return np.asarray(joint.likeness(joint.probes(joint.rows[event.row][None]))[0, 0], np.float32)


class RandomOrder(LogPolicy):
    """A new random order at each look; what knowing nothing is worth."""

    def __init__(self, catalogue: Catalogue, seed: int = 0) -> None:
        """Draw from this seed."""
        super().__init__(catalogue)
        self._seed = seed

    def scores(self, now: float) -> FloatArray:
        """Uniform numbers that change with every event learnt, (n,)."""
        rng = np.random.default_rng([self._seed, len(self.events)])
        return rng.random(len(self.catalogue), dtype=np.float32)

    def explain(self, row: int, now: float) -> list[Contribution]:
        """The drawn number."""
        return [Contribution("chance", float(self.scores(now)[row]))]


class Newest(LogPolicy):
    """Newest first; items without a date last. The order of most readers."""

    def scores(self, now: float) -> FloatArray:
        """Minus the age in years, (n,)."""
        age = (moment(now) - self.catalogue.published) / (365.25 * 86_400)
        oldest = float(np.nanmax(age)) + 1 if np.isfinite(age).any() else 0.0
        return np.where(np.isfinite(age), -age, -oldest).astype(np.float32)

    def explain(self, row: int, now: float) -> list[Contribution]:
        """The age alone."""
        return [Contribution("fresh", float(self.scores(now)[row]))]


class Nearest(LogPolicy):
    """Smooth maximum of the likenesses to past likes: t log sum_j 2^(-age_j / h) exp(s_j / t) / sum_j 2^(...)."""

    def __init__(self, catalogue: Catalogue, likeness: Likeness = by_meaning, half_life: float = 20) -> None:
        """Know nothing yet; `half_life` in events."""
        super().__init__(catalogue)
        self._likeness, self._rate = likeness, 2.0 ** (-1 / half_life)
        self._reset()

    _TEMPERATURE = 0.2

    def _reset(self) -> None:
        self._version = self.catalogue.version
        self._sum = np.zeros(len(self.catalogue))
        self._mass = 0.0

    def learn(self, step: Sequence[Interaction]) -> None:
        """Fade the sum and add the liked items."""
        self._follow()
        super().learn(step)
        self._add(step)

    def _add(self, step: Sequence[Interaction]) -> None:
        for j in liked(step):
            closeness = np.exp(self._likeness(self.catalogue, step[j]) / self._TEMPERATURE)
            self._sum = self._rate * self._sum + closeness
            self._mass = self._rate * self._mass + 1

    def _follow(self) -> None:
        if self._version != self.catalogue.version:
            self.restore(self.events)

    def scores(self, now: float) -> FloatArray:
        """The smooth maximum, (n,)."""
        self._follow()
        if not self._mass:
            return self._constant()
        return np.asarray(self._TEMPERATURE * np.log(np.maximum(self._sum / self._mass, 1e-30)), np.float32)

    def explain(self, row: int, now: float) -> list[Contribution]:
        """The score split in proportion to the exponentials."""
        score, chosen = float(self.scores(now)[row]), liked(self.events)
        near = [float(self._likeness(self.catalogue, self.events[j])[row]) for j in chosen]
        share = np.exp(np.array(near) / self._TEMPERATURE) * self._rate ** np.arange(len(chosen))[::-1]
        share /= max(float(share.sum()), 1e-300)
        return [Contribution("likes", score * float(s), j) for s, j in zip(share, chosen, strict=True)]

    def restore(self, state: Any) -> None:
        """Sum again over the events of a snapshot."""
        self.events = state
        self._reset()
        self._add(state)


class Top(LogPolicy):
    """Mean of the likenesses to the k most alike past likes."""

    def __init__(self, catalogue: Catalogue, k: int = 5) -> None:
        """Know nothing yet."""
        super().__init__(catalogue)
        self._k = k
        self._reset()

    def _reset(self) -> None:
        self._version = self.catalogue.version
        self._best = np.empty((0, len(self.catalogue)), np.float32)

    def learn(self, step: Sequence[Interaction]) -> None:
        """Keep the k largest likenesses of each item."""
        if self._version != self.catalogue.version:
            self.restore(self.events)
        super().learn(step)
        self._add(step)

    def _add(self, step: Sequence[Interaction]) -> None:
        for j in liked(step):
            rows = np.vstack([self._best, by_white(self.catalogue, step[j])])
            self._best = np.partition(rows, 1, axis=0)[1:] if len(rows) > self._k else rows

    def scores(self, now: float) -> FloatArray:
        """Mean of the k largest, (n,)."""
        if self._version != self.catalogue.version:
            self.restore(self.events)
        return np.asarray(self._best.mean(axis=0), np.float32) if len(self._best) else self._constant()

    def explain(self, row: int, now: float) -> list[Contribution]:
        """One k-th of each of the k likenesses."""
        chosen = liked(self.events)
        near = [float(by_white(self.catalogue, self.events[j])[row]) for j in chosen]
        best = sorted(range(len(chosen)), key=lambda i: -near[i])[: self._k]
        return [Contribution("likes", near[i] / max(len(best), 1), chosen[i]) for i in best]

    def restore(self, state: Any) -> None:
        """Start again with the events of a snapshot."""
        self.events = state
        self._reset()
        self._add(state)


class Svm(LogPolicy):
    """A linear support vector machine fitted anew at each look: likes against everything else (arxiv-sanity).

    Against at most a thousand other items, drawn by a fixed seed, because fitting against all takes seconds.
    """

    _OTHERS = 1_000

    def scores(self, now: float) -> FloatArray:
        """Distance to the separating plane, (n,).

        Raises:
            ImportError: scikit-learn, of the extra `dev`, is not installed.
        """
        weights, bias = self._fitted()
        return np.asarray(self.catalogue.vectors @ weights + bias, np.float32)

    def _fitted(self) -> tuple[FloatArray, float]:
        from sklearn.svm import LinearSVC

        rows = sorted({self.events[j].row for j in liked(self.events) if self.events[j].row >= 0})
        others = np.setdiff1d(np.arange(len(self.catalogue)), rows)
        nothing = np.zeros(self.catalogue.dim, np.float32), 0.0
        if not rows or not len(others):
            return nothing
        drawn = np.random.default_rng(0).permutation(others)[: self._OTHERS]
        points = self.catalogue.vectors[np.concatenate([rows, drawn])]
        labels = np.arange(len(points)) < len(rows)
        machine = LinearSVC(C=0.1, class_weight="balanced", random_state=0, tol=1e-3).fit(points, labels)
        return machine.coef_[0].astype(np.float32), float(machine.intercept_[0])

    def explain(self, row: int, now: float) -> list[Contribution]:
        """The distance as a whole: a plane does not tell its events apart."""
        return [Contribution("likes", float(self.scores(now)[row]))]
