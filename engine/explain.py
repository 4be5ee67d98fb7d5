"""Why an item stands where it stands: signed parts that sum to its score, and its rank without one past event."""

from collections import defaultdict
from dataclasses import replace

from llmrec.engine.lists import Lists
from llmrec.engine.live import Live
from llmrec.engine.person import Person
from llmrec.engine.records import ItemId, Reason, View, Why


def reasons(person: Person, row: int, now: float) -> tuple[Reason, ...]:
    """The parts of a row's score, largest first; their amounts sum to the score."""
    found = []
    for part in person.policy.explain(row, now):
        if part.event is None:
            found.append(Reason(part.part, part.amount))
        else:
            entry = person.entries[part.event]
            found.append(Reason(part.part, part.amount, entry.item, entry.at, entry.event_kind))
    return tuple(sorted(found, key=lambda r: -abs(r.amount)))


def why(live: Live, lists: Lists, user: str, person: Person, item: ItemId, view: View, now: float) -> Why:
    """Parts of the score, and the counterfactual: the rank without the event that has the largest share in it."""
    row = live.items.rows[item]
    shown = replace(view, keep=frozenset({item, *view.keep}))
    rank = lists.rank(user, person, shown, now, row)  # which says among which rows it is ranked
    score = float(person.policy.scores(now)[row])
    found = Why(item, rank, score, reasons(person, row, now))
    by_event: defaultdict[int, float] = defaultdict(float)
    for part in person.policy.explain(row, now):
        if part.event is not None:
            by_event[part.event] += part.amount
    if not by_event:
        return found
    index = max(by_event, key=lambda event: abs(by_event[event]))
    entry = person.entries[index]
    without = live.replayed(user, now, but=entry.id)
    named = "likes" if by_event[index] > 0 else "dislikes"
    return replace(
        found,
        without=Reason(named, by_event[index], entry.item, entry.at, entry.event_kind),
        rank_without=lists.rank(user, without, shown, now, row),
    )
