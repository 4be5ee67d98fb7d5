"""The default policy: many experts on one user's taste, mixed by a gate that learns from that user alone."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.policies.base import Contribution
from llmrec.engine.policies.rocchio import Clock, Rocchio
from llmrec.engine.records import Interaction
from llmrec.models import FloatArray


class Blend:
    """score = sum_k g_k s_k over the experts k."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Know nothing yet."""
        self.catalogue = catalogue
        self._parts = {
            "likes": (0.7, Rocchio(catalogue, white=True)),
            "recent": (0.3, Rocchio(catalogue, Clock(last=5), white=True)),
        }

    def learn(self, step: Sequence[Interaction]) -> None:
        """Let every expert learn."""
        for _, expert in self._parts.values():
            expert.learn(step)

    def scores(self, now: float) -> FloatArray:
        """The mixed score of all items, (n,)."""
        total = np.zeros(len(self.catalogue), np.float32)
        for gate, expert in self._parts.values():
            total += np.float32(gate) * expert.scores(now)
        return total

    def explain(self, row: int, now: float) -> list[Contribution]:
        """Signed parts that sum to the score."""
        return [
            Contribution(part, gate * c.amount, c.event)
            for part, (gate, expert) in self._parts.items()
            for c in expert.explain(row, now)
        ]

    def mood(self, now: float) -> float:
        """Share of the recent events' expert."""
        return self._parts["recent"][0]

    def snapshot(self) -> Any:
        """The experts' states."""
        return {part: expert.snapshot() for part, (_, expert) in self._parts.items()}

    def restore(self, state: Any) -> None:
        """Go back to a snapshot."""
        for part, (_, expert) in self._parts.items():
            expert.restore(state[part])

    def copy(self) -> Self:
        """An independent policy in the same state."""
        twin = type(self)(self.catalogue)
        twin.restore(self.snapshot())
        return twin
