"""From scores to the list on screen: which rows show, in which order, and how far each has moved."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from llmrec.engine.items import Items
from llmrec.engine.person import Person
from llmrec.engine.records import NEW, BoolArray, IntArray, ItemId, View
from llmrec.models import FloatArray

ObjectArray = np.ndarray[Any, np.dtype[np.object_]]


@dataclass(frozen=True, slots=True)
class Listing:
    """An ordered list of rows."""

    rows: IntArray
    """(m,) rows of the catalogue, best first."""
    scores: FloatArray
    """(m,) in the same order."""
    spread: bool = False
    """The first rows are a little of everything, because nothing is known of the user yet."""


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
        kept = mask[items.rows_of(list(view.keep))]
        mask[person.acted_rows] = False
        mask[items.rows_of(list(view.keep))] = kept
    if matching is not None:
        found = np.zeros(len(items), np.bool_)
        found[items.rows_of(list(matching))] = True
        mask &= found
    return mask


def ordered(scores: FloatArray, mask: BoolArray) -> Listing:
    """The rows of a mask by score, best first; equal scores in catalogue order, so that the order is certain.

    Score and row are packed into one integer, because numpy sorts integers many times faster than it sorts stably.
    """
    lowest = scores.min(initial=np.inf)
    above = mask & (scores > lowest)
    last = np.flatnonzero(mask & ~above).astype(np.int32)  # almost all rows, where only a shortlist was scored
    rows = np.flatnonzero(above)
    bits = (-scores[rows]).view(np.int32)
    bits ^= (bits >> 31) & 0x7FFFFFFF  # integers that sort as the floats would
    packed = bits.astype(np.int64)
    packed <<= 32
    packed |= rows
    packed.sort()
    best = packed.astype(np.int32)  # the lower half: the row
    return Listing(np.concatenate([best, last]), np.concatenate([scores[best], np.full(len(last), lowest, np.float32)]))


class Ids(Sequence[ItemId]):
    """The ids of an ordered list, made only where they are looked at: a list may hold a million."""

    def __init__(self, ids: ObjectArray, rows: IntArray, row_of: Mapping[ItemId, int]) -> None:
        """Of all ids (n,), those of `rows` (m,) in their order."""
        self._ids = ids
        self._rows = rows
        self._row_of = row_of

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> ItemId: ...
    @overload
    def __getitem__(self, index: slice) -> list[ItemId]: ...
    def __getitem__(self, index: int | slice) -> ItemId | list[ItemId]:
        found = self._ids[self._rows[index]]
        return list(found) if isinstance(found, np.ndarray) else ItemId(found)

    def __iter__(self) -> Iterator[ItemId]:
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self[:] == list(other)

    def __contains__(self, item: object) -> bool:
        return bool(len(self._places(item)))

    def index(self, item: ItemId, start: int = 0, stop: int | None = None) -> int:
        """Place of an id, from 0.

        Raises:
            ValueError: it is not in the list.
        """
        places = [p for p in self._places(item) if p >= start and (stop is None or p < stop)]
        if not places:
            raise ValueError(f"{item!r} is not in the list")
        return int(places[0])

    def _places(self, item: object) -> npt.NDArray[np.int64]:
        row = self._row_of.get(item, -1)  # type: ignore[call-overload]
        return np.flatnonzero(self._rows == row)


def places(rows: IntArray, n: int) -> IntArray:
    """Rank of each row of the catalogue, 1 is best and 0 is not in the list; (m,) -> (n,)."""
    rank = np.zeros(n, np.int32)
    rank[rows] = np.arange(1, len(rows) + 1, dtype=np.int32)
    return rank


def moved(rows: IntArray, before: IntArray | None) -> IntArray:
    """Places each listed row has risen, negative where it sank, NEW where it was not listed. (m,), (n,) -> (m,)."""
    if before is None:
        return np.zeros(len(rows), np.int32)
    risen = before[rows]  # (m,)
    new = risen == 0
    risen -= np.arange(1, len(rows) + 1, dtype=np.int32)
    risen[new] = NEW
    return risen
