"""BERT's basic tokenizer: text into the words that WordPiece then cuts.

llama.cpp's own splitting differs from it in corners (format characters, words of more than 100 letters), and one
different token moves a vector. Source: https://github.com/google-research/bert/blob/master/tokenization.py, with
the corrections of https://github.com/huggingface/tokenizers (BERT normalizer and pre-tokenizer).
"""

import re
import unicodedata
from enum import Enum
from functools import lru_cache

MAX_WORD = 100
"""Longer words are one unknown token."""

_ASCII_WORD = re.compile(r"[0-9A-Za-z]+|[!-/:-@\[-`{-~]")
_ASCII_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class _Kind(Enum):
    LETTER = 0
    SPACE = 1
    ALONE = 2
    DROPPED = 3


def words(text: str, *, limit: int, lowercase: bool = True, strip_accents: bool = True) -> list[str]:
    """Cut a text into words and single punctuation marks.

    Args:
        text: anything; only as much as `limit` words of `MAX_WORD` letters can fill is looked at.
        limit: words wanted at most; each gives at least one token, so the token cap is enough.
        lowercase: lower the case.
        strip_accents: decompose, and drop combining marks.
    """
    text = text.lstrip()[: limit * (MAX_WORD + 1)]
    if text.isascii():
        text = _ASCII_CONTROL.sub("", text)
        return _ASCII_WORD.findall(text.lower() if lowercase else text)[:limit]
    return _split(_normalise(text, lowercase, strip_accents))[:limit]


def _normalise(text: str, lowercase: bool, strip_accents: bool) -> str:
    """Clean, set ideographs apart, decompose and lower: in the order of the original."""
    text = "".join(_spaced(char) for char in text if _kind(char) is not _Kind.DROPPED)
    if strip_accents:
        text = "".join(char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char) != "Mn")
    # letter by letter: str.lower() knows the final sigma, BERT does not
    return "".join(map(str.lower, text)) if lowercase else text


def _spaced(char: str) -> str:
    """Set an ideograph apart from its neighbours."""
    return f" {char} " if _is_cjk(char) else char


def _split(text: str) -> list[str]:
    """Words between spaces, punctuation marks on their own."""
    found: list[str] = []
    word: list[str] = []
    for char in text:
        kind = _kind(char)
        if kind in (_Kind.LETTER, _Kind.DROPPED):
            word.append(char)
            continue
        if word:
            found.append("".join(word))
            word = []
        if kind is _Kind.ALONE:
            found.append(char)
    if word:
        found.append("".join(word))
    return found


@lru_cache(maxsize=8192)
def _kind(char: str) -> _Kind:
    """How BERT treats a character."""
    category = unicodedata.category(char)
    if char in "\t\n\r":
        return _Kind.SPACE
    if char == "\ufffd" or category in ("Cc", "Cf", "Co", "Cs"):
        return _Kind.DROPPED
    if char.isspace():
        return _Kind.SPACE
    if category.startswith("P") or (char.isascii() and not char.isalnum()):
        return _Kind.ALONE
    return _Kind.LETTER


@lru_cache(maxsize=8192)
def _is_cjk(char: str) -> bool:
    code = ord(char)
    return code >= 0x3400 and any(first <= code <= last for first, last in _CJK)
