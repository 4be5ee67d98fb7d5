"""A line of parts that drops the least important ones where the window is narrow; header, footer and notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from llmrec.tui.text import fit, laid_out


@dataclass(frozen=True, slots=True)
class Bit:
    """One part of a line."""

    text: str
    look: str = ""
    """Component class without its `line--`, or "" for the line's own style."""
    drop: int = 0
    """Parts with the highest number go first where room is short; 0 stays and is cut."""
    press: str = ""
    """What a click says in `OneLine.Pressed`; "" takes no click."""


class OneLine(Widget):
    """One line: parts at the left, parts at the right."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line--strong",
        "line--quiet",
        "line--key",
        "line--accent",
        "line--chosen",
        "line--bad",
    }
    DEFAULT_CSS = """
    OneLine {
        height: 1;
        min-width: 1;
        background: $background;
        color: $foreground;
        .line--strong { text-style: bold; }
        .line--quiet { text-style: dim; }
        .line--key { color: $footer-key-foreground; text-style: bold; }
        .line--accent { color: $text-accent; }
        .line--chosen { color: $text-accent; text-style: bold; }
        .line--bad { color: $text-error; }
        &:ansi {
            .line--key { color: ansi_yellow; text-style: bold; }
            .line--accent, .line--chosen { color: ansi_yellow; }
            .line--bad { color: ansi_red; }
        }
    }
    """

    class Pressed(Message):
        """A part was clicked."""

        def __init__(self, line: "OneLine", press: str) -> None:
            super().__init__()
            self.line = line
            self.press = press

        @property
        def control(self) -> "OneLine":
            """The line, for selectors."""
            return self.line

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._left: tuple[Bit, ...] = ()
        self._right: tuple[Bit, ...] = ()
        self._spots: list[tuple[int, int, str]] = []

    def show(self, left: Sequence[Bit], right: Sequence[Bit] = ()) -> None:
        """Show these parts instead."""
        self._left, self._right = tuple(left), tuple(right)
        self.refresh()

    @property
    def said(self) -> str:
        """All parts as text, whether they fit or not."""
        return "".join(bit.text for bit in (*self._left, *self._right))

    def render_line(self, y: int) -> Strip:
        """The parts that fit."""
        base, width = self.rich_style, self.size.width
        if y:
            return Strip.blank(width, base)
        left, right = self._fitting(width)
        gap = bool(right)
        room = max(0, width - _width(right) - gap)
        drawn = [*_cut(left, room), (" " * gap, Bit("")), *_cut(right, width)]
        self._spots, start = [], 0
        segments = []
        for text, bit in drawn:
            end = start + cell_len(text)
            if bit.press:
                self._spots.append((start, end, bit.press))
            style = base + self.get_component_rich_style(f"line--{bit.look}", partial=True) if bit.look else base
            segments.append(Segment(text, style))
            start = end
        return Strip(segments).adjust_cell_length(width, base)

    def _fitting(self, width: int) -> tuple[list[Bit], list[Bit]]:
        left, right = list(self._left), list(self._right)
        while _width(left) + _width(right) > width:
            least = max((bit.drop for bit in (*left, *right)), default=0)
            if not least:
                break
            left = [bit for bit in left if bit.drop != least]
            right = [bit for bit in right if bit.drop != least]
        return left, right

    def on_click(self, event: events.Click) -> None:
        """Say which part was clicked."""
        for start, end, press in self._spots:
            if start <= event.x < end:
                self.post_message(self.Pressed(self, press))
                return


def _width(bits: Sequence[Bit]) -> int:
    return sum(cell_len(laid_out(bit.text)) for bit in bits)


def _cut(bits: Sequence[Bit], room: int) -> list[tuple[str, Bit]]:
    """Texts of parts within `room` cells, the last one cut, and blanks up to `room`."""
    drawn: list[tuple[str, Bit]] = []
    for bit in bits:
        text = laid_out(bit.text)
        text = text if cell_len(text) <= room else _shortened(text, room)
        drawn.append((text, bit))
        room -= cell_len(text)
        if room <= 0:
            return drawn
    return [*drawn, (" " * room, Bit(""))]


def _shortened(text: str, room: int) -> str:
    """The start of a text, behind the same blanks: a line that is cut stands where it stood."""
    blanks = " " * min(room, len(text) - len(text.lstrip(" ")))
    return blanks + fit(text, room - len(blanks), pad=False)
