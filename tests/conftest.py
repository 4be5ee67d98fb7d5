"""The tests see nothing of the developer's machine: home, data, cache and configuration are empty folders."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings

from llmrec.engine import Engine
from llmrec.models.hashing import HashingEmbedder

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
NOW = 1_790_000_000.0
"""The tests' clock, Unix seconds."""
# The same examples on every machine, and no verdict by its speed; `--hypothesis-profile=default` looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home))
    for name in [n for n in os.environ if n.startswith("LLMREC_") and n != "LLMREC_SHARED"]:
        monkeypatch.delenv(name)


@pytest.fixture
def clock() -> "Clock":
    """A clock that moves only when told to."""
    return Clock(NOW)


class Clock:
    """Unix seconds under the test's control."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def finished(work: Generator[object, None, T]) -> T:
    """What long work gives at its end."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: T = end.value
            return found


@pytest.fixture
def engine(clock: Clock) -> Iterator[Engine]:
    """An engine in memory that hashes words, so that no model is needed."""
    with Engine.open(":memory:", embedder=HashingEmbedder(), clock=clock) as opened:
        yield opened


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of evaluation data and fixtures beside the checkout; tests that need it are skipped without."""
    place = Path(os.environ.get("LLMREC_SHARED", ROOT.parent / "shared"))
    if not place.is_dir():
        pytest.skip("needs ../shared, which a fresh clone does not have")
    return place
