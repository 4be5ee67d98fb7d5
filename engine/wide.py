"""Catalogues too large to score whole: only codes of the items are held, and the full rows of the few looked at.

Codes choose candidates, by what somebody liked or by a vector (`codes`); a policy then ranks those candidates in a
small catalogue beside a sample that stands for all (`shortlist`).
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NoReturn

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.codes import Codes
from llmrec.engine.coding import spread
from llmrec.engine.index import RescoredIndex, VectorIndex
from llmrec.engine.records import IntArray
from llmrec.engine.spaces import JointRows
from llmrec.engine.vectors import DoubleArray, RowArray
from llmrec.engine.words import joined_rows, taken_rows
from llmrec.models import FloatArray

SAMPLE = 4_096
"""Items, evenly spaced, that stand for all in means and deviations."""


class WideCatalogue(Catalogue):
    """A catalogue of which only codes are in memory; its vectors may be a memory map, its words lie beside them."""

    def __init__(
        self,
        vectors: FloatArray,
        published: DoubleArray,
        sources: IntArray,
        half_lives: DoubleArray,
        codes: Codes,
    ) -> None:
        """Take what was read or made already; `vectors` are unit rows (n, d)."""
        super().__init__(np.empty((0, vectors.shape[1]), np.float32))
        self.vectors = vectors
        self.published, self.sources, self.half_lives = published, sources, half_lives
        self.codes = codes
        self.lengths = np.asarray(codes.characters, np.int64)

    @cached_property
    def words(self) -> NoReturn:
        """Never: they would fill the memory."""
        raise AssertionError("a catalogue of this size keeps its words on disk")

    @cached_property
    def joint(self) -> NoReturn:
        """Never: it would fill the memory."""
        raise AssertionError("a catalogue of this size is kept in codes")

    @cached_property
    def index(self) -> VectorIndex:
        """Search by the codes that are held anyway."""
        return RescoredIndex(self.vectors, self.codes.alike)

    def fit(self) -> None:
        """All is fitted; only dates are not counted yet."""
        _ = self.gaps, self.period_counts, self._dates

    def later_than(self, now: float) -> int:
        """How many items are not out yet at a moment."""
        return len(self._dates) - int(np.searchsorted(self._dates, now, side="right"))

    @cached_property
    def _dates(self) -> DoubleArray:
        """The known dates, earliest first."""
        return np.sort(self.published[np.isfinite(self.published)])

    def telling(self, rows: Sequence[int], k: int) -> tuple[str, ...]:
        """The k words that say most of some items."""
        own = self.codes.words.of(taken_rows(self.codes.sparse, np.asarray(rows, np.int64)))
        return own.telling(range(len(rows)), k)

    def usual_words(self, most: int) -> list[str]:
        """Up to `most` words that its items may be about."""
        return self.codes.words.usual(most)


class Pool(Catalogue):
    """A few rows of a wide catalogue: a sample that stands for all, what somebody touched, and candidates.

    It is refilled in place; policies over it follow by its `version`, as they follow any catalogue that grows.
    """

    def __init__(self, whole: WideCatalogue) -> None:
        """Hold the sample alone."""
        self.whole = whole
        self._vectors: FloatArray | None = None
        super().__init__(np.empty((0, whole.dim), np.float32))
        self._sample = spread(len(whole), SAMPLE)
        self._places = {int(row): place for place, row in enumerate(self._sample)}
        codes = whole.codes
        self._known = JointRows.of(codes.space, codes.rows(self._sample), codes.middle)
        self._words = taken_rows(codes.sparse, self._sample)
        self._held: tuple[tuple[int, ...], tuple[int, ...]] | None = None
        self._added: dict[int, int] = {}
        self.hold((), ())

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def vectors(self) -> FloatArray:
        """Unit rows (m, d), read from the whole catalogue by those policies that need them."""
        if self._vectors is None:
            self._vectors = np.asarray(self.whole.vectors[self.rows])
        return self._vectors

    @vectors.setter
    def vectors(self, vectors: FloatArray) -> None:
        self._vectors = vectors

    @property
    def dim(self) -> int:
        """Length d of a vector."""
        return self.whole.dim

    @property
    def sample(self) -> int:
        """Rows of the sample, which come first."""
        return len(self._sample)

    @property
    def stands_for(self) -> float:
        """Items for each row of the sample."""
        return len(self.whole) / max(self.sample, 1)

    def hold(self, touched: tuple[int, ...], candidates: tuple[int, ...]) -> None:
        """Hold these rows of the whole catalogue beside the sample, in this order; `touched` keep their places."""
        if self._held == (touched, candidates):
            return
        self._held = touched, candidates
        more = [row for row in dict.fromkeys((*touched, *candidates)) if row not in self._places]
        added, joint = np.array(more, np.int64), self._known.joined(self._decoded(more))
        self.rows: RowArray = np.concatenate([self._sample, added])
        self._added = {row: place for place, row in enumerate(more, start=len(self._sample))}
        codes = self.whole.codes
        self._forget(refit=True)
        self.adopt(codes.words.of(joined_rows([self._words, taken_rows(codes.sparse, added)]), codes.means), joint)
        self._vectors = None
        for name in ("published", "sources", "lengths"):
            setattr(self, name, getattr(self.whole, name)[self.rows])
        whole = self.whole
        self.__dict__.update(gaps=whole.gaps[self.rows], cuts=whole.cuts, period_counts=whole.period_counts)
        self.refresh()

    def _decoded(self, rows: list[int]) -> FloatArray:
        """Rows p of items; those that are held already, which are most, are not read again. (m,) -> (m, k)."""
        places = np.array([self._added.get(row, -1) for row in rows], np.int64)
        found = np.empty((len(rows), self._known.rows.shape[1]), np.float32)
        held = places >= 0
        if held.any():
            found[held] = self.joint.rows[places[held]]
        found[~held] = self.whole.codes.rows(np.array(rows, np.int64)[~held])
        return found

    def refresh(self) -> None:
        """Take over half-lives, which may be corrected at any time."""
        self.half_lives = self.whole.half_lives[self.rows]

    def renew(self) -> None:
        """Let policies build their sums from all that they have learnt, so that no path to a state shows in it."""
        self.version += 1

    def place(self, row: int) -> int:
        """Where a row of the whole catalogue stands here; -1 where it is not held, or no row."""
        return self._places.get(row, self._added.get(row, -1))
