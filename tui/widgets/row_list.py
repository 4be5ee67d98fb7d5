"""A list that draws only the rows in sight; the base of every list in this app.

Textual's own lists measure or mount every row, which takes seconds at ten thousand rows. Here a row is drawn when
its lines are asked for, so a new order costs one assignment and one repaint whatever its length.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from llmrec.tui.actions import MOVES, bindings
from llmrec.tui.text import laid_out

Piece = tuple[str, str]
"""Text that fits, and the component class it is drawn in ("" for the row's own style)."""

_MAX_COUNT = 1_000_000


def pass_on(widget: Widget, event: events.Key) -> None:
    """Give a key that was queued for a widget to the one that has the focus by now."""
    event.stop()
    event.prevent_default()
    focused = widget.screen.focused
    if focused is not None:
        focused._forward_event(events.Key(event.key, event.character))


class RowList(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows of equal height with a cursor, vim-like moves, counts and the mouse."""

    BINDINGS = bindings(MOVES)
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "row--cursor",
        "row--cursor-blurred",
        "row--strong",
        "row--quiet",
        "row--up",
        "row--down",
        "row--new",
        "row--accent",
        "row--other",
    }
    DEFAULT_CSS = """
    RowList {
        height: 1fr;
        min-width: 1;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        scrollbar-color: $panel-lighten-2;
        background: $background;
        color: $foreground;
        .row--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        .row--cursor-blurred { background: $block-cursor-blurred-background; color: $foreground; }
        .row--strong { text-style: bold; }
        .row--quiet { text-style: dim; }
        .row--up { color: $text-success; }
        .row--down { color: $text-error; }
        .row--new { color: $text-accent; text-style: bold; }
        .row--accent { color: $text-accent; }
        .row--other { color: $primary; }
        &:ansi {
            .row--cursor { background: ansi_default; color: ansi_default; text-style: reverse; }
            .row--cursor-blurred { background: ansi_default; color: ansi_default; text-style: bold; }
            .row--up { color: ansi_green; }
            .row--down { color: ansi_red; }
            .row--new { color: ansi_yellow; text-style: bold; }
            .row--accent { color: ansi_yellow; }
            .row--other { color: ansi_blue; }
        }
    }
    """

    cursor: reactive[int] = reactive(0, repaint=False)
    """Row of the cursor, from 0."""
    row_height: reactive[int] = reactive(1, repaint=False)
    """Lines per row."""

    class Said(Message):
        """Something happened to a list."""

        def __init__(self, rows: "RowList") -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> "RowList":
            """The list, for selectors."""
            return self.rows

    class Moved(Said):
        """The cursor stands on another row, or the row holds something else."""

    class Chosen(Said):
        """A row was clicked twice."""

    class Sized(Said):
        """The list has another width or height."""

    def __init__(self, *, id: str | None = None) -> None:
        self._looks: dict[tuple[str, str], Style] = {}
        super().__init__(id=id)
        self._count = ""
        self._first_key = ""
        self.at_once: dict[str, Callable[[], None]] = {}
        """Characters that open a line to type in. They act before the next key is looked at: what is typed after them
        is meant for that line, however fast it comes."""

    # What a subclass says about its rows.

    @property
    def rows(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def draw(self, row: int, width: int) -> Sequence[Sequence[Piece]]:
        """Lines of a row; each is padded or cut to `width`."""
        raise NotImplementedError

    def empty(self) -> str:
        """What stands here while there are no rows."""
        return ""

    # Drawing.

    def render_line(self, y: int) -> Strip:
        """One line in sight."""
        width = self.scrollable_content_region.width
        row, part = divmod(self.scroll_offset.y + y, self.row_height)
        if row >= self.rows:
            note = self.empty() if self.rows == 0 and y == 1 else ""
            return self._strip([(f"  {note}", "row--quiet")], width, "")
        under = ("row--cursor" if self.has_focus else "row--cursor-blurred") if row == self.cursor else ""
        lines = self.draw(row, width)
        return self._strip(lines[part] if part < len(lines) else (), width, under)

    def _strip(self, pieces: Sequence[Piece], width: int, under: str) -> Strip:
        segments = [Segment(laid_out(text), self._style(name, under)) for text, name in pieces]
        return Strip(segments).adjust_cell_length(width, self._style("", under))

    def _style(self, name: str, under: str) -> Style:
        """Style of a component on that of its row; kept, because working it out takes longer than drawing."""
        style = self._looks.get((name, under))
        if style is None:
            style = self.get_component_rich_style(under) if under else self.rich_style
            if name:
                style += self.get_component_rich_style(name, partial=True)
            self._looks[name, under] = style
        return style

    def notify_style_update(self) -> None:
        """Another theme, or other colours around."""
        super().notify_style_update()
        self._looks.clear()

    def rows_changed(self) -> None:
        """The number or the order of rows changed: measure, keep the cursor inside, repaint."""
        width = self.scrollable_content_region.width
        self.virtual_size = Size(width, self.rows * self.row_height)
        self.set_reactive(RowList.cursor, min(self.cursor, max(0, self.rows - 1)))
        self.refresh()

    # Moving.

    def place(self, row: int, *, on_line: int | None = None) -> None:
        """Put the cursor on a row, on the given line of the screen where that is possible."""
        self.set_reactive(RowList.cursor, min(max(0, row), max(0, self.rows - 1)))
        top = self.scroll_offset.y if on_line is None else self.cursor * self.row_height - on_line
        self._scroll_lines(top)
        self._show_cursor()
        self.refresh()
        self.post_message(self.Moved(self))

    @property
    def line_of_cursor(self) -> int:
        """Line of the screen on which the cursor's row starts."""
        return self.cursor * self.row_height - self.scroll_offset.y

    @property
    def in_sight(self) -> range:
        """Rows that are at least partly visible."""
        first = self.scroll_offset.y // self.row_height
        last = -(-(self.scroll_offset.y + self.scrollable_content_region.height) // self.row_height)
        return range(min(first, self.rows), min(last, self.rows))

    def _scroll_lines(self, top: int) -> None:
        most = max(0, self.rows * self.row_height - self.scrollable_content_region.height)
        self.scroll_to(y=min(max(0, top), most), animate=False, immediate=True, force=True)

    def _show_cursor(self) -> None:
        height = self.scrollable_content_region.height
        start = self.cursor * self.row_height
        if start < self.scroll_offset.y:
            self._scroll_lines(start)
        elif start + self.row_height > self.scroll_offset.y + height:
            self._scroll_lines(start + self.row_height - max(height, self.row_height))

    def validate_cursor(self, row: int) -> int:
        """The cursor never leaves the list."""
        return min(max(0, row), max(0, self.rows - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        """Repaint the two rows and follow."""
        for row in (old, new):
            top = row * self.row_height - self.scroll_offset.y
            self.refresh(Region(0, top, self.size.width, self.row_height))
        self._show_cursor()
        self.post_message(self.Moved(self))

    def watch_row_height(self) -> None:
        """Lines per row changed with the size of the window."""
        self.rows_changed()
        self._show_cursor()

    def watch_has_focus(self, focus: bool) -> None:
        """The cursor is drawn brighter with focus."""
        super().watch_has_focus(focus)
        self.refresh()

    def on_resize(self) -> None:
        """Rows take the new width, and the cursor stays in sight."""
        self.rows_changed()
        self._show_cursor()
        self.post_message(self.Sized(self))

    # Keys and mouse.

    def on_key(self, event: events.Key) -> None:
        """Collect a count ("5j") and the second g of "gg"; every other key is a binding."""
        typed = event.character or ""
        if self.screen.focused is not self:
            pass_on(self, event)
            return
        first, self._first_key = self._first_key, ""
        if typed in self.at_once:
            event.stop()
            event.prevent_default()
            self.at_once[typed]()
        elif typed.isdecimal() and typed.isascii() and (typed != "0" or self._count):
            self._count = (self._count + typed)[-7:]
            event.stop()
        elif typed == "g":
            event.stop()
            if first == "g":
                self._go_to(self.take_count(1) - 1)
            else:
                self._first_key = "g"
        elif event.key == "escape" and self._count:
            self._count = ""
            event.stop()

    def take_count(self, default: int) -> int:
        """The number typed before a key, which is then forgotten."""
        count, self._count = self._count, ""
        return min(int(count), _MAX_COUNT) if count else default

    def _go_to(self, row: int) -> None:
        self.cursor = row

    def action_step(self, rows: int) -> None:
        """Move by rows, or by the typed count of them."""
        self._go_to(self.cursor + rows * self.take_count(1))

    def action_leap(self, pages: float) -> None:
        """Move by pages."""
        page = max(1, self.scrollable_content_region.height // self.row_height)
        rows = max(1, round(page * abs(pages))) * self.take_count(1)
        self._go_to(self.cursor + (rows if pages > 0 else -rows))

    def action_end(self, last: bool) -> None:
        """Go to the first or last row, or to the row of the typed count."""
        self._go_to(self.take_count(self.rows if last else 1) - 1)

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a second one chooses."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        row = (offset.y + self.scroll_offset.y) // self.row_height
        if row < self.rows:
            self.cursor = row
            if event.chain == 2:
                self.post_message(self.Chosen(self))
