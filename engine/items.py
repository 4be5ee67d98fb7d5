"""The catalogue as the engine holds it: ids, domains and vectors of all items in one order, titles on demand."""

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from llmrec.engine import half_life, index
from llmrec.engine.catalogue import Catalogue
from llmrec.engine.coding import spread
from llmrec.engine.embedding import kept_probe
from llmrec.engine.kept_wide import KeptWide
from llmrec.engine.lexicon import Lexicon
from llmrec.engine.probe import read_off
from llmrec.engine.records import BoolArray, IntArray, Item, ItemId, Progress
from llmrec.engine.store import ItemColumns, Store
from llmrec.engine.vectors import DoubleArray
from llmrec.engine.wide import SAMPLE, WideCatalogue
from llmrec.models import FloatArray

_PAGE_CACHE = 2_000
_PLACES = (4, 2, 1, 1)
"""Weight of an item's tags by their place."""


class Items:
    """A snapshot of all items in the store; row r is the same item in every array."""

    known: BoolArray
    """(n,) whether each has a vector."""
    lasting: FloatArray
    """(n,) P(still useful in a year) as its vector says; nan where it does not."""
    _ruled: DoubleArray
    """(n,) half-lives before anybody has said another one."""
    half_lives: DoubleArray
    """(n,) seconds until each is worth half; nan where unknown."""
    catalogue: Catalogue
    """The items as numbers."""

    def __init__(self, store: Store, columns: ItemColumns) -> None:
        """Know ids and domains; `read` adds the rest."""
        self._store = store
        self.ids = np.array(columns.ids, dtype=object)
        self.rows = {item_id: row for row, item_id in enumerate(columns.ids)}
        self.hashes = columns.hashes
        self.domains, self._domain_of = _codes(columns.domains)
        self._pages: OrderedDict[ItemId, Item] = OrderedDict()

    @classmethod
    def read(
        cls, store: Store, model_id: str, dim: int, cache: Path | None = None
    ) -> Generator[Progress, None, "Items"]:
        """Read all items, with the vectors of one encoder, from the store.

        Args:
            store: of the items.
            model_id: the encoder.
            dim: length of its vectors.
            cache: folder for what is made of a catalogue too large to hold in memory.

        Yields:
            How far the making of that is, where it is not in the cache: it may take minutes.
        """
        columns = store.columns()
        items = cls(store, columns)
        _, sources = _codes(columns.sources)
        probe = kept_probe(store, model_id, dim)
        if len(items) > index.EXACT_UP_TO:
            wide = yield from KeptWide(cache, store).read(model_id, columns, dim, probe)
            items.known, items.lasting = wide.codes.lengths > 0, wide.lasting
            items._ruled, items.half_lives = wide.half_lives, wide.half_lives.copy()
            items.catalogue = WideCatalogue(wide.vectors, columns.published, sources, items.half_lives, wide.codes)
        else:
            vectors, items.known = store.vectors(model_id, columns.hashes, dim)
            items.lasting = read_off(probe, vectors)
            items._ruled = half_life.all_by_rule(store, items.lasting)
            items.half_lives = items._ruled.copy()
            items.catalogue = Catalogue(vectors, columns.published, sources, store.words(), items.half_lives)
        items.correct()
        return items

    @cached_property
    def _tag_counts(self) -> dict[str, int]:
        return self._store.tag_counts()

    def correct(self) -> None:
        """Half-lives anew, in place: as user or writer has said by now, else as vectors and rules say."""
        self.half_lives[:] = self._ruled
        for item, (seconds, _) in self._store.half_lives().items():
            if item in self.rows:
                self.half_lives[self.rows[item]] = seconds

    def fit(self) -> None:
        """Compute now what the first event would have to wait for."""
        self.catalogue.fit()
        _ = self._tag_counts

    @cached_property
    def _middle(self) -> FloatArray:
        """(d,) mean of the items' vectors, of some thousands among many."""
        some = self.catalogue.vectors[spread(len(self), SAMPLE)]
        return np.asarray(some.mean(axis=0), np.float32)

    def name_of(self, ids: Sequence[ItemId], lexicon: Callable[[], Lexicon | None], k: int = 3) -> tuple[str, ...]:
        """Up to k words for a group of items: the tags they share, the nearest words, or their most telling ones.

        Args:
            ids: the group.
            lexicon: gives that of this catalogue, where its words have vectors; not asked where tags name the group.
            k: most words.

        A tag counts by its place among an item's tags (the first says most) times log(n / items that carry it), so
        that a course's level or "news" names nothing.
        """
        weights: Counter[str] = Counter()
        for item in self.get(ids):
            for place, tag in zip(_PLACES, item.tags, strict=False):
                weights[tag] += place * math.log((len(self) + 1) / self._tag_counts[tag])  # type: ignore[assignment]
        if weights:
            return tuple(tag for tag, _ in weights.most_common(k))
        rows = self.rows_of(ids)
        known = [row for row in rows if self.known[row]]
        words = lexicon() if known else None
        if words is None:
            return self.catalogue.telling(rows, k)
        vectors: FloatArray = self.catalogue.vectors[known]  # (m, d)
        return words.nearest(vectors.mean(axis=0) - self._middle, k) or self.catalogue.telling(rows, k)

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


def _codes(values: Sequence[str]) -> tuple[list[str], IntArray]:
    """Distinct values, and for each value its place among them, (n,)."""
    distinct = list(dict.fromkeys(values))
    place = {value: code for code, value in enumerate(distinct)}
    return distinct, np.array([place[v] for v in values], dtype=np.int32)
