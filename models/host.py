"""The app's side of the model process: one queue of requests, one process, deadlines, cancellation, restart.

Callers on any thread ask and wait; one thread owns the process and serves one request at a time, urgent before
background and the newest first. It is that thread, living as long as the host, that starts the process, because
Linux tells a process of its parent's death by the starting thread.
"""

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmrec.models.check import Role, admit, available_memory, stamp_of
from llmrec.models.child import PROGRAM, Child, ChildGone
from llmrec.models.errors import ModelError, ModelFailed, ModelRejected
from llmrec.models.hashes import HashCache
from llmrec.models.inbox import Request, RequestQueue
from llmrec.models.protocol import VERSION, Frame, ProtocolError

_TICK = 0.02
"""Seconds between looks at `cancel` while the process works."""
_SEND = 5.0
"""Seconds the process may take to accept a request."""
_MORE = 8
"""Frames a request may have besides one for each token."""
_REAP = 1.0
"""Seconds after which an idle process that died is noticed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the process may take, in seconds."""

    start: float = 30.0
    """From the start of the process to its first word."""
    load: float = 120.0
    """For loading a model."""
    silence: float = 60.0
    """Between two words while it works."""
    total: float = 600.0
    """For one request altogether."""
    grace: float = 0.5
    """Between asking it to stop and killing it."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model as the host loads it."""

    path: Path
    """The GGUF file."""
    role: Role
    """What it is to be used for."""
    sha256: str | None = None
    """Hex digest it must have, when it is pinned."""


class Host:
    """Runs models in a child process; every method may be called from any thread."""

    def __init__(
        self,
        *,
        log: Path | None = None,
        threads: int | None = None,
        limits: Limits | None = None,
        program: Sequence[str] = PROGRAM,
        writable: Sequence[Path] = (),
        readable: Sequence[Path] = (),
        hashes: HashCache | None = None,
        free_memory: Callable[[], int | None] = available_memory,
    ):
        """Prepare; nothing is started before the first request.

        Args:
            log: file that takes what the process prints.
            threads: cores to compute on; all that this process may use when None.
            limits: deadlines.
            program: the child's command; tests give their own.
            writable: folders the process may write to (only quantising does).
            readable: folders it may read, besides those of the models it is asked for.
            hashes: remembers hashes of files, for pinned models.
            free_memory: gives the bytes the system can still hand out.
        """
        self._log = log
        self._threads = threads or _cores()
        self._limits = limits or Limits()
        self._program = tuple(program)
        self._writable = tuple(writable)
        self._hashes = hashes or HashCache(None)
        self._free_memory = free_memory
        self._queue = RequestQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._child: Child | None = None
        self._readable = tuple(readable)
        self._loaded: dict[Role, tuple[ModelFile, tuple[int, int, int]]] = {}
        _open_hosts.add(self)

    def ask(
        self,
        operation: str,
        fields: dict[str, Any],
        *,
        model: ModelFile | None = None,
        urgent: bool = True,
        cancel: threading.Event | None = None,
    ) -> Iterator[Frame]:
        """Queue one request; yields what the process answers, the last frame being its "done".

        A generator that is closed early cancels its request. When `cancel` is set, the frames end without "done".

        Raises:
            ModelError: the model is refused, or the process crashed, hung or said no.
        """
        request = Request(operation, fields, model, urgent, cancel)
        self._queue.put(request)
        self._ensure_thread()
        try:
            yield from request.answers()
        finally:
            request.abandon()

    def answer(self, operation: str, fields: dict[str, Any], **options: Any) -> Frame:
        """Queue a request that has one answer.

        Raises:
            ModelError: as `ask`, and when it was cancelled.
        """
        last: Frame | None = None
        for frame in self.ask(operation, fields, **options):
            last = frame
        if last is None:
            raise ModelFailed("The model was told to stop.")
        return last

    def health(self) -> dict[str, Any]:
        """What the process says of itself: pid, sandbox, threads, loaded roles, processor features.

        Raises:
            ModelError: it cannot be started, or does not answer.
        """
        return self.answer("health", {}).fields

    def close(self) -> None:
        """End the process and the thread; a closed host answers nothing. Safe to call again."""
        self._queue.close()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _ensure_thread(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="model-host", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        """Serve requests until the host is closed."""
        try:
            while not self._queue.closed:
                request = self._queue.take(_REAP if self._child else None)
                if request is None:
                    self._reap()
                    continue
                self._serve(request)
        finally:
            self._queue.close()
            self._end_child()

    def _serve(self, request: Request) -> None:
        try:
            child = self._ready(request)
            if not request.cancelled:
                self._exchange(child, request)
        except ModelError as exc:
            request.fail(exc)
        except ProtocolError as exc:
            request.fail(ModelFailed(f"The request cannot be sent to the model process: {exc}."))
        except ChildGone as exc:
            self._kill()
            what = request.model.path.name if request.model else "a request"
            where = f" The log is {self._log}." if self._log else ""
            request.fail(
                ModelFailed(f"The model process {exc} while it worked on {what}; it starts again when needed.{where}")
            )
        finally:
            request.finish()

    def _ready(self, request: Request) -> Child:
        """The running process, with the request's model loaded in it."""
        model = request.model
        self._reap()
        if model is None:
            return self._child or self._start(self._readable)
        if self._child and self._loaded.get(model.role) == (model, _stamp(model.path)):
            return self._child
        admitted = admit(
            model.path, model.role, sha256=model.sha256, free_memory=self._free_memory, digest=self._hashes.digest
        )
        folder = model.path.resolve().parent
        if folder not in self._readable:
            self._end_child()  # its sandbox cannot be widened
            self._readable = (*self._readable, folder)
        child = self._child or self._start(self._readable)
        self._load(child, model, admitted.stamp)
        return child

    def _start(self, readable: Sequence[Path]) -> Child:
        arguments = ["--parent", str(os.getpid()), "--threads", str(self._threads)]
        for path in readable:
            arguments += ["--read", str(path)]
        for path in self._writable:
            arguments += ["--write", str(path)]
        self._child = child = Child(arguments, program=self._program, log=self._log)
        hello = self._first_word(child, self._limits.start)
        if hello.fields.get("is") == "error":
            self._kill()
        _raise_error(hello)
        if hello.fields.get("version") != VERSION:
            raise ChildGone("is of another version")
        return child

    def _load(self, child: Child, model: ModelFile, stamp: tuple[int, int, int]) -> None:
        self._loaded.pop(model.role, None)
        fields = {"path": str(model.path.resolve()), "role": model.role, "stamp": stamp}
        child.send({"id": 0, "op": "load", **fields}, seconds=_SEND)
        _raise_error(self._first_word(child, self._limits.load))
        self._loaded[model.role] = (model, stamp)

    def _first_word(self, child: Child, limit: float) -> Frame:
        """Wait for the answer to a start or a load; a cancelled request lets it finish, since the next needs it too."""
        until = time.monotonic() + limit
        while (frame := child.receive(seconds=_TICK)) is None:
            if time.monotonic() > until:
                raise ChildGone("hung")
            if self._queue.closed:
                raise ChildGone("was stopped")
        return frame

    def _exchange(self, child: Child, request: Request) -> None:
        """Send one request and pass its answers on; stop it when asked, for certain."""
        limits = self._limits
        child.send({"id": request.number, "op": request.operation, **request.fields}, seconds=_SEND)
        began = heard = time.monotonic()
        told_to_stop: float | None = None
        left = request.fields.get("max_tokens", 0) + _MORE
        while True:
            frame = child.receive(seconds=_TICK)
            now = time.monotonic()
            if frame is not None and frame.fields.get("id") == request.number:
                heard = now
                _raise_error(frame)
                if told_to_stop is None:
                    request.give(frame)
                    left -= 1
                if frame.fields.get("is") == "done":
                    return
            if told_to_stop is None and (request.cancelled or self._queue.closed):
                child.send({"id": request.number, "op": "cancel"}, seconds=limits.grace)
                told_to_stop = now
            if told_to_stop is not None and now - told_to_stop > limits.grace:
                self._kill()
                return
            if left < 0:
                raise ChildGone("said more than it was asked for")
            if now - heard > limits.silence or now - began > limits.total:
                raise ChildGone("hung")

    def _reap(self) -> None:
        if self._child is not None and self._child.has_ended():
            self._kill()

    def _kill(self) -> None:
        child, self._child = self._child, None
        self._loaded.clear()
        if child is not None:
            child.kill()

    def _end_child(self) -> None:
        child, self._child = self._child, None
        self._loaded.clear()
        if child is not None:
            child.end()


_open_hosts: "weakref.WeakSet[Host]" = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """End what is still running when the interpreter goes."""
    for host in list(_open_hosts):
        host.close()


def _raise_error(frame: Frame) -> None:
    """Turn an error answer into its exception."""
    if frame.fields.get("is") == "error":
        kind = ModelRejected if frame.fields.get("kind") == "rejected" else ModelFailed
        raise kind(str(frame.fields.get("text", "The model process said no.")))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What tells whether a file is still the same; None when it is gone."""
    try:
        return stamp_of(path)
    except ModelRejected:
        return None


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
