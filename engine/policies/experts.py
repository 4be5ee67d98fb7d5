"""The views of one user's past that the default policy mixes, and the fixed facts of items beside them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.policies.base import DAY, kind_weight, moment
from llmrec.engine.records import Interaction
from llmrec.engine.vectors import DoubleArray
from llmrec.engine.words import IndexArray
from llmrec.models import FloatArray

BoolArray = npt.NDArray[np.bool_]
WHITE, PLAIN, WORDS = 0, 1, 2
"""The three likenesses of items: whitened joint space, plain joint space, shared words."""
_LIKE = 3.0
"""Weight of a like in the essay's scale; here it counts as one."""


@dataclass(frozen=True, slots=True)
class Expert:
    """One view: a weighted sum of likenesses to past events, fading by its own clock."""

    part: str
    """Name of its share in explanations."""
    space: int
    """Which likeness."""
    prior: float
    """Weight before anything is known of the user."""
    events: float = np.inf
    """Half-life in events."""
    days: float = np.inf
    """Half-life in days."""

    @property
    def session(self) -> bool:
        """Whether it follows the present mood and not the long-term taste."""
        return self.events < 5

    @property
    def lasting(self) -> bool:
        """Whether it remembers for a month and more, whatever is clicked; others begin anew when a taste changes."""
        return self.events == np.inf and self.days >= 30


@dataclass(frozen=True)
class Recipe:
    """What is mixed, and in which proportions before anything is known of the user.

    The session's experts begin with little: with half as much again one random click replaces three of the first ten
    and not two, and nDCG@10 is the same.
    """

    experts: tuple[Expert, ...] = (
        Expert("likes", WHITE, 0.6),
        Expert("likes", WHITE, 0.5, events=10),
        Expert("recent", WHITE, 0.1, events=2),
        Expert("likes", WHITE, 0.2, days=30),
        Expert("recent", PLAIN, 0.18, events=2),
        Expert("likes", PLAIN, 0.3, days=7),
        Expert("words", WORDS, 0.45, events=10),
        Expert("recent", WORDS, 0.07, events=2),
    )
    length: float = 0.8
    """Prior weight of how much is written about an item."""
    date: float = 0.4
    """Prior weight of the period in which an item appeared."""
    fresh: float = 0.4
    """Weight of freshness by the item's own half-life. Not learnt: whoever picks only what is new teaches the dates."""
    learning: float = 1.0
    """How far the gate follows what it learns of the user."""
    against: float = 0.3
    """Strength of a dislike against a like: what is disliked lies near what is liked, so more would hurt both."""

    @cached_property
    def spaces(self) -> IndexArray:
        """Space of each expert, (E,)."""
        return np.array([expert.space for expert in self.experts])

    @cached_property
    def priors(self) -> DoubleArray:
        """Prior weights of the experts, of length and of date, (E + 2,)."""
        return np.array([*(expert.prior for expert in self.experts), self.length, self.date])

    @cached_property
    def event_rates(self) -> DoubleArray:
        """Halvings per event, (E,)."""
        return 1 / np.array([expert.events for expert in self.experts])

    @cached_property
    def day_rates(self) -> DoubleArray:
        """Halvings per second, (E,)."""
        return 1 / (DAY * np.array([expert.days for expert in self.experts]))

    @cached_property
    def session(self) -> BoolArray:
        """Which experts follow the present mood, (E,)."""
        return np.array([expert.session for expert in self.experts], np.bool_)

    @cached_property
    def passing(self) -> BoolArray:
        """Which experts' memory begins anew when the taste changes, (E,)."""
        return np.array([not expert.lasting for expert in self.experts], np.bool_)

    @cached_property
    def watched(self) -> BoolArray:
        """Which of these tell a change: those that hold more than the last click or two, (E,)."""
        return self.passing & ~self.session

    @cached_property
    def lasting(self) -> BoolArray:
        """Which experts remember all, (E,)."""
        return ~self.passing

    @cached_property
    def two_moods(self) -> bool:
        """Whether there are experts of both kinds to choose between."""
        return bool(self.session.any() and not self.session.all())

    @cached_property
    def contrast(self) -> DoubleArray:
        """Mean over the session's experts minus mean over the others, by priors, (E,); where there are both."""
        own = self.priors[: len(self.experts)]
        return np.asarray(np.where(self.session, own / own[self.session].sum(), -own / own[~self.session].sum()))

    def strength(self, event: Interaction) -> float:
        """Signed weight of an event in the experts' sums; a like is 1."""
        weight = kind_weight(event) / _LIKE
        return weight if weight > 0 else self.against * weight

    def fading(self, event_times: DoubleArray, reference: float) -> DoubleArray:
        """Weights of m events learnt in this order, newest last, for each expert. (m,) -> (E, m)."""
        return fading(event_times, reference, self.event_rates, self.day_rates)

    def sums(self, old: FloatArray, fading: DoubleArray, weights: DoubleArray, like: FloatArray) -> FloatArray:
        """S_k <- f_k S_k + sum_j w_kj s_k(., j), as one product. (E, n), (E,), (E, m), (3, m, n) -> (E, n)."""
        e, m = weights.shape
        factors = np.zeros((e, e + 3 * m), np.float32)
        factors[np.arange(e), np.arange(e)] = fading
        columns = e + m * self.spaces[:, None] + np.arange(m)  # (E, m)
        factors[np.arange(e)[:, None], columns] = weights
        views = np.concatenate([old, like.reshape(3 * m, -1)])
        return np.asarray(factors @ views)  # (E, E + 3m) @ (E + 3m, n) -> (E, n)


RECIPE = Recipe()


def fading(event_times: DoubleArray, reference: float, event_rates: DoubleArray, day_rates: DoubleArray) -> DoubleArray:
    """Weights of m events learnt in this order, newest last, by c clocks. (m,) -> (c, m).

    Args:
        event_times: Unix seconds, (m,).
        reference: the moment at which they are weighed.
        event_rates: halvings per event, (c,).
        day_rates: halvings per second, (c,).
    """
    behind = np.arange(len(event_times) - 1, -1, -1)
    age = np.maximum(reference - event_times, 0)
    halvings = event_rates[:, None] * behind + day_rates[:, None] * age
    return np.asarray(2.0 ** -np.minimum(halvings, 1000))


def likenesses(catalogue: Catalogue, events: list[Interaction]) -> FloatArray:
    """Likeness of all n items to m events in the three spaces, (3, m, n)."""
    joint = catalogue.joint
    result = np.empty((3, len(events), len(catalogue)), np.float32)
    joint.likeness(probes(catalogue, events), out=result[:2])
    for index, event in enumerate(events):
        result[WORDS, index] = catalogue.words.similarity(event.row) if event.row >= 0 else 0
    return result


def weighted(
    catalogue: Catalogue, events: list[Interaction], weights: DoubleArray, spaces: IndexArray
) -> tuple[FloatArray, DoubleArray]:
    """Sums of likenesses to m events, sum_j w_kj s_k(., j), and their means over the items.

    One product however many events there are, because a weighted sum of queries is a query.

    Args:
        catalogue: the items.
        events: m of them.
        weights: (E, m).
        spaces: (E,) which likeness each sum is of.

    Returns:
        (E, n) and (E,).
    """
    rows = np.arange(len(spaces))
    mixed = weights.astype(np.float32) @ probes(catalogue, events)  # (E, m) @ (2, m, k) -> (2, E, k)
    sums = np.empty((len(spaces), len(catalogue)), np.float32)
    means = np.einsum("em,em->e", weights, mean_likeness(catalogue, events)[spaces])
    for space in (WHITE, PLAIN):
        own = rows[spaces == space]
        if len(own):
            sums[own] = catalogue.joint.likeness(mixed[:, own])[space]
    own = rows[spaces == WORDS]
    if len(own):
        query = np.zeros((len(catalogue.words.vocabulary), len(own)), np.float32)
        for event, weight in zip(events, weights[own].T, strict=True):
            if event.row >= 0:
                terms, data = catalogue.words.row(event.row)
                query[terms] += data[:, None] * weight.astype(np.float32)
        sums[own] = catalogue.words.times(query).T  # (n, v) @ (v, e) -> (n, e)
    return sums, means


def mean_likeness(catalogue: Catalogue, events: list[Interaction]) -> DoubleArray:
    """Mean over all items of their likeness to m events in the three spaces, (3, m)."""
    result = np.zeros((3, len(events)))
    result[:2] = np.einsum("smk,sk->sm", probes(catalogue, events), catalogue.joint.middle)
    for index, event in enumerate(events):
        if event.row >= 0:
            result[WORDS, index] = catalogue.words.mean_similarity(event.row)
    return result


def likeness_above_mean(catalogue: Catalogue, events: list[Interaction], row: int) -> DoubleArray:
    """Likeness of one item to m events in the three spaces, minus the mean over all items, (3, m)."""
    joint, words = catalogue.joint, catalogue.words
    own = joint.rows[row] * joint.inverse_lengths[:, row, None]  # (2, k)
    result = -mean_likeness(catalogue, events)
    result[:2] += np.einsum("smk,sk->sm", probes(catalogue, events), own)
    for index, event in enumerate(events):
        if event.row >= 0:
            result[WORDS, index] += words.between(row, event.row)
    return result


def probes(catalogue: Catalogue, events: list[Interaction]) -> FloatArray:
    """Queries of events on items, or on typed interests, in the joint space. -> (2, m, k)."""
    joint = catalogue.joint
    points = np.zeros((len(events), joint.rows.shape[1]), np.float32)
    for index, event in enumerate(events):
        if event.row >= 0:
            points[index] = joint.rows[event.row]
        elif event.vector is not None and np.any(vector := catalogue.vector(event)):
            points[index] = joint.space.project(vector[None])[0]
    return joint.probes(points)


def at(event: Interaction) -> float:
    """When an event happened, made computable."""
    return moment(event.at)
