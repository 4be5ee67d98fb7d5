"""The words of a catalogue with their vectors: what a group of items is about, where no tag says it.

A group is named by the words whose vectors lie nearest to its middle. Encoders lay single words into one corner of the
space and items into another, so both are compared by what sets them apart from their own kind: the mean of all words
is taken from the words, the mean of all items from the items. On the bundled items with their tags hidden, the first
word is the tag's twice as often as the group's own most telling word by tf-idf is (`tests/engine/test_lexicon.py`).
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Event as Cancel
from zipfile import BadZipFile

import numpy as np

from llmrec.engine.kept_space import name_of, put_arrays
from llmrec.engine.records import Progress
from llmrec.engine.vectors import unit
from llmrec.models import Embedder, FloatArray

MOST = 4_000
"""Words that are given vectors: two seconds' work."""
_PART = 200
"""Words embedded at once."""
_STEM, _ENDING = 3, 3
"""Two words are forms of one if they share so many letters at least and then have so many at most."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """m words of one catalogue in one encoder's space; none of a catalogue whose words say nothing."""

    words: tuple[str, ...]
    vectors: FloatArray
    """(m, d) unit rows, the words' mean taken from them."""

    @classmethod
    def of(cls, words: Sequence[str], vectors: FloatArray) -> "Lexicon":
        """From the vectors (m, d) that the encoder gave."""
        return cls(tuple(words), unit(vectors - vectors.mean(axis=0)) if len(words) else vectors)

    def nearest(self, direction: FloatArray, k: int) -> tuple[str, ...]:
        """Up to k words nearest to a direction (d,), nearest first; of several forms of a word only the first."""
        found: list[str] = []
        for row in np.argsort(-(self.vectors @ direction), kind="stable"):  # (m, d) @ (d,) -> (m,)
            if len(found) == k:
                break
            if not any(_forms(self.words[row], word) for word in found):
                found.append(self.words[row])
        return tuple(found)


class KeptLexicon:
    """The vectors of words in a cache file; a catalogue that has grown asks for its new words only."""

    def __init__(self, folder: Path | None, store: Path | None) -> None:
        """Keep the file in `folder`; nothing is kept where the store itself is not."""
        self._file = folder / f"words-{name_of(store)}.npz" if folder is not None and store is not None else None

    @property
    def there(self) -> bool:
        """Whether anything is kept."""
        return self._file is not None and self._file.is_file()

    def load(self, words: Sequence[str], model: str) -> Lexicon | None:
        """The lexicon of exactly these words, if all are there."""
        known = self._read(model)
        return Lexicon.of(words, np.stack([known[w] for w in words])) if words and known.keys() >= set(words) else None

    def learn(
        self, words: Sequence[str], embedder: Embedder, cancel: Cancel | None
    ) -> Generator[Progress, None, Lexicon | None]:
        """Give words vectors and keep them; None when cancelled.

        Raises:
            ModelError: the encoder failed.
        """
        known = self._read(embedder.model_id)
        missing = [word for word in words if word not in known]
        for start in range(0, len(missing), _PART):
            yield Progress(start, len(missing), "words")
            if cancel is not None and cancel.is_set():
                return None
            part = missing[start : start + _PART]
            known.update(zip(part, embedder.embed(part, cancel=cancel), strict=True))
        vectors = np.stack([known[word] for word in words]) if words else np.zeros((0, embedder.dim), np.float32)
        if missing:
            self._write(embedder.model_id, words, vectors)
            yield Progress(len(missing), len(missing), "words")
        return Lexicon.of(words, vectors)

    def _read(self, model: str) -> dict[str, FloatArray]:
        if self._file is None or not self._file.is_file():
            return {}
        try:
            with self._file.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                words, vectors = kept["words"].tobytes().decode().split("\n"), kept["vectors"].astype(np.float32)
                if str(kept["key"]) != _key(model, words) or vectors.ndim != 2 or not np.isfinite(vectors).all():
                    return {}
                return dict(zip(words, vectors, strict=True))
        except (OSError, EOFError, ValueError, KeyError, BadZipFile):
            self._file.unlink(missing_ok=True)  # a cache: damaged is as good as absent
            return {}

    def _write(self, model: str, words: Sequence[str], vectors: FloatArray) -> None:
        if self._file is None:
            return
        spelled = np.frombuffer("\n".join(words).encode(), np.uint8)
        arrays = {"words": spelled, "vectors": vectors.astype(np.float16), "key": _key(model, words)}
        put_arrays(self._file, arrays)


def _forms(one: str, other: str) -> bool:
    """Whether two words are forms of one, as "riding" and "rides" are."""
    least = min(len(one), len(other))
    shared = next((n for n in range(least) if one[n] != other[n]), least)
    return shared >= _STEM and max(len(one), len(other)) - shared <= _ENDING


def _key(model: str, words: Sequence[str]) -> str:
    return sha256("\n".join([model, *words]).encode()).hexdigest()
