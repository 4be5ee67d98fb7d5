"""All reasons for the rank of one item, over the list."""

from functools import partial

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll

from llmrec.engine import Item
from llmrec.tui import actions
from llmrec.tui.messages import Explained
from llmrec.tui.phrases import count, signed
from llmrec.tui.screens.base import EngineModal
from llmrec.tui.text import Words
from llmrec.tui.widgets.footer import KeyLine
from llmrec.tui.widgets.why_lines import why_lines

_PIECES, _EVENTS = 12, 3


class WhyScreen(EngineModal, inherit_bindings=False):
    """Evidence as signed bars that sum to the score, and the rank without the strongest event."""

    BINDINGS = actions.bindings(actions.WHY_ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self._item: Item | None = None
        self._found: Explained | None = None

    def compose(self) -> ComposeResult:
        """Title, sum, reasons, keys."""
        with Vertical(id="box"):
            yield Words(id="question")
            yield Words(id="sum")
            with VerticalScroll(id="reasons"):
                yield Words(id="lines")
            yield KeyLine(actions.WHY_ACTIONS)

    def about(self, item: Item) -> None:
        """Set the item; push the screen afterwards."""
        self._item, self._found = item, None

    def on_screen_resume(self) -> None:
        """Ask why."""
        assert self._item is not None
        self.query_one("#question", Words).say((self._item.title, "bold"))
        self.query_one("#sum", Words).say(("adding up the reasons", "dim"))
        self.query_one("#lines", Words).say("")
        self.query_one("#reasons").focus()
        self.ask(partial(self.desk.asks.why, self._item.id, self.desk.for_you.view), group="why")

    def on_explained(self, message: Explained) -> None:
        """Reasons came."""
        if self._item is not None and message.why.item == self._item.id:
            self._found = message
            self._draw()

    def on_resize(self) -> None:
        """Bars take the new width."""
        self._draw()

    def _draw(self) -> None:
        if self._found is None:
            return
        why = self._found.why
        facts = f"rank {why.rank} · score {signed(why.score)}, the sum of {count(len(why.reasons), 'part')}"
        self.query_one("#sum", Words).say((facts, "dim"))
        lines = self.query_one("#lines", Words)
        width = lines.content_size.width or 40
        interests, now = self.desk.for_you.interests, self.desk.clock()
        parts = why_lines(why, self._found.titles, interests, now, width=width, most=_PIECES, events=_EVENTS)
        lines.say(*parts)
