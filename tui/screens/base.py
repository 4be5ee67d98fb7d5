"""What every screen needs: the engine in workers, messages back, errors as notes.

Workers never touch widgets. They call the engine and post messages; handlers on the screen change what is shown.
"""

from collections.abc import Callable, Iterable
from functools import partial
from threading import Event as Cancel
from typing import TYPE_CHECKING, cast

from textual import on
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.timer import Timer
from textual.worker import Worker, WorkerState, get_current_worker

from llmrec.engine import HalfLife, Item, ItemId, Kind, LlmrecError
from llmrec.tui import fresh
from llmrec.tui.messages import Explained, Failed, Ranked, WordsCame
from llmrec.tui.widgets.blurb import Blurb

if TYPE_CHECKING:
    from llmrec.tui.app import LlmrecApp

REST = 0.15
"""Seconds that the cursor rests on a row before its text and reasons are asked for."""

Call = Callable[[Cancel], Iterable[Message]]
"""Engine work: looks at its `Event` and yields messages."""


class EngineScreen(Screen[None], inherit_bindings=False):
    """A screen that talks to the engine."""

    @property
    def desk(self) -> "LlmrecApp":
        """The app, typed."""
        return cast("LlmrecApp", self.app)

    def ask(self, call: Call, *, group: str) -> None:
        """Run engine work in a thread; a newer call of the group cancels the one before.

        Args:
            call: yields the messages to post to this screen.
            group: what it is about.
        """
        work = partial(self._serve, call, group)
        self.run_worker(work, thread=True, group=group, exclusive=True, exit_on_error=False)

    def _serve(self, call: Call, group: str) -> None:
        worker = get_current_worker()
        try:
            for message in call(worker.cancelled_event):
                if worker.is_cancelled:
                    return
                self.post_message(message)
        except LlmrecError as error:
            if not worker.is_cancelled:
                self.post_message(Failed(str(error), group))

    @on(Worker.StateChanged)
    def _worker_changed(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.desk.report(event.worker.error)

    def ranked(self, message: Ranked) -> None:
        """The list was ranked again while this screen was in front."""

    def on_failed(self, message: Failed) -> None:
        """An engine call failed: say so, once, and go on."""
        self.desk.complain(message.text)

    def action_back(self) -> None:
        """Return to the screen below."""
        self.app.pop_screen()

    def action_undo(self) -> None:
        """Take back the last thing done."""
        self.desk.for_you.undo()

    def action_redo(self) -> None:
        """Do it again."""
        self.desk.for_you.redo()

    def action_help(self) -> None:
        """Every key that works here."""
        self.desk.show_help()


class EngineModal(ModalScreen[None], EngineScreen, inherit_bindings=False):
    """A screen over another one."""


class ItemScreen(EngineScreen, inherit_bindings=False):
    """A screen with one current item, whose text and reasons come once the cursor rests on it."""

    def __init__(self) -> None:
        super().__init__()
        self._rest: Timer | None = None
        self._half_life: HalfLife | None = None

    # What a subclass says.

    @property
    def here(self) -> Item | None:
        """The current item."""
        raise NotImplementedError

    @property
    def blurb(self) -> Blurb:
        """Where its text is shown."""
        raise NotImplementedError

    def explained(self, message: Explained) -> None:
        """Show why the current item stands where it stands."""

    # Text and reasons.

    def look(self, *, wait: float | None = None) -> None:
        """Ask for text and reasons of the current item once the cursor rests; drop what was under way."""
        self.look_away()
        self._half_life = None
        if self.here is not None:
            self._rest = self.set_timer(REST if wait is None else wait, partial(self._look_at, self.here.id))

    def look_away(self) -> None:
        """Stop the work for the item before."""
        if self._rest is not None:
            self._rest.stop()
        self.workers.cancel_group(self, "why")
        self.workers.cancel_group(self, "write")

    def _look_at(self, id: ItemId) -> None:
        asks = self.desk.asks
        self.ask(partial(asks.why, id, self.desk.for_you.view), group="why")
        self.ask(partial(asks.words, id), group="write")

    def on_explained(self, message: Explained) -> None:
        """Reasons came; they may be too late."""
        if self.here is not None and message.why.item == self.here.id:
            self._half_life = message.half_life
            self.explained(message)

    def on_words_came(self, message: WordsCame) -> None:
        """A text came; it may be too late."""
        if self.here is not None and message.written.item == self.here.id:
            self.blurb.take(message.written)

    # Actions on the current item.

    def action_mark(self, kind: str) -> None:
        """Like, dislike, save or skip."""
        if self.here is not None:
            self.desk.for_you.record(self.here, Kind(kind))

    def action_why(self) -> None:
        """All reasons."""
        if self.here is not None:
            self.desk.show_why(self.here)

    def action_half_life(self) -> None:
        """Say how long it stays worth reading."""
        if self.here is not None:
            question = fresh.question(self.desk.choice, self.here, self._half_life)
            self.app.push_screen(question, partial(self._keep_half_life, self.here.id))

    def _keep_half_life(self, id: ItemId, answer: str | None) -> None:
        if answer:
            call = partial(self.desk.asks.half_life, id, fresh.seconds_of(answer), self.desk.for_you.view)
            self.desk.command(call, self)

    def action_next_text(self) -> None:
        """The next candidate text."""
        if self.here is not None and not self.blurb.next():
            self.desk.for_you.say("there is no other text for this item")

    def action_copy(self) -> None:
        """Address or text to the clipboard."""
        if self.here is not None:
            what = "the address" if self.here.url else "the text"
            self.app.copy_to_clipboard(self.here.url or self.blurb.text or self.here.title)
            self.app.notify(f"Copied {what}", timeout=2, markup=False)
