"""How long a key press takes: learn one like, score all items, and the best hundred in order.

    OPENBLAS_NUM_THREADS=1 python bench/bench_ranking.py [10000 100000]

Given as a multiple of one float32 matrix-vector product of the same size, taken in turns with it, so that a busy
machine slows both. At a million items the vector index is measured instead.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.index import Int8Index
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


def million(n: int = 1_000_000) -> None:
    rng = np.random.default_rng(0)
    vectors = topical(n, rng)
    queries = topical(20, np.random.default_rng(1))
    for axes, wide in ((D, 300), (128, 1_000), (96, 2_000), (64, 4_000)):
        index = Int8Index(vectors, axes=axes, wide=wide)
        at10, at100 = [], []
        for query in queries:
            exact, (rows, _) = top_k(vectors @ query, 100), index.search(query, 100)
            at100.append(len(np.intersect1d(rows, exact)) / 100)
            at10.append(len(np.intersect1d(rows[:10], exact[:10])) / 10)
        product, searched = fastest(lambda: vectors @ queries[0], partial(index.search, queries[0], 100), rounds=7)
        print(
            f"{n:>9,} items, {axes} axes, {wide} rescored: {index.nbytes / 2**20:.0f} MB resident,"
            f" {searched / product:.2f} products of {1e3 * product:.0f} ms,"
            f" recall@10 {np.mean(at10):.3f}, recall@100 {np.mean(at100):.3f}"
        )


if __name__ == "__main__":
    for size in [int(a) for a in sys.argv[1:]] or [10_000, 100_000, 1_000_000]:
        million(size) if size >= 1_000_000 else key_press(size)
