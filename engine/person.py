"""One user's live state: the ranking policy, the essay's interest vector and the interests in words.

All of it is a function of the log. A new event is added in place; an undo, a correction or a late event replays it.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.errors import LlmrecError
from llmrec.engine.interests import DAY, STRENGTH, Cluster, InterestModel
from llmrec.engine.log import LogEntry
from llmrec.engine.policies import Policy, make_policy
from llmrec.engine.policies.essay import Essay
from llmrec.engine.policies.shortlist import Shortlist
from llmrec.engine.records import BoolArray, Interaction, ItemId, Kind
from llmrec.models import FloatArray

_MARK_ORDER = (Kind.PURCHASE, Kind.SAVE, Kind.LIKE, Kind.FINISH, Kind.DISLIKE, Kind.SKIP, Kind.OPEN, Kind.DWELL)
"""Of several things done with one item, the first of these is shown; a later like or dislike replaces the other."""
_TYPED = 2.0
"""Likes that a typed interest is worth: it outlives the first clicks on something else, but not a new habit."""
_KEPT_ROWS = 1_000_000
"""Rows of the catalogue times steps that can be undone at once without a replay."""
_OPPOSITES = {Kind.LIKE: Kind.DISLIKE, Kind.DISLIKE: Kind.LIKE}


@dataclass(frozen=True, slots=True)
class _Before:
    """What is needed to go back to the moment before an entry; the policies' states never change once made."""

    entry: int
    policy: Any
    essay: Any
    learnt: int
    latest: float


class Person:
    """What is known of one user, ready to rank."""

    def __init__(
        self,
        catalogue: Catalogue,
        rows: Mapping[ItemId, int],
        embed_phrase: Callable[[str], FloatArray],
        policy: str,
    ) -> None:
        """Know nothing yet.

        Args:
            catalogue: the items as numbers.
            rows: row of the catalogue by item id.
            embed_phrase: unit vector (d,) of a typed interest.
            policy: name of the ranking policy.
        """
        self.catalogue = catalogue
        self._rows = rows
        self._embed_phrase = embed_phrase
        self.policy: Policy = make_policy(policy, catalogue)
        self.essay = Essay(catalogue)
        self.interests = InterestModel()
        self.entries: list[LogEntry] = []
        """The log entry of each learnt event, in the order of learning."""
        self.acted_rows: list[int] = []
        """Rows of the catalogue on which anything but an impression was done."""
        self.marks: dict[ItemId, Kind] = {}
        """The most telling thing done with each item."""
        self.stale_at = float("inf")
        """Unix seconds at which the state must be replayed because a snooze or a steering phrase ends."""
        self._latest = float("-inf")
        self._before: deque[_Before] = deque(maxlen=max(2, min(16, _KEPT_ROWS // max(len(catalogue), 1))))

    def look_among(self, wanted: BoolArray | None) -> None:
        """Rank for a list of some rows alone (n,): where only a shortlist is ranked, it is taken from them."""
        if isinstance(self.policy, Shortlist):
            self.policy.look_among(wanted)

    @property
    def new(self) -> bool:
        """Whether nothing is known yet: what was only seen or skipped tells no interest."""
        return all(entry.kind in (Kind.IMPRESSION, Kind.SKIP) for entry in self.entries)

    def replay(self, entries: Sequence[LogEntry], now: float) -> None:
        """Learn a whole log of entries that count, oldest first, as of a moment."""
        learnt: list[tuple[LogEntry, Interaction, Cluster | None]] = []
        for entry in entries:
            if entry.kind == "control":
                self._correct(entry, now)
            elif (event := self._interaction(entry, now)) is not None:
                learnt.append((entry, event, self._feed(entry, event)))
        moments = sorted(learnt, key=lambda found: found[1].at)
        for _, step in groupby(moments, key=lambda found: found[1].at):
            self._learn([(entry, self._corrected(event, cluster, now)) for entry, event, cluster in step])

    def add(self, entry: LogEntry, now: float) -> Cluster | None:
        """Learn one new entry; returns the interest it feeds, if any.

        Raises:
            LateEvent: the entry does not lie after the newest one, so the log must be replayed.
        """
        event = self._interaction(entry, now)
        if event is None:
            return None
        if event.at <= self._latest:  # of the same moment too, because a moment is learnt as one step
            raise LateEvent
        policy, essay = self.policy.snapshot(), self.essay.snapshot()
        self._before.append(_Before(entry.id, policy, essay, len(self.entries), self._latest))
        cluster = self._feed(entry, event)
        self._learn([(entry, self._corrected(event, cluster, now))])
        return cluster

    def rewind(self, entry_id: int, remaining: Sequence[LogEntry], now: float) -> bool:
        """Forget the newest entry without replaying the products of the others; False where that is not possible.

        Args:
            entry_id: what is taken back.
            remaining: all entries that still count, oldest first.
            now: Unix seconds.
        """
        if not self._before or self._before[-1].entry != entry_id:
            return False
        before = self._before.pop()
        self.policy.restore(before.policy)
        self.essay.restore(before.essay)
        self.entries = self.entries[: before.learnt]
        self._latest = before.latest
        self.interests, self.marks, self.acted_rows = InterestModel(), {}, []
        for entry in remaining:  # interests are cheap to grow again, and so need no undo of their own
            if entry.kind == "control":
                self._correct(entry, now)
            elif (event := self._interaction(entry, now)) is not None:
                self._feed(entry, event)
        return True

    def _learn(self, step: Sequence[tuple[LogEntry, Interaction]]) -> None:
        events = [event for _, event in step]
        self.policy.learn(events)
        self.essay.learn(events)
        self._latest = max(self._latest, *(event.at for event in events))
        self.entries.extend(entry for entry, _ in step)

    def _feed(self, entry: LogEntry, event: Interaction) -> Cluster | None:
        """Let one event feed the interests and the marks."""
        if entry.item is not None:
            self._mark(entry.item, event.kind)
        name = entry.item if entry.item is not None else str(entry.payload["phrase"])
        cluster = self.interests.learn(event, self.catalogue.vector(event), name)
        return cluster or self.interests.nearest(self.catalogue.vector(event))

    def _mark(self, item: ItemId, kind: Kind) -> None:
        if kind not in _MARK_ORDER:
            return
        before = self.marks.get(item)
        if before is None:
            self.acted_rows.append(self._rows[item])
        replaces = before is None or _OPPOSITES.get(kind) == before
        if replaces or (before is not None and _MARK_ORDER.index(kind) < _MARK_ORDER.index(before)):
            self.marks[item] = kind

    def _interaction(self, entry: LogEntry, now: float) -> Interaction | None:
        """An entry as the policies see it; None where its item is gone or its time is over."""
        at = min(entry.at, now)
        if entry.kind == "steer":
            return self._steering(entry, at, now)
        row = self._rows.get(entry.item) if entry.item is not None else None
        kind = entry.event_kind
        if row is None or kind is None:
            return None
        return Interaction(row, kind, at, entry.value)

    def _steering(self, entry: LogEntry, at: float, now: float) -> Interaction | None:
        until = entry.payload.get("until")
        if until is not None:
            if now >= until:
                return None
            self.stale_at = min(self.stale_at, until)
        kind = Kind.LIKE if entry.payload["more"] else Kind.DISLIKE
        vector = self.catalogue.meant(self._embed_phrase(entry.payload["phrase"]))
        return Interaction(-1, kind, at, weight=_TYPED, vector=vector)

    def _correct(self, entry: LogEntry, now: float) -> None:
        said = entry.payload
        # It was possible when it was made. Where the event it names was taken back since, or another encoder groups
        # events otherwise, there may be nothing left to correct, which must not cost the user the rest of the log.
        with suppress(LlmrecError):
            self.interests.correct(said["interest"], said["action"], at=entry.at, days=said.get("days"))
        if said["action"] == "snooze" and (until := entry.at + (said.get("days") or 1.0) * DAY) > now:
            self.stale_at = min(self.stale_at, until)

    def _corrected(self, event: Interaction, cluster: Cluster | None, now: float) -> Interaction:
        """The event with the user's corrections of its interest; only what feeds an interest is corrected."""
        if cluster is None or event.kind not in STRENGTH:
            return event
        said = cluster.correction
        if said.weight(now) == 1.0 and not said.frozen:
            return event
        return Interaction(
            event.row, event.kind, event.at, event.value, event.weight * said.weight(now), not said.frozen, event.vector
        )


class LateEvent(Exception):
    """An event not newer than the newest learnt one: the log must be replayed in the order of time."""
