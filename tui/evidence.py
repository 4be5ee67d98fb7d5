"""Evidence behind a rank: many small reasons put together by interest, so that a reader sees a few large ones."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmrec.engine import Interest, ItemId, Kind, Reason
from llmrec.engine.wording import count
from llmrec.tui.phrases import lately, merged

_NAMES = {
    ("length", True): "longer than most",
    ("length", False): "shorter than most",
    ("date", True): "from a time you pick",
    ("date", False): "from a time you leave",
    ("fresh", True): "still fresh",
    ("fresh", False): "no longer fresh",
    ("far", False): "far from what you like",
}
_NOUN = {
    Kind.LIKE: "like",
    Kind.SAVE: "save",
    Kind.PURCHASE: "purchase",
    Kind.FINISH: "reading",
    Kind.OPEN: "opening",
    Kind.DWELL: "reading",
    Kind.DISLIKE: "dislike",
    Kind.SKIP: "skip",
    Kind.IMPRESSION: "showing",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one interest, one kind of event or one fact adds to a score."""

    words: str
    amount: float
    events: tuple[Reason, ...] = ()
    """The past events in it, largest first."""


def gathered(reasons: Sequence[Reason], interests: Iterable[Interest], now: float) -> list[Evidence]:
    """Reasons by interest; what feeds none by what was done; facts of the item by themselves. Largest first.

    The amounts sum to what the amounts of the reasons sum to.
    """
    home = {item: ", ".join(interest.words[:2]) for interest in interests for item in interest.items}
    groups: dict[tuple[str, str], list[Reason]] = {}
    for reason in merged(reasons):
        groups.setdefault(_group(reason, home), []).append(reason)
    found = [_evidence(sort, name, group, now) for (sort, name), group in groups.items()]
    return sorted(found, key=lambda evidence: -abs(evidence.amount))


def _group(reason: Reason, home: dict[ItemId, str]) -> tuple[str, str]:
    if reason.item is None or reason.kind is None:
        return "fact", reason.part if reason.at is None else "steered by words"
    return ("interest", home[reason.item]) if reason.item in home else ("kind", reason.kind)


def _evidence(sort: str, name: str, group: Sequence[Reason], now: float) -> Evidence:
    amount = sum(reason.amount for reason in group)
    events = tuple(reason for reason in group if reason.item is not None and reason.kind is not None)
    if not events:
        return Evidence(_NAMES.get((name, amount > 0), name), amount)
    strengths: defaultdict[Kind, float] = defaultdict(float)
    for reason in events:
        if reason.kind is not None:
            strengths[reason.kind] += abs(reason.amount)
    strongest = max(strengths, key=lambda kind: strengths[kind])
    done = count(sum(reason.kind is strongest for reason in events), _NOUN[strongest])
    newest = max((reason.at for reason in events if reason.at is not None), default=now)
    words = f"{done}, {lately(now - newest)}"
    return Evidence(f"{name}: {words}" if sort == "interest" else words, amount, events)
