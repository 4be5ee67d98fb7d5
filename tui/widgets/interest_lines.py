"""The interests as lines for the pane at the right of the list."""

from collections.abc import Sequence

from llmrec.engine import Interest
from llmrec.tui.phrases import bar, sparkline
from llmrec.tui.text import Part, fit

_SPARK, _BAR = 5, 6
_HEAD = _SPARK + 2 * _BAR + 4


def interest_lines(interests: Sequence[Interest], *, width: int, most: int) -> list[Part]:
    """Parts that draw words, trend, and weight now and always.

    Args:
        interests: strongest first.
        width: cells of a line.
        most: lines to draw, without the heading.
    """
    room = max(4, width - _HEAD)
    parts: list[Part] = [
        ("interests".ljust(room + _SPARK + 2), "dim"),
        ("now".ljust(_BAR + 1), "dim"),
        ("always\n", "dim"),
    ]
    if not interests:
        return [*parts, "none yet: l on a row starts one"]
    for interest in interests[:most]:
        parts.append(fit(", ".join(interest.words) or "unnamed", room) + " ")
        if interest.is_less or interest.state.startswith(("snoozed", "forgotten")):
            parts.append((f"{fit(interest.state, _HEAD - 1, pad=False)}\n", "italic dim"))
            continue
        parts += [
            (sparkline(interest.trend, _SPARK) + " ", "dim"),
            (bar(interest.now, _BAR).ljust(_BAR + 1), "$text-accent"),
            (bar(interest.always, _BAR).ljust(_BAR) + "\n", "$primary"),
        ]
    if len(interests) > most:
        parts.append((f"{len(interests) - most} more · i shows all", "dim"))
    return parts
