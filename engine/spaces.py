"""One space for meaning and words together, and how far apart items lie in it.

The default policy compares items here. This file alone fits the space.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llmrec.engine.words import WordIndex
from llmrec.models import FloatArray

_TOPICS = 256
"""Leading components of the words that join the vector (latent semantic analysis, Deerwester et al., 1990)."""
_SAMPLE = 20_000
"""Items the space is fitted on; more do not make it better."""
_BLOCK = 8_192
_PLAIN_AXES = 64
"""Leading axes of the plain likeness; the others hold little of what varies."""
_FEW = 4
"""Points up to which vector products beat one matrix product (measured with OpenBLAS)."""


@dataclass(frozen=True, slots=True)
class JointSpace:
    """Items as p = B' ([x, T' w] - m): vector x and words w on the leading axes of the catalogue.

    T holds the leading word topics, m the mean and B the d leading principal axes, so that one product with the
    catalogue costs as much as with the vectors alone. Two likenesses are read off the same rows:

    - plain: the cosine of p and q on the leading axes, which keeps what the catalogue varies in most;
    - white: the cosine of S^-1/2 p and S^-1/2 q with the shrunk variances S = (1 - r) L + r mean(L), where
      r = D / (n + D) for D dimensions before the cut. It discounts what all items share, as in `Whitening`.
    """

    topics: FloatArray
    """T, (v, t)."""
    mean: FloatArray
    """m, (d + t,)."""
    axes: FloatArray
    """B, (d + t, k)."""
    variance: FloatArray
    """Diagonal of S, (k,)."""

    @classmethod
    def fit(cls, vectors: FloatArray, words: WordIndex) -> "JointSpace":
        """The space of n items; k = min(d, n) axes."""
        if len(vectors) > _SAMPLE:
            rows = np.linspace(0, len(vectors) - 1, _SAMPLE).astype(np.int64)
            vectors, words = vectors[rows], words.taken(rows)
        topics = leading_topics(words, _TOPICS)
        joint = np.concatenate([vectors, words.times(topics)], axis=1)
        n, size = joint.shape
        mean = joint.mean(axis=0) if n else np.zeros(size, np.float32)
        centred = joint - mean
        values, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64) / max(n, 1))
        k = max(1, min(vectors.shape[1], n))
        shrink = size / (n + size)
        shrunk = (1 - shrink) * np.maximum(values, 0) + shrink * max(float(values.mean()), 1e-12)
        top = np.argsort(-values)[:k]
        return cls(topics, mean, axes[:, top].astype(np.float32), shrunk[top].astype(np.float32))

    def project(self, vectors: FloatArray, words: FloatArray | None = None) -> FloatArray:
        """Rows p of items; without words (as topics), those of the average item stand in. (m, d) -> (m, k)."""
        d = vectors.shape[1]
        centred = vectors - self.mean[:d]
        if words is None:
            return np.asarray(centred @ self.axes[:d], np.float32)  # (m, d) @ (d, k) -> (m, k)
        both = centred @ self.axes[:d] + (words - self.mean[d:]) @ self.axes[d:]
        return np.asarray(both, np.float32)


class JointRows:
    """The n items of a catalogue in a joint space, with their two lengths."""

    def __init__(self, space: JointSpace) -> None:
        """Hold no items yet."""
        self.space = space
        self.rows: FloatArray = np.empty((0, space.axes.shape[1]), np.float32)
        self.inverse_lengths: FloatArray = np.empty((2, 0), np.float32)
        self._precision = (1 / space.variance).astype(np.float32)

    def extended(self, vectors: FloatArray, words: WordIndex) -> "JointRows":
        """These rows and those of the items after them; `vectors` and `words` are of all n items.

        Items without a vector lie in the middle and resemble nothing.
        """
        twin = JointRows(self.space)
        old, n = len(self.rows), len(vectors)
        twin.rows = np.empty((n, self.rows.shape[1]), np.float32)
        twin.inverse_lengths = np.empty((2, n), np.float32)
        twin.rows[:old], twin.inverse_lengths[:, :old] = self.rows, self.inverse_lengths
        for start in range(old, n, _BLOCK):
            part = np.arange(start, min(start + _BLOCK, n))
            topics = words.taken(part).times(self.space.topics)
            known = np.any(vectors[part] != 0, axis=1)
            twin.rows[part] = self.space.project(vectors[part], topics) * known[:, None]
            twin.inverse_lengths[:, part] = self._inverse(twin.rows[part])
        return twin

    @cached_property
    def middle(self) -> FloatArray:
        """Mean of the rows scaled to each of their two lengths, (2, k)."""
        return np.asarray(self.inverse_lengths @ self.rows / max(len(self.rows), 1), np.float32)

    @classmethod
    def of(cls, space: JointSpace, rows: FloatArray, middle: FloatArray | None = None) -> "JointRows":
        """Items whose rows p (n, k) are known already.

        Args:
            space: theirs.
            rows: p of each item; zeros where it has no vector.
            middle: (2, k) of the catalogue that they are a part of; None takes theirs.
        """
        found = cls(space)
        found.rows, found.inverse_lengths = rows, found._inverse(rows)
        if middle is not None:
            found.__dict__["middle"] = middle
        return found

    def joined(self, rows: FloatArray) -> "JointRows":
        """These rows and others after them; the mean stays that of these."""
        twin = JointRows(self.space)
        twin.rows = np.concatenate([self.rows, rows])
        twin.inverse_lengths = np.concatenate([self.inverse_lengths, self._inverse(rows)], axis=1)
        twin.__dict__["middle"] = self.middle
        return twin

    def _inverse(self, rows: FloatArray) -> FloatArray:
        """One over the white and the plain length of rows p, 0 where there is none. (m, k) -> (2, m)."""
        square = rows**2
        lengths = np.sqrt(np.stack([square @ self._precision, square[:, :_PLAIN_AXES].sum(axis=1)]))
        return np.asarray(np.where(lengths > 1e-6, 1 / np.maximum(lengths, 1e-6), 0), np.float32)

    def probes(self, points: FloatArray) -> FloatArray:
        """Queries for points p: a white and a plain column for each. (m, k) -> (2, m, k)."""
        both = np.stack([points * self._precision, points])
        both[1, :, _PLAIN_AXES:] = 0
        lengths = np.sqrt(np.einsum("cmk,mk->cm", both, points))
        both /= np.where(lengths > 1e-6, lengths, np.inf)[:, :, None]
        return both

    def likeness(self, probes: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """White and plain cosine of all items to m points. (2, m, k) -> (2, m, n)."""
        m, n = probes.shape[1], len(self.rows)
        result = np.empty((2, m, n), np.float32) if out is None else out
        for space, rows in enumerate((self.rows, self._leading)):
            points = probes[space, :, : rows.shape[1]]
            if m > _FEW:
                np.matmul(points, rows.T, out=result[space])  # (m, k) @ (k, n) -> (m, n)
            else:
                for point, row in zip(points, result[space], strict=True):
                    np.dot(rows, point, out=row)  # (n, k) @ (k,) -> (n,)
        result *= self.inverse_lengths[:, None, :]
        return result

    @cached_property
    def _leading(self) -> FloatArray:
        """The rows on the axes of the plain likeness, (n, p); apart, so that reading them does not read all axes."""
        return np.ascontiguousarray(self.rows[:, :_PLAIN_AXES])


def leading_topics(words: WordIndex, count: int, rounds: int = 3) -> FloatArray:
    """Leading right singular vectors of the tf-idf rows, (v, t), by subspace iteration (Halko et al., 2011).

    The start is fixed, so that the same catalogue always gives the same space.
    """
    topics = np.zeros((len(words.vocabulary), count), np.float32)
    words, used = words.compact()  # a sample of the items does not have all words
    v = len(used)
    count = min(count, v, words.n)
    if not count:
        return topics[:, :0]
    start = np.random.default_rng(0).standard_normal((v, min(v, count + 16)))
    basis = start.astype(np.float32)
    for _ in range(rounds):
        basis = words.transposed_times(words.times(_orthonormal(basis)))
    basis = _orthonormal(basis)
    image = words.times(basis)
    values, turn = np.linalg.eigh((image.T @ image).astype(np.float64))
    topics[used, :count] = basis @ turn[:, np.argsort(-values)[:count]]
    return topics[:, :count]


def _orthonormal(columns: FloatArray) -> FloatArray:
    """Columns turned and scaled to be orthonormal; much faster than QR for tall matrices. (v, t) -> (v, t)."""
    values, turn = np.linalg.eigh((columns.T @ columns).astype(np.float64))
    scale = np.where(values > 1e-6 * values[-1], 1 / np.sqrt(np.maximum(values, 1e-30)), 0)
    return np.asarray(columns @ (turn * scale), np.float32)
