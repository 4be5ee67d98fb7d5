"""A catalogue's items in eight bits, and how they are searched.

The default policy compares items in the joint space of meaning and words (`spaces`). Here each item is kept there as
its whitened unit row in eight bits, a byte per axis, beside its words on disk. The same bytes answer every search: by
what somebody liked, in the whitened space, and by a vector alone. This file alone knows the codes; `coding` makes them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmrec.engine.index import let_go
from llmrec.engine.records import BoolArray, IntArray
from llmrec.engine.spaces import JointSpace
from llmrec.engine.vectors import DoubleArray, RowArray, top_k
from llmrec.engine.words import IndexArray, SparseRows, WordIndex
from llmrec.models import FloatArray

Codes8 = npt.NDArray[np.int8]
Signs = npt.NDArray[np.uint64]

_KEPT = 20
"""One item in so many is left after the pass over the signs."""
_LEAST = 4_000
"""But never fewer items than this."""
_BLOCK = 16_384
"""Items whose signs are compared at once, so that the work stays in the cache."""
_CACHED = 2**17
"""Numbers (512 KB) that stay in the cache of one core between being unpacked and being multiplied."""
_WEIGHT = 3
"""What a sign counts more on those half of the axes where the query is larger, about as in a normal distribution."""
_LEADING = 128
"""Axes that tell which vectors are near; the others hold little of what varies."""
PARTS = 254
"""Parts of a step."""
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
    fine: Codes8
    """(n, k) what the codes leave of each row, in parts of a step; read of a few items only, so it stays on disk."""
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
    fitted: IntArray
    """() how many of the items on which words and space were fitted are still as they were."""

    @property
    def sparse(self) -> SparseRows:
        """The words of all items."""
        return self.starts, self.terms, self.data

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """All of it as plain arrays, to be kept in files."""
        own = [name for name in self.__slots__ if name not in ("space", "words")]
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
        """Whitened unit rows of some items, as good as exact. (m,) -> (m, k)."""
        steps = self.codes[rows] + np.asarray(self.fine[rows], np.float32) / PARTS
        let_go(self.fine)
        return np.asarray(steps * self.scale, np.float32)

    def rows(self, rows: RowArray) -> FloatArray:
        """Rows p of some items in the joint space. (m,) -> (m, k)."""
        return np.asarray(self.white(rows) * (self.lengths[rows, None] * np.sqrt(self.space.variance)), np.float32)

    def nearest(self, query: FloatArray, k: int, barred: BoolArray) -> RowArray:
        """About the best k items by dot product with a query in the whitened space, in any order.

        Args:
            query: (k,)
            k: how many.
            barred: (n,) whether an item is not wanted.
        """
        probe = self.scale * query
        apart = self._apart(probe)
        apart[np.flatnonzero(barred)] = np.iinfo(np.uint16).max
        left = _about_least(apart, max(_LEAST, len(apart) // _KEPT))
        left = left[apart[left] < np.iinfo(np.uint16).max]
        return left[top_k(_scan(self.codes[left], probe), k)]

    def alike(self, vector: FloatArray, k: int) -> RowArray:
        """About the best k items by dot product of their vectors with one, in any order. (d,) -> (k,).

        A vector is m + B p on the axes of the joint space, so that its product with q is m q + p (B' q).
        """
        d, space = len(vector), self.space
        probe = self.scale * np.sqrt(space.variance) * (vector @ space.axes[:d])  # (d,) @ (d, k) -> (k,)
        scores = self.lengths * _scan(self.codes[:, :_LEADING], probe[:_LEADING])
        return top_k(np.where(self.lengths > 0, scores, -space.mean[:d] @ vector), k)

    def _apart(self, probe: FloatArray) -> npt.NDArray[np.uint16]:
        """On how many axes each item and a query differ in sign; where the query is large they count more. (n,).

        The signs of a random projection tell the angle (Charikar, 2002); whitened axes are as good as random ones.
        """
        large = np.abs(probe) >= np.median(np.abs(probe))
        wanted, heavy = packed((probe > 0)[None])[:, 0], packed(large[None])[:, 0]
        apart = np.zeros(self.signs.shape[1], np.uint16)
        for start in range(0, len(apart), _BLOCK):
            found = apart[start : start + _BLOCK]
            for own, word, mask in zip(self.signs[:, start : start + _BLOCK], wanted, heavy, strict=True):
                other = own ^ word
                found += np.bitwise_count(other)
                found += np.bitwise_count(other & mask) * np.uint8(_WEIGHT - 1)
        return apart


def packed(bits: BoolArray) -> Signs:
    """Bits of rows in whole words. (m, k) -> (ceil(k / 64), m)."""
    m, k = bits.shape
    found = np.zeros((m, 8 * -(-k // 64)), np.uint8)
    found[:, : -(-k // 8)] = np.packbits(bits, axis=1, bitorder="little")
    return np.ascontiguousarray(found.view(np.uint64).T)


def _about_least(values: npt.NDArray[np.uint16], k: int) -> RowArray:
    """About the least k of n values: all up to what bounds the same share of one in every sixteen. (n,) -> (~k,)."""
    if k >= len(values):
        return np.arange(len(values))
    part = values[:: 16 if len(values) > 64 * 16 else 1]
    share = max(1, round(k * len(part) / len(values)))
    return np.flatnonzero(values <= np.partition(part, share - 1)[share - 1])


def _scan(codes: Codes8, probe: FloatArray) -> FloatArray:
    """Dot products of rows in eight bits with a probe, unpacked in parts that stay in the cache. (n, a) -> (n,)."""
    scores = np.empty(len(codes), np.float32)
    size = _CACHED // max(len(probe), 1)
    work = np.empty((min(size, len(codes)), len(probe)), np.float32)
    probe = np.ascontiguousarray(probe, np.float32)
    for start in range(0, len(codes), size):
        block = codes[start : start + size]
        unpacked = work[: len(block)]
        np.copyto(unpacked, block)
        np.dot(unpacked, probe, out=scores[start : start + len(block)])
    return scores
