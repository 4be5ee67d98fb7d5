"""Nearest vectors for catalogues of any size: exact, rough codes with rescoring, or a graph for millions.

One protocol, so that the rest of the engine does not know which it has. All of them return exact dot products: the two
larger ones choose candidates from what fits into memory and order them by the vectors themselves, which may lie on
disk (a memory map).
"""

import mmap
from collections.abc import Callable
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
"""Rows put into a graph at once."""
_WIDE = 1_000
"""Candidates that are ordered by their vectors."""


class VectorIndex(Protocol):
    """Finds the rows with the largest dot product to a query."""

    def __len__(self) -> int:
        """Return the number of vectors."""

    def search(self, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """Best k rows and their dot products, highest first. (d,) -> (k,), (k,); k is clipped to n."""


class ExactIndex:
    """One matrix-vector product over float32 rows; the reference for the others."""

    def __init__(self, vectors: FloatArray) -> None:
        """Hold the rows (n, d), which may be memory-mapped."""
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """Best k rows of all."""
        scores = self._vectors @ query  # (n, d) @ (d,) -> (n,)
        rows = top_k(scores, k)
        return rows, scores[rows]


class RescoredIndex:
    """Two stages: whatever is quick chooses candidates, the vectors themselves order them."""

    def __init__(self, vectors: FloatArray, candidates: Callable[[FloatArray, int], RowArray]) -> None:
        """Hold the rows and the first stage.

        Args:
            vectors: unit rows (n, d), may be memory-mapped.
            candidates: about the best so many rows for a query (d,), in any order.
        """
        self._vectors = vectors
        self._candidates = candidates

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """Best k rows: candidates from the first stage, order from the vectors."""
        return _best(self._vectors, self._candidates(query, max(_WIDE, 2 * k)), query, k)


class GraphIndex:
    """A navigable small world (HNSW, Malkov and Yashunin, 2016) in eight bits, from the extra `usearch`.

    The quickest search by far and slow to build, so it is kept in a file and mapped into memory from there. Candidates
    of the graph are ordered by the vectors; rows that came after a graph was built are searched one by one beside it.
    """

    def __init__(self, vectors: FloatArray, path: Path | None = None) -> None:
        """Map the graph in a file, or build it over unit rows (n, d) and keep it there.

        Args:
            vectors: unit rows, may be memory-mapped; for a file, those that it was built from come first.
            path: where the graph is kept; None keeps it in memory only.

        Raises:
            LlmrecError: the extra is not installed, or the file is not a graph of such vectors.
        """
        self._vectors = vectors
        if path is not None and path.exists():
            self._graph = _mapped(path, vectors)
        else:
            self._graph = _built(vectors)
            if path is not None:
                self._graph.save(str(path))
        self._new = ExactIndex(vectors[len(self._graph) :])
        let_go(vectors)

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """Almost certainly the best k rows."""
        count = min(max(_WIDE, 2 * k), len(self._graph))
        near = np.empty(0, np.int64)
        if count:
            near = self._graph.search(query, count).keys.astype(np.int64)
        new, _ = self._new.search(query, k)
        return _best(self._vectors, np.concatenate([near, new + len(self._graph)]), query, k)


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


def _best(vectors: FloatArray, rows: RowArray, query: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
    """The best k of some candidate rows and their dot products; equal scores in row order."""
    rows = np.sort(rows)
    scores = vectors[rows] @ query  # (c, d) @ (d,) -> (c,)
    let_go(vectors)
    found = top_k(scores, k)
    return rows[found], scores[found]


def let_go(array: npt.NDArray[Any]) -> None:
    """Take a memory map's pages out of this process; they stay in the system's cache, as long as it has room.

    A row that is read brings in all the pages around it: within some searches that would be the whole file.
    """
    base: Any = array
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
