"""All reasons for the rank of one item, over the list; under them, in a model's words, what they come to."""

from functools import partial

from textual.app import ComposeResult
from textual.containers import Vertical

from llmrec.engine import Item, Phrased
from llmrec.engine.wording import count
from llmrec.tui import actions
from llmrec.tui.messages import Explained, PhraseCame, Ranked
from llmrec.tui.phrases import signed
from llmrec.tui.screens.base import EngineModal, ItemScreen
from llmrec.tui.text import Part, Words
from llmrec.tui.widgets.footer import KeyLine
from llmrec.tui.widgets.page import Page
from llmrec.tui.widgets.why_lines import why_lines

_PIECES, _EVENTS = 12, 3
_GROUP = "phrase"


class WhyScreen(EngineModal, inherit_bindings=False):
    """Evidence as signed bars that sum to the score, and the rank without the strongest event."""

    BINDINGS = actions.bindings(actions.WHY_ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self._item: Item | None = None
        self._found: Explained | None = None
        self._below: ItemScreen | None = None

    def compose(self) -> ComposeResult:
        """Title, sum, reasons, a sentence, keys."""
        with Vertical(id="box"):
            yield Words(id="question")
            yield Words(id="sum")
            with Page(id="reasons"):
                yield Words(id="lines")
                yield Words(id="phrase")
            yield KeyLine(actions.WHY_ACTIONS)

    def about(self, item: Item) -> None:
        """Set the item; push the screen afterwards. A text under way below gives way to the sentence here."""
        self._item, self._found = item, None
        below = self.app.screen
        self._below = below if isinstance(below, ItemScreen) and not below.blurb.done else None
        if self._below is not None:
            self._below.look_away()

    def on_screen_resume(self) -> None:
        """Ask why."""
        assert self._item is not None
        self.query_one("#question", Words).say((self._item.title, "bold"))
        self.query_one("#sum", Words).say(("adding up the reasons", "dim"))
        self.query_one("#lines", Words).say("")
        self.query_one("#phrase", Words).say("")
        self.query_one("#reasons").focus()
        self._ask_why()

    def _ask_why(self) -> None:
        if self._item is not None:
            self.ask(partial(self.desk.asks.why, self._item.id, self.desk.for_you.view), group="why")

    def ranked(self, message: Ranked) -> None:
        """A key pressed just before this screen came has changed the list, and with it the reasons."""
        self._ask_why()

    def on_explained(self, message: Explained) -> None:
        """Reasons came: they are drawn at once, and phrased where there is a writer."""
        if self._item is not None and message.why.item == self._item.id:
            self._found = message
            self._draw()
            self.ask(partial(self.desk.asks.phrase, message.why), group=_GROUP)

    def on_phrase_came(self, message: PhraseCame) -> None:
        """More of the sentence, or its end."""
        if self._item is not None and message.phrased.item == self._item.id:
            self.query_one("#phrase", Words).say(*_said(message.phrased))

    def on_resize(self) -> None:
        """Bars take the new width."""
        self._draw()

    def action_back(self) -> None:
        """Leave; the writer stops here and goes on below."""
        self.workers.cancel_group(self, _GROUP)
        super().action_back()
        if self._below is not None:
            self._below.look(wait=0.01)

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


def _said(phrased: Phrased) -> list[Part]:
    """The sentence with its author, or why there is none."""
    if phrased.note:
        return [(f"{phrased.model}: {phrased.note}", "dim")]
    if not phrased.text:
        return [(f"{phrased.model} puts it into words", "dim")]
    facts = "checked against the lines above" if phrased.done else "being written"
    return [phrased.text, (f"\n{phrased.model} · {facts}", "dim")]
