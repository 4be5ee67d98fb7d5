"""One model process: started, talked to with deadlines, and ended for certain.

Owns the operating system's side: pipes that never block the caller, the log that catches everything llama.cpp
prints, and the rule that no process, zombie or file descriptor is left behind.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from llmrec.models.errors import ModelFailed
from llmrec.models.protocol import Frame, FrameDecoder, ProtocolError, encode_frame

PROGRAM = (sys.executable, "-P", "-m", "llmrec.models.worker")
"""The child's command; -P keeps the current folder out of its import path."""

_SHORT_WAITS = {"GOMP_SPINCOUNT": "2000", "OPENBLAS_THREAD_TIMEOUT": "4"}
"""llama.cpp and OpenBLAS each keep threads that spin for milliseconds after their part is done. With as many of both as
cores, each takes the cores from the other: 384 tokens of a prompt took 1.1 s instead of .05 s on two cores. So threads
of OpenMP wait awhile and then sleep (never spinning makes words slow), those of OpenBLAS sleep at once."""
_LOG_LIMIT = 1 << 20
_READ = 1 << 18
_POLITE = 0.3
"""Seconds between closing the pipe, TERM and KILL."""


class ChildGone(Exception):
    """The process ended, or speaks nonsense; the text says which."""


class Child:
    """A running model process.

    Not thread-safe; `Host` talks to it from one thread.
    """

    def __init__(self, arguments: Sequence[str] = (), *, program: Sequence[str] = PROGRAM, log: Path | None = None):
        with _log_file(log) as errors:
            try:
                self._process = subprocess.Popen(
                    [*program, *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    bufsize=0,
                    start_new_session=True,
                    cwd="/",
                    env=_SHORT_WAITS | os.environ,
                )
            except OSError as exc:
                raise ModelFailed(f"The model process could not be started: {exc.strerror or exc}.") from exc
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        os.set_blocking(self._in.fileno(), False)
        os.set_blocking(self._out.fileno(), False)
        self._decoder = FrameDecoder()

    def has_ended(self) -> bool:
        """Whether the process is gone (and then it is no zombie any more)."""
        return self._process.poll() is not None

    def send(self, fields: dict[str, object], *, seconds: float) -> None:
        """Write one frame.

        Raises:
            ChildGone: the process ended, or did not take the bytes in time.
        """
        left = memoryview(encode_frame(fields))
        until = time.monotonic() + seconds
        while left:
            if not _ready(self._in.fileno(), select.POLLOUT, until - time.monotonic()):
                raise ChildGone("does not read its requests")
            try:
                left = left[os.write(self._in.fileno(), left) :]
            except BlockingIOError:
                continue
            except OSError as exc:
                raise ChildGone(self._how_it_ended()) from exc

    def receive(self, *, seconds: float) -> Frame | None:
        """Read the next frame; None when nothing whole arrived in time.

        Raises:
            ChildGone: the process ended or broke the protocol.
        """
        until = time.monotonic() + seconds
        try:
            while (frame := self._decoder.next()) is None:
                if not _ready(self._out.fileno(), select.POLLIN, until - time.monotonic()):
                    return None
                data = os.read(self._out.fileno(), _READ)
                if not data:
                    raise ChildGone(self._how_it_ended())
                self._decoder.feed(data)
        except ProtocolError as exc:
            raise ChildGone(f"broke the protocol: {exc}") from exc
        except BlockingIOError:
            return None
        return frame

    def end(self) -> None:
        """Close the pipe, then TERM, then KILL, and reap; safe to call again."""
        with contextlib.suppress(OSError):
            self._in.close()
        self._end_politely()
        if self._process.poll() is None:
            self.kill()
        self._out.close()

    def kill(self) -> None:
        """End the process at once and reap it; safe to call again."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with contextlib.suppress(OSError):
            self._in.close()
        self._out.close()

    def _end_politely(self) -> None:
        for may_terminate in (False, True):
            if may_terminate:
                self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_POLITE)
                return

    def _how_it_ended(self) -> str:
        """Say in words how the process ended, after its pipe broke."""
        try:
            status = self._process.wait(_POLITE)
        except subprocess.TimeoutExpired:
            return "closed its pipe"
        if status == -signal.SIGILL:
            return "crashed (SIGILL: this build of llama.cpp is for a newer processor)"
        if status < 0:
            with contextlib.suppress(ValueError):
                return f"crashed ({signal.Signals(-status).name})"
        return f"ended (status {status})"


def _ready(descriptor: int, event: int, seconds: float) -> bool:
    """Wait until a descriptor can be used, or has hung up."""
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(max(0.0, seconds) * 1000))


@contextlib.contextmanager
def _log_file(path: Path | None) -> Iterator[int | IO[bytes]]:
    """Open the log for the child's error stream; the last one is kept as `.1` once it is large."""
    if path is None:
        yield subprocess.DEVNULL
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_name(path.name + ".1"))
        file = path.open("ab")
    except OSError:
        yield subprocess.DEVNULL
        return
    with file:
        yield file
