"""Maths of vectors that engine and training share: unit rows, and the whitening that ranking looks through."""

from dataclasses import dataclass

import numpy as np

from llmrec.models import FloatArray

_FAINT, _VAST = 1e-15, 1e15
"""Lengths between which the squares of float32 neither vanish nor overflow."""


def unit(vectors: FloatArray) -> FloatArray:
    """Rows scaled to length 1; NaN and infinity count as zero, and a row of zeros stays one. (..., d) -> (..., d)."""
    rows = np.asarray(vectors, np.float32)
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    usual = (norms > _FAINT) & (norms < _VAST)
    if not usual.all():
        finite = np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0)
        largest = np.abs(finite).max(axis=-1, keepdims=True, initial=0)
        rows = np.where(usual, rows, finite / np.where(largest > 0, largest, 1))
        norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1), np.float32)


@dataclass(frozen=True, slots=True)
class Whitening:
    """The map x -> unit(A (x - mean)) under which the catalogue is a round cloud.

    A = C^-1/2 with the shrunk covariance C = (1 - r) S + r tr(S)/d I and r = d / (n + d): the posterior mean of
    the covariance after n items under a prior worth d round ones (inverse Wishart), so that few items are hardly
    whitened and many almost fully. A dot product with a whitened mean is Fisher's linear discriminant of
    "liked" against "catalogue" (Hariharan et al., ECCV 2012).
    """

    mean: FloatArray
    """(d,)"""
    root: FloatArray
    """A, (d, d), symmetric."""

    @classmethod
    def fit(cls, vectors: FloatArray) -> "Whitening":
        """Whitening of n unit rows (n, d); rows of zeros are unknown items and do not count."""
        known = vectors[np.any(vectors != 0, axis=1)]
        n, d = max(len(known), 1), vectors.shape[1]
        mean = known.sum(axis=0, dtype=np.float64) / n
        covariance = (known.T @ known).astype(np.float64) / n - np.outer(mean, mean)
        spread = max(float(np.trace(covariance)) / d, 1e-12)
        shrink = d / (n + d)
        values, basis = np.linalg.eigh((1 - shrink) * covariance + shrink * spread * np.eye(d))
        scale = 1 / np.sqrt(np.maximum(values, 1e-9 * spread))
        root = (basis * scale) @ basis.T
        return cls(mean.astype(np.float32), root.astype(np.float32))

    def apply(self, vectors: FloatArray) -> FloatArray:
        """Whitened unit rows; a row of zeros stays zero. (..., d) -> (..., d)."""
        known = np.any(vectors != 0, axis=-1, keepdims=True)
        centred = np.where(known, vectors - self.mean, 0).astype(np.float32)
        return unit(centred @ self.root)  # (n, d) @ (d, d) -> (n, d)
