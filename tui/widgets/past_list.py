"""A short list of titles for the time machine; it shows as many as fit and does not scroll."""

from collections.abc import Sequence

from llmrec.engine import ItemId, Recommendation
from llmrec.tui.phrases import move
from llmrec.tui.text import fit
from llmrec.tui.widgets.row_list import Piece, RowList


class PastList(RowList):
    """Rank and title; where it stands alone, also how far the item has moved since."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._all: Sequence[Recommendation] = ()
        self.since: dict[ItemId, int] | None = None
        """Places risen since, by item; None draws no such column."""
        self.chosen: ItemId | None = None
        """An item to mark although the cursor is elsewhere."""
        self.nothing = ""

    @property
    def rows(self) -> int:
        """As many as fit."""
        return min(len(self._all), self.scrollable_content_region.height)

    @property
    def current(self) -> ItemId | None:
        """The item under the cursor."""
        return self._all[self.cursor].id if self.cursor < self.rows else None

    @property
    def shown(self) -> Sequence[Recommendation]:
        """The rows that fit."""
        return self._all[: self.rows]

    def at(self, row: int) -> ItemId:
        """The item of a row."""
        return self._all[row].id

    def show(self, found: Sequence[Recommendation]) -> None:
        """Show other rows."""
        self._all = found
        self.rows_changed()

    def row_of(self, id: ItemId | None) -> int | None:
        """Row of an item in sight."""
        rows = [row for row in range(self.rows) if self._all[row].id == id]
        return rows[0] if rows else None

    def empty(self) -> str:
        """Why it is empty."""
        return self.nothing

    def draw(self, row: int, width: int) -> list[list[Piece]]:
        """One line."""
        found = self._all[row]
        chosen = found.id == (self.chosen if self.chosen is not None else self.current)
        pieces: list[Piece] = [(">" if chosen else " ", "row--accent"), (f"{found.rank:>3} ", "row--quiet")]
        if self.since is not None and width > 30:
            places = self.since.get(found.id)
            pieces.append((f"{'gone' if places is None else move(places):>4} ", "row--quiet"))
        room = width - sum(len(text) for text, _ in pieces) - 1
        return [[*pieces, (fit(found.title, room), "row--strong" if chosen else "")]]
