"""Sentences of a text, and whether what was written about it is grounded in it: one definition for app and training."""

import re

_SENTENCE_END = re.compile(r'(?<=[.!?…])["\')\]’”]*\s+(?=["\'(\[‘“]?[A-Z0-9À-Þ])|(?<=[。！？])|\n+')
_ABBREVIATED = r"Mr|Mrs|Ms|Dr|St|Prof|Jr|Sr|vs|No|Vol|ca|approx|et al|e\.g|i\.e|U\.S|U\.K"
_NOT_AN_END = re.compile(rf"(?:\b(?:{_ABBREVIATED})|\b[A-Z])\.$")
_END = re.compile(r"[.!?…](?=\s)")
_MIN_WORDS, MAX_CHARS = 5, 400
_NAME_OR_NUMBER = re.compile(r"\d[\d.,]*|(?<![.!?…]\s)(?<!^)\b[A-Z][\w’'-]+")


def sentences(text: str) -> list[str]:
    """The sentences of a text that can stand alone, in order; abbreviations do not end one."""
    parts: list[str] = []
    for piece in _SENTENCE_END.split(text):
        if parts and _NOT_AN_END.search(parts[-1]):
            parts[-1] += " " + piece.strip()
        elif piece.strip():
            parts.append(piece.strip())
    return [s for s in parts if len(s) <= MAX_CHARS and (len(s.split()) >= _MIN_WORDS or len(s) > 30)]


def opening(text: str, longest: int) -> str:
    """Whole sentences from the start of a text, at most `longest` characters; "" where none ends by then."""
    if len(text) <= longest:
        return text
    ends = [found.end() for found in _END.finditer(text[: longest + 1])]
    return text[: ends[-1]] if ends else ""


def names_and_numbers(text: str) -> list[str]:
    """Numbers, and capitalised words that do not begin a sentence, in order."""
    return [found.rstrip(".,") for found in _NAME_OR_NUMBER.findall(text)]


def ungrounded(text: str, source: str) -> list[str]:
    """Names and numbers of a text that its source does not contain; empty where all are grounded."""
    known = source.casefold()
    return [found for found in names_and_numbers(text) if found.casefold() not in known]
