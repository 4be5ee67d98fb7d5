"""Hides what a reasoning model says between `<think>` and `</think>` from a stream of pieces."""

_OPEN, _CLOSE = "<think>", "</think>"


class ThinkFilter:
    """Passes text on except thought blocks, which may be spread over any number of pieces."""

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self._started = False

    def feed(self, piece: str) -> str:
        """Add a piece; returns what may be shown by now."""
        self._held += piece
        shown = ""
        while True:
            mark = _CLOSE if self._inside else _OPEN
            before, found, after = self._held.partition(mark)
            if not found:
                break
            shown += "" if self._inside else before
            self._held, self._inside = after, not self._inside
        keep = _overlap(self._held, mark)
        shown += "" if self._inside else self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return self._trimmed(shown)

    def rest(self) -> str:
        """What was held back when the stream has ended."""
        rest, self._held = ("" if self._inside else self._held), ""
        return self._trimmed(rest)

    def _trimmed(self, text: str) -> str:
        """Drop white space before the first word, which is what an empty thought block leaves."""
        if not self._started:
            text = text.lstrip()
            self._started = bool(text)
        return text


def _overlap(text: str, mark: str) -> int:
    """Length of the longest end of `text` that `mark` starts with."""
    return next((n for n in range(min(len(text), len(mark) - 1), 0, -1) if mark.startswith(text[-n:])), 0)
