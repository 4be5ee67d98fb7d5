"""`llmrec bench`: this machine's figures for everything the README states, as ratios within one run.

The yardstick is one float32 matrix-vector product of the catalogue's size, which every exact ranking needs at least.
"""

import os
import pty
import resource
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from llmrec.engine import half_life
from llmrec.engine.errors import LlmrecError
from llmrec.engine.facade import Engine
from llmrec.engine.importers import content_hash
from llmrec.engine.lexicon import MOST, Lexicon
from llmrec.engine.records import Item, ItemId, Kind
from llmrec.models import FloatArray
from llmrec.models.hashing import HashingEmbedder

DIM = 384
_WORDS = 4_000
_TEXT_WORDS = 40
_GROUP, _STEM = 8, 5
"""Items of a tag from which on it makes a group; letters by which words are compared."""


def run() -> Iterator[str]:
    """Lines of the report, as they are measured."""
    yield f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, numpy {np.__version__}; medians"
    for n in (10_000, 100_000):
        yield from key_press(n)
    yield from embedding()
    yield from half_lives()
    yield from names()
    yield from first_paint()


def synthetic(n: int, seed: int = 0) -> tuple[list[Item], FloatArray]:
    """Items with random words, and vectors (n, d) that lie in 40 clusters as real ones do."""
    rng = np.random.default_rng(seed)
    topics = rng.normal(size=(40, DIM)).astype(np.float32)
    topic = rng.integers(0, 40, n)
    vectors = topics[topic] + 1.5 * rng.normal(size=(n, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    words = rng.zipf(1.3, size=(n, _TEXT_WORDS)) % _WORDS
    items = [
        Item(ItemId(f"i{k}"), f"Item {k}", " ".join(f"w{w}" for w in row), tags=(f"topic{t}",), domain="feed")
        for k, (row, t) in enumerate(zip(words, topic, strict=True))
    ]
    return items, vectors


def key_press(n: int) -> Iterator[str]:
    """Key press to new order in the engine, against one product; and what the durable commit adds."""
    items, vectors = synthetic(n)
    with tempfile.TemporaryDirectory() as folder:
        with Engine.open(":memory:", embedder=HashingEmbedder(DIM)) as engine:
            _fill(engine, items, vectors)
            matrix = engine.items_in_memory.catalogue.vectors
            product = median(lambda: matrix @ matrix[0])
            press = _presses(engine)
            undo = median(lambda: engine.undo("me"), 9)
            again = median(lambda: engine.view("me"), 9)
        yield (
            f"{n:>7,} items: product {_ms(product)}; key press to new order {_ms(press)} = {press / product:.2f} x;"
            f" undo {_ms(undo)}; list again {_ms(again)}; peak memory {_peak_mb():.0f} MB"
        )
        if n <= 10_000:
            with Engine.open(Path(folder) / "b.db", embedder=HashingEmbedder(DIM)) as engine:
                _fill(engine, items, vectors)
                yield f"         on disk, with the durable commit: {_ms(_presses(engine))}"


def _fill(engine: Engine, items: list[Item], vectors: FloatArray) -> None:
    engine.add_items(items)
    engine.add_vectors([content_hash(item) for item in items], vectors)
    for k in range(20):  # a user with a history
        engine.record("me", ItemId(f"i{k * 7}"), Kind.LIKE)


def _presses(engine: Engine, count: int = 21) -> float:
    """Median seconds from a like to the new order."""
    ids = engine.view("me").ids[: 3 * count]
    presses = iter(ids)
    return median(lambda: engine.record("me", next(presses), Kind.LIKE), count)


def embedding(texts: int = 96) -> Iterator[str]:
    """Texts a second of the installed encoder, on texts of about 100 tokens."""
    from llmrec import sample_data

    wanted = [f"{r['title']}. {r['text']}" for _, r in zip(range(texts), sample_data.items(time.time()), strict=False)]
    try:
        with Engine.open(":memory:") as engine:
            engine.embed_texts(wanted[:2])
            started = time.perf_counter()
            engine.embed_texts(wanted)
            seconds = time.perf_counter() - started
            yield f"embedding with {engine.encoder_id}: {len(wanted) / seconds:.0f} texts a second"
    except LlmrecError as exc:
        yield f"embedding: {exc}"


def half_lives() -> Iterator[str]:
    """How many texts written to measure with are rightly taken to last: by the encoder, and by words alone."""
    from llmrec import sample_data

    cases = sample_data.still_useful()
    items = [Item(ItemId(title), title, text, published_at=0.0) for title, text, _ in cases]
    try:
        with Engine.open(":memory:") as engine:
            engine.add_items(items)
            list(engine.index())
            held = engine.items_in_memory
            lasting = [bool(held.lasting[held.rows[item.id]] > 0.5) for item in items]
            by = "the encoder" if np.isfinite(held.lasting).all() else "an encoder that cannot tell"
    except LlmrecError as exc:
        yield f"half-lives: {exc}"
        return
    words = [half_life.by_rule(item) != half_life.NEWS for item in items]
    right = [sum(said == useful for said, (_, _, useful) in zip(each, cases, strict=True)) for each in (lasting, words)]
    yield f"useful in a year or not, {len(cases)} texts: {right[0]} right by {by}, {right[1]} by words alone"


def names() -> Iterator[str]:
    """How well interests are named where no tag does it: the bundled items, their tags hidden."""
    try:
        groups, by_lexicon, by_words = named_right()
        yield (
            f"names without tags, {groups} groups of items: first word is of their tags in {by_lexicon} by the encoder,"
            f" in {by_words} by tf-idf"
        )
    except LlmrecError as exc:
        yield f"names: {exc}"


def named_right(seed: int = 0) -> tuple[int, int, int]:
    """Groups of three or six items that share a tag, and in how many the first word of a name is a tag's.

    Returns:
        Number of groups; how many are right by the nearest word, and by the group's own most telling word.

    Raises:
        ModelError: the encoder failed.
    """
    from llmrec.engine.samples import bundled_items, load_vectors

    items = bundled_items(0.0)
    tags, rng = {item.id: item.tags for item in items}, np.random.default_rng(seed)
    groups = [list(rng.permutation(ids)[:size]) for ids in _by_tag(items) for size in (3, 6)]
    with Engine.open(":memory:") as engine:
        engine.add_items(replace(item, tags=()) for item in items)
        load_vectors(engine)
        held = engine.items_in_memory
        words = held.catalogue.usual_words(MOST)
        lexicon = Lexicon.of(words, engine.embed_texts(words))
        named = [[held.name_of(ids, how, 1) for ids in groups] for how in (lambda: lexicon, lambda: None)]
    told = [_tag_words([tags[id] for id in ids]) for ids in groups]
    right = [sum(name[0][:_STEM] in words for name, words in zip(each, told, strict=True)) for each in named]
    return len(groups), right[0], right[1]


def _by_tag(items: Sequence[Item]) -> list[list[ItemId]]:
    """Items of each tag that says what they are about."""
    found: dict[str, list[ItemId]] = {}
    for item in items:
        for tag in item.tags[:2]:
            found.setdefault(tag, []).append(item.id)
    return [ids for tag, ids in sorted(found.items()) if len(ids) >= _GROUP and tag not in half_life.TELLING]


def _tag_words(tags: Sequence[Sequence[str]]) -> set[str]:
    """Beginnings of the words of the two weightiest tags of a group."""
    weights: Counter[str] = Counter()
    for own in tags:
        weights.update({tag: 3 - place for place, tag in enumerate(own[:3])})
    return {word[:_STEM] for tag, _ in weights.most_common(2) for word in tag.casefold().split()}


def first_paint() -> Iterator[str]:
    """`llmrec-tui` from start to painted recommendations: the very first run, then a store that exists."""
    with tempfile.TemporaryDirectory() as folder:
        first = _paint(Path(folder))
        again = sorted(_paint(Path(folder)) for _ in range(5))
        yield f"start to painted list: very first run {first:.2f} s, existing store {again[2]:.2f} s"


def _paint(folder: Path) -> float:
    """Seconds until the first ranked row is on a 120 x 36 terminal."""
    leader, follower = pty.openpty()
    env = {**os.environ, "LLMREC_DATA_DIR": str(folder), "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "36"}
    started = time.perf_counter()
    command = [sys.executable, "-m", "llmrec.tui"]
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=env) as app:
        os.close(follower)
        seen = b""
        while b"=" not in seen.rpartition(b"For you")[2] and time.perf_counter() - started < 30:
            if select.select([leader], [], [], 0.05)[0]:
                seen += os.read(leader, 65_536)
        seconds = time.perf_counter() - started
        app.terminate()
    os.close(leader)
    return seconds


def median(work: Callable[[], object], repeats: int = 31) -> float:
    """Median seconds of some work."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1_048_576 if sys.platform == "darwin" else 1_024)
