"""Pure vector maths that several parts of the engine share: unit rows and whitening from the models, and top k."""

import numpy as np
import numpy.typing as npt

from llmrec.models import FloatArray
from llmrec.models.vectors import Whitening, unit

__all__ = ["DoubleArray", "RowArray", "Whitening", "top_k", "unit"]

DoubleArray = npt.NDArray[np.float64]
RowArray = npt.NDArray[np.int64]


def top_k(scores: FloatArray, k: int) -> RowArray:
    """Rows of the best k of n scores, highest first; equal scores in row order. (n,) -> (min(k, n),)."""
    k = max(0, min(k, len(scores)))
    if k == 0:
        return np.empty(0, np.int64)
    if k < len(scores):
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        candidates = np.flatnonzero(scores >= threshold)
    else:
        candidates = np.arange(len(scores))
    return candidates[np.argsort(-scores[candidates], kind="stable")][:k]
