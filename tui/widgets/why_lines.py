"""The evidence behind a rank as lines: signed bars, words, and what would be without the strongest event."""

from collections.abc import Sequence

from llmrec.engine import Interest, Why
from llmrec.engine.wording import count
from llmrec.tui.evidence import Evidence, gathered
from llmrec.tui.phrases import bar, because, places_for, signed
from llmrec.tui.text import Part, fit

_CELLS = 7
_AMOUNT = 7


def why_lines(
    why: Why,
    titles: dict[str, str],
    interests: Sequence[Interest],
    now: float,
    *,
    width: int,
    most: int,
    events: int = 0,
) -> list[Part]:
    """Parts that draw the evidence for a rank.

    Args:
        why: reasons whose amounts sum to the score.
        titles: titles of past items.
        interests: what the reasons are put together by.
        now: Unix seconds.
        width: cells of a line.
        most: pieces of evidence; what remains is summed up in one more line.
        events: past events named under each piece.
    """
    evidence = gathered(why.reasons, interests, now)
    if not evidence:
        return [("nothing is known yet: the order is that of the catalogue\n", "dim")]
    top = max(abs(piece.amount) for piece in evidence)
    places = places_for(top)
    parts: list[Part] = []
    for piece in evidence[:most]:
        look = "$text-success" if piece.amount >= 0 else "$text-error"
        parts.append((bar(abs(piece.amount) / top, _CELLS).ljust(_CELLS + 1), look))
        parts += _line(piece.words, piece.amount, places, width, "", look)
        parts += _events(piece, titles, now, events, places, width)
    if rest := evidence[most:]:
        parts.append(" " * (_CELLS + 1))
        parts += _line(
            count(len(rest), "smaller part"), sum(piece.amount for piece in rest), places, width, "dim", "dim"
        )
    return [*parts, *_without(why, titles, now, width)]


def _events(piece: Evidence, titles: dict[str, str], now: float, most: int, places: int, width: int) -> list[Part]:
    parts: list[Part] = []
    for reason in piece.events[:most]:
        words = because(reason, titles, now, _room(width) - 2)
        parts += [" " * (_CELLS + 1), *_line(f"· {words}", reason.amount, places, width, "dim", "dim")]
    if most and len(piece.events) > most:
        rest = piece.events[most:]
        amount = sum(reason.amount for reason in rest)
        parts += [" " * (_CELLS + 1), *_line(f"· {len(rest)} more", amount, places, width, "dim", "dim")]
    return parts


def _room(width: int) -> int:
    """Cells for the words of a line, between its bar and its amount."""
    return max(4, width - _CELLS - 1 - _AMOUNT)


def _line(words: str, amount: float, places: int, width: int, look: str, amount_look: str) -> list[Part]:
    return [(fit(words, _room(width)), look), (f"{signed(amount, places):>{_AMOUNT}}\n", amount_look)]


def _without(why: Why, titles: dict[str, str], now: float, width: int) -> Sequence[Part]:
    if why.without is None or why.rank_without is None:
        return ()
    same = why.rank == why.rank_without
    ranks = f": still rank {why.rank}" if same else f": rank {why.rank} → {why.rank_without or 'none'}"
    event = because(why.without, titles, now, width - len(ranks) - 9)
    return [(f"without {event}{ranks}", "italic")]
