"""One contract over all indexes, against exact search."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from llmrec.engine.index import ExactIndex, GraphIndex, Int8Index, MappedIndex, VectorIndex
from llmrec.engine.vectors import top_k, unit


def clustered(n: int, d: int = 64, seed: int = 0) -> np.ndarray:
    """Vectors as texts give them: a few strong directions, clusters, and noise."""
    rng = np.random.default_rng(seed)
    spread = 1 / np.sqrt(np.arange(1, d + 1))
    centres = rng.normal(size=(50, d)) * spread
    return unit((centres[rng.integers(0, 50, n)] + 0.5 * rng.normal(size=(n, d)) * spread).astype(np.float32))


def _mapped(vectors: np.ndarray, folder: Path) -> MappedIndex:
    np.save(folder / "vectors.npy", vectors)
    return MappedIndex(folder / "vectors.npy")


KINDS: dict[str, tuple[Callable[[np.ndarray, Path], VectorIndex], float]] = {
    "exact": (lambda v, _: ExactIndex(v), 1.0),
    "mapped": (_mapped, 1.0),
    "int8": (lambda v, _: Int8Index(v), 0.99),
    "int8 on 16 axes": (lambda v, _: Int8Index(v, axes=16, wide=800), 0.95),
    "graph": (lambda v, _: GraphIndex(v), 0.9),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "graph":
        pytest.importorskip("usearch")
    return str(request.param)


def test_finds_what_exact_search_finds(kind: str, tmp_path: Path) -> None:
    vectors = clustered(4_000)
    build, least = KINDS[kind]
    index = build(vectors, tmp_path)
    shares = []
    for query in clustered(20, seed=1):
        rows, scores = index.search(query, 100)
        assert len(rows) == len(scores) == 100
        assert np.allclose(scores, vectors[rows] @ query, atol=5e-3)
        assert np.all(np.diff(scores) <= 1e-3)
        shares.append(len(np.intersect1d(rows, top_k(vectors @ query, 100))) / 100)
    assert np.mean(shares) >= least


def test_grows(kind: str, tmp_path: Path) -> None:
    vectors = clustered(500)
    index = KINDS[kind][0](vectors[:400], tmp_path)
    index.add(vectors[400:])
    assert len(index) == 500
    rows, _ = index.search(vectors[450], 1)
    assert rows.tolist() == [450]


def test_asks_for_more_than_there_is(kind: str, tmp_path: Path) -> None:
    index = KINDS[kind][0](clustered(7), tmp_path)
    rows, _ = index.search(clustered(1)[0], 50)
    assert sorted(rows.tolist()) == list(range(7))


def test_eight_bits_are_a_quarter() -> None:
    vectors = clustered(1_000)
    assert Int8Index(vectors).nbytes * 4 == vectors.nbytes
