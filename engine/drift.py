"""How fast the ranking follows a change of taste, on two real people spliced into one.

Each pair of users with distant topics becomes one history: A's likes, then B's, then A's again. Quality is nDCG@10
of the items the present person will still like; to compare, a fresh policy learns the same person alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event as Cancel
from typing import Any

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.evaluate import History
from llmrec.engine.metrics import places, quality
from llmrec.engine.policies import Policy, make_policy
from llmrec.engine.records import Interaction, Kind
from llmrec.engine.vectors import DoubleArray, RowArray, top_k, unit

_PHASE = 15
"""Likes of each person before the taste changes."""
_RETURN = 5
"""Clicks after the return until retention is measured."""
_AHEAD = 25
"""Further likes of each person that are held back as the truth."""
_WINDOW = 3
"""Clicks over which quality is averaged."""
_RECOVERED = 0.9
"""Share of the plateau that counts as recovered."""
_HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Drift:
    """What one pair of users showed."""

    reached: tuple[float, ...]
    """Quality for B after each of B's clicks."""
    possible: tuple[float, ...]
    """The same, had the policy known B alone."""
    before: float
    """Quality for A before the change."""
    after: float
    """Quality for A five clicks after the return."""
    blast: float
    """Share of the first ten that one random click replaced, before the change."""


def pairs(catalogue: Catalogue, everybody: Sequence[History], count: int) -> list[tuple[RowArray, RowArray]]:
    """Likes of pairs of users whose mean whitened vectors point apart, most distant first, each user once."""
    need = _PHASE + _AHEAD + _RETURN
    likes = [np.array(list(dict.fromkeys(row for s in h.steps for row in s.wanted))) for h in everybody]
    likes = [rows[:need] for rows in likes if len(rows) >= need]
    if len(likes) < 2:
        return []
    means = unit(np.array([catalogue.whitened[rows].mean(axis=0) for rows in likes], np.float32))
    distance = means @ means.T
    np.fill_diagonal(distance, np.inf)
    found, free = [], set(range(len(likes)))
    for flat in np.argsort(distance, axis=None):
        a, b = (int(i) for i in np.unravel_index(flat, distance.shape))
        if a in free and b in free and not set(likes[a]) & set(likes[b]):
            found.append((likes[a], likes[b]))
            free -= {a, b}
        if len(found) == count:
            break
    return found


class DriftRun:
    """Splices pairs of users for one method."""

    def __init__(self, catalogue: Catalogue, name: str = "blend", seed: int = 0) -> None:
        """Prepare for a method."""
        self._catalogue, self._name = catalogue, name
        self._rng = np.random.default_rng(seed)
        self._tie = self._rng.permutation(len(catalogue))

    def run(self, spliced: Sequence[tuple[RowArray, RowArray]], cancel: Cancel | None = None) -> Iterator[Drift]:
        """Results pair by pair; ends early when cancelled."""
        for a, b in spliced:
            if cancel is not None and cancel.is_set():
                return
            yield self._pair(a, b)

    def _pair(self, a: RowArray, b: RowArray) -> Drift:
        both = make_policy(self._name, self._catalogue)
        clicks = 0
        for row in a[:_PHASE]:
            clicks = self._click(both, int(row), clicks)
        before = self._quality(both, a[_PHASE + _RETURN :], clicks, a[:_PHASE])
        blast = self._blast(both, clicks, a)
        alone = make_policy(self._name, self._catalogue)
        reached, possible = [], []
        for index, row in enumerate(b[:_PHASE]):
            self._click(alone, int(row), index)
            clicks = self._click(both, int(row), clicks)
            seen = np.concatenate([a[:_PHASE], b[: index + 1]])
            possible.append(self._quality(alone, b[_PHASE:], index, seen))
            reached.append(self._quality(both, b[_PHASE:], clicks, seen))
        for row in a[_PHASE : _PHASE + _RETURN]:
            clicks = self._click(both, int(row), clicks)
        after = self._quality(both, a[_PHASE + _RETURN :], clicks, np.concatenate([a[: _PHASE + _RETURN], b[:_PHASE]]))
        return Drift(tuple(reached), tuple(possible), before, after, blast)

    def _click(self, policy: Policy, row: int, clicks: int) -> int:
        policy.learn([Interaction(row, Kind.LIKE, clicks * _HOUR)])
        return clicks + 1

    def _quality(self, policy: Policy, wanted: RowArray, clicks: int, seen: RowArray) -> float:
        allowed = np.ones(len(self._catalogue), bool)
        allowed[seen] = False
        return quality(places(policy.scores(clicks * _HOUR), wanted, allowed, self._tie)).ndcg

    def _blast(self, policy: Policy, clicks: int, a: RowArray) -> float:
        """Share of the first ten replaced by one click on a random item; undone afterwards."""
        state, row = policy.snapshot(), int(self._rng.integers(len(self._catalogue)))
        seen = [*a[:_PHASE], row]
        before = _first_ten(policy, clicks, seen)
        self._click(policy, row, clicks)
        after = _first_ten(policy, clicks, seen)
        policy.restore(state)
        return len(before - after) / max(len(before), 1)


def _first_ten(policy: Policy, clicks: int, seen: Sequence[int]) -> set[int]:
    scores = policy.scores(clicks * _HOUR).copy()
    scores[seen] = -np.inf
    return {int(row) for row in top_k(scores, 10)}


def clicks_to_recover(reached: Sequence[float], possible: Sequence[float]) -> int | None:
    """Clicks until quality is 90 % of what it would be without the past; None if it never could be anything.

    Both curves are averaged over three clicks. One more than there are clicks means never.
    """
    ours, theirs = _smooth(reached), _smooth(possible)
    if not theirs.any():
        return None
    well = np.flatnonzero((ours >= _RECOVERED * theirs) & (theirs > 0))
    return int(well[0]) + 1 if len(well) else len(ours) + 1


def _smooth(curve: Sequence[float]) -> DoubleArray:
    padded = np.pad(np.array(curve), (_WINDOW // 2, _WINDOW // 2), mode="edge")
    return np.convolve(padded, np.ones(_WINDOW) / _WINDOW, "valid")


def as_json(found: Sequence[Drift]) -> dict[str, Any]:
    """Figures over the pairs; ratios are of means, because the quality for one pair is often 0."""
    if not found:
        return {"pairs": 0}
    reached = np.array([drift.reached for drift in found])
    possible = np.array([drift.possible for drift in found])
    c90 = [c for drift in found if (c := clicks_to_recover(drift.reached, drift.possible)) is not None]
    before, after = (float(np.mean([getattr(d, name) for d in found])) for name in ("before", "after"))
    blast = np.array([drift.blast for drift in found])
    mean_curve = clicks_to_recover(reached.mean(axis=0).tolist(), possible.mean(axis=0).tolist())
    return {
        "pairs": len(found),
        "c90": {
            "median": float(np.median(c90)) if c90 else None,
            "p90": float(np.percentile(c90, 90)) if c90 else None,
            "of_mean_curve": mean_curve,
        },
        "area_lost": float(np.maximum(possible - reached, 0).sum(axis=1).mean()),
        "retention": after / before if before else None,
        "blast_radius": {"median": float(np.median(blast)), "mean": float(blast.mean())},
    }
