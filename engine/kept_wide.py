"""The vectors and codes of a catalogue of millions in a cache folder: made once, mapped into memory ever after.

A cache: it is believed only for the very items, vectors and encoder it was made of, damaged it is as good as absent,
and a new one is made beside the old and put in its place in one move. A catalogue that has grown a little takes over
what was made before. Where the store itself is not kept, all stays in memory.
"""

import shutil
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llmrec.engine import coding
from llmrec.engine.catalogue import REFIT
from llmrec.engine.codes import Codes
from llmrec.engine.half_life import all_by_rule, by_rule
from llmrec.engine.kept_space import name_of
from llmrec.engine.probe import Probe, read_off
from llmrec.engine.records import BoolArray, IntArray, Progress
from llmrec.engine.store import ItemColumns, Store
from llmrec.engine.vectors import DoubleArray, unit
from llmrec.models import FloatArray

_FORMAT = b"3"
_BLOCK = 8_192
_IN_MEMORY = ("codes", "signs", "lengths", "characters")
"""What every ranking reads; the rest is left on disk."""
_OWN = ("half_lives", "lasting", "hashes", "saved")
"""What is kept beside vectors and codes."""
ByteArray = npt.NDArray[np.uint8]
Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


@dataclass(frozen=True, slots=True)
class Wide:
    """What is made of n items; the large arrays may be memory maps."""

    vectors: FloatArray
    """(n, d) unit rows; zeros where there is none yet."""
    half_lives: DoubleArray
    """(n,) seconds by rule, nan where unknown."""
    lasting: FloatArray
    """(n,) P(still useful in a year) by the probe, nan where unknown."""
    hashes: ByteArray
    """(n, b) of the items' contents."""
    saved: IntArray
    """() vectors that the store had ever kept."""
    codes: Codes

    def misses(self, saved: int) -> bool:
        """Whether a vector may have come since for an item that has none here."""
        return int(self.saved) != saved and not np.all(self.codes.lengths)

    def stale(self, hashes: ByteArray, characters: IntArray) -> BoolArray:
        """(m,) which of m >= n items are new here: the later ones, those changed, and those without a vector so far."""
        n, codes = len(self.hashes), self.codes
        stale = np.ones(len(hashes), np.bool_)
        stale[:n] = (self.hashes != hashes[:n]).any(axis=1)
        stale[:n] |= (codes.characters != characters[:n]) | (codes.lengths == 0)
        return stale


class KeptWide:
    """One folder of arrays per store."""

    def __init__(self, folder: Path | None, store: Store) -> None:
        """Keep the arrays below `folder`; nothing is kept where the store itself is not."""
        self._store = store
        self._folder = folder if store.path is not None else None
        self._prefix = f"wide-{name_of(store.path)}"

    def read(self, model: str, columns: ItemColumns, dim: int, probe: Probe | None) -> Generator[Progress, None, Wide]:
        """What is kept of all items; made where it is not, which may take minutes.

        Args:
            model: whose vectors.
            columns: of the items, of which there is at least one.
            dim: length d of a vector.
            probe: of the model.

        Yields:
            How far the making is; nothing where all is there. Who stops half way leaves nothing behind.
        """
        hashes = np.frombuffer(b"".join(columns.hashes), np.uint8).reshape(len(columns.hashes), -1)
        characters, saved = self._store.lengths_of_words(), self._store.vectors_saved(model)
        making = _Making(self._store, model, columns, hashes, characters, np.array(saved), probe)
        if self._folder is None:
            return (yield from making.made(np.zeros((len(hashes), dim), np.float32)))
        made_by = f"{model} {probe.dumps() if probe is not None else ''}"
        of_model = f"{self._prefix}-{sha256(_FORMAT + made_by.encode()).hexdigest()[:8]}"
        place = self._folder / f"{of_model}-{sha256(hashes.tobytes() + characters.tobytes()).hexdigest()[:16]}"
        kept = _loaded(place, dim, _IN_MEMORY)
        if kept is not None and not kept.misses(saved):
            return kept
        return (yield from self._kept(place, of_model, making, dim))

    def _kept(self, place: Path, of_model: str, making: "_Making", dim: int) -> Generator[Progress, None, Wide]:
        """Make the arrays in the folder `place`, perhaps from older ones of the same encoder."""
        n, part = len(making.hashes), place.with_suffix(".part")
        older = (_loaded(folder, dim) for folder in place.parent.glob(f"{of_model}-*"))
        old = next((wide for wide in older if wide is not None and len(wide.hashes) <= n), None)
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            mapped = np.lib.format.open_memmap(part / "vectors.npy", mode="w+", dtype=np.float32, shape=(n, dim))
            made = yield from making.made(mapped, old)
            mapped.flush()
            for name, array in {**made.codes.arrays(), **{name: getattr(made, name) for name in _OWN}}.items():
                np.save(part / f"{name}.npy", array)
            for before in place.parent.glob(f"{self._prefix}-*"):
                if before != part:
                    shutil.rmtree(before, ignore_errors=True)
            part.rename(place)
        except OSError:  # no room for a cache is no reason to fail
            return (yield from making.made(np.zeros((n, dim), np.float32)))
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return _loaded(place, dim, _IN_MEMORY) or made


@dataclass(frozen=True, slots=True)
class _Making:
    """What codes are made of."""

    store: Store
    model: str
    columns: ItemColumns
    hashes: ByteArray
    characters: IntArray
    saved: IntArray
    probe: Probe | None

    def made(self, vectors: FloatArray, old: Wide | None = None) -> Generator[Progress, None, Wide]:
        """Fill vectors (n, d) that are zero, and make the rest; from `old` where most of it still holds."""
        yield Progress(0, len(vectors), coding.WHAT)
        stale = old.stale(self.hashes, self.characters) if old is not None else None
        if old is None or stale is None or len(vectors) > REFIT * coding.still_fitted(old.codes, stale):
            half_lives, lasting = self._all(vectors)
            codes = yield from coding.fitted(vectors, self._pages)
        else:
            half_lives, lasting = self._grown(vectors, old, np.flatnonzero(stale))
            codes = yield from coding.grown(old.codes, vectors, stale, self._pages)
        return Wide(vectors, half_lives, lasting, self.hashes, self.saved, codes)

    def _pages(self) -> Iterator[list[str]]:
        """Texts of these items; what another window has imported since is left for the next time."""
        left = len(self.hashes)
        for page in self.store.pages_of_words():
            yield page[:left]
            left -= len(page)
            if left <= 0:
                return

    def _all(self, vectors: FloatArray) -> tuple[DoubleArray, FloatArray]:
        """Read all vectors; returns half-lives by rule, and what the probe says."""
        self.store.read_vectors(self.model, self.columns.hashes, vectors)
        for start in range(0, len(vectors), _BLOCK):
            vectors[start : start + _BLOCK] = unit(vectors[start : start + _BLOCK])
        lasting = np.concatenate(
            [read_off(self.probe, vectors[n : n + _BLOCK]) for n in range(0, len(vectors), _BLOCK)]
        )
        return all_by_rule(self.store, lasting), lasting

    def _grown(self, vectors: FloatArray, old: Wide, stale: npt.NDArray[np.int64]) -> tuple[DoubleArray, FloatArray]:
        """The same, reading only the rows `stale`; the others are taken over."""
        half_lives, lasting = (
            np.concatenate([before, np.zeros(len(vectors) - len(before), before.dtype)])
            for before in (old.half_lives, old.lasting)
        )
        for start in range(0, len(old.vectors), _BLOCK):
            vectors[start : start + _BLOCK][: len(old.vectors) - start] = old.vectors[start : start + _BLOCK]
        found, _ = self.store.vectors(self.model, [self.columns.hashes[row] for row in stale], vectors.shape[1])
        vectors[stale] = unit(found)
        for start in range(0, len(stale), _BLOCK):
            rows = stale[start : start + _BLOCK]
            lasting[rows] = read_off(self.probe, vectors[rows])
            items = self.store.items([self.columns.ids[row] for row in rows])
            half_lives[rows] = [by_rule(item, p) for item, p in zip(items, lasting[rows].tolist(), strict=True)]
        return half_lives, lasting


def _loaded(place: Path, dim: int, in_memory: Collection[str] = ()) -> Wide | None:
    """The arrays of a folder; None where there is none. A damaged one is deleted."""
    if not place.is_dir():
        return None
    try:
        arrays: Arrays = {
            file.stem: np.load(file, mmap_mode=None if file.stem in in_memory else "r", allow_pickle=False)
            for file in place.glob("*.npy")
        }
        vectors, half_lives, lasting, hashes, saved = (arrays.pop(name) for name in ("vectors", *_OWN))
        found = Wide(vectors, np.array(half_lives), np.array(lasting), hashes, saved, Codes.of(arrays))
        n, codes = len(hashes), found.codes
        if vectors.shape != (n, dim) or {*map(len, (half_lives, lasting, codes.codes)), len(codes.starts) - 1} != {n}:
            raise ValueError("it is not of these items")
    except (OSError, ValueError, KeyError, TypeError):
        shutil.rmtree(place, ignore_errors=True)
        return None
    return found
