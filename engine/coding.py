"""How the items of a large catalogue become codes: words and a space are fitted once, then all items are encoded.

A catalogue that has grown a little keeps its words and its space, as a small one does, and only items that are new or
have changed are encoded. Both ways take one page of texts after the other and yield how far they are.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence

import numpy as np

from llmrec.engine.codes import PARTS, Codes, Codes8, packed
from llmrec.engine.records import BoolArray, Progress
from llmrec.engine.spaces import JointRows, JointSpace
from llmrec.engine.vectors import RowArray
from llmrec.engine.words import SparseRows, WordIndex, count_words, joined_rows, taken_rows
from llmrec.models import FloatArray

Pages = Callable[[], Iterable[Sequence[str]]]
"""Gives the texts of all items in their order, some thousands at a time."""

FITTED = 20_000
"""Items, evenly spaced, on which the space is fitted; as many as `JointSpace` reads of any catalogue."""
WHAT = "catalogue"
"""What the progress is of."""
_BLOCK = 8_192


def fitted(vectors: FloatArray, pages: Pages) -> Generator[Progress, None, Codes]:
    """Fit words on all items and a space on a sample, and encode all; a minute or two for a million.

    Args:
        vectors: (n, d) unit rows, may be memory-mapped; zeros where an item has none yet.
        pages: read twice.

    Yields:
        How many of the n items are done; the first of the two passes counts for half.
    """
    n = len(vectors)
    rows = spread(n, FITTED)
    wanted, texts, counts, read = set(rows.tolist()), list[str](), Counter[str](), 0
    for page in pages():
        count_words(counts, page)
        texts += [text for row, text in enumerate(page, read) if row in wanted]
        read += len(page)
        yield Progress(read // 2, n, WHAT)
    words, some = WordIndex.counted(counts, n), np.asarray(vectors[rows])
    sparse = words.read(texts)
    space = JointSpace.fit(some, words.of(sparse))
    maker = _Maker(space, words, vectors, _scale(_joint(space, words.of(sparse), some)))
    for page in pages():
        maker.add(page)
        yield Progress((n + maker.at) // 2, n, WHAT)
    return maker.made(int(np.count_nonzero(maker.lengths)))


def grown(old: Codes, vectors: FloatArray, stale: BoolArray, pages: Pages) -> Generator[Progress, None, Codes]:
    """Encode what is new or has changed, in the words and the space there are; some seconds for a million.

    Args:
        old: of the first items.
        vectors: (n, d) unit rows of all.
        stale: (n,) which items are new or have changed; rows that `old` does not have are.
        pages: read once.

    Yields:
        How many of the n items are done.
    """
    maker = _Maker(old.space, old.words, vectors, old.scale)
    for page in pages():
        part = slice(maker.at, maker.at + len(page))
        maker.add(page, old, np.flatnonzero(~stale[part]))
        yield Progress(maker.at, len(vectors), WHAT)
    return maker.made(still_fitted(old, stale))


def still_fitted(old: Codes, stale: BoolArray) -> int:
    """How many of the items on which words and space were fitted have not changed since, at least."""
    return int(old.fitted) - int(np.count_nonzero(stale[: len(old.lengths)] & (old.lengths[: len(stale)] > 0)))


def spread(n: int, count: int) -> RowArray:
    """At most `count` of n rows, evenly spaced."""
    return np.linspace(0, n - 1, min(n, count)).astype(np.int64)


class _Maker:
    """Encodes items page by page."""

    def __init__(self, space: JointSpace, words: WordIndex, vectors: FloatArray, scale: FloatArray) -> None:
        self._space, self._words, self._vectors, self._scale = space, words, vectors, scale
        n, k = len(vectors), len(space.variance)
        self._codes, self._fine = np.empty((n, k), np.int8), np.empty((n, k), np.int8)
        self._signs = np.empty((-(-k // 64), n), np.uint64)
        self.lengths, self._characters = np.zeros(n, np.float32), np.zeros(n, np.int32)
        self._sparse: list[SparseRows] = []
        self.at = 0

    def add(self, texts: Sequence[str], old: Codes | None = None, kept: RowArray | None = None) -> None:
        """The next items; those in the places `kept` are taken over from `old`."""
        places = np.arange(len(texts)) if kept is None else np.setdiff1d(np.arange(len(texts)), kept)
        sparse = self._encode(places, [texts[place] for place in places])
        if old is not None and kept is not None and len(kept):
            sparse = self._take(old, self.at + kept, sparse, np.argsort(np.concatenate([places, kept])))
        starts, terms, data = sparse
        self._sparse.append((starts, terms.astype(np.int32), data))
        self.at += len(texts)

    def _encode(self, places: RowArray, texts: Sequence[str]) -> SparseRows:
        """Encode the next items in some places; returns their words."""
        sparse, rows = self._words.read(texts), self.at + places
        joint = _joint(self._space, self._words.of(sparse), np.asarray(self._vectors[rows]))
        inverse = joint.inverse_lengths[0]
        steps = _white(joint) / self._scale
        codes = _in_eight_bits(steps)
        self._codes[rows], self._signs[:, rows] = codes, packed(codes > 0)
        self._fine[rows] = _in_eight_bits(PARTS * (steps - codes))
        self.lengths[rows] = np.divide(1, inverse, out=np.zeros_like(inverse), where=inverse > 0)
        self._characters[rows] = [len(text) for text in texts]
        return sparse

    def _take(self, old: Codes, rows: RowArray, sparse: SparseRows, order: RowArray) -> SparseRows:
        """Take items over; returns their words after others', put into an order."""
        self._codes[rows], self._fine[rows], self._signs[:, rows] = old.codes[rows], old.fine[rows], old.signs[:, rows]
        self.lengths[rows], self._characters[rows] = old.lengths[rows], old.characters[rows]
        return taken_rows(joined_rows([sparse, taken_rows(old.sparse, rows)]), order)

    def made(self, fitted_on: int) -> Codes:
        """All of it."""
        n = max(self.at, 1)
        starts, terms, data = joined_rows(self._sparse or [self._words.rows])
        found = Codes(
            space=self._space,
            words=self._words,
            scale=self._scale,
            codes=self._codes,
            fine=self._fine,
            signs=self._signs,
            lengths=self.lengths,
            characters=self._characters,
            starts=starts,
            terms=terms,
            data=data,
            middle=np.zeros((2, len(self._scale)), np.float32),
            means=np.bincount(terms, weights=data, minlength=len(self._words.vocabulary)) / n,
            fitted=np.array(fitted_on),
        )
        for start in range(0, self.at, _BLOCK):
            joint = JointRows.of(self._space, found.rows(np.arange(start, min(start + _BLOCK, self.at))))
            found.middle[:] += joint.inverse_lengths @ joint.rows / n  # (2, m) @ (m, k) -> (2, k)
        return found


def _joint(space: JointSpace, words: WordIndex, vectors: FloatArray) -> JointRows:
    """Items in the joint space; those without a vector lie in the middle and resemble nothing."""
    known = np.any(vectors != 0, axis=1)
    return JointRows.of(space, space.project(vectors, words.times(space.topics)) * known[:, None])


def _white(joint: JointRows) -> FloatArray:
    """Whitened unit rows, (m, k)."""
    root = np.sqrt(1 / joint.space.variance).astype(np.float32)
    return joint.rows * root * joint.inverse_lengths[0, :, None]


def _in_eight_bits(numbers: FloatArray) -> Codes8:
    return np.clip(np.rint(numbers), -127, 127).astype(np.int8)


def _scale(joint: JointRows) -> FloatArray:
    """How far each axis goes in a sample, in 127 steps, with some room. (k,)."""
    return np.asarray(1.1 * np.abs(_white(joint)).max(axis=0, initial=1e-6) / 127, np.float32)
