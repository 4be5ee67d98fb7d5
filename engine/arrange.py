"""From the order by score to the list on the screen: near-duplicates folded, variety, and two slots to explore.

Works on the top of an ordered list only; evaluation measures the scores before this.
"""

from dataclasses import dataclass

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.records import IntArray
from llmrec.engine.vectors import DoubleArray
from llmrec.models import FloatArray

_TOP = 40
"""Places that are folded and varied: about two screens."""
_POOL = 200
"""Places from which the exploration slots draw."""
_SAME = 0.97
"""Cosine from which two items are the same story told twice."""
_SAME_DAYS = 0.87
"""The same where both appeared within two days; the sample feed's three pairs lie at .88 to .98, the next at .84."""
_TWO_DAYS = 2 * 86_400.0
_VARIETY = 0.7
"""Maximal marginal relevance: share of the score against the likeness to what stands above."""
EXPLORE_SLOTS = (4, 9)
"""Places (1 is best) that explore."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """An ordered list of rows."""

    rows: IntArray
    """(m,) rows, best first."""
    scores: FloatArray
    """(m,) in the same order."""
    folded: dict[int, tuple[int, ...]]
    """Rows hidden behind a row as near-duplicates of it."""
    explore: tuple[int, ...]
    """Rows that stand where they stand in order to learn."""


def arrange(rows: IntArray, scores: FloatArray, catalogue: Catalogue, noise: DoubleArray | None) -> Arrangement:
    """Fold near-duplicates, spread likes apart, and fill the exploration slots.

    Args:
        rows: (m,) rows in the order of their scores.
        scores: (m,) in the same order.
        catalogue: for the likeness of two items.
        noise: (n,) a standard normal draw for each item of the catalogue, the same all day so that the slots do not
            flicker from press to press; None for no exploration.
    """
    top = rows[:_TOP]
    vectors = catalogue.vectors[top]
    likeness = vectors @ vectors.T  # (t, d) @ (d, t) -> (t, t)
    heads, folded = _fold(likeness, catalogue.published[top])
    order = [*_spread(scores[: len(top)], likeness, heads), *range(_TOP, min(len(rows), _POOL))]
    explored: list[int] = []
    if noise is not None:
        order, explored = _explore(order, rows[:_POOL], scores[:_POOL], catalogue, noise)
    return Arrangement(  # only the first places change, so only they are touched
        np.concatenate([rows[order], rows[_POOL:]]),
        np.concatenate([scores[order], scores[_POOL:]]),
        {int(top[head]): tuple(int(top[i]) for i in group) for head, group in folded.items()},
        tuple(int(rows[place]) for place in explored),
    )


def _fold(likeness: FloatArray, published: DoubleArray) -> tuple[list[int], dict[int, list[int]]]:
    """The best of each group of near-duplicates, and those hidden behind it; places in the top."""
    near_in_time = np.abs(published[:, None] - published) < _TWO_DAYS
    same = (likeness >= _SAME) | ((likeness >= _SAME_DAYS) & near_in_time)
    twins = np.tril(same, -1)  # each with those that stand above it
    if not twins.any():
        return list(range(len(likeness))), {}
    heads: list[int] = []
    folded: dict[int, list[int]] = {}
    for place in range(len(likeness)):
        head = next((h for h in heads if twins[place, h]), None)
        if head is None:
            heads.append(place)
        else:
            folded.setdefault(head, []).append(place)
    return heads, folded


def _spread(scores: FloatArray, likeness: FloatArray, heads: list[int]) -> list[int]:
    """Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).

    Each place goes to the item with the largest v s(c) - (1 - v) max_above c . a, where s is the score scaled to 0..1
    and the likeness is measured against what is usual in this list, so that a narrow list keeps its order.
    """
    if len(heads) < 3:
        return heads
    left = np.array(heads)
    part = scores[left].astype(np.float64)
    value = (part - part.min()) / max(float(np.ptp(part)), 1e-12)
    among = likeness[np.ix_(left, left)]
    low, high = np.median(among), (among - 2 * np.eye(len(left))).max()
    excess = np.clip((among - low) / max(float(high - low), 1e-12), 0, 1)
    penalty = (1 - _VARIETY) * value.mean()
    gain = _VARIETY * value
    chosen = [0]
    above = excess[0].copy()
    gain[0] = -np.inf
    for _ in range(len(left) - 1):
        best = int(np.argmax(gain - penalty * above))
        chosen.append(best)
        gain[best] = -np.inf
        np.maximum(above, excess[best], out=above)
    return [int(left[i]) for i in chosen]


def _explore(
    order: list[int], rows: IntArray, scores: FloatArray, catalogue: Catalogue, noise: DoubleArray
) -> tuple[list[int], list[int]]:
    """Thompson sampling: each slot goes to the row below the top whose drawn score is highest.

    A row's score is believed with a spread that grows with its distance from the rows at the top, which are those that
    the user's history speaks of most.

    Args:
        order: places in `rows` as they are to be shown.
        rows: the first rows by score.
        scores: of these rows.
        catalogue: for the likeness of two items.
        noise: see `arrange`.

    Returns:
        The new order, and the places in `rows` that explore.
    """
    pool = rows[_TOP:]
    if len(pool) < len(EXPLORE_SLOTS):
        return order, []
    nearest = (catalogue.vectors[pool] @ catalogue.vectors[rows[:_TOP]].T).max(axis=1)  # (p, d) @ (d, t) -> (p,)
    spread = float(scores.std()) * np.sqrt(np.clip(1 - nearest, 0, 1))
    drawn = scores[_TOP:] + spread * noise[pool]
    best = [_TOP + int(place) for place in np.argsort(-drawn, kind="stable")[: len(EXPLORE_SLOTS)]]
    order = [place for place in order if place not in best]
    for slot, place in zip(EXPLORE_SLOTS, best, strict=True):
        order.insert(slot - 1, place)
    return order, best
