"""The pane at the right: the item under the cursor, its text, why it stands there, and the interests."""

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.reactive import var

from llmrec.engine import Interest, Item
from llmrec.tui.fresh import stays_fresh
from llmrec.tui.messages import Explained
from llmrec.tui.phrases import about
from llmrec.tui.text import Words
from llmrec.tui.widgets.blurb import Blurb
from llmrec.tui.widgets.interest_lines import interest_lines
from llmrec.tui.widgets.why_lines import why_lines

_REASONS = 4
_INTERESTS = 3
"""Interests named at least; more where there is room."""


class Detail(Vertical):
    """Everything about one row that fits beside the list; under it where the window is narrow."""

    item: var[Item | None] = var(None)
    """The item under the cursor."""
    why: var[Explained | None] = var(None)
    """Why it stands where it stands, once known."""
    interests: var[tuple[Interest, ...]] = var(())
    """The interest model, strongest first."""

    def __init__(self, clock: Callable[[], float], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock
        self.blurb = Blurb()

    def compose(self) -> ComposeResult:
        """Title, source, text and author, reasons, interests."""
        with VerticalScroll(id="about", can_focus=False):
            yield Words(id="title")
            yield Words(id="source")
            yield Words(id="fresh")
            yield self.blurb
            yield Words(id="why")
        yield Words(id="interests")

    def watch_item(self, item: Item | None) -> None:
        """Another row: its own words at once, reasons and texts when they come."""
        self.query_one("#title", Words).say((item.title if item else "", "bold"))
        self.query_one("#source", Words).say((about(item, self._clock(), tags=4) if item else "", "dim"))
        self.blurb.start(item)
        self.why = None

    def watch_why(self, found: Explained | None) -> None:
        """Draw the reasons."""
        words = self.query_one("#why", Words)
        self.query_one("#fresh", Words).say((stays_fresh(found.half_life) if found else "", "dim"))
        if found is None:
            words.say(("why", "dim"), "  " if self.item else "")
            return
        width = words.content_size.width or 40
        lines = why_lines(found.why, found.titles, self.interests, self._clock(), width=width, most=_REASONS)
        words.say(("why\n", "dim"), *lines)

    def watch_interests(self, interests: tuple[Interest, ...]) -> None:
        """Draw the interests, and the reasons that are put together by them."""
        self.watch_why(self.why)
        words = self.query_one("#interests", Words)
        width, height = words.content_size
        words.say(*interest_lines(interests, width=width or 40, most=max(_INTERESTS, height - 2)))

    def on_resize(self) -> None:
        """Bars and columns take the new width."""
        self.watch_interests(self.interests)
