"""The essay's model to the letter: an interest vector U_i = sum_j w_ij C_j, and the score U_i . C."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.policies.base import DAY, Contribution, kind_weight, moment
from llmrec.engine.records import Interaction
from llmrec.engine.vectors import DoubleArray
from llmrec.models import FloatArray

HALF_LIFE = 30 * DAY
"""Seconds until an event weighs half."""


@dataclass(frozen=True, slots=True)
class _State:
    faded: DoubleArray
    """(d,) sum of the fading events, as weighed at `reference`."""
    frozen: DoubleArray
    """(d,) sum of the events that do not fade."""
    reference: float
    """Unix seconds of the newest fading event."""
    events: tuple[Interaction, ...]


class Essay:
    """U(t) = sum_j w_j 2^(-(t - t_j) / h) C_j over the events j, and score(C) = U . C.

    w_j is the weight of the event's kind. U is kept as (v, t_ref) in float64 and brought forward only when needed,
    so an event costs O(d), nothing overflows, and any order of the events gives the same U.
    """

    def __init__(self, catalogue: Catalogue, half_life: float = HALF_LIFE) -> None:
        """Know nothing yet; `half_life` in seconds."""
        self.catalogue = catalogue
        self.half_life = half_life
        nothing = np.zeros(catalogue.dim)
        self._state = _State(nothing, nothing, -math.inf, ())

    def learn(self, step: Sequence[Interaction]) -> None:
        """Add each event's vector to U."""
        for event in step:
            self._state = self._with(event)

    def _with(self, event: Interaction) -> _State:
        state = replace(self._state, events=(*self._state.events, event))
        added = kind_weight(event) * self.catalogue.vector(event).astype(np.float64)
        if not event.fades:
            return replace(state, frozen=state.frozen + added)
        at = moment(event.at)
        newest = max(state.reference, at)
        faded = state.faded * self._fading(newest - state.reference) + added * self._fading(newest - at)
        return replace(state, faded=faded, reference=newest)

    def _fading(self, seconds: float) -> float:
        return 2.0 ** -(seconds / self.half_life) if math.isfinite(seconds) else 0.0

    def interest(self, now: float) -> DoubleArray:
        """U at a time, (d,) float64; an event later than `now` counts as if it were of now."""
        state, now = self._state, moment(now)
        if state.reference > now and math.isfinite(state.reference):
            return self._recomputed(now)
        return state.faded * self._fading(now - state.reference) + state.frozen

    def _recomputed(self, now: float) -> DoubleArray:
        """U from the log: the definition, and the way out when a clock ran ahead."""
        total = np.zeros(self.catalogue.dim)
        for event in self._state.events:
            total += self._weight(event, now) * self.catalogue.vector(event).astype(np.float64)
        return total

    def _weight(self, event: Interaction, now: float) -> float:
        """w_j 2^(-(now - t_j) / h)."""
        fading = self._fading(max(0.0, now - moment(event.at))) if event.fades else 1.0
        return kind_weight(event) * fading

    def scores(self, now: float) -> FloatArray:
        """U . C for all items, (n,)."""
        return self.catalogue.similarity(self.interest(now).astype(np.float32))

    def explain(self, row: int, now: float) -> list[Contribution]:
        """One contribution per event: w_j 2^(-(t - t_j) / h) C_j . C."""
        item = self.catalogue.vectors[row].astype(np.float64)
        parts = []
        for index, event in enumerate(self._state.events):
            weight = self._weight(event, moment(now))
            amount = weight * float(self.catalogue.vector(event).astype(np.float64) @ item)
            if amount:
                parts.append(Contribution("likes" if kind_weight(event) > 0 else "dislikes", amount, index))
        return parts

    def mood(self, now: float) -> float:
        """No session is told apart."""
        return 0.0

    def snapshot(self) -> _State:
        """U and its events."""
        return self._state

    def restore(self, state: _State) -> None:
        """Go back to a snapshot."""
        self._state = state

    def copy(self) -> Self:
        """An independent policy in the same state."""
        twin = type(self)(self.catalogue, self.half_life)
        twin._state = self._state
        return twin
