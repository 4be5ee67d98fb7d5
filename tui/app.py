"""The Textual app: theme, screens, the order of commands, and what happens to errors; nothing of the list itself."""

import asyncio
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, Key, MouseDown, MouseScrollDown, MouseScrollUp, Paste, Resize
from textual.geometry import Size
from textual.message import Message
from textual.screen import Screen
from textual.theme import Theme
from textual.timer import Timer

from llmrec.engine import Engine, Item, Kind, LlmrecError
from llmrec.tui.asks import Asks
from llmrec.tui.downloads import Downloads
from llmrec.tui.messages import Failed, Indexed, Pulled, Pulling, Ranked, StatusRead, Switched
from llmrec.tui.screens.base import EngineScreen
from llmrec.tui.screens.choice import Choice
from llmrec.tui.screens.for_you import TOAST, ForYou
from llmrec.tui.screens.help import HelpScreen, entries
from llmrec.tui.screens.interests import InterestsScreen
from llmrec.tui.screens.models import ModelsScreen, pulled_words
from llmrec.tui.screens.reader import Reader
from llmrec.tui.screens.time_machine import TimeMachine
from llmrec.tui.screens.why import WhyScreen
from llmrec.tui.text import safe
from llmrec.tui.theme import DARK, LIGHT
from llmrec.tui.widgets.note_line import NoteLine, short_name
from llmrec.tui.widgets.shelf_list import part, time_left

Command = Callable[[], Iterable[Message]]
"""Engine work that changes something; returns what to tell the screens."""

# Two columns from 100 cells; one line per row and no text under the list below 18 lines.
_WIDTHS = [(0, "-narrow"), (60, "-middle"), (100, "-wide")]
_HEIGHTS = [(0, "-short"), (18, "-tall")]
_TOUCHES = (Key, Paste, MouseDown, MouseScrollDown, MouseScrollUp)
_DRAWN_ON = 2
"""The file descriptor on which Textual draws: the error stream."""
_RESIZED = 0.1
_LAST_SAVE = 10.0
"""Seconds that quitting waits for the last key press to be saved."""
_LAST_CLOSE = 3.0
"""Seconds that the engine has to close where nobody looks on."""
_TELL_WHY = 0.5
"""Seconds after which a user who waits for that is told why."""


def prepare_store(engine: Engine, now: float) -> None:
    """A first run needs no set-up: an empty store gets the bundled catalogues; later their dates stay fresh."""
    from llmrec.engine.samples import prepare

    prepare(engine, now)


def _done(call: Command) -> list[Message]:
    return list(call())


class LlmrecApp(App[None]):
    """The terminal app over one engine and one user."""

    TITLE = "llmrec"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+p", "command_palette", "palette", tooltip="Every command by name", id="palette"),
        Binding("ctrl+c,ctrl+q", "quit", "quit", tooltip="Leave", show=False, priority=True, id="leave_now"),
    ]

    def __init__(
        self,
        engine: Engine,
        user: str,
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        prepare: Callable[[Engine, float], None] = prepare_store,
    ) -> None:
        """Show an engine.

        Args:
            engine: what ranks; it is not closed here.
            user: whose list it is.
            clock: Unix seconds, for "3 days ago".
            timer: seconds that never jump, for reading times.
            prepare: work on the engine before the first list, in a thread; gets the clock's time.
        """
        super().__init__()
        self.engine = engine
        self.asks = Asks(engine, user)
        self.user = user
        self.clock = clock
        self.timer = timer
        self.prepare = prepare
        self.indexing = False
        self.crashes: list[str] = []
        """Tracebacks of bugs met on the way; shown after the app has ended."""
        self.screen_given_back: Callable[[], object] = lambda: None
        """Called when nothing is left but to wait for threads, which cannot be stopped."""
        self.for_you = ForYou()
        self.reader = Reader()
        self.why = WhyScreen()
        self.help = HelpScreen()
        self.choice = Choice()
        self.interests = InterestsScreen()
        self.time = TimeMachine()
        self.models = ModelsScreen()
        self.downloads = Downloads(engine, self.for_you.post_message)
        self._next_encoder = ""
        self._commands: asyncio.Queue[tuple[Command, EngineScreen]] = asyncio.Queue()
        self._last_complaint = ""
        self._leaving = False
        self._resized: Timer | None = None

    def get_default_screen(self) -> Screen[Any]:
        """The list."""
        return self.for_you

    def on_mount(self) -> None:
        """Theme as it was left, other screens by name, and the lane of commands."""
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        theme = os.environ.get("TEXTUAL_THEME") or self.engine.setting("tui.theme", DARK.name)
        self.theme = theme if theme in self.available_themes else DARK.name
        for name in ("reader", "why", "help", "choice", "interests", "time", "models"):
            self.install_screen(getattr(self, name), name)
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        self.run_worker(self._serve(), group="commands")
        self._leave_on_signals()

    def _leave_on_signals(self) -> None:
        """A polite kill and a closed terminal end the app as `q` does."""
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, self.call_next, self.action_quit)
            loop.add_signal_handler(signal.SIGHUP, self.call_next, self._hang_up)

    async def _hang_up(self) -> None:
        """End; where the terminal is gone, without drawing on it, because Textual would wait for it for ever."""
        if os.isatty(_DRAWN_ON):
            await self.action_quit()
            return
        self.workers.cancel_all()
        self.downloads.stop_all()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._commands.join(), _LAST_SAVE)
        closing = Thread(target=self.engine.close, daemon=True)  # it waits for a thread that is at work in the engine
        closing.start()
        closing.join(_LAST_CLOSE)
        os._exit(128 + signal.SIGHUP)

    async def run_async(self, **options: Any) -> None:
        """Run the app, and say when its screen has been given back."""
        try:
            await super().run_async(**options)
        finally:
            self.screen_given_back()

    async def on_event(self, event: Event) -> None:
        """Whatever a user does ends the work of quiet moments, before anything else happens."""
        if isinstance(event, _TOUCHES):
            self.for_you.quiet.touched()
        await super().on_event(event)

    def on_resize(self) -> None:
        """Repaint once a window has come to rest.

        Textual ignores a size that it has already, but a window that shrank and grew back within a moment has lost
        what stood on it. Nor is the last size it hears of always the last there was: its signal handler can be
        interrupted by the next signal between reading a size and passing it on.
        """
        if self._resized is not None:
            self._resized.stop()
        self._resized = self.set_timer(_RESIZED, self._repaint)

    def _repaint(self) -> None:
        if not self.is_headless and os.isatty(_DRAWN_ON):
            size = Size(*os.get_terminal_size(_DRAWN_ON))
            if size != self.size:
                self.post_message(Resize(size, size))
                return
        for screen in self.screen_stack[-1:]:  # empty on the way out
            screen.refresh(layout=True)

    # Commands: one after the other, in the order of the keys.

    def command(self, call: Command, screen: EngineScreen) -> None:
        """Run engine work that changes something, after all such work before it.

        Args:
            call: runs in a thread.
            screen: gets the messages; new orders go to the list.
        """
        self._commands.put_nowait((call, screen))

    async def _serve(self) -> None:
        while True:
            call, screen = await self._commands.get()
            try:
                for message in await asyncio.to_thread(_done, call):
                    (self.for_you if isinstance(message, Ranked) else screen).post_message(message)
            except LlmrecError as error:
                self.for_you.post_message(Failed(str(error), "command"))
            except Exception as error:
                # A bug in one command must not swallow the keys that follow; it is told and printed at the end.
                self.report(error)
            finally:
                self._commands.task_done()

    def remember(self, key: str, value: str) -> None:
        """Keep a setting of the screen."""
        self.command(partial(self.asks.remember, key, value), self.for_you)

    def _keep_theme(self, theme: Theme) -> None:
        self.remember("tui.theme", theme.name)

    # Errors and notices.

    def notify(self, message: str, **options: Any) -> None:
        """Textual's notice, without markup and without control characters."""
        super().notify(safe(message), **{**options, "markup": False})

    def toast(self, message: str) -> None:
        """A short notice that replaces the one before."""
        self.clear_notifications()
        self.notify(message, timeout=TOAST)

    def complain(self, text: str) -> None:
        """Say that something failed; the same complaint is not repeated as a notice."""
        self.for_you.say(text, bad=True)
        if text != self._last_complaint:
            self.notify(text, severity="error", timeout=6)
        self._last_complaint = text

    def report(self, error: BaseException) -> None:
        """Tell of a bug and go on; its traceback is printed after the app has ended."""
        if isinstance(error, LlmrecError):
            self.complain(str(error))
            return
        self.crashes.append("".join(traceback.format_exception(error)))
        self.complain(f"a bug in llmrec: {type(error).__name__}; the details are printed when you quit")

    def _fatal_error(self) -> None:
        """End after a bug in a widget. Textual prints local variables there, which would be the user's items."""
        self.crashes.append(traceback.format_exc())
        self._close_messages_no_wait()

    # Models: what the list's screen hears of them comes up here.

    def on_status_read(self, message: StatusRead) -> None:
        """Another encoder is to follow, or no longer: make vectors for what is wanted now."""
        if message.status.next != self._next_encoder:
            self._next_encoder = message.status.next
            self.for_you.ask(self.asks.index, group="index")

    def on_failed(self, message: Failed) -> None:
        """Vectors could not be made: a later choice of the same encoder is to try again."""
        if message.group == "index":
            self._next_encoder = ""

    def on_indexed(self, message: Indexed) -> None:
        """The shelf shows how far the vectors are as well."""
        self.models.progress(message.progress)

    def on_switched(self, message: Switched) -> None:
        """Say that another encoder ranks."""
        self._next_encoder = ""
        words = f"{short_name(message.encoder)} ranks the list from now on"
        self.for_you.say(words)
        self.models.switched(words)
        self.toast(words)

    def on_pulling(self, message: Pulling) -> None:
        """A download goes on, on whatever screen."""
        self.models.pulling(message)
        self._note_pull(message.name, ", ".join([part(message.done, message.total), *time_left(message)]))

    def on_pulled(self, message: Pulled) -> None:
        """A download has ended."""
        self._note_pull("", "")
        self.models.pulled(message)
        if message.error is None:
            self.for_you.ask(self.asks.status, group="status")
            self.toast(pulled_words(message))
        elif not message.stopped and (self.screen is not self.models or not isinstance(message.error, LlmrecError)):
            self.report(message.error)

    def _note_pull(self, name: str, far: str) -> None:
        for screen in self.screen_stack:
            for note in screen.query(NoteLine):
                note.pulling(name, far)

    # Screens; each is made once, because Textual's heap grows with every new one.

    def show_why(self, item: Item) -> None:
        """All reasons for an item."""
        self.why.about(item)
        self.push_screen(self.why)

    def read(self, item: Item) -> None:
        """The whole text of an item."""
        self.reader.open(item)
        self.push_screen(self.reader)
        self.for_you.record(item, Kind.OPEN)

    def action_models(self) -> None:
        """The shelf of models."""
        self.push_screen(self.models)

    def show_help(self) -> None:
        """Every key that works on the screen in front."""
        self.help.about(self.screen)
        self.push_screen(self.help)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the palette offers: every key of the screen, and the app's own settings."""
        for entry in entries(screen):
            yield SystemCommand(
                f"{entry.words} · {entry.sign}", entry.tooltip, partial(self.simulate_key, entry.keys[0])
            )
        yield SystemCommand("Theme", "Change the colours", self.action_change_theme)
        yield SystemCommand("Screenshot", "Save the screen as a picture", self._save_picture)

    def _save_picture(self) -> None:
        self.deliver_screenshot()

    def on_unmount(self) -> None:
        """Downloads end with the app; the next one goes on from there."""
        self.downloads.stop_all()

    async def action_quit(self) -> None:
        """Leave once the last key press is saved; a second time, at once."""
        if self._leaving:
            self.exit()
        self._leaving = True
        self.run_worker(self._leave(), group="leave")

    async def _leave(self) -> None:
        self.set_timer(_TELL_WHY, lambda: self.for_you.say("saving the last key press; q again leaves without it"))
        try:
            await asyncio.wait_for(self._commands.join(), _LAST_SAVE)
        except TimeoutError:
            self.crashes.append("the last key press may not have been saved: the engine did not answer in time\n")
        self.exit()
