"""A deterministic engine for the screen's tests: same methods as `llmrec.engine.Engine`, no store, no model.

A like lifts every item of the same topic by one, a dislike sinks it, an item acted on leaves the list unless the view
keeps it. So what each key does to the list is known by construction.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Event as Cancel
from threading import RLock

import numpy as np

from llmrec.engine import (
    NEW,
    Batch,
    Candidate,
    Change,
    Event,
    HalfLife,
    Interest,
    Item,
    ItemId,
    Kind,
    LlmrecError,
    Phrased,
    Progress,
    Reason,
    Recommendation,
    Status,
    UnknownItem,
    View,
    Why,
    Written,
)
from tests.tui.fake_models import FakeModels

NOW = 1_760_000_000.0
DAY = 86_400.0
TOPICS = ("sailing", "trains", "baking", "databases", "politics", "gardens")
DOMAINS = ("feed", "shop", "courses")
WEIGHT = {Kind.LIKE: 1.0, Kind.SAVE: 1.5, Kind.DISLIKE: -1.0, Kind.SKIP: -0.3, Kind.OPEN: 0.2, Kind.DWELL: 0.1}
_NOUNS = (
    "Night boats",
    "Slow mornings",
    "A short history",
    "Five tools",
    "Notes from the field",
    "The case",
    "Repairs",
)


def make_items(n: int) -> list[Item]:
    """Items whose topic is their number modulo the number of topics."""
    items = []
    for i in range(n):
        topic = TOPICS[i % len(TOPICS)]
        sentences = [f"Sentence {k} of item {i} speaks of {topic} in a calm voice, number {i + k}." for k in range(6)]
        items.append(
            Item(
                ItemId(f"i{i:05}"),
                f"{_NOUNS[i % len(_NOUNS)]} about {topic}, part {i}",
                " ".join(sentences),
                f"https://example.org/{i}" if i % 2 == 0 else None,
                f"{topic} weekly",
                (topic, "calm"),
                NOW - (i % 40) * DAY / 4,
                DOMAINS[i % len(DOMAINS)],
            )
        )
    return items


@dataclass
class Entry:
    """One line of the fake log."""

    event: Event
    undone: bool = False
    control: tuple[str, str] | None = None


class FakeEngine:
    """Answers like the engine, from lists in memory."""

    def __init__(self, n: int = 60, *, items: Sequence[Item] = (), clock: Callable[[], float] = lambda: NOW) -> None:
        self._clock = clock
        self._items = {item.id: item for item in (items or make_items(n))}
        self._log: list[Entry] = []
        self._taken: list[Entry] = []
        self._last: dict[tuple[str | None, str], dict[ItemId, int]] = {}
        self._revision = 0
        self._lock = RLock()
        self._settings: dict[str, str] = {}
        self.fail: LlmrecError | None = None
        """Raised by every command and by why."""
        self.slow_write = False
        """Writing blocks until it is cancelled."""
        self.writing = 0
        """Calls of `write` under way."""
        self.pending = 0
        self.learnt = True
        self.unmade = 0
        """From which of three steps on a large catalogue is still to be made ready; 0 where it is."""
        self.writer = ""
        """Name of the writer, which works ahead."""
        self.phrased: Phrased | None = None
        """The last word of `why_in_words`, where it is another."""
        self.ahead: list[str] = []
        """What was written and judged ahead."""
        self.slow_ahead = False
        """Work ahead that begins now blocks until it is cancelled."""
        self.calls: list[str] = []
        self.models = FakeModels()

    # Items.

    def item(self, item: ItemId) -> Item:
        if item not in self._items:
            raise UnknownItem(f"no item has the id {item!r}")
        return self._items[item]

    def items(self, ids: Sequence[ItemId]) -> list[Item]:
        return [self._items[id] for id in ids if id in self._items]

    def domains(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(item.domain for item in self._items.values()))

    def prepare(self, cancel: Cancel) -> Iterator[Progress]:
        return (Progress(done, 3, "catalogue") for done in range(self.unmade, 4)) if self.unmade else iter(())

    def warm(self) -> None:
        pass

    # Ranking.

    def _live(self, as_of: float | None = None) -> list[Entry]:
        return [e for e in self._log if not e.undone and (as_of is None or e.event.at <= as_of)]

    def _topic(self, id: ItemId) -> str:
        tags = self._items[id].tags
        return tags[0] if tags else ""

    def _score(self, id: ItemId, place: int, live: list[Entry]) -> float:
        score = -place / 1_000
        for entry in live:
            if entry.control is not None:
                if entry.control[0] == self._topic(id):
                    score += {"boost": 0.5, "less": -0.5, "forget": -2.0, "snooze": -2.0}.get(entry.control[1], 0.0)
            elif self._topic(entry.event.item) == self._topic(id):
                score += WEIGHT[entry.event.kind]
        return score

    def _order(self, view: View, as_of: float | None = None, but: int = 0) -> list[tuple[ItemId, float]]:
        live = [e for e in self._live(as_of) if e.event.id != but]
        acted = {e.event.item for e in live if e.control is None}
        words = view.query.lower()
        scored = [
            (id, self._score(id, place, live))
            for place, (id, item) in enumerate(self._items.items())
            if (view.domain is None or item.domain == view.domain)
            and (id not in acted or id in view.keep or view.seen)
            and words in f"{item.title} {item.text}".lower()
        ]
        return sorted(scored, key=lambda pair: -pair[1])

    def _batch(self, user: str, view: View, change: Change | None = None) -> Batch:
        order = self._order(view)
        key = (view.domain, view.query)
        before = self._last.get(key)
        after = {id: row for row, (id, _) in enumerate(order)}
        moves = [0 if before is None else NEW if id not in before else before[id] - row for id, row in after.items()]
        self._last[key] = after
        self._revision += 1
        if change is not None:
            change = replace(change, moved_up=sum(0 < move < NEW for move in moves))
        return Batch(
            self._revision,
            user,
            [id for id, _ in order],
            np.array([score for _, score in order], np.float32),
            np.array(moves, np.int32),
            explore=frozenset(id for id, _ in order[3:4]),
            folded={order[1][0]: (ItemId("x"), ItemId("y"))} if len(order) > 1 else {},
            mood=0.62,
            change=change,
            seconds=0.0009,
        )

    def view(self, user: str, view: View | None = None) -> Batch:
        with self._lock:
            return self._batch(user, view or View())

    def recommend(
        self, user: str, n: int = 10, as_of: float | None = None, *, view: View | None = None
    ) -> list[Recommendation]:
        order = self._order(view or View(), as_of)[:n]
        return [
            Recommendation(rank, id, self._items[id].title, score) for rank, (id, score) in enumerate(order, start=1)
        ]

    # Commands.

    def _command(self, name: str) -> None:
        self.calls.append(name)
        if self.fail is not None:
            raise self.fail

    def record(
        self,
        user: str,
        item: ItemId,
        kind: Kind,
        at: float | None = None,
        *,
        value: float | None = None,
        place: int | None = None,
        view: View | None = None,
    ) -> Batch:
        with self._lock:
            self._command(f"record {kind} {item}")
            event = Event(
                user, item, Kind(kind), at if at is not None else self._clock(), value, len(self._log) + 1, place
            )
            self._log.append(Entry(event))
            self._taken.clear()
            topic = self._topic(item)
            change = Change(event.kind, item, self._items[item].title, topic, WEIGHT[event.kind] / 10)
            return self._batch(user, view or View(), change)

    def _change(self, entry: Entry, undone: bool) -> Change:
        if entry.control is not None:
            return Change(Kind.LIKE, ItemId(""), " ".join(reversed(entry.control)), undone=undone)
        return Change(entry.event.kind, entry.event.item, self._items[entry.event.item].title, undone=undone)

    def undo(self, user: str, *, view: View | None = None) -> Batch:
        with self._lock:
            self._command("undo")
            live = self._live()
            return self._take_back(user, live[-1] if live else None, view)

    def undo_event(self, user: str, event_id: int, *, view: View | None = None) -> Batch:
        with self._lock:
            self._command(f"undo_event {event_id}")
            return self._take_back(user, next((e for e in self._live() if e.event.id == event_id), None), view)

    def _take_back(self, user: str, entry: Entry | None, view: View | None) -> Batch:
        change = None
        if entry is not None:
            entry.undone = True
            self._taken.append(entry)
            change = self._change(entry, undone=True)
        return self._batch(user, view or View(), change)

    def redo(self, user: str, *, view: View | None = None) -> Batch:
        with self._lock:
            self._command("redo")
            change = None
            if self._taken:
                entry = self._taken.pop()
                entry.undone = False
                change = self._change(entry, undone=False)
            return self._batch(user, view or View(), change)

    def control(
        self, user: str, interest: str, action: str, *, days: float | None = None, view: View | None = None
    ) -> Batch:
        with self._lock:
            self._command(f"control {interest} {action}" + (f" {days:g}" if days else ""))
            return self._correct(user, (interest, action), view)

    def steer(self, user: str, command: str, *, view: View | None = None) -> Batch:
        with self._lock:
            self._command(f"steer {command}")
            direction, _, phrase = command.partition(" ")
            if direction not in ("more", "less") or not phrase:
                raise LlmrecError(f"{command!r} does not begin with more or less.")
            for each in phrase.split(", "):
                batch = self._correct(user, (each, "boost" if direction == "more" else "less"), view)
            return batch

    def _correct(self, user: str, control: tuple[str, str], view: View | None) -> Batch:
        event = Event(user, ItemId(""), Kind.LIKE, self._clock(), None, len(self._log) + 1)
        entry = Entry(event, control=control)
        self._log.append(entry)
        return self._batch(user, view or View(), self._change(entry, undone=False))

    # Reading.

    def history(self, user: str, n: int = 500) -> list[Event]:
        return [e.event for e in reversed(self._live()) if e.control is None][:n]

    def marks(self, user: str) -> dict[ItemId, Kind]:
        return {
            e.event.item: e.event.kind for e in self._live() if e.control is None and e.event.kind is not Kind.DWELL
        }

    def why(self, user: str, item: ItemId, *, view: View | None = None) -> Why:
        if self.fail is not None:
            raise self.fail
        with self._lock:
            shown = replace(view or View(), keep=frozenset({item, *(view.keep if view else ())}))
            order = self._order(shown)
            rank = [id for id, _ in order].index(item) + 1 if item in dict(order) else 0
            reasons = [Reason("fresh", dict(order).get(item, 0.0) - 0.01), Reason("seen before", -0.04)]
            past = [e.event for e in self._live() if e.control is None]
            events = [e for e in past if self._topic(e.item) == self._topic(item)]
            reasons += [Reason("likes", WEIGHT[e.kind], e.item, e.at, e.kind) for e in events]
            without = reasons[2] if events else None
            found = self._order(shown, but=events[0].id) if events else []
            rank_without = [id for id, _ in found].index(item) + 1 if events and item in dict(found) else None
            return Why(item, rank, sum(r.amount for r in reasons), tuple(reasons), without, rank_without)

    def why_in_words(self, user: str, why: Why, cancel: Cancel | None = None) -> Iterator[Phrased]:
        if not self.writer:
            return
        name = self.writer.split("@")[0]
        yield Phrased(why.item, "", name, done=False)
        if self.slow_write:
            assert cancel is not None
            cancel.wait()
            return
        yield Phrased(why.item, "You liked", name, done=False)
        yield self.phrased or Phrased(why.item, f"You liked what ranks {why.rank}.", name)

    def write(self, user: str, item: ItemId, cancel: Cancel | None = None) -> Iterator[Written]:
        self.writing += 1
        try:
            found = self.item(item)
            own = found.text.split(". ")[:2]
            texts = tuple(Candidate(text, 1 / (len(own) + 2), "opening", "item") for text in own if text)
            yield Written(item, "", 0, texts or (Candidate(found.title, 1.0, "title", "item"),), done=False)
            if self.slow_write:
                assert cancel is not None
                cancel.wait()
                return
            made = tuple(Candidate(f"Angle {k} on {found.title}.", 0.3, f"angle {k}", "model") for k in range(2))
            yield Written(item, "fake-writer@0", len(texts), texts + made)
        finally:
            self.writing -= 1

    def interests(self, user: str, as_of: float | None = None) -> list[Interest]:
        weights: dict[str, list[Event]] = {}
        states: dict[str, str] = {}
        for entry in self._live(as_of):
            if entry.control is not None:
                states[entry.control[0]] = {"boost": "boosted", "less": "lowered", "freeze": "frozen"}.get(
                    entry.control[1], f"{entry.control[1]}d"
                )
                weights.setdefault(entry.control[0], [])
            elif WEIGHT[entry.event.kind] > 0:
                weights.setdefault(self._topic(entry.event.item), []).append(entry.event)
        total = sum(len(events) for events in weights.values()) or 1
        return [
            Interest(
                topic,
                (topic, "calm"),
                events[-1].item if events else None,
                len(events) / total,
                len(events) / total / 2,
                21 * DAY,
                events[-1].at if events else NOW,
                tuple(float(k) for k in range(12)),
                states.get(topic, ""),
                tuple(e.item for e in reversed(events)),
            )
            for topic, events in weights.items()
        ]

    def status(self) -> Status:
        models, items = self.models, len(self._items)
        left = models.missing if models.next else 0
        found = Status(items, len(self._log), self.pending, models.serving, self.writer, "", models.next, left)
        return replace(found, learnt=self.learnt)

    def half_life(self, item: ItemId) -> HalfLife:
        said = [e.control for e in self._live() if e.control is not None and e.control[0] == f"fresh {item}"]
        return HalfLife(float(said[-1][1]), "you") if said and said[-1][1] else HalfLife(14 * DAY, "rule")

    def set_half_life(self, user: str, item: ItemId, seconds: float | None, *, view: View | None = None) -> Batch:
        with self._lock:
            self._command(f"set_half_life {item} {seconds}")
            return self._correct(user, (f"fresh {item}", str(seconds or "")), view)

    def unjudged(self, first: Sequence[ItemId] = ()) -> Iterator[ItemId]:
        return iter([id for id in first if f"judged {id}" not in self.ahead])

    def name_interests(self, user: str, cancel: Cancel) -> Iterator[Progress]:
        return iter(())

    def prewrite(self, user: str, ids: Sequence[ItemId], cancel: Cancel) -> Iterator[Progress]:
        return self._work_ahead("wrote", "texts", [id for id in ids if f"wrote {id}" not in self.ahead], cancel)

    def judge(self, ids: Sequence[ItemId], cancel: Cancel) -> Iterator[Progress]:
        return self._work_ahead("judged", "half-lives", ids, cancel)

    def _work_ahead(self, done: str, what: str, ids: Sequence[ItemId], cancel: Cancel) -> Iterator[Progress]:
        slow = self.slow_ahead
        for place, id in enumerate(ids):
            yield Progress(place, len(ids), what)
            if self.fail is not None:
                raise self.fail
            if slow:
                cancel.wait(20)
            if cancel.is_set():
                self.ahead.append("cancelled")
                return
            self.ahead.append(f"{done} {id}")

    def index(self, cancel: Cancel | None = None) -> Iterator[Progress]:
        for done in range(self.pending + 1):
            yield Progress(done, self.pending, "vectors")
        self.pending, self.learnt = 0, True
        yield from self.models.switch(len(self._items), cancel)

    def setting(self, key: str, default: str = "") -> str:
        return self._settings.get(key, default)

    def set_setting(self, key: str, value: str) -> None:
        self._settings[key] = value

    def close(self) -> None:
        pass


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something holds; for threads only."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("did not happen in time")
        time.sleep(0.01)
