"""What speaks for an item before any likeness: how much is written about it, and when it appeared.

One private user has no crowd to ask what is popular. But people write more about what many know, and a user who
picks from one period, or picks only what is new, keeps doing so. Both are read off the catalogue itself.
"""

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.vectors import DoubleArray
from llmrec.models import FloatArray

LENGTH, DATE = 0, 1
PARTS = ("length", "date")
PRIORS = np.array([0.7, 0.3])
_BINS = 48
"""Periods of equally many items into which the catalogue's dates are cut."""
_WIDTH = 2.0
"""Periods over which one event spreads (standard deviation)."""
_LEAST_SPREAD = 0.35
"""Nats: a factor of 1.4 in length or in odds; a catalogue whose items differ less is told apart by other things."""
_DOUBT = 2.0
"""Events' worth of belief that the user's dates are those of the catalogue."""


def standardised(values: DoubleArray) -> FloatArray:
    """Values with mean 0 and deviation 1, or less where they hardly differ and so say little. (n,) -> (n,)."""
    if not len(values):
        return np.zeros(0, np.float32)
    return np.asarray((values - values.mean()) / max(float(values.std()), _LEAST_SPREAD), np.float32)


def written(texts: list[str]) -> FloatArray:
    """Logarithm of 1 + characters of each text, standardised, (n,)."""
    return standardised(np.log1p(np.array([len(text) for text in texts], np.float64)))


class Periods:
    """The catalogue's dates as B periods of equally many items."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Cut the known dates into periods."""
        known = np.isfinite(catalogue.published)
        self.period = np.full(len(catalogue), -1, np.int64)
        cuts = np.quantile(catalogue.published[known], np.arange(1, _BINS) / _BINS) if known.any() else []
        self.period[known] = np.searchsorted(cuts, catalogue.published[known], side="right")
        self.counts = counts = np.bincount(self.period[known], minlength=_BINS).astype(np.float64)
        steps = np.arange(_BINS)
        self._kernel = np.exp(-0.5 * ((steps[:, None] - steps) / _WIDTH) ** 2)
        self._kernel[:, counts == 0] = 0
        self._base = self._kernel.T @ counts
        self._base /= max(float(self._base.sum()), 1e-12)
        self.speak = np.count_nonzero(counts) > 1
        """Whether the dates tell items apart."""

    def log_odds(self, history: DoubleArray) -> FloatArray:
        """Standardised log p(period | user) / p(period | catalogue), 0 where the date is unknown. (B,) -> (n,).

        p(. | user) is a kernel density of the periods of the user's events with a pseudo-count of the catalogue's.
        """
        spread = self._kernel.T @ history
        total = float(history.sum())
        user = spread / max(float(spread.sum()), 1e-12)
        mixed = (total * user + _DOUBT * self._base) / (total + _DOUBT)
        ratio = np.where(self._base > 0, np.log(mixed / np.maximum(self._base, 1e-12) + 1e-12), 0)
        shares = self.counts / max(float(self.counts.sum()), 1.0)
        ratio -= shares @ ratio
        ratio /= max(float(np.sqrt(shares @ ratio**2)), _LEAST_SPREAD)
        return np.append(ratio, 0.0).astype(np.float32)[self.period]
