"""Requests on their way to the model process, and the queue that decides which is next."""

import itertools
import queue
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llmrec.models.errors import ModelError, ModelFailed
from llmrec.models.protocol import Frame

if TYPE_CHECKING:
    from llmrec.models.host import ModelFile

_numbers = itertools.count(1)
_LOOK = 0.05
"""Seconds between looks at `cancel` while a request waits for its turn."""


class Request:
    """One question, and the answers as they come."""

    def __init__(
        self,
        operation: str,
        fields: dict[str, Any],
        model: "ModelFile | None",
        urgent: bool,
        cancel: threading.Event | None,
    ):
        self.number = next(_numbers)
        self.operation = operation
        self.fields = fields
        self.model = model
        self.urgent = urgent
        self._cancel = cancel
        self._abandoned = False
        self._answers: queue.SimpleQueue[Frame | ModelError | None] = queue.SimpleQueue()

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._abandoned or (self._cancel is not None and self._cancel.is_set())

    def give(self, frame: Frame) -> None:
        """Hand an answer to whoever waits."""
        self._answers.put(frame)

    def fail(self, error: ModelError) -> None:
        """Hand over why there is no answer."""
        self._answers.put(error)

    def finish(self) -> None:
        """Say that nothing more comes."""
        self._answers.put(None)

    def abandon(self) -> None:
        """Say that nobody waits any more."""
        self._abandoned = True

    def answers(self) -> Iterator[Frame]:
        """Frames in order; ends early when cancelled.

        Raises:
            ModelError: what the host failed with.
        """
        while True:
            try:
                answer = self._answers.get(timeout=_LOOK)
            except queue.Empty:
                if self.cancelled:
                    return
                continue
            if answer is None or self.cancelled:
                return
            if isinstance(answer, ModelError):
                raise answer
            yield answer


class RequestQueue:
    """Urgent requests before the others, and the newest first among equals."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Request] = []
        self.closed = False

    def put(self, request: Request) -> None:
        """Add a request.

        Raises:
            ModelFailed: the queue is closed.
        """
        with self._changed:
            if self.closed:
                raise ModelFailed("The model host is closed.")
            self._waiting.append(request)
            self._changed.notify()

    def take(self, timeout: float | None) -> Request | None:
        """Remove the request that is next; None when the time is up or the queue is closed."""
        with self._changed:
            self._drop_cancelled()
            if not self._waiting and not self.closed:
                self._changed.wait(timeout)
                self._drop_cancelled()
            if not self._waiting or self.closed:
                return None
            best = max(self._waiting, key=lambda request: (request.urgent, request.number))
            self._waiting.remove(best)
            return best

    def close(self) -> None:
        """Refuse what is waiting and what comes."""
        with self._changed:
            self.closed = True
            waiting, self._waiting = self._waiting, []
            self._changed.notify_all()
        for request in waiting:
            request.fail(ModelFailed("The model host is closed."))

    def _drop_cancelled(self) -> None:
        for request in [request for request in self._waiting if request.cancelled]:
            self._waiting.remove(request)
            request.finish()
