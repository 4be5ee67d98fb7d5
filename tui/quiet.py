"""Work for quiet moments: texts of the rows that will be looked at, then half-lives. Any key ends it at once.

Each quiet moment does one spell of work and then rests, so that an app left alone overnight does not compute for ever.
"""

from functools import partial
from typing import TYPE_CHECKING

from textual.timer import Timer

from llmrec.tui.messages import WorkedAhead

if TYPE_CHECKING:
    from llmrec.tui.screens.for_you import ForYou

QUIET = 2.0
"""Seconds without a key after which the writer may work ahead."""
_NEXT, _TOP = 5, 10
"""Rows from the cursor on, and rows from the top, whose texts are written."""
GROUP = "ahead"
_COMES_FIRST = ("index", "write", "phrase")
"""Groups of workers that a reader waits for."""


class Quiet:
    """Waits for quiet moments of one list."""

    def __init__(self, screen: "ForYou") -> None:
        """Nothing is waited for before `start`."""
        self._screen = screen
        self._timer: Timer | None = None
        self._spent = False

    def start(self) -> None:
        """Begin to wait."""
        self._timer = self._screen.set_interval(QUIET, self._begin)

    def touched(self) -> None:
        """A key or a click came: end the work, and wait anew."""
        if self._timer is not None:
            self._timer.reset()
        if self._screen.workers.cancel_group(self._screen, GROUP):
            self._screen.on_worked_ahead(WorkedAhead(None))
        self._spent = False

    def stop(self) -> None:
        """Work ahead no more, because it has failed."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _begin(self) -> None:
        screen = self._screen
        busy = any(worker.group in _COMES_FIRST and worker.is_running for worker in screen.app.workers)
        if self._spent or busy or screen.ranking is None or not screen.has_writer:
            return
        self._spent = True
        ids = screen.ahead(_NEXT, _TOP)
        screen.ask(partial(screen.desk.asks.ahead, ids), group=GROUP)
