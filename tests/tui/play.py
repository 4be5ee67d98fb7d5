"""Runs the app over a fake engine on a terminal: `python play.py hostile|benign|hanging|failing|stale|busy`."""

import random
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Event as Cancel
from threading import Lock

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from textual.events import Resize
from textual.geometry import Size

from llmrec.engine import Item, ItemId, LlmrecError, ModelFailed, Progress, Status
from llmrec.tui.__main__ import run
from llmrec.tui.app import LlmrecApp
from tests.tui.fake import NOW, FakeEngine

ATTACKS = (
    "\x1b]52;c;aGFja2Vk\x07",
    "\x1b]0;owned\x07",
    "\x1b]2;owned\x1b\\",
    "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x1b]7;file:///\x07",
    "\x1b]9;4;1;50\x07",
    "\x1b]9;7;cmd\x07",
    "\x1b]777;notify;a;b\x07",
    "\x1b[6n",
    "\x1b[2J\x1b[H",
    "\x1b[?1049l",
    "\x1b[31m",
    "\x1bc",
    "\x1bP+q544e\x1b\\",
    "\x1b_Gf=24;AAAA\x1b\\",
    "\x1b^pm\x1b\\",
    "\x9b31m",
    "\x9d0;owned\x9c",
    "\x90q\x9c",
    "\x07\x08\x0c\x0b\x0e\x0f\x7f\x00",
    "\u202eevil\u202c\u2066x\u2069\u200f",
    "\u200b\u2060\ufeff\u00ad",
    "\U000e0041\U000e007f",
    "Z\u0351\u0352\u0353\u0354\u0355\u0356",
    "[/]",
    "[@click=app.quit]click[/]",
    "[bold",
    "[link=https://evil.example]x[/link]",
    "\ud800",
    "\u2028\u2029\r\n\t",
    "👩‍👩‍👧‍👦❤️🇩🇪👍🏽",
    "漢字カナ",
)


def hostile_text(seed: int) -> str:
    """A few attacks and noise around a mark that must be readable."""
    rng = random.Random(seed)
    noise = "".join(
        chr(rng.choice([rng.randrange(0, 0xA0), rng.randrange(0x2000, 0x2070), 0x5B, 0x5D])) for _ in range(6)
    )
    return f"{rng.choice(ATTACKS)}MARK{seed}{noise}{rng.choice(ATTACKS)} end{rng.choice(ATTACKS)}"


def hostile_items(n: int) -> list[Item]:
    """Items with an attack in every field: six of them each."""
    texts = (hostile_text(seed) for seed in range(10 * n))
    return [
        Item(
            ItemId(f"i{k}{next(texts)}"),
            f"T{k} {next(texts)}",
            f"{next(texts)} {next(texts)}",
            next(texts),
            next(texts),
            (next(texts), next(texts)),
            NOW - k,
            next(texts) if k == n - 1 else "feed",
        )
        for k in range(n)
    ]


class Hostile(FakeEngine):
    """Whose every name is an attack too."""

    def status(self) -> Status:
        return Status(1, 0, 0, hostile_text(9_001), hostile_text(9_002), hostile_text(9_003))

    def steer(self, user, command, *, view=None):  # type: ignore[no-untyped-def]
        raise LlmrecError(hostile_text(9_004))


class Busy(FakeEngine):
    """Makes a catalogue ready for ever, and hears of nothing meanwhile."""

    _at_work = Lock()

    def prepare(self, cancel: Cancel) -> Iterator[Progress]:
        """Never done."""
        with self._at_work:
            yield Progress(1, 2, "catalogue")
            for _ in count():
                pass

    def close(self) -> None:
        """Waits for whoever is at work."""
        with self._at_work:
            super().close()


def engine(kind: str) -> FakeEngine:
    """The engine of a kind."""
    if kind == "hostile":
        return Hostile(items=hostile_items(90))
    found = Busy(90) if kind == "busy" else FakeEngine(90)
    found.slow_write = kind == "hanging"
    if kind == "failing":
        found.fail = ModelFailed("the engine says no")
    return found


class Stale(LlmrecApp):
    """Hears of an old size last, as when its signal handler was interrupted by the next signal."""

    def on_mount(self) -> None:
        """The old size comes a while after the first picture."""
        self.set_timer(1.0, lambda: self.post_message(Resize(Size(27, 35), Size(27, 35))))


if __name__ == "__main__":
    user = hostile_text(9_000) if sys.argv[1] == "hostile" else "me"
    kind = Stale if sys.argv[1] == "stale" else LlmrecApp
    app = kind(engine(sys.argv[1]), user, clock=lambda: NOW, prepare=lambda *_: None)  # type: ignore[arg-type]
    sys.exit(run(app))
