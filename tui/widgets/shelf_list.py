"""The models as rows: name, what for, parameters, size, speed here, and whether it is in use."""

from collections.abc import Mapping, Sequence
from math import isfinite

from llmrec.engine import ModelRow, Status
from llmrec.tui.messages import Pulling
from llmrec.tui.phrases import MINUTE, span
from llmrec.tui.text import fit
from llmrec.tui.widgets.row_list import Piece, RowList

_WIDE, _MIDDLE, _NARROW = 96, 72, 44
_STATE = 16
Column = tuple[str, str, int, bool]
"""Heading, text, cells, whether it stands at the right."""


class ShelfList(RowList):
    """Encoders, then writers; the cursor stays on its model."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: Sequence[ModelRow] = ()
        self._ranks = self._next = ""
        self.pulls: Mapping[str, Pulling] = {}
        """Downloads under way, by name."""
        self.faults: Mapping[str, str] = {}
        """What verifying found, by key; "" is whole."""
        self.made = ""
        """How much of the next encoder's vectors is there."""

    @property
    def rows(self) -> int:
        """How many models there are."""
        return len(self._rows)

    @property
    def current(self) -> ModelRow | None:
        """The model under the cursor."""
        return self._rows[self.cursor] if self.cursor < self.rows else None

    def show(self, rows: Sequence[ModelRow], status: Status, *, at: str = "") -> None:
        """Take the shelf as it is now; the cursor goes to the model of a name, or stays on its own."""
        wanted = at or (self.current.name if self.current else "")
        line = self.line_of_cursor
        self._rows = rows
        self._ranks, self._next = (id.partition("@")[0] for id in (status.encoder, status.next))
        self.rows_changed()
        found = [place for place, row in enumerate(rows) if row.name == wanted]
        self.place(found[0] if found else self.cursor, on_line=line)

    def empty(self) -> str:
        """The shelf is never empty for long."""
        return "looking at the models"

    def draw(self, row: int, width: int) -> list[list[Piece]]:
        """Measures in columns; under them what it is good for, or how far its download is."""
        model = self._rows[row]
        state, look = self._state(model)
        columns = _columns(model, width, state)
        pieces: list[Piece] = [
            (text.rjust(cells) if right else text.ljust(cells), look if text == state else "row--quiet")
            for _, text, cells, right in columns
        ]
        room = width - 2 - sum(cells for _, _, cells, _ in columns)
        cursor = ">" if row == self.cursor else " "
        first: list[Piece] = [(f"{cursor} ", "row--accent"), (fit(model.name, room), "row--strong"), *pieces]
        fault = self.faults.get(key_of(model), "")
        second = (fit(fault or self._facts(model, width), width - 3), "row--down" if fault else "row--quiet")
        return [first, [("  ", ""), second]]

    def _state(self, model: ModelRow) -> tuple[str, str]:
        pull = self.pulls.get(model.name)
        stem = model.path.stem if model.path else ""
        if pull is not None:
            return f"getting {part(pull.done, pull.total)}", "row--accent"
        if self.faults.get(key_of(model)):
            return "damaged", "row--down"
        if model.used:
            soon = f"soon, {self.made} there" if self.made else "in use soon"
            return (soon, "row--accent") if stem and stem == self._next else ("in use", "row--up")
        if stem and stem == self._ranks and self._next:
            return "until then", "row--accent"
        if model.part:
            return f"{part(model.part, model.size)} here", "row--quiet"
        whole = ", whole" if key_of(model) in self.faults else ""
        return f"{model.origin}{whole}", "row--quiet"

    def _facts(self, model: ModelRow, width: int) -> str:
        pull = self.pulls.get(model.name)
        if pull is not None:
            return f"{pull_words(pull)} · c stops it and keeps what has come"
        place = str(model.path) if model.path is not None and model.origin == "your own" else ""
        licence = "" if width >= _WIDE else model.licence
        return " · ".join(fact for fact in (model.use, licence, place) if fact)


def heading(width: int) -> str:
    """Names of the columns, where they stand at this width."""
    columns = _columns(None, width, "state")
    names = "".join(name.rjust(cells) if right else name.ljust(cells) for name, _, cells, right in columns)
    return "  model".ljust(max(0, width - len(names))) + names


def _columns(model: ModelRow | None, width: int, state: str) -> list[Column]:
    """As many columns as the width has room for; the state always stands last."""
    speed = f"{model.speed:,.0f}" if model is not None and model.speed else ""
    kind = ("for", f"{model.kind if model else ''}", 9, False)
    count = ("params", model.parameters if model else "", 7, True)
    size = ("size", bytes_in_words(model.size) if model else "", 10, True)
    fast = ("tokens/s", speed, 10, True)
    licence = ("  licence", f"  {fit(model.licence if model else '', 13)}", 15, False)
    last = ("  state", f"  {state}" if model is None else state, _STATE, False)
    gap: Column = ("", "", 2, False)
    if width >= _WIDE:
        return [kind, count, size, fast, licence, gap, last]
    if width >= _MIDDLE:
        return [kind, count, size, fast, gap, last]
    return [size, gap, last] if width >= _NARROW else [gap, last]


def key_of(model: ModelRow) -> str:
    """What tells two rows apart, and what the engine is asked by."""
    return str(model.path or model.name)


def part(done: int, total: int) -> str:
    """How much of a file is here: "34 %"."""
    return f"{100 * done // max(total, 1)} %"


def bytes_in_words(size: float) -> str:
    """A size: "25.0 MB", "1.11 GB"."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def pull_words(pull: Pulling) -> str:
    """How far, how fast, how long still."""
    far = f"{bytes_in_words(pull.done)} of {bytes_in_words(pull.total)}"
    return " · ".join([far, *([f"{bytes_in_words(pull.speed)}/s"] if pull.speed else []), *time_left(pull)])


def time_left(pull: Pulling) -> list[str]:
    """Time to go in words; nothing while it is not known."""
    if not isfinite(pull.left):
        return []
    return [f"{f'{pull.left:.0f} s' if pull.left < MINUTE else span(pull.left)} left"]
