"""The text that stands for an item, and who wrote it."""

from textual.app import ComposeResult
from textual.containers import Vertical

from llmrec.engine import Item, Written
from llmrec.tui.phrases import author
from llmrec.tui.text import Words, within_lines

_OWN = 280
"""Characters of the item's own text shown until the engine has chosen a text."""


class Blurb(Vertical):
    """One candidate text with its author line; never a text without saying whose it is."""

    DEFAULT_CSS = """
    Blurb { height: auto; }
    Blurb Words { height: auto; width: 1fr; }
    Blurb .author { text-style: dim; height: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = Words(classes="text")
        self._author = Words(classes="author")
        self._written: Written | None = None
        self._picked: int | None = None
        self._item: Item | None = None
        self._lines: int | None = None
        self._width = 0

    def compose(self) -> ComposeResult:
        """The text, and its author under it."""
        yield self._text
        yield self._author

    @property
    def text(self) -> str:
        """The text on screen."""
        if self._written and self._written.candidates:
            return self._written.candidates[self._candidate].text
        return self._item.text[:_OWN] if self._item else ""

    @property
    def item(self) -> Item | None:
        """The item that the text stands for."""
        return self._item

    @property
    def done(self) -> bool:
        """The text has been chosen."""
        return self._written is not None and self._written.done

    @property
    def _candidate(self) -> int:
        assert self._written is not None
        wanted = self._written.chosen if self._picked is None else self._picked
        return wanted % len(self._written.candidates)

    def limit(self, lines: int | None) -> None:
        """Cut longer texts, so that in a low pane whose words they are is still seen; None for no limit."""
        if lines != self._lines:
            self._lines = lines
            self._draw()

    def on_resize(self) -> None:
        """Cut for the new width."""
        if self._lines and self._width != self._text.content_size.width:
            self._draw()

    def start(self, item: Item | None) -> None:
        """Show an item's own words until a text comes."""
        self._item, self._written, self._picked = item, None, None
        self._draw()

    def take(self, written: Written) -> None:
        """Show what was written; a picked candidate stays picked while more words come."""
        self._written = written
        self._draw()

    def next(self) -> bool:
        """Show the next candidate; False where there is no other."""
        if self._written is None or len(self._written.candidates) < 2:
            return False
        self._picked = (self._candidate + 1) % len(self._written.candidates)
        self._draw()
        return True

    def _draw(self) -> None:
        if self._item is None:
            self._text.say("")
            self._author.say("")
        elif self._written and self._written.candidates:
            self._text.say(self._fitting(self.text))
            self._author.say(author(self._written, self._candidate))
        else:
            text = self._item.text
            self._text.say(self._fitting(text if len(text) <= _OWN else text[:_OWN].rstrip() + "…"))
            self._author.say("item's own words" if text else "this item has only a title")

    def _fitting(self, text: str) -> str:
        self._width = self._text.content_size.width
        return within_lines(text, self._width, self._lines) if self._lines and self._width else text
