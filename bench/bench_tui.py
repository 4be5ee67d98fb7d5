"""How fast the terminal app is, on a pty, with the real engine: `bench_tui.py [--json] [--keys N] [--writer GGUF]`.

From a key press to the re-ordered list on the terminal; from a move of the cursor to its paint, a hundred moves in ten
seconds, while the bundled writer writes and while a random one does, whose texts have no end; from a move of the cursor
to the bundled writer's first words, or those of --writer; from the command to the first painted recommendations; and
the memory of the app itself (the model's process counts for itself).
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pyte

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from llmrec.engine import Engine, Item, ItemId  # noqa: E402
from llmrec.engine.importers import content_hash  # noqa: E402
from llmrec.models.setup import WEIGHTS  # noqa: E402
from llmrec.models.shelf import Shelf  # noqa: E402
from llmrec.tui.screens.base import REST  # noqa: E402
from tests.models.tiny import tiny_llama  # noqa: E402
from tests.tui.terminal import Terminal  # noqa: E402

COMMAND = [sys.executable, "-m", "llmrec.tui", "--db"]
SIZE = (120, 36)
TOPICS = ("sailing", "trains", "baking", "databases", "politics", "gardens", "astronomy", "history")
DIM = 384
BUNDLED = "llmrec-write.Q8_0"
MORE = b"more to come"
WRITER = "random-writer"


def make_store(path: Path, n: int, seed: int = 0) -> None:
    """A store of n items with clustered unit vectors (n, 384) under the installed encoder's name."""
    rng = np.random.default_rng(seed)
    topic = rng.integers(0, len(TOPICS), n)
    centres = rng.standard_normal((len(TOPICS), DIM))
    vectors = centres[topic] + rng.standard_normal((n, DIM))  # (n, d)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    items = [
        Item(
            ItemId(f"i{k}"),
            f"Notes on {TOPICS[t]}, part {k}",
            f"Part {k} of a long series on {TOPICS[t]} tells of one afternoon and of {k % 97} small discoveries. " * 3,
            source=f"{TOPICS[t]} weekly",
            tags=(TOPICS[t],),
            published_at=1.7e9 - 3_600.0 * k,
            domain="feed",
        )
        for k, t in enumerate(topic)
    ]
    with Engine.open(path) as engine:
        engine.add_items(items)
        engine.add_vectors([content_hash(item) for item in items], vectors)
        list(engine.index())  # as an import does


def wait_for_bytes(terminal: Terminal, wanted: tuple[bytes, ...], since: float, seconds: float = 20.0) -> float:
    """Seconds from `since` until one of some bytes has come."""
    before = len(terminal.raw)
    while not any(bytes_ in terminal.raw[before:] for bytes_ in wanted):
        left = seconds - (time.perf_counter() - since)
        if left <= 0 or not terminal.receive(left):
            raise SystemExit(f"{wanted!r} did not come; the screen shows:\n{terminal.text}")
    return time.perf_counter() - since


def start_seconds(path: Path, runs: int) -> list[float]:
    """From the command to the first painted recommendations."""
    found = []
    for _ in range(runs):
        with Terminal([*COMMAND, str(path)], SIZE) as terminal:
            found.append(wait_for_bytes(terminal, (b"taste",), terminal.started))
            terminal.press("q")
            terminal.wait_for_end()
    return found


def first_run_seconds(folder: Path, runs: int) -> list[float]:
    """The same on a machine that has never seen the app: the bundled catalogues are stored first."""
    return [start_seconds(folder / f"new{run}.db", 1)[0] for run in range(runs)]


def key_seconds(path: Path, keys: int) -> tuple[list[float], float]:
    """From each press of `l` or `d` to the re-ordered list, and the app's resident memory in MB at the end."""
    found = []
    with Terminal([*COMMAND, str(path)], SIZE) as terminal:
        terminal.wait_for("taste")
        terminal.read(0.5)
        while len(found) < keys:
            terminal.press("j", 0.3)
            before, since = len(terminal.raw), time.perf_counter()
            os.write(terminal._master, b"ld"[len(found) % 2 :][:1])
            took = wait_for_bytes(terminal, (b'iked "', b"already"), since)
            if b"already" not in terminal.raw[before:]:
                found.append(took)
            terminal.read(0.2)
        memory = psutil.Process(terminal.process.pid).memory_info().rss / 1e6
        terminal.press("q")
        terminal.wait_for_end()
    return found, memory


def with_writer(folder: Path) -> dict[str, str]:
    """Settings under which the app finds a random writer, and nothing else of the user's."""
    models = folder / "models"
    models.mkdir(parents=True)
    Shelf(models).use(str(tiny_llama(models / f"{WRITER}.gguf", layers=4, dim=256, vocabulary=8192, context=1024)))
    return {"LLMREC_DATA_DIR": str(folder)}


def move_seconds(path: Path, env: dict[str, str], writer: str) -> tuple[list[float], int, float]:
    """From each of a hundred presses of `j` to the cursor on its row; in how many rests a text was being written; and
    the app's processor seconds a move.

    Ten bursts of ten presses, 50 ms apart; between them the cursor rests for half a second, a text is asked for, and
    the next burst comes while it is being written.
    """
    presses: list[float] = []
    got: list[tuple[float, bytes]] = []
    with Terminal([*COMMAND, str(path)], SIZE, env) as terminal:
        terminal.wait_for("taste")
        terminal.read(1.0)
        while writer.encode() not in terminal.raw:  # until it has been loaded
            terminal.press("j", 1.0)
        terminal.press("gg", 1.0)
        app = psutil.Process(terminal.process.pid)
        before = sum(app.cpu_times()[:2])
        for _ in range(10):
            for press in range(10):
                presses.append(time.perf_counter())
                os.write(terminal._master, b"j")
                until = presses[-1] + (0.05 if press < 9 else 0.55)
                while (left := until - time.perf_counter()) > 0:
                    if data := terminal.receive(left):
                        got.append((time.perf_counter(), data))
        used = (sum(app.cpu_times()[:2]) - before) / len(presses)
        terminal.press("q")
        terminal.wait_for_end()
    return *painted(presses, got, writer), used


def first_words(store: Path, folder: Path, writer: Path, times: int = 30) -> dict[str, float]:
    """From a press of ctrl+d to a writer's first words on the terminal, or to its choice where no words come before.

    Half a page lies beyond the rows whose texts are written ahead. A text is asked for when the cursor has rested for
    `REST`, so much of it is meant; what comes on top is the item's own sentences weighed, the prompt read, and the
    first words written and painted.
    """
    Shelf(folder / "models").use(str(writer))
    found = []
    with Terminal([*COMMAND, str(store)], SIZE, {"LLMREC_DATA_DIR": str(folder)}) as terminal:
        terminal.wait_for("taste")
        half_a_page = "\x04"
        said = f"{writer.stem} · ".encode()
        terminal.read(3.0)  # until both models have been loaded, and the texts of the first rows are written
        terminal.press(3 * half_a_page)
        while len(found) < times:
            terminal.read(0.3)
            before, since = len(terminal.raw), time.perf_counter()
            os.write(terminal._master, half_a_page.encode())
            while not (said in (new := terminal.raw[before:]) or (MORE in new and MORE.decode() not in terminal.text)):
                if not terminal.receive(since + 20 - time.perf_counter()):
                    raise SystemExit(f"no words came; the screen shows:\n{terminal.text}")
            found.append(time.perf_counter() - since)
        terminal.press("q")
        terminal.wait_for_end()
    figures = milliseconds(found)
    return {**figures, "p50_ms_after_the_rest": round(figures["p50_ms"] - 1_000 * REST, 1)}


def painted(presses: list[float], got: list[tuple[float, bytes]], writer: str) -> tuple[list[float], int]:
    """When each press was on screen, found by drawing what had come by then."""
    screen = pyte.Screen(*SIZE)
    stream = pyte.ByteStream(screen)
    found: list[float] = []
    writing = set()
    for at, data in got:
        stream.feed(data)
        rank = next((int(line[1:].split()[0]) for line in screen.display if re.match(r"> +\d+ ", line)), 1)
        while len(found) < min(rank - 1, len(presses)) and presses[len(found)] < at:
            found.append(at - presses[len(found)])
        if any(f"{writer} · " in line for line in screen.display):
            writing.add(rank)
    if len(found) < len(presses):
        raise SystemExit(f"only {len(found)} of {len(presses)} moves were painted:\n" + "\n".join(screen.display))
    return found, len(writing)


def milliseconds(seconds: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    p50, p95 = np.percentile(seconds, [50, 95]) * 1_000
    return {"p50_ms": round(float(p50), 1), "p95_ms": round(float(p95), 1), "n": len(seconds)}


def moves(store: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Moves of the cursor while the bundled writer writes, and while a random one does that never comes to an end."""
    figures = {}
    for name, env in (
        (BUNDLED, {"LLMREC_DATA_DIR": str(folder / "none")}),
        (WRITER, with_writer(folder / "one")),
    ):
        seconds, texts, used = move_seconds(store, env, name)
        figures[f"move to paint, {name} writing"] = {
            **milliseconds(seconds),
            "cpu_ms": round(1_000 * used, 1),
            "texts_begun": texts,
        }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--writer", type=Path, default=WEIGHTS / f"{BUNDLED}.gguf", help="whose first words count")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = folder / "large.db"
        make_store(store, options.items)
        first = first_run_seconds(folder, 3)
        os.environ["PYTHONDONTWRITEBYTECODE"] = ""  # from the second run on, Python finds its modules compiled
        keys, memory = key_seconds(store, options.keys)
        figures = {
            f"key to repainted list, {options.items:,} items": milliseconds(keys),
            **moves(store, folder),
            f"first words of {options.writer.stem}": first_words(store, folder / "two", options.writer.resolve()),
            f"start, {options.items:,} items": milliseconds(start_seconds(store, 5)),
            "start, bundled catalogues": milliseconds(start_seconds(folder / "new0.db", 5)),
            "first run": milliseconds(first),
            f"resident memory of the app, {options.items:,} items": {"MB": round(memory)},
        }
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for what, figure in figures.items():
        print(f"{what:<52} {'  '.join(f'{key} {value}' for key, value in figure.items())}")


if __name__ == "__main__":
    main()
