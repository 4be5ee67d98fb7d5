"""What speaks for an item before any likeness: how much is written about it, and when it appeared.

One private user has no crowd to ask what is popular. But people write more about what many know; a user who picks
from one period, or only what is new, keeps doing so; and news is stale tomorrow where a course is good for years.
All three are read off the catalogue itself.
"""

import numpy as np

from llmrec.engine.catalogue import PERIODS, Catalogue
from llmrec.engine.vectors import DoubleArray
from llmrec.models import FloatArray

PARTS = ("length", "date", "fresh")
"""Their names in explanations."""
_WIDTH = 2.0
"""Periods over which one event spreads (standard deviation)."""
_LEAST_SPREAD = 0.35
"""Nats: a factor of 1.4 in length or in odds; a catalogue whose items differ less is told apart by other things."""
_LEAST_FRESHNESS = 0.2
"""The least deviation of freshness (0 to 1) that is stretched to 1."""
_DOUBT = 2.0
"""Events' worth of belief that the user's dates are those of the catalogue."""


def standardised(values: DoubleArray, sample: DoubleArray | None = None, least: float = _LEAST_SPREAD) -> FloatArray:
    """Values with mean 0 and deviation 1 over a sample (None: themselves), or less where that hardly differs."""
    sample = values if sample is None else sample
    if not len(sample):
        return np.zeros(len(values), np.float32)
    return np.asarray((values - sample.mean()) / max(float(sample.std()), least), np.float32)


def written(catalogue: Catalogue) -> FloatArray:
    """Logarithm of 1 + characters of each text, standardised, (n,)."""
    lengths = np.log1p(catalogue.lengths)
    return standardised(lengths, lengths[: catalogue.sample])


class Periods:
    """The catalogue's dates as B periods of equally many items."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Cut the known dates into periods."""
        known = np.isfinite(catalogue.published)
        self.period = np.full(len(catalogue), -1, np.int64)
        self.period[known] = np.searchsorted(catalogue.cuts, catalogue.published[known], side="right")
        self.counts = counts = catalogue.period_counts
        steps = np.arange(PERIODS)
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


class Freshness:
    """How fresh each item is at a moment: f = 2^(-age / h), h its own half-life (`half_life`).

    A source that posts once a month should not vanish under one that posts hourly, so h is at least the mean time
    between two posts of the item's source.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        """Half-lives are read when asked, because a user may correct them at any time."""
        self._catalogue = catalogue
        self._last: tuple[float, DoubleArray, FloatArray] | None = None

    def at(self, now: float) -> FloatArray:
        """Freshness f standardised over the items, 0 where nothing is known; steps once a minute. (n,)."""
        minute, half_lives = now // 60 * 60, self._catalogue.half_lives
        if self._last is None or self._last[0] != minute or not np.array_equal(self._last[1], half_lives, True):
            self._last = minute, half_lives.copy(), self._computed(minute)
        return self._last[2]

    def _computed(self, now: float) -> FloatArray:
        half_lives, published = self._catalogue.half_lives, self._catalogue.published
        known = np.flatnonzero(np.isfinite(half_lives) & np.isfinite(published))
        fresh = np.zeros(len(self._catalogue), np.float32)
        if len(known):
            age = np.maximum(now - published[known], 0)
            f = np.exp2(-np.minimum(age / np.maximum(half_lives[known], self._catalogue.gaps[known]), 100))
            fresh[known] = standardised(f, f[known < self._catalogue.sample], _LEAST_FRESHNESS)
        return fresh
