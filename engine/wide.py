"""Catalogues too large to score whole: each item in eight bits, and its full row for the few that are looked at.

The default policy compares items in the joint space of meaning and words (`spaces`). Here each item is kept there as
its whitened unit row in eight bits, a byte per axis, beside its words on disk. A pass over the signs alone and one over
the bytes of what that leaves find the items nearest to what somebody liked; a policy then ranks those (`shortlist`).
This file alone knows the codes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.index import scan
from llmrec.engine.records import IntArray
from llmrec.engine.spaces import JointRows, JointSpace
from llmrec.engine.vectors import DoubleArray, RowArray, top_k
from llmrec.engine.words import IndexArray, SparseRows, WordIndex, joined_rows, taken_rows
from llmrec.models import FloatArray

Codes8 = npt.NDArray[np.int8]
Signs = npt.NDArray[np.uint64]
BoolArray = npt.NDArray[np.bool_]

FITTED = 20_000
"""Items, evenly spaced, on which words and space are fitted; as many as `JointSpace` reads of any catalogue."""
SAMPLE = 4_096
"""Items, evenly spaced, that stand for all in means and deviations."""
_KEPT = 20
"""One item in so many is left after the pass over the signs."""
_LEAST = 4_000
"""But never fewer items than this."""
_BLOCK = 16_384
"""Items whose signs are compared at once, so that the work stays in the cache."""
_WEIGHT = 3
"""What a sign counts more on those half of the axes where the query is larger, about as in a normal distribution."""
_SPACE = ("topics", "mean", "axes", "variance")


@dataclass(frozen=True, slots=True)
class Codes:
    """What is kept of n items; the large arrays may be memory maps."""

    space: JointSpace
    words: WordIndex
    """Which words there are and how much they weigh; without rows."""
    scale: FloatArray
    """(k,) what one step of a code is worth on each axis."""
    codes: Codes8
    """(n, k) of the whitened unit rows."""
    signs: Signs
    """(ceil(k / 64), n) which of the codes are above 0, a bit each."""
    lengths: FloatArray
    """(n,) lengths of the whitened rows; 0 for an item without a vector."""
    characters: IntArray
    """(n,) of each text."""
    starts: IndexArray
    """(n + 1,) where each item's words begin."""
    terms: IndexArray
    """Words of all items in turn."""
    data: FloatArray
    """Their weights."""
    middle: FloatArray
    """(2, k) mean of the rows scaled to each of their two lengths."""
    means: DoubleArray
    """(v,) mean weight of each word."""

    @classmethod
    def fit(cls, vectors: FloatArray, pages: Callable[[], Iterable[Sequence[str]]]) -> "Codes":
        """Fit words on all items and a space on a sample, and encode all; a minute or two for a million.

        Args:
            vectors: (n, d) unit rows, may be memory-mapped.
            pages: gives the texts of all n items in their order, some thousands at a time.
        """
        words = WordIndex.over(pages())
        rows = spread(len(vectors), FITTED)
        wanted = set(rows.tolist())
        texts = (text for page in pages() for text in page)
        sampled = words.of(words.read([text for row, text in enumerate(texts) if row in wanted]))
        space = JointSpace.fit(np.asarray(vectors[rows]), sampled)
        maker = _Maker(space, words, vectors)
        maker.scale(np.asarray(vectors[rows]), sampled.rows)
        for page in pages():
            maker.add(page)
        return maker.made()

    @property
    def sparse(self) -> SparseRows:
        """The words of all items."""
        return self.starts, self.terms, self.data

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """All of it as plain arrays, to be kept in files."""
        own = ("scale", "codes", "signs", "lengths", "characters", "starts", "terms", "data", "middle", "means")
        return {
            **{f"word_{name}": array for name, array in self.words.arrays().items()},
            **{f"space_{name}": getattr(self.space, name) for name in _SPACE},
            **{name: getattr(self, name) for name in own},
        }

    @classmethod
    def of(cls, arrays: dict[str, npt.NDArray[np.generic]]) -> "Codes":
        """What gave these arrays."""
        words = {name.removeprefix("word_"): array for name, array in arrays.items() if name.startswith("word_")}
        own = {name: array for name, array in arrays.items() if not name.startswith(("word_", "space_"))}
        space = JointSpace(*(arrays[f"space_{name}"] for name in _SPACE))  # type: ignore[arg-type]
        return cls(space, WordIndex.from_arrays(words), **own)  # type: ignore[arg-type]

    def white(self, rows: RowArray) -> FloatArray:
        """Whitened unit rows of some items. (m,) -> (m, k)."""
        return self.codes[rows] * self.scale

    def rows(self, rows: RowArray) -> FloatArray:
        """Rows p of some items in the joint space. (m,) -> (m, k)."""
        return np.asarray(self.white(rows) * (self.lengths[rows, None] * np.sqrt(self.space.variance)), np.float32)

    def nearest(self, query: FloatArray, k: int, barred: RowArray) -> RowArray:
        """About the best k items by dot product with a query in the whitened space, in any order.

        Args:
            query: (k,)
            k: how many.
            barred: rows of items that are not wanted.
        """
        probe = self.scale * query
        apart = self._apart(probe)
        apart[barred] = np.iinfo(np.uint16).max
        left = _about_least(apart, max(_LEAST, len(apart) // _KEPT))
        left = left[apart[left] < np.iinfo(np.uint16).max]
        return left[top_k(scan(self.codes[left], probe), k)]

    def _apart(self, probe: FloatArray) -> npt.NDArray[np.uint16]:
        """On how many axes each item and a query differ in sign; where the query is large they count more. (n,).

        The signs of a random projection tell the angle (Charikar, 2002); whitened axes are as good as random ones.
        """
        large = np.abs(probe) >= np.median(np.abs(probe))
        wanted, heavy = _packed((probe > 0)[None])[:, 0], _packed(large[None])[:, 0]
        apart = np.zeros(self.signs.shape[1], np.uint16)
        for start in range(0, len(apart), _BLOCK):
            found = apart[start : start + _BLOCK]
            for own, word, mask in zip(self.signs[:, start : start + _BLOCK], wanted, heavy, strict=True):
                other = own ^ word
                found += np.bitwise_count(other)
                found += np.bitwise_count(other & mask) * np.uint8(_WEIGHT - 1)
        return apart


class _Maker:
    """Encodes items page by page."""

    def __init__(self, space: JointSpace, words: WordIndex, vectors: FloatArray) -> None:
        self._space, self._words, self._vectors = space, words, vectors
        n, k = len(vectors), len(space.variance)
        self._codes, self._signs = np.empty((n, k), np.int8), np.empty((-(-k // 64), n), np.uint64)
        self._lengths, self._characters = np.zeros(n, np.float32), np.zeros(n, np.int32)
        self._sparse: list[SparseRows] = []
        self._middle = np.zeros((2, k))
        self._root = np.sqrt(1 / space.variance).astype(np.float32)
        self._at = 0

    def scale(self, vectors: FloatArray, sparse: SparseRows) -> None:
        """Let a sample say how far each axis goes."""
        known = self._joint(vectors, sparse)
        white = np.abs(known.rows * self._root * known.inverse_lengths[0, :, None])
        self._scale = (1.1 * white.max(axis=0, initial=1e-6) / 127).astype(np.float32)

    def _joint(self, vectors: FloatArray, sparse: SparseRows) -> JointRows:
        topics = self._words.of(sparse).times(self._space.topics)
        known = np.any(vectors != 0, axis=1)
        return JointRows.of(self._space, self._space.project(vectors, topics) * known[:, None])

    def add(self, texts: Sequence[str]) -> None:
        """The next items."""
        part = slice(self._at, self._at + len(texts))
        starts, terms, data = self._words.read(texts)
        self._sparse.append((starts, terms.astype(np.int32), data))
        joint = self._joint(np.asarray(self._vectors[part]), (starts, terms, data))
        inverse = joint.inverse_lengths[0]
        codes = np.rint(joint.rows * self._root * inverse[:, None] / self._scale)
        codes = np.clip(codes, -127, 127).astype(np.int8)
        self._codes[part], self._signs[:, part] = codes, _packed(codes > 0)
        self._lengths[part] = np.divide(1, inverse, out=np.zeros_like(inverse), where=inverse > 0)
        self._characters[part] = [len(text) for text in texts]
        self._middle += joint.inverse_lengths @ joint.rows
        self._at += len(texts)

    def made(self) -> Codes:
        """All of it."""
        n = max(self._at, 1)
        starts, terms, data = joined_rows(self._sparse or [self._words.rows])
        means = np.bincount(terms, weights=data, minlength=len(self._words.vocabulary)) / n
        return Codes(
            self._space,
            self._words,
            self._scale,
            self._codes,
            self._signs,
            self._lengths,
            self._characters,
            starts,
            terms,
            data,
            (self._middle / n).astype(np.float32),
            means,
        )


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
        added = np.array(more, np.int64)
        self.rows: RowArray = np.concatenate([self._sample, added])
        self._added = {row: place for place, row in enumerate(more, start=len(self._sample))}
        codes = self.whole.codes
        self._forget(refit=True)
        words = codes.words.of(joined_rows([self._words, taken_rows(codes.sparse, added)]), codes.means)
        self.adopt(words, self._known.joined(codes.rows(added)))
        self._vectors = None
        for name in ("published", "sources", "lengths"):
            setattr(self, name, getattr(self.whole, name)[self.rows])
        whole = self.whole
        self.__dict__.update(gaps=whole.gaps[self.rows], cuts=whole.cuts, period_counts=whole.period_counts)
        self.refresh()

    def refresh(self) -> None:
        """Take over half-lives, which may be corrected at any time."""
        self.half_lives = self.whole.half_lives[self.rows]

    def renew(self) -> None:
        """Let policies build their sums from all that they have learnt, so that no path to a state shows in it."""
        self.version += 1

    def place(self, row: int) -> int:
        """Where a row of the whole catalogue stands here; -1 where it is not held, or no row."""
        return self._places.get(row, self._added.get(row, -1))


def spread(n: int, count: int) -> RowArray:
    """At most `count` of n rows, evenly spaced."""
    return np.linspace(0, n - 1, min(n, count)).astype(np.int64)


def _packed(bits: BoolArray) -> Signs:
    """Bits of rows in whole words. (m, k) -> (ceil(k / 64), m)."""
    m, k = bits.shape
    packed = np.zeros((m, 8 * -(-k // 64)), np.uint8)
    packed[:, : -(-k // 8)] = np.packbits(bits, axis=1, bitorder="little")
    return np.ascontiguousarray(packed.view(np.uint64).T)


def _about_least(values: npt.NDArray[np.uint16], k: int) -> RowArray:
    """About the least k of n values: all up to what bounds the same share of one in every sixteen. (n,) -> (~k,)."""
    if k >= len(values):
        return np.arange(len(values))
    part = values[:: 16 if len(values) > 64 * 16 else 1]
    share = max(1, round(k * len(part) / len(values)))
    return np.flatnonzero(values <= np.partition(part, share - 1)[share - 1])
