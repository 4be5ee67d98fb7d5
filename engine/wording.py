"""Small wordings that commands and screens share."""

from datetime import UTC, datetime


def count(n: int, word: str, many: str = "") -> str:
    """A number and its word: "1 row", "3,200 rows"."""
    return f"{n:,} {word if n == 1 else many or word + 's'}"


def until(at: float) -> str:
    """The day at which something ends, of Unix seconds: "until 7 Dec"."""
    day = datetime.fromtimestamp(at, UTC)
    return f"until {day.day} {day:%b}"
