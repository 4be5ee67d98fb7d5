"""From scores to the list on the screen: near-duplicates folded, variety, and two slots to explore.

Works on the top of a scored list only; evaluation measures the scores before this.
"""

from dataclasses import dataclass

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.vectors import RowArray, top_k
from llmrec.models import FloatArray

_TOP = 200
"""Rows that are arranged; below, the order is by score alone."""
_SAME = 0.97
"""Cosine from which two items are the same story told twice."""
_VARIETY = 0.7
"""Maximal marginal relevance: share of the score against the likeness to what stands above."""
_SHOWN = 20
"""Places for which variety is sought: about a screen."""
EXPLORE_SLOTS = (4, 9)
"""Places (1 is best) that explore."""
_EXPLORE_FROM = (_SHOWN, _TOP)
"""Places whose items may be drawn into an exploration slot."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """An ordered list of rows."""

    order: RowArray
    """Rows, best first."""
    folded: dict[int, tuple[int, ...]]
    """Rows hidden behind a row as near-duplicates of it."""
    explore: frozenset[int]
    """Rows that stand where they stand in order to learn."""


def arrange(
    scores: FloatArray, catalogue: Catalogue, rows: RowArray, *, rng: np.random.Generator, explore: bool
) -> Arrangement:
    """Order rows by score, fold near-duplicates, spread likes apart, and fill the exploration slots.

    Args:
        scores: (n,) of all items of the catalogue.
        catalogue: for the likeness of two items.
        rows: the rows to list, in any order.
        rng: draws the exploration slots.
        explore: fill the exploration slots.
    """
    rows = np.asarray(rows, np.int64)
    ranked = rows[top_k(scores[rows], len(rows))]
    top, rest = ranked[:_TOP], ranked[_TOP:]
    likeness = catalogue.vectors[top] @ catalogue.vectors[top].T  # (t, d) @ (d, t) -> (t, t)
    heads, folded = _fold(likeness)
    order = _spread(scores[top], likeness, heads)
    explored: list[int] = []
    if explore:
        order, explored = _explore(order, scores[top], likeness, rng)
    return Arrangement(
        np.concatenate([top[order], rest]).astype(np.int64),
        {int(top[head]): tuple(int(top[i]) for i in hidden) for head, hidden in folded.items()},
        frozenset(int(top[i]) for i in explored),
    )


def _fold(likeness: FloatArray) -> tuple[list[int], dict[int, list[int]]]:
    """The best of each group of near-duplicates, and those hidden behind it; places in the top."""
    heads: list[int] = []
    folded: dict[int, list[int]] = {}
    for place in range(len(likeness)):
        twin = next((head for head in heads if likeness[place, head] >= _SAME), None)
        if twin is None:
            heads.append(place)
        else:
            folded.setdefault(twin, []).append(place)
    return heads, folded


def _spread(scores: FloatArray, likeness: FloatArray, heads: list[int]) -> list[int]:
    """Maximal marginal relevance (Carbonell and Goldstein, 1998) for the places on the first screen.

    Each place goes to the item with the largest v s(c) - (1 - v) max_above c . a, where s is the score scaled to 0..1
    and the likeness is measured against what is usual in this list, so that a narrow list keeps its order.
    """
    if len(heads) < 3:
        return heads
    left = np.array(heads)
    part = scores[left].astype(np.float64)
    value = (part - part.min()) / max(float(np.ptp(part)), 1e-12)
    usual = likeness[np.ix_(left, left)]
    low, high = np.median(usual), usual[~np.eye(len(left), dtype=bool)].max()
    excess = np.clip((usual - low) / max(float(high - low), 1e-12), 0, 1)
    chosen = [0]
    above = excess[0].copy()
    free = np.ones(len(left), bool)
    free[0] = False
    for _ in range(min(_SHOWN, len(left)) - 1):
        gain = np.where(free, _VARIETY * value - (1 - _VARIETY) * value.mean() * above, -np.inf)
        best = int(np.argmax(gain))
        chosen.append(best)
        free[best] = False
        np.maximum(above, excess[best], out=above)
    return [int(left[i]) for i in chosen] + [int(left[i]) for i in np.flatnonzero(free)]


def _explore(
    order: list[int], scores: FloatArray, likeness: FloatArray, rng: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Thompson sampling: each slot goes to the row whose drawn score is highest.

    A row's score is believed with a spread that grows with its distance from the rows above, which are those that the
    user's history speaks of most.
    """
    explored: list[int] = []
    for slot in EXPLORE_SLOTS:
        pool = [row for row in order[_EXPLORE_FROM[0] : _EXPLORE_FROM[1]] if row not in explored]
        if not pool or slot > len(order):
            break
        nearest = likeness[np.ix_(pool, order[:_SHOWN])].max(axis=1)
        spread = float(scores[order].std()) * np.sqrt(np.clip(1 - nearest, 0, 1))
        drawn = pool[int(np.argmax(scores[pool] + spread * rng.standard_normal(len(pool))))]
        order = [row for row in order if row != drawn]
        order.insert(slot - 1, drawn)
        explored.append(drawn)
    return order, explored
