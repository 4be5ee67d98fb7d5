"""Downloads from a server on this machine that can misbehave: resumed, checked, and never half a file."""

import errno
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmrec.models.download import Progress, fetch
from llmrec.models.errors import DownloadFailed

DATA = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(DATA).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves DATA in the way `mode` says, and remembers what it was asked for."""

    mode = "well"
    asked: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/model.gguf"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append(wanted)
        mode = self.server.mode
        if mode == "missing":
            self.send_error(404)
            return
        if mode == "redirect" and self.path != "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and mode != "no ranges" else 0
        body = {"other bytes": bytes(len(DATA)), "longer": DATA + b"more"}.get(mode, DATA)[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if mode == "breaks off" else body)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        made.asked = []
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def pull(server: Server, target: Path, **options: Any) -> list[Progress]:
    return list(fetch(server.url, target, size=len(DATA), sha256=SHA256, **options))


def test_brings_the_whole_file_and_says_how_far_it_is(server: Server, tmp_path: Path) -> None:
    steps = pull(server, tmp_path / "new folder" / "model.gguf")
    assert (tmp_path / "new folder" / "model.gguf").read_bytes() == DATA
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert (steps[0].done, steps[-1].done, steps[-1].total) == (0, len(DATA), len(DATA))
    assert steps[0].left == float("inf")
    assert steps[-1].left == 0
    assert [file.name for file in (tmp_path / "new folder").iterdir()] == ["model.gguf"]


def test_goes_on_where_it_was_stopped(server: Server, tmp_path: Path) -> None:
    cancel = threading.Event()
    download = fetch(server.url, tmp_path / "m", size=len(DATA), sha256=SHA256, cancel=cancel)
    while next(download).done == 0:
        pass
    cancel.set()
    with pytest.raises(DownloadFailed, match="go on from there"):
        next(download)
    kept = (tmp_path / "m.part").stat().st_size
    assert 0 < kept < len(DATA)
    assert not (tmp_path / "m").exists()
    pull(server, tmp_path / "m")
    assert server.asked == ["", f"bytes={kept}-"]
    assert (tmp_path / "m").read_bytes() == DATA


def test_goes_on_after_the_connection_broke(server: Server, tmp_path: Path) -> None:
    server.mode = "breaks off"
    with pytest.raises(DownloadFailed, match="broke off"):
        pull(server, tmp_path / "m")
    assert (tmp_path / "m.part").stat().st_size == len(DATA) // 2
    server.mode = "well"
    pull(server, tmp_path / "m")
    assert server.asked[-1] == f"bytes={len(DATA) // 2}-"
    assert (tmp_path / "m").read_bytes() == DATA


def test_starts_over_where_the_server_knows_no_ranges(server: Server, tmp_path: Path) -> None:
    (tmp_path / "m.part").write_bytes(DATA[:1000])
    server.mode = "no ranges"
    pull(server, tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == DATA


def test_a_whole_part_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / "m.part").write_bytes(DATA)
    list(fetch("http://127.0.0.1:9/nothing", tmp_path / "m", size=len(DATA), sha256=SHA256))
    assert (tmp_path / "m").read_bytes() == DATA


@pytest.mark.parametrize("left", [b"\0" * 1000, DATA + b"too long"])
def test_a_part_of_something_else_costs_one_more_run(server: Server, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "m.part").write_bytes(left)
    if len(left) < len(DATA):
        with pytest.raises(DownloadFailed, match="SHA-256"):
            pull(server, tmp_path / "m")
    pull(server, tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == DATA


@pytest.mark.parametrize(
    ("mode", "says"),
    [("other bytes", "not the pinned file"), ("longer", "larger than the pinned"), ("missing", "404")],
)
def test_other_bytes_are_thrown_away(server: Server, tmp_path: Path, mode: str, says: str) -> None:
    server.mode = mode
    with pytest.raises(DownloadFailed, match=says) as caught:
        pull(server, tmp_path / "m")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "m").exists()
    assert (tmp_path / "m.part").stat().st_size == 0
    server.mode = "well"
    pull(server, tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == DATA


def test_redirects_are_followed(server: Server, tmp_path: Path) -> None:
    server.mode = "redirect"
    pull(server, tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == DATA


def test_no_network_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match=r"no connection to 127\.0\.0\.1:9") as caught:
        list(fetch("http://127.0.0.1:9/model.gguf", tmp_path / "m", size=1, sha256=SHA256))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/etc/passwd"])
def test_only_web_addresses_are_opened(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadFailed, match="https"):
        list(fetch(url, tmp_path / "m", size=1, sha256=SHA256))


def test_too_little_space_is_seen_before_the_network_is_used(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="make room"):
        pull(server, tmp_path / "m", free_space=lambda _: 1000)
    assert server.asked == []


def test_a_disk_that_fills_up_keeps_what_came(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmrec.models import download

    pieces = 0
    append = download._Part.append

    def full(part: Any, piece: bytes) -> None:
        nonlocal pieces
        pieces += 1
        if pieces > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(part, piece)

    monkeypatch.setattr(download._Part, "append", full)
    with pytest.raises(DownloadFailed, match="is full"):
        pull(server, tmp_path / "m")
    monkeypatch.setattr(download._Part, "append", append)
    assert (tmp_path / "m.part").stat().st_size > 0
    pull(server, tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == DATA


def test_two_windows_do_not_write_the_same_part(server: Server, tmp_path: Path) -> None:
    first = fetch(server.url, tmp_path / "m", size=len(DATA), sha256=SHA256)
    next(first)
    with pytest.raises(DownloadFailed, match="another window"):
        pull(server, tmp_path / "m")
    list(first)
    assert (tmp_path / "m").read_bytes() == DATA
