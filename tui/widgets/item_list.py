"""The ranked list: rank, rank change, title, source and marks, at any length."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt
from textual.message import Message
from textual.timer import Timer

from llmrec.engine import NEW, Batch, Item, ItemId, Kind
from llmrec.tui.phrases import DONE, SIGN, about, move
from llmrec.tui.text import fit
from llmrec.tui.widgets.row_list import Piece, RowList

KEPT_ROWS = 4_096
"""Rows whose items stay in memory; the others are read again when they come into sight."""
LATE = 0.08
"""Seconds after which a row shows its mark although the engine has not answered yet."""
_NARROW = 18
"""Cells below which a row is its title alone."""


class ItemList(RowList):
    """Items in the order of the newest batch; the cursor belongs to an item, not to a row."""

    class RowsWanted(Message):
        """Rows came into sight whose items are not here."""

        def __init__(self, ids: list[ItemId]) -> None:
            super().__init__()
            self.ids = ids

    def __init__(self, clock: Callable[[], float], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock
        self._ids: Sequence[ItemId] = ()
        self._moves: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self._explore: frozenset[ItemId] = frozenset()
        self._folded: dict[ItemId, tuple[ItemId, ...]] = {}
        self._items: dict[ItemId, Item] = {}
        self._late: Timer | None = None
        self.marks: dict[ItemId, Kind] = {}
        self._nothing = ""

    # State.

    @property
    def rows(self) -> int:
        """How many items are listed."""
        return len(self._ids)

    @property
    def ids(self) -> Sequence[ItemId]:
        """Items, best first."""
        return self._ids

    @property
    def current(self) -> ItemId | None:
        """The item under the cursor."""
        return self._ids[self.cursor] if self.cursor < len(self._ids) else None

    def item(self, id: ItemId) -> Item | None:
        """An item, if it is here."""
        return self._items.get(id)

    def show(self, batch: Batch, *, follow: ItemId | None, top: bool = False) -> None:
        """Take a new order.

        Args:
            batch: the order, and how far each item moved.
            follow: item that keeps the cursor, on the same line of the screen; None or an item that is not listed
                leaves the cursor on its row.
            top: start at the first row instead.
        """
        if self._late is not None:
            self._late.stop()
        line = self.line_of_cursor
        self._ids, self._moves = batch.ids, batch.moves
        self._explore, self._folded = batch.explore, batch.folded
        self.rows_changed()
        if top:
            self.place(0, on_line=0)
        else:
            self.place(_row_of(self._ids, follow, self.cursor), on_line=line)
        self.want_rows()

    def expect(self, id: ItemId, mark: Kind, *, leaves: bool) -> None:
        """Do what the engine will answer: mark a row or drop it, so that the next key meets the next row.

        It is painted only where the answer takes long, because painting would take the time that the answer needs.
        """
        self.marks[id] = mark
        row = _row_of(self._ids, id, -1)
        if leaves and row >= 0:
            self._ids = [*self._ids[:row], *self._ids[row + 1 :]]
            self._moves = np.delete(self._moves, row)
            self.set_reactive(RowList.cursor, min(self.cursor, max(0, self.rows - 1)))
        self._late = self.set_timer(LATE, self._paint_late)

    def _paint_late(self) -> None:
        self.rows_changed()
        self.place(self.cursor)

    def say_nothing(self, why: str) -> None:
        """What to say while no item is listed."""
        self._nothing = why
        self.refresh()

    def take_items(self, items: Iterable[Item]) -> None:
        """Items of rows that are or will be in sight."""
        if len(self._items) > KEPT_ROWS:
            seen = {self._ids[row] for row in self.in_sight}
            self._items = {id: item for id, item in self._items.items() if id in seen}
        self._items.update((item.id, item) for item in items)
        self.refresh()

    def want_rows(self) -> None:
        """Ask for what is missing in sight and a page either way."""
        seen = self.in_sight
        if any(self._ids[row] not in self._items for row in seen):
            around = range(max(0, seen.start - len(seen)), min(self.rows, seen.stop + len(seen)))
            self.post_message(self.RowsWanted([id for row in around if (id := self._ids[row]) not in self._items]))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """New rows came into sight."""
        super().watch_scroll_y(old_value, new_value)
        self.want_rows()

    def on_resize(self) -> None:
        """More rows may be in sight."""
        super().on_resize()
        self.want_rows()

    # Drawing.

    def empty(self) -> str:
        """The note of an empty list."""
        return self._nothing

    def draw(self, row: int, width: int) -> list[list[Piece]]:
        """Rank, change and title; under them the source, and what was done."""
        id = self._ids[row]
        item = self._items.get(id)
        title = item.title if item else "…"
        if width < _NARROW:
            return [[(fit(title, width), "")]]
        strong = "row--strong" if row == self.cursor else ""
        head = self._head(row)
        indent = sum(len(text) for text, _ in head)
        if self.row_height == 1:
            badge = self._badge(id, short=True)
            room = width - indent - len(badge) - 1
            return [[*head, (fit(title, room), strong), (f" {badge}", "row--accent")]]
        badge = self._badge(id)
        meta = about(item, self._clock()) if item else ""
        room = width - indent - len(badge) - 3
        if room < 0:
            badge, room = "", width - indent - 3
        return [
            [*head, (fit(title, width - indent - 1), strong), (" ", "")],
            [(" " * indent, ""), (fit(meta, room), "row--quiet"), (f"  {badge} ", "row--accent")],
        ]

    def _head(self, row: int) -> list[Piece]:
        digits = max(2, len(str(self.rows)))
        places = int(self._moves[row]) if row < len(self._moves) else 0
        look = "row--quiet" if places == 0 else "row--new" if places == NEW else f"row--{_way(places)}"
        cursor = ">" if row == self.cursor else " "
        return [
            (f"{cursor} ", "row--accent"),
            (f"{row + 1:>{digits}} ", "row--quiet"),
            (f"{move(places):>4}  ", look),
        ]

    def _badge(self, id: ItemId, *, short: bool = False) -> str:
        kind = self.marks.get(id)
        if short:
            return SIGN[kind] if kind else "✦" if id in self._explore else " "
        badges = []
        if alike := self._folded.get(id):
            badges.append(f"+{len(alike)} alike")
        if id in self._explore:
            badges.append("✦ explore")
        if kind:
            badges.append(f"{SIGN[kind]} {DONE[kind]}")
        return "  ".join(badges)


def _way(places: int) -> str:
    return "up" if places > 0 else "down"


def _row_of(ids: Sequence[ItemId], id: ItemId | None, default: int) -> int:
    """Row of an item, or `default` where it is not listed."""
    if id is None:
        return default
    try:
        return ids.index(id)
    except ValueError:
        return default
