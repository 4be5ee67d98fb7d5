"""`Engine`: the one door to everything below the screen. It puts the parts together and computes nothing itself."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event as Cancel
from threading import RLock

import numpy as np

from llmrec.engine import importers, steering, texts
from llmrec.engine.errors import LlmrecError, ModelError, ModelNotFound, UnknownItem
from llmrec.engine.interests import ACTIONS, NOW_HALF_LIFE
from llmrec.engine.items import Items
from llmrec.engine.listing import Listing, moved, ordered, places, visible
from llmrec.engine.paths import find_paths
from llmrec.engine.person import LateEvent, Person
from llmrec.engine.records import (
    Batch,
    Change,
    Event,
    Hit,
    IntArray,
    Interest,
    Item,
    ItemId,
    Kind,
    Progress,
    Reason,
    Recommendation,
    Status,
    View,
    Why,
    Written,
)
from llmrec.engine.store import LogEntry, Store, active
from llmrec.models import Embedder, FloatArray, Writer

Clock = Callable[[], float]
_EMBED_BATCH = 64
EMBED_CHARS = 800
"""Characters of a text that are embedded with the title, about 150 to 200 tokens; the rest adds little."""
_FUSION = 60.0  # of reciprocal rank fusion (Cormack et al., SIGIR 2009)


class Engine:
    """A store, an encoder, perhaps a writer, and the live interest model of each user. Safe to call from threads."""

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        writer: Writer | None,
        *,
        clock: Clock = time.time,
        note: str = "",
        policy: str = "blend",
    ) -> None:
        """Prefer `Engine.open`."""
        self._store = store
        self._embedder = embedder
        self._writer = writer
        self._clock = clock
        self._note = note
        self._policy = policy
        self._lock = RLock()
        self._items: Items | None = None
        self._people: dict[str, Person] = {}
        self._lists: dict[tuple[str, str | None, str], IntArray] = {}
        self._revision = 0

    @classmethod
    def open(
        cls,
        path: Path | str | None = None,
        *,
        embedder: Embedder | None = None,
        writer: Writer | None = None,
        clock: Clock = time.time,
        policy: str = "blend",
    ) -> "Engine":
        """Open the store and name the models; no model is loaded before it is needed.

        Args:
            path: the database; None takes the usual place (see `llmrec paths`), ":memory:" keeps nothing.
            embedder: None takes the installed encoder, or, where there is none, a hashing of words (said in `status`).
            writer: None takes the installed writer, or the item's own words.
            clock: Unix seconds.
            policy: name of the ranking policy.

        Raises:
            StoreError: the database cannot be used.
        """
        paths = find_paths()
        place = None if str(path) == ":memory:" else Path(path) if path is not None else paths.db
        store = Store(place)
        note = ""
        if embedder is None:
            embedder, note = _installed_encoder()
        return cls(store, embedder, writer, clock=clock, note=note, policy=policy)

    def close(self) -> None:
        """End the model processes and close the store."""
        self._embedder.close()
        if self._writer is not None:
            self._writer.close()
        self._store.close()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- items ---------------------------------------------------------------------------------------------------

    @property
    def items_in_memory(self) -> Items:
        """The catalogue, read from the store at first use."""
        with self._lock:
            if self._items is None:
                self._items = Items(self._store, self._embedder.model_id, self._embedder.dim)
            return self._items

    def _forget_catalogue(self) -> None:
        """Read items and replay logs again at next use."""
        with self._lock:
            self._items = None
            self._people.clear()

    def item(self, item_id: ItemId) -> Item:
        """One item.

        Raises:
            UnknownItem: no item has this id.
        """
        found = self.items([item_id])
        return found[0] if found else self._store.item(item_id)

    def items(self, ids: Sequence[ItemId]) -> list[Item]:
        """Items of these ids, in their order; unknown ones are left out."""
        with self._lock:
            return self.items_in_memory.get(ids)

    def domains(self) -> tuple[str, ...]:
        """The domains that have items, most items first."""
        return self._store.domains()

    def import_items(
        self, files: Sequence[Path], *, domain: str | None = None, problems: importers.Problems | None = None
    ) -> tuple[int, int]:
        """Add or update the items of files, all or none; vectors are made by `index`.

        Returns:
            Numbers of (new, updated) items.

        Raises:
            ImportFailed: a file or a line cannot be used; nothing was changed.
        """
        problems = problems or importers.Problems()
        now = self._clock()
        read = (i for f in files for i in importers.read_items(f, now=now, domain=domain, problems=problems))
        return self.add_items(read)

    def add_items(self, items: Iterable[Item]) -> tuple[int, int]:
        """Add or update items, all or none; returns the numbers of (new, updated) ones."""
        counts = self._store.import_items((item, importers.content_hash(item)) for item in items)
        self._forget_catalogue()
        return counts

    def add_vectors(self, items: Sequence[Item], vectors: FloatArray) -> None:
        """Keep vectors (n, d) made elsewhere by the very encoder in use."""
        hashes = [importers.content_hash(item) for item in items]
        self._store.save_vectors(self._embedder.model_id, hashes, vectors)
        self._forget_catalogue()

    @property
    def encoder_id(self) -> str:
        """Name and hash of the encoder whose vectors rank."""
        return self._embedder.model_id

    def index(self, cancel: Cancel | None = None) -> Iterator[Progress]:
        """Make the missing vectors, newest items first; each batch is kept, so that a stop loses nothing.

        Raises:
            ModelError: the encoder failed.
        """
        items = self.items_in_memory
        rows = np.flatnonzero(~items.known)
        newest_first = rows[np.argsort(-np.nan_to_num(items.catalogue.published[rows]), kind="stable")]
        total, done = len(rows), 0
        if total == 0:
            return
        yield Progress(0, total, "vectors")
        for start in range(0, total, _EMBED_BATCH):
            if cancel is not None and cancel.is_set():
                break
            part = newest_first[start : start + _EMBED_BATCH]
            found = self._store.items(list(items.ids[part]))
            vectors = self._embedder.embed([embedded_text(i) for i in found], cancel=cancel)
            self._store.save_vectors(self._embedder.model_id, [items.hashes[r] for r in part], vectors)
            done += len(part)
            yield Progress(done, total, "vectors")
        self._forget_catalogue()

    # -- events --------------------------------------------------------------------------------------------------

    def import_events(self, file: Path, *, problems: importers.Problems | None = None) -> int:
        """Append an interaction log, all or nothing; returns the number of events.

        Raises:
            ImportFailed: the file or a line cannot be used; nothing was changed.
        """
        known = set(self._store.columns().ids)
        problems = problems or importers.Problems()
        read = importers.read_events(file, now=self._clock(), known=known.__contains__, problems=problems)
        return self.add_events(list(read))

    def add_events(self, events: Sequence[Event]) -> int:
        """Append events, all or none; returns their number."""
        count = self._store.append_many(events)
        with self._lock:
            self._people.clear()
        return count

    def record(
        self,
        user: str,
        item: ItemId,
        kind: Kind | str,
        at: float | None = None,
        *,
        value: float | None = None,
        view: View | None = None,
    ) -> Batch:
        """Keep one event durably and answer with the new order.

        Args:
            user: who.
            item: on what.
            kind: what was done.
            at: when, Unix seconds; now by default, and never later than now.
            value: seconds for `dwell`.
            view: the list to answer with.

        Raises:
            UnknownItem: no item has this id.
            StoreError: the event could not be saved; nothing has changed.
        """
        started = time.perf_counter()
        with self._lock:
            if item not in self.items_in_memory.rows:
                raise UnknownItem(f"no item has the id {item!r}. `llmrec search WORDS` finds items.")
            now = self._clock()
            person = self._person(user, now)
            event = Event(user, item, Kind(kind), min(at if at is not None else now, now), value)
            entry = LogEntry(self._store.append(event), event.kind, item, event.at, value, None, {})
            shares = person.interests.shares(now, NOW_HALF_LIFE)
            try:
                cluster = person.add(entry, now)
            except LateEvent:
                cluster = None
                self._people.pop(user)
                person = self._person(user, now)
            change = Change(event.kind, item, self.item(item).title)
            if cluster is not None:
                share = person.interests.shares(now, NOW_HALF_LIFE).get(cluster.leader, 0.0)
                words = ", ".join(self._words_of(person, cluster.leader)[:2])
                change = replace(change, interest=words, amount=share - shares.get(cluster.leader, 0.0))
            return self._answer(user, person, view or View(), now, change, started)

    def undo(self, user: str, *, view: View | None = None) -> Batch:
        """Take back the newest entry that counts; `change` of the answer is None where there is none."""
        entries = active(self._store.log(user))
        return self._compensate(user, entries[-1] if entries else None, view, undone=True)

    def undo_event(self, user: str, event_id: int, *, view: View | None = None) -> Batch:
        """Take back one past entry."""
        entry = next((e for e in active(self._store.log(user)) if e.id == event_id), None)
        return self._compensate(user, entry, view, undone=True)

    def redo(self, user: str, *, view: View | None = None) -> Batch:
        """Take back the newest undo, unless something was done since."""
        log = self._store.log(user)
        target = None
        cancelled: set[int] = set()
        for entry in reversed(log):
            if entry.id in cancelled:
                continue
            if entry.undoes is None:
                break
            undone = next(e for e in log if e.id == entry.undoes)
            if undone.undoes is None:
                target = entry
                break
            cancelled.update((entry.undoes, undone.undoes))
        return self._compensate(user, target, view, undone=False)

    def _compensate(self, user: str, entry: LogEntry | None, view: View | None, *, undone: bool) -> Batch:
        started = time.perf_counter()
        with self._lock:
            now = self._clock()
            change = None
            if entry is not None:
                self._store.append_undo(user, entry.id, now)
                self._people.pop(user, None)
                change = self._taken_back(user, entry, undone)
            return self._answer(user, self._person(user, now), view or View(), now, change, started)

    def _taken_back(self, user: str, entry: LogEntry, undone: bool) -> Change:
        if not undone:
            entry = next(e for e in self._store.log(user) if e.id == entry.undoes)
        if entry.item is None:
            said = str(entry.payload.get("phrase") or entry.payload.get("action") or "")
            return Change(Kind.LIKE, ItemId(""), said, undone=undone)
        known = self.items([entry.item])
        return Change(Kind(entry.kind), entry.item, known[0].title if known else entry.item, undone=undone)

    def history(self, user: str, n: int = 500) -> list[Event]:
        """The newest n events of a user that count, newest first."""
        newest = sorted(active(self._store.log(user)), key=lambda e: (e.at, e.id), reverse=True)
        events = [
            Event(user, e.item, kind, e.at, e.value, e.id)
            for e in newest
            if e.item is not None and (kind := e.event_kind) is not None
        ]
        return events[:n]

    def marks(self, user: str) -> dict[ItemId, Kind]:
        """The most telling thing done with each item a user touched."""
        with self._lock:
            return dict(self._person(user, self._clock()).marks)

    def users(self) -> list[str]:
        """Users that have a log."""
        return self._store.users()

    # -- ranking -------------------------------------------------------------------------------------------------

    def _person(self, user: str, now: float) -> Person:
        """The live state of a user, replayed where it is not at hand or a correction has run out."""
        person = self._people.get(user)
        if person is None or now >= person.stale_at:
            person = self._people[user] = self._replayed(user, now)
        return person

    def _replayed(self, user: str, now: float, policy: str | None = None, *, but: int | None = None) -> Person:
        """A user's state from the log alone, as of a moment, perhaps without one entry."""
        past = [e for e in active(self._store.log(user)) if e.at <= now and e.id != but]
        items = self.items_in_memory
        person = Person(items.catalogue, items.rows, self._embed_phrase, policy or self._policy)
        person.replay(past, now)
        return person

    def _listing(self, user: str, person: Person, view: View, now: float) -> Listing:
        matching = {i for i, _ in self._store.find_words(view.query, len(self.items_in_memory))} if view.query else None
        mask = visible(self.items_in_memory, person, view, now, matching)
        return ordered(person.policy.scores(now), mask)

    def _answer(
        self, user: str, person: Person, view: View, now: float, change: Change | None, started: float
    ) -> Batch:
        listing = self._listing(user, person, view, now)
        key = (user, view.domain, view.query)
        moves = moved(listing.rows, self._lists.get(key))
        self._lists[key] = places(listing.rows, len(self.items_in_memory))
        self._revision += 1
        if change is not None:
            change = replace(change, moved_up=int(np.count_nonzero((moves > 0) & (moves != np.iinfo(np.int32).max))))
        return Batch(
            revision=self._revision,
            user=user,
            ids=self.items_in_memory.ids[listing.rows].tolist(),
            scores=listing.scores,
            moves=moves,
            mood=person.policy.mood(now),
            change=change,
            seconds=time.perf_counter() - started,
        )

    def view(self, user: str, view: View | None = None) -> Batch:
        """The whole list as it stands now."""
        started = time.perf_counter()
        with self._lock:
            now = self._clock()
            return self._answer(user, self._person(user, now), view or View(), now, None, started)

    def recommend(
        self,
        user: str,
        n: int = 10,
        as_of: float | None = None,
        *,
        view: View | None = None,
        policy: str | None = None,
        why: bool = False,
    ) -> list[Recommendation]:
        """The best n items for a user, now or as it was at a past moment."""
        with self._lock:
            now = self._clock() if as_of is None else min(as_of, self._clock())
            live = as_of is None and policy in (None, self._policy)
            person = self._person(user, now) if live else self._replayed(user, now, policy)
            listing = self._listing(user, person, view or View(), now)
            rows = listing.rows[:n]
            found = {item.id: item for item in self.items(list(self.items_in_memory.ids[rows]))}
            return [
                Recommendation(
                    rank,
                    (item_id := self.items_in_memory.ids[row]),
                    found[item_id].title,
                    float(score),
                    self._reasons(person, int(row), now) if why else (),
                )
                for rank, (row, score) in enumerate(zip(rows, listing.scores, strict=False), start=1)
            ]

    def _reasons(self, person: Person, row: int, now: float) -> tuple[Reason, ...]:
        reasons = []
        for part in person.policy.explain(row, now):
            entry = person.entries[part.event] if part.event is not None else None
            if entry is None:
                reasons.append(Reason(part.part, part.amount))
            else:
                reasons.append(Reason(part.part, part.amount, entry.item, entry.at, entry.event_kind))
        return tuple(sorted(reasons, key=lambda r: -abs(r.amount)))

    def why(self, user: str, item: ItemId, as_of: float | None = None, *, view: View | None = None) -> Why:
        """The parts of an item's score, and its rank without the past event that matters most.

        Raises:
            UnknownItem: no item has this id.
        """
        with self._lock:
            row = self.items_in_memory.rows.get(item)
            if row is None:
                raise UnknownItem(f"no item has the id {item!r}. `llmrec search WORDS` finds items.")
            now = self._clock() if as_of is None else min(as_of, self._clock())
            person = self._person(user, now) if as_of is None else self._replayed(user, now)
            shown = replace(view or View(), keep=frozenset({item, *(view.keep if view else ())}))
            score = float(person.policy.scores(now)[row])
            reasons = self._reasons(person, row, now)
            why = Why(item, self._rank(user, person, shown, now, row), score, reasons)
            return self._counterfactual(user, why, person, shown, now, row)

    def _rank(self, user: str, person: Person, view: View, now: float, row: int) -> int:
        listing = self._listing(user, person, view, now)
        found = np.flatnonzero(listing.rows == row)
        return int(found[0]) + 1 if len(found) else 0

    def _counterfactual(self, user: str, why: Why, person: Person, view: View, now: float, row: int) -> Why:
        """The rank had the event with the largest share in the score not happened."""
        by_event: defaultdict[int, float] = defaultdict(float)
        for part in person.policy.explain(row, now):
            if part.event is not None:
                by_event[part.event] += part.amount
        if not by_event:
            return why
        index = max(by_event, key=lambda e: abs(by_event[e]))
        entry = person.entries[index]
        without = self._replayed(user, now, but=entry.id)
        named = "likes" if by_event[index] > 0 else "dislikes"
        reason = Reason(named, by_event[index], entry.item, entry.at, entry.event_kind)
        return replace(why, without=reason, rank_without=self._rank(user, without, view, now, row))

    # -- interests -----------------------------------------------------------------------------------------------

    def interests(self, user: str, as_of: float | None = None) -> list[Interest]:
        """What a user likes, in words, strongest first."""
        with self._lock:
            now = self._clock() if as_of is None else min(as_of, self._clock())
            person = self._person(user, now) if as_of is None else self._replayed(user, now)
            words = {c.leader: self._words_of(person, c.leader) for c in person.interests.clusters}
            return person.interests.describe(now, words)

    def _words_of(self, person: Person, leader: str) -> tuple[str, ...]:
        """Up to three words that name an interest; a typed one is named by its phrase."""
        cluster = next(c for c in person.interests.clusters if c.leader == leader)
        named = cluster.items()[-20:]
        if not named:
            return (leader,)
        return self.items_in_memory.name_of(named)

    def control(
        self, user: str, interest: str, action: str, *, days: float | None = None, view: View | None = None
    ) -> Batch:
        """Correct one interest; undone by `undo` like everything else.

        Args:
            user: whose.
            interest: `Interest.id`.
            action: boost, less, freeze, snooze, forget, split or reset.
            days: how long to snooze; 1 by default.
            view: the list to answer with.

        Raises:
            LlmrecError: there is no such interest or action, or it cannot be split.
        """
        if action not in ACTIONS:
            raise LlmrecError(f"{action!r} is not one of {', '.join(ACTIONS)}.")
        started = time.perf_counter()
        with self._lock:
            now = self._clock()
            person = self._replayed(user, now)
            words = dict.fromkeys([c.leader for c in person.interests.clusters])
            label = ", ".join(self._words_of(person, interest)[:2]) if interest in words else interest
            person.interests.correct(interest, action, at=now, days=days)  # refuses before anything is written
            payload = {"interest": interest, "action": action, "days": days, "words": label}
            self._store.append_correction(user, "control", payload, now)
            self._people.pop(user, None)
            change = Change(Kind.LIKE, ItemId(""), f"{action} {label}", interest=label)
            return self._answer(user, self._person(user, now), view or View(), now, change, started)

    def steer(self, user: str, command: str, *, view: View | None = None) -> Batch:
        """More or less of something in the user's words ("more sailing", "less politics this week").

        Raises:
            LlmrecError: the command has no phrase or no direction.
            ModelError: the encoder failed.
        """
        started = time.perf_counter()
        with self._lock:
            now = self._clock()
            parts = steering.parse(command, now)
            for part in parts:
                self._embed_phrase(part["phrase"])  # before the log is touched: a failing encoder changes nothing
            for part in parts:
                self._store.append_correction(user, "steer", part, now)
            self._people.pop(user, None)
            change = Change(Kind.LIKE, ItemId(""), command, interest=parts[0]["phrase"])
            return self._answer(user, self._person(user, now), view or View(), now, change, started)

    def _embed_phrase(self, phrase: str) -> FloatArray:
        """Unit vector (d,) of a phrase; kept, so that a replay needs no model."""
        return self._embed_kept([phrase])[0]

    def _embed_kept(self, wanted: Sequence[str], cancel: Cancel | None = None) -> FloatArray:
        """Vectors (n, d) of short texts, from the store where they are known."""
        hashes = [importers.content_hash(Item(ItemId(""), text)) for text in wanted]
        matrix, known = self._store.vectors(self._embedder.model_id, hashes, self._embedder.dim)
        missing = [int(i) for i in np.flatnonzero(~known)]
        if missing:
            matrix[missing] = self._embedder.embed([wanted[i] for i in missing], cancel=cancel)
            self._store.save_vectors(self._embedder.model_id, [hashes[i] for i in missing], matrix[missing])
        return matrix

    # -- texts ---------------------------------------------------------------------------------------------------

    def write(self, user: str, item: ItemId, cancel: Cancel | None = None, *, k: int = 4) -> Iterator[Written]:
        """Up to k candidate texts of an item for a user: at once with what is at hand, then with probabilities.

        Raises:
            UnknownItem: no item has this id.
        """
        found = self.item(item)
        pairs = texts.own_words(found)[:k]
        note = "no writer installed: these are the item's own words"
        even = np.full(len(pairs), 1 / len(pairs), np.float32)
        yield Written(item, "", 0, texts.candidates(pairs, even, "item"), note, done=False)
        try:
            vectors = self._embed_kept([text for text, _ in pairs], cancel)
        except ModelError as exc:
            if cancel is None or not cancel.is_set():
                note = f"{note}; all equally likely, because {exc}"
                yield Written(item, "", 0, texts.candidates(pairs, even, "item"), note)
            return
        p = texts.probabilities(vectors, self._vector_of(item), self.interest_vector(user))
        yield Written(item, "", int(np.argmax(p)), texts.candidates(pairs, p, "item"), note)

    def embed_texts(self, wanted: Sequence[str]) -> FloatArray:
        """Unit vectors (n, d) of texts, made now and not kept.

        Raises:
            ModelError: the encoder failed.
        """
        return self._embedder.embed(wanted)

    def embed_items(self, items: Sequence[Item]) -> FloatArray:
        """Unit vectors (n, d) of items, made now and not kept.

        Raises:
            ModelError: the encoder failed.
        """
        return self.embed_texts([embedded_text(item) for item in items])

    def _vector_of(self, item: ItemId) -> FloatArray:
        items = self.items_in_memory
        vector: FloatArray = items.catalogue.vectors[items.rows[item]]
        return vector

    def interest_vector(self, user: str) -> FloatArray:
        """The essay's U_i = sum_j w_ij C_j now, (d,), of any length."""
        with self._lock:
            now = self._clock()
            return np.asarray(self._person(user, now).essay.interest(now), np.float32)

    # -- search --------------------------------------------------------------------------------------------------

    def search(self, text: str, n: int = 20) -> list[Hit]:
        """Items by words and by meaning, joined by reciprocal rank fusion.

        Raises:
            ModelError: the encoder failed.
        """
        if not text.strip():
            return []
        items = self.items_in_memory
        by_words = [i for i, _ in self._store.find_words(text, 100)]
        scores = items.catalogue.similarity(self._embed_phrase(text))
        by_meaning = list(items.ids[np.argsort(-scores, kind="stable")[:100]][: int(np.count_nonzero(scores > 0))])
        fused: defaultdict[ItemId, float] = defaultdict(float)
        for ranking in (by_words, by_meaning):
            for rank, item_id in enumerate(ranking, start=1):
                fused[item_id] += 1 / (_FUSION + rank)
        best = sorted(fused.items(), key=lambda found: -found[1])[:n]
        titles = {i.id: i.title for i in self.items([i for i, _ in best])}
        words, meaning = set(by_words), set(by_meaning)
        return [
            Hit(rank, i, titles[i], score, "both" if i in words & meaning else "words" if i in words else "meaning")
            for rank, (i, score) in enumerate(best, start=1)
        ]

    # -- care ----------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """What the engine runs on; loads no model."""
        pending = int(np.count_nonzero(~self.items_in_memory.known))
        writer = self._writer.model_id if self._writer is not None else ""
        return Status(
            self._store.count_items(), self._store.count_events(), pending, self._embedder.model_id, writer, self._note
        )

    def setting(self, key: str, default: str = "") -> str:
        """A kept setting of the screen."""
        return self._store.setting(key, default)

    def set_setting(self, key: str, value: str) -> None:
        """Keep a setting of the screen."""
        self._store.set_setting(key, value)

    @property
    def store(self) -> Store:
        """The store, for the headless script's export and care."""
        return self._store


def embedded_text(item: Item) -> str:
    """What is embedded of an item: its title and the beginning of its text."""
    return f"{item.title}. {item.text[:EMBED_CHARS]}" if item.text else item.title


def _installed_encoder() -> tuple[Embedder, str]:
    """The installed encoder, or a hashing of words and a line that says so."""
    from llmrec.models.shelf import default_embedder

    try:
        return default_embedder(), ""
    except ModelNotFound as exc:
        from llmrec.models.hashing import HashingEmbedder

        return HashingEmbedder(), f"similarity by words only: {exc}"
