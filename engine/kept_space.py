"""The fitted words and joint space of a catalogue in a cache file, so that a start need not fit them again."""

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.spaces import JointRows, JointSpace
from llmrec.engine.words import WordIndex

_FORMAT = b"2"
_MOST = 200_000
"""Items; a larger file would be slower to read than it saves."""
_SPACE = ("topics", "mean", "axes", "variance")


class KeptSpace:
    """One file per store; it is believed only for the very items and encoder it was made of."""

    def __init__(self, folder: Path | None, store: Path | None) -> None:
        """Keep the file in `folder`; nothing is kept where the store itself is not."""
        self._file = folder / f"space-{name_of(store)}.npz" if folder is not None and store is not None else None
        self._known = ""

    def load(self, catalogue: Catalogue, hashes: Sequence[bytes], model: str) -> None:
        """Let a catalogue adopt what was kept for exactly its items; else do nothing."""
        self._known = ""
        if self._file is None or not self._file.is_file():
            return
        try:
            with np.load(self._file, allow_pickle=False) as kept:
                if str(kept["key"]) != identity(catalogue, hashes, model):
                    return
                joint = JointRows(JointSpace(*(kept[name] for name in _SPACE)))
                joint.rows, joint.inverse_lengths = kept["rows"], kept["inverse_lengths"]
                catalogue.adopt(WordIndex.from_arrays({n: kept[n] for n in kept.files}), joint)
                self._known = str(kept["key"])
        except (OSError, ValueError, KeyError, BadZipFile):
            self._file.unlink(missing_ok=True)  # a cache: damaged is as good as absent

    def save(self, catalogue: Catalogue, hashes: Sequence[bytes], model: str) -> None:
        """Keep what a catalogue has fitted, unless it came from the file."""
        fitted = catalogue.fitted
        if self._file is None or fitted is None or not 0 < len(catalogue) <= _MOST:
            return
        key = identity(catalogue, hashes, model)
        if key == self._known:
            return
        words, joint = fitted
        arrays: dict[str, Any] = {name: getattr(joint.space, name) for name in _SPACE}
        arrays |= {**words.arrays(), "rows": joint.rows, "inverse_lengths": joint.inverse_lengths, "key": key}
        put_arrays(self._file, arrays)


def put_arrays(file: Path, arrays: dict[str, Any]) -> None:
    """Write a cache file in one move; nothing where it cannot be written: no room for a cache is no reason to fail."""
    part = file.with_suffix(f".{os.getpid()}.part.npz")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(part, **arrays)
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)


def name_of(store: Path | None) -> str:
    """Short name of a store's file, by which the cache tells stores apart."""
    return sha256(str(store and store.resolve()).encode()).hexdigest()[:16]


def identity(catalogue: Catalogue, hashes: Sequence[bytes], model: str) -> str:
    """Identity of contents, encoder, and which items have a vector."""
    digest = sha256(_FORMAT + model.encode())
    digest.update(b"".join(hashes))
    digest.update(str(sum(map(len, catalogue.texts))).encode())  # tags are words too, but not content
    digest.update(np.any(catalogue.vectors != 0, axis=1).tobytes())
    return digest.hexdigest()
