"""How long an item stays worth reading: says the user, else its source, a writer, the encoder, or plain rules.

One yes/no question is asked of each item, "will this still be useful in a year"; grading urgency on a scale was tried
by others and found unusable. A writer that does more than copy answers by its logits, the encoder by its vectors
(`probe`); where neither does, words like "tonight" and the item's domain decide. The user's own correction always wins.
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
from llmrec.models import FloatArray, prompts

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
_LAST_AMONG = {"feed": 0.5, "news": 0.25}
_LAST_ELSEWHERE = 0.9
"""Share of a domain's items that last, before their texts are looked at."""


@dataclass(frozen=True, slots=True)
class HalfLife:
    """How long an item stays worth reading, and who said so."""

    seconds: float
    """Until it is worth half; nan where nothing tells."""
    by: str
    """"you", "rule", or the `model_id` of a writer or encoder; "" where nothing tells."""

    @property
    def words(self) -> str:
        """For the screen: "36 hours", "2 weeks"; "" where it is unknown."""
        return in_words(self.seconds)


def by_rule(item: Item, lasting: float = math.nan) -> float:
    """Seconds until an item is worth half, from its tags, P(still useful in a year), words, domain; nan: nothing tells.

    Args:
        item: with its title, text, tags and domain.
        lasting: the probability, as its vector says; nan where it does not.
    """
    opening = f"{item.title} {item.text[:OPENING]}" if item.published_at is not None else ""
    return rule(item.tags, opening, item.domain, lasting)


def rule(tags: Iterable[str], opening: str, domain: str, lasting: float = math.nan) -> float:
    """The same from what the rules look at.

    Args:
        tags: of the item, or those of `TELLING` among them.
        opening: its title and the first `OPENING` characters of its text, where its date is known.
        domain: of the item.
        lasting: P(still useful in a year), or nan.
    """
    for tag in tags:
        if tag.lower() in _BY_TAG:
            return _BY_TAG[tag.lower()]
    usual = _BY_DOMAIN.get(domain, math.nan)
    p = _among(_LAST_AMONG.get(domain, _LAST_ELSEWHERE), lasting)
    if p > 0.5:  # "still used today" is no news
        return _between(usual, max(usual, YEAR), 2 * p - 1)
    if _passing(opening.lower()):
        return NEWS
    return usual if math.isnan(p) else _between(NEWS, YEAR if math.isnan(usual) else usual, 2 * p)


def _among(share: float, p: float) -> float:
    """P(lasting) where so many last, from what it is where half do: Bayes' rule for the odds."""
    yes, no = share * p, (1 - share) * (1 - p)
    return yes / (yes + no)


def _between(one: float, other: float, share: float) -> float:
    """From one half-life, at share 0, to another, at 1, each step longer by the same factor."""
    return float(one ** (1 - share) * other**share)


def all_by_rule(store: "Store", lasting: FloatArray) -> DoubleArray:
    """The same of the first n items of a store, without reading whole items. P (n,) to seconds (n,)."""
    read = zip(store.openings(OPENING, TELLING), lasting.tolist(), strict=False)
    return np.fromiter((rule(*each, p) for each, p in read), np.float64, len(lasting))


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
