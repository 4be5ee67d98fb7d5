"""`Engine`: the one door to everything below the screen. It puts the parts together and computes nothing itself."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event as Cancel
from threading import RLock
from typing import Any

import numpy as np

from llmrec.engine import explain, importers, searching, steering
from llmrec.engine.embedding import Vectors
from llmrec.engine.errors import LlmrecError, ModelNotFound, UnknownItem
from llmrec.engine.evaluate import History, histories
from llmrec.engine.freshness import HalfLives
from llmrec.engine.half_life import HalfLife
from llmrec.engine.interests import ACTIONS
from llmrec.engine.items import Items
from llmrec.engine.lists import Lists
from llmrec.engine.live import Live
from llmrec.engine.log import HALF_LIFE, LogEntry, active, believed, named, redone_together, undone_together
from llmrec.engine.naming import Namer
from llmrec.engine.paths import Paths, find_paths
from llmrec.engine.phrasing import Phrased, Phraser, facts
from llmrec.engine.policies import DEFAULT_POLICY
from llmrec.engine.readers import Readers
from llmrec.engine.records import (
    Batch,
    Change,
    Event,
    Hit,
    Interest,
    Item,
    ItemId,
    Kind,
    Progress,
    Recommendation,
    Status,
    View,
    Why,
    Written,
)
from llmrec.engine.report import METHODS, Served, judged, report
from llmrec.engine.shelving import Models
from llmrec.engine.store import Store
from llmrec.engine.switching import Encoders, Successor, beside, on_shelf, serving
from llmrec.engine.writing import Desk
from llmrec.models import Embedder, FloatArray, Job, Writer, does
from llmrec.models.host import Host
from llmrec.models.shelf import Shelf

Clock = Callable[[], float]
_EVERYTHING = View()
_POLICY = "policy"
"""Setting that names the adopted policy."""
_CANDIDATES = 4
"""Candidate texts per item and author."""


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
        policy: str = DEFAULT_POLICY,
        host: Host | None = None,
        cache: Path | None = None,
    ) -> None:
        """Prefer `Engine.open`; `host` is the model process, ended with the engine, `cache` a folder."""
        self._store = store
        self._writer = writer
        self._host = host
        self._clock = clock
        self._note = note
        self._lock = RLock()
        self._live = Live(store, Vectors(store, embedder), policy, cache)
        self._encoders = Encoders(store, self._live, self._lock, self._take_writer, remembers=host is not None)
        self._policy = policy
        self._lists = Lists(store, self._live)
        self._take_writer()
        self._readers = Readers(store, self._live)
        paths = find_paths()
        self.models = Models(Shelf(paths.models, cache=paths.cache), paths.log, self._follow_shelf)
        """The models that are here or can be had."""

    @classmethod
    def open(
        cls,
        path: Path | str | None = None,
        *,
        embedder: Embedder | None = None,
        writer: Writer | None = None,
        clock: Clock = time.time,
        policy: str | None = None,
    ) -> "Engine":
        """Open the store and name the models; no model is loaded before it is needed.

        Args:
            path: the database; None takes the usual place (see `llmrec paths`), ":memory:" keeps nothing.
            embedder: None takes the installed encoder, or, where there is none, a hashing of words (said in `status`).
            writer: None takes the installed writer, or the item's own words.
            clock: Unix seconds.
            policy: name of the ranking policy; None takes the one adopted, or the default.

        Raises:
            StoreError: the database cannot be used.
        """
        paths = find_paths()
        place = None if str(path) == ":memory:" else Path(path) if path is not None else paths.db
        store = Store(place)
        note, host, wanted = "", None, None
        policy = policy or store.setting(_POLICY, DEFAULT_POLICY)
        if embedder is None:
            host = Host(log=paths.log)
            wanted, note = _installed_encoder(paths, host)
            writer = writer or _installed_writer(paths, host)
            embedder = serving(store, wanted, partial(on_shelf, Shelf(paths.models, cache=paths.cache), host))
            note = note if embedder is wanted else note.partition(": ")[2]  # it ranks by more than words
        engine = cls(store, embedder, writer, clock=clock, note=note, policy=policy, host=host, cache=paths.cache)
        if wanted is not None and wanted is not embedder and not note:  # words alone replace no encoder's vectors
            engine.change_encoder(beside(wanted, paths.log))
        return engine

    def close(self) -> None:
        """End the model processes and close the store."""
        with self._lock:
            self._live.keep()
        self._encoders.stay()
        self._live.vectors.embedder.close()
        if self._writer is not None:
            self._writer.close()
        if self._host is not None:
            self._host.close()
        self._store.close()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- items ---------------------------------------------------------------------------------------------------

    @property
    def items_in_memory(self) -> Items:
        """The catalogue as numbers, read from the store at first use."""
        with self._lock:
            return self._live.items

    def prepare(self, cancel: Cancel | None = None) -> Iterator[Progress]:
        """Read the catalogue. One too large for memory is first made ready in the cache, which may take minutes.

        Args:
            cancel: looked at on the way; what was half made is thrown away.
        """
        with self._lock:
            for progress in self._live.prepare():
                if cancel is not None and cancel.is_set():
                    return
                yield progress

    def warm(self) -> None:
        """Fit what ranking needs from the first event on, so that the first key press need not wait for it."""
        self.items_in_memory.fit()

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
            return self._live.items.get(ids)

    def domains(self) -> tuple[str, ...]:
        """The domains that have items, in the order in which they came."""
        return self._store.domains()

    def import_items(
        self,
        files: Sequence[Path],
        *,
        domain: str | None = None,
        problems: importers.Problems | None = None,
        told: Callable[[int], object] | None = None,
    ) -> tuple[int, int]:
        """Add or update the items of files, all or none; vectors are made by `index`.

        Args:
            files: in any format that `importers` knows.
            domain: for items that name none.
            problems: what to do with bad lines.
            told: called now and then with how many items have been read.

        Returns:
            Numbers of (new, updated) items.

        Raises:
            ImportFailed: a file or a line cannot be used; nothing was changed.
        """
        problems = problems or importers.Problems()
        now = self._clock()
        read = (i for f in files for i in importers.read_items(f, now=now, domain=domain, problems=problems))
        return self.add_items(importers.counted(read, told) if told is not None else read)

    def add_items(self, items: Iterable[Item]) -> tuple[int, int]:
        """Add or update items, all or none; returns the numbers of (new, updated) ones."""
        counts = self._store.import_items((item, importers.content_hash(item)) for item in items)
        self._forget()
        return counts

    def add_vectors(self, hashes: Sequence[bytes], vectors: FloatArray) -> None:
        """Keep vectors (n, d) of contents, made elsewhere by the very encoder in use."""
        self._store.save_vectors(self.encoder_id, hashes, vectors)
        self._encoders.remember()
        self._forget()

    def _forget(self) -> None:
        with self._lock:
            self._live.forget()

    @property
    def encoder_id(self) -> str:
        """Name and hash of the encoder whose vectors rank."""
        return self._live.vectors.embedder.model_id

    def change_encoder(self, successor: Successor) -> None:
        """Rank by another encoder once `index` has made its vectors of all items; until then nothing changes."""
        self._encoders.change(successor)

    def index(self, cancel: Cancel | None = None) -> Iterator[Progress]:
        """Make the missing vectors, newest items first; each batch is kept, so that a stop loses nothing.

        Where another encoder is to follow, its vectors are made next, and the lists are then ranked by it.

        Raises:
            ModelError: an encoder failed.
        """
        return self._encoders.index(cancel)

    def build_graph(self) -> Path:
        """Build a graph over the vectors, for searches among millions of items, and keep it; returns its file.

        Raises:
            LlmrecError: the extra `usearch` is not installed, or the file cannot be written.
        """
        with self._lock:
            return self._live.build_graph()

    def embed_texts(self, wanted: Sequence[str]) -> FloatArray:
        """Unit vectors (n, d) of texts, made now and not kept.

        Raises:
            ModelError: the encoder failed.
        """
        return self._live.vectors.embedder.embed(wanted)

    def embed_items(self, items: Sequence[Item]) -> FloatArray:
        """Unit vectors (n, d) of items, made now and not kept.

        Raises:
            ModelError: the encoder failed.
        """
        return self._live.vectors.items(items)

    def search(self, text: str, n: int = 20) -> list[Hit]:
        """Items by words and by meaning, joined by rank.

        Raises:
            ModelError: the encoder failed.
        """
        if not text.strip():
            return []
        vectors = self._live.vectors
        vector = vectors.phrase(text)
        with self._lock:
            if vectors is not self._live.vectors:  # another encoder ranks since
                vector = self._live.vectors.phrase(text)
            return searching.search(self._store, self._live.items, text, vector, n)

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
        """Append events, all or none; returns their number. Times that cannot be count as now."""
        now = self._clock()
        count = self._store.append_many([replace(event, at=believed(event.at, now)) for event in events])
        with self._lock:
            for user in {event.user for event in events}:
                self._live.forget_person(user)
        return count

    def record(
        self,
        user: str,
        item: ItemId,
        kind: Kind | str,
        at: float | None = None,
        *,
        value: float | None = None,
        place: int | None = None,
        view: View = _EVERYTHING,
    ) -> Batch:
        """Keep one event durably and answer with the new order.

        Args:
            user: who.
            item: on what.
            kind: what was done.
            at: when, Unix seconds; now by default, and never later than now.
            value: seconds for `dwell`.
            place: where in the list on screen the item stood, 1 is the top.
            view: the list to answer with.

        Raises:
            UnknownItem: no item has this id.
            StoreError: the event could not be saved; nothing has changed.
        """
        started = time.perf_counter()
        with self._lock:
            self._known(item)
            now = self._clock()
            interests = self._live.person(user, now).interests
            before = interests.shares(now)
            event = Event(user, item, Kind(kind), believed(now if at is None else at, now), value, place=place)
            entry = LogEntry(self._store.append(event), event.kind, item, event.at, value)
            cluster = self._live.learn(user, entry, now)
            self._readers.acted(user, item, event.kind)
            change = Change(event.kind, item, self.item(item).title)
            if cluster is not None:
                gained = interests.shares(now)[cluster.leader] - before.get(cluster.leader, 0.0)
                words = self._namer.words_of(self._live.person(user, now), cluster)
                change = replace(change, interest=", ".join(words[:2]), amount=gained)
            return self._lists.answer(user, view, now, change, started)

    def _known(self, item: ItemId) -> None:
        if item not in self._live.items.rows:
            raise UnknownItem(f"no item has the id {item!r}. `llmrec search WORDS` finds items.")

    def undo(self, user: str, *, view: View = _EVERYTHING) -> Batch:
        """Take back the newest entry that counts; `change` of the answer is None where there is none.

        A steering command goes with all its phrases.
        """
        return self._take_back(user, undone_together(self._store.log(user)), view)

    def undo_event(self, user: str, event_id: int, *, view: View = _EVERYTHING) -> Batch:
        """Take back one past entry."""
        return self._take_back(user, [e for e in active(self._store.log(user)) if e.id == event_id], view)

    def redo(self, user: str, *, view: View = _EVERYTHING) -> Batch:
        """Take back the newest undo, unless something was done since."""
        return self._take_back(user, redone_together(self._store.log(user)), view)

    def _take_back(self, user: str, entries: Sequence[LogEntry], view: View) -> Batch:
        started = time.perf_counter()
        with self._lock:
            now = self._clock()
            changes = [self._take_back_one(user, entry, now) for entry in entries]
            change = None
            if changes:
                titles = [change.title for change in changes]
                said = titles[::-1] if changes[0].undone else titles  # in the order in which they were typed
                change = replace(changes[0], title=", ".join(said))
            return self._lists.answer(user, view, now, change, started)

    def _take_back_one(self, user: str, entry: LogEntry, now: float) -> Change:
        """Take back an entry, or an undo; returns what that changes."""
        self._store.append_undo(user, entry.id, now)
        self._live.take_back(user, entry, now)
        target = entry
        if entry.undoes is not None:
            target = next(e for e in self._store.log(user) if e.id == entry.undoes)
        if target.kind == HALF_LIFE:
            self._half_lives.apply(self.item(target.payload["item"]))
        return replace(self._described(target), undone=target is entry)

    def _described(self, entry: LogEntry) -> Change:
        """An entry as a change, without what it moved."""
        if entry.item is None or entry.event_kind is None:
            return Change(Kind.LIKE, ItemId(""), named(entry))
        known = self.items([entry.item])
        return Change(entry.event_kind, entry.item, known[0].title if known else entry.item)

    def history(self, user: str, n: int = 500) -> list[Event]:
        """The newest n events of a user that count, newest first."""
        newest = sorted(active(self._store.log(user)), key=lambda e: (e.at, e.id), reverse=True)
        events = (entry.event(user) for entry in newest)
        return [event for event in events if event is not None][:n]

    def marks(self, user: str) -> dict[ItemId, Kind]:
        """The most telling thing done with each item a user touched."""
        with self._lock:
            return dict(self._live.person(user, self._clock()).marks)

    def users(self) -> list[str]:
        """Users that have a log."""
        return self._store.users()

    # -- ranking -------------------------------------------------------------------------------------------------

    def view(self, user: str, view: View = _EVERYTHING) -> Batch:
        """The whole list as it stands now."""
        started = time.perf_counter()
        with self._lock:
            return self._lists.answer(user, view, self._clock(), None, started)

    def recommend(
        self,
        user: str,
        n: int = 10,
        as_of: float | None = None,
        *,
        view: View = _EVERYTHING,
        policy: str | None = None,
        why: bool = False,
    ) -> list[Recommendation]:
        """The best n items for a user, now or as it was at a past moment.

        Args:
            user: for whom.
            n: how many.
            as_of: Unix seconds; None is now.
            view: which part of the catalogue.
            policy: name of a ranking policy other than the engine's.
            why: also give the parts of each score.
        """
        with self._lock:
            person, now = self._live.past(user, self._clock(), as_of)
            if policy not in (None, self._policy):
                person = self._live.replayed(user, now, policy)
            listing, folded, explored = self._lists.arranged(user, self._lists.listing(person, view, now), view, now)
            ids = self._live.items.ids
            found = zip(listing.rows[:n].tolist(), listing.scores[:n].tolist(), strict=True)
            titles = {item.id: item.title for item in self.items(list(ids[listing.rows[:n]]))}
            return [
                Recommendation(
                    rank,
                    ids[row],
                    titles[ids[row]],
                    score,
                    reasons=explain.reasons(person, row, now) if why else (),
                    explore=row in explored,
                    folded=tuple(ids[list(folded.get(row, ()))]),
                )
                for rank, (row, score) in enumerate(found, start=1)
            ]

    def why(self, user: str, item: ItemId, as_of: float | None = None, *, view: View = _EVERYTHING) -> Why:
        """The parts of an item's score, and its rank without the past event that matters most.

        Raises:
            UnknownItem: no item has this id.
        """
        with self._lock:
            self._known(item)
            person, now = self._live.past(user, self._clock(), as_of)
            return explain.why(self._live, self._lists, user, person, item, view, now)

    def why_in_words(self, user: str, why: Why, cancel: Cancel | None = None) -> Iterator[Phrased]:
        """A writer's sentence on the evidence that `why` has computed; nothing without a writer or without evidence.

        Args:
            user: whose interests the evidence is put together by.
            why: the evidence.
            cancel: looked at between words; the iterator then ends without an error.

        Raises:
            UnknownItem: the item is gone.
        """
        if self._composer is None:
            return iter(())
        past = [reason.item for reason in why.reasons if reason.item is not None]
        titles = {item.id: item.title for item in self.items(list(dict.fromkeys(past)))}
        found = facts(why, titles, self.interests(user))
        return Phraser(self._store, self._composer).phrase(self.item(why.item), found, cancel)

    # -- interests -----------------------------------------------------------------------------------------------

    def interests(self, user: str, as_of: float | None = None) -> list[Interest]:
        """What a user likes, in words, strongest first; then what they typed to see less of."""
        with self._lock:
            person, now = self._live.past(user, self._clock(), as_of)
            words = {c.leader: self._live.words_of(person, c.leader) for c in person.interests.clusters}
            by_writer = self._namer.names(person)
            found = person.interests.describe(now, words | by_writer)
            named = [replace(i, named_by=self._namer.by) if i.id in by_writer else i for i in found]
            return [*named, *steering.lessened(person.entries, now)]

    def name_interests(self, user: str, cancel: Cancel | None = None) -> Iterator[Progress]:
        """Let the writer name the interests that no tag names; nothing without a writer.

        Raises:
            ModelError: the writer failed.
        """
        with self._lock:
            unnamed = self._namer.unnamed(self._live.person(user, self._clock()))
        return self._namer.ask(unnamed, cancel)

    @property
    def policy(self) -> str:
        """Name of the ranking policy in use."""
        return self._policy

    def report(self, user: str, cancel: Cancel | None = None) -> list[Served]:
        """How well each method would have served a user's own log, best first.

        Raises:
            LlmrecError: the log is too short.
        """
        events = [event for event in self._store.all_events() if event.user == user]
        with self._lock:
            items = self._live.items
        found = histories(judged(events), items.rows)
        return report(items.catalogue, found[0] if found else History(user, ()), self._policy, cancel=cancel)

    def adopt(self, policy: str) -> None:
        """Rank with another method from now on.

        Raises:
            LlmrecError: there is no such method.
        """
        if policy not in METHODS:
            raise LlmrecError(f"{policy!r} is not one of {', '.join(METHODS)}.")
        self._store.set_setting(_POLICY, policy)

    def interest_vector(self, user: str) -> FloatArray:
        """The essay's U_i = sum_j w_ij C_j now, (d,), of any length."""
        with self._lock:
            now = self._clock()
            return np.asarray(self._live.person(user, now).essay.interest(now), np.float32)

    def control(
        self, user: str, interest: str, action: str, *, days: float | None = None, view: View = _EVERYTHING
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
        typed = steering.entry_of(interest)
        if typed is not None:
            return self._end_steering(user, typed, action, view)
        started = time.perf_counter()
        with self._lock:
            now = self._clock()
            trial = self._live.replayed(user, now)
            known = next((c for c in trial.interests.clusters if c.leader == interest), None)
            words = ", ".join(self._namer.words_of(trial, known)[:2]) if known else interest
            trial.interests.correct(interest, action, at=now, days=days)  # refuses before anything is written
            payload = {"interest": interest, "action": action, "days": days, "words": words}
            self._store.append_correction(user, "control", payload, now)
            self._live.forget_person(user)
            change = Change(Kind.LIKE, ItemId(""), f"{action} {words}", interest=words)
            return self._lists.answer(user, view, now, change, started)

    def _end_steering(self, user: str, entry: int, action: str, view: View) -> Batch:
        """Forget what was typed to see less of."""
        if action not in ("forget", "reset"):
            raise LlmrecError("that is what you typed to see less of: forget takes it back.")
        return self.undo_event(user, entry, view=view)

    def steer(self, user: str, command: str, *, view: View = _EVERYTHING) -> Batch:
        """More or less of something in the user's words ("more sailing", "less politics this week").

        Raises:
            LlmrecError: the command has no phrase or no direction.
            ModelError: the encoder failed.
        """
        started = time.perf_counter()
        parts = steering.parse(command, self._clock())
        for part in parts:
            self._live.vectors.phrase(part["phrase"])  # before the log is touched: a failing encoder changes nothing
        with self._lock:
            now = self._clock()
            for part in parts:
                self._store.append_correction(user, "steer", part, now)
            self._live.forget_person(user)
            change = Change(Kind.LIKE, ItemId(""), command, interest=parts[0]["phrase"])
            return self._lists.answer(user, view, now, change, started)

    def half_life(self, item: ItemId) -> HalfLife:
        """How long an item stays worth reading, and who said so.

        Raises:
            UnknownItem: no item has this id.
        """
        return self._half_lives.of(self.item(item))

    def set_half_life(self, user: str, item: ItemId, seconds: float | None, *, view: View = _EVERYTHING) -> Batch:
        """The user's own word on how long an item stays worth reading; no model overwrites it, `undo` takes it back.

        Args:
            user: who says so.
            item: of what.
            seconds: until it is worth half; None takes the user's word away.
            view: the list to answer with.

        Raises:
            UnknownItem: no item has this id.
        """
        started = time.perf_counter()
        with self._lock:
            self._known(item)
            now = self._clock()
            said = self._half_lives.correct(user, self.item(item), seconds, now)
            return self._lists.answer(user, view, now, Change(Kind.LIKE, ItemId(""), said), started)

    def unjudged(self, first: Sequence[ItemId] = (), *, unknown: bool = False) -> Iterator[ItemId]:
        """Items whose half-life the writer in use has still to judge: `first` of all, then the newest.

        With `unknown`, only those that the encoder tells nothing of.
        """
        return self._half_lives.unjudged(first, unknown=unknown)

    def judge(self, ids: Sequence[ItemId], cancel: Cancel | None = None) -> Iterator[Progress]:
        """Let the writer say of items whether they will still be useful in a year; nothing without a writer.

        Raises:
            ModelError: the writer failed.
        """
        return self._half_lives.judge(ids, cancel)

    # -- texts ---------------------------------------------------------------------------------------------------

    def write(
        self, user: str, item: ItemId, cancel: Cancel | None = None, *, k: int = _CANDIDATES
    ) -> Iterator[Written]:
        """The candidate texts of an item for a user: at once with what is at hand, then with probabilities.

        Args:
            user: for whom the text is chosen.
            item: about what.
            cancel: looked at between words; the iterator then ends without an error.
            k: candidates taken from the item's own sentences, and at most as many angles of the writer beside them.

        Raises:
            UnknownItem: no item has this id.
        """
        written = None
        for written in self._written(user, item, cancel, k):
            yield written
        if written is not None and written.done:
            with self._lock:
                self._readers.showed(user, written)

    def prewrite(self, user: str, ids: Sequence[ItemId], cancel: Cancel | None = None) -> Iterator[Progress]:
        """Make the texts of some items ahead of time, in their order, so that they are there when looked at.

        What is written already costs nothing, and without a writer nothing happens.

        Raises:
            ModelError: the writer or the encoder failed.
        """
        with self._lock:
            reader = self._readers.reader(user, self._clock())
        waiting = [item for item in self.items(ids) if not self._desk.ready(item, reader)]
        for done, item in enumerate(waiting):
            yield Progress(done, len(waiting), "texts")
            if cancel is not None and cancel.is_set():
                return
            self._desk.ahead(item, reader, cancel)

    def _written(self, user: str, item: ItemId, cancel: Cancel | None, k: int) -> Iterator[Written]:
        found = self.item(item)
        with self._lock:  # all of one encoder
            vector, desk = self._vector_of(item), self._desk
            reader = self._readers.reader(user, self._clock())
        return desk.write(found, vector, reader, cancel, k)

    def _follow_shelf(self) -> None:
        """Take up what the shelf says is in use, unless this engine was given its models."""
        if self._host is None:
            return
        paths = find_paths()
        writer = _installed_writer(paths, self._host)
        encoder, self._note = _installed_encoder(paths, self._host)
        with self._lock:
            self._writer = writer
            self._take_writer()
        if self._note:
            self._encoders.stay()
        elif encoder.model_id != self._encoders.next:
            self._encoders.change(beside(encoder, paths.log))

    def _take_writer(self) -> None:
        """Give the writer and the vectors in use to those who write."""
        self._desk = Desk(self._store, self._writer, self._live.vectors.texts)
        self._composer, self._judge = self._able("reasons"), self._able("half-lives")
        self._half_lives = HalfLives(self._store, self._live, self._judge, self._lock)
        self._namer = Namer(self._store, self._live, self._able("topics"))

    def _able(self, job: Job) -> Writer | None:
        """The writer in use, if it may be asked for a job."""
        return self._writer if does(self._writer, job) else None

    def _vector_of(self, item: ItemId) -> FloatArray:
        """Unit vector (d,) of an item; zeros where it has none yet."""
        with self._lock:
            items = self._live.items
            vector: FloatArray = items.catalogue.vectors[items.rows[item]]
            return vector

    # -- care ----------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """What the engine runs on; loads no model."""
        pending = int(np.count_nonzero(~self.items_in_memory.known))
        writer = self._writer.model_id if self._writer is not None else ""
        items, following = self._store.count_items(), self._encoders.next
        left = items - self._store.covered(following)[0] if following else 0
        events = self._store.count_events()
        composer, judge = (w.model_id if w is not None else "" for w in (self._composer, self._judge))
        with self._lock:
            learnt = not pending and self._live.learnt
        models = (writer, self._note, following, left, composer, judge)
        return Status(items, events, pending, self.encoder_id, *models, learnt)

    def model_process(self) -> dict[str, Any]:
        """What the model process says of itself: sandbox, threads, processor features; empty where there is none.

        Raises:
            ModelError: it cannot be started.
        """
        return self._host.health() if self._host is not None else {}

    def encoder_speed(self) -> float | None:
        """Tokens a second of the encoder here, measured now; None where it is not llama.cpp that runs it.

        Raises:
            ModelError: it failed.
        """
        from llmrec.models import llamacpp, speed

        encoder = self._live.vectors.embedder
        return speed.encoder_speed(encoder) if isinstance(encoder, llamacpp.LlamaEmbedder) else None

    def writer_speed(self) -> float | None:
        """The same of the writer; None also where there is none.

        Raises:
            ModelError: it failed.
        """
        from llmrec.models import llamacpp, speed

        return speed.writer_speed(self._writer) if isinstance(self._writer, llamacpp.LlamaWriter) else None

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


def _installed_encoder(paths: Paths, host: Host) -> tuple[Embedder, str]:
    """The installed encoder, or a hashing of words and a line that says so."""
    from llmrec.models.shelf import default_embedder

    try:
        return default_embedder(models_folder=paths.models, cache_folder=paths.cache, host=host), ""
    except ModelNotFound as exc:
        from llmrec.models.hashing import HashingEmbedder

        return HashingEmbedder(), f"similarity by words only: {exc}"


def _installed_writer(paths: Paths, host: Host) -> Writer | None:
    """The installed writer; without one the texts are the items' own words, which the screen says."""
    from llmrec.models.shelf import default_writer

    try:
        return default_writer(models_folder=paths.models, cache_folder=paths.cache, host=host)
    except ModelNotFound:
        return None
