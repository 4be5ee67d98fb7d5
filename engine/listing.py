"""From scores to the list on screen: which rows show, in which order, and how far each has moved."""

from dataclasses import dataclass

import numpy as np

from llmrec.engine.items import BoolArray, Items
from llmrec.engine.person import Person
from llmrec.engine.records import NEW, IntArray, ItemId, View
from llmrec.models import FloatArray


@dataclass(frozen=True, slots=True)
class Listing:
    """An ordered list of rows."""

    rows: IntArray
    """(m,) rows of the catalogue, best first."""
    scores: FloatArray
    """(m,) in the same order."""


def visible(items: Items, person: Person, view: View, now: float, matching: set[ItemId] | None = None) -> BoolArray:
    """(n,) whether each item belongs in the list.

    Args:
        items: the catalogue.
        person: whose list it is; what was acted on is left out unless the view keeps it.
        view: domain and exceptions.
        now: Unix seconds; later publications are not out yet.
        matching: ids that match the view's query, or None where it has none.
    """
    mask = items.in_domain(view.domain) & items.published_by(now)
    if not view.seen:
        hidden = [i for i in person.marks if i not in view.keep]
        mask[items.rows_of(hidden)] = False
    if matching is not None:
        found = np.zeros(len(items), np.bool_)
        found[items.rows_of(list(matching))] = True
        mask &= found
    return mask


def ordered(scores: FloatArray, mask: BoolArray) -> Listing:
    """The rows of a mask by score, best first; equal scores in catalogue order, so that the order is certain."""
    rows = np.flatnonzero(mask)
    shown = scores[rows]
    order = np.argsort(-shown, kind="stable")
    return Listing(rows[order].astype(np.int32), shown[order])


def places(rows: IntArray, n: int) -> IntArray:
    """Rank of each row of the catalogue, 1 is best and 0 is not in the list; (m,) -> (n,)."""
    rank = np.zeros(n, np.int32)
    rank[rows] = np.arange(1, len(rows) + 1, dtype=np.int32)
    return rank


def moved(rows: IntArray, before: IntArray | None) -> IntArray:
    """Places each listed row has risen, negative where it sank, NEW where it was not listed. (m,), (n,) -> (m,)."""
    if before is None:
        return np.zeros(len(rows), np.int32)
    old = before[rows]  # (m,)
    return np.where(old == 0, NEW, old - np.arange(1, len(rows) + 1, dtype=np.int32)).astype(np.int32)
