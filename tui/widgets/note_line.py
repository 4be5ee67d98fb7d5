"""The line above the keys: what the last key changed, and at its right what the engine runs on."""

from llmrec.engine import Progress, Status
from llmrec.engine.wording import count
from llmrec.tui.actions import Action
from llmrec.tui.widgets.footer import key_bits
from llmrec.tui.widgets.one_line import Bit, OneLine

_NAME = 24


class NoteLine(OneLine):
    """What just happened, and the state of models and background work."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._note = ""
        self._bad = False
        self._key: Action | None = None
        self._status: Status | None = None
        self._progress: Progress | None = None
        self._pull = ("", "")
        self._ahead: Progress | None = None

    def note(self, text: str, *, bad: bool = False, key: Action | None = None) -> None:
        """Say what happened, or what to do next; `key` takes it back and is never cut off."""
        self._note, self._bad, self._key = text, bad, key
        self._draw()

    def status(self, status: Status) -> None:
        """Say what the engine runs on."""
        self._status = status
        self._draw()

    def progress(self, progress: Progress | None) -> None:
        """Say how far background work has come."""
        self._progress = progress
        self._draw()

    def ahead(self, progress: Progress | None) -> None:
        """Say how far the work of a quiet moment has come."""
        self._ahead = progress
        self._draw()

    def pulling(self, name: str, far: str) -> None:
        """Say how far a download is; no name, and it has ended. It stays in sight where the window is narrow."""
        self._pull = (name, far)
        self._draw()

    def _draw(self) -> None:
        left = Bit(f" {self._note}  ", "bad" if self._bad else "")
        name, far = self._pull
        pull = [Bit(f"{name} ", "accent", drop=3), Bit(f"{far} ", "accent")] if name else []
        self.show([left], [*(key_bits(self._key) if self._key else ()), *pull, *self._state()])

    def on_one_line_pressed(self, event: OneLine.Pressed) -> None:
        """A click presses the key."""
        event.stop()
        self.app.simulate_key(event.press)

    def _state(self) -> list[Bit]:
        if self._progress is not None:
            far = f"{self._progress.done:,} of {self._progress.total:,} "
            return [Bit(f"{self._progress.what} ", "accent", drop=2), Bit(far, "accent")]
        if self._ahead is not None:
            return [Bit(f"ahead: {self._ahead.what} {self._ahead.done:,} of {self._ahead.total:,} ", "quiet", drop=4)]
        if self._status is None:
            return []
        writer = short_name(self._status.writer) if self._status.writer else "own words"
        bits = [
            Bit(f"encoder {short_name(self._status.encoder)}", "quiet", drop=4),
            Bit(f" · texts {writer} ", "quiet", drop=5),
        ]
        if self._status.pending:
            bits.insert(0, Bit(f"{count(self._status.pending, 'item')} without vectors · ", "accent", drop=3))
        return bits


def short_name(model: str) -> str:
    """A model's name without hash and quantisation."""
    return model.partition("@")[0].removesuffix(".gguf")[:_NAME]
