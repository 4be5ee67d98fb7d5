"""The evidence behind a rank as lines: signed bars, words, and what would be without the strongest event."""

from collections.abc import Sequence

from llmrec.engine import Reason, Why
from llmrec.tui.phrases import bar, because, signed
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
    shown, rest = list(why.reasons[:most]), why.reasons[most:]
    if rest:
        shown.append(Reason(f"{len(rest)} smaller parts", sum(reason.amount for reason in rest)))
    parts: list[Part] = []
    top = max((abs(reason.amount) for reason in shown), default=0.0) or 1.0
    for reason in shown:
        parts += _reason(reason, titles, now, top, width)
    if not shown:
        parts.append(("nothing is known yet: the order is that of the catalogue\n", "$text-muted"))
    parts += _without(why, titles, now, width)
    return parts


def _reason(reason: Reason, titles: dict[str, str], now: float, top: float, width: int) -> list[Part]:
    look = "$text-success" if reason.amount >= 0 else "$text-error"
    room = max(4, width - _CELLS - 8)
    return [
        (bar(abs(reason.amount) / top, _CELLS).ljust(_CELLS + 1), look),
        fit(because(reason, titles, now), room) + " ",
        (f"{signed(reason.amount):>6}\n", look),
    ]


def _without(why: Why, titles: dict[str, str], now: float, width: int) -> Sequence[Part]:
    if why.without is None or why.rank_without is None:
        return ()
    event = because(why.without, titles, now)
    ranks = f": rank {why.rank} → {why.rank_without}"
    return [(fit(f"without: {event}", max(8, width - len(ranks)), pad=False) + ranks, "italic")]
