"""The default policy: several views of one user's past, mixed by a gate that learns from that user alone.

Each expert k is a sum of likenesses to past events that fades by its own clock (`experts`):

    S_k(c) = sum_j w_j 2^(-age_kj / h_k) s_k(c, j)

with s_k the whitened or plain cosine in the joint space of meaning and words (`spaces`), or the cosine of tf-idf
rows; w_j is the strength of the event's kind, and age counts events or days. Facts of the items stand beside them
(`facts`). All are put on one scale, z_k = (S_k - mean S_k) / deviation of S_k over the catalogue, and

    score(c) = sum_k g_k q(z_k(c)),    g_k = p_k exp(a_k - a),

where q(z) = z up to 4 and 4 + log(z - 3) beyond, so that one expert's outlier does not outvote all others.

p_k is a prior that is the same for everybody. a_k says how much better than the average a of all experts expert k
ranked what this user then chose: each chosen item at place r of expert k earns log 1 / (r + 3), the log-likelihood
of a choice by Zipf's law over places. a_k is the fading sum of a step's means over (fading steps + 5): shrunk to
nothing until there is evidence, so that users with five events are served by the prior, others by what serves them.

Above it stands the mood m, the probability that the present session tells more than the long-term taste: a two-state
Markov chain (fixed share, Herbster and Warmuth 1998) whose odds are multiplied by exp(d) after a step, d being how
much better the session's experts earned than the others. g_k of the session's experts is multiplied by m / m_0, of
the others by (1 - m) / (1 - m_0). When somebody turns to another topic, d is two or three at every step, and the
list follows within a few clicks; when they turn back, the long-term experts still know them.

Experts that fade within days or a few events remember only the events of the present taste: a new one begins where
choices turn surprising, and the one before is taken up again where they are what lasting experts foretell (`change`).
So what was liked before does not stand in the way for ten clicks, and who comes back is known at the first.

State is a few vectors of length n, replaced and never changed, so that undo is exact and free; an event costs one
product with the catalogue.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.policies import change, experts, facts
from llmrec.engine.policies.base import DAY, POSITIVE, Contribution, moment
from llmrec.engine.policies.experts import RECIPE, Recipe
from llmrec.engine.records import BoolArray, Interaction, Kind
from llmrec.engine.vectors import DoubleArray
from llmrec.models import FloatArray

_CHOSEN = POSITIVE | {Kind.OPEN}
"""What shows which item was chosen from the list: the first of these on it."""
_CAUTION = 5.0
"""Steps' worth of belief that all experts are equally good for this user."""
_DATED, _DATE_HALF_LIFE = 40, 10.0
"""Newest events whose dates count, and after how many of them a date counts half."""
_TAIL = 4.0
"""Deviations from the mean beyond which a score grows only with its logarithm."""
_ZIPF = 3.0
"""Added to a place, so that the first places hardly differ."""
_FADING = 2.0 ** (-1 / 5)
"""What the gate has learnt counts half after five steps."""
_MOOD = 0.25
"""m_0, the mood before and long after a session."""
_SWITCH = 0.1
"""Probability that the mood starts anew at a step."""
_DECISIVE = 3.0
"""The most that one step may say about the mood."""
_SESSION = 3 * DAY
"""Seconds without events after which half of a mood is gone."""
_BOUNDS = (0.1, 4.0)
"""How far the gate may move from its prior."""
_CHOICES = 16
"""Chosen items of one step that teach the gate; a bulk import teaches no more than a long evening."""
_BULK = 64
"""Events compared with the catalogue at once."""


@dataclass(frozen=True, slots=True)
class _State:
    events: tuple[Interaction, ...]
    version: int
    """Of the catalogue the arrays below belong to."""
    sums: FloatArray
    """(E, n) S_k of the fading events, as weighed at `reference`."""
    means: DoubleArray
    """(E,) mean of each S_k over the items."""
    steady: FloatArray
    """(3, n) sum of the events that do not fade, in each space."""
    reference: float
    """Unix seconds of the newest fading event."""
    dates: FloatArray
    """(n,) log-odds of the items' dates, standardised."""
    liked: tuple[int, ...]
    """Newest rows with a yes, -1 for typed interests."""
    touched: tuple[int, ...]
    """Rows that were acted on: they are no longer chosen from."""
    advantage: DoubleArray
    """(E + 2,) sum over steps of log 1 / (place + 3)."""
    steps: float
    """Steps that taught the gate, fading."""
    mood: float
    """m after the newest step."""
    doubt: change.Doubt = change.NONE
    """Whether the taste is still what it was."""
    turns: tuple[tuple[int, int], ...] = ((0, 0),)
    """Index of the event at which a taste was taken up, and its number; passing experts remember the last one's."""


class Blend:
    """Experts on whitened and plain meaning, words, text length and dates, mixed per user; see the module."""

    def __init__(self, catalogue: Catalogue, recipe: Recipe = RECIPE) -> None:
        """Know nothing yet."""
        self.catalogue = catalogue
        self.recipe = recipe
        self._state = self._blank()

    def _blank(self) -> _State:
        catalogue = self.catalogue
        n, e = len(catalogue), len(self.recipe.experts)
        self._length = facts.written(catalogue)
        self._periods = facts.Periods(catalogue)
        self._freshness = facts.Freshness(catalogue)
        nothing = np.zeros(len(self.recipe.priors))
        zeros = np.zeros((e, n), np.float32)
        steady, dates = np.zeros((0, n), np.float32), np.zeros(n, np.float32)
        return _State((), catalogue.version, zeros, np.zeros(e), steady, -np.inf, dates, (), (), nothing, 0.0, _MOOD)

    # -- learning ----------------------------------------------------------------------------------------------

    def learn(self, step: Sequence[Interaction]) -> None:
        """Score the experts on what was chosen, then take the events in."""
        self._follow_catalogue()
        events = list(step)
        chosen = [e.row for e in events if e.row >= 0 and e.kind in _CHOSEN and e.weight > 0]
        state = self._judged(self._state, chosen[:_CHOICES])
        for start in range(0, len(events), _BULK):
            state = self._with(state, events[start : start + _BULK])
        self._state = state

    def _follow_catalogue(self) -> None:
        """When rows or spaces have changed, build the sums again; what the gate has learnt stays."""
        old = self._state
        if old.version == self.catalogue.version:
            return
        blank = self._blank()
        new = replace(old, version=blank.version, sums=blank.sums, steady=blank.steady)
        counted = [event for event in old.events if self.recipe.strength(event)]
        fading, weights = self._fading_weights(old, old.reference)
        if fading:
            events = [old.events[j] for j in fading]
            sums, means = experts.weighted(self.catalogue, events, weights, self.recipe.spaces)
            new = replace(new, sums=sums, means=means)
        if len(old.steady):
            steady = [event for event in counted if not event.fades]
            weights = np.tile([self.recipe.strength(event) for event in steady], (len(old.steady), 1))  # (3, m)
            new = replace(new, steady=experts.weighted(self.catalogue, steady, weights, np.arange(len(old.steady)))[0])
        self._state = replace(new, dates=self._dates(tuple(row for row in old.liked if row >= 0)))

    def _judged(self, state: _State, chosen: list[int]) -> _State:
        """Credit each expert for the places at which it had the chosen items."""
        first = [row for row in chosen if row not in state.touched]
        if not first or not state.liked:
            return state
        sums, sample = self._expert_scores(state, state.reference), self.catalogue.sample
        known = [[_place(fact, row, sample) for fact in (self._length, state.dates)] for row in first]  # (m, 2)
        places = self._log_places(self._ahead(sums, state, first)), self._log_places(np.array(known))
        earned = -np.concatenate([each.mean(axis=0) for each in places])  # (E + 2,)
        advantage, steps = _FADING * state.advantage + earned, _FADING * state.steps + 1
        new = replace(state, advantage=advantage, steps=steps, mood=self._moved(state.mood, earned))
        return self._doubted(state, new, first, earned)

    def _ahead(self, sums: FloatArray, state: _State, rows: list[int]) -> DoubleArray:
        """Items of the sample, of those still to be chosen, that stand before m rows by each of k sums, (m, k)."""
        sample, touched = self.catalogue.sample, np.array(state.touched, np.int64)
        seen, found = sums[:, touched[touched < sample]], np.empty((len(rows), len(sums)))
        for ahead, row in zip(found, rows, strict=True):
            level = sums[:, [row]]
            ahead[:] = [np.count_nonzero(own) for own in sums[:, :sample] > level]
            ahead -= (seen > level).sum(axis=1)
        return found

    def _log_places(self, ahead: DoubleArray) -> DoubleArray:
        """Logarithms of places among all items, of numbers of items of the sample ahead."""
        each = self.catalogue.stands_for  # a place among the sample is one of so many among all: take the middle
        return np.asarray(np.log(ahead * each + (each - 1) / 2 + _ZIPF))

    def _doubted(self, old: _State, new: _State, chosen: list[int], earned: DoubleArray) -> _State:
        """Change the taste whose events are remembered where what was chosen says so."""
        recipe, event = self.recipe, len(old.events)
        if not (recipe.watched.any() and recipe.session.any()):
            return new
        log_n = math.log(self.catalogue.sample * self.catalogue.stands_for)
        mean = change.usual(self._weighed(old.advantage, recipe.watched), old.steps, log_n)
        x, x_session = (log_n + self._weighed(earned, own) for own in (recipe.watched, recipe.session))
        if len(old.turns) > 1 and recipe.lasting.any():
            usual = change.usual(self._weighed(old.advantage, recipe.lasting), old.steps, log_n)
            if change.is_return(x, mean, log_n + self._weighed(earned, recipe.lasting), usual):
                return self._remembering(new, event, old.turns[-2][1])
        doubt = old.doubt.after(x, x_session, mean, event)
        if doubt.is_strong(event):
            x_run = log_n + self._weighed(self._earned_by(old, doubt.begins, chosen), recipe.watched)
            if change.surprise(x_run, mean) < 0:
                return self._remembering(new, doubt.begins, 1 + max(taste for _, taste in old.turns))
        return replace(new, doubt=doubt)

    def _weighed(self, values: DoubleArray, own: BoolArray) -> float:
        """Mean by their priors of the values (E or more,) of some experts, (E,)."""
        which = np.flatnonzero(own)
        return float(np.average(values[which], weights=self.recipe.priors[which]))

    def _earned_by(self, state: _State, since: int, chosen: list[int]) -> DoubleArray:
        """What each expert would earn if it knew only the yeses from an event on, unfaded, (E,)."""
        liked = [event for event in state.events[since:] if self.recipe.strength(event) > 0]
        weights = np.tile([self.recipe.strength(event) for event in liked], (3, 1))  # unfaded, a space says it all
        sums, _ = experts.weighted(self.catalogue, liked, weights, np.arange(3))
        places = self._log_places(self._ahead(sums, state, chosen)).mean(axis=0)  # (3,)
        return -np.asarray(places)[self.recipe.spaces]

    def _remembering(self, state: _State, event: int, taste: int) -> _State:
        """The state whose passing experts remember the events of a taste alone, which lasts since an event."""
        state = replace(state, doubt=change.NONE, turns=(*state.turns, (event, taste)))
        own = np.flatnonzero(self.recipe.passing)
        fading, weights = self._fading_weights(state, state.reference)
        spoken = np.flatnonzero(weights[own].any(axis=0))
        events = [state.events[fading[i]] for i in spoken]
        sums, means = state.sums.copy(), state.means.copy()
        sums[own], means[own] = experts.weighted(
            self.catalogue, events, weights[np.ix_(own, spoken)], self.recipe.spaces[own]
        )
        return replace(state, sums=sums, means=means)

    def _moved(self, mood: float, earned: DoubleArray) -> float:
        """The mood after a step in which the experts earned so much."""
        if not self.recipe.two_moods:
            return mood
        better = float(earned[: len(self.recipe.experts)] @ self.recipe.contrast)
        odds = mood / (1 - mood) * math.exp(self.recipe.learning * min(max(better, -_DECISIVE), _DECISIVE))
        return (1 - _SWITCH) * odds / (1 + odds) + _SWITCH * _MOOD

    def _with(self, state: _State, events: list[Interaction]) -> _State:
        """The state after some events."""
        weights = np.array([self.recipe.strength(event) for event in events])
        counted = [event for event, weight in zip(events, weights, strict=True) if weight]
        acted_on = (event.row for event in events if event.row >= 0 and event.kind is not Kind.IMPRESSION)
        rows = tuple(dict.fromkeys((*state.touched, *acted_on)))
        state = replace(state, events=(*state.events, *events), touched=rows)
        if not counted:
            return state
        like = experts.likenesses(self.catalogue, counted)
        strengths = weights[weights != 0]
        fades = np.array([event.fades for event in counted])
        if not fades.all():
            added = np.einsum("m,smn->sn", strengths[~fades].astype(np.float32), like[:, ~fades])
            state = replace(state, steady=added + state.steady if len(state.steady) else added)
            counted = [event for event in counted if event.fades]
            strengths, like = strengths[fades], like[:, fades]
        if counted:
            state = self._faded(state, counted, strengths, like)
        liked = [e.row for e, w in zip(events, weights, strict=True) if w > 0]
        newest = (*state.liked, *liked)[-_DATED:]
        return replace(state, liked=newest, dates=self._dates(tuple(row for row in newest if row >= 0)))

    def _faded(self, state: _State, events: list[Interaction], strengths: DoubleArray, like: FloatArray) -> _State:
        """Fade the sums to the newest moment and add the events: S <- 2^-(...) S + W s."""
        times = np.array([experts.at(event) for event in events])
        newest = max(state.reference, float(times.max()))
        weights = strengths * self.recipe.fading(times, newest)  # (E, m)
        lapse = newest - state.reference if np.isfinite(state.reference) else 0.0
        old = 2.0 ** -np.minimum(len(events) * self.recipe.event_rates + lapse * self.recipe.day_rates, 1000)
        sums = self.recipe.sums(state.sums, old, weights, like)
        centres = experts.mean_likeness(self.catalogue, events)  # (3, m)
        means = old * state.means + np.einsum("em,em->e", weights, centres[self.recipe.spaces])
        return replace(state, sums=sums, means=means, reference=newest)

    def _dates(self, liked: tuple[int, ...]) -> FloatArray:
        """Log-odds of the dates, from the newest liked rows."""
        if not self._periods.speak:
            return np.zeros(len(self.catalogue), np.float32)
        history = np.zeros(len(self._periods.counts))
        for age, row in enumerate(reversed(liked)):
            if (period := self._periods.period[row]) >= 0:
                history[period] += 2.0 ** (-age / _DATE_HALF_LIFE)
        return self._periods.log_odds(history)

    # -- scoring -----------------------------------------------------------------------------------------------

    def _expert_scores(self, state: _State, now: float) -> FloatArray:
        """S_k with the events that do not fade, (E, n)."""
        if not len(state.steady):
            return state.sums
        lapse = max(0.0, now - state.reference) if np.isfinite(state.reference) else 0.0
        fading = 2.0 ** -np.minimum(lapse * self.recipe.day_rates, 1000)
        faded = state.sums * fading[:, None].astype(np.float32)
        return np.asarray(faded + state.steady[self.recipe.spaces], np.float32)

    def gate(self, now: float) -> DoubleArray:
        """Weight of each expert, of length and of date for this user, (E + 2,)."""
        state, recipe = self._state, self.recipe
        gained = state.advantage / (state.steps + _CAUTION)
        gained -= gained @ recipe.priors / recipe.priors.sum()
        weights = recipe.priors * np.clip(np.exp(recipe.learning * gained), *_BOUNDS)
        if recipe.two_moods:
            mood = self.mood(now)
            moods = np.where(recipe.session, mood / _MOOD, (1 - mood) / (1 - _MOOD))
            weights[: len(moods)] *= moods
        return np.asarray(weights)

    def _view(self, now: float) -> "_View":
        """The experts' scores and how they are weighed."""
        sums = self._expert_scores(self._state, now)
        known = sums[:, : self.catalogue.sample]
        means = self._state.means if not len(self._state.steady) else known.mean(axis=1, dtype=np.float64)
        power = np.array([float(row @ row) for row in known]) / max(known.shape[1], 1)
        deviation = np.sqrt(np.maximum(power - means**2, 0))
        usable = deviation > 1e-6 * np.sqrt(np.maximum(power, 1e-12))
        gate = self.gate(now)
        own = np.where(usable, gate[: len(sums)], 0)
        learnt = gate[len(sums) :]
        return _View(sums, means, 1 / np.where(usable, deviation, np.inf), own, np.append(learnt, self.recipe.fresh))

    def scores(self, now: float) -> FloatArray:
        """The mixed score of all items, (n,)."""
        self._follow_catalogue()
        view = self._view(now)
        factor = view.gate * view.scale
        total = factor.astype(np.float32) @ view.sums  # (E,) @ (E, n) -> (n,)
        total -= np.float32(factor @ view.means)
        view.squeeze(total)
        for weight, fact in zip(view.facts, self._facts(now), strict=True):
            total += np.float32(weight) * fact
        return total

    def _facts(self, now: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Length, date and freshness of the items, (n,) each, in the order of `facts.PARTS`."""
        return self._length, self._state.dates, self._freshness.at(moment(now))

    def explain(self, row: int, now: float) -> list[Contribution]:
        """Each event's share in each expert, and the item's own facts."""
        self._follow_catalogue()
        state, view = self._state, self._view(now)
        parts = [
            Contribution(name, float(weight * fact[row]))
            for name, weight, fact in zip(facts.PARTS, view.facts, self._facts(now), strict=True)
        ]
        weights = self._event_weights(now)
        spoken = [j for j in range(len(state.events)) if np.any(weights[:, j])]
        apart = experts.likeness_above_mean(self.catalogue, [state.events[j] for j in spoken], row)  # (3, m)
        amounts = view.kept(row)[:, None] * weights[:, spoken] * apart[self.recipe.spaces]  # (E, m)
        parts += self._by_part(amounts, spoken)
        return [part for part in parts if part.amount]

    def _event_weights(self, now: float) -> DoubleArray:
        """Weight of each learnt event in each expert's sum now, (E, m)."""
        state = self._state
        strengths = np.array([self.recipe.strength(event) for event in state.events])
        weights = np.repeat(strengths[None], len(self.recipe.experts), axis=0)
        fading, faded = self._fading_weights(state, max(state.reference, now) if len(state.steady) else state.reference)
        if fading:
            weights[:, fading] = faded
        return weights

    def _fading_weights(self, state: _State, reference: float) -> tuple[list[int], DoubleArray]:
        """Indices of the m events that fade and count, and their weights at a moment in each expert's sum, (E, m)."""
        strengths = [self.recipe.strength(event) for event in state.events]
        fading = [j for j, event in enumerate(state.events) if event.fades and strengths[j]]
        times = np.array([experts.at(state.events[j]) for j in fading])
        weights = np.array([strengths[j] for j in fading]) * self.recipe.fading(times, reference)
        begins, tastes = np.array(state.turns).T
        of_events = tastes[np.searchsorted(begins, fading, side="right") - 1]
        weights[np.ix_(self.recipe.passing, of_events != tastes[-1])] = 0
        return fading, weights

    def _by_part(self, amounts: DoubleArray, events: list[int]) -> list[Contribution]:
        """Amounts (E, m) summed over the experts that share a name; dislikes under their own."""
        parts = []
        for name in dict.fromkeys(expert.part for expert in self.recipe.experts):
            own = amounts[[k for k, expert in enumerate(self.recipe.experts) if expert.part == name]].sum(axis=0)
            parts += [Contribution(name, float(a), j) for a, j in zip(own, events, strict=True)]
        return parts

    def mood(self, now: float) -> float:
        """Probability that the present session tells more than the long-term taste; returns to m_0 when idle."""
        idle = max(0.0, moment(now) - self._state.reference) if np.isfinite(self._state.reference) else 0.0
        return float(_MOOD + (self._state.mood - _MOOD) * 2.0 ** -min(idle / _SESSION, 1000.0))

    # -- undo --------------------------------------------------------------------------------------------------

    def snapshot(self) -> _State:
        """The state itself, which never changes."""
        return self._state

    def restore(self, state: _State) -> None:
        """Go back to a snapshot; a catalogue that has changed since is followed."""
        self._state = state

    def copy(self) -> Self:
        """An independent policy in the same state."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin


@dataclass(frozen=True, slots=True)
class _View:
    """The experts at one moment: what they say of the items, and how loudly."""

    sums: FloatArray
    """(E, n) S_k."""
    means: DoubleArray
    """(E,) over the items."""
    scale: DoubleArray
    """(E,) one over the deviation over the items; 0 where items do not differ."""
    gate: DoubleArray
    """(E,) weights of the experts."""
    facts: DoubleArray
    """(3,) weights of length, date and freshness."""

    def squeeze(self, total: FloatArray) -> None:
        """Take from the total what the few outliers of each expert have too much."""
        edges = self.means + np.where(self.scale > 0, _TAIL / np.maximum(self.scale, 1e-30), np.inf)
        outliers = np.flatnonzero(self.sums > edges[:, None].astype(np.float32))
        k, rows = np.divmod(outliers, max(self.sums.shape[1], 1))
        excess = np.maximum((self.sums[k, rows] - edges[k]) * self.scale[k], 0)
        np.subtract.at(total, rows, (self.gate[k] * (excess - np.log1p(excess))).astype(np.float32))

    def kept(self, row: int) -> DoubleArray:
        """What a unit above the mean is worth in each expert for one row, tails squeezed, (E,)."""
        z = (self.sums[:, row] - self.means) * self.scale
        excess = np.maximum(z - _TAIL, 0)
        squeezed = np.where(excess > 0, (_TAIL + np.log1p(excess)) / np.maximum(z, _TAIL), 1)
        return np.asarray(self.gate * self.scale * squeezed)


def _place(fact: FloatArray, row: int, sample: int) -> float:
    """Items of the sample ahead of a row by a fact that many may share; half of the equal ones count."""
    known, own = fact[:sample], fact[row]
    same = np.count_nonzero(known == own) - (row < sample)
    return float(np.count_nonzero(known > own)) + 0.5 * float(same)
