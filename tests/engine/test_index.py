"""One contract over all indexes, against exact search."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import finished
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrec.engine import LlmrecError
from llmrec.engine.coding import fitted
from llmrec.engine.index import ExactIndex, GraphIndex, RescoredIndex, VectorIndex
from llmrec.engine.vectors import top_k, unit


def clustered(n: int, d: int = 192, seed: int = 0) -> np.ndarray:
    """Vectors as texts give them: a few strong directions, clusters, and noise."""
    rng = np.random.default_rng(seed)
    spread = 1 / np.sqrt(np.arange(1, d + 1))
    centres = rng.normal(size=(50, d)) * spread
    return unit((centres[rng.integers(0, 50, n)] + 0.6 * rng.normal(size=(n, d)) * spread).astype(np.float32))


def mapped(vectors: np.ndarray, folder: Path) -> np.ndarray:
    """The same rows, left on disk."""
    np.save(folder / "vectors.npy", vectors)
    found: np.ndarray = np.load(folder / "vectors.npy", mmap_mode="r")
    return found


def reopened(vectors: np.ndarray, folder: Path) -> GraphIndex:
    GraphIndex(vectors, folder / "graph")
    return GraphIndex(mapped(vectors, folder), folder / "graph")


def coded(vectors: np.ndarray) -> RescoredIndex:
    """Search by eight-bit codes of items of these vectors, with some text each."""
    codes = finished(fitted(vectors, lambda: [[f"w{row % 7}" for row in range(len(vectors))]]))
    return RescoredIndex(vectors, codes.alike)


KINDS: dict[str, Callable[[np.ndarray, Path], VectorIndex]] = {
    "exact": lambda v, _: ExactIndex(v),
    "exact, mapped": lambda v, folder: ExactIndex(mapped(v, folder)),
    "int8": lambda v, _: coded(v),
    "int8, mapped": lambda v, folder: coded(mapped(v, folder)),
    "graph": lambda v, _: GraphIndex(v),
    "graph, mapped": reopened,
}


@pytest.fixture(params=KINDS)
def build(request: pytest.FixtureRequest) -> Callable[[np.ndarray, Path], VectorIndex]:
    if request.param.startswith("graph"):
        pytest.importorskip("usearch")
    return KINDS[request.param]


Build = Callable[[np.ndarray, Path], VectorIndex]


def test_finds_what_exact_search_finds(build: Build, tmp_path: Path) -> None:
    vectors = clustered(5_000)
    index = build(vectors, tmp_path)
    shares = []
    for query in clustered(30, seed=1):
        rows, scores = index.search(query, 100)
        assert len(rows) == len(set(rows.tolist())) == len(scores) == 100
        assert np.allclose(scores, vectors[rows] @ query, atol=1e-5)
        assert np.all(np.diff(scores) <= 0)
        shares.append(len(np.intersect1d(rows, top_k(vectors @ query, 100))) / 100)
    assert np.mean(shares) >= 0.99


def test_a_graph_finds_what_came_after_it_was_built(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    vectors = clustered(500)
    GraphIndex(vectors[:400], tmp_path / "graph")
    index = GraphIndex(vectors, tmp_path / "graph")
    assert len(index) == 500
    for row in (3, 420, 480):
        rows, _ = index.search(vectors[row], 1)
        assert rows.tolist() == [row]


def test_rows_of_zeros_come_after_what_is_alike(build: Build, tmp_path: Path) -> None:
    vectors = clustered(60)
    vectors[::2] = 0
    rows, scores = build(vectors, tmp_path).search(vectors[7], 60)
    assert rows[0] == 7
    assert scores[rows % 2 == 0].tolist() == [0.0] * 30


@pytest.mark.parametrize("n", [0, 1, 7])
def test_asks_for_more_than_there_is(build: Build, tmp_path: Path, n: int) -> None:
    rows, scores = build(clustered(n), tmp_path).search(clustered(1)[0], 50)
    assert sorted(rows.tolist()) == list(range(n))
    assert len(scores) == n


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 300), unknown=st.integers(0, 300), k=st.integers(0, 40), seed=st.integers(0, 2**32 - 1))
def test_eight_bits_find_the_same_whatever_is_known(n: int, unknown: int, k: int, seed: int) -> None:
    vectors, query = clustered(n, 24, seed), clustered(1, 24, seed + 1)[0]
    vectors[:unknown] = 0
    rows, scores = coded(vectors).search(query, k)
    _, exact = ExactIndex(vectors).search(query, k)
    assert len(set(rows.tolist())) == len(exact)
    assert np.allclose(scores, exact, atol=1e-6)


def test_an_item_without_a_vector_is_as_far_as_its_product_says() -> None:
    vectors, query = clustered(3_000), clustered(1, seed=1)[0]
    vectors[::3] = 0
    found = set(coded(vectors).search(query, 900)[0].tolist())
    exact = set(top_k(vectors @ query, 900).tolist())
    assert len(found & exact) >= 0.98 * 900


def test_a_file_that_is_no_graph_or_anothers_is_said(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    (tmp_path / "bad").write_bytes(b"abc" * 99)
    with pytest.raises(LlmrecError, match="is not a vector index; delete it"):
        GraphIndex(clustered(9), tmp_path / "bad")
    GraphIndex(clustered(9), tmp_path / "graph")
    with pytest.raises(LlmrecError, match="is the index of other vectors"):
        GraphIndex(clustered(9, 7), tmp_path / "graph")
