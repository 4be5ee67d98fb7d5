"""The list as of an earlier day beside today's, and what would be without one event."""

from collections.abc import Sequence
from functools import partial

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from llmrec.engine import Event, ItemId, Recommendation, View
from llmrec.engine.wording import count
from llmrec.tui import actions
from llmrec.tui.asks import titles_of
from llmrec.tui.messages import LogRead, PastRead, Ranked
from llmrec.tui.phrases import changed, date, difference, happened
from llmrec.tui.screens.base import EngineScreen
from llmrec.tui.screens.choice import Answer
from llmrec.tui.text import Words
from llmrec.tui.widgets.footer import KeyLine
from llmrec.tui.widgets.header import Header, title_bits
from llmrec.tui.widgets.joins import Joins
from llmrec.tui.widgets.note_line import NoteLine
from llmrec.tui.widgets.one_line import Bit
from llmrec.tui.widgets.past_list import PastList
from llmrec.tui.widgets.slider import Slider

ROWS = 60
"""Rows of either list; as many as fit are drawn."""
_PAUSE = 0.06
_EMPTY = "nothing in the log yet: every key on the list leaves a tick here"


class TimeMachine(EngineScreen, inherit_bindings=False):
    """Travel over the log; nothing changes until an event is removed."""

    BINDINGS = actions.bindings(actions.TIME_ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self._log: Sequence[Event] = ()
        self._titles: dict[str, str] = {}
        self._today: Sequence[Recommendation] = ()
        self._place = 0
        self._pause: Timer | None = None

    def compose(self) -> ComposeResult:
        """Header, slider, the event, both lists joined, note, keys."""
        yield Header(id="header")
        yield Slider(id="slider")
        yield Words(id="event")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield Words(id="then")
                yield PastList(id="past")
            yield Joins(id="joins")
            with Vertical(id="right"):
                yield Words(("today", "dim"), id="now")
                yield PastList(id="today")
        yield NoteLine(id="note")
        yield KeyLine(actions.TIME_ACTIONS, id="keys")

    def on_mount(self) -> None:
        """Only the past has a cursor."""
        self._past = self.query_one("#past", PastList)
        self._now = self.query_one("#today", PastList)
        self._now.can_focus = False
        self._past.nothing = "reading the log"

    def on_screen_resume(self) -> None:
        """Read the log again, unless only a question was answered."""
        self._past.focus()
        if not self._log:
            self._read_log()

    def on_resize(self, event: events.Resize) -> None:
        """Alone, the past says how far each item has moved since."""
        self._draw_lists()

    @property
    def _view(self) -> View:
        return View(self.desk.for_you.view.domain)

    def _read_log(self) -> None:
        self.ask(partial(self.desk.asks.log, self._view, ROWS), group="log")

    def _read_past(self, event: Event) -> None:
        self.ask(partial(self.desk.asks.past, event, self._view, ROWS), group="past")

    # What comes back.

    def on_log_read(self, message: LogRead) -> None:
        """The log; the mark stays at its place, at first at the newest event."""
        fresh = not self._log
        self._log, self._titles, self._today = message.log, message.titles, message.today
        self._past.nothing = "" if self._log else _EMPTY
        self._now.show(self._today)
        self._go(len(self._log) - 1 if fresh else self._place)

    def on_past_read(self, message: PastRead) -> None:
        """The list of that day, unless the mark has moved on."""
        if self._event is not None and message.event.id == self._event.id:
            self._past.show(message.rows)
            self._draw_lists()

    def ranked(self, message: Ranked) -> None:
        """An event was removed or brought back: say what that changed."""
        note = self.query_one(NoteLine)
        if message.change is not None:
            how = difference(message.batch, titles_of(message.items))
            key = actions.REDO if message.change.undone else actions.UNDO
            note.note(f"{changed(message.change, brief=True)}: {how}", key=key)
        elif message.says:
            note.note(message.says)
        self._read_log()

    # Drawing.

    @property
    def _event(self) -> Event | None:
        return self._log[self._place] if self._log else None

    def _go(self, place: int) -> None:
        self._place = min(max(0, place), max(0, len(self._log) - 1))
        self.query_one(Slider).show(self._log, self._place)
        event = self._event
        where = count(len(self._log), "event") if event is None else f"event {self._place + 1:,} of {len(self._log):,}"
        self.query_one(Header).show([*title_bits("Time machine"), Bit(where, "quiet", drop=2)])
        words = self.query_one("#event", Words)
        if event is None:
            words.say((_EMPTY, "dim"))
            self._past.show([])
            self._draw_lists()
            return
        words.say(happened(event, self._titles.get(event.item, event.item), self.desk.clock()))
        self.query_one("#then", Words).say((f"as of {date(event.at)}", "dim"))
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(_PAUSE, partial(self._read_past, event))

    def _draw_lists(self) -> None:
        alone = not self.query_one("#right").display
        self._past.since = self._since() if alone else None
        self._now.chosen = self._past.current or ItemId("")
        self._past.refresh()
        self._now.refresh()
        paths = [
            (row, target)
            for row in range(self._past.rows)
            if (target := self._now.row_of(self._past.at(row))) is not None
        ]
        self.query_one(Joins).show(paths, self._past.cursor)

    def _since(self) -> dict[ItemId, int]:
        today = {found.id: found.rank for found in self._today}
        return {found.id: found.rank - today[found.id] for found in self._past.shown if found.id in today}

    @on(PastList.Moved)
    def _moved(self) -> None:
        self._draw_lists()

    @on(Slider.Picked)
    def _picked(self, event: Slider.Picked) -> None:
        self._go(event.place)

    # Keys.

    def action_travel(self, step: int) -> None:
        """One event back or on, or the typed count of them."""
        self._go(self._place + step * self._past.take_count(1))

    def action_travel_to(self, newest: bool) -> None:
        """The oldest or the newest event."""
        self._go(len(self._log) if newest else 0)

    def action_remove(self) -> None:
        """Ask, then take the event out of the log."""
        if self._event is not None:
            what = happened(self._event, self._titles.get(self._event.item, ""), self.desk.clock())
            answers = [Answer("y", "remove", "y")]
            self.app.push_screen(self.desk.choice.put("Remove this event from the log?", what, answers), self._remove)

    def _remove(self, answer: str | None) -> None:
        if answer and self._event is not None:
            self.desk.for_you.remove_event(self._event.id)

    def action_back(self) -> None:
        """Leave everything as it was; the log is read again next time."""
        self._log = ()
        super().action_back()
