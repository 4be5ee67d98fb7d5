"""Measures of a change of taste, on policies whose answer is known by construction."""

import json
from typing import Any, Self

import numpy as np
import pytest

from llmrec.engine import drift
from llmrec.engine.catalogue import Catalogue
from llmrec.engine.drift import LONG_RETURN, PHASE, RETURN, Drift, DriftRun
from llmrec.engine.evaluate import histories
from llmrec.engine.policies.base import LogPolicy
from llmrec.engine.records import Event, ItemId, Kind

TOPICS, EACH, MANY = 8, 45, 90


def catalogue(each: int = EACH) -> Catalogue:
    """Row r is about topic r mod 8, and nothing else."""
    return Catalogue(np.eye(TOPICS, dtype=np.float32)[np.arange(TOPICS * each) % TOPICS])


def couple() -> tuple[np.ndarray, np.ndarray]:
    """A likes topic 0, B topic 1."""
    return np.arange(0, TOPICS * 45, TOPICS), np.arange(1, TOPICS * 45, TOPICS)


def long_couple() -> tuple[np.ndarray, np.ndarray]:
    """A likes topic 0 for long, B topic 1."""
    return np.arange(0, TOPICS * MANY, TOPICS), np.arange(1, TOPICS * PHASE, TOPICS)


class Topics(LogPolicy):
    """Ranks whole topics: the higher `weight` of a topic's clicks, the higher."""

    def weight(self, topics: list[int], topic: int) -> float:
        raise NotImplementedError

    def scores(self, now: float) -> np.ndarray:
        clicked = [event.row % TOPICS for event in self.events]
        by_topic = np.array([self.weight(clicked, topic) for topic in range(TOPICS)], np.float32)
        return by_topic[np.arange(len(self.catalogue)) % TOPICS]

    def explain(self, row: int, now: float) -> list[Any]:
        return []


class Stubborn(Topics):
    """Never follows: the first topic comes first for ever."""

    def weight(self, topics: list[int], topic: int) -> float:
        return float(topics[:1] == [topic])


class Elephant(Topics):
    """Follows the last click, and forgets nothing."""

    def weight(self, topics: list[int], topic: int) -> float:
        return float(topics[-1:] == [topic])


class Sceptic(Topics):
    """Believes in a topic after three clicks in a row, and in none before."""

    def weight(self, topics: list[int], topic: int) -> float:
        return float(topics[-3:] == [topic] * 3)


class Amnesiac(Topics):
    """Needs a run of ten clicks of one topic, and forgets it at the first click of another."""

    def weight(self, topics: list[int], topic: int) -> float:
        return float(topics[-10:] == [topic] * 10)


def measured(policy: type[LogPolicy]) -> dict[str, Any]:
    return drift.as_json(list(DriftRun(catalogue(), policy).run([couple()])))


def kept(policy: type[LogPolicy]) -> list[float]:
    found = measured(policy)["retention"]
    return [found[str(clicks)]["ratio"] for clicks in range(RETURN + 1)]


def test_who_was_never_moved_has_lost_nothing_and_never_recovers() -> None:
    assert kept(Stubborn) == [1.0] * 6
    found = measured(Stubborn)
    assert found["c90"]["median"] == found["caught_up"]["median"] == PHASE + 1
    assert found["newcomer"]["c90"]["median"] == 1
    assert found["told"]["c90"]["median"] == 2, "one told after the first click is right from the second on"
    assert found["told"]["area_lost"] == pytest.approx(1, abs=0.1)
    assert found["area_lost"] == pytest.approx(PHASE)


def test_a_perfect_memory_that_follows_is_back_at_the_first_click() -> None:
    assert kept(Elephant) == [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert measured(Elephant)["c90"]["median"] == 1
    assert measured(Elephant)["area_lost"] == 0


def test_who_needs_three_clicks_recovers_at_the_third() -> None:
    found = measured(Sceptic)
    assert found["c90"] == {"median": 3, "p90": pytest.approx(3), "of_mean_curve": 3}
    assert found["area_lost"] == pytest.approx(2, abs=0.3)  # an unknowing list is right by chance
    assert kept(Sceptic)[3:] == pytest.approx([1.0] * 3)
    assert max(kept(Sceptic)[:3]) < 0.6


def test_an_amnesiac_keeps_little() -> None:
    assert max(kept(Amnesiac)) < 0.6


def test_retention_compares_the_same_clicks_and_items_pair_by_pair() -> None:
    one = Drift((), (), (0.1, 0.2), (0.2, 0.4), ())
    other = Drift((), (), (0.0, 0.5), (0.0, 0.5), ())
    found = drift._ratio(np.array([0.1, 0.0]), np.array([0.2, 0.0]), np.random.default_rng(0))
    assert found["ratio"] == pytest.approx(0.5)
    assert found["ci95"] == pytest.approx([0.5, 0.5]), "a pair that had nothing to lose says nothing"
    spread = drift._ratio(
        np.array([d.returned[1] for d in (one, other)]),
        np.array([d.stayed[1] for d in (one, other)]),
        np.random.default_rng(0),
    )
    assert spread["ratio"] == pytest.approx(0.7 / 0.9)
    assert spread["ci95"] == pytest.approx([0.5, 1.0])
    assert drift._ratio(np.zeros(3), np.zeros(3), np.random.default_rng(0)) == {"ratio": None, "ci95": None}


class Grudging(Topics):
    """Follows whoever has most clicks, each of topic 1 counting for ten: it takes 150 clicks to forget a detour."""

    def weight(self, topics: list[int], topic: int) -> float:
        return topics.count(topic) * (10.0 if topic == 1 else 1.0)


@pytest.mark.parametrize(("policy", "share"), [(Stubborn, 1.0), (Amnesiac, 1.0), (Grudging, 0.0)])
def test_a_long_return_shows_what_does_not_come_back(policy: type[LogPolicy], share: float) -> None:
    """The amnesiac's list is right after ten clicks, and the last ten of fifty are looked at."""
    found = list(DriftRun(catalogue(MANY), policy).long_return([long_couple()]))
    assert found[0][1] == 1.0, "who stayed knows"
    assert drift.long_as_json(found) == {"pairs": 1, "clicks": LONG_RETURN, "ratio": share, "ci95": [share, share]}


def test_a_long_return_of_nobody_has_no_ratio() -> None:
    assert drift.long_as_json([]) == {"pairs": 0, "clicks": LONG_RETURN, "ratio": None, "ci95": None}


class Fickle(Topics):
    """One click turns the whole list."""

    def weight(self, topics: list[int], topic: int) -> float:
        return float(topics[-1:] == [topic])


class Steady(LogPolicy):
    """Nothing turns the list."""

    def scores(self, now: float) -> np.ndarray:
        return -np.arange(len(self.catalogue), dtype=np.float32)

    def explain(self, row: int, now: float) -> list[Any]:
        return []


def test_the_blast_radius_is_the_share_of_the_first_ten_that_one_random_click_replaces() -> None:
    assert measured(Steady)["blast_radius"] == {"median": 0, "mean": 0}
    shares = next(DriftRun(catalogue(), Fickle).run([couple()])).blast
    assert set(shares) <= {0.0, 1.0}, "another topic replaces all, the same one nothing"
    assert 1.0 in shares


def test_the_random_clicks_are_undone() -> None:
    seen = []

    class Watched(Elephant):
        def learn(self, step: Any) -> None:
            super().learn(step)
            seen.append(len(self.events))

        def copy(self) -> Self:
            assert [event.row for event in self.events] == couple()[0][:PHASE].tolist()
            return super().copy()

    next(DriftRun(catalogue(), Watched).run([couple()]))
    assert max(seen) == 2 * PHASE + RETURN


def test_recovery_must_last_and_nothing_cannot_be_recovered() -> None:
    assert drift.clicks_to_recover([0, 1, 0, 0, 1, 1, 1], 1.0) == 5
    assert drift.clicks_to_recover([0, 0, 0], 1.0) == 4
    assert drift.clicks_to_recover([0, 0], 0.0) is None
    assert drift.clicks_to_recover([0, 0.2, 0.6, 0.9], [0, 0.4, 0.6, 0.9]) == 3
    assert drift.area_lost([0.5, 0.25, 1, 1, 1], 1.0) == pytest.approx(1.25)
    assert drift.area_lost([0.5, 0.25], 0.0) == 0


def test_pairs_are_distant_people_with_enough_likes_each_used_once() -> None:
    rows = {ItemId(f"i{r}"): r for r in range(TOPICS * EACH)}
    events = [
        Event(f"u{topic}", ItemId(f"i{TOPICS * n + topic}"), Kind.LIKE, float(n))
        for topic in range(3)
        for n in range(EACH)
    ]
    events += [Event("short", ItemId(f"i{TOPICS * n + 5}"), Kind.LIKE, float(n)) for n in range(20)]
    found = drift.pairs(catalogue(), histories(events, rows), 9)
    assert len(found) == 1, "three people make one pair, and the fourth has too few likes"
    a, b = found[0]
    assert len(a) == len(b) == 45
    assert set(a % TOPICS) != set(b % TOPICS)
    assert drift.pairs(catalogue(), [], 9) == []


def test_for_a_long_return_only_the_first_of_a_pair_needs_many_likes() -> None:
    rows = {ItemId(f"i{r}"): r for r in range(TOPICS * MANY)}
    events = [
        Event(f"u{topic}", ItemId(f"i{TOPICS * n + topic}"), Kind.LIKE, float(n))
        for topic, likes in ((0, MANY), (1, PHASE), (2, PHASE), (3, PHASE - 1))
        for n in range(likes)
    ]
    found = drift.detours(catalogue(MANY), histories(events, rows), 9)
    assert [(len(a), len(b)) for a, b in found] == [(MANY, PHASE)]
    assert set(found[0][0] % TOPICS) == {0}
    assert drift.detours(catalogue(), [], 9) == []


def test_figures_are_json() -> None:
    assert json.loads(json.dumps(measured(Elephant)))["pairs"] == 1
    assert drift.as_json([]) == {"pairs": 0}
