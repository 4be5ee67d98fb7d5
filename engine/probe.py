"""A linear probe: the probability that a text will still be useful in a year, read off its vector.

An encoder has this in its vectors, though nobody asked for it: one direction in them parts news, offers and notices
from what lasts. It is found by regularised logistic regression on a few hundred examples (`probe_examples`), for each
encoder anew, and costs one product with the catalogue. Probes: Alain and Bengio, 2016,
https://arxiv.org/abs/1610.01644.
"""

import json
import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from llmrec.engine.vectors import DoubleArray
from llmrec.models import FloatArray

TRUSTED = 0.75
"""Share of right answers on the examples kept for the check from which on a probe is believed."""
_RIDGE = 0.5
"""Weight of |w|^2 / 2 beside the sum of log-losses; from .3 to 3 hardly anything changes but how sure it is."""
_STEPS = 30
_ENOUGH = 1e-6
"""Largest change of a weight after which Newton's method has arrived."""
_FAR = 30.0
"""Log-odds beyond which a probability is 0 or 1."""


@dataclass(frozen=True, slots=True)
class Probe:
    """P(yes | v) = 1 / (1 + exp(-(v . w + b)))."""

    weight: DoubleArray
    """w, (d,)."""
    bias: float
    """b."""

    def probabilities(self, vectors: FloatArray) -> FloatArray:
        """P(yes) of unit vectors (n, d), (n,); nan for a row of zeros, which stands for no vector."""
        odds = vectors @ self.weight.astype(np.float32)  # (n, d) @ (d,) -> (n,)
        p = 1 / (1 + np.exp(-np.clip(odds + np.float32(self.bias), -_FAR, _FAR)))
        return np.where(np.any(vectors != 0, axis=1), p, np.float32(np.nan)).astype(np.float32)

    def dumps(self) -> str:
        """As text, to be kept."""
        return json.dumps([*np.round(self.weight, 5).tolist(), round(self.bias, 5)])

    @classmethod
    def loads(cls, text: str, dim: int) -> Self | None:
        """What `dumps` gave for vectors of length `dim`; None for anything else."""
        try:
            numbers = np.array(json.loads(text), np.float64)
        except (ValueError, TypeError, RecursionError):
            return None
        if numbers.shape != (dim + 1,) or not np.isfinite(numbers).all():
            return None
        return cls(numbers[:-1], float(numbers[-1]))


def fit(vectors: FloatArray, yes: npt.NDArray[np.bool_]) -> Probe:
    """Weights of the least penalised log-loss, by Newton's method (Hastie et al., 2009, section 4.4.1).

    Args:
        vectors: (m, d) unit rows.
        yes: (m,) the answers.
    """
    middle = vectors.mean(axis=0, dtype=np.float64)  # (d,)
    x = np.column_stack([vectors - middle, np.ones(len(vectors))])  # (m, d + 1)
    penalty = np.append(np.full(vectors.shape[1], _RIDGE), 1e-6)  # (d + 1,)
    w = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -_FAR, _FAR)))  # (m,)
        gradient = x.T @ (yes - p) - penalty * w  # (d + 1,)
        curvature = (x.T * (p * (1 - p))) @ x + np.diag(penalty)  # (d + 1, d + 1)
        step = np.linalg.solve(curvature, gradient)
        w += step
        if np.abs(step).max() < _ENOUGH:
            break
    return Probe(w[:-1], float(w[-1] - w[:-1] @ middle))


def trusted(vectors: FloatArray, yes: npt.NDArray[np.bool_], check: npt.NDArray[np.bool_]) -> Probe | None:
    """The probe of all examples, or None where one of the others gets too many of those for the check wrong.

    Args:
        vectors: (m, d) unit rows.
        yes: (m,) the answers.
        check: (m,) which are kept for the check.
    """
    tried = fit(vectors[~check], yes[~check]).probabilities(vectors[check])
    right = float(np.mean((tried > 0.5) == yes[check]))  # a nan counts as no
    return fit(vectors, yes) if math.isfinite(right) and right >= TRUSTED else None


def read_off(probe: Probe | None, vectors: FloatArray) -> FloatArray:
    """P(yes) of unit vectors (n, d), (n,); nan without a probe and for rows of zeros."""
    return probe.probabilities(vectors) if probe is not None else np.full(len(vectors), np.nan, np.float32)
