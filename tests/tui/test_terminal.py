"""What really reaches the terminal: a pty, hostile texts in every field, signals, and a clean end."""

import os
import re
import signal
import sys
import termios
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.tui.play import ATTACKS
from tests.tui.terminal import Terminal, sequences

PLAY = [sys.executable, str(Path(__file__).with_name("play.py"))]
TOUR = [
    *("j", "j", "l", "d", "x", "s", "u", "u", "c", "y", "\t", "\t"),
    *("w>sum of", "\x1b<sum of", "\r>Reading", "G", "l", "w>sum of", "\x1b<sum of", "\x1b<Reading"),
    *("i>Interests", "j", "+", "z>one day", "1<one day", "X", "u", "\x1b<Interests"),
    *("t>Time machine", "h", "h", "\r>Remove", "y<Remove", "u", "\x1b<Time machine"),
    *(
        "/",
        "MARK",
        "\r",
        "\x1b",
        ":",
        "more x\r",
        "?>Keys that",
        "like",
        "\x1b<Keys that",
        "\x10>Search",
        "\x1b<Search",
    ),
]
"""Keys, with what must appear (>) or vanish (<) before the next one."""
SCROLL = ["\x04"] * 14
ESCAPE = 0.15
"""Seconds after `esc`, so that it is not taken for the start of another key."""
COPY = "\x1b]N;c;"
"""What the explicit copy sends, the only way to the clipboard."""


def played(kind: str, size: tuple[int, int] = (160, 45)) -> Terminal:
    """The app after a tour through every screen, with `q` pressed at its end."""
    with Terminal([*PLAY, kind], size) as terminal:
        terminal.wait_for("help")
        terminal.wait_for("mood")
        for step in [*TOUR, *SCROLL]:
            key, _, appears = step.partition(">")
            key, _, vanishes = key.partition("<")
            terminal.press(key, ESCAPE if key == "\x1b" else 0.03)
            if appears or vanishes:
                try:
                    terminal.wait_for(appears or vanishes, 8, gone=bool(vanishes))
                except (
                    AssertionError
                ):  # on a busy machine a key can come before the line it is not meant for has closed
                    terminal.press(key, ESCAPE)
                    terminal.wait_for(appears or vanishes, gone=bool(vanishes))
        terminal.press("q")
        assert terminal.wait_for_end() == 0, terminal.text
        return terminal


def test_hostile_texts_send_no_sequence_that_benign_texts_do_not_send() -> None:
    with ThreadPoolExecutor() as both:
        benign, hostile = both.map(played, ("benign", "hostile"))
    allowed = {shape for shape in sequences(benign.raw) if not shape.startswith(COPY)}
    sent = {shape for shape in sequences(hostile.raw) if not shape.startswith(COPY)}
    assert len(allowed) >= 8
    assert len(set(re.findall(rb"MARK\d+", hostile.raw))) > 100  # the attacks were really drawn
    assert sent <= allowed
    for attack in (text.encode("utf-8", "surrogatepass") for text in ATTACKS if not text.isprintable()):
        assert hostile.raw.count(attack) <= benign.raw.count(attack), attack
    decoded = hostile.raw.decode()
    assert not set(decoded) & set(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0xFEFF, 0xAD]))
    assert hostile.screen.title == benign.screen.title


def test_hostile_texts_do_not_move_the_border() -> None:
    """Rows of any characters end where they should: the line between list and pane is straight."""
    with Terminal([*PLAY, "hostile"], (110, 30)) as terminal:
        terminal.wait_for("mood")
        for _ in range(6):
            terminal.press("\x04", 0.2)
            body = terminal.screen.display[2:27]
            column = max(range(110), key=lambda x: sum(x < len(row) and row[x] == "│" for row in body))
            assert sum(terminal.screen.buffer[y + 2][column].data == "│" for y in range(25)) == 25, terminal.text
        terminal.press("q")


@pytest.mark.parametrize("end", ["q", signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_as_it_was_whatever_ends_the_app(end: str | signal.Signals) -> None:
    with Terminal([*PLAY, "benign"], (80, 24)) as terminal:
        terminal.wait_for("mood")
        if isinstance(end, str):
            terminal.press(end)
        else:
            os.kill(terminal.process.pid, end)
        terminal.wait_for_end()
        tail = terminal.raw[-400:]
        for sequence in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l"):
            assert sequence in tail
        assert termios.tcgetattr(terminal._slave) == terminal.settings


def test_a_terminal_that_is_closed_ends_the_app() -> None:
    with Terminal([*PLAY, "benign"], (80, 24)) as terminal:
        terminal.wait_for("mood")
    assert terminal.process.returncode != -signal.SIGKILL


@pytest.mark.parametrize("end", ["q", "ctrl+c", "closed"])
def test_work_that_hears_of_nothing_does_not_outlive_the_app(end: str) -> None:
    with Terminal([*PLAY, "busy"], (80, 24)) as terminal:
        terminal.wait_for("1 of 2")
        if end != "closed":
            terminal.press("q" if end == "q" else "\x03")
            assert terminal.wait_for_end() == 0, terminal.text
            assert b"\x1b[?1049l" in terminal.raw
    assert terminal.process.returncode == (128 + signal.SIGHUP if end == "closed" else 0)


def test_a_hanging_writer_neither_blocks_keys_nor_the_end() -> None:
    with Terminal([*PLAY, "hanging"], (100, 30)) as terminal:
        terminal.wait_for("opening")
        terminal.press("j")
        terminal.press("l")
        terminal.wait_for("+ liked", 2.0)
        terminal.press("q")
        assert terminal.wait_for_end(3.0) == 0


def test_an_old_size_that_comes_last_is_put_right() -> None:
    with Terminal([*PLAY, "benign"], (80, 24)) as still, Terminal([*PLAY, "stale"], (80, 24)) as terminal:
        still.wait_for("fake-writer")
        still.read(0.5)
        terminal.wait_for("fake-writer")
        terminal.read(2.0)  # longer than the app waits before the old size
        for _ in range(40):
            terminal.read(0.5)
            if terminal.screen.display == still.screen.display:
                break
        assert terminal.screen.display == still.screen.display


def test_a_storm_of_resizes_ends_in_the_right_picture() -> None:
    with Terminal([*PLAY, "benign"], (80, 24)) as still, Terminal([*PLAY, "benign"], (80, 24)) as terminal:
        still.wait_for("fake-writer")
        still.read(0.5)
        terminal.wait_for("fake-writer")
        for step in range(100):
            terminal.resize(1 + (step * 37) % 120, 1 + (step * 13) % 40)
        terminal.resize(80, 24)
        for _ in range(40):  # a busy machine paints late
            terminal.read(0.5)
            if terminal.screen.display == still.screen.display:
                break
        assert terminal.screen.display == still.screen.display
