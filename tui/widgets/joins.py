"""Lines between two lists that join the rows of the same item."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
_GLYPHS = {
    LEFT | RIGHT: "─",
    UP | DOWN: "│",
    LEFT | DOWN: "╮",
    LEFT | UP: "╯",
    RIGHT | DOWN: "╭",
    RIGHT | UP: "╰",
    LEFT | RIGHT | DOWN: "┬",
    LEFT | RIGHT | UP: "┴",
    LEFT | UP | DOWN: "┤",
    RIGHT | UP | DOWN: "├",
    LEFT | RIGHT | UP | DOWN: "┼",
}
Path = tuple[int, int]
"""Row at the left, row at the right."""


def lanes(paths: Sequence[Path], room: int) -> dict[Path, int]:
    """A column for the upright part of each path, short paths first; what finds no room is left out.

    Two paths share a column only where their upright parts do not touch.
    """
    taken: list[list[Path]] = [[] for _ in range(max(0, room))]
    found: dict[Path, int] = {}
    for path in sorted(paths, key=lambda path: (abs(path[0] - path[1]), path)):
        if path[0] == path[1]:
            found[path] = 0
            continue
        for column, others in enumerate(taken):
            if not any(min(path) <= max(other) and min(other) <= max(path) for other in others):
                others.append(path)
                found[path] = column
                break
    return found


def draw(path: Path, column: int, width: int) -> dict[tuple[int, int], int]:
    """Cells (row, column) of a path and the directions in which each is open."""
    start, end = path
    cells: dict[tuple[int, int], int] = {}
    if start == end:
        return {(start, x): LEFT | RIGHT for x in range(width)}
    cells.update({(start, x): LEFT | RIGHT for x in range(column)})
    cells.update({(end, x): LEFT | RIGHT for x in range(column + 1, width)})
    low, high = min(path), max(path)
    cells.update({(y, column): UP | DOWN for y in range(low + 1, high)})
    cells[(start, column)] = LEFT | (DOWN if end > start else UP)
    cells[(end, column)] = RIGHT | (UP if end > start else DOWN)
    return cells


class Joins(Widget):
    """Quiet lines for all items, a bright one for the chosen item."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"join--quiet", "join--chosen"}
    DEFAULT_CSS = """
    Joins {
        width: 14;
        min-width: 1;
        height: 1fr;
        .join--quiet { text-style: dim; }
        .join--chosen { color: $text-accent; text-style: bold; }
        &:ansi {
            .join--chosen { color: ansi_yellow; text-style: bold; }
        }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._paths: Sequence[Path] = ()
        self._chosen: int | None = None

    def show(self, paths: Sequence[Path], chosen: int | None) -> None:
        """Join rows.

        Args:
            paths: pairs of rows.
            chosen: row at the left whose path is bright.
        """
        self._paths, self._chosen = paths, chosen
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One row of the lines."""
        base, width = self.rich_style, self.size.width
        quiet = base + self.get_component_rich_style("join--quiet", partial=True)
        bright = base + self.get_component_rich_style("join--chosen", partial=True)
        open_in, chosen = [0] * width, [0] * width
        for path, column in lanes(self._paths, width - 2).items():
            target = chosen if path[0] == self._chosen else open_in
            for (row, x), mask in draw(path, column + 1, width).items():
                if row == y:
                    target[x] |= mask
        cells = [
            Segment(_GLYPHS.get(mine or other, " "), bright if mine else quiet)
            for mine, other in zip(chosen, open_in, strict=True)
        ]
        return Strip(cells).adjust_cell_length(width, base)
