"""The border between untrusted text and the screen; it alone makes drawable text.

Textual strips five control characters and passes the rest on to the terminal, and it reads square brackets as
markup. So every string that is drawn goes through `safe()` and is drawn as `Content`, never as markup.
"""

from functools import lru_cache
from unicodedata import combining

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.widgets import Static

from llmrec.engine import clean

Part = str | tuple[str, str]
"""A piece of a line: its text, or its text and a style such as "bold" or "dim"."""

LONG = 60_000
"""Characters of an item's text that the reading pane draws."""

_EDGE = " \n"

# Terminals disagree on the width of joined emoji and flags, so joins are left out and flags become letters: then each
# sign counts alone, and columns stay where they are.
_ALONE: dict[int, str | None] = {
    **dict.fromkeys([0x200D, 0xFE0E, 0xFE0F, 0x20E3, *range(0x1F3FB, 0x1F400)]),
    **{0x1F1E6 + place: chr(ord("A") + place) for place in range(26)},
}


def safe(text: str, *, multiline: bool = False, limit: int = 2_000) -> str:
    """`clean()` for drawing: keeps blanks and line breaks at both ends, so that pieces of a line can be joined."""
    core = text.strip(_EDGE)
    if not core:
        return text
    start = text[: len(text) - len(text.lstrip(_EDGE))]
    end = text[len(text.rstrip(_EDGE)) :]
    return start + clean(core, multiline=multiline, limit=limit).translate(_ALONE) + end


def laid_out(text: str) -> str:
    """`safe()` for text whose blanks are columns: left alone where there is nothing to clean."""
    harmless = text.isprintable() and (text.isascii() or not any(map(combining, text)))
    return text if harmless else safe(text)


@lru_cache(maxsize=2_048)
def fit(text: str, width: int, *, pad: bool = True) -> str:
    """One line of exactly `width` cells (at most, without `pad`); what does not fit ends in an ellipsis."""
    if width <= 0:
        return ""
    text = clean(text, limit=4 * width + 16).translate(_ALONE)
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + "…"
    return set_cell_size(text, width) if pad else text


def within_lines(text: str, width: int, most: int) -> str:
    """A text that wraps to at most `most` lines of `width` cells; what does not fit ends in an ellipsis."""
    rows = [row.plain for row in line(text).wrap(width)]
    if len(rows) <= most:
        return text
    return " ".join([*rows[: most - 1], fit(f"{rows[most - 1]} ", width - 1, pad=False).rstrip() + "…"])


def line(*parts: Part, limit: int = 2_000) -> Content:
    """Parts joined into content that no text of theirs can style, link or break."""
    return Content.assemble(*(_drawn(part, limit) for part in parts))


def _drawn(part: Part, limit: int) -> str | tuple[str, str]:
    if isinstance(part, str):
        return safe(part, multiline=True, limit=limit)
    text, style = part
    return safe(text, multiline=True, limit=limit), style


class Words(Static):
    """A widget that shows parts; the only text widget of this app."""

    def __init__(self, *parts: Part, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(line(*parts), id=id, classes=classes, markup=False)

    def say(self, *parts: Part, limit: int = 2_000) -> None:
        """Show these parts instead."""
        self.update(line(*parts, limit=limit))
