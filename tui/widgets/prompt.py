"""The one input line: filter, steering command, or the words of a new interest."""

from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from llmrec.tui.text import Words, safe
from llmrec.tui.widgets.row_list import pass_on

_LIMIT = 200


class _Line(Input):
    """The typed words."""

    def validate_value(self, value: str) -> str:
        """Pasted text is untrusted too."""
        return safe(value, limit=_LIMIT)

    async def _on_key(self, event: events.Key) -> None:
        """Keys that were typed after the one that closed the line are meant for the list."""
        if self.screen.focused is not self:
            pass_on(self, event)
        elif event.key == "enter":
            event.stop()
            event.prevent_default()
            await self.action_submit()
        else:
            await super()._on_key(event)

    async def action_submit(self) -> None:
        """Close the line before the next key is looked at."""
        assert isinstance(self.parent, Prompt)
        self.parent.enter()


class Prompt(Horizontal):
    """A line to type in, hidden until it is asked for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "back", tooltip="Close this line", id="prompt.close"),
        Binding("down,up", "leave", "list", tooltip="Go to the list and keep what is typed", id="prompt.leave"),
    ]
    DEFAULT_CSS = """
    Prompt {
        display: none;
        height: 1;
        background: $panel;
        Words { width: auto; color: $text-accent; text-style: bold; padding: 0 0 0 1; }
        _Line, _Line:focus { width: 1fr; height: 1; min-width: 1; border: none; padding: 0 1; background: $panel; }
        &:ansi, &:ansi _Line { background: ansi_default; }
    }
    """

    @dataclass
    class Said(Message):
        """What was typed, and for which purpose."""

        purpose: str
        words: str

    class Typed(Said):
        """The words so far."""

    class Entered(Said):
        """`enter`: the words are complete."""

    class Left(Said):
        """The arrow keys: keep the words, go to the list."""

    class Closed(Said):
        """`esc`: forget the words."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._purpose = ""
        self._back: Widget | None = None
        self._sign = Words()
        self._line = _Line(max_length=_LIMIT, select_on_focus=False, compact=True)

    def compose(self) -> ComposeResult:
        """A sign for the purpose, and the line."""
        yield self._sign
        yield self._line

    def ask(self, purpose: str, sign: str, hint: str, words: str = "") -> None:
        """Show the line.

        Args:
            purpose: what the words are for; comes back in every message.
            sign: what stands before the line.
            hint: an example, shown while nothing is typed.
            words: what to start with.
        """
        self._purpose = purpose
        self._sign.say(sign)
        self._line.placeholder = hint
        with self.prevent(Input.Changed):
            self._line.value = words
        self._line.cursor_position = len(words)
        self._back = self.screen.focused
        self.display = True
        self.screen.set_focus(self._line)  # at once: `focus()` would wait, and the next key would miss the line

    def close(self) -> None:
        """Hide the line and give the focus back."""
        self.display = False
        self.screen.set_focus(self._back)

    def enter(self) -> None:
        """The words are complete."""
        self.close()
        self.post_message(self.Entered(self._purpose, self._line.value.strip()))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Typed(self._purpose, self._line.value.strip()))

    def action_close(self) -> None:
        """`esc`."""
        self.close()
        self.post_message(self.Closed(self._purpose, self._line.value.strip()))

    def action_leave(self) -> None:
        """Arrow keys."""
        self.close()
        self.post_message(self.Left(self._purpose, self._line.value.strip()))
