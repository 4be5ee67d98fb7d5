"""How long a key press takes: learn one like, score all items, and the best hundred in order.

    OPENBLAS_NUM_THREADS=1 python bench/bench_ranking.py [10000 100000 1000000] [--graph]

Given as a multiple of one float32 matrix-vector product of the same size, taken in turns with it, so that a busy
machine slows both. From a million items on, the vector indexes are measured instead: time, recall against exact
search, and memory with the vectors on disk. `--graph` adds usearch's graph, which takes minutes to build.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.index import GraphIndex, Int8Index
from llmrec.engine.policies import make_policy
from llmrec.engine.records import Interaction, Kind
from llmrec.engine.vectors import top_k, unit

D = 384


def topical(n: int, rng: np.random.Generator) -> np.ndarray:
    """Vectors with the spread over axes and the clusters that sentence encoders give."""
    spread = (1 / np.sqrt(np.arange(1, D + 1))).astype(np.float32)
    centres = rng.standard_normal((500, D), np.float32) * spread
    vectors = centres[rng.integers(0, 500, n)]
    for start in range(0, n, 100_000):
        part = vectors[start : start + 100_000]
        part += 0.6 * rng.standard_normal(part.shape, np.float32) * spread
    return unit(vectors)


def words(n: int, rng: np.random.Generator) -> list[str]:
    """Texts of forty words with the frequencies of a language."""
    ids = np.minimum(rng.zipf(1.3, (n, 40)), 30_000)
    return [" ".join(f"w{i}" for i in row) for row in ids]


def fastest(*tasks: Callable[[], object], rounds: int = 30) -> list[float]:
    """Median seconds of each task, taken in turns."""
    taken = np.empty((rounds, len(tasks)))
    for r in range(rounds):
        for t, task in enumerate(tasks):
            start = time.perf_counter()
            task()
            taken[r, t] = time.perf_counter() - start
    return [float(x) for x in np.median(taken, axis=0)]


def key_press(n: int) -> None:
    rng = np.random.default_rng(0)
    catalogue = Catalogue(topical(n, rng), rng.uniform(0, 1e9, n), None, words(n, rng))
    policy = make_policy("blend", catalogue)
    for row in rng.integers(0, n, 50):
        policy.learn([Interaction(int(row), Kind.LIKE, 1e9)])
    state, vector = policy.snapshot(), catalogue.vectors[0].copy()

    def press() -> object:
        policy.restore(state)
        policy.learn([Interaction(int(rng.integers(n)), Kind.LIKE, 1e9 + 60)])
        return top_k(policy.scores(1e9 + 60), 100)

    def press_in_full() -> object:
        policy.restore(state)
        policy.learn([Interaction(int(rng.integers(n)), Kind.LIKE, 1e9 + 60)])
        return np.argsort(-policy.scores(1e9 + 60))

    product, pressed, whole = fastest(lambda: catalogue.vectors @ vector, press, press_in_full)
    print(
        f"{n:>9,} items: product {1e3 * product:.2f} ms, key press {1e3 * pressed:.2f} ms = {pressed / product:.2f}"
        f" products, with the order of all {whole / product:.2f}"
    )


def million(n: int, graph: bool) -> None:
    """The indexes over vectors on disk, each in a process of its own, whose memory is then its alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        np.save(path, topical(n, np.random.default_rng(0)))
        for kind in ["int8", *(["graph"] if graph else [])]:
            subprocess.run([sys.executable, __file__, "--index", kind, str(path)], check=True)


def one_index(kind: str, path: Path) -> None:
    """Build an index, let it answer, and compare with products of the whole matrix."""
    before = resident()
    vectors = np.load(path, mmap_mode="r")
    started = time.perf_counter()
    index = GraphIndex(vectors, path.with_suffix(".graph")) if kind == "graph" else Int8Index(vectors)
    if kind == "graph":  # from its file, as at every later start
        index = GraphIndex(vectors, path.with_suffix(".graph"))
    built = time.perf_counter() - started
    queries = topical(50, np.random.default_rng(1))
    found = [index.search(query, 100)[0] for query in queries]
    memory = resident() - before
    whole = np.array(vectors)
    exact = [top_k(whole @ query, 100) for query in queries]
    at10 = [len(np.intersect1d(a[:10], b[:10])) / 10 for a, b in zip(found, exact, strict=True)]
    at100 = [len(np.intersect1d(a, b)) / 100 for a, b in zip(found, exact, strict=True)]
    product, searched = fastest(lambda: whole @ queries[0], partial(index.search, queries[0], 100), rounds=15)
    print(
        f"{len(index):>9,} items, {kind}: {searched / product:.2f} products of {1e3 * product:.0f} ms, recall@10"
        f" {np.mean(at10):.3f}, recall@100 {np.mean(at100):.3f}, {memory / 1e6:.0f} MB resident after"
        f" {len(queries)} searches, built in {built:.0f} s",
        flush=True,
    )


def resident() -> int:
    """Bytes of this process in memory, mapped files included (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--index"]:
        one_index(sys.argv[2], Path(sys.argv[3]))
    else:
        graph = "--graph" in sys.argv
        for size in [int(a) for a in sys.argv[1:] if a.isdigit()] or [10_000, 100_000, 1_000_000]:
            million(size, graph) if size >= 1_000_000 else key_press(size)
