"""Prequential evaluation: before each step of a real history rank, look where the wanted items stand, then learn.

Honest about time: an item published after a step is not ranked in it, no click later than the step is known, and of
other users' clicks (which only `popular` sees) only the earlier ones. The catalogue itself is taken as known: the
texts of all items, not their clicks, shape the whitening and the word weights, as they do once a catalogue is
imported. Equal scores are ordered by a seeded permutation, so that nobody gains from the order of the file.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from threading import Event as Cancel
from typing import Any

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.metrics import Quality, mean_interval, places, quality
from llmrec.engine.policies import BASELINES, POLICIES, Contribution, Policy, make_policy
from llmrec.engine.policies.base import POSITIVE, LogPolicy, moment
from llmrec.engine.records import Event, Interaction, ItemId
from llmrec.engine.vectors import DoubleArray, RowArray
from llmrec.models import FloatArray

MIN_STEPS = 5
"""Steps with a clear yes that a user needs to be measured."""
CROWD = "popular"
"""The only method that sees other users; a reference, not a rival."""
ALL = (*POLICIES, *BASELINES, CROWD)
RIVALS = tuple(name for name in ALL if name not in ("blend", "mix", CROWD))
"""Single-user methods the default policy is compared with, besides the floor `mix`."""


@dataclass(frozen=True, slots=True)
class Step:
    """All events of one user with one timestamp."""

    at: float
    """Unix seconds."""
    events: tuple[Interaction, ...]

    @property
    def wanted(self) -> list[int]:
        """Rows with a clear yes."""
        return [event.row for event in self.events if event.kind in POSITIVE]


@dataclass(frozen=True, slots=True)
class History:
    """One user's steps, oldest first."""

    user: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class UserResult:
    """What each method achieved for one user."""

    user: str
    steps: int
    """Steps measured."""
    means: dict[str, Quality]
    """By method, the mean over the user's steps."""


@dataclass(slots=True)
class Report:
    """Results of the users so far."""

    users: list[UserResult] = field(default_factory=list)

    def as_json(self, seed: int = 0) -> dict[str, Any]:
        """The contract's shape, and the paired ratio of `blend` to the best other single-user method."""
        rng = np.random.default_rng(seed)
        names = list(self.users[0].means) if self.users else []
        found: dict[str, Any] = {
            "users": len(self.users),
            "steps": sum(user.steps for user in self.users),
            "policies": {name: self._row(name, rng) for name in names},
        }
        rivals = [name for name in names if name in RIVALS]
        if "blend" in names and rivals:
            best = max(rivals, key=lambda name: self._column(name, "ndcg").mean())
            found["blend_against"] = {name: self._against(name, rng) for name in (best, "mix") if name in names}
        return found

    def _column(self, name: str, measure: str) -> DoubleArray:
        return np.array([getattr(user.means[name], measure) for user in self.users])

    def _row(self, name: str, rng: np.random.Generator) -> dict[str, Any]:
        mean, low, high = mean_interval(self._column(name, "ndcg"), rng)
        return {
            "ndcg@10": mean,
            "ndcg@10_ci95": [low, high],
            "hit@10": float(self._column(name, "hit").mean()),
            "mrr": float(self._column(name, "mrr").mean()),
        }

    def _against(self, name: str, rng: np.random.Generator) -> dict[str, Any]:
        ours, theirs = self._column("blend", "ndcg"), self._column(name, "ndcg")
        mean, low, high = mean_interval(ours - theirs, rng)
        ratio = float(ours.mean() / theirs.mean()) if theirs.mean() > 0 else None
        return {"ratio": ratio, "difference": mean, "difference_ci95": [low, high]}


class Popular(LogPolicy):
    """The items with most clear yeses by anybody before now."""

    def __init__(self, catalogue: Catalogue, times: DoubleArray, rows: RowArray) -> None:
        """Know the crowd's yeses: ascending times (m,) and rows (m,)."""
        super().__init__(catalogue)
        self._times, self._rows = times, rows

    def scores(self, now: float) -> FloatArray:
        """Count per item, (n,)."""
        before = self._rows[: np.searchsorted(self._times, now)]
        return np.bincount(before, minlength=len(self.catalogue)).astype(np.float32)

    def explain(self, row: int, now: float) -> list[Contribution]:
        """The count."""
        return [Contribution("popular", float(self.scores(now)[row]))]


def histories(events: Iterable[Event], rows: Mapping[ItemId, int]) -> list[History]:
    """Events by user and moment, in the order of users' names.

    Args:
        events: any order.
        rows: row of the catalogue by item id; events on other items are left out.
    """
    known = [event for event in events if event.item in rows]
    found = []
    for user, theirs in groupby(sorted(known, key=lambda e: (e.user, e.at)), key=lambda e: e.user):
        steps = [
            Step(at, tuple(Interaction(rows[e.item], e.kind, moment(e.at), e.value) for e in step))
            for at, step in groupby(theirs, key=lambda e: e.at)
        ]
        found.append(History(user, tuple(steps)))
    return found


def sample(everybody: Sequence[History], users: int | None, rng: np.random.Generator) -> list[History]:
    """At most so many users with enough steps, drawn without replacement."""
    able = [history for history in everybody if sum(bool(s.wanted) for s in history.steps) >= MIN_STEPS]
    if users is None or users >= len(able):
        return able
    return [able[i] for i in rng.choice(len(able), users, replace=False)]


class Evaluation:
    """One run over a catalogue: the crowd, the order of ties, and the methods side by side."""

    def __init__(
        self, catalogue: Catalogue, everybody: Sequence[History], names: Sequence[str] = ALL, seed: int = 0
    ) -> None:
        """Prepare.

        Raises:
            ValueError: a name is not that of a method.
        """
        for name in names:
            if name not in ALL:
                raise ValueError(f"No ranking method is called {name!r}. Choose from: {', '.join(ALL)}.")
        self._catalogue, self._names = catalogue, names
        self._tie = np.random.default_rng(seed).permutation(len(catalogue))
        yeses = sorted((step.at, row) for h in everybody for step in h.steps for row in step.wanted)
        self._times = np.array([at for at, _ in yeses])
        self._rows = np.array([row for _, row in yeses], np.int64)

    def _policy(self, name: str) -> Policy:
        if name == CROWD:
            return Popular(self._catalogue, self._times, self._rows)
        return make_policy(name, self._catalogue)

    def user(self, history: History, cancel: Cancel | None = None) -> UserResult | None:
        """Replay one user with every method; None if cancelled."""
        measured = self.trace(history, cancel)
        if measured is None:
            return None
        return UserResult(history.user, len(measured[self._names[0]]), {n: _mean(q) for n, q in measured.items()})

    def trace(self, history: History, cancel: Cancel | None = None) -> dict[str, list[Quality]] | None:
        """Quality of each method at each measured step of one user; None if cancelled."""
        policies = {name: self._policy(name) for name in self._names}
        measured: dict[str, list[Quality]] = {name: [] for name in self._names}
        allowed = np.ones(len(self._catalogue), bool)
        for step in history.steps:
            if cancel is not None and cancel.is_set():
                return None
            wanted = np.array(sorted({row for row in step.wanted if allowed[row]}), np.int64)
            now_out = allowed & ~(self._catalogue.published > step.at)
            now_out[wanted] = True
            for name, policy in policies.items():
                if len(wanted):
                    ranks = places(policy.scores(step.at), wanted, now_out, self._tie)
                    measured[name].append(quality(ranks))
                policy.learn(step.events)
            allowed[[event.row for event in step.events]] = False
        return measured

    def run(self, chosen: Sequence[History], cancel: Cancel | None = None) -> Iterator[UserResult]:
        """Results user by user; ends early when cancelled. Nothing of a user is kept."""
        for history in chosen:
            result = self.user(history, cancel)
            if result is None:
                return
            if result.steps:
                yield result


def _mean(measured: Sequence[Quality]) -> Quality:
    table = np.array([(q.ndcg, q.hit, q.mrr) for q in measured]).reshape(-1, 3)
    return Quality(*(float(x) for x in table.mean(axis=0))) if len(table) else Quality(0.0, 0.0, 0.0)
