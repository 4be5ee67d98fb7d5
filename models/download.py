"""Fetching one pinned file: resumable, checked while it streams, whole or not there at all.

The standard library's `urllib` is enough for one GET with a range, and brings no dependency. This module opens the
only network connection of the whole program, and only `pull` calls it.
"""

import contextlib
import errno
import fcntl
import hashlib
import http.client
import os
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import IO

from llmrec.models.errors import DownloadFailed

_CHUNK = 1 << 18
_TIMEOUT = 30.0
"""Seconds without a byte."""
_SPARE = 64 << 20
"""Bytes that must be left on the disk."""
_AGENT = "llmrec-tui"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download is."""

    done: int
    """Bytes that are here."""
    total: int
    """Bytes of the whole file."""
    speed: float
    """Bytes a second in this run."""

    @property
    def left(self) -> float:
        """Seconds to go at this speed; infinite before anything came."""
        return (self.total - self.done) / self.speed if self.speed > 0 else float("inf")


def fetch(
    url: str,
    target: Path,
    *,
    size: int,
    sha256: str,
    cancel: Event | None = None,
    free_space: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Progress]:
    """Fetch a file whose size and hash are known; yields after every piece.

    What arrived stays beside the target as `.part` when it is interrupted, and the next call goes on from there.

    Args:
        url: http or https address.
        target: where the whole file is to be.
        size: its bytes.
        sha256: its hex digest.
        cancel: looked at between pieces.
        free_space: bytes free in a folder.
        clock: seconds.

    Raises:
        DownloadFailed: no network, no space, cancelled, or other bytes than the pinned ones.
    """
    part_path = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part_path.open("ab+") as file:
            part = _Part(file, target.name, size)
            _check_space(target, size - part.done + _SPARE, free_space(target.parent))
            yield Progress(part.done, size, 0.0)
            if part.done < size:
                yield from _stream(url, part, cancel, clock)
            if part.digest.hexdigest() != sha256.lower():
                part.restart()
                raise DownloadFailed(f"{target.name} is not the pinned file (its SHA-256 differs); it was thrown away.")
            os.fsync(file.fileno())
            os.replace(part_path, target)
    except OSError as exc:
        raise DownloadFailed(_in_words(exc, target)) from exc


class _Part:
    """The file as far as it has come, with its running hash."""

    def __init__(self, file: IO[bytes], name: str, size: int):
        """Take up what an earlier run left.

        Raises:
            DownloadFailed: another process is writing to it.
        """
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DownloadFailed(f"{name} is being downloaded by another window already.") from exc
        self._file, self.name, self.size = file, name, size
        self.digest = hashlib.sha256()
        self.done = 0
        file.seek(0)
        while (piece := file.read(_CHUNK)) and self.done <= size:
            self.digest.update(piece)
            self.done += len(piece)
        if self.done > size:
            self.restart()

    def append(self, piece: bytes) -> None:
        """Write a piece that arrived."""
        self._file.write(piece)
        self.digest.update(piece)
        self.done += len(piece)

    def restart(self) -> None:
        """Forget everything that came."""
        self._file.truncate(0)
        self.digest = hashlib.sha256()
        self.done = 0

    def flush(self) -> None:
        """Hand the bytes to the system."""
        self._file.flush()


def _stream(url: str, part: _Part, cancel: Event | None, clock: Callable[[], float]) -> Iterator[Progress]:
    """Append the rest of the file."""
    with contextlib.closing(_open(url, part.done, part.name)) as response:
        if part.done and not _continues(response, part.done):
            part.restart()
        began, start = clock(), part.done
        while True:
            if cancel is not None and cancel.is_set():
                raise _interrupted(part, "was stopped")
            piece = _read(response, part)
            if part.done + len(piece) > part.size:
                part.restart()
                raise DownloadFailed(f"{part.name} is larger than the pinned {part.size:,} bytes; it was thrown away.")
            if not piece:
                break
            part.append(piece)
            yield Progress(part.done, part.size, (part.done - start) / max(clock() - began, 1e-9))
    part.flush()
    if part.done < part.size:
        raise _interrupted(part, "broke off")


def _open(url: str, done: int, name: str) -> http.client.HTTPResponse:
    """Ask for the file, from `done` on.

    Raises:
        DownloadFailed: no connection, or the server says no.
    """
    if not url.startswith(("https://", "http://")):
        raise DownloadFailed(f"{url} is not an https address.")
    headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as exc:
        exc.close()
        raise DownloadFailed(f"{name}: the server answered {exc.code} {exc.reason}.") from exc
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as exc:
        why = getattr(exc, "reason", None) or exc
        raise DownloadFailed(f"{name}: no connection to {urllib.parse.urlsplit(url).netloc} ({why}).") from exc
    assert isinstance(response, http.client.HTTPResponse)
    return response


def _continues(response: http.client.HTTPResponse, done: int) -> bool:
    """Whether the server really goes on from `done`, instead of starting over."""
    return response.status == 206 and str(response.headers.get("Content-Range", "")).startswith(f"bytes {done}-")


def _read(response: http.client.HTTPResponse, part: _Part) -> bytes:
    """Read a piece; a connection that breaks is the end of what came."""
    try:
        return response.read1(_CHUNK)  # what is there: a slow line is heard of, and stopped, without delay
    except (http.client.HTTPException, TimeoutError, ConnectionError) as exc:
        part.flush()
        raise _interrupted(part, "broke off") from exc


def _interrupted(part: _Part, how: str) -> DownloadFailed:
    return DownloadFailed(
        f"{part.name} {how} at {part.done / 1e6:,.0f} of {part.size / 1e6:,.0f} MB; pull it again to go on from there."
    )


def _check_space(target: Path, need: int, free: int) -> None:
    if free < need:
        raise DownloadFailed(
            f"{target.name} needs {need / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free in {target.parent}; "
            "make room first."
        )


def _in_words(exc: OSError, target: Path) -> str:
    """Say what the file system did not want."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk with {target.parent} is full; what has come of {target.name} is kept, make room and go on."
    return f"{target.name} could not be written to {target.parent}: {exc.strerror or exc}."
