"""Words beside vectors: items as sparse tf-idf rows, and the similarity of one row to all.

This file alone turns item texts into words. The rows are kept in both directions (by item and by word), as
plain arrays, so that one event costs only the postings of its own words.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from llmrec.models import FloatArray

IndexArray = npt.NDArray[np.int64]

_WORD = re.compile(r"[^\W_]{2,}")
_MAX_WORDS = 400
"""Words read of one text; the rest of a long page changes little."""
_COMMON = 0.5
"""A word in more than this share of the items says nothing."""
_RARE = 2
"""A word must occur in so many items to join two of them."""


class WordIndex:
    """Unit-norm tf-idf rows of n texts in compressed sparse rows and columns.

    Row i has the entries (1 + log tf) * log(n / df), scaled to length 1 (Salton and Buckley, 1988).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        """Read n texts; costs one pass over them."""
        self.n = len(texts)
        self.vocabulary: dict[str, int] = {}
        rows, terms, counts = self._count(texts)
        self._build(rows, terms, counts)

    def _count(self, texts: Iterable[str]) -> tuple[IndexArray, IndexArray, IndexArray]:
        """Triples (row, term, count), ordered by row."""
        rows: list[int] = []
        terms: list[int] = []
        counts: list[int] = []
        for row, text in enumerate(texts):
            for word, count in Counter(_WORD.findall(text.lower())[:_MAX_WORDS]).items():
                rows.append(row)
                terms.append(self.vocabulary.setdefault(word, len(self.vocabulary)))
                counts.append(count)
        return np.array(rows, np.int64), np.array(terms, np.int64), np.array(counts, np.int64)

    def _build(self, rows: IndexArray, terms: IndexArray, counts: IndexArray) -> None:
        size = len(self.vocabulary)
        df = np.bincount(terms, minlength=size)
        keep = (df[terms] >= _RARE) & (df[terms] <= max(_RARE, _COMMON * self.n))
        rows, terms, counts = rows[keep], terms[keep], counts[keep]
        idf = np.log(max(self.n, 1) / np.maximum(df, 1))
        data = (1.0 + np.log(counts)) * idf[terms]
        norms = np.sqrt(np.bincount(rows, weights=data**2, minlength=self.n))
        data = (data / np.maximum(norms[rows], 1e-12)).astype(np.float32)
        self._by_row = (_starts(rows, self.n), terms, data)
        order = np.argsort(terms, kind="stable")
        self._by_term = (_starts(terms[order], size), rows[order], data[order])

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
        starts, rows, data = self._by_term
        spans = [slice(starts[term], starts[term + 1]) for term in terms]
        if not spans:
            return np.zeros(self.n, np.float32)
        where = np.concatenate([rows[span] for span in spans])
        values = np.concatenate([data[span] * weight for span, weight in zip(spans, weights, strict=True)])
        return np.asarray(np.bincount(where, weights=values, minlength=self.n), np.float32)

    def between(self, a: int, b: int) -> float:
        """Cosine of two items."""
        terms_a, data_a = self.row(a)
        terms_b, data_b = self.row(b)
        _, in_a, in_b = np.intersect1d(terms_a, terms_b, assume_unique=True, return_indices=True)
        return float(data_a[in_a] @ data_b[in_b])


def _starts(sorted_ids: IndexArray, size: int) -> IndexArray:
    """Where each id begins in a sorted list; (size + 1,)."""
    return np.concatenate([[0], np.cumsum(np.bincount(sorted_ids, minlength=size))])
