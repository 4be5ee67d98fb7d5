"""Nearest vectors for catalogues of any size: exact, eight-bit with rescoring, or a graph for millions.

One protocol, so that the rest of the engine does not know which it has; `make_index` chooses by size. All of them
return exact dot products: the two larger ones choose candidates from codes that fit into memory and order them by the
vectors themselves, which may lie on disk (a memory map).
"""

import mmap
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from llmrec.engine.errors import LlmrecError
from llmrec.engine.vectors import RowArray, top_k
from llmrec.models import FloatArray

EXACT_UP_TO = 200_000
"""Items up to which one product with all vectors takes a few hundredths of a second."""
_BLOCK = 4_096
"""Rows encoded at once."""
_CACHED = 2**17
"""Numbers (512 KB) that stay in the cache of one core between being unpacked and being multiplied."""
_SAMPLE = 50_000
"""Rows on which axes and scales are fitted; more do not make them better."""


class VectorIndex(Protocol):
    """Finds the rows with the largest dot product to a query."""

    def __len__(self) -> int:
        """Return the number of vectors."""

    @property
    def nbytes(self) -> int:
        """Bytes that must stay in memory."""

    def add(self, vectors: FloatArray) -> None:
        """Append unit rows, (m, d)."""

    def search(self, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """Best k rows and their dot products, highest first. (d,) -> (k,), (k,); k is clipped to n."""


def make_index(vectors: FloatArray) -> VectorIndex:
    """The index for so many unit rows (n, d): exact where that is quick, else in eight bits.

    The graph is quicker still, but takes minutes to build at a million rows: it is built when told to (`kept_graph`).
    """
    return ExactIndex(vectors) if len(vectors) <= EXACT_UP_TO else Int8Index(vectors)


class _Rows:
    """Float32 rows in several parts, each of which may be a memory map."""

    def __init__(self, vectors: FloatArray) -> None:
        self.parts = [vectors]

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def nbytes(self) -> int:
        """Bytes in memory; what is mapped from a file is the system's to drop."""
        return sum(part.nbytes for part in self.parts if not isinstance(part, np.memmap))

    def scores(self, query: FloatArray) -> FloatArray:
        """All dot products, (d,) -> (n,)."""
        return np.concatenate([part @ query for part in self.parts])  # (m, d) @ (d,) -> (m,)

    def best(self, rows: RowArray, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """The best k of some candidate rows; equal scores in row order."""
        rows = np.sort(rows)
        scores = np.empty(len(rows), np.float32)
        start = 0
        for part in self.parts:
            low, high = np.searchsorted(rows, [start, start + len(part)])
            scores[low:high] = part[rows[low:high] - start] @ query  # (c, d) @ (d,) -> (c,)
            start += len(part)
            _let_go(part)
        found = top_k(scores, k)
        return rows[found], scores[found]


class ExactIndex:
    """One matrix-vector product over float32 rows; the reference for the others."""

    def __init__(self, vectors: FloatArray) -> None:
        """Hold the rows (n, d), which may be memory-mapped."""
        self._rows = _Rows(vectors)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        """Bytes of the rows."""
        return self._rows.nbytes

    def add(self, vectors: FloatArray) -> None:
        """Append unit rows."""
        self._rows.parts.append(vectors)

    def search(self, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """Best k rows of all."""
        scores = self._rows.scores(query)
        rows = top_k(scores, k)
        return rows, scores[rows]


class Int8Index:
    """Two stages: leading principal axes in eight bits choose candidates, exact vectors order them.

    A row is kept as eight-bit codes of its coordinates on the leading axes of the catalogue (axes by decreasing
    spread, `scale` per axis). The first stage is a product of the codes with the query; the best `wide` rows are then
    scored from the vectors.
    """

    def __init__(self, vectors: FloatArray, *, axes: int = 128, wide: int = 1_000) -> None:
        """Encode the rows (n, d), keeping a reference to them for the second stage.

        Args:
            vectors: unit rows, may be memory-mapped.
            axes: principal axes kept; d of them make the first stage almost exact, and slower.
            wide: candidates of the first stage.
        """
        sample = np.asarray(vectors[:: max(1, len(vectors) // _SAMPLE)])
        self._mean = sample.mean(axis=0) if len(sample) else np.zeros(vectors.shape[1], np.float32)
        self._basis = _principal_axes(sample - self._mean, axes)
        spread = np.abs((sample - self._mean) @ self._basis).max(axis=0, initial=1e-12)
        self._scale = (1.1 * spread / 127).astype(np.float32)
        self._wide = wide
        self._rows = _Rows(vectors)
        self._codes = [self._encoded(vectors)]
        _let_go(vectors)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        """Bytes of the codes, and of the vectors where they are not on disk."""
        return sum(part.nbytes for part in self._codes) + self._rows.nbytes

    def add(self, vectors: FloatArray) -> None:
        """Append unit rows in the axes chosen at first."""
        self._rows.parts.append(vectors)
        self._codes.append(self._encoded(vectors))
        _let_go(vectors)

    def _encoded(self, vectors: FloatArray) -> npt.NDArray[np.int8]:
        codes = np.empty((len(vectors), self._basis.shape[1]), np.int8)
        for start in range(0, len(vectors), _BLOCK):
            block = (np.asarray(vectors[start : start + _BLOCK]) - self._mean) @ self._basis
            codes[start : start + _BLOCK] = np.clip(np.rint(block / self._scale), -127, 127)
        return codes

    def search(self, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """Best k rows: candidates from the codes, order from the vectors."""
        return self._rows.best(top_k(self._rough(query), max(self._wide, 2 * k)), query, k)

    def _rough(self, query: FloatArray) -> FloatArray:
        """First stage: codes . (scale * query on the axes), which orders like the dot product."""
        probe = (self._scale * (query @ self._basis)).astype(np.float32)
        return np.concatenate([scan(codes, probe) for codes in self._codes])


def scan(codes: npt.NDArray[np.int8], probe: FloatArray) -> FloatArray:
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


class GraphIndex:
    """A navigable small world (HNSW, Malkov and Yashunin, 2016) in eight bits, from the extra `usearch`.

    The quickest search by far and slow to build, so it is kept in a file and mapped into memory from there. Candidates
    of the graph are ordered by the vectors; rows added to a mapped graph are searched one by one beside it.
    """

    def __init__(self, vectors: FloatArray, path: Path | None = None, *, wide: int = 1_000) -> None:
        """Map the graph in a file, or build it over unit rows (n, d) and keep it there.

        Args:
            vectors: unit rows, may be memory-mapped; for a file, those that it was built from come first.
            path: where the graph is kept; None keeps it in memory only.
            wide: candidates of the graph.

        Raises:
            LlmrecError: the extra is not installed, or the file is not a graph of such vectors.
        """
        self._rows = _Rows(vectors)
        self._wide = wide
        if path is not None and path.exists():
            self._graph = _mapped(path, vectors)
        else:
            self._graph = _built(vectors)
            if path is not None:
                self._graph.save(str(path))
        self._new = ExactIndex(vectors[len(self._graph) :])
        _let_go(vectors)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        """Bytes of the graph, mapped or not, and of the vectors where they are not on disk."""
        return int(self._graph.memory_usage) + self._rows.nbytes

    def add(self, vectors: FloatArray) -> None:
        """Append unit rows."""
        self._rows.parts.append(vectors)
        self._new.add(vectors)

    def search(self, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """Almost certainly the best k rows."""
        count = min(max(self._wide, 2 * k), len(self._graph))
        near = np.empty(0, np.int64)
        if count:
            near = self._graph.search(query, count).keys.astype(np.int64)
        new, _ = self._new.search(query, k)
        return self._rows.best(np.concatenate([near, new + len(self._graph)]), query, k)


def _built(vectors: FloatArray) -> Any:
    """A graph over the rows."""
    graph = _usearch().Index(ndim=vectors.shape[1], metric="cos", dtype="i8", connectivity=16, expansion_add=128)
    for start in range(0, len(vectors), _BLOCK):
        block = np.asarray(vectors[start : start + _BLOCK], np.float32)
        graph.add(np.arange(start, start + len(block), dtype=np.uint64), block)
    return graph


def _mapped(path: Path, vectors: FloatArray) -> Any:
    """The graph in a file, not read into memory."""
    index = _usearch().Index
    try:
        graph = index.restore(str(path), view=True)
    except (RuntimeError, ValueError, OSError) as exc:
        raise LlmrecError(f"{path} is not a vector index; delete it and it is built again.") from exc
    if graph is None or graph.ndim != vectors.shape[1] or len(graph) > len(vectors):
        raise LlmrecError(f"{path} is the index of other vectors; delete it and it is built again.")
    return graph


def _let_go(vectors: FloatArray) -> None:
    """Take a memory map's pages out of this process; they stay in the system's cache, as long as it has room.

    A row that is read brings in all the pages around it: within some searches that would be the whole file.
    """
    base: Any = vectors
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def _usearch() -> Any:
    try:
        import usearch.index as found
    except ImportError as exc:
        raise LlmrecError('The graph index needs the extra: pip install "llmrec-tui[usearch]"') from exc
    return found


def _principal_axes(centred: FloatArray, axes: int) -> FloatArray:
    """Directions of largest spread as columns, (n, d) -> (d, axes)."""
    _, basis = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(basis[:, ::-1][:, :axes], np.float32)
