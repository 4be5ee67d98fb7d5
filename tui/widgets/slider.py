"""The log as a line of ticks, one per event, with a mark under the chosen one."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from llmrec.engine import Event, Kind
from llmrec.tui.phrases import SIGN, date

_SPREAD = 4
_LOOK = {
    Kind.LIKE: "good",
    Kind.SAVE: "good",
    Kind.PURCHASE: "good",
    Kind.FINISH: "good",
    Kind.DISLIKE: "bad",
    Kind.SKIP: "bad",
}


class Slider(Widget):
    """Ticks by kind (sign and colour), oldest at the left; wide logs scroll with the mark."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"tick--good", "tick--bad", "tick--quiet", "tick--mark"}
    DEFAULT_CSS = """
    Slider {
        height: 3;
        min-width: 1;
        .tick--good { color: $text-success; }
        .tick--bad { color: $text-error; }
        .tick--quiet { text-style: dim; }
        .tick--mark { color: $text-accent; text-style: bold; }
        &:ansi {
            .tick--good { color: ansi_green; }
            .tick--bad { color: ansi_red; }
            .tick--mark { color: ansi_yellow; text-style: bold; }
        }
    }
    """

    class Picked(Message):
        """A tick was clicked."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._log: Sequence[Event] = ()
        self._place = 0

    def show(self, log: Sequence[Event], place: int) -> None:
        """Show a log, oldest first, with the mark under one event."""
        self._log, self._place = log, place
        self.refresh()

    def _layout(self) -> tuple[int, int, int]:
        """First event in sight, how many are, and cells per event."""
        room = max(1, self.size.width - 2)
        n = len(self._log)
        if n <= room:
            return 0, n, max(1, min(_SPREAD, room // max(1, n)))
        first = min(max(0, self._place - room // 2), n - room)
        return first, room, 1

    def render_line(self, y: int) -> Strip:
        """Ticks, the mark, the dates of both ends."""
        first, n, step = self._layout()
        base, width = self.rich_style, self.size.width
        seen = self._log[first : first + n]
        segments = [Segment(" ", base)]
        if y == 0:
            for event in seen:
                look = _LOOK.get(event.kind, "quiet")
                segments.append(Segment(SIGN[event.kind], base + self._look(look)))
                segments.append(Segment("─" * (step - 1), base + self._look("quiet")))
        elif y == 1 and seen:
            segments.append(Segment(" " * ((self._place - first) * step), base))
            segments.append(Segment("▲", base + self._look("mark")))
        elif y == 2 and seen:
            start, end = date(seen[0].at), date(seen[-1].at)
            gap = max(2, n * step - len(start) - len(end))
            segments.append(Segment(start, base + self._look("quiet")))
            segments.append(Segment(" " * gap + end, base + self._look("quiet")))
        return Strip(segments).adjust_cell_length(width, base)

    def _look(self, name: str) -> Style:
        return self.get_component_rich_style(f"tick--{name}", partial=True)

    def on_click(self, event: events.Click) -> None:
        """Go to the tick that was clicked."""
        first, n, step = self._layout()
        place = first + (event.x - 1) // step
        if first <= place < first + n:
            self.post_message(self.Picked(place))
