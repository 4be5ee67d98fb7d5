"""How fast the ranking follows a change of taste, and what it still knows on the way back.

Each pair of users with distant topics becomes one history: A's likes, then B's, then A's again. Quality is nDCG@10 of
the items that the present person will still like, among all that neither clicks in the spliced history. Measured is
the score alone: nothing is folded, spread or explored. Four figures are read off (definitions at `Drift`):

- C90: clicks of B until quality reaches 90 % of what a policy reaches that never knew A;
- area lost: quality missing to that plateau until then, summed over clicks;
- retention: quality for A after the detour over B, against a twin that made the same clicks of A and no detour, five
  clicks after the return and, for people with likes enough, fifty after it (the mean of the last ten);
- blast radius: the share of the first ten that one click on a random item replaces.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event as Cancel
from typing import Any

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.evaluate import History
from llmrec.engine.metrics import places, quality
from llmrec.engine.policies import Policy
from llmrec.engine.records import Interaction, Kind
from llmrec.engine.vectors import DoubleArray, RowArray, top_k, unit
from llmrec.models import FloatArray

Pair = tuple[RowArray, RowArray]
"""Likes of two users, oldest first."""
PHASE = 15
"""Likes of each person before the taste changes."""
RETURN = 5
"""Clicks of A after the return."""
LONG_RETURN, LAST = 50, 10
"""The same where the old taste is given time to come back, and of how many of its last clicks the mean is taken."""
_AHEAD = 25
"""Further likes of each person that are held back as the truth."""
_WINDOW = 3
"""Clicks from which on, in the mean, quality must stay recovered; one lucky list is no recovery."""
_SETTLED = 5
"""Last clicks of a phase whose mean is the plateau."""
_RECOVERED = 0.9
"""Share of the plateau that counts as recovered."""
_NOISE = 5
"""Random clicks tried per pair, each undone."""
_HOUR = 3_600.0
_DRAWS = 2_000
"""Bootstrap samples of an interval."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What one pair of users showed."""

    reached: tuple[float, ...]
    """Quality for B after each of B's clicks, by the policy that knew A before."""
    alone: tuple[float, ...]
    """The same by a fresh policy that learns B only."""
    returned: tuple[float, ...]
    """Quality for A after 0 to `RETURN` clicks of A back, by the policy that went A, B, A."""
    stayed: tuple[float, ...]
    """The same by its twin that made the same clicks of A without B between; the first is that just before leaving."""
    blast: tuple[float, ...]
    """Share of the first ten that each of some random clicks replaced, at the end of A's first phase."""


def pairs(catalogue: Catalogue, everybody: Sequence[History], count: int) -> list[Pair]:
    """Likes of pairs of users whose mean whitened vectors point apart, most distant first, each user once."""
    likes = _likes(everybody, PHASE + RETURN + _AHEAD)
    return _distant(catalogue, likes, likes, count)


def detours(catalogue: Catalogue, everybody: Sequence[History], count: int) -> list[Pair]:
    """The same for a long return: the first of each pair has the likes for it, the second those of a detour."""
    return _distant(catalogue, _likes(everybody, PHASE + LONG_RETURN + _AHEAD), _likes(everybody, PHASE), count)


def _likes(everybody: Sequence[History], need: int) -> dict[str, RowArray]:
    """The first likes of everybody who has so many, by user."""
    likes = {h.user: np.array(list(dict.fromkeys(row for s in h.steps for row in s.wanted))) for h in everybody}
    return {user: rows[:need] for user, rows in likes.items() if len(rows) >= need}


def _distant(catalogue: Catalogue, ones: dict[str, RowArray], others: dict[str, RowArray], count: int) -> list[Pair]:
    """Pairs of likes that share no item, most distant first, each user once."""
    if not ones or not others:
        return []
    distance = _means(catalogue, ones) @ _means(catalogue, others).T  # (a, d) @ (d, b) -> (a, b)
    names, other_names = list(ones), list(others)
    found: list[Pair] = []
    used: set[str] = set()
    for flat in np.argsort(distance, axis=None):
        i, j = np.unravel_index(flat, distance.shape)
        a, b = names[i], other_names[j]
        if a != b and used.isdisjoint((a, b)) and not set(ones[a]) & set(others[b]):
            found.append((ones[a], others[b]))
            used |= {a, b}
        if len(found) == count:
            break
    return found


def _means(catalogue: Catalogue, likes: dict[str, RowArray]) -> FloatArray:
    """Direction of each user's mean whitened vector, (u, d)."""
    return unit(np.array([catalogue.whitened[rows].mean(axis=0) for rows in likes.values()], np.float32))


class DriftRun:
    """Splices pairs of users for one method."""

    def __init__(self, catalogue: Catalogue, make: Callable[[Catalogue], Policy], seed: int = 0) -> None:
        """Prepare for the policies that `make` gives."""
        self._catalogue, self._make = catalogue, make
        self._rng = np.random.default_rng(seed)
        self._tie = self._rng.permutation(len(catalogue))

    def run(self, spliced: Sequence[Pair], cancel: Cancel | None = None) -> Iterator[Drift]:
        """Results pair by pair; ends early when cancelled."""
        for a, b in spliced:
            if cancel is not None and cancel.is_set():
                return
            yield self._pair(a, b)

    def long_return(self, spliced: Sequence[Pair], cancel: Cancel | None = None) -> Iterator[tuple[float, float]]:
        """Quality for A in the last ten of fifty clicks after the return, and that of the twin that stayed.

        Args:
            spliced: pairs with likes enough for it (`detours`).
            cancel: looked at between pairs.
        """
        for a, b in spliced:
            if cancel is not None and cancel.is_set():
                return
            back, known = a[PHASE : PHASE + LONG_RETURN], a[PHASE + LONG_RETURN :]
            seen = np.concatenate([a[: PHASE + LONG_RETURN], b[:PHASE]])
            traveller = self._make(self._catalogue)
            self._clicks(traveller, a[:PHASE], 0)
            twin = traveller.copy()
            self._clicks(traveller, b[:PHASE], PHASE)
            returned = self._after_each(traveller, back, 2 * PHASE, known, seen, last=LAST)
            stayed = self._after_each(twin, back, PHASE, known, seen, last=LAST)
            yield float(np.mean(returned)), float(np.mean(stayed))

    def _pair(self, a: RowArray, b: RowArray) -> Drift:
        back, known_a, known_b = a[PHASE : PHASE + RETURN], a[PHASE + RETURN :], b[PHASE:]
        seen = np.concatenate([a[: PHASE + RETURN], b[:PHASE]])  # one pool for all that is compared
        traveller = self._make(self._catalogue)
        self._clicks(traveller, a[:PHASE], 0)
        twin = traveller.copy()
        blast = self._blast(traveller, a[:PHASE])
        alone, reached, fresh = self._make(self._catalogue), [], []
        for index, row in enumerate(b[:PHASE]):
            self._clicks(traveller, [row], PHASE + index)
            self._clicks(alone, [row], PHASE + index)
            reached.append(self._quality(traveller, known_b, PHASE + index, seen))
            fresh.append(self._quality(alone, known_b, PHASE + index, seen))
        returned = self._after_each(traveller, back, 2 * PHASE, known_a, seen)
        stayed = self._after_each(twin, back, PHASE, known_a, seen)
        return Drift(tuple(reached), tuple(fresh), tuple(returned), tuple(stayed), blast)

    def _after_each(
        self, policy: Policy, clicked: RowArray, start: int, wanted: RowArray, seen: RowArray, last: int | None = None
    ) -> list[float]:
        """Quality after each of some clicks: the `last` of them, or all and that before the first."""
        found = [self._quality(policy, wanted, start - 1, seen)] if last is None else []
        for index, row in enumerate(clicked):
            self._clicks(policy, [row], start + index)
            if last is None or index >= len(clicked) - last:
                found.append(self._quality(policy, wanted, start + index, seen))
        return found

    def _clicks(self, policy: Policy, rows: Sequence[int] | RowArray, start: int) -> None:
        """Like some rows, an hour apart."""
        for index, row in enumerate(rows):
            policy.learn([Interaction(int(row), Kind.LIKE, (start + index) * _HOUR)])

    def _quality(self, policy: Policy, wanted: RowArray, click: int, seen: RowArray) -> float:
        allowed = np.ones(len(self._catalogue), bool)
        allowed[seen] = False
        return quality(places(policy.scores(click * _HOUR), wanted, allowed, self._tie)).ndcg

    def _blast(self, policy: Policy, seen: RowArray) -> tuple[float, ...]:
        """Share of the first ten that one click on a random item replaces; each is undone."""
        others = np.setdiff1d(np.arange(len(self._catalogue)), seen)
        found = []
        for row in self._rng.choice(others, min(_NOISE, len(others)), replace=False):
            state = policy.snapshot()
            before = _first_ten(policy, PHASE - 1, [*seen, row])
            self._clicks(policy, [row], PHASE)
            found.append(len(before - _first_ten(policy, PHASE, [*seen, row])) / max(len(before), 1))
            policy.restore(state)
        return tuple(found)


def _first_ten(policy: Policy, click: int, seen: Sequence[int]) -> set[int]:
    scores = policy.scores(click * _HOUR).copy()
    scores[seen] = -np.inf
    return {int(row) for row in top_k(scores, 10)}


def plateau(alone: Sequence[float]) -> float:
    """Quality that a policy settles at which never knew another person."""
    return float(np.mean(alone[-_SETTLED:]))


def clicks_to_recover(curve: Sequence[float], level: float | Sequence[float]) -> int | None:
    """The first click from which on the mean of three is 90 % of a level; None if the level is nothing.

    One more than there are clicks means never. Of a plateau that is C90; of the newcomer's own curve, it is when the
    past no longer holds back.
    """
    wanted = _ahead(np.broadcast_to(level, len(curve)))
    if not wanted.any():
        return None
    well = np.flatnonzero((_ahead(curve) >= _RECOVERED * wanted - 1e-12) & (wanted > 0))
    return int(well[0]) + 1 if len(well) else len(curve) + 1


def _ahead(curve: Sequence[float] | DoubleArray) -> DoubleArray:
    """Mean of each point and the two after it, where there are two."""
    return np.array([np.mean(curve[i : i + _WINDOW]) for i in range(len(curve))])


def area_lost(curve: Sequence[float], level: float) -> float:
    """Quality missing to a plateau, summed over the clicks before it is recovered."""
    missing = np.maximum(level - np.array(curve), 0)
    return float(missing[: (clicks_to_recover(curve, level) or 1) - 1].sum())


def as_json(found: Sequence[Drift], seed: int = 0) -> dict[str, Any]:
    """Figures over the pairs, with 95 % intervals by pair where they are ratios.

    Ratios are of means, because the quality for one pair is often 0. "newcomer" has the same figures for a policy that
    never knew A: a plateau takes clicks to reach for anybody. "told" has them for one that is told of the change after
    B's first click and forgets A with the second: the most that noticing the change could give.
    "caught_up" are the clicks until the one that knew A is as good (90 %) as the newcomer is at the same click.
    """
    if not found:
        return {"pairs": 0}
    rng = np.random.default_rng(seed)
    returned, stayed = (np.array([getattr(d, name) for d in found]) for name in ("returned", "stayed"))
    blast = np.array([share for drift in found for share in drift.blast])
    return {
        "pairs": len(found),
        **_recovery(found, lambda drift: drift.reached),
        "newcomer": _recovery(found, lambda drift: drift.alone),
        "told": _recovery(found, lambda drift: (*drift.reached[:1], *drift.alone[1:])),
        "caught_up": _clicks([clicks_to_recover(drift.reached, drift.alone) for drift in found]),
        "retention": {str(clicks): _ratio(returned[:, clicks], stayed[:, clicks], rng) for clicks in range(RETURN + 1)},
        "blast_radius": {"median": float(np.median(blast)), "mean": float(blast.mean())},
    }


def long_as_json(found: Sequence[tuple[float, float]], seed: int = 0) -> dict[str, Any]:
    """Retention some fifty clicks after the return, over the pairs that have the likes for it."""
    if not found:
        return {"pairs": 0, "clicks": LONG_RETURN, "ratio": None, "ci95": None}
    returned, stayed = np.array(found).T
    return {"pairs": len(found), "clicks": LONG_RETURN, **_ratio(returned, stayed, np.random.default_rng(seed))}


def _recovery(found: Sequence[Drift], curve_of: Callable[[Drift], tuple[float, ...]]) -> dict[str, Any]:
    """C90 and area lost by one curve of quality for B."""
    curves = [(curve_of(drift), plateau(drift.alone)) for drift in found]
    mean = np.mean([curve for curve, _ in curves], axis=0).tolist()
    of_mean = clicks_to_recover(mean, float(np.mean([level for _, level in curves])))
    return {
        "c90": {**_clicks([clicks_to_recover(*curve) for curve in curves]), "of_mean_curve": of_mean},
        "area_lost": float(np.mean([area_lost(*curve) for curve in curves])),
    }


def _clicks(found: Sequence[int | None]) -> dict[str, float | None]:
    """Median and 90th percentile over the pairs that had something to reach."""
    known = [clicks for clicks in found if clicks is not None]
    if not known:
        return {"median": None, "p90": None}
    return {"median": float(np.median(known)), "p90": float(np.percentile(known, 90))}


def _ratio(ours: DoubleArray, theirs: DoubleArray, rng: np.random.Generator) -> dict[str, Any]:
    """Ratio of two paired means and its 95 % bootstrap interval over the pairs; None where nothing was to be had."""
    if not theirs.any():
        return {"ratio": None, "ci95": None}
    drawn = rng.integers(0, len(ours), (_DRAWS, len(ours)))
    below = theirs[drawn].mean(axis=1)
    ratios = ours[drawn].mean(axis=1)[below > 0] / below[below > 0]
    low, high = np.percentile(ratios, [2.5, 97.5])
    return {"ratio": float(ours.mean() / theirs.mean()), "ci95": [float(low), float(high)]}
