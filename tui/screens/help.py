"""Every key that works on the screen below: type to find, enter to run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from llmrec.tui.actions import HELP_ACTIONS, OPEN
from llmrec.tui.text import Words, fit
from llmrec.tui.widgets.footer import KeyLine
from llmrec.tui.widgets.row_list import Piece, RowList

_KEY = 12


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that keys do."""

    keys: tuple[str, ...]
    """Names of the keys, the first one runs it."""
    sign: str
    """The keys as people write them."""
    words: str
    tooltip: str

    def matches(self, words: str) -> bool:
        """Whether every word stands somewhere in it."""
        text = f"{self.sign} {self.words} {self.tooltip}".lower()
        return all(word in text for word in words.lower().split())


def entries(screen: Screen[object]) -> list[Entry]:
    """What the keys of a screen do, in the order of its bindings, moving about last."""
    found: dict[str, list[Binding]] = {}
    for active in screen.active_bindings.values():
        if active.enabled and active.binding.tooltip:
            found.setdefault(active.binding.id or active.binding.action, []).append(active.binding)
    # What changes something first, moving about last.
    ordered = sorted(found, key=lambda id: id.startswith(("row.", "page.")))
    return [_entry(screen, found[id]) for id in ordered]


def _entry(screen: Screen[object], same: Sequence[Binding]) -> Entry:
    signs = dict.fromkeys(screen.app.get_key_display(binding).replace("⏎", OPEN.sign) for binding in same)
    return Entry(tuple(b.key for b in same), " ".join(signs), same[0].description, same[0].tooltip)


class _Keys(RowList, inherit_bindings=False):
    """Keys, words and sentences."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Entry] = []
        self.can_focus = False

    @property
    def rows(self) -> int:
        """How many match."""
        return len(self.shown)

    def empty(self) -> str:
        """Nothing matches."""
        return "no key does that here"

    def draw(self, row: int, width: int) -> list[list[Piece]]:
        """Key, then what it does."""
        entry = self.shown[row]
        return [[(f" {fit(entry.sign, _KEY)} ", "row--accent"), (fit(entry.tooltip, width - _KEY - 3), "")]]


class HelpScreen(ModalScreen[None], inherit_bindings=False):
    """Help that can be searched and run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "back", id="help.back"),
        Binding("down,ctrl+n", "step(1)", "down", id="help.down", priority=True),
        Binding("up,ctrl+p", "step(-1)", "up", id="help.up", priority=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._all: list[Entry] = []
        self._keys = _Keys()

    def compose(self) -> ComposeResult:
        """A line to type in, the keys, and how to leave."""
        with Vertical(id="box"):
            yield Words(("Keys that work here", "bold"), id="question")
            yield Input(placeholder="type to find, enter runs it", max_length=60, compact=True)
            yield self._keys
            yield KeyLine(HELP_ACTIONS)

    def about(self, screen: Screen[object]) -> None:
        """Set the screen to explain; push this one afterwards."""
        self._all = entries(screen)

    def on_screen_resume(self) -> None:
        """Start with all keys."""
        line = self.query_one(Input)
        line.value = ""
        line.focus()
        self._find("")

    def _find(self, words: str) -> None:
        self._keys.shown = [entry for entry in self._all if entry.matches(words)]
        self._keys.rows_changed()
        self._keys.place(0, on_line=0)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._find(event.value)

    def action_step(self, rows: int) -> None:
        """Choose another key."""
        self._keys.action_step(rows)

    @on(Input.Submitted)
    @on(RowList.Chosen)
    def _run(self) -> None:
        """Leave, then press the key on the screen below."""
        if self._keys.shown:
            key = self._keys.shown[self._keys.cursor].keys[0]
            self.dismiss()
            self.app.call_later(self.app.simulate_key, key)
