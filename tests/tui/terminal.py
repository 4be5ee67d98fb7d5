"""A real terminal for tests and benchmarks: a program on a pty, its bytes, and what they draw."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence

import pyte

_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC
    r"|\x1b[PX^_][^\x1b]*\x1b\\"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]"  # the others
    r"|[\x00-\x1f\x7f-\x9f]"  # single control characters
)


class Terminal:
    """Runs a command on a pty of a given size; use as a context manager."""

    def __init__(self, command: Sequence[str], size: tuple[int, int], env: dict[str, str] | None = None) -> None:
        self.columns, self.lines = size
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self._unseen = b""
        self._master, slave = os.openpty()
        self.settings = termios.tcgetattr(slave)
        self._slave = slave
        self.resize(*size)
        base = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        whole = {**os.environ, **base, **(env or {})}
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # its own terminal, whose end is a SIGHUP
            env=whole,
        )

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the terminal, as a user closes a window; what has not ended then is killed."""
        os.close(self._master)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._slave)

    def resize(self, columns: int, lines: int) -> None:
        """Another window size, with the signal that tells of it."""
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if hasattr(self, "process"):
            self.screen.resize(lines, columns)
            os.killpg(self.process.pid, signal.SIGWINCH)

    def receive(self, seconds: float) -> bytes:
        """The next bytes, at once when they come; empty after some seconds of silence or at the end."""
        if not select.select([self._master], [], [], seconds)[0]:
            return b""
        try:
            got = os.read(self._master, 65_536)
        except OSError:
            return b""
        self.raw += got
        self._unseen += got
        return got

    def read(self, seconds: float = 0.05) -> None:
        """What comes within some seconds of silence."""
        while self.receive(seconds):
            pass

    @property
    def screen(self) -> pyte.Screen:
        """The terminal's screen; drawn only when it is looked at, because that takes longer than reading."""
        new, self._unseen = self._unseen, b""
        self._stream.feed(new)
        return self._screen

    def wait_for(self, text: str, seconds: float = 15.0, *, gone: bool = False) -> float:
        """Read until a text stands on the screen, or is gone from it; returns the seconds since the start."""
        end = time.perf_counter() + seconds
        while (text in self.text) == gone:
            ended = self.process.poll() is not None
            self.read(0.1 if ended else 0.01)
            if (text in self.text) == gone and (ended or time.perf_counter() > end):
                raise AssertionError(f"{text!r} did not {'vanish' if gone else 'appear'}:\n{self.text}")
        return time.perf_counter() - self.started

    def press(self, keys: str, wait: float = 0.15) -> None:
        """Type keys and read what they draw."""
        os.write(self._master, keys.encode())
        self.read(wait)

    def wait_for_end(self, seconds: float = 40.0) -> int:
        """Exit code of the program; its last bytes are read."""
        end = time.perf_counter() + seconds
        while self.process.poll() is None:
            self.read(0.02)
            assert time.perf_counter() < end, f"the program did not end: {self.text}"
        self.read(0.1)
        return self.process.returncode

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)


def sequences(raw: bytes) -> set[str]:
    """Shapes of all control sequences in some bytes: numbers become N, so that cursor moves and colours are alike."""
    text = raw.decode("utf-8", "replace")
    return {_shape(found) for found in _SEQUENCE.findall(text)}


def _shape(sequence: str) -> str:
    if sequence.startswith("\x1b[?"):
        return sequence  # modes of the terminal are few, and each matters
    shape = re.sub(r"\d+", "N", sequence)
    return re.sub(r"(N;)+N", "N", shape)
