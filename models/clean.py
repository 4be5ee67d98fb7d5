"""The one cleaner of untrusted text: items, feeds, file names, and the model's own words.

Textual and Rich write unknown control characters to the terminal as they are, so an item title could set the
clipboard, move the cursor or spoof a link. Everything that is stored or drawn passes through `clean()`.
"""

import re
import unicodedata

_LINE_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_FORBIDDEN = re.compile(
    "["
    "\x00-\x08\x0e-\x1f\x7f-\x9f"  # C0 without tab and newline, DEL, C1
    "\u00ad\u061c\u180e"  # soft hyphen, Arabic letter mark, Mongolian vowel separator
    "\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"  # zero-width and bidirectional controls
    "\ufff9-\ufffb"  # interlinear annotation
    "\ud800-\udfff"  # lone surrogates
    "\ufdd0-\ufdef\ufffe\uffff"  # non-characters
    "\U000e0000-\U000e0fff"  # tag characters and the rest of their plane's start
    "]"
)
_EMOJI_JOINER = "\u200d"
_JOINER_OUTSIDE_EMOJI = re.compile(
    r"(?<![\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d|\u200d(?![\u2190-\u2bff\U0001f000-\U0001faff])"
)
_SPACES = re.compile(r"[^\S\n]+")
_MANY_BREAKS = re.compile(r"\n{3,}")
_MAX_MARKS = 2
"""Combining marks kept per base character; more is "zalgo" that spills over neighbouring rows."""


def clean(text: str, *, multiline: bool = False, limit: int = 2_000) -> str:
    """Make text safe to store, draw and tokenise.

    Normalises to NFC, drops control, bidirectional, zero-width and tag characters, lone surrogates and
    non-characters, keeps at most two combining marks per base, and collapses runs of white space. Never
    raises; `clean(clean(t)) == clean(t)`; the result is never longer than `limit` characters.

    Args:
        text: anything at all.
        multiline: keep line breaks (at most one empty line in a row); otherwise they become spaces.
        limit: characters kept.
    """
    text = _LINE_BREAKS.sub("\n", text[: limit * 8])
    text = _FORBIDDEN.sub("", text)
    text = unicodedata.normalize("NFC", text)
    text = _JOINER_OUTSIDE_EMOJI.sub("", _cap_marks(text))
    if not multiline:
        text = text.replace("\n", " ")
    text = _SPACES.sub(" ", text)
    text = "\n".join(line.strip() for line in text.split("\n"))
    text = _MANY_BREAKS.sub("\n\n", text).strip()
    return text if len(text) <= limit else _cut(text, limit)


def _cap_marks(text: str) -> str:
    """At most `_MAX_MARKS` combining marks in a row."""
    if text.isascii():
        return text
    kept: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks <= _MAX_MARKS:
            kept.append(char)
    return "".join(kept)


def _cut(text: str, limit: int) -> str:
    """Keep the first `limit` characters, without a dangling joiner or space at the end."""
    return text[:limit].rstrip().rstrip(_EMOJI_JOINER).rstrip()
