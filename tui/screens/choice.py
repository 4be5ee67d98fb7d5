"""A small question over a screen: each answer has its key, `esc` is always no."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from llmrec.tui.text import Words
from llmrec.tui.widgets.one_line import Bit, OneLine


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a question."""

    key: str
    words: str
    result: str


class Choice(ModalScreen[str], inherit_bindings=False):
    """Asks, and is dismissed with the result of the answer, or "" for no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n,q", "dismiss('')", "no", tooltip="No; nothing happens", id="choice.no")
    ]

    def __init__(self) -> None:
        super().__init__()
        self._question, self._detail = "", ""
        self._answers: Sequence[Answer] = ()

    def compose(self) -> ComposeResult:
        """The question, what it is about, and the answers."""
        with Vertical(id="box"):
            yield Words(id="question")
            yield Words(id="about")
            yield OneLine(id="answers")

    def put(self, question: str, detail: str, answers: Sequence[Answer]) -> "Choice":
        """Set the question; push the screen afterwards."""
        self._question, self._detail, self._answers = question, detail, answers
        return self

    def on_screen_resume(self) -> None:
        """Show the question that was put."""
        self.query_one("#question", Words).say((self._question, "bold"))
        self.query_one("#about", Words).say(self._detail)
        bits = []
        for answer in self._answers:
            bits += [Bit(answer.key, "key", press=answer.key), Bit(f" {answer.words}   ", press=answer.key)]
        self.query_one("#answers", OneLine).show([*bits, Bit("esc", "key", press="escape"), Bit(" no", press="escape")])

    def on_key(self, event: events.Key) -> None:
        """The key of an answer."""
        for answer in self._answers:
            if answer.key in (event.character, event.key):
                event.stop()
                self.dismiss(answer.result)
                return

    def on_one_line_pressed(self, event: OneLine.Pressed) -> None:
        """A click on an answer presses its key."""
        self.app.simulate_key(event.press)
