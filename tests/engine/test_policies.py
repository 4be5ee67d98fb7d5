"""One contract for all ranking policies, on small catalogues whose answer is known."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from conftest import finished
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrec.engine import wide
from llmrec.engine.catalogue import Catalogue
from llmrec.engine.coding import fitted
from llmrec.engine.policies import BASELINES, POLICIES, Policy, make_policy
from llmrec.engine.policies.blend import Blend
from llmrec.engine.policies.shortlist import Shortlist
from llmrec.engine.records import Interaction, Kind
from llmrec.engine.wide import WideCatalogue

NOW = 1.7e9
DAY = 86_400.0
TOPICS = {"jazz": "saxophone swing trumpet", "code": "compiler python types", "food": "bread oven yeast"}


def topical(n: int = 60, d: int = 16, seed: int = 0) -> Catalogue:
    """Items of three topics by turns: row i is about topic i mod 3, in meaning and in words."""
    rng = np.random.default_rng(seed)
    centres = np.linalg.qr(rng.normal(size=(d, 3)))[0].T
    vectors = np.array([centres[i % 3] + 0.25 * rng.normal(size=d) for i in range(n)], np.float32)
    words = list(TOPICS.values())
    texts = [f"{words[i % 3]} number{i}" for i in range(n)]
    return Catalogue(vectors, np.full(n, NOW - 9 * DAY), np.arange(n, dtype=np.int32) % 3, texts)


def on(row: int, kind: Kind = Kind.LIKE, days_ago: float = 1.0, **more: float | bool) -> Interaction:
    return Interaction(row, kind, NOW - days_ago * DAY, **more)  # type: ignore[arg-type]


def widened(catalogue: Catalogue) -> WideCatalogue:
    """The same items as codes."""
    codes = finished(fitted(catalogue.vectors, lambda: [catalogue.texts[:40], catalogue.texts[40:]]))
    return WideCatalogue(catalogue.vectors, catalogue.published, catalogue.sources, catalogue.half_lives, codes)


def made(name: str, catalogue: Catalogue) -> Policy:
    """A policy by its name; "... shortlist" ranks a third of the items."""
    named = name.removesuffix(" shortlist")
    if named == name:
        return make_policy(name, catalogue)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wide, "SAMPLE", 12)
        return Shortlist(widened(catalogue), partial(make_policy, named), candidates=10)


SHORT = ("blend shortlist", "essay shortlist", "white-10e shortlist")
ALL = POLICIES + BASELINES + SHORT


@pytest.fixture(params=ALL)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def taught(name: str, steps: Sequence[Sequence[Interaction]], catalogue: Catalogue | None = None) -> Policy:
    policy = made(name, topical() if catalogue is None else catalogue)
    for step in steps:
        policy.learn(step)
    return policy


STEPS = [
    [on(0, days_ago=9)],
    [on(3, days_ago=8), on(6, days_ago=8)],
    [on(1, Kind.DISLIKE, 7)],
    [on(9, days_ago=2)],
]
CROWD_FREE = [name for name in ALL if name not in ("random", "popular", "recency")]


@pytest.mark.parametrize("name", CROWD_FREE)
def test_more_of_what_was_liked_comes_first(name: str) -> None:
    scores = taught(name, STEPS).scores(NOW)
    fresh = [row for row in range(60) if row not in (0, 1, 3, 6, 9)]
    best = sorted(fresh, key=lambda row: -scores[row])[:8]
    assert all(row % 3 == 0 for row in best)


def test_parts_sum_to_the_score(name: str) -> None:
    policy = taught(name, STEPS)
    scores = policy.scores(NOW)
    for row in (0, 5, 30, 59):
        parts = policy.explain(row, NOW)
        assert sum(part.amount for part in parts) == pytest.approx(float(scores[row]), abs=2e-4)
        assert all(part.event is None or 0 <= part.event < 5 for part in parts)


def test_undo_is_exact(name: str) -> None:
    policy = taught(name, STEPS[:3])
    before, state = policy.scores(NOW).copy(), policy.snapshot()
    policy.learn(STEPS[3])
    policy.restore(state)
    assert np.array_equal(policy.scores(NOW), before)


def test_state_equals_recomputation_from_the_log(name: str) -> None:
    catalogue = topical()
    policy = taught(name, STEPS[:2], catalogue)
    policy.scores(NOW - 5 * DAY)
    state = policy.snapshot()
    policy.learn([on(50, days_ago=7.5)])
    policy.restore(state)
    for step in STEPS[2:]:
        policy.scores(NOW)
        policy.learn(step)
    assert np.allclose(policy.scores(NOW), taught(name, STEPS, catalogue).scores(NOW), atol=1e-5)


def test_a_copy_lives_its_own_life(name: str) -> None:
    policy = taught(name, STEPS[:2])
    before = policy.scores(NOW).copy()
    policy.copy().learn(STEPS[2] + STEPS[3])
    assert np.array_equal(policy.scores(NOW), before)


@pytest.mark.parametrize("name", [name for name in ALL if name not in SHORT])
def test_a_growing_catalogue_keeps_what_was_learnt(name: str) -> None:
    whole = topical(90)
    grown = Catalogue(whole.vectors[:60], whole.published[:60], whole.sources[:60], whole.texts[:60])
    policy = taught(name, STEPS, grown)
    policy.scores(NOW)
    grown.extend(whole.vectors[60:], whole.published[60:], whole.sources[60:], whole.texts[60:])
    scores = policy.scores(NOW)
    assert scores.shape == (90,)
    if name in CROWD_FREE:
        assert scores[60:][::3].mean() > scores[61:][::3].mean()


def test_what_a_grown_catalogue_is_ranked_by_equals_learning_it_anew() -> None:
    log = [*STEPS, [on(12, days_ago=1.5, fades=False), on(13, Kind.SKIP, 1.5)], [on(15, Kind.SAVE, 1, weight=0.5)]]
    whole = topical(72)
    grown = Catalogue(whole.vectors[:60], whole.published[:60], whole.sources[:60], whole.texts[:60])
    followed = taught("blend", log, grown)
    grown.extend(whole.vectors[60:], whole.published[60:], whole.sources[60:], whole.texts[60:])
    assert isinstance(followed, Blend)
    scores, anew = followed.scores(NOW), Blend(grown)
    for step in log:
        anew.learn(step)
    learnt = followed._state
    anew._state = replace(anew._state, advantage=learnt.advantage, steps=learnt.steps, mood=learnt.mood)
    assert np.allclose(scores, anew.scores(NOW), atol=1e-4)


@pytest.mark.parametrize("name", [name for name in ALL if name != "random"])
def test_forgotten_events_do_not_speak(name: str) -> None:
    catalogue = topical()
    logs = ([*STEPS, [on(2, weight=0.0)]], STEPS)
    orders = [np.argsort(-taught(name, log, catalogue).scores(NOW), kind="stable") for log in logs]
    assert np.array_equal(*(order[order != 2] for order in orders))


@pytest.mark.parametrize(
    "vectors",
    [np.zeros((0, 4)), np.ones((1, 4)), np.ones((12, 4)), np.zeros((12, 4)), np.full((12, 4), np.nan)],
    ids=["empty", "one", "identical", "zero", "NaN"],
)
def test_odd_catalogues_rank_without_a_crash(name: str, vectors: np.ndarray) -> None:
    n = len(vectors)
    steps = [[on(row, kind)] for row, kind in [(0, Kind.LIKE), (5, Kind.DISLIKE), (7, Kind.SAVE)] if row < n]
    policy = taught(name, steps, Catalogue(vectors.astype(np.float32)))
    scores = policy.scores(NOW)
    assert scores.shape == (n,)
    assert np.isfinite(scores).all()


EVENTS = st.builds(
    Interaction,
    row=st.integers(0, 59),
    kind=st.sampled_from(list(Kind)),
    at=st.one_of(
        st.floats(NOW - 900 * DAY, NOW),
        st.sampled_from([0.0, -1e12, 1e12, 2.0**31, math.nan, math.inf, -math.inf]),
    ),
    value=st.one_of(st.none(), st.floats(0, 5000), st.sampled_from([math.nan, math.inf, -1.0])),
    weight=st.sampled_from([0.0, 0.5, 1.0, 3.0, math.nan]),
    fades=st.booleans(),
)


@settings(max_examples=25, deadline=None)
@given(log=st.lists(st.lists(EVENTS, min_size=1, max_size=3), max_size=6), name=st.sampled_from(ALL))
def test_any_log_gives_a_sensible_list(log: list[list[Interaction]], name: str) -> None:
    scores = taught(name, log, SHARED).scores(NOW)
    assert scores.shape == (60,)
    assert np.isfinite(scores).all()


SHARED = topical()


@settings(max_examples=50, deadline=None)
@given(log=st.lists(EVENTS, max_size=12), order=st.randoms(use_true_random=False))
def test_the_essays_interest_is_the_same_in_any_order(log: list[Interaction], order: object) -> None:
    shuffled = list(log)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = taught("essay", [log], SHARED), taught("essay", [[e] for e in shuffled], SHARED)
    u, v = one.interest(NOW), other.interest(NOW)  # type: ignore[attr-defined]
    assert np.allclose(u, v, rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(u).max())))
    assert np.allclose(u, one._recomputed(NOW), rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(u).max())))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("interest", "items", "best"),
    [
        ([0.3, 0.4, 0.3], [[0.1, 0.1, 0.8], [0.8, 0.1, 0.1], [0.2, 0.2, 0.6]], 2),
        ([0.2, 0.5, 0.3], [[0.1, 0.6, 0.3], [0.3, 0.1, 0.6], [0.6, 0.3, 0.1]], 0),
    ],
)
def test_the_essays_worked_cases(interest: list[float], items: list[list[float]], best: int) -> None:
    """U . C on the essay's own numbers, which are shares of topics and not unit rows."""
    catalogue = Catalogue(np.eye(3, dtype=np.float32))
    policy = make_policy("essay", catalogue)
    for topic, share in enumerate(interest):
        policy.learn([Interaction(topic, Kind.OPEN, NOW, weight=share)])
    products = np.array(items) @ policy.scores(NOW)
    assert int(np.argmax(products)) == best
    assert policy.scores(NOW) == pytest.approx(interest)


def test_the_mood_follows_a_turn_to_another_topic_and_passes_with_time() -> None:
    catalogue = topical(90)
    policy = make_policy("blend", catalogue)
    for day, row in enumerate(range(0, 60, 3)):
        policy.learn([on(row, days_ago=40 - day)])
    calm = policy.mood(NOW - 20 * DAY)
    for minute, row in enumerate((1, 4, 7, 10, 13)):
        policy.learn([on(row, days_ago=-minute / 1440)])
    moved = policy.mood(NOW)
    assert moved > calm
    scores = policy.scores(NOW)
    assert scores[61::3].mean() > scores[60::3].mean(), "five clicks outweigh twenty of another mood"
    assert policy.mood(NOW + 60 * DAY) == pytest.approx(0.25, abs=0.01)


def dated(ages: Sequence[float], half_lives: Sequence[float], sources: Sequence[int] | None = None) -> Catalogue:
    """Items that differ in nothing but their age and half-life (days) and their source."""
    n = len(ages)
    published = NOW - DAY * np.array(ages)
    codes = np.arange(n, dtype=np.int32) if sources is None else np.array(sources, np.int32)
    return Catalogue(np.ones((n, 4), np.float32), published, codes, ["same words"] * n, DAY * np.array(half_lives))


def test_what_is_stale_sinks_by_its_own_half_life() -> None:
    scores = taught("blend", [], dated([2, 2, 0.1, np.nan], [0.5, 900, 0.5, 0.5])).scores(NOW)
    assert scores[1] > scores[2] > scores[0]  # a course of two days ago, today's news, news of two days ago
    assert scores[2] > scores[3] > scores[0]  # an unknown date speaks neither for nor against


def test_a_half_life_that_is_corrected_counts_at_once() -> None:
    catalogue = dated([2, 2, 0.1], [0.5, 900, 0.5])
    policy = taught("blend", [], catalogue)
    before = policy.scores(NOW)
    catalogue.half_lives[0] = 900 * DAY
    assert policy.scores(NOW)[0] > before[0]


def test_a_source_that_posts_rarely_stays_longer() -> None:
    hourly, monthly = [k / 24 for k in range(240)], [9.0, 39.0, 69.0]
    catalogue = dated([*hourly, *monthly], [1] * 243, [0] * 240 + [1] * 3)
    scores = taught("blend", [], catalogue).scores(NOW)
    assert scores[240] > scores[9 * 24]  # both nine days old


def test_freshness_is_a_part_of_the_score() -> None:
    policy = taught("blend", [[on(1)]], dated([2, 2, 0.1], [0.5, 900, 0.5]))
    parts = {part.part: part.amount for part in policy.explain(2, NOW)}
    assert parts["fresh"] > 0
    assert sum(parts.values()) == pytest.approx(float(policy.scores(NOW)[2]), abs=1e-5)


def test_what_was_only_shown_changes_nothing_and_what_was_opened_teaches_the_gate() -> None:
    shown = taught("blend", [*STEPS[:2], [on(12, Kind.IMPRESSION, 7)], [on(12, days_ago=3)]])
    unseen = taught("blend", [*STEPS[:2], [on(12, days_ago=3)]])
    assert np.array_equal(shown.scores(NOW), unseen.scores(NOW))
    opened, before = (taught("blend", [*STEPS[:2], *more]) for more in ([[on(12, Kind.OPEN, 3)]], []))
    assert isinstance(opened, Blend)
    assert isinstance(before, Blend)
    assert not np.array_equal(opened.gate(NOW), before.gate(NOW))
