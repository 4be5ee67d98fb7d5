"""The reading pane: the whole text of one item. Time spent here is recorded when it is left."""

from urllib.parse import urlsplit

from textual.app import ComposeResult

from llmrec.engine import HalfLife, Item, Kind
from llmrec.tui import actions
from llmrec.tui.fresh import described
from llmrec.tui.messages import Explained
from llmrec.tui.screens.base import ItemScreen
from llmrec.tui.screens.choice import Answer
from llmrec.tui.text import LONG, Words
from llmrec.tui.widgets.blurb import Blurb
from llmrec.tui.widgets.footer import KeyLine
from llmrec.tui.widgets.header import Header, title_bits
from llmrec.tui.widgets.page import Page

GLANCE = 1.0
"""Seconds below which an opened item counts as not read."""


class Reader(ItemScreen, inherit_bindings=False):
    """One opened item; the screen is reused for every item."""

    BINDINGS = actions.bindings(actions.READER_ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self._item: Item | None = None
        self._since = 0.0

    def compose(self) -> ComposeResult:
        """Header, page, keys."""
        yield Header(id="header")
        with Page(id="page"):
            yield Words(id="title")
            yield Words(id="source")
            yield Words(id="address")
            yield Blurb(id="blurb")
            yield Words(id="text")
        yield KeyLine(actions.READER_ACTIONS, id="keys")

    def open(self, item: Item) -> None:
        """Set the item; push the screen afterwards."""
        self._item = item

    @property
    def here(self) -> Item | None:
        """The opened item."""
        return self._item

    @property
    def blurb(self) -> Blurb:
        """The text that the list showed for it."""
        return self.query_one(Blurb)

    def explained(self, message: Explained) -> None:
        """The reading pane shows how long the item stays worth reading, and no reasons; `w` does."""
        self._say_source(message.half_life)

    def _say_source(self, half_life: HalfLife | None) -> None:
        said = described(self._item, half_life, self.desk.clock(), tags=8)
        self.query_one("#source", Words).say((said, "dim"))

    def on_screen_resume(self) -> None:
        """Show the item, unless a screen over this one was closed."""
        item = self._item
        assert item is not None
        if self.blurb.item is item:
            return
        self._since = self.desk.timer()
        self.query_one(Header).show(title_bits("Reading"))
        self.query_one("#title", Words).say((item.title, "bold"))
        self._say_source(None)
        address = self.query_one("#address", Words)
        address.say((item.url or "", "$text-accent"))
        address.display = bool(item.url)
        keys = actions.READER_ACTIONS if item.url else actions.READER_ACTIONS[1:]
        self.query_one(KeyLine).show_actions(keys)
        self.query_one("#text", Words).say(item.text or "this item has no text", limit=LONG)
        self.blurb.start(item)
        self.query_one("#page").focus()
        self.query_one("#page", Page).scroll_home(animate=False)
        self.look(wait=0.01)

    def action_back(self) -> None:
        """Return to the list, and keep how long the item was read."""
        seconds = self.desk.timer() - self._since
        self.look_away()
        self.blurb.start(None)
        self.app.pop_screen()
        if self._item is not None and seconds >= GLANCE:
            self.desk.for_you.record(self._item, Kind.DWELL, round(seconds, 1))

    def action_mark(self, kind: str) -> None:
        """Like, dislike, save or skip; what leaves the list is left here too."""
        super().action_mark(kind)
        if kind in ("dislike", "skip"):
            self.action_back()

    def action_browse(self) -> None:
        """Show the address, then open it."""
        url = self._item.url if self._item else None
        if url is None:
            self.desk.toast("This item has no address")
        elif not is_web(url):
            self.desk.toast("Only http and https addresses are opened")
        else:
            question = self.desk.choice.put("Open this address in the browser?", url, [Answer("o", "open", url)])
            self.app.push_screen(question, self._browse)

    def _browse(self, url: str | None) -> None:
        if url:
            self.app.open_url(url)


def is_web(url: str) -> bool:
    """Whether an address may be given to the browser."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and url.isprintable() and " " not in url
