"""The main screen: the ranked list, the item under its cursor, and what the last key changed."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from threading import Event as Cancel

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from llmrec.engine import Batch, Change, Interest, Item, ItemId, Kind, View
from llmrec.engine.wording import count
from llmrec.tui import actions
from llmrec.tui.asks import DOMAIN
from llmrec.tui.messages import (
    Explained,
    Failed,
    Indexed,
    InterestsRead,
    Ranked,
    RowsRead,
    Started,
    StatusRead,
    WorkedAhead,
)
from llmrec.tui.phrases import DONE, LIKES, changed, quoted, steering, stronger
from llmrec.tui.quiet import GROUP, Quiet
from llmrec.tui.screens.base import EngineScreen, ItemScreen
from llmrec.tui.text import fit
from llmrec.tui.widgets.blurb import Blurb
from llmrec.tui.widgets.detail import Detail
from llmrec.tui.widgets.footer import KeyLine
from llmrec.tui.widgets.header import Header, batch_bits, domain_bits, title_bits
from llmrec.tui.widgets.item_list import ItemList
from llmrec.tui.widgets.note_line import NoteLine
from llmrec.tui.widgets.one_line import Bit, OneLine
from llmrec.tui.widgets.prompt import Prompt

TOAST = 2.5
"""Seconds that a toast stays."""
_FRAME, _TEXT = 5, 5
"""Lines of header, rules, note and keys; and at least of the text under the list."""
_AROUND = 2
"""Lines of the pane under the list that are not text: its border, and whose words they are."""
_KEY_CELLS = 13
"""Of the note: blanks around it, and the key that takes it back."""
_LEAVES = (Kind.DISLIKE, Kind.SKIP)
_QUIET = (Kind.OPEN, Kind.DWELL)
_WELCOME = "press a and type what you like (sailing, jazz), or just press l on a row"
_STEER_HINT = "more sailing, less politics this week"


class ForYou(ItemScreen, inherit_bindings=False):
    """The list is the app: every key that means something re-orders it."""

    BINDINGS = actions.bindings(actions.LIST_ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self.view = View(varied=True)
        self.ranking: Batch | None = None
        self.interests: tuple[Interest, ...] = ()
        self.has_writer = False
        self.quiet = Quiet(self)
        self._domains: tuple[str, ...] = ()
        self._found_at: dict[ItemId, int] = {}
        self._before_filter: ItemId | None = None
        self._go_to: ItemId | None = None

    def compose(self) -> ComposeResult:
        """Header, list and detail, input line, note, keys."""
        yield Header(id="header")
        with Container(id="body"):
            yield ItemList(self.desk.clock, id="list")
            yield Detail(self.desk.clock, id="detail")
        yield Prompt(id="prompt")
        yield NoteLine(id="note")
        yield KeyLine(actions.LIST_ACTIONS, id="keys")

    def on_mount(self) -> None:
        """Draw an empty list at once, then ask the engine."""
        self._list = self.query_one(ItemList)
        self._detail = self.query_one(Detail)
        self._note = self.query_one(NoteLine)
        self._prompt = self.query_one(Prompt)
        self._list.say_nothing("reading the catalogue")
        self._list.at_once = {"/": self.action_filter, ":": self.action_steer, "a": self.action_add}
        self._list.focus()
        self._draw_header()
        self.ask(self._start, group="start")
        self.quiet.start()

    def on_resize(self, event: events.Resize) -> None:
        """Two lines per row where there is room for them, and no half row above the text under the list."""
        width, height = event.size
        self._list.row_height = 2 if width >= 50 and height >= 18 else 1
        room = height - _FRAME
        under = width < 100 and height >= 18
        low = room - (room - _TEXT) // 2 * 2 if under else None
        self._detail.styles.height = low
        self._detail.blurb.limit(low - _AROUND if low else None)

    def _start(self, cancel: Cancel) -> Iterable[Message]:
        self.desk.prepare(self.desk.engine, self.desk.clock())
        return self.desk.asks.start(cancel)

    # What other screens ask of this one.

    def record(self, item: Item, kind: Kind, value: float | None = None) -> None:
        """Keep one event; the row answers before the engine does."""
        mark = self._list.marks.get(item.id)
        if mark is kind and kind not in _QUIET:
            self.say(f"already {DONE[kind]} · u takes back the last key")
            return
        if mark is None and self._list.current == item.id and not self.view.query:
            self._found_at[item.id] = self._list.cursor + 1  # a row that was acted on stays, but moves
        leaves = kind in _LEAVES
        if leaves:
            self.view = replace(self.view, keep=self.view.keep - {item.id})
        elif kind not in (Kind.DWELL, Kind.IMPRESSION):
            self.view = replace(self.view, keep=self.view.keep | {item.id})
        self._list.expect(item.id, kind if leaves or kind is Kind.LIKE else stronger(mark, kind), leaves=leaves)
        place = self._found_at.get(item.id)
        call = partial(self.desk.asks.record, item.id, kind, value, place, self.view, self._list.current)
        self.desk.command(call, self)

    def correct(self, interest: str, action: str, days: float | None = None) -> None:
        """Change one interest."""
        self.desk.command(partial(self.desk.asks.control, interest, action, days, self.view), self)

    def steer(self, words: str) -> None:
        """More or less of something, in words; the first time, the encoder has to be loaded."""
        self.say(f"{words}: one moment")
        self.desk.command(partial(self.desk.asks.steer, words, self.view), self)

    def remove_event(self, event: int) -> None:
        """Take one past event out of the log."""
        self.desk.command(partial(self.desk.asks.remove, event, self.view), self)

    def undo(self) -> None:
        """Take back the last thing done."""
        self.desk.command(partial(self.desk.asks.undo, self.view), self)

    def redo(self) -> None:
        """Do again what was taken back."""
        self.desk.command(partial(self.desk.asks.redo, self.view), self)

    def say(self, text: str, *, bad: bool = False, key: actions.Action | None = None) -> None:
        """A line above the keys, with the key that takes it back."""
        self._note.note(text, bad=bad, key=key)

    def refresh_view(self, *, top: bool = False, marks: bool = False) -> None:
        """Ask for the order again, and for the marks of the rows where they may be wrong."""
        self.ask(partial(self.desk.asks.view, self.view, top, marks, self._go_to), group="view")

    # What comes back.

    def on_started(self, message: Started) -> None:
        """The first answer."""
        self._note.progress(None)
        self._domains = message.domains
        self.view = View(message.domain, varied=True)
        self.on_ranked(message.ranked)
        if not message.ranked.marks:
            self.say(_WELCOME)

    def on_ranked(self, message: Ranked) -> None:
        """A new order, unless a newer one is on screen or another view is wanted."""
        self.call_after_refresh(self._announce, message)
        if message.marks is not None:
            self._list.marks = message.marks
        if self.ranking is not None and message.batch.revision < self.ranking.revision:
            return
        if (message.view.domain, message.view.query) != (self.view.domain, self.view.query):
            if message.change is not None:
                self.refresh_view()
            return
        self.ranking = message.batch
        self._list.say_nothing(self._why_empty())
        self._list.take_items(message.items)
        steered = message.change is not None and not message.change.item  # the whole list, so its top is shown
        follow, self._go_to = self._go_to or self._followed(message.change), None
        self._list.show(message.batch, follow=follow, top=message.top or steered)
        self._draw_header()
        if message.change is not None:
            self.ask(self.desk.asks.interests, group="interests")
        front = self.app.screen
        if front is not self and isinstance(front, EngineScreen):
            front.ranked(message)

    def _followed(self, change: Change | None) -> ItemId | None:
        """The item that keeps the cursor: what came back, else the current one; none where a row has just left."""
        if change is not None and change.undone and change.item:
            return change.item
        return None if change is not None and change.kind in _LEAVES else self._list.current

    def _announce(self, message: Ranked) -> None:
        """Say what a key changed: a line above the keys, and a toast for what was done on purpose."""
        change = message.change
        if change is None:
            if message.says:
                self.say(message.says)
            return
        if change.kind is Kind.DWELL:
            return
        key = actions.REDO if change.undone else actions.UNDO
        self.say(message.says or changed(change, room=self.size.width - _KEY_CELLS), key=key)
        if change.kind not in _QUIET or change.undone:
            self.desk.toast(_toast(change, message.says, toast_room(self.size.width)))

    def _why_empty(self) -> str:
        if self.view.query:
            return f"nothing matches {quoted(self.view.query)}: esc clears the filter"
        if self._domains:
            return "nothing left here: tab shows another part, u takes back the last key"
        return "no items yet: `llmrec import FILE` brings some"

    def on_rows_read(self, message: RowsRead) -> None:
        """Items for rows in sight."""
        had = self.here
        self._list.take_items(message.items)
        if had is None:
            self._show_here()

    def explained(self, message: Explained) -> None:
        """Reasons for the row under the cursor."""
        self._detail.why = message

    def on_interests_read(self, message: InterestsRead) -> None:
        """The interest model changed."""
        self.interests = tuple(message.interests)
        self._detail.interests = self.interests
        self.desk.interests.take(message)

    def on_status_read(self, message: StatusRead) -> None:
        """What the engine runs on; missing vectors are made in the background."""
        self._note.status(message.status)
        self.has_writer = bool(message.status.writer)
        if message.status.note and message.status.events == 0:
            self.say(f"{_WELCOME} · {message.status.note}")
        if (message.status.pending or not message.status.learnt) and not self.desk.indexing:
            self.desk.indexing = True
            self.ask(self.desk.asks.index, group="index")

    def on_indexed(self, message: Indexed) -> None:
        """Progress of the background work; a new order at its end."""
        self._note.progress(message.progress)
        if message.progress is None:
            # With vectors the order is another one, so a reader who has done nothing yet starts at its top.
            self.refresh_view(top=not self._list.marks)
            self.ask(self.desk.asks.interests, group="interests")

    def on_worked_ahead(self, message: WorkedAhead) -> None:
        """How far the work of a quiet moment has come."""
        self._note.ahead(message.progress)

    def on_failed(self, message: Failed) -> None:
        """A refused command: take back what the row showed before the engine answered."""
        super().on_failed(message)
        if message.group == "command":
            self.refresh_view(marks=True)
        elif message.group == GROUP:
            self.quiet.stop()
        elif self.ranking is None:
            self._list.say_nothing("the catalogue could not be read")

    # The row under the cursor.

    @property
    def here(self) -> Item | None:
        """The item under the cursor."""
        current = self._list.current
        return self._list.item(current) if current is not None else None

    def ahead(self, following: int, top: int) -> list[ItemId]:
        """The items that will be looked at next: from the cursor on, and from the top."""
        ids, here = self._list.ids, self._list.cursor
        return list(dict.fromkeys([*ids[here : here + following], *ids[:top]]))

    @property
    def settled(self) -> bool:
        """The row under the cursor has its reasons and its chosen text."""
        return self._detail.why is not None and self.blurb.done

    @property
    def blurb(self) -> Blurb:
        """The text beside or under the list."""
        return self._detail.blurb

    @on(ItemList.Moved)
    def _moved(self) -> None:
        self._show_here()

    def _show_here(self) -> None:
        if self.here is not self._detail.item:
            self._detail.item = self.here
        self.look()

    @on(ItemList.RowsWanted)
    def _rows_wanted(self, event: ItemList.RowsWanted) -> None:
        self.ask(partial(self.desk.asks.rows, event.ids), group="rows")

    @on(ItemList.Chosen)
    def action_open(self) -> None:
        """Read the whole text."""
        if self.here is not None:
            self.desk.read(self.here)

    # Filter, domain, steering.

    def action_filter(self) -> None:
        """Type to filter."""
        if not self.view.query:
            self._before_filter = self._list.current
        self._prompt.ask("filter", "/", "words to find · enter keeps · esc clears", self.view.query)

    def action_steer(self) -> None:
        """Type to steer."""
        self._prompt.ask("steer", ":", _STEER_HINT)

    def action_add(self) -> None:
        """Type the words of new interests."""
        self._prompt.ask("add", "+", LIKES)

    @on(Prompt.Typed)
    def _typed(self, event: Prompt.Typed) -> None:
        if event.purpose == "filter":
            self._show_view(replace(self.view, query=event.words))

    @on(Prompt.Entered)
    def _entered(self, event: Prompt.Entered) -> None:
        if event.purpose == "add" and event.words:
            self.steer(steering(event.words))
        elif event.purpose == "steer" and event.words:
            if event.words in ("q", "quit"):
                self.app.call_next(self.desk.action_quit)
            else:
                self.steer(event.words)

    @on(Prompt.Closed)
    def _prompt_closed(self, event: Prompt.Closed) -> None:
        if event.purpose == "filter":
            self._clear_filter(self._before_filter)

    def _clear_filter(self, go_to: ItemId | None) -> None:
        if self.view.query:
            self._show_view(replace(self.view, query=""), go_to)

    def _show_view(self, view: View, go_to: ItemId | None = None) -> None:
        """Another view, from its top or from an item on."""
        if view != self.view:
            self.view, self._go_to = view, go_to
            self._draw_header()
            self.refresh_view(top=go_to is None)

    def action_domain(self, step: int) -> None:
        """The next part of the catalogue."""
        names: list[str | None] = [*self._domains, None]
        if len(self._domains) > 1:
            self._choose_domain(names[(names.index(self.view.domain) + step) % len(names)])

    def _choose_domain(self, domain: str | None) -> None:
        self._show_view(View(domain, query=self.view.query, varied=True))
        self.desk.remember(DOMAIN, domain or "all")

    @on(OneLine.Pressed, "#header")
    def _header_pressed(self, event: OneLine.Pressed) -> None:
        _, _, place = event.press.partition(" ")
        self._choose_domain([*self._domains, None][int(place)])

    def _draw_header(self) -> None:
        left = [*title_bits("For you"), *domain_bits(self._domains, self.view.domain)]
        if self.view.query:
            rows = count(self._list.rows, "row")
            left.append(Bit(f" /{self.view.query} · {rows} ", "chosen"))
        self.query_one(Header).show(left, batch_bits(self.ranking, self.desk.user))

    # Other screens.

    def action_interests(self) -> None:
        """What the list is built on."""
        self.app.push_screen("interests")

    def action_time_machine(self) -> None:
        """The list as of an earlier day."""
        self.app.push_screen("time")

    def action_back(self) -> None:
        """Clear the filter, around the row that it has found; this screen has nothing behind it."""
        self._clear_filter(self._list.current)


def _toast(change: Change, says: str, room: int) -> str:
    """What was done, in one line of at most `room` cells, with the key that takes it back."""
    words = says or f"{DONE[change.kind] if change.item else ''} {change.title}".strip()
    head, key = ("", "") if says else ("took back: ", " · ^r redo") if change.undone else ("", " · u undo")
    text = fit(f"{head}{words}", room - len(key), pad=False)
    return f"{text[:1].upper()}{text[1:]}{key}"


def toast_room(width: int) -> int:
    """Cells for one line of a toast in a window of this width; see its styles."""
    return max(12, (width - 2) * 4 // 5 - 3)
