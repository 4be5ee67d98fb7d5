"""The interests as rows: words, weight now and always, trend, medoid, half-life and when it was last fed."""

from collections.abc import Callable, Sequence

from llmrec.engine import Interest
from llmrec.tui.phrases import ago, bar, quoted, share, span, sparkline
from llmrec.tui.text import fit
from llmrec.tui.widgets.row_list import Piece, RowList

_BAR, _WEEKS = 8, 12


class InterestList(RowList):
    """Interests, strongest first; the cursor stays on its interest."""

    def __init__(self, clock: Callable[[], float], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock
        self._interests: Sequence[Interest] = ()
        self._titles: dict[str, str] = {}

    @property
    def rows(self) -> int:
        """How many interests there are."""
        return len(self._interests)

    @property
    def current(self) -> Interest | None:
        """The interest under the cursor."""
        return self._interests[self.cursor] if self.cursor < self.rows else None

    def show(self, interests: Sequence[Interest], titles: dict[str, str]) -> None:
        """Take the interest model as it is now."""
        held, line = self.current, self.line_of_cursor
        self._interests, self._titles = interests, titles
        self.rows_changed()
        rows = [row for row, interest in enumerate(interests) if held is not None and interest.id == held.id]
        self.place(rows[0] if rows else self.cursor, on_line=line)

    def empty(self) -> str:
        """What fills it."""
        return "no interests yet: l on a row of the list starts one, a adds one by words"

    def draw(self, row: int, width: int) -> list[list[Piece]]:
        """Words, bars and trend; under them medoid, half-life and last feeding."""
        interest = self._interests[row]
        cursor = (">" if row == self.cursor else " ") + " "
        words = ", ".join(interest.words) or "unnamed"
        measures = _measures(interest, width)
        room = width - 2 - sum(len(text) for text, _ in measures)
        first: list[Piece] = [(cursor, "row--accent"), (fit(words, room), "row--strong"), *measures]
        second: list[Piece] = [("  ", ""), (fit(self._facts(interest), width - 3), "row--quiet")]
        return [first, second, []]

    def _facts(self, interest: Interest) -> str:
        facts = []
        if interest.state:
            facts.append(interest.state)
        if interest.medoid is not None:
            facts.append(f"like {quoted(self._titles.get(interest.medoid, interest.medoid))}")
        else:
            facts.append("added by words")
        facts.append(f"halves in {span(interest.half_life)}" if interest.state != "frozen" else "does not fade")
        facts.append(f"last fed {ago(max(0.0, self._clock() - interest.last_fed))}")
        return " · ".join(facts)


def _measures(interest: Interest, width: int) -> list[Piece]:
    """Bars and trend, as many as the width allows; they end one cell before the border."""
    now = [(bar(interest.now, _BAR).ljust(_BAR), "row--accent"), (f"{share(interest.now):>6} ", "row--accent")]
    always = [(f" {bar(interest.always, _BAR).ljust(_BAR)}", ""), (f"{share(interest.always):>6} ", "")]
    trend = [(f" {sparkline(interest.trend, _WEEKS)} ", "row--quiet")]
    if width >= 76:
        return [("  ", ""), *now, *always, *trend]
    if width >= 44:
        return [("  ", ""), *now, *always[1:]]
    return [("  ", ""), now[1]]
