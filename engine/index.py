"""Nearest vectors for catalogues of any size: exact, eight-bit with rescoring, or an optional graph.

One protocol, so that the rest of the engine does not know which it has. Exact float32 is right up to some hundred
thousand items; above, `Int8Index` holds a quarter of the memory and stays exact where it matters, because the best
candidates are scored again from vectors that may lie on disk.
"""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from llmrec.engine.vectors import RowArray, top_k
from llmrec.models import FloatArray

_BLOCK = 16_384
"""Rows handled at once, so that what is computed between stays in the processor's cache."""


class VectorIndex(Protocol):
    """Finds the rows with the largest dot product to a query."""

    def __len__(self) -> int:
        """Return the number of vectors."""

    def add(self, vectors: FloatArray) -> None:
        """Append unit rows, (m, d)."""

    def search(self, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """Best k rows and their dot products, highest first. (d,) -> (k,), (k,); k is clipped to n."""


class ExactIndex:
    """One float32 matrix and one matrix-vector product; the reference for the others."""

    def __init__(self, vectors: FloatArray) -> None:
        """Hold the rows (n, d), which may be memory-mapped."""
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def add(self, vectors: FloatArray) -> None:
        """Append unit rows."""
        self._vectors = np.concatenate([self._vectors, vectors])

    def search(self, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """Best k rows of all, exactly."""
        scores = self._vectors @ query  # (n, d) @ (d,) -> (n,)
        rows = top_k(scores, k)
        return rows, scores[rows]


class MappedIndex(ExactIndex):
    """Exact search in a `.npy` file that is not read into memory; the system's page cache serves it."""

    def __init__(self, path: Path) -> None:
        """Map the float32 array (n, d) in the file."""
        super().__init__(np.load(path, mmap_mode="r"))


class Int8Index:
    """Two stages: leading principal axes in eight bits choose candidates, exact vectors order them.

    A row is kept as eight-bit codes of its coordinates on the leading axes of the catalogue (axes by decreasing
    spread, `scale` per axis). The first stage is a product of the codes with the query; the best `wide` rows are then
    scored from `exact`, which is any array-like of float32 rows, for example a memory map.
    """

    def __init__(self, vectors: FloatArray, *, axes: int = 128, wide: int = 1_000) -> None:
        """Encode the rows (n, d), keeping a reference to them for the second stage.

        Args:
            vectors: unit rows, may be memory-mapped.
            axes: principal axes kept; d of them make the first stage almost exact, and slower.
            wide: candidates of the first stage.
        """
        sample = np.asarray(vectors[:: max(1, len(vectors) // 50_000)])
        self._mean = sample.mean(axis=0) if len(sample) else np.zeros(vectors.shape[1], np.float32)
        self._basis = _principal_axes(sample - self._mean, axes)
        spread = np.abs((sample - self._mean) @ self._basis).max(axis=0, initial=1e-12)
        self._scale = (1.1 * spread / 127).astype(np.float32)
        self._wide = wide
        self._exact: list[FloatArray] = []
        self._codes: list[npt.NDArray[np.int8]] = []
        self.add(vectors)

    def __len__(self) -> int:
        return sum(len(part) for part in self._exact)

    @property
    def nbytes(self) -> int:
        """Bytes of the codes, which must stay in memory."""
        return sum(part.nbytes for part in self._codes)

    def add(self, vectors: FloatArray) -> None:
        """Append unit rows in the axes chosen at first."""
        codes = np.empty((len(vectors), self._basis.shape[1]), np.int8)
        for start in range(0, len(vectors), _BLOCK):
            block = (np.asarray(vectors[start : start + _BLOCK]) - self._mean) @ self._basis
            codes[start : start + _BLOCK] = np.clip(np.rint(block / self._scale), -127, 127)
        self._exact.append(vectors)
        self._codes.append(codes)

    def search(self, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """Best k rows: candidates from the codes, order from the exact vectors."""
        rows = top_k(self._rough(query), max(self._wide, k))
        exact = self._rows(rows) @ query  # (wide, d) @ (d,) -> (wide,)
        best = top_k(exact, k)
        return rows[best], exact[best]

    def _rough(self, query: FloatArray) -> FloatArray:
        """First stage: codes . (scale * query on the axes), which orders like the dot product."""
        probe = (self._scale * (query @ self._basis)).astype(np.float32)
        scores = np.empty(len(self), np.float32)
        work = np.empty((_BLOCK, len(probe)), np.float32)
        at = 0
        for codes in self._codes:
            for start in range(0, len(codes), _BLOCK):
                block = codes[start : start + _BLOCK]
                np.copyto(work[: len(block)], block)
                np.matmul(work[: len(block)], probe, out=scores[at : at + len(block)])
                at += len(block)
        return scores

    def _rows(self, rows: RowArray) -> FloatArray:
        found = np.empty((len(rows), len(self._mean)), np.float32)
        start = 0
        for part in self._exact:
            inside = (rows >= start) & (rows < start + len(part))
            found[inside] = part[rows[inside] - start]
            start += len(part)
        return found


class GraphIndex:
    """A navigable graph (HNSW) from the extra `usearch`: the fastest search, not exact, slow to build."""

    def __init__(self, vectors: FloatArray) -> None:
        """Build the graph over unit rows (n, d).

        Raises:
            ImportError: the extra is not installed.
        """
        from usearch.index import Index

        self._index = Index(ndim=vectors.shape[1], metric="ip", dtype="f16")
        self.add(vectors)

    def __len__(self) -> int:
        return len(self._index)

    def add(self, vectors: FloatArray) -> None:
        """Append unit rows."""
        first = len(self)
        self._index.add(np.arange(first, first + len(vectors), dtype=np.uint64), vectors)

    def search(self, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """Probably the best k rows."""
        if not len(self):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        found = self._index.search(query, min(k, len(self)))
        return found.keys.astype(np.int64), np.asarray(1.0 - found.distances, np.float32)


def _principal_axes(centred: FloatArray, axes: int) -> FloatArray:
    """Directions of largest spread as columns, (n, d) -> (d, axes)."""
    _, basis = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(basis[:, ::-1][:, :axes], np.float32)
