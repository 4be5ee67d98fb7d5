"""Steering in the user's words: "more sailing, less politics this week" becomes fading pseudo-interests."""

import re
from typing import Any

from llmrec.engine.errors import LlmrecError
from llmrec.engine.interests import DAY
from llmrec.models.clean import clean

_HOW_LONG = {"now": DAY / 4, "today": DAY, "this week": 7 * DAY, "this month": 30 * DAY, "this year": 365 * DAY}
_COMMAND = re.compile(r"^(more|less|not|no)\s+(.+)$", re.IGNORECASE)
_HELP = 'say "more sailing", "less politics this week" or "not football now".'


def parse(command: str, now: float) -> list[dict[str, Any]]:
    """Log payloads {phrase, more, until} of one command; until is Unix seconds, None for ever.

    Raises:
        LlmrecError: no direction or no phrase.
    """
    parts = [clean(part) for part in re.split(r",|;|\band\b(?=\s+(?:more|less|not?)\b)", command)]
    parsed = [_part(part, now) for part in parts if part]
    if not parsed:
        raise LlmrecError(f"nothing to steer by: {_HELP}")
    return parsed


def _part(part: str, now: float) -> dict[str, Any]:
    match = _COMMAND.match(part)
    if match is None:
        raise LlmrecError(f"{part!r} does not begin with more, less or not: {_HELP}")
    direction, phrase = match.groups()
    until = None
    for words, seconds in _HOW_LONG.items():
        if f" {phrase.lower()}".endswith(f" {words}"):
            phrase, until = phrase[: -len(words)].strip(), now + seconds
            break
    if phrase.lower().startswith("of "):
        phrase = phrase[3:]
    if not phrase.strip():
        raise LlmrecError(f"{part!r} names nothing: {_HELP}")
    return {"phrase": phrase.strip(), "more": direction.lower() == "more", "until": until}
