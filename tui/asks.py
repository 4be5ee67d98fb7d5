"""What the engine is asked. These functions run in threads: they call it, answer with messages, and know no widget."""

from collections.abc import Iterable
from itertools import chain, islice
from threading import Event as Cancel

from textual.message import Message

from llmrec.engine import Batch, Engine, Event, Item, ItemId, Kind, ModelRow, Status, View, Why
from llmrec.engine.wording import count
from llmrec.tui.messages import (
    Explained,
    Indexed,
    InterestsRead,
    LogRead,
    PastRead,
    PhraseCame,
    Ranked,
    RowsRead,
    ShelfChanged,
    ShelfRead,
    Started,
    StatusRead,
    Switched,
    Verified,
    WordsCame,
    WorkedAhead,
)
from llmrec.tui.phrases import changed

FIRST_ROWS = 60
"""Rows sent with a new order, so that no terminal has to wait for the first screen."""
FED_BY = 12
"""Items named for each interest."""
JUDGED_AT_ONCE = 50
"""Half-lives that one quiet moment asks for."""
DOMAIN = "tui.domain"
"""Setting: the part of the catalogue shown last."""


class Asks:
    """Questions and commands of one user."""

    def __init__(self, engine: Engine, user: str) -> None:
        self._engine = engine
        self._user = user

    # Questions: each looks at its `Cancel` where it can take long.

    def start(self, cancel: Cancel) -> Iterable[Message]:
        """Everything the first screen needs, what it needs first at first; a large catalogue is made ready before."""
        yield from map(Indexed, self._engine.prepare(cancel))
        if cancel.is_set():
            return
        domains = tuple(name for name in self._engine.domains() if name != "all")
        kept = self._engine.setting(DOMAIN, domains[0] if domains else "")
        domain = kept if kept in domains and len(domains) > 1 else None
        view = View(domain, varied=True)
        batch = self._engine.view(self._user, view)
        marks = self._engine.marks(self._user)
        yield Started(domains, domain, Ranked(batch, view, self._near(batch), marks, top=True))
        yield StatusRead(self._engine.status())
        yield from self.interests(cancel)
        self._engine.warm()

    def view(self, view: View, top: bool, marks: bool, near: ItemId | None, cancel: Cancel) -> Iterable[Message]:
        """The list as it stands, perhaps with all marks; `near` is the item that will be under the cursor."""
        batch = self._engine.view(self._user, view)
        items = self._near(batch, near)
        yield Ranked(batch, view, items, self._engine.marks(self._user) if marks else None, top=top)

    def rows(self, ids: list[ItemId], cancel: Cancel) -> Iterable[Message]:
        """Items of rows in sight."""
        yield RowsRead(self._engine.items(ids))

    def interests(self, cancel: Cancel) -> Iterable[Message]:
        """The interest model, and the titles it names."""
        interests = self._engine.interests(self._user)
        named = [id for i in interests for id in (*i.items[:FED_BY], *([i.medoid] if i.medoid else []))]
        yield InterestsRead(interests, titles_of(self._engine.items(named)))

    def why(self, id: ItemId, view: View, cancel: Cancel) -> Iterable[Message]:
        """Why an item stands where it stands."""
        why = self._engine.why(self._user, id, view=view)
        yield Explained(why, titles_of(self._engine.items(_named_in(why))), self._engine.half_life(id))

    def phrase(self, why: Why, cancel: Cancel) -> Iterable[Message]:
        """The evidence in the writer's words, as they come."""
        return map(PhraseCame, self._engine.why_in_words(self._user, why, cancel))

    def words(self, id: ItemId, cancel: Cancel) -> Iterable[Message]:
        """Texts for an item, as they come."""
        return map(WordsCame, self._engine.write(self._user, id, cancel))

    def ahead(self, ids: list[ItemId], cancel: Cancel) -> Iterable[Message]:
        """Let the writer name interests, write texts of items that will be looked at, and judge some half-lives."""
        named = False
        for progress in self._engine.name_interests(self._user, cancel):
            named = True
            yield WorkedAhead(progress)
        if named:
            yield from self.interests(cancel)
        unjudged = list(islice(self._engine.unjudged(ids), JUDGED_AT_ONCE))
        work = chain(self._engine.prewrite(self._user, ids, cancel), self._engine.judge(unjudged, cancel))
        yield from map(WorkedAhead, work)
        yield WorkedAhead(None)

    def index(self, cancel: Cancel) -> Iterable[Message]:
        """Make the missing vectors; another encoder may rank at the end."""
        ranked_by = self._engine.status().encoder
        yield from map(Indexed, self._engine.index(cancel))
        status = self._engine.status()
        if status.encoder != ranked_by:
            yield Switched(status.encoder)
        yield Indexed(None)
        yield StatusRead(status)

    def status(self, cancel: Cancel) -> Iterable[Message]:
        """What the engine runs on."""
        yield StatusRead(self._engine.status())

    # The shelf of models.

    def models(self, cancel: Cancel) -> Iterable[Message]:
        """The models that are here or can be had."""
        models = self._engine.models
        rows = models.rows()
        deletable = frozenset(str(row.path) for row in rows if models.deletes(row))
        yield ShelfRead(rows, self._engine.status(), models.hub, deletable)

    def use_model(self, key: str, cancel: Cancel) -> Iterable[Message]:
        """Put a model to use."""
        row = self._engine.models.use(key)
        status = self._engine.status()
        yield ShelfChanged(_used(row, status), row.name)
        yield StatusRead(status)

    def use_no_writer(self, name: str, cancel: Cancel) -> Iterable[Message]:
        """Put the writer of this name out of use."""
        self._engine.models.use_no_writer()
        yield ShelfChanged(f"no writer: texts are the items' own words; enter uses {name} again", name)
        yield StatusRead(self._engine.status())

    def add_model(self, path: str, cancel: Cancel) -> Iterable[Message]:
        """List a file of the user's."""
        row = self._engine.models.add(path)
        yield ShelfChanged(
            f"{row.name}, {'an' if row.kind == 'encoder' else 'a'} {row.kind}: enter puts it to use", row.name
        )

    def remove_model(self, key: str, cancel: Cancel) -> Iterable[Message]:
        """Delete a model, or take it off the list."""
        path = self._engine.models.remove(key)
        kept = path.exists()
        yield ShelfChanged(f"{path.name} is off the list, the file is left alone" if kept else f"deleted {path}", "")
        yield StatusRead(self._engine.status())

    def verify_models(self, cancel: Cancel) -> Iterable[Message]:
        """Check the files."""
        for row, fault in self._engine.models.verify(cancel):
            yield Verified(row, fault)

    def measure_model(self, key: str, cancel: Cancel) -> Iterable[Message]:
        """Measure how fast a model is here."""
        row = self._engine.models.measure(key, cancel)
        yield ShelfChanged(f"{row.name} does {row.speed or 0:,.0f} tokens a second here", row.name)

    def log(self, view: View, rows: int, cancel: Cancel) -> Iterable[Message]:
        """The log, oldest first, and today's list."""
        log = self._engine.history(self._user)[::-1]
        titles = titles_of(self._engine.items(list(dict.fromkeys(event.item for event in log))))
        yield LogRead(log, titles, self._engine.recommend(self._user, rows, view=view))

    def past(self, event: Event, view: View, rows: int, cancel: Cancel) -> Iterable[Message]:
        """The list as it was just after an event."""
        yield PastRead(event, self._engine.recommend(self._user, rows, event.at, view=view))

    # Commands: one after the other, in the order of the keys.

    def record(
        self, id: ItemId, kind: Kind, value: float | None, place: int | None, view: View, current: ItemId | None
    ) -> Iterable[Message]:
        """Keep one event; `current` is the item under the cursor."""
        batch = self._engine.record(self._user, id, kind, value=value, place=place, view=view)
        yield Ranked(batch, view, self._near(batch, current))

    def half_life(self, id: ItemId, seconds: float | None, view: View) -> Iterable[Message]:
        """Say how long an item stays worth reading."""
        batch = self._engine.set_half_life(self._user, id, seconds, view=view)
        yield Ranked(batch, view, self._near(batch))
        yield from self.why(id, view, Cancel())

    def undo(self, view: View) -> Iterable[Message]:
        """Take back the last thing done on purpose."""
        batch = self._engine.undo(self._user, view=view)
        # Reading time is not something a user did on purpose, so it goes with what was done before it.
        while batch.change is not None and batch.change.kind is Kind.DWELL:
            batch = self._engine.undo(self._user, view=view)
        yield self._back(batch, view, "" if batch.change else "nothing to undo")

    def redo(self, view: View) -> Iterable[Message]:
        """Do again what was taken back."""
        batch = self._engine.redo(self._user, view=view)
        yield self._back(batch, view, f"again: {changed(batch.change)}" if batch.change else "nothing to redo")

    def remove(self, event: int, view: View) -> Iterable[Message]:
        """Take one past event out of the log."""
        yield self._back(self._engine.undo_event(self._user, event, view=view), view, "")

    def steer(self, words: str, view: View) -> Iterable[Message]:
        """More or less of something, in words."""
        batch = self._engine.steer(self._user, words, view=view)
        yield Ranked(batch, view, self._near(batch))

    def control(self, interest: str, action: str, days: float | None, view: View) -> Iterable[Message]:
        """Correct one interest."""
        batch = self._engine.control(self._user, interest, action, days=days, view=view)
        yield Ranked(batch, view, self._near(batch))

    def remember(self, key: str, value: str) -> Iterable[Message]:
        """Keep a setting of the screen."""
        self._engine.set_setting(key, value)
        return ()

    def _back(self, batch: Batch, view: View, says: str) -> Ranked:
        near = self._near(batch, batch.change.item if batch.change else None)
        return Ranked(batch, view, near, self._engine.marks(self._user), says)

    def _near(self, batch: Batch, id: ItemId | None = None) -> list[Item]:
        """Items of the rows that will be in sight: the first ones, and those around an item."""
        wanted = list(batch.ids[:FIRST_ROWS])
        if id is not None and id in batch.ids:
            row = batch.ids.index(id)
            wanted += batch.ids[max(0, row - FIRST_ROWS) : row + FIRST_ROWS]
        return self._engine.items(list(dict.fromkeys(wanted)))


def _used(row: ModelRow, status: Status) -> str:
    """What putting a model to use changes."""
    stem = row.path.stem if row.path is not None else ""
    own = " · not in the catalogue, so nobody vouches for it" if row.origin == "your own" else ""
    if row.kind == "writer":
        return f"{row.name} writes the texts from now on{own}"
    if status.next.partition("@")[0] != stem:
        return f"{row.name} ranks the list{own}"
    left = count(status.next_pending, "item")
    return f"{row.name} ranks once {left} more have its vector; the list stays till then{own}"


def titles_of(items: Iterable[Item]) -> dict[str, str]:
    """Titles by id."""
    return {item.id: item.title for item in items}


def _named_in(why: Why) -> list[ItemId]:
    """The past items that reasons name."""
    reasons = [*why.reasons, *([why.without] if why.without else [])]
    return list(dict.fromkeys(reason.item for reason in reasons if reason.item is not None))
