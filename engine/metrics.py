"""Measures of a ranking: where the wanted items stand, and how sure a mean over users is."""

from dataclasses import dataclass

import numpy as np

from llmrec.engine.vectors import DoubleArray, RowArray
from llmrec.models import FloatArray

_DISCOUNT = 1 / np.log2(np.arange(2, 1002))
"""1 / log2(place + 1) for places 1 to 1000."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How well one list served one moment, each between 0 and 1."""

    ndcg: float
    """Discounted gain of the wanted items in the first ten, over the best possible."""
    hit: float
    """1 if a wanted item stands in the first ten."""
    mrr: float
    """One over the place of the best wanted item."""


def places(scores: FloatArray, wanted: RowArray, allowed: np.ndarray, tie: RowArray) -> RowArray:
    """Places (1 is best) of the wanted rows among the allowed ones, ascending.

    Args:
        scores: (n,) higher is better.
        wanted: (m,) rows, all allowed.
        allowed: (n,) bool.
        tie: (n,) a permutation that orders equal scores, so that no policy gains from the order of the file.
    """
    pool, pool_tie = scores[allowed], tie[allowed]
    found = np.empty(len(wanted), np.int64)
    for index, row in enumerate(wanted):
        score = scores[row]
        found[index] = 1 + np.count_nonzero(pool > score)
        if (equal := pool == score).sum() > 1:
            found[index] += np.count_nonzero(pool_tie[equal] < tie[row])
    return np.sort(found)


def quality(ranks: RowArray, k: int = 10) -> Quality:
    """nDCG, hit and MRR at k of wanted items at these places (1 is best); binary gains, ideal = min(k, wanted)."""
    if not len(ranks):
        return Quality(0.0, 0.0, 0.0)
    top = ranks[ranks <= k]
    ideal = float(_DISCOUNT[: min(k, len(ranks))].sum())
    return Quality(float(_DISCOUNT[top - 1].sum()) / ideal, float(len(top) > 0), 1.0 / float(ranks.min()))


def mean_interval(values: DoubleArray, rng: np.random.Generator, draws: int = 2000) -> tuple[float, float, float]:
    """Mean over users and its 95 % bootstrap interval (percentiles, Efron 1979). (u,) -> mean, low, high."""
    if not len(values):
        return 0.0, 0.0, 0.0
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)
