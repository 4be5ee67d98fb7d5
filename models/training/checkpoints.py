"""What a training run must not lose: its state on disk, whole or not at all, about once a minute."""

import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from llmrec.models.errors import ModelError

State = dict[str, Any]
"""Tensors, numbers, texts, and lists and dicts of them; nothing that would run code when read."""


class CheckpointError(ModelError):
    """A checkpoint is damaged or of another run; the text names it and says what to do."""


class Checkpoints:
    """One file that always holds the newest state."""

    def __init__(self, path: Path, *, every: float = 60.0, clock: Callable[[], float]):
        """Keep the state in `path`.

        Args:
            path: file to write.
            every: seconds between two states.
            clock: seconds that only grow, e.g. `time.monotonic`.
        """
        self.path = path
        self._every, self._clock = every, clock
        self._saved_at = clock()

    def due(self) -> bool:
        """Whether it is time to save."""
        return self._clock() - self._saved_at >= self._every

    def save(self, state: State) -> None:
        """Replace the file; a crash in the middle leaves the state before."""
        save_whole(self.path, state)
        self._saved_at = self._clock()

    def load(self) -> State | None:
        """The newest state, on the processor; None when there is none yet.

        Raises:
            CheckpointError: the file is damaged.
        """
        if not self.path.is_file():
            return None
        try:
            state: State = torch.load(self.path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as exc:
            raise CheckpointError(f"{self.path} is damaged; delete it to begin anew.") from exc
        return state


def save_whole(path: Path, state: State) -> None:
    """Write beside the target, sync and rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)
