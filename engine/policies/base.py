"""What every ranking policy can do, and how strongly each kind of event speaks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.records import Interaction, Kind
from llmrec.models import FloatArray

WEIGHTS = {
    Kind.PURCHASE: 5.0,
    Kind.SAVE: 4.0,
    Kind.LIKE: 3.0,
    Kind.FINISH: 2.0,
    Kind.DWELL: 0.0,
    Kind.OPEN: 1.0,
    Kind.SKIP: -0.5,
    Kind.DISLIKE: -3.0,
    Kind.IMPRESSION: 0.0,
}
"""Weight of an event by kind; `dwell` and `finish` are refined by the seconds spent."""
POSITIVE = frozenset({Kind.PURCHASE, Kind.SAVE, Kind.LIKE, Kind.FINISH})
"""What counts as a clear yes."""
NEGATIVE = frozenset({Kind.DISLIKE, Kind.SKIP})
"""What counts as a no."""
EXPECTED_READ = 60.0
"""Seconds after which a dwell is as good as a reading, where the item's length is not known."""
MAX_DWELL = 2.0
DAY = 86_400.0
EARLIEST, LATEST = -2.0e9, 4.2e9
"""Unix seconds between which a time is believed (1906 to 2103); others are moved to the nearer end."""


def kind_weight(event: Interaction) -> float:
    """Signed strength of an event: its kind's weight times the user's own correction.

    Time spent counts as min(2, log(1 + seconds / expected)), so that an hour is not sixty times a minute.
    """
    if not math.isfinite(event.weight):
        return 0.0
    base = WEIGHTS[event.kind]
    if event.kind in (Kind.DWELL, Kind.FINISH) and event.value is not None:
        seconds = event.value if math.isfinite(event.value) else 0.0
        base = min(MAX_DWELL, math.log1p(max(seconds, 0.0) / EXPECTED_READ))
    return base * event.weight


def moment(at: float) -> float:
    """A time that can be computed with: NaN is the epoch, and absurd times are clamped."""
    return 0.0 if math.isnan(at) else min(max(at, EARLIEST), LATEST)


@dataclass(frozen=True, slots=True)
class Contribution:
    """One signed part of a row's score."""

    part: str
    """What contributed: "likes", "recent", "words", "fresh", "dislikes", ..."""
    amount: float
    """Share of the score."""
    event: int | None = None
    """Index of the learnt event it comes from, counted from 0 in the order of learning; None for a prior."""


class Policy(Protocol):
    """Ranks the items of one catalogue for one user, and learns from events one moment at a time."""

    def learn(self, step: Sequence[Interaction]) -> None:
        """Take in all events of one moment. Moments may come out of order; events on unknown rows are errors."""

    def scores(self, now: float) -> FloatArray:
        """Score of every row, (n,) float32, higher is better, always finite."""

    def explain(self, row: int, now: float) -> list[Contribution]:
        """Signed parts whose amounts sum to `scores(now)[row]` (up to float32 rounding)."""

    def mood(self, now: float) -> float:
        """Share of the present session against long-term taste in the score, 0 to 1."""

    def snapshot(self) -> Any:
        """The whole state, cheap to take; `restore` of it undoes all that was learnt since, exactly."""

    def restore(self, state: Any) -> None:
        """Go back to a snapshot."""

    def copy(self) -> Self:
        """An independent policy in the same state."""


class LogPolicy:
    """Base of policies that keep the learnt events: an append-only log whose length is the snapshot."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Know nothing yet."""
        self.catalogue = catalogue
        self.events: tuple[Interaction, ...] = ()

    def learn(self, step: Sequence[Interaction]) -> None:
        """Append the events of one moment."""
        self.events = (*self.events, *step)

    def mood(self, now: float) -> float:
        """No session is told apart."""
        return 0.0

    def snapshot(self) -> Any:
        """The events so far."""
        return self.events

    def restore(self, state: Any) -> None:
        """Go back to the events of a snapshot."""
        self.events = state

    def copy(self) -> Self:
        """An independent policy with the same events."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def _constant(self, value: float = 0.0) -> FloatArray:
        return np.full(len(self.catalogue), value, np.float32)
