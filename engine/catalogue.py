"""The items as numbers: what every ranking policy sees of the catalogue, in one encoder's space.

Alone decides which spaces exist (meaning, whitened meaning, words) and how they grow with the catalogue.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from llmrec.engine.index import ExactIndex, VectorIndex
from llmrec.engine.records import IntArray, Interaction
from llmrec.engine.spaces import JointRows, JointSpace
from llmrec.engine.vectors import DoubleArray, RowArray, Whitening, unit
from llmrec.engine.words import WordIndex
from llmrec.models import FloatArray

_MEANT = 5
"""Items that stand for a typed phrase."""
PERIODS = 48
"""Periods of equally many items into which the dates are cut."""
_LONGEST_GAP = 60 * 86_400.0
"""Seconds that an item stays fresh at most because its source has not posted since."""
REFIT = 1.25
"""Whitening, words and spaces are fitted again when the catalogue has grown by this factor."""


class Catalogue:
    """n items as unit vectors, words, dates and sources; rows are only ever appended.

    Attributes:
        vectors: (n, d) float32 unit rows; a row of zeros is an item whose vector is not known yet.
        published: (n,) Unix seconds, NaN where unknown.
        sources: (n,) codes of the items' sources.
        texts: n texts (title, text and tags) for the words.
        lengths: (n,) characters of each text.
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
        self.lengths = np.fromiter(map(len, self.texts), np.int64, n)
        self.half_lives = np.full(n, np.nan) if half_lives is None else np.asarray(half_lives, np.float64)
        self.version = 0
        self._fitted = 0

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """Length d of a vector."""
        return int(self.vectors.shape[1])

    @property
    def sample(self) -> int:
        """How many of the first rows stand for all items in means and deviations; here each for itself."""
        return len(self)

    @property
    def stands_for(self) -> float:
        """Items of the whole catalogue for each row of the sample."""
        return 1.0

    @cached_property
    def gaps(self) -> DoubleArray:
        """Mean seconds between two posts of each item's source, at most 60 days; 0 for a single post. (n,)."""
        return _gaps(self.published, self.sources)

    @cached_property
    def cuts(self) -> DoubleArray:
        """Dates between the periods, PERIODS - 1 of them; none where no date is known."""
        known = self.published[np.isfinite(self.published)]
        return np.asarray(np.quantile(known, np.arange(1, PERIODS) / PERIODS) if len(known) else [], np.float64)

    @cached_property
    def period_counts(self) -> DoubleArray:
        """Items in each period, (PERIODS,)."""
        known = self.published[np.isfinite(self.published)]
        periods = np.searchsorted(self.cuts, known, side="right")
        return np.bincount(periods, minlength=PERIODS).astype(np.float64)

    def fit(self) -> None:
        """Compute now what ranking would compute at the first event."""
        _ = self.joint, self.words.columns

    def telling(self, rows: Sequence[int], k: int) -> tuple[str, ...]:
        """The k words that say most of some items, the first most of all."""
        return self.words.telling(rows, k)

    def usual_words(self, most: int) -> list[str]:
        """Up to `most` words that its items may be about."""
        return self.words.usual(most)

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
        self.lengths = np.concatenate([self.lengths, more.lengths])
        words, joint = self.__dict__.get("words"), self.__dict__.get("joint")
        self._forget(refit=len(self) > REFIT * self._fitted)
        if words is not None and self._fitted:
            self.__dict__["words"] = words.extended(more.texts)
            if joint is not None:
                self.__dict__["joint"] = joint.extended(self.vectors, self.words)

    def replace(self, rows: IntArray, vectors: FloatArray) -> None:
        """Put vectors in the place of others, as when an item's vector becomes known. (k,), (k, d)."""
        self.vectors = self.vectors.copy()
        self.vectors[rows] = unit(vectors)
        self._forget(refit=True)

    def _forget(self, *, refit: bool) -> None:
        """Drop what was computed for other rows; `refit` also drops the maps fitted to them."""
        self.version += 1
        dated = ("gaps", "cuts", "period_counts")
        for name in ("whitened", "words", "joint", "index", *dated, *(("whitening",) if refit else ())):
            self.__dict__.pop(name, None)
        if refit:
            self._fitted = 0

    @cached_property
    def whitening(self) -> Whitening:
        """The map under which the catalogue is a round cloud."""
        self._fitted = self._fitted or len(self)
        return Whitening.fit(self.vectors[: self.sample])

    @cached_property
    def whitened(self) -> FloatArray:
        """Whitened unit rows, (n, d); a second matrix, so only for those who need the rows themselves."""
        return self.whitening.apply(self.vectors)

    @cached_property
    def words(self) -> WordIndex:
        """The items as tf-idf rows."""
        self._fitted = self._fitted or len(self)
        return WordIndex(self.texts)

    @cached_property
    def joint(self) -> JointRows:
        """The items in one space of meaning and words."""
        return JointRows(JointSpace.fit(self.vectors, self.words)).extended(self.vectors, self.words)

    @property
    def fitted(self) -> tuple[WordIndex, JointRows] | None:
        """Words and joint space, if both have been computed."""
        words, joint = self.__dict__.get("words"), self.__dict__.get("joint")
        return (words, joint) if words is not None and joint is not None else None

    def adopt(self, words: WordIndex, joint: JointRows) -> None:
        """Take words and joint space that were computed earlier for exactly these items."""
        self._fitted = len(self)
        self.__dict__.update(words=words, joint=joint)

    @cached_property
    def index(self) -> VectorIndex:
        """Exact search; see `adopt_index`."""
        return ExactIndex(self.vectors)

    def adopt_index(self, index: VectorIndex) -> None:
        """Search in an index that was built earlier for exactly these vectors."""
        self.__dict__["index"] = index

    def nearest(self, vector: FloatArray, k: int) -> tuple[RowArray, FloatArray]:
        """The k items most alike to a vector and their cosines, highest first. (d,) -> (k,), (k,)."""
        return self.index.search(unit(vector), k)

    def meant(self, phrase: FloatArray) -> FloatArray:
        """The unit vector (d,) of a typed phrase, moved half way to the items it is about.

        A few words lie apart from all longer texts, whatever they are about (pseudo-relevance feedback: Rocchio, 1971).
        """
        rows, cosines = self.nearest(phrase, _MEANT)
        weights = np.maximum(cosines, 0) ** 2  # what is hardly alike hardly counts
        near = weights @ self.vectors[rows]  # (5,) @ (5, d) -> (d,)
        return unit(unit(phrase) + unit(near))

    def vector(self, event: Interaction) -> FloatArray:
        """Unit vector of what an event is about, (d,)."""
        return self.vectors[event.row] if event.row >= 0 or event.vector is None else unit(event.vector)

    def similarity(self, vector: FloatArray) -> FloatArray:
        """Cosine of all items to a unit vector, (n,)."""
        return self.vectors @ vector  # (n, d) @ (d,) -> (n,)


def _gaps(published: DoubleArray, sources: IntArray) -> DoubleArray:
    """Mean seconds between two posts of each item's source; see `Catalogue.gaps`. (n,), (n,) -> (n,)."""
    known = np.isfinite(published)
    codes = sources[known]
    size = int(sources.max(initial=-1)) + 1
    count = np.bincount(codes, minlength=size)
    first, last = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(first, codes, published[known])
    np.maximum.at(last, codes, published[known])
    spans = np.where(count > 1, last - first, 0)
    return np.asarray(np.minimum(spans / np.maximum(count - 1, 1), _LONGEST_GAP)[sources])
