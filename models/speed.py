"""How many tokens a second a model does on this machine: measured when asked for, and remembered."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from llmrec.models import Prompt
from llmrec.models.errors import ModelFailed
from llmrec.models.llamacpp import LlamaEmbedder, LlamaWriter

_TEXT = " ".join(["The harbour fills twice a day, and the tide table says when the boats can leave again."] * 5)
"""About 100 tokens, as the titles and beginnings of items have."""
_BATCH, _BATCHES = 8, 6
_ENOUGH = 2.0
"""Seconds of work after which the figure is good enough."""
_WORDS, _TRIES = 64, 4
_PROMPT = Prompt("You write plain, quiet prose and never stop early.", "The sea at night.", "Write a long page on it:")

Clock = Callable[[], float]


def encoder_speed(encoder: LlamaEmbedder, cancel: Event | None = None, clock: Clock = time.perf_counter) -> float:
    """Tokens a second of an encoder on texts of about 100 tokens.

    Raises:
        ModelError: it could not run, or was told to stop.
    """
    encoder.embed([_TEXT], cancel=cancel)  # loads it
    tokens = len(encoder.tokens(_TEXT))
    began, texts = clock(), 0
    while texts < _BATCH * _BATCHES and clock() - began < _ENOUGH:
        encoder.embed([_TEXT] * _BATCH, cancel=cancel)
        texts += _BATCH
    return tokens * texts / max(clock() - began, 1e-9)


def writer_speed(writer: LlamaWriter, cancel: Event | None = None, clock: Clock = time.perf_counter) -> float:
    """Tokens a second that a writer writes, once it has read its prompt.

    Raises:
        ModelError: it could not run, was told to stop, or writes nothing.
    """
    pieces, seconds = 0, 0.0
    for seed in range(_TRIES):
        first = None
        for _ in writer.stream(_PROMPT, max_tokens=_WORDS, seed=seed, cancel=cancel):
            now = clock()
            pieces += first is not None
            first = first if first is not None else now
            last = now
        seconds += last - first if first is not None else 0.0
        if cancel is not None and cancel.is_set():
            raise ModelFailed("The model was told to stop.")
        if pieces >= _WORDS // 2 or seconds > _ENOUGH:
            break
    if not pieces:
        raise ModelFailed(f"{writer.model_id.partition('@')[0]} writes nothing, so it has no speed.")
    return pieces / max(seconds, 1e-9)


class Speeds:
    """Figures of files that have not changed, in one small JSON file; without it they are measured again."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def of(self, path: Path) -> float | None:
        """Tokens a second, if they were measured of this very file."""
        known = self._read().get(str(path.resolve()))
        if isinstance(known, list) and known[:2] == _stamp(path) and isinstance(known[-1], int | float):
            return float(known[-1])
        return None

    def keep(self, path: Path, speed: float) -> None:
        """Remember a figure; a folder that cannot be written costs the figure, nothing else."""
        if self._path is None:
            return
        figures = {**self._read(), str(path.resolve()): [*_stamp(path), round(speed, 1)]}
        part = self._path.with_name(self._path.name + ".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(figures), "utf-8")
            os.replace(part, self._path)
        except OSError:
            return

    def _read(self) -> dict[str, object]:
        try:
            figures = json.loads(self._path.read_text("utf-8")) if self._path is not None else {}
        except (OSError, ValueError, RecursionError):
            return {}
        return figures if isinstance(figures, dict) else {}


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
