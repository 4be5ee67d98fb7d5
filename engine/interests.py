"""What a user likes, as clusters of past events, in words; and the user's own corrections of it.

Clusters are found by the leader algorithm (Hartigan, 1975): an event joins the interest whose centroid is nearest if
the cosine reaches a threshold, else it leads a new one. That is a pure function of the log, costs O(K d) per event,
and every interest has a medoid to be named by (PinnerSage, KDD 2020). Corrections (boost, less, freeze, snooze,
forget, split) are entries of the log too, so that undo and the time machine hold for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from llmrec.engine.errors import LlmrecError
from llmrec.engine.records import Interaction, Interest, ItemId, Kind
from llmrec.engine.wording import until
from llmrec.models import FloatArray

DAY: Final = 86_400.0
NOW_HALF_LIFE: Final = 2 * DAY
"""Seconds after which an event counts half in what is liked now."""
ALWAYS_HALF_LIFE: Final = 60 * DAY
"""Seconds after which an event counts half in long-term taste; PinnerSage's decay of .01 a day is about 69 days."""
JOIN: Final = 0.27
"""Cosine to a centroid from which an event joins an interest: 95 of 100 pairs of different topics in the sample items
lie below it, half of the pairs of one topic above, and a centroid is nearer than a single item."""
STRENGTH: Final[Mapping[Kind, float]] = {
    Kind.PURCHASE: 5.0,
    Kind.SAVE: 4.0,
    Kind.LIKE: 3.0,
    Kind.FINISH: 2.0,
    Kind.OPEN: 1.0,
}
"""How much an event feeds an interest; what is not listed feeds none."""
ACTIONS: Final = ("boost", "less", "freeze", "snooze", "forget", "split", "reset")
WEEKS: Final = 12
"""Weeks of a trend."""


@dataclass(slots=True)
class Correction:
    """What the user said of one interest."""

    factor: float = 1.0
    """Multiplies the weight of its events."""
    frozen: bool = False
    snoozed_until: float = 0.0
    """Unix seconds."""
    forgotten: bool = False

    def weight(self, now: float) -> float:
        """Multiplier of the weight of the interest's events at a moment."""
        return 0.0 if self.forgotten or now < self.snoozed_until else self.factor

    def words(self, now: float) -> str:
        """State as shown beside the interest; "" where the user said nothing."""
        if self.forgotten:
            return "forgotten"
        if now < self.snoozed_until:
            return f"snoozed {until(self.snoozed_until)}"
        if self.frozen:
            return "frozen"
        return "" if self.factor == 1.0 else "boosted" if self.factor > 1 else "lowered"


@dataclass(slots=True)
class Faded:
    """sum_j w_j 2^(-(t - t_j) / h), kept as its value at the newest event, so that an event costs O(1)."""

    half_life: float
    """Seconds."""
    value: float = 0.0
    newest: float = float("-inf")
    unfaded: float = 0.0
    """sum_j w_j."""

    def add(self, weight: float, at: float) -> None:
        """Take in one event, in any order of time."""
        self.unfaded += weight
        if at >= self.newest:
            self.value = self.at(at) + weight
            self.newest = at
        else:
            self.value += weight * 0.5 ** ((self.newest - at) / self.half_life)

    def at(self, now: float) -> float:
        """The sum at a moment; events later than it count as of now."""
        return self.value * 0.5 ** (max(0.0, now - self.newest) / self.half_life) if self.value else 0.0


@dataclass(slots=True)
class Cluster:
    """One interest: the events that feed it, in log order."""

    leader: str
    """Item id (or phrase) of its first event; names it in corrections."""
    total: npt.NDArray[np.float64]
    """(d,) sum of the unit vectors of its events."""
    vectors: list[FloatArray] = field(default_factory=list)
    events: list[Interaction] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """Item id (or phrase) of each event."""
    correction: Correction = field(default_factory=Correction)
    recent: "Faded" = field(default_factory=lambda: Faded(NOW_HALF_LIFE))
    lasting: "Faded" = field(default_factory=lambda: Faded(ALWAYS_HALF_LIFE))

    def add(self, event: Interaction, vector: FloatArray, name: str) -> None:
        """Join an event."""
        self.total += vector
        self.recent.add(STRENGTH[event.kind], event.at)
        self.lasting.add(STRENGTH[event.kind], event.at)
        self.vectors.append(vector)
        self.events.append(event)
        self.names.append(name)

    def strength(self, now: float, faded: "Faded") -> float:
        """Faded sum of what feeds it: sum_j w_j 2^(-age_j / half-life), corrected by the user."""
        raw = faded.unfaded if self.correction.frozen else faded.at(now)
        return raw * self.correction.weight(now)

    def items(self) -> list[ItemId]:
        """Items of its events, oldest first; typed interests have none."""
        return [ItemId(name) for event, name in zip(self.events, self.names, strict=True) if event.row >= 0]

    def medoid(self) -> int:
        """Index of the event nearest to the centroid."""
        return int(np.argmax(np.stack(self.vectors) @ self.total))  # (m, d) @ (d,) -> (m,)


class InterestModel:
    """All interests of one user, grown event by event."""

    def __init__(self) -> None:
        self.clusters: list[Cluster] = []

    def learn(self, event: Interaction, vector: FloatArray, name: str) -> Cluster | None:
        """Feed one event; returns the interest it joined, or None where its kind feeds none."""
        if event.kind not in STRENGTH or not vector.any():
            return None
        cluster = self.nearest(vector) or self._lead(vector, name)
        cluster.add(event, vector, name)
        return cluster

    def nearest(self, vector: FloatArray) -> Cluster | None:
        """The interest a vector belongs to, or None."""
        if not self.clusters:
            return None
        totals = np.stack([c.total for c in self.clusters])  # (K, d)
        cosines = totals @ vector / np.maximum(np.linalg.norm(totals, axis=1), 1e-12)  # (K, d) @ (d,) -> (K,)
        best = int(np.argmax(cosines))
        return self.clusters[best] if cosines[best] >= JOIN else None

    def _lead(self, vector: FloatArray, name: str) -> Cluster:
        cluster = Cluster(leader=name, total=np.zeros(len(vector)))
        self.clusters.append(cluster)
        return cluster

    def correct(self, leader: str, action: str, *, at: float, days: float | None) -> None:
        """Apply one correction of the user's to the interest that this leader leads, or else feeds.

        Raises:
            LlmrecError: no interest has this leader, or the action is unknown.
        """
        feeds = [c for c in self.clusters if leader in c.names]
        cluster = next((c for c in self.clusters if c.leader == leader), feeds[0] if feeds else None)
        if cluster is None:
            raise LlmrecError(f"no interest is named by {leader!r}. `llmrec interests` lists them.")
        said = cluster.correction
        match action:
            case "boost":
                said.factor = min(said.factor * 2, 8.0)
            case "less":
                said.factor = max(said.factor / 2, 0.125)
            case "freeze":
                said.frozen = not said.frozen
            case "snooze":
                said.snoozed_until = at + (days or 1.0) * DAY
            case "forget":
                said.forgotten = True
            case "reset":
                cluster.correction = Correction()
            case "split":
                self._split(cluster)
            case _:
                raise LlmrecError(f"{action!r} is not one of {', '.join(ACTIONS)}.")

    def _split(self, cluster: Cluster) -> None:
        """Part a cluster by its two events that are farthest apart; the rest go to the nearer one.

        Raises:
            LlmrecError: all its events are alike.
        """
        matrix = np.stack(cluster.vectors)  # (m, d)
        cosines = matrix @ matrix.T  # (m, m)
        a, b = np.unravel_index(int(np.argmin(cosines)), cosines.shape)
        if cosines[a, b] > 0.99:
            raise LlmrecError("this interest cannot be split: its items are all alike.")
        to_b = cosines[b] > cosines[a]
        parts = [Cluster(cluster.names[i], np.zeros(matrix.shape[1])) for i in (a, b)]
        for i, second in enumerate(to_b):
            parts[int(second)].add(cluster.events[i], cluster.vectors[i], cluster.names[i])
        # The part that holds the leader keeps the name, so that earlier corrections still find it.
        keeps = int(to_b[cluster.names.index(cluster.leader)])
        parts[keeps].leader, parts[keeps].correction = cluster.leader, cluster.correction
        at = self.clusters.index(cluster)
        self.clusters[at : at + 1] = parts

    def shares(self, now: float, *, lasting: bool = False) -> dict[str, float]:
        """Share of each interest in what is liked now (or always), by leader; they sum to 1 where anything is left."""
        strengths = {c.leader: c.strength(now, c.lasting if lasting else c.recent) for c in self.clusters}
        total = sum(strengths.values())
        return {k: v / total if total > 0 else 0.0 for k, v in strengths.items()}

    def describe(self, now: float, words: Mapping[str, tuple[str, ...]], limit: int = 24) -> list[Interest]:
        """The interests as shown, strongest first.

        Args:
            now: Unix seconds.
            words: words of each interest, by leader.
            limit: how many at most.
        """
        current, always = self.shares(now), self.shares(now, lasting=True)
        ordered = sorted(self.clusters, key=lambda c: -max(current[c.leader], always[c.leader]))
        return [self._describe(c, now, current, always, words.get(c.leader, ())) for c in ordered[:limit]]

    def _describe(
        self, c: Cluster, now: float, current: dict[str, float], always: dict[str, float], words: tuple[str, ...]
    ) -> Interest:
        medoid = c.medoid()
        typed = c.events[medoid].row < 0
        return Interest(
            id=c.leader,
            words=words or (c.leader,),
            medoid=None if typed else ItemId(c.names[medoid]),
            now=current[c.leader],
            always=always[c.leader],
            half_life=np.inf if c.correction.frozen else ALWAYS_HALF_LIFE,
            last_fed=max(e.at for e in c.events),
            trend=_trend(c.events, now),
            state=c.correction.words(now),
            items=tuple(dict.fromkeys(c.items()))[::-1],
        )


def _trend(events: Sequence[Interaction], now: float) -> tuple[float, ...]:
    """Weight gained in each of the last twelve weeks, oldest first."""
    weeks = [0.0] * WEEKS
    for event in events:
        age = int(max(0.0, now - event.at) // (7 * DAY))
        if age < WEEKS:
            weeks[WEEKS - 1 - age] += STRENGTH[event.kind]
    return tuple(weeks)
