"""The vectors and codes of a catalogue of millions in a cache folder: made once, mapped into memory ever after.

A cache: it is believed only for the very items, vectors and encoder it was made of, damaged it is as good as absent,
and a new one is made beside the old and put in its place in one move. Where the store itself is not kept, all stays
in memory.
"""

import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from llmrec.engine.half_life import by_rule
from llmrec.engine.kept_space import name_of
from llmrec.engine.store import Store
from llmrec.engine.vectors import DoubleArray, unit
from llmrec.engine.wide import Codes
from llmrec.models import FloatArray

_FORMAT = b"1"
_BLOCK = 8_192
_IN_MEMORY = ("codes", "signs", "lengths", "characters")
"""What every ranking reads; the rest is left on disk."""
Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


class KeptWide:
    """One folder of arrays per store."""

    def __init__(self, folder: Path | None, store: Store) -> None:
        """Keep the arrays below `folder`; nothing is kept where the store itself is not."""
        self._store = store
        self._folder = folder if store.path is not None else None
        self._prefix = f"wide-{name_of(store.path)}"

    def read(self, model: str, hashes: Sequence[bytes], dim: int) -> tuple[FloatArray, DoubleArray, Codes]:
        """Unit vectors (n, d), half-lives by rule (n,) and codes of all items; made where they are not kept.

        Args:
            model: whose vectors.
            hashes: of the items' contents, in catalogue order.
            dim: length d of a vector.
        """
        if self._folder is None:
            vectors = np.zeros((len(hashes), dim), np.float32)
            return vectors, *self._made(model, hashes, vectors)
        place = self._folder / f"{self._prefix}-{self._identity(model, hashes)}"
        if place.is_dir():
            try:
                return _loaded(place, len(hashes), dim)
            except (OSError, ValueError, KeyError, TypeError):
                shutil.rmtree(place, ignore_errors=True)
        return self._kept(place, model, hashes, dim)

    def _identity(self, model: str, hashes: Sequence[bytes]) -> str:
        digest = sha256(_FORMAT + model.encode() + b"".join(hashes))
        digest.update(f"{self._store.vectors_saved(model)} {self._store.size_of_words()}".encode())
        return digest.hexdigest()[:16]

    def _kept(
        self, place: Path, model: str, hashes: Sequence[bytes], dim: int
    ) -> tuple[FloatArray, DoubleArray, Codes]:
        part = place.with_suffix(".part")
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            shape = (len(hashes), dim)
            mapped = np.lib.format.open_memmap(part / "vectors.npy", mode="w+", dtype=np.float32, shape=shape)
            half_lives, codes = self._made(model, hashes, mapped)
            mapped.flush()
            for name, array in {**codes.arrays(), "half_lives": half_lives}.items():
                np.save(part / f"{name}.npy", array)
            for old in place.parent.glob(f"{self._prefix}-*"):
                if old != part:
                    shutil.rmtree(old, ignore_errors=True)
            part.rename(place)
            return _loaded(place, len(hashes), dim)
        except OSError:  # no room for a cache is no reason to fail
            shutil.rmtree(part, ignore_errors=True)
            vectors = np.zeros((len(hashes), dim), np.float32)
            return vectors, *self._made(model, hashes, vectors)

    def _made(self, model: str, hashes: Sequence[bytes], vectors: FloatArray) -> tuple[DoubleArray, Codes]:
        """Fill the vectors, and fit and encode the items."""
        self._store.read_vectors(model, hashes, vectors)
        for start in range(0, len(vectors), _BLOCK):
            vectors[start : start + _BLOCK] = unit(vectors[start : start + _BLOCK])
        half_lives = np.fromiter(map(by_rule, self._store.all_items()), np.float64, len(hashes))
        return half_lives, Codes.fit(vectors, self._store.pages_of_words)


def _loaded(place: Path, n: int, dim: int) -> tuple[FloatArray, DoubleArray, Codes]:
    """The arrays of a folder.

    Raises:
        OSError, ValueError, KeyError, TypeError: it is damaged.
    """
    arrays: Arrays = {
        file.stem: np.load(file, mmap_mode=None if file.stem in _IN_MEMORY else "r", allow_pickle=False)
        for file in place.glob("*.npy")
    }
    vectors, half_lives = arrays.pop("vectors"), np.array(arrays.pop("half_lives"))
    codes = Codes.of(arrays)
    if vectors.shape != (n, dim) or len(half_lives) != n or len(codes.codes) != n or len(codes.starts) != n + 1:
        raise ValueError("it is not of these items")
    return vectors, half_lives, codes
