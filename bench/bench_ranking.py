"""How long a key press takes: learn one like, score all items, and the best hundred in order.

    OPENBLAS_NUM_THREADS=1 python bench/bench_ranking.py [10000 100000 1000000] [--graph]

Given as a multiple of one float32 matrix-vector product of the same size, taken in turns with it, so that a busy
machine slows both. From a million items on, a whole `Engine` over a store on disk is measured, from the press to the
new list (`Engine.record`, with the durable commit), with its memory, and the first ten of its list are compared with
those of `blend` over all items; which takes some minutes, 6 GB on disk and 12 GB of memory. Then search by vector,
from the codes that are held anyway: time, recall against exact search, and the memory it adds. `--graph` adds
usearch's graph.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from llmrec.engine import Engine, Event, Item, ItemId, Kind
from llmrec.engine.catalogue import Catalogue
from llmrec.engine.importers import content_hash
from llmrec.engine.index import GraphIndex
from llmrec.engine.policies import make_policy
from llmrec.engine.records import Interaction
from llmrec.engine.store import Store
from llmrec.engine.vectors import top_k, unit
from llmrec.models.hashing import HashingEmbedder

D = 384
NOW = 1.8e9


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
    """Engine and indexes over vectors on disk, each in a process of its own, whose memory is then its alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        np.save(path, topical(n, np.random.default_rng(0)))
        for step in ("--fill", "--press", "--recall"):
            subprocess.run([sys.executable, __file__, step, str(path)], check=True)
        for kind in ["codes", *(["graph"] if graph else [])]:
            subprocess.run([sys.executable, __file__, "--index", kind, str(path)], check=True)


def opened(path: Path) -> Engine:
    """An engine over the store beside the vectors; each look at its clock is a minute later."""
    clock = count(NOW, 60.0)
    store = Store(path.with_name("bench.db"))
    return Engine(store, HashingEmbedder(D), None, clock=lambda: next(clock), cache=path.parent)


def fill(path: Path) -> None:
    """A store with as many items as there are vectors, and a user with fifty likes of five topics."""
    vectors = np.load(path, mmap_mode="r")
    n, rng = len(vectors), np.random.default_rng(0)
    dates = NOW - rng.uniform(0, 1e9, n)
    with opened(path) as engine:
        for start in range(0, n, 50_000):
            some = zip(range(start, n), words(min(50_000, n - start), rng), strict=False)
            items = [Item(ItemId(f"i{row}"), f"Item {row}", text, published_at=dates[row]) for row, text in some]
            engine.add_items(items)
            engine.add_vectors([content_hash(item) for item in items], vectors[start : start + len(items)])
        likes = user(vectors, rng)
        at = np.sort(rng.uniform(NOW - 60 * 86_400, NOW, len(likes)))
        engine.add_events([Event("me", ItemId(f"i{row}"), Kind.LIKE, t) for row, t in zip(likes, at, strict=True)])


def user(vectors: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Ten likes of each of five topics, one topic after the other."""
    tenth = np.array(vectors[::10])
    near = [10 * top_k(tenth @ vectors[row], 200) for row in rng.integers(0, len(vectors), 5)]
    return [int(row) for rows in near for row in rng.choice(rows, 10, replace=False)]


def press(path: Path) -> None:
    """`Engine.record` in products, and what the process holds."""
    before, started = resident(), time.perf_counter()
    with opened(path) as engine:
        engine.warm()
    made = time.perf_counter() - started
    started = time.perf_counter()
    with opened(path) as engine:
        engine.warm()
        listed = engine.view("me").ids
        start = time.perf_counter() - started
        codes = engine.items_in_memory.catalogue.codes  # type: ignore[attr-defined]
        kept = sum(array.nbytes for array in (codes.codes, codes.signs, codes.lengths))
        presses = iter(listed[:200])
        for _ in range(3):
            engine.record("me", next(presses), Kind.LIKE)
        engine.search("w7 w8")  # by what is held already
        memory = resident() - before
        whole = np.load(path)
        product, pressed = fastest(
            lambda: whole @ whole[0], lambda: engine.record("me", next(presses), Kind.LIKE), rounds=21
        )
    print(
        f"{len(whole):>9,} items: product {1e3 * product:.0f} ms, key press to new list {1e3 * pressed:.0f} ms ="
        f" {pressed / product:.2f} products; vectors {kept / 1e6:.0f} MB in memory, with all else"
        f" {memory / 1e6:.0f} MB; start {start:.0f} s, the first {made:.0f} s",
        flush=True,
    )


def recall(path: Path) -> None:
    """The first ten of the shortlist against those of `blend` over all items, for some users of other topics."""
    with opened(path) as engine:
        wide = engine.items_in_memory.catalogue
    texts = Store(path.with_name("bench.db")).words()
    whole = Catalogue(np.load(path), wide.published, wide.sources, texts, wide.half_lives)
    shares = []
    for seed in range(1, 11):
        rng = np.random.default_rng(seed)
        likes = user(whole.vectors, rng)
        found = []
        for catalogue in (whole, wide):
            policy = make_policy("blend", catalogue)
            for day, row in enumerate(likes):
                policy.learn([Interaction(row, Kind.LIKE, NOW + 86_400 * day)])
            scores = policy.scores(NOW + 86_400 * len(likes))
            scores[likes] = -np.inf
            found.append(top_k(scores, 10))
        shares.append(len(np.intersect1d(*found)) / 10)
    print(f"{len(whole):>9,} items: recall@10 {np.mean(shares):.3f} against all, {len(shares)} users", flush=True)


def one_index(kind: str, path: Path) -> None:
    """Let an index answer, and compare with products of the whole matrix; codes are those that the engine holds."""
    vectors = np.load(path, mmap_mode="r")
    started = time.perf_counter()
    if kind == "graph":
        GraphIndex(vectors, path.with_suffix(".graph"))
    built = time.perf_counter() - started
    with opened(path) as engine:
        catalogue = engine.items_in_memory.catalogue
    before = resident()
    index = catalogue.index if kind == "codes" else GraphIndex(vectors, path.with_suffix(".graph"))  # as at every start
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
        f" {np.mean(at10):.3f}, recall@100 {np.mean(at100):.3f}, {memory / 1e6:.0f} MB more in memory"
        f" after {len(queries)} searches, built in {built:.0f} s",
        flush=True,
    )


def resident() -> int:
    """Bytes of this process in memory, mapped files included (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    steps = {"--fill": fill, "--press": press, "--recall": recall}
    if sys.argv[1:2] == ["--index"]:
        one_index(sys.argv[2], Path(sys.argv[3]))
    elif sys.argv[1] in steps:
        steps[sys.argv[1]](Path(sys.argv[2]))
    else:
        graph = "--graph" in sys.argv
        for size in [int(a) for a in sys.argv[1:] if a.isdigit()] or [10_000, 100_000, 1_000_000]:
            million(size, graph) if size >= 1_000_000 else key_press(size)
