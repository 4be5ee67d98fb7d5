"""The last line of a screen: the keys that matter most here, each of which can be clicked."""

from collections.abc import Sequence

from llmrec.tui.actions import HELP, Action
from llmrec.tui.widgets.one_line import Bit, OneLine


class KeyLine(OneLine):
    """Keys and words; the last ones go first where the window is narrow, help stays."""

    def __init__(self, actions: Sequence[Action], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.show_actions(actions)

    def show_actions(self, actions: Sequence[Action]) -> None:
        """Show these keys, the most important first."""
        rest = [action for action in actions if action is not HELP]
        bits = [Bit(" ")]
        for place, action in enumerate(rest):
            bits += key_bits(action, drop=place + 1)
        self.show(bits, key_bits(HELP, drop=0) if HELP in actions else ())

    def on_one_line_pressed(self, event: OneLine.Pressed) -> None:
        """A click presses the key."""
        event.stop()
        self.app.simulate_key(event.press)


def key_bits(action: Action, drop: int = 0) -> list[Bit]:
    """A key and its words, to be clicked."""
    return [Bit(action.sign, "key", drop, action.key), Bit(f" {action.words}  ", "", drop, action.key)]
