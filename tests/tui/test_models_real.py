"""The shelf's screen on the real engine: tiny models, a server on this machine, llama.cpp in its processes."""

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmrec.engine import Engine, Item, ItemId, Kind
from llmrec.models import catalogue, shelf
from llmrec.models.catalogue import Entry
from llmrec.models.convert import convert
from llmrec.models.hashes import sha256_of
from llmrec.tui import downloads
from tests.models.tiny import tiny_bert_folder, tiny_llama
from tests.tui.conftest import Driver, Opened
from tests.tui.test_models import row_of

pytestmark = pytest.mark.llama
ITEMS = 50


class Server(http.server.ThreadingHTTPServer):
    """Serves the files of a folder in pieces, as many as `pieces` lets it."""

    daemon_threads = True
    folder: Path
    pieces: threading.Semaphore
    asked: list[str]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append(wanted)
        file = self.server.folder / self.path.rpartition("/")[2]
        if not file.is_file():
            self.send_error(404)
            return
        whole = file.read_bytes()
        start = int(wanted.removeprefix("bytes=").rstrip("-") or 0)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(whole) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        self.end_headers()
        piece = len(whole) // 4 + 1
        for begin in range(start, len(whole), piece):
            self.server.pieces.acquire(timeout=10)
            self.wfile.write(whole[begin : begin + piece])
            self.wfile.flush()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A catalogue of one encoder and one writer, served by this machine."""
    folder = tmp_path / "hub"
    folder.mkdir()
    convert(tiny_bert_folder(tmp_path / "b2", layers=1, dim=64), folder / "second.gguf")
    tiny_llama(folder / "poet.gguf")
    entries = tuple(
        Entry(
            file.stem, kind, f"hub/{file.stem}", file.name, "MIT", "1 M", 512, "tests", file.stat().st_size, "0" * 40,
            sha256_of(file),
        )
        for kind, file in (("encoder", folder / "second.gguf"), ("writer", folder / "poet.gguf"))
    )  # fmt: skip
    monkeypatch.setattr(catalogue, "load", lambda: entries)
    with Server(("127.0.0.1", 0), Handler) as made:
        made.folder, made.asked, made.pieces = folder, [], threading.Semaphore(0)
        monkeypatch.setenv("LLMREC_HUB", f"http://127.0.0.1:{made.server_port}")
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An installation with a bundled encoder and no writer; every item has a vector."""
    bundled = tmp_path / "bundled"
    convert(tiny_bert_folder(tmp_path / "b1"), bundled / shelf.FILE_NAME)
    monkeypatch.setattr(shelf.Shelf.__init__, "__kwdefaults__", {"cache": None, "bundled": bundled})
    for make in (shelf.default_embedder, shelf.default_writer):
        nothing = {"models_folder": None, "cache_folder": None}
        monkeypatch.setattr(make, "__kwdefaults__", {**nothing, "bundled": bundled})
    monkeypatch.setattr(downloads, "_EVERY", 0.0)
    monkeypatch.setenv("LLMREC_DATA_DIR", str(tmp_path / "data"))
    with Engine.open() as made:
        now = time.time()
        made.add_items(
            Item(ItemId(f"i{k}"), f"w{k % 30} w{k // 2}", f"w{k // 3} w{k % 7}.", published_at=now - k, domain="feed")
            for k in range(ITEMS)
        )
        list(made.index())
        made.record("me", ItemId("i3"), Kind.LIKE)
        yield made


async def pull(ui: Driver, hub: Server, name: str, pieces: int) -> None:
    """Go to a row of the shelf, say yes, and let some pieces come."""
    rows = [row.name for row in ui.engine.models.rows()]
    await ui.press("g", "g", *"j" * rows.index(name), "p", "y")
    hub.pieces.release(pieces)


async def test_a_writer_is_fetched_stopped_fetched_on_and_used(opened: Opened, engine: Engine, hub: Server) -> None:
    folder = hub.folder.parent / "data" / "models"
    async with opened(engine, size=(80, 24)) as ui:
        await ui.press("m")
        assert "to pull" in row_of(ui, "poet")
        await pull(ui, hub, "poet", 2)
        await ui.until(lambda: "getting 50 %" in row_of(ui, "poet"))
        await ui.press("c")
        hub.pieces.release()  # the line was silent when it was stopped
        await ui.until(lambda: "pull it again to go on from there" in ui.line("note"))
        kept = (folder / "poet.gguf.part").stat().st_size
        await ui.settle()
        assert " % here" in row_of(ui, "poet")
        await pull(ui, hub, "poet", 4)
        await ui.until(lambda: "poet is here" in ui.line("note"))
        await ui.settle()
        assert hub.asked == ["", f"bytes={kept}-"]
        assert (folder / "poet.gguf").read_bytes() == (hub.folder / "poet.gguf").read_bytes()
        assert "in use" in row_of(ui, "poet"), "the first writer is in use at once"
        assert engine.status().writer.startswith("poet@")
        await ui.press("v")
        await ui.until(lambda: "2 files whole" in ui.line("note"))
        await ui.press("s")
        await ui.until(lambda: "tokens a second here" in ui.line("note"), 20)
        await ui.press("enter")
        await ui.until(lambda: "no writer" in ui.line("note"))
        await ui.settle()
        assert engine.status().writer == ""
        assert "in use" not in row_of(ui, "poet")
        await ui.press("enter")
        await ui.until(lambda: "poet writes the texts" in ui.line("note"))
        assert engine.status().writer.startswith("poet@")
        await ui.press("X", "y")
        assert not (folder / "poet.gguf").exists()
        assert engine.status().writer == ""
        assert "to pull" in row_of(ui, "poet")


async def test_another_encoder_is_fetched_and_ranks_when_all_is_there(
    opened: Opened, engine: Engine, hub: Server, tmp_path: Path
) -> None:
    before = list(engine.view("me").ids)
    async with opened(engine, size=(120, 40)) as ui:
        await ui.press("m")
        await pull(ui, hub, "second", 4)
        await ui.until(lambda: "second is here" in ui.line("note"))
        await ui.settle()
        assert engine.encoder_id.startswith(shelf.FILE_NAME.removesuffix(".gguf"))
        await ui.press("enter")
        await ui.until(lambda: engine.encoder_id.startswith("second@"), 20)
        await ui.settle()
        assert "second ranks the list from now on" in ui.line("note")
        assert "in use" in row_of(ui, "second")
        after = list(engine.view("me").ids)
        assert after != before
        await ui.press("escape")
        assert list(ui.items.ids) == list(ui.app.for_you.ranking.ids)
    assert engine.search("w3")
    with Engine.open(tmp_path / "fresh.db") as fresh:
        fresh.add_items(engine.store.all_items())
        list(fresh.index())
        for event in engine.history("me"):
            fresh.record("me", event.item, event.kind, event.at)
        assert fresh.encoder_id == engine.encoder_id
        assert list(fresh.view("me").ids) == list(engine.view("me").ids)


async def test_the_wrong_bytes_are_one_clear_line(opened: Opened, engine: Engine, hub: Server) -> None:
    (hub.folder / "poet.gguf").write_bytes(bytes((hub.folder / "poet.gguf").stat().st_size))
    async with opened(engine) as ui:
        await ui.press("m")
        await pull(ui, hub, "poet", 4)
        await ui.until(lambda: "poet.gguf is not the pinned file" in ui.line("note"))
        await ui.settle()
        assert "to pull" in row_of(ui, "poet")


async def test_without_network_it_is_one_clear_line(
    opened: Opened, engine: Engine, hub: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMREC_HUB", "http://127.0.0.1:9")
    async with opened(engine) as ui:
        await ui.press("m")
        await pull(ui, hub, "poet", 1)
        await ui.until(lambda: "poet.gguf: no connection to 127.0.0.1:9" in ui.line("note"))


async def test_a_silent_line_does_not_keep_the_app_from_ending(opened: Opened, engine: Engine, hub: Server) -> None:
    async with opened(engine) as ui:
        await ui.press("m")
        await pull(ui, hub, "poet", 1)
        await ui.until(lambda: "getting 25 %" in row_of(ui, "poet"))
        thread = ui.app.downloads._running["poet"][1]
        await ui.pilot.press("ctrl+q")
    assert thread.is_alive()
    assert thread.daemon
    hub.pieces.release(4)
    thread.join()
    assert next(row for row in engine.models.rows() if row.name == "poet").part > 0


async def test_a_file_of_ones_own_is_added_used_and_left_alone(
    opened: Opened, engine: Engine, hub: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = tiny_llama(tmp_path / "mine.gguf", seed=3)
    async with opened(engine) as ui:
        await ui.press("m", "a", *"x.gguf", "enter")
        assert "There is no model file at" in ui.line("note")
        await ui.press("a", *own.name, "enter")
        assert "mine, a writer: enter puts it to use" in ui.line("note")
        await ui.press("enter")
        assert "nobody vouches for it" in ui.line("note")
        assert engine.status().writer.startswith("mine@")
        await ui.press("X", "y")
        assert "the file is left alone" in ui.line("note")
        assert own.exists()
        assert engine.status().writer == ""


async def test_leaving_the_app_in_the_middle_of_a_change_loses_nothing(
    opened: Opened, engine: Engine, hub: Server
) -> None:
    second = hub.folder.parent / "data" / "models" / "second.gguf"
    second.parent.mkdir(parents=True, exist_ok=True)
    second.write_bytes((hub.folder / "second.gguf").read_bytes())
    before = list(engine.view("me").ids)
    engine.models.use("second")
    work = engine.index()
    while next(work).done < 20:
        pass
    work.close()
    left = engine.status().next_pending
    engine.close()
    with Engine.open() as again:
        assert list(again.view("me").ids) == before
        assert again.status().next_pending == left > 0
        async with opened(again) as ui:  # opening the app is enough
            await ui.until(lambda: again.encoder_id.startswith("second@"), 20)
            await ui.settle()
            assert "second ranks the list from now on" in ui.line("note")
        assert again.setting("encoder").startswith("second@")
