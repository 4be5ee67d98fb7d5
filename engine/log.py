"""The append-only log as read: which entries count, and what undo and redo would take back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from llmrec.engine.policies.base import EARLIEST
from llmrec.engine.records import Event, ItemId, Kind

HALF_LIFE = "half_life"
"""Kind of an entry by which a user says how long an item stays worth reading."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the log as stored: an event, an undo, or a correction of the user's."""

    id: int
    kind: str
    """A `Kind`, or "undo", "control", "steer", `HALF_LIFE`."""
    item: ItemId | None
    at: float
    value: float | None
    undoes: int | None = None
    payload: dict[str, Any] = field(default_factory=dict)

    @property
    def event_kind(self) -> Kind | None:
        """What was done with an item; None for undos and corrections."""
        return Kind(self.kind) if self.item is not None and self.undoes is None else None

    def event(self, user: str) -> Event | None:
        """The entry of a user as an event on an item; None for undos and corrections."""
        kind = self.event_kind
        if self.item is None or kind is None:
            return None
        return Event(user, self.item, kind, self.at, self.value, self.id, self.payload.get("place"))


def believed(at: float, now: float) -> float:
    """A time the log can hold: never later than now, not before 1906, and now where it is no number."""
    return now if math.isnan(at) else min(max(at, EARLIEST), now)


def active(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """The entries that count, oldest first: neither taken back nor themselves an undo.

    An undo that was undone no longer takes anything back, so the newest is read first.
    """
    cancelled: set[int] = set()
    kept: list[LogEntry] = []
    for entry in reversed(entries):
        if entry.id in cancelled:
            continue
        if entry.undoes is not None:
            cancelled.add(entry.undoes)
        else:
            kept.append(entry)
    return kept[::-1]


def redoable(entries: Sequence[LogEntry]) -> LogEntry | None:
    """The newest undo that a redo would take back; None where something was done since."""
    cancelled: set[int] = set()
    for entry in reversed(entries):
        if entry.id in cancelled:
            continue
        if entry.undoes is None:
            return None
        undone = next(e for e in entries if e.id == entry.undoes)
        if undone.undoes is None:
            return entry
        cancelled.update((entry.undoes, undone.undoes))
    return None


def undone_together(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """What one undo takes back, newest first: the newest entry that counts, with all phrases of its command."""
    found: list[LogEntry] = []
    for entry in reversed(active(entries)):
        if found and not _of_one_command(entry, found[-1]):
            break
        found.append(entry)
    return found


def redone_together(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """The undos that one redo takes back, in the order in which their entries were made."""
    targets = {entry.id: entry for entry in entries}
    log, found = list(entries), list[LogEntry]()
    while (undo := redoable(log)) is not None and undo.undoes is not None:
        if found and not _of_one_command(targets[found[-1].undoes or 0], targets[undo.undoes]):
            break
        found.append(undo)
        if targets[undo.undoes].kind != "steer":
            break
        log.append(LogEntry(-len(found), "undo", None, undo.at, None, undoes=undo.id))
    return found


def _of_one_command(earlier: LogEntry, later: LogEntry) -> bool:
    """Whether two entries are phrases of one steering command, in this order."""
    same = earlier.kind == later.kind == "steer" and earlier.at == later.at
    return same and earlier.payload.get("place", 0) < later.payload.get("place", 0)


def named(entry: LogEntry) -> str:
    """A correction in words; "" for events on items."""
    if entry.kind == "steer":
        return f"{'more' if entry.payload['more'] else 'less'} {entry.payload['phrase']}"
    if entry.kind == HALF_LIFE:
        return str(entry.payload["words"])
    return f"{entry.payload['action']} {entry.payload['words']}" if entry.kind == "control" else ""
