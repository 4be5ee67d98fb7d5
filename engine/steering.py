"""Steering in the user's words: "more sailing, less politics this week" becomes fading pseudo-interests."""

import re
from collections.abc import Iterable
from typing import Any

from llmrec.engine.errors import LlmrecError
from llmrec.engine.interests import ALWAYS_HALF_LIFE, DAY, WEEKS
from llmrec.engine.log import LogEntry
from llmrec.engine.records import Interest
from llmrec.engine.wording import until
from llmrec.models.clean import clean

_HOW_LONG = {"now": DAY / 4, "today": DAY, "this week": 7 * DAY, "this month": 30 * DAY, "this year": 365 * DAY}
_COMMAND = re.compile(r"^(more|less|not|no)\s+(.+)$", re.IGNORECASE)
_BETWEEN = re.compile(r",|;|\band\b(?=\s+(?:more|less|not?)\b)")
_HELP = 'say "more sailing", "less politics this week" or "not football now".'
_MOST = 20
"""Phrases of one command; each is embedded, and each stays in the log."""

_TYPED = "steer:"
"""Begins the id of what is shown beside the interests; the log's entry follows."""


def lessened(entries: Iterable[LogEntry], now: float) -> list[Interest]:
    """What the user typed to see less of, newest first: no interest, but shown beside them, so that it can be ended."""
    found = (entry for entry in entries if entry.kind == "steer" and not entry.payload["more"])
    return [_lessened(entry) for entry in found if (entry.payload.get("until") or now + 1) > now][::-1]


def _lessened(entry: LogEntry) -> Interest:
    ends = entry.payload.get("until")
    return Interest(
        id=f"{_TYPED}{entry.id}",
        words=(entry.payload["phrase"],),
        medoid=None,
        now=0.0,
        always=0.0,
        half_life=ALWAYS_HALF_LIFE,
        last_fed=entry.at,
        trend=(0.0,) * WEEKS,
        state=f"less {until(ends)}" if ends is not None else "less",
    )


def entry_of(interest: str) -> int | None:
    """The log's entry by which a user typed what is shown under this id; None for an interest."""
    number = interest.removeprefix(_TYPED)
    return int(number) if number != interest and number.isdecimal() else None


def parse(command: str, now: float) -> list[dict[str, Any]]:
    """Log payloads {phrase, more, until, place} of one command; until is Unix seconds, None for ever.

    Raises:
        LlmrecError: no direction or no phrase.
    """
    parts = [part for piece in _BETWEEN.split(command) if (part := clean(piece))]
    if not parts:
        raise LlmrecError(f"nothing to steer by: {_HELP}")
    if len(parts) > _MOST:
        raise LlmrecError(f"{len(parts)} phrases are too many for one command: at most {_MOST}.")
    parsed: list[dict[str, Any]] = []
    direction = ""
    for part in parts:  # "more sailing, jazz": the direction holds until the next one
        said = _COMMAND.match(part)
        direction = said[1].lower() if said else direction
        phrase = _part(part, direction, said[2] if said else part, now)
        parsed.append({**phrase, "place": len(parsed)})  # so that one undo takes back the whole command
    return parsed


def _part(part: str, direction: str, phrase: str, now: float) -> dict[str, Any]:
    if not direction:
        raise LlmrecError(f"{part!r} does not begin with more, less or not: {_HELP}")
    until = None
    for words, seconds in _HOW_LONG.items():
        if f" {phrase.lower()}".endswith(f" {words}"):
            phrase, until = phrase[: -len(words)].strip(), now + seconds
            break
    if phrase.lower().startswith("of "):
        phrase = phrase[3:]
    if not phrase.strip():
        raise LlmrecError(f"{part!r} names nothing: {_HELP}")
    return {"phrase": phrase.strip(), "more": direction == "more", "until": until}
