"""The evidence behind a rank as lines: signed bars, words, and what would be without the strongest event."""

from collections.abc import Sequence

from llmrec.engine import Reason, Why
from llmrec.tui.phrases import bar, because, count, merged, places_for, signed
from llmrec.tui.text import Part, fit

_CELLS = 7


def why_lines(why: Why, titles: dict[str, str], now: float, *, width: int, most: int) -> list[Part]:
    """Parts that draw the reasons of a rank.

    Args:
        why: reasons whose amounts sum to the score.
        titles: titles of past items.
        now: Unix seconds.
        width: cells of a line.
        most: lines of reasons; what remains is summed up in one more.
    """
    reasons = merged(why.reasons)
    shown, rest = reasons[:most], reasons[most:]
    parts: list[Part] = []
    top = max((abs(reason.amount) for reason in shown), default=0.0) or 1.0
    for reason in shown:
        parts += _reason(reason, because(reason, titles, now, _room(width)), top, width)
    if rest:
        parts += _rest(rest, top, width)
    if not shown:
        parts.append(("nothing is known yet: the order is that of the catalogue\n", "dim"))
    parts += _without(why, titles, now, width)
    return parts


def _room(width: int) -> int:
    """Cells for the words of a reason, between its bar and its amount."""
    return max(4, width - _CELLS - 9)


def _reason(reason: Reason, words: str, top: float, width: int) -> list[Part]:
    look = "$text-success" if reason.amount >= 0 else "$text-error"
    return [
        (bar(abs(reason.amount) / top, _CELLS).ljust(_CELLS + 1), look),
        fit(words, _room(width)) + " ",
        (f"{signed(reason.amount, places_for(top)):>6}\n", look),
    ]


def _rest(rest: Sequence[Reason], top: float, width: int) -> list[Part]:
    amount = signed(sum(reason.amount for reason in rest), places_for(top))
    words = fit(count(len(rest), "smaller part"), _room(width))
    return [" " * (_CELLS + 1), (words + " ", "dim"), (f"{amount:>6}\n", "dim")]


def _without(why: Why, titles: dict[str, str], now: float, width: int) -> Sequence[Part]:
    if why.without is None or why.rank_without is None:
        return ()
    ranks = f": rank {why.rank} → {why.rank_without or 'none'}"
    event = because(why.without, titles, now, width - len(ranks) - 9)
    return [(f"without {event}{ranks}", "italic")]
