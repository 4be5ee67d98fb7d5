"""`llmrec-tui` from its arguments to its first screen, with the real engine on the bundled items."""

import subprocess
import sys
from itertools import islice
from pathlib import Path
from threading import Event

import pytest

from llmrec.engine import DEFAULT_USER, Engine
from llmrec.models.hashing import HashingEmbedder
from llmrec.tui import __main__ as start
from llmrec.tui.asks import Asks
from llmrec.tui.messages import Started
from llmrec.tui.screens.reader import Reader
from tests.tui.conftest import Opened
from tests.tui.fake import FakeEngine
from tests.tui.terminal import Terminal

COMMAND = [sys.executable, "-m", "llmrec.tui"]
NEEDS = ("textual", "llmrec.engine")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def test_without_a_terminal_it_points_to_the_script() -> None:
    done = run()
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.strip() == "llmrec-tui needs a terminal. `llmrec recommend` prints the same list as text."


def test_a_redirected_error_stream_is_told_instead_of_a_blank_screen() -> None:
    command = ["sh", "-c", f"{sys.executable} -m llmrec.tui 2>&1 >/dev/tty | cat"]
    with Terminal(command, (100, 10)) as terminal:
        terminal.wait_for("needs a terminal")


def test_version_and_help() -> None:
    assert run("--version").stdout.startswith("llmrec-tui 0")
    shown = run("--help").stdout
    assert all(option in shown for option in ("--db", "--user", "--no-mouse", "--version"))
    assert run("--nonsense").returncode == 2


def test_a_database_that_cannot_be_used_is_one_line_and_exit_1(tmp_path: Path) -> None:
    damaged = tmp_path / "x.db"
    damaged.write_bytes(b"this is no database" * 99)
    with Terminal([*COMMAND, "--db", str(damaged)], (80, 24)) as terminal:
        assert terminal.wait_for_end() == 1
        assert "llmrec-tui: " in terminal.text
        assert "Traceback" not in terminal.text
        assert b"\x1b[?1049h" not in terminal.raw


def test_the_first_run_needs_no_set_up_and_the_second_finds_the_like(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "llmrec.db")
    with Terminal([*COMMAND, "--db", path, "--no-mouse"], (100, 30)) as terminal:
        terminal.wait_for("mood", 30)
        terminal.press("l", 0.5)
        terminal.wait_for("liked", 10)
        terminal.press("q")
        assert terminal.wait_for_end() == 0, terminal.text
        assert b"\x1b[?1000h" not in terminal.raw  # the mouse is left to the terminal
    with Terminal([*COMMAND, "--db", path], (100, 30)) as terminal:
        terminal.wait_for("always", 30)
        terminal.press("t", 0.5)
        terminal.wait_for("event 1 of 1", 10)
        terminal.press("q", 0.3)
        terminal.press("q")
        assert terminal.wait_for_end() == 0, terminal.text


def test_the_first_paint_loads_neither_models_nor_parsers() -> None:
    code = "import sys, llmrec.tui.__main__, llmrec.tui.app; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert all(name in loaded for name in NEEDS)
    heavy = {"llama_cpp", "gguf", "feedparser", "sentence_transformers", "torch", "sklearn", "click", "tree_sitter"}
    assert not heavy & set(loaded)


def test_the_default_user_is_the_scripts_default_user() -> None:
    assert start._parser().parse_args([]).user == DEFAULT_USER


def test_how_far_a_large_catalogue_is_comes_before_the_first_list() -> None:
    engine = FakeEngine()
    engine.unmade = 1
    first = list(islice(Asks(engine, DEFAULT_USER).start(Event()), 4))  # type: ignore[arg-type]
    assert [message.progress.done for message in first[:3]] == [1, 2, 3]  # type: ignore[attr-defined]
    assert isinstance(first[3], Started)
    left = Event()
    left.set()
    assert not any(isinstance(message, Started) for message in Asks(engine, DEFAULT_USER).start(left))  # type: ignore[arg-type]


async def test_once_there_is_a_list_no_progress_is_left_in_sight(opened: Opened) -> None:
    engine = FakeEngine()
    engine.unmade = 1
    async with opened(engine, size=(120, 36)) as ui:
        assert ui.items.ids
        assert "catalogue" not in ui.line("note")


@pytest.fixture
def samples(clock):  # type: ignore[no-untyped-def]
    """The real engine on the bundled items, with hashed words for vectors."""
    from llmrec.engine.samples import load_samples

    with Engine.open(":memory:", embedder=HashingEmbedder(), clock=clock) as opened:
        load_samples(opened, clock())
        list(opened.index())
        yield opened


async def test_the_real_engine_reorders_at_each_key_and_takes_it_back(opened: Opened, samples: Engine) -> None:
    async with opened(samples, size=(120, 36)) as ui:
        start_order = list(ui.items.ids)
        assert len(start_order) > 200
        await ui.press("2", "j", "l", "3", "j", "s", "j", "d", "j", "x")
        assert list(ui.items.ids) != start_order
        assert any(sign in ui.text for sign in "▲▼")
        assert len(samples.history("me")) == 4
        await ui.press("u", "u", "u", "u")
        assert list(ui.items.ids) == start_order
        assert samples.history("me") == []


async def test_every_screen_works_on_the_real_engine(opened: Opened, samples: Engine) -> None:
    async with opened(samples, size=(120, 36)) as ui:
        await ui.press("l", "j", "j", "l", "w")
        assert "sum of" in ui.text
        await ui.press("escape", "i")
        assert "halves in" in ui.text
        await ui.press("+", "f", "z", "1", "u", "u", "u", "escape")
        await ui.press("t", "h")
        await ui.wait_for_past()
        assert "event 1 of 2" in ui.text
        await ui.press("enter", "y", "u", "escape")
        await ui.press("/", *"sailing", "enter", "enter")
        assert isinstance(ui.app.screen, Reader)
        await ui.press("escape", "escape", ":", *"more trains", "enter")
        assert "more trains" in ui.line("note")
        assert ui.notices == [] or all("bug" not in notice for notice in ui.notices)
