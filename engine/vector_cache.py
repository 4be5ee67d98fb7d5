"""Vectors of a file's items, kept in a folder, so that a second evaluation embeds nothing."""

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from threading import Event as Cancel

import numpy as np

from llmrec.engine.embedding import embedded_text
from llmrec.engine.importers import content_hash
from llmrec.engine.records import Item, Progress
from llmrec.models import Embedder, FloatArray

_BATCH = 64
_SAVE_EVERY = 2_048
"""Vectors between two savings, so that an interrupted run goes on where it stopped."""


class VectorCache:
    """One file per model: hashes of contents, and their vectors."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        """Read what is known of this model; a file that cannot be read counts as empty."""
        name = sha256(embedder.model_id.encode()).hexdigest()[:16]
        self._path = folder / f"vectors-{name}.npz"
        self._embedder = embedder
        self._known: dict[bytes, FloatArray] = {}
        if self._path.exists():
            self._read()

    def _read(self) -> None:
        try:
            with np.load(self._path) as stored:
                hashes, vectors = stored["hashes"], stored["vectors"]
        except (OSError, ValueError, KeyError):
            return
        if vectors.ndim == 2 and vectors.shape[1] == self._embedder.dim and len(hashes) == len(vectors):
            self._known = {bytes(h): v for h, v in zip(hashes, vectors, strict=True)}

    def fill(self, items: Sequence[Item], cancel: Cancel | None = None) -> Iterator[Progress]:
        """Embed the items that are not known yet; yields after each batch and ends early when cancelled.

        Raises:
            ModelError: the encoder failed.
        """
        missing = {content_hash(item): item for item in items if content_hash(item) not in self._known}
        hashes = list(missing)
        for start in range(0, len(hashes), _BATCH):
            if cancel is not None and cancel.is_set():
                break
            some = hashes[start : start + _BATCH]
            vectors = self._embedder.embed([embedded_text(missing[h]) for h in some], cancel=cancel)
            self._known.update(zip(some, vectors, strict=True))
            if (start // _BATCH + 1) % (_SAVE_EVERY // _BATCH) == 0:
                self._save()
            yield Progress(start + len(some), len(hashes), "embedding")
        if hashes:
            self._save()

    def vectors(self, items: Sequence[Item]) -> FloatArray:
        """Vectors (n, d) of items, all of them known.

        Raises:
            KeyError: an item was not embedded because `fill` was cancelled.
        """
        rows = [self._known[content_hash(item)] for item in items]
        return np.array(rows, np.float32).reshape(len(items), self._embedder.dim)

    def _save(self) -> None:
        """Replace the file in one move."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        hashes = np.array([np.frombuffer(h, np.uint8) for h in self._known])
        part = self._path.with_suffix(".part.npz")
        np.savez(part, hashes=hashes, vectors=np.array(list(self._known.values()), np.float32))
        os.replace(part, self._path)
