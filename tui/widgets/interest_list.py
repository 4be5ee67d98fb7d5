"""The interests as rows: words, weight now and always, trend, medoid, half-life and when it was last fed."""

from collections.abc import Callable, Sequence
from math import isinf

from llmrec.engine import Interest
from llmrec.tui.phrases import ago, bar, quoted, share, span, sparkline
from llmrec.tui.text import fit
from llmrec.tui.widgets.row_list import Piece, RowList

_BAR, _WEEKS = 8, 12
_WIDE, _MIDDLE = 72, 44


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
        measures = [piece for group in _groups(interest, width) for piece in group]
        cells = sum(len(text) for text, _ in measures)
        if interest.is_less:
            measures = [(" " * cells, "")]
        room = width - 2 - cells
        first: list[Piece] = [(cursor, "row--accent"), (fit(words, room), "row--strong"), *measures]
        second: list[Piece] = [("  ", ""), (fit(self._facts(interest), width - 3), "row--quiet")]
        return [first, second, []]

    def _facts(self, interest: Interest) -> str:
        fed = ago(max(0.0, self._clock() - interest.last_fed))
        if interest.is_less:
            return f"{interest.state} · typed {fed} · X takes it back"
        facts = [interest.state] if interest.state else []
        if interest.named_by:
            facts.append(f"named by {interest.named_by}")
        facts.append("does not fade" if isinf(interest.half_life) else f"halves in {span(interest.half_life)}")
        facts.append(f"last fed {fed}")
        if interest.medoid is None:
            facts.append("added by words")
        else:
            facts.append(f"nearest {quoted(self._titles.get(interest.medoid, interest.medoid), 60)}")
        return " · ".join(facts)


def heading(width: int) -> str:
    """Names of the columns, where they stand at this width."""
    names = ["now", "always", "twelve weeks"] if width >= _WIDE else ["now", "always"] if width >= _MIDDLE else ["now"]
    blank = Interest("", (), None, 0.0, 0.0, 1.0, 0.0)
    cells = [len("".join(text for text, _ in group)) for group in _groups(blank, width)]
    columns = [
        f"  {name}".ljust(size) if size > 8 else name.rjust(size) for name, size in zip(names, cells, strict=True)
    ]
    return "  interest".ljust(max(0, width - sum(cells))) + "".join(columns)


def _groups(interest: Interest, width: int) -> list[list[Piece]]:
    """Now, always and trend, as many and as wide as the width allows; they end one cell before the border."""
    now = _weight(interest.now, "row--accent")
    always = _weight(interest.always, "row--other")
    trend: list[Piece] = [("  ", ""), (sparkline(interest.trend, _WEEKS), "row--quiet"), (" ", "")]
    if width >= _WIDE:
        return [now, always, trend]
    if width >= _MIDDLE:
        return [now, [("  ", ""), (f"{share(interest.always):>6} ", "row--other")]]
    return [[("  ", ""), (f"{share(interest.now):>5} ", "row--accent")]]


def _weight(weight: float, look: str) -> list[Piece]:
    return [("  ", ""), (f"{bar(weight, _BAR):<{_BAR}}{share(weight):>6}", look)]
