"""How long an item stays worth reading: from the user, its source, a writer's answer, or plain rules, in that order.

A writer is asked one yes/no question per item, "will this still be useful in a year", and P(yes) is read from its
logits; grading urgency on a scale was tried by others and found unusable. The user's own correction always wins.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llmrec.engine.records import Item
from llmrec.engine.vectors import DoubleArray
from llmrec.engine.wording import count
from llmrec.models import prompts

if TYPE_CHECKING:
    from llmrec.engine.store import Store

HOUR, DAY, YEAR = 3_600.0, 86_400.0, 365 * 86_400.0
NEWS, POST, EVERGREEN = 1.5 * DAY, 14 * DAY, 3 * YEAR
CHOICES = {"2 days": 2 * DAY, "2 weeks": 14 * DAY, "6 months": 182 * DAY, "years": EVERGREEN}
"""What a user can say, and the seconds it stands for."""
YES, NO = (prompts.YES, "Yes"), (prompts.NO, "No")
"""How a writer may begin its answer: as the bundled one was trained, and as chat models do."""
_MOST_BIAS = 3.0
"""Log odds that are taken away at most: a question about nothing is an odd one."""
_SHORTEST, _LONGEST = 10 * DAY, YEAR
_PASSING = (
    *("today", "tonight", "yesterday", "tomorrow", "this week", "this morning", "this evening"),
    *("breaking", "live now"),
)
_PASSING_WORD = re.compile(rf"\b({'|'.join(_PASSING)})\b")
_BY_TAG = {"news": NEWS, "evergreen": EVERGREEN, "live": NEWS, "deal": 3 * DAY, "offer": 3 * DAY}
TELLING = tuple(_BY_TAG)
"""Tags from which a rule tells how long an item stays worth reading."""
OPENING = 400
"""Characters of a text in which a rule looks for words of its day."""
_BY_DOMAIN = {"feed": POST, "news": NEWS, "courses": EVERGREEN, "shop": YEAR}


@dataclass(frozen=True, slots=True)
class HalfLife:
    """How long an item stays worth reading, and who said so."""

    seconds: float
    """Until it is worth half; nan where nothing tells."""
    by: str
    """"you", "rule" or a writer's `model_id`; "" where nothing tells."""

    @property
    def words(self) -> str:
        """For the screen: "36 hours", "2 weeks"; "" where it is unknown."""
        return in_words(self.seconds)


def by_rule(item: Item) -> float:
    """Seconds until an item is worth half, from its tags, its words and its domain; nan where nothing tells."""
    opening = f"{item.title} {item.text[:OPENING]}" if item.published_at is not None else ""
    return rule(item.tags, opening, item.domain)


def rule(tags: Iterable[str], opening: str, domain: str) -> float:
    """The same from what the rules look at.

    Args:
        tags: of the item, or those of `TELLING` among them.
        opening: its title and the first `OPENING` characters of its text, where its date is known.
        domain: of the item.
    """
    for tag in tags:
        if tag.lower() in _BY_TAG:
            return _BY_TAG[tag.lower()]
    return NEWS if _passing(opening.lower()) else _BY_DOMAIN.get(domain, math.nan)


def all_by_rule(store: "Store", n: int) -> DoubleArray:
    """The same of the first n items of a store, (n,), without reading whole items."""
    read = store.openings(OPENING, TELLING)
    return np.fromiter((rule(*each) for each in read), np.float64, n)


def _passing(text: str) -> bool:
    """Whether a text speaks of its own day; that most do not is seen ten times faster without `re`."""
    for phrase in _PASSING:  # each start asks this of every item, and a loop is half as long as `any`
        if phrase in text:
            return _PASSING_WORD.search(text) is not None
    return False


def declared(item: Item) -> bool:
    """Whether the source itself says so, as "news" does: then no model is asked."""
    return any(tag.lower() in _BY_TAG for tag in item.tags)


def from_probability(p_useful_in_a_year: float) -> float:
    """Seconds from P(still useful in a year): 10 days at 0 to a year at 1, linear between (as Feedoscope does)."""
    return _SHORTEST + p_useful_in_a_year * (_LONGEST - _SHORTEST)


def log_odds(scores: Sequence[float]) -> float:
    """Log of P(yes) / P(no) from the log-probabilities of `YES` and `NO`, in this order."""
    yes, no = scores[: len(YES)], scores[len(YES) :]
    return float(np.logaddexp.reduce(yes) - np.logaddexp.reduce(no))


def probability(odds: float, of_nothing: float = 0.0) -> float:
    """P(yes) of log odds, less those of a question about nothing.

    Small models say yes, or no, whatever they are asked; subtracting what they say about nothing takes that away
    (contextual calibration, Zhao et al. 2021, https://arxiv.org/abs/2102.09690).
    """
    bias = max(-_MOST_BIAS, min(_MOST_BIAS, of_nothing))
    return 1 / (1 + math.exp(min(700.0, bias - odds)))


def in_words(seconds: float) -> str:
    """A half-life for the screen: "36 hours", "2 weeks"; "" where it is unknown."""
    if not math.isfinite(seconds):
        return ""
    for unit, size in (("year", YEAR), ("month", 30 * DAY), ("week", 7 * DAY), ("day", DAY), ("hour", HOUR)):
        if seconds >= 1.5 * size or unit == "hour":
            return count(round(seconds / size), unit)
    return ""
