"""Numbers, times and changes as short words; pure functions, no widget."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from llmrec.engine import NEW, Batch, Change, Event, Item, Kind, Reason, Written
from llmrec.engine.wording import count

MINUTE, HOUR, DAY, WEEK = 60.0, 3_600.0, 86_400.0, 604_800.0
MONTH, YEAR = 30.44 * DAY, 365.25 * DAY

DONE = {
    Kind.OPEN: "opened",
    Kind.DWELL: "read",
    Kind.LIKE: "liked",
    Kind.DISLIKE: "disliked",
    Kind.SAVE: "saved",
    Kind.SKIP: "skipped",
    Kind.PURCHASE: "bought",
    Kind.FINISH: "finished",
    Kind.IMPRESSION: "shown",
}
SIGN = {
    Kind.OPEN: "o",
    Kind.DWELL: "·",
    Kind.LIKE: "+",
    Kind.DISLIKE: "-",
    Kind.SAVE: "*",
    Kind.SKIP: "x",
    Kind.PURCHASE: "$",
    Kind.FINISH: "=",
    Kind.IMPRESSION: ".",
}
_STRENGTH = [
    Kind.IMPRESSION,
    Kind.SKIP,
    Kind.DWELL,
    Kind.OPEN,
    Kind.FINISH,
    Kind.DISLIKE,
    Kind.LIKE,
    Kind.SAVE,
    Kind.PURCHASE,
]
_UNITS = [(YEAR, "y", "year"), (MONTH, "mo", "month"), (WEEK, "w", "week"), (DAY, "d", "day"), (HOUR, "h", "hour")]
LIKES = "sailing, jazz, astronomy"
"""What a line for typed interests shows as an example."""
_DIRECTIONS = ("more ", "less ", "not ", "no ")
_CRAMPED = 26
"""Cells below which a reason leaves out when it was."""
_TITLES = (40, 32, 24, 16)
"""Characters of a title in a line that has more to say, as its room allows."""
_BLOCKS = "▁▂▃▄▅▆▇█"


def span(seconds: float) -> str:
    """A length of time in its largest whole unit: "2 h", "3 d", "5 w"."""
    for size, short, _ in _UNITS:
        if seconds >= size:
            return f"{int(seconds / size)} {short}"
    return f"{max(1, int(seconds / MINUTE))} min"


def ago(seconds: float) -> str:
    """How long ago: "just now", "2 hours ago"; never negative."""
    if seconds < MINUTE:
        return "just now"
    for size, _, word in _UNITS:
        if seconds >= size:
            return f"{count(int(seconds / size), word)} ago"
    return f"{count(int(seconds / MINUTE), 'minute')} ago"


def lately(seconds: float) -> str:
    """How long ago, short: "just now", "2 h ago"."""
    return "just now" if seconds < MINUTE else f"{span(seconds)} ago"


def signed(amount: float, places: int = 2) -> str:
    """An amount with its sign: "+.41", "−.04", "+1.20"."""
    size = f"{abs(amount):.{places}f}"
    return ("−" if amount < 0 else "+") + size.removeprefix("0")


def places_for(largest: float) -> int:
    """Decimals that show two digits of the largest of several amounts: 2 to 4."""
    return 2 if largest >= 0.1 else 3 if largest >= 0.01 else 4


def share(amount: float) -> str:
    """A share of one: "62 %"."""
    return f"{round(100 * amount)} %"


def bar(amount: float, width: int) -> str:
    """A bar of `amount` (0 to 1) that fills at most `width` cells; any amount above 0 shows at least a line."""
    cells = round(min(1.0, max(0.0, amount)) * width)
    return "▇" * cells if cells else "▁" * (amount > 0)


def sparkline(values: Sequence[float], width: int) -> str:
    """The newest `width` values as blocks, scaled to the largest."""
    values = [max(0.0, value) for value in values[max(0, len(values) - width) :]]
    top = max(values, default=0.0) or 1.0
    blocks = "".join(_BLOCKS[round(value / top * (len(_BLOCKS) - 1))] for value in values)
    return blocks.rjust(width, _BLOCKS[0])


def move(places: int) -> str:
    """A rank change in at most four cells: "▲3", "▼12", "new", "="."""
    if places == NEW:
        return "new"
    if places == 0:
        return "="
    size = abs(places)
    return ("▲" if places > 0 else "▼") + (str(size) if size < 1_000 else f"{min(size // 1_000, 99)}k")


def stronger(one: Kind | None, other: Kind) -> Kind:
    """Of two things done to an item, the one that its row shows."""
    return other if one is None or _STRENGTH.index(other) >= _STRENGTH.index(one) else one


def when(at: float | None, now: float) -> str:
    """Age of something published: "2 h"; the year once it is old; empty where unknown."""
    if at is None:
        return ""
    if now - at > 2 * YEAR:
        return _year(at)
    return span(max(0.0, now - at))


def _year(at: float) -> str:
    """Year of a moment, UTC; empty where no calendar has one."""
    try:
        return str(datetime.fromtimestamp(at, UTC).year)
    except (OverflowError, OSError, ValueError):
        return ""


def about(item: Item, now: float, *, tags: int = 2) -> str:
    """Where an item comes from, its age and its tags, in one line."""
    facts = [item.source, when(item.published_at, now), *item.tags[:tags]]
    return " · ".join(fact for fact in facts if fact)


def steering(words: str) -> str:
    """Typed interests as a command: more of them, unless a direction is typed too."""
    return words if words.lower().startswith(_DIRECTIONS) else f"more {words}"


def quoted(title: str, limit: int = 40) -> str:
    """A title in quotation marks, cut where it is long."""
    return f'"{title if len(title) <= limit else title[: limit - 1].rstrip() + "…"}"'


def changed(change: Change, *, brief: bool = False, room: int = 1_000) -> str:
    """What one key press did, and unless `brief` its effects: `liked "Tide tables": sailing +.12, 4 items moved up`.

    The title is cut further where the effects would not fit into `room` characters.
    """
    texts = (_changed(change, brief, limit) for limit in _TITLES)
    return next((text for text in texts if len(text) <= room), _changed(change, brief, _TITLES[0]))


def _changed(change: Change, brief: bool, limit: int) -> str:
    head = f"{DONE[change.kind]} {quoted(change.title, limit)}" if change.item else change.title
    if change.undone:
        head = f"took back: {head}"
    if brief:
        return head
    effects = []
    if change.interest and change.item:
        effects.append(f"{change.interest} {signed(change.amount)}" if abs(change.amount) >= 0.005 else change.interest)
    if change.moved_up:
        effects.append(f"{count(change.moved_up, 'item')} moved up")
    return f"{head}: {', '.join(effects)}" if effects else head


def because(reason: Reason, titles: dict[str, str], now: float, room: int = 60) -> str:
    """A reason in words, within about `room` characters: `liked "Tide tables" 3 d ago`, or the part's own name."""
    if reason.item is None or reason.kind is None:
        return reason.part
    past = f" {lately(now - reason.at)}" if reason.at is not None and room > _CRAMPED else ""
    limit = max(10, room - len(DONE[reason.kind]) - len(past) - 3)
    return f"{DONE[reason.kind]} {quoted(titles.get(reason.item, reason.item), limit)}{past}"


def merged(reasons: Sequence[Reason]) -> list[Reason]:
    """One reason per past event, largest first; what comes from no event stays by part."""
    found: dict[tuple[object, ...], Reason] = {}
    for reason in reasons:
        key = (reason.item, reason.at, reason.kind) if reason.at is not None else (reason.part,)
        known = found.get(key)
        found[key] = replace(reason, amount=reason.amount + known.amount) if known else reason
    return sorted(found.values(), key=lambda reason: -abs(reason.amount))


def happened(event: Event, title: str, now: float) -> str:
    """An event of the log in words."""
    seconds = f" for {event.value:.0f} s" if event.kind is Kind.DWELL and event.value is not None else ""
    return f"{DONE[event.kind]} {quoted(title)}{seconds}, {ago(now - event.at)}"


def author(written: Written, candidate: int) -> str:
    """Who wrote the shown text, how probable it is, and how many others there are."""
    shown = written.candidates[candidate]
    by = "item's own words" if shown.by == "item" else written.model or shown.by
    facts = [by, shown.angle, f"p {f'{shown.p:.2f}'.removeprefix('0')}"]
    if len(written.candidates) > 1:
        facts.append(f"{candidate + 1} of {len(written.candidates)}, c next")
    if not written.done:
        facts.append("more to come")
    return " · ".join(facts)


def difference(batch: Batch, titles: dict[str, str], top: int = 10) -> str:
    """How a list changed: how many rows moved, the strongest climb into its top, the strongest fall out of it."""
    moves = batch.moves.astype(np.int64)
    ranks = np.arange(1, len(moves) + 1)
    climbed = (moves > 0) & (moves < NEW)
    rows = [
        *_strongest(np.where(climbed[:top], moves[:top], 0)),
        *_strongest(np.where(ranks + moves <= top, -moves, 0)),
    ]
    named = [(int(moves[row]), row + 1) for row in rows]
    known = [(move, rank, titles.get(batch.ids[rank - 1])) for move, rank in named]
    parts = [f"{quoted(title, 28)} {rank + move} → {rank}" for move, rank, title in known if title]
    rise, sink = int(np.count_nonzero(climbed)), int(np.count_nonzero(moves < 0))
    return " · ".join([f"{rise:,} rise, {sink:,} sink" if rise or sink else "no row moved", *parts])


def _strongest(moves: npt.NDArray[np.int64]) -> list[int]:
    """The row with the largest positive number, if there is one."""
    return [int(np.argmax(moves))] if len(moves) and moves.max() > 0 else []


def date(at: float) -> str:
    """A local date and time: "3 Aug 2025, 14:05"."""
    try:
        moment = datetime.fromtimestamp(at)
    except (OverflowError, OSError, ValueError):
        return "some day"
    return f"{moment.day} {moment:%b %Y, %H:%M}"
