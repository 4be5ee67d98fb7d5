"""Downloads of models: each in a thread of its own, which goes on behind every screen and ends with the app.

The threads are daemons, not workers: a line that has gone silent would keep the app from ending for half a minute.
What has come is in a file, so that nothing is lost with the thread.
"""

import time
from collections.abc import Callable
from contextvars import copy_context
from threading import Event as Cancel
from threading import Thread

from textual.message import Message

from llmrec.engine import Engine
from llmrec.tui.messages import Pulled, Pulling

_EVERY = 0.2
"""Seconds between two words of how far it is."""
_LAST = 0.5
"""Seconds that the end of the app waits for a download to close its file."""


class Downloads:
    """What is being fetched."""

    def __init__(self, engine: Engine, post: Callable[[Message], object]) -> None:
        """Nothing yet; `post` takes `Pulling` and `Pulled` from any thread."""
        self._engine = engine
        self._post = post
        self._running: dict[str, tuple[Cancel, Thread]] = {}

    def start(self, name: str) -> bool:
        """Begin, or go on where it was stopped; False where it is under way already."""
        if name in self._running:
            return False
        cancel = Cancel()
        thread = Thread(target=copy_context().run, args=(self._run, name, cancel), name=f"pull {name}", daemon=True)
        self._running[name] = cancel, thread
        thread.start()
        return True

    def stop(self, name: str) -> bool:
        """Stop one; what has come is kept. False where it is not under way."""
        found = self._running.get(name)
        if found is not None:
            found[0].set()
        return found is not None

    def stop_all(self) -> None:
        """The app ends."""
        running = list(self._running.values())
        for cancel, _ in running:
            cancel.set()
        for _, thread in running:
            thread.join(_LAST)

    def _run(self, name: str, cancel: Cancel) -> None:
        error: Exception | None = None
        said = 0.0
        try:
            for progress in self._engine.models.pull(name, cancel):
                if time.monotonic() - said >= _EVERY and not cancel.is_set():
                    said = time.monotonic()
                    self._post(Pulling(name, progress.done, progress.total, progress.speed, progress.left))
        except Exception as caught:  # the screen tells a bug from what a user may read; a thread would print over it
            error = caught
        self._running.pop(name, None)
        self._post(Pulled(name, error, cancel.is_set()))
