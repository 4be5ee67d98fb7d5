"""The catalogue as the engine holds it: ids, domains and vectors of all items in one order, titles on demand."""

import math
from collections import Counter, OrderedDict
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.half_life import by_rule
from llmrec.engine.records import IntArray, Item, ItemId
from llmrec.engine.store import Store
from llmrec.engine.vectors import DoubleArray

_PAGE_CACHE = 2_000
_PLACES = (4, 2, 1, 1)
"""Weight of an item's tags by their place."""
BoolArray = npt.NDArray[np.bool_]


class Items:
    """A snapshot of all items in the store; row r is the same item in every array."""

    def __init__(self, store: Store, model_id: str, dim: int) -> None:
        """Read ids, dates and vectors of one encoder from the store."""
        columns = store.columns()
        self._store = store
        self.ids = np.array(columns.ids, dtype=object)
        self.rows = {item_id: row for row, item_id in enumerate(columns.ids)}
        self.hashes = columns.hashes
        self.domains, self._domain_of = _codes(columns.domains)
        _, sources = _codes(columns.sources)
        vectors, self.known = store.vectors(model_id, columns.hashes, dim)
        self.half_lives = _half_lives(store)
        self.catalogue = Catalogue(vectors, columns.published, sources, store.words(), self.half_lives)
        self._pages: OrderedDict[ItemId, Item] = OrderedDict()

    @cached_property
    def _tag_counts(self) -> dict[str, int]:
        return self._store.tag_counts()

    def name_of(self, ids: Sequence[ItemId], k: int = 3) -> tuple[str, ...]:
        """Up to k words for a group of items: the tags they share, else their most telling words.

        A tag counts by its place among an item's tags (the first says most) times log(n / items that carry it), so
        that a course's level or "news" names nothing.
        """
        weights: Counter[str] = Counter()
        for item in self.get(ids):
            for place, tag in zip(_PLACES, item.tags, strict=False):
                weights[tag] += place * math.log((len(self) + 1) / self._tag_counts[tag])  # type: ignore[assignment]
        named = tuple(tag for tag, _ in weights.most_common(k))
        return named or self.catalogue.words.telling(self.rows_of(ids), k)

    def __len__(self) -> int:
        return len(self.ids)

    def in_domain(self, domain: str | None) -> BoolArray:
        """(n,) whether each item belongs to a domain; all do where it is None."""
        if domain is None:
            return np.ones(len(self), np.bool_)
        if domain not in self.domains:
            return np.zeros(len(self), np.bool_)
        return np.asarray(self._domain_of == self.domains.index(domain))

    def published_by(self, now: float) -> BoolArray:
        """(n,) whether each item was out at a moment; unknown dates count as out."""
        return ~(self.catalogue.published > now)

    def rows_of(self, ids: Sequence[ItemId]) -> list[int]:
        """Rows of the ids that exist."""
        return [self.rows[i] for i in ids if i in self.rows]

    def get(self, ids: Sequence[ItemId]) -> list[Item]:
        """The items of these ids, the recently used ones without asking the store."""
        missing = [i for i in ids if i not in self._pages]
        for item in self._store.items(missing):
            self._pages[item.id] = item
        found = [self._pages[i] for i in ids if i in self._pages]
        for item in found:
            self._pages.move_to_end(item.id)
        while len(self._pages) > max(_PAGE_CACHE, len(ids)):
            self._pages.popitem(last=False)
        return found


def _half_lives(store: Store) -> DoubleArray:
    """(n,) seconds until an item is worth half, nan where unknown."""
    said = store.half_lives()
    found = (said[item.id][0] if item.id in said else by_rule(item) for item in store.all_items())
    return np.fromiter(found, np.float64)


def _codes(values: Sequence[str]) -> tuple[list[str], IntArray]:
    """Distinct values, and for each value its place among them, (n,)."""
    distinct = list(dict.fromkeys(values))
    place = {value: code for code, value in enumerate(distinct)}
    return distinct, np.array([place[v] for v in values], dtype=np.int32)
