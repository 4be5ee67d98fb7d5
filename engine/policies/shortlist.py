"""Two stages for catalogues too large to score whole: retrieval of candidates, then any policy's ranking of those.

The candidates are the items nearest to a weighted mean of what the user liked, in the whitened space of meaning and
words. The mean joins four clocks, so that what is liked now, lately and always each brings its own:

    q = sum_c g_c u_c / |u_c|,    u_c = sum_j w_j 2^(-age_cj / h_c) x_j

with x_j the whitened unit row of event j, w_j the strength of its kind, and age in events or days. Among real users'
best ten by the default policy, 99 in 100 lie within the nearest 200 of 12,000 items. The policy ranks them on a small
catalogue (`Pool`) beside a sample that stands for all items, so that its means and deviations are the whole's.

What is held is a function of the events alone: no search is repeated when a log is replayed, and an undo is exact.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from llmrec.engine.policies import experts
from llmrec.engine.policies.base import DAY, Contribution, Policy
from llmrec.engine.records import BoolArray, Interaction
from llmrec.engine.vectors import RowArray
from llmrec.engine.wide import Pool, WideCatalogue
from llmrec.models import FloatArray

CANDIDATES = 1_500
"""Items that are ranked beside the sample and what was touched."""
_SHARES = (0.6, 0.5, 0.3, 0.2)
"""Weight of each clock."""
_EVENT_RATES = np.array([0, 1 / 10, 1 / 2, 0])
"""Halvings per event of each."""
_DAY_RATES = np.array([0, 0, 0, 1 / 30]) / DAY
"""Halvings per second of each."""


@dataclass(frozen=True, slots=True)
class _State:
    events: tuple[Interaction, ...]
    touched: tuple[int, ...]
    """Rows of the whole catalogue in the order in which they came."""
    before: Any
    """State of the policy that ranks, before the newest steps."""
    newest: tuple[tuple[Interaction, ...], ...]
    """Steps to be learnt on the pool as it is filled when something is asked, at least the last."""


class Shortlist:
    """Ranks a wide catalogue by another policy on candidates; all other items come last, in catalogue order."""

    def __init__(self, catalogue: WideCatalogue, make: Callable[[Pool], Policy], candidates: int = CANDIDATES) -> None:
        """Know nothing yet.

        Args:
            catalogue: all items.
            make: a fresh policy over the pool.
            candidates: how many items are retrieved.
        """
        self.catalogue = catalogue
        self._count = candidates
        self._pool = Pool(catalogue)
        self._ranking = make(self._pool)
        self._state = _State((), (), self._ranking.snapshot(), ())
        self._settled = -1
        self._wanted: BoolArray | None = None
        self._found: tuple[tuple[Interaction, ...], int, tuple[int, ...]] | None = None

    def look_among(self, wanted: BoolArray | None) -> None:
        """Seek candidates among some rows alone (n,) from now on, as for a list of one domain; None is all of them.

        What was learnt does not change by it.
        """
        if not np.array_equal(wanted, self._wanted):  # type: ignore[arg-type]
            self._wanted, self._found = wanted, None

    # -- learning ----------------------------------------------------------------------------------------------

    def learn(self, step: Sequence[Interaction]) -> None:
        """Note the events; they are learnt when something is asked, so that a whole log fills the pool once."""
        old, rows = self._state, (event.row for event in step if event.row >= 0)
        touched = tuple(dict.fromkeys((*old.touched, *rows)))
        learnt = self._settled >= 0
        before, newest = (self._ranking.snapshot(), ()) if learnt else (old.before, old.newest)
        self._state = _State((*old.events, *step), touched, before, (*newest, tuple(step)))
        self._settled = -1

    def _settle(self, candidates: tuple[int, ...]) -> None:
        """Fill the pool, which copies share, and let the policy learn the newest steps on it.

        However a state was come by, it is always the last step that is learnt on top of sums built anew from all
        others, so that an undo is exact to the last bit.
        """
        state, pool = self._state, self._pool
        pool.hold(state.touched, candidates)
        pool.refresh()
        if self._settled == pool.version:
            return
        self._ranking.restore(state.before)
        for step in state.newest[:-1]:
            self._ranking.learn(self._placed(step))
        if len(state.newest) > 1:
            self._state = state = replace(state, before=self._ranking.snapshot(), newest=state.newest[-1:])
        pool.renew()
        for step in state.newest:
            self._ranking.learn(self._placed(step))
        self._settled = pool.version

    def _placed(self, step: Sequence[Interaction]) -> list[Interaction]:
        return [replace(event, row=self._pool.place(event.row)) for event in step]

    def _candidates(self, now: float) -> tuple[int, ...]:
        """The items nearest to what is liked that are wanted, out by now and were not touched."""
        count = self.catalogue.later_than(now)
        if self._found is None or self._found[0] is not self._state.events or self._found[1] != count:
            barred = ~self._wanted if self._wanted is not None else np.zeros(len(self.catalogue), np.bool_)
            barred[np.array(self._state.touched, np.int64)] = True
            if count:
                barred |= self.catalogue.published > now
            self._found = self._state.events, count, tuple(self._sought(barred).tolist())
        return self._found[2]

    def _sought(self, barred: BoolArray) -> RowArray:
        """All that are not barred, where these are few, else those nearest to what is liked."""
        if len(barred) - np.count_nonzero(barred) <= self._count:
            return np.flatnonzero(~barred)
        query = self._query()
        return self.catalogue.codes.nearest(query, self._count, barred) if np.any(query) else np.empty(0, np.int64)

    def _query(self) -> FloatArray:
        """The query of the module, (k,)."""
        events = [event for event in self._state.events if experts.RECIPE.strength(event)]
        points = self._white(events)
        strengths = np.array([experts.RECIPE.strength(event) for event in events])
        times = np.array([experts.at(event) for event in events])
        fading = experts.fading(times, times.max(initial=-np.inf), _EVENT_RATES, _DAY_RATES)  # (c, m)
        fading[:, [not event.fades for event in events]] = 1
        query = np.zeros(points.shape[1], np.float32)
        for share, mean in zip(_SHARES, (strengths * fading) @ points, strict=True):  # (c, m) @ (m, k) -> (c, k)
            length = float(np.linalg.norm(mean))
            query += np.float32(share / length) * mean.astype(np.float32) if length > 1e-9 else 0
        return query

    def _white(self, events: list[Interaction]) -> FloatArray:
        """Whitened unit rows of events on items or on typed interests, (m, k)."""
        codes = self.catalogue.codes
        rows = np.array([event.row for event in events], np.int64)
        points = codes.white(np.maximum(rows, 0)) * (rows >= 0)[:, None]
        for index, event in enumerate(events):
            if event.row < 0 and event.vector is not None:
                point = codes.space.project(self.catalogue.vector(event)[None]) / np.sqrt(codes.space.variance)
                points[index] = point[0] / max(float(np.linalg.norm(point)), 1e-9)
        return points

    # -- ranking -----------------------------------------------------------------------------------------------

    def scores(self, now: float) -> FloatArray:
        """The policy's score of what is held; just below all of these for every other item. (n,)."""
        self._settle(self._candidates(now))
        ranked = self._ranking.scores(now)
        scores = np.full(len(self.catalogue), self._floor(ranked), np.float32)
        scores[self._pool.rows] = ranked
        return scores

    @staticmethod
    def _floor(ranked: FloatArray) -> float:
        return float(ranked.min(initial=0)) - 1

    def explain(self, row: int, now: float) -> list[Contribution]:
        """The policy's parts; of an item that is not held only that it is far from what was liked."""
        self._settle(self._candidates(now))
        place = self._pool.place(row)
        if place < 0:
            return [Contribution("far", self._floor(self._ranking.scores(now)))]
        return self._ranking.explain(place, now)

    def mood(self, now: float) -> float:
        """The policy's."""
        self._settle(self._candidates(now))
        return self._ranking.mood(now)

    # -- undo --------------------------------------------------------------------------------------------------

    def snapshot(self) -> _State:
        """The events, and the policy's own state but for the newest of them."""
        return self._state

    def restore(self, state: _State) -> None:
        """Go back to a snapshot."""
        self._state, self._settled = state, -1

    def copy(self) -> Self:
        """An independent policy in the same state; the pool is shared, and refilled by whoever is asked."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._ranking = self._ranking.copy()
        return twin
