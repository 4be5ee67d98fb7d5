"""Words beside vectors: items as sparse tf-idf rows, and the similarity of one row to all.

This file alone turns item texts into words. The rows are kept in both directions (by item and by word), as
plain arrays, so that one event costs only the postings of its own words.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from llmrec.engine.vectors import DoubleArray
from llmrec.models import FloatArray

IndexArray = npt.NDArray[np.signedinteger[Any]]
SparseRows = tuple[IndexArray, IndexArray, FloatArray]
"""Rows of tf-idf: where each begins (n + 1,), and the terms and weights of all of them in turn."""

_WORD = re.compile(r"[^\W_]{2,}")
_MAX_WORDS = 400
"""Words read of one text; the rest of a long page changes little."""
_COMMON = 0.5
"""A word in more than this share of the items says nothing."""
_RARE = 2
"""A word must occur in so many items to join two of them."""
_MOST = 2**18
"""Words that are told apart at most in a catalogue of millions."""
_ABOUT = float(np.log(10))
"""Log of n / df from which on a word may be what an item is about."""
_SHORTEST = 4
"""Letters of such a word, at least."""
_ENTRIES = 20_000
"""Sparse entries multiplied at once, so that the work stays in the processor's cache."""


class WordIndex:
    """Unit-norm tf-idf rows of n texts in compressed sparse rows and columns.

    Row i has the entries (1 + log tf) * log(n / df), scaled to length 1 (Salton and Buckley, 1988).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        """Read n texts; costs one pass over them."""
        self.n = len(texts)
        vocabulary: dict[str, int] = {}
        rows, terms, counts = _count(texts, vocabulary, grow=True)
        df = np.bincount(terms, minlength=len(vocabulary))
        known = np.flatnonzero((df >= _RARE) & (df <= max(_RARE, _COMMON * self.n)))
        new_ids = np.full(len(vocabulary), -1)
        new_ids[known] = np.arange(len(known))
        self.vocabulary = {word: int(new_ids[old]) for word, old in vocabulary.items() if new_ids[old] >= 0}
        self._idf = np.log(max(self.n, 1) / df[known])
        keep = new_ids[terms] >= 0
        self._build(rows[keep], new_ids[terms[keep]], self._weigh(rows[keep], new_ids[terms[keep]], counts[keep]))

    @classmethod
    def counted(cls, found: Counter[str], n: int) -> "WordIndex":
        """The words of n texts, weighed as among all of them, but no rows; see `count_words`, `read` and `of`.

        Only the 2^18 words that most texts have, so that a vocabulary of millions needs no room.
        """
        if len(found) > _MOST:  # what stays, stays in the order in which it came, as in any index
            most = {word for word, _ in found.most_common(_MOST)}
            found = Counter({word: df for word, df in found.items() if word in most})
        known = [(word, df) for word, df in found.items() if _RARE <= df <= max(_RARE, _COMMON * n)]
        index = object.__new__(cls)
        index.vocabulary = {word: term for term, (word, _) in enumerate(known)}
        index._idf, index.n = np.log(max(n, 1) / np.array([df for _, df in known], np.float64)), 0
        nothing = np.empty(0, np.int64)
        index._build(nothing, nothing, np.empty(0, np.float32))
        return index

    def extended(self, texts: Sequence[str]) -> "WordIndex":
        """The same words and weights over more items; words not seen at first stay unknown."""
        twin = object.__new__(WordIndex)
        twin.vocabulary, twin._idf, twin.n = self.vocabulary, self._idf, self.n + len(texts)
        rows, terms, counts = _count(texts, self.vocabulary, grow=False)
        starts, old_terms, old_data = self._by_row
        old_rows = np.repeat(np.arange(self.n), np.diff(starts))
        data = np.concatenate([old_data, twin._weigh(rows, terms, counts)])
        twin._build(np.concatenate([old_rows, rows + self.n]), np.concatenate([old_terms, terms]), data)
        return twin

    def taken(self, rows: IndexArray) -> "WordIndex":
        """The given items alone, with the weights they have among all."""
        return self.of(taken_rows(self._by_row, rows))

    @property
    def rows(self) -> SparseRows:
        """The items as sparse rows."""
        return self._by_row

    def read(self, texts: Sequence[str]) -> SparseRows:
        """Other texts as rows in the same words and weights."""
        rows, terms, counts = _count(texts, self.vocabulary, grow=False)
        return _starts(rows, len(texts)), terms, self._weigh(rows, terms, counts)

    def of(self, rows: SparseRows, means: DoubleArray | None = None) -> "WordIndex":
        """The same words over other items.

        Args:
            rows: the items, as `read` gives them.
            means: (v,) mean weight of each word over the catalogue that they are a part of; None takes theirs.
        """
        twin = object.__new__(WordIndex)
        starts, terms, data = rows
        twin.vocabulary, twin._idf, twin.n = self.vocabulary, self._idf, len(starts) - 1
        twin._build(np.repeat(np.arange(twin.n), np.diff(starts)), terms, data)
        if means is not None:
            twin.__dict__["_means"] = means
        return twin

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The index as plain arrays, to be kept in a file."""
        starts, terms, data = self._by_row
        spelled = np.frombuffer("\n".join(self.vocabulary).encode(), np.uint8)
        return {"spelled": spelled, "idf": self._idf, "starts": starts, "terms": terms, "data": data}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "WordIndex":
        """The index that gave these arrays."""
        index = object.__new__(cls)
        spelled = arrays["spelled"].tobytes().decode()
        index.vocabulary = {word: term for term, word in enumerate(spelled.split("\n"))} if spelled else {}
        index._idf, index.n = arrays["idf"], len(arrays["starts"]) - 1
        rows = np.repeat(np.arange(index.n), np.diff(arrays["starts"]))
        index._build(rows, arrays["terms"], arrays["data"])
        return index

    def compact(self) -> tuple["WordIndex", IndexArray]:
        """The same rows in only those words that they have, and which words those are, (v',)."""
        starts, terms, data = self._by_row
        used, terms = np.unique(terms, return_inverse=True)
        twin = object.__new__(WordIndex)
        spelled = list(self.vocabulary)
        twin.vocabulary = {spelled[term]: place for place, term in enumerate(used)}
        twin._idf, twin.n = self._idf[used], self.n
        twin._by_row = starts, terms, data
        return twin, used

    def _weigh(self, rows: IndexArray, terms: IndexArray, counts: IndexArray) -> FloatArray:
        """Entries of tf-idf rows, each row scaled to length 1."""
        data = (1.0 + np.log(counts)) * self._idf[terms]
        norms = np.sqrt(np.bincount(rows, weights=data**2))
        return np.asarray(data / np.maximum(norms[rows], 1e-12), np.float32)

    def _build(self, rows: IndexArray, terms: IndexArray, data: FloatArray) -> None:
        self._by_row = (_starts(rows, self.n), terms, data)

    @cached_property
    def columns(self) -> SparseRows:
        """For each word, the items that have it and its weights there."""
        starts, terms, data = self._by_row
        order = _stable_order(terms)
        rows = np.repeat(np.arange(self.n), np.diff(starts))
        return _starts(terms[order], len(self.vocabulary)), rows[order], data[order]

    def row(self, row: int) -> tuple[IndexArray, FloatArray]:
        """Terms and weights of one item."""
        starts, terms, data = self._by_row
        part = slice(starts[row], starts[row + 1])
        return terms[part], data[part]

    def similarity(self, row: int) -> FloatArray:
        """Cosine of item `row` to all n items, (n,)."""
        return self.product(*self.row(row))

    def product(self, terms: IndexArray, weights: FloatArray) -> FloatArray:
        """Dot product of all n rows with one sparse vector of distinct terms, (n,)."""
        starts, rows, data = self.columns
        spans = [slice(starts[term], starts[term + 1]) for term in terms]
        if not spans:
            return np.zeros(self.n, np.float32)
        where = np.concatenate([rows[span] for span in spans])
        values = np.concatenate([data[span] * weight for span, weight in zip(spans, weights, strict=True)])
        return np.asarray(np.bincount(where, weights=values, minlength=self.n), np.float32)

    def mean_similarity(self, row: int) -> float:
        """Mean cosine of item `row` to all n items."""
        terms, data = self.row(row)
        return float(data @ self._means[terms]) if len(terms) else 0.0

    @cached_property
    def _means(self) -> DoubleArray:
        """Mean of each word's weights over all items, (v,)."""
        _, terms, data = self._by_row
        return np.bincount(terms, weights=data, minlength=len(self.vocabulary)) / max(self.n, 1)

    def telling(self, rows: Sequence[int], k: int) -> tuple[str, ...]:
        """The k words with the largest summed weight over some rows, heaviest first."""
        total: Counter[int] = Counter()
        for row in rows:
            total.update({int(term): float(weight) for term, weight in zip(*self.row(row), strict=True)})
        spelled = list(self.vocabulary)
        return tuple(spelled[term] for term, _ in total.most_common(k))

    def usual(self, most: int) -> list[str]:
        """Up to `most` words that an item may be about: of letters, and in most items short of a tenth of them."""
        spelled = list(self.vocabulary)
        by_use = (int(term) for term in np.argsort(self._idf, kind="stable"))
        found = (spelled[term] for term in by_use if self._idf[term] >= _ABOUT and len(spelled[term]) >= _SHORTEST)
        return list(islice(filter(str.isalpha, found), most))

    def times(self, dense: FloatArray) -> FloatArray:
        """The rows times a matrix with a row per word: (n, v) @ (v, k) -> (n, k)."""
        starts, terms, data = self._by_row
        return _segments(starts, terms, data, dense)

    def transposed_times(self, dense: FloatArray) -> FloatArray:
        """The rows as columns times a matrix with a row per item: (v, n) @ (n, k) -> (v, k)."""
        starts, rows, data = self.columns
        return _segments(starts, rows, data, dense)

    def between(self, a: int, b: int) -> float:
        """Cosine of two items."""
        terms_a, data_a = self.row(a)
        terms_b, data_b = self.row(b)
        _, in_a, in_b = np.intersect1d(terms_a, terms_b, assume_unique=True, return_indices=True)
        return float(data_a[in_a] @ data_b[in_b])


def count_words(found: Counter[str], texts: Iterable[str]) -> None:
    """Add to each word how many of some texts have it."""
    for text in texts:
        found.update(list(dict.fromkeys(_WORD.findall(text.lower())[:_MAX_WORDS])))


def taken_rows(source: SparseRows, rows: IndexArray) -> SparseRows:
    """Some rows of sparse rows; only what is taken is read."""
    starts, terms, data = source
    counts = starts[rows + 1] - starts[rows]
    begins = np.concatenate([[0], np.cumsum(counts)])
    entries = np.repeat(starts[rows] - begins[:-1], counts) + np.arange(begins[-1])
    return begins, np.asarray(terms[entries], np.int64), np.asarray(data[entries])


def joined_rows(parts: Sequence[SparseRows]) -> SparseRows:
    """Sparse rows one after the other."""
    lengths = np.concatenate([np.diff(starts) for starts, _, _ in parts])
    begins = np.concatenate([[0], np.cumsum(lengths)])
    return begins, np.concatenate([terms for _, terms, _ in parts]), np.concatenate([data for _, _, data in parts])


def _stable_order(ids: IndexArray) -> IndexArray:
    """Places of small whole numbers in their order; packed with their places, because numpy sorts numbers fastest."""
    packed = (ids << 32) | np.arange(len(ids))
    packed.sort()
    return packed & 0xFFFFFFFF


def _count(
    texts: Iterable[str], vocabulary: dict[str, int], *, grow: bool
) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Triples (row, term, count), ordered by row; `grow` takes up new words."""
    triples: list[tuple[int, int, int]] = []
    for row, text in enumerate(texts):
        for word, count in Counter(_WORD.findall(text.lower())[:_MAX_WORDS]).items():
            term = vocabulary.setdefault(word, len(vocabulary)) if grow else vocabulary.get(word, -1)
            if term >= 0:
                triples.append((row, term, count))
    columns = np.array(triples, np.int64).reshape(len(triples), 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]


def _starts(sorted_ids: IndexArray, size: int) -> IndexArray:
    """Where each id begins in a sorted list; (size + 1,)."""
    return np.concatenate([[0], np.cumsum(np.bincount(sorted_ids, minlength=size))])


def _segments(starts: IndexArray, columns: IndexArray, data: FloatArray, dense: FloatArray) -> FloatArray:
    """Sparse rows times a dense matrix, a few thousand entries at a time."""
    n = len(starts) - 1
    result = np.zeros((n, dense.shape[1]), np.float32)
    first = 0
    while first < n:
        last = int(np.searchsorted(starts, starts[first] + _ENTRIES, "right")) - 1
        last = min(n, max(last, first + 1))
        span = slice(starts[first], starts[last])
        filled = first + np.flatnonzero(np.diff(starts[first : last + 1]))
        if len(filled):
            entries = data[span, None] * dense[columns[span]]
            result[filled] = np.add.reduceat(entries, starts[filled] - starts[first], axis=0)
        first = last
    return result
