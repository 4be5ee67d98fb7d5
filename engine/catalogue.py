"""The items as numbers: what every ranking policy sees of the catalogue, in one encoder's space.

Alone decides which spaces exist (meaning, whitened meaning, words) and how they grow with the catalogue.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from llmrec.engine.records import IntArray, Interaction
from llmrec.engine.vectors import DoubleArray, Moments, Whitening, unit
from llmrec.engine.words import WordIndex
from llmrec.models import FloatArray

_REFIT = 1.25
"""The whitening is fitted again when the catalogue has grown by this factor."""


class Catalogue:
    """n items as unit vectors, words, dates and sources; rows are only ever appended.

    Attributes:
        vectors: (n, d) float32 unit rows; a row of zeros is an item whose vector is not known yet.
        published: (n,) Unix seconds, NaN where unknown.
        sources: (n,) codes of the items' sources.
        texts: n texts (title, text and tags) for the words.
        half_lives: (n,) seconds until an item is worth half, NaN where unknown.
        version: rises whenever rows or the whitening change; caches by row are then void.
    """

    def __init__(
        self,
        vectors: FloatArray,
        published: DoubleArray | None = None,
        sources: IntArray | None = None,
        texts: Sequence[str] = (),
        half_lives: DoubleArray | None = None,
    ) -> None:
        """Build the view; words and whitening are computed when first asked for."""
        n = len(vectors)
        self.vectors = unit(vectors)
        self.published = np.full(n, np.nan) if published is None else np.asarray(published, np.float64)
        self.sources = np.zeros(n, np.int32) if sources is None else np.asarray(sources, np.int32)
        self.texts: list[str] = list(texts) if texts else [""] * n
        self.half_lives = np.full(n, np.nan) if half_lives is None else np.asarray(half_lives, np.float64)
        self.version = 0
        self._moments: Moments | None = None

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """Length d of a vector."""
        return int(self.vectors.shape[1])

    def extend(
        self,
        vectors: FloatArray,
        published: DoubleArray | None = None,
        sources: IntArray | None = None,
        texts: Sequence[str] = (),
        half_lives: DoubleArray | None = None,
    ) -> None:
        """Append rows. Old rows keep their numbers; the whitening is refitted only after much growth."""
        more = Catalogue(vectors, published, sources, texts, half_lives)
        self.vectors = np.concatenate([self.vectors, more.vectors])
        self.published = np.concatenate([self.published, more.published])
        self.sources = np.concatenate([self.sources, more.sources])
        self.half_lives = np.concatenate([self.half_lives, more.half_lives])
        self.texts = self.texts + more.texts
        self._forget(more.vectors)

    def replace(self, rows: IntArray, vectors: FloatArray) -> None:
        """Put vectors in the place of others, as when an item's vector becomes known. (k,), (k, d)."""
        self.vectors = self.vectors.copy()
        self.vectors[rows] = unit(vectors)
        self._moments = None
        self._forget(self.vectors[:0])

    def _forget(self, added: FloatArray) -> None:
        """Drop what was computed for fewer rows."""
        for name in ("whitened", "white_norms", "words"):
            self.__dict__.pop(name, None)
        fitted = self.__dict__.get("_fitted_on", 0)
        if self._moments is not None:
            self._moments = self._moments + Moments.of(added)
        if self._moments is None or self._moments.count > _REFIT * fitted:
            self.__dict__.pop("whitening", None)
        self.version += 1

    @cached_property
    def whitening(self) -> Whitening:
        """The map under which the catalogue is a round cloud."""
        self._moments = self._moments or Moments.of(self.vectors)
        self._fitted_on = self._moments.count
        return Whitening.fit(self._moments)

    @cached_property
    def whitened(self) -> FloatArray:
        """Whitened unit rows, (n, d); a second matrix, so only for those who need the rows themselves."""
        return self.whitening.apply(self.vectors)

    @cached_property
    def white_norms(self) -> FloatArray:
        """Length of A (x - mean) for each row, (n,); infinite where the vector is unknown."""
        norms = np.empty(len(self), np.float32)
        for start in range(0, len(self), 8192):
            block = self.vectors[start : start + 8192]
            norms[start : start + 8192] = np.linalg.norm(
                (block - self.whitening.mean) @ self.whitening.root, axis=1
            )
        return np.where(np.any(self.vectors != 0, axis=1) & (norms > 0), norms, np.float32(np.inf))

    @cached_property
    def words(self) -> WordIndex:
        """The items as tf-idf rows."""
        return WordIndex(self.texts)

    def vector(self, event: Interaction) -> FloatArray:
        """Unit vector of what an event is about, (d,)."""
        return self.vectors[event.row] if event.row >= 0 or event.vector is None else unit(event.vector)

    def similarity(self, vector: FloatArray) -> FloatArray:
        """Cosine of all items to a unit vector, (n,)."""
        return self.vectors @ vector  # (n, d) @ (d,) -> (n,)

    def similarities(self, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Cosines of all items to a unit vector, plain and whitened, in one pass over the matrix; (n,), (n,).

        With z = unit(A (x - m)), z_i . z = ((x_i - m) . A A (x - m)) / (|A (x_i - m)| |A (x - m)|), so one
        product with two columns replaces a second matrix.
        """
        white = self.whitening
        centred = vector - white.mean
        probe = white.metric @ centred  # (d, d) @ (d,) -> (d,)
        length = float(np.sqrt(max(float(centred @ probe), 0.0)))
        if not length or not vector.any():
            return self.similarity(vector), np.zeros(len(self), np.float32)
        probe /= length
        both = self.vectors @ np.stack([vector, probe], axis=1)  # (n, d) @ (d, 2) -> (n, 2)
        return both[:, 0], (both[:, 1] - float(white.mean @ probe)) / self.white_norms
