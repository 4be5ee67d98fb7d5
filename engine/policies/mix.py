"""A plain online mixture of seven methods: the floor that the default policy must beat."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.policies.base import Contribution, Policy
from llmrec.engine.policies.baselines import Nearest, Top, by_both, liked
from llmrec.engine.policies.facts import standardised
from llmrec.engine.policies.rocchio import Clock, LikenessMean, Rocchio, WordRocchio
from llmrec.engine.records import Interaction
from llmrec.engine.vectors import DoubleArray
from llmrec.models import FloatArray

_RATE = 2.0
"""Learning rate of the exponentiated gradient."""


class Mix:
    """score = sum_k w_k z_k, w_k proportional to exp(rate * sum of rewards) (exponentiated gradient).

    After each step, method k is rewarded by the mean of 1 / log2(1 + place) over the chosen items.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        """Know nothing yet."""
        self.catalogue = catalogue
        self.methods: tuple[Policy, ...] = (
            Rocchio(catalogue, white=True),
            Nearest(catalogue),
            Rocchio(catalogue, Clock(last=5)),
            Top(catalogue),
            WordRocchio(catalogue),
            LikenessMean(catalogue, by_both, "likes"),
            Nearest(catalogue, by_both),
        )
        self._rewards = np.zeros(len(self.methods))

    def _standard(self, now: float) -> FloatArray:
        """Scores of each method on one scale, (7, n)."""
        return np.stack([standardised(m.scores(now).astype(np.float64)) for m in self.methods])

    def weights(self) -> DoubleArray:
        """Weight of each method, (7,), summing to 1."""
        raised = np.exp(_RATE * (self._rewards - self._rewards.max()))
        return np.asarray(raised / raised.sum())

    def learn(self, step: Sequence[Interaction]) -> None:
        """Reward the methods for what was chosen, then let each learn."""
        chosen = [step[j].row for j in liked(step) if step[j].row >= 0][:16]
        if chosen:
            views = self._standard(step[0].at)
            ahead = np.array([(views > views[:, [row]]).sum(axis=1) for row in chosen])  # (m, 7)
            self._rewards = self._rewards + (1 / np.log2(2 + ahead)).mean(axis=0)
        for method in self.methods:
            method.learn(step)

    def scores(self, now: float) -> FloatArray:
        """The mixture, (n,)."""
        return np.asarray(self.weights().astype(np.float32) @ self._standard(now), np.float32)

    def explain(self, row: int, now: float) -> list[Contribution]:
        """One part per method."""
        parts = self.weights() * self._standard(now)[:, row]
        return [Contribution("likes", float(part)) for part in parts]

    def mood(self, now: float) -> float:
        """No session is told apart."""
        return 0.0

    def snapshot(self) -> Any:
        """The methods' states and rewards."""
        return [method.snapshot() for method in self.methods], self._rewards

    def restore(self, state: Any) -> None:
        """Go back to a snapshot."""
        states, self._rewards = state
        for method, own in zip(self.methods, states, strict=True):
            method.restore(own)

    def copy(self) -> Self:
        """An independent policy in the same state."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.methods = tuple(method.copy() for method in self.methods)
        return twin
