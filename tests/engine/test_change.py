"""A change of taste: the test itself on numbers drawn as it assumes, and what the default policy does about it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.policies.blend import Blend
from llmrec.engine.policies.change import NONE, Doubt, is_return, surprise, usual
from llmrec.engine.records import Interaction, Kind

TOPICS, EACH = 20, 100
BEFORE = 12
"""Likes of the old topic."""


@given(st.floats(1.1, 9))
def test_what_is_usual_speaks_against_a_change_and_anybodys_guess_for_it(mean: float) -> None:
    """By the expectation of x in either case, because r is linear in x."""
    assert surprise(mean, mean) < 0 < surprise(1.0, mean)
    assert surprise(0.0, mean) == pytest.approx(np.log(mean))


@pytest.mark.parametrize("mean", [3.0, 5.0])
def test_a_change_is_doubted_soon_and_what_is_usual_rarely(mean: float) -> None:
    """Places drawn as the model has them; the session's experts are the better ones after a change, else the worse."""
    rng = np.random.default_rng(0)

    def clicks_until_strong(usual_x: float, session: float) -> int:
        doubt = NONE
        for event in range(200):
            x = rng.exponential(usual_x)
            doubt = doubt.after(x, session * x, mean, event)
            if doubt.is_strong(event):
                return event
        return 200

    turned = [clicks_until_strong(1.0, 2.0) for _ in range(300)]
    steady = [clicks_until_strong(mean, 0.7) for _ in range(300)]
    assert np.median(turned) <= 3
    assert np.median(steady) > 5 * np.median(turned)


def test_doubt_begins_where_it_left_nothing() -> None:
    surprising, usual_ = (0.1, 0.1, 4.0), (6.0, 3.0, 4.0)
    first = NONE.after(*surprising, 7)
    assert first.begins == 7
    assert first.evidence > 0
    assert not first.is_strong(7), "one choice alone is none"
    second = first.after(*surprising, 8)
    assert second == Doubt(second.evidence, 7)
    assert second.is_strong(8)
    assert second.after(*usual_, 9).evidence == 0
    assert second.after(*usual_, 9).after(*surprising, 10).begins == 10


def test_what_the_session_foretells_is_doubt_too() -> None:
    """A choice that the memory places well, and the session far better."""
    known = Doubt(0.5, 3)
    assert known.after(2.0, 6.0, 4.0, 5).evidence > 0.5 > known.after(2.0, 2.0, 4.0, 5).evidence


def test_the_usual_is_learnt() -> None:
    log_n = np.log(10_000)
    assert usual(0.0, 0.0, log_n) == pytest.approx(1.5)
    assert usual(-50 * (log_n - 6.0), 50.0, log_n) == pytest.approx((50 * 6 + 4 * 1.5) / 54)
    assert usual(-50 * log_n, 50.0, log_n) > 1, "who picks what stands last"


def rooms(each: int = EACH) -> Catalogue:
    """Items of twenty topics by turns, alike in meaning and in words within each."""
    rng = np.random.default_rng(0)
    vectors = np.eye(TOPICS)[np.arange(TOPICS * each) % TOPICS] + 0.3 * rng.normal(size=(TOPICS * each, TOPICS))
    texts = [f"topic{i % TOPICS} number{i}" for i in range(TOPICS * each)]
    n = len(texts)
    return Catalogue(vectors.astype(np.float32), np.zeros(n), np.arange(n, dtype=np.int32) % 7, texts)


def likes(topic: int, count: int, after: int = 0, first: int = 0) -> list[Interaction]:
    """Likes of one topic, an hour apart."""
    return [Interaction(topic + TOPICS * (first + i), Kind.LIKE, 3600.0 * (after + i)) for i in range(count)]


def taught(events: list[Interaction], catalogue: Catalogue | None = None) -> Blend:
    policy = Blend(rooms() if catalogue is None else catalogue)
    for event in events:
        policy.learn([event])
    return policy


def topics_of_the_first_ten(policy: Blend, events: list[Interaction]) -> list[int]:
    scores = policy.scores(events[-1].at).copy()
    scores[[event.row for event in events]] = -np.inf
    return [int(row) % TOPICS for row in np.argsort(-scores)[:10]]


TURN = [*likes(3, BEFORE), *likes(8, 5, after=BEFORE)]


def test_after_a_turn_passing_memory_holds_the_new_topic_alone() -> None:
    policy = taught(TURN)
    assert topics_of_the_first_ten(policy, TURN) == [8] * 10
    row = 8 + TOPICS * 20
    parts = policy.explain(row, TURN[-1].at)
    assert sum(part.amount for part in parts) == pytest.approx(float(policy.scores(TURN[-1].at)[row]), abs=2e-4)
    old = {part.part for part in parts if part.event is not None and part.event < BEFORE}
    new = {part.part for part in parts if part.event is not None and part.event >= BEFORE}
    assert old == {"likes"}, "what lasts remembers the old topic"
    assert new == {"likes", "recent", "words"}


def test_one_odd_click_empties_no_memory() -> None:
    events = [*likes(3, BEFORE), *likes(8, 1, after=BEFORE), *likes(3, 1, BEFORE + 1, first=BEFORE)]
    policy = taught(events)
    parts = policy.explain(3 + TOPICS * 20, events[-1].at)
    assert {part.part for part in parts if part.event == BEFORE - 1} == {"likes", "recent", "words"}
    odd = [*likes(3, BEFORE), *(likes(topic, 1, BEFORE + k)[0] for k, topic in enumerate((5, 11, 17)))]
    parts = taught(odd).explain(3 + TOPICS * 20, odd[-1].at)
    assert "words" in {part.part for part in parts if part.event == BEFORE - 1}, "three that share nothing"


def test_who_comes_back_is_known_at_the_first_click() -> None:
    away = [*likes(3, BEFORE), *likes(8, 6, after=BEFORE)]
    policy = taught(away)
    assert policy.snapshot().turns[-1][1] == 1
    back = [*away, *likes(3, 1, after=BEFORE + 6, first=BEFORE)]
    policy.learn([back[-1]])
    assert policy.snapshot().turns == ((0, 0), (BEFORE, 1), (BEFORE + 6, 0))
    assert topics_of_the_first_ten(policy, back) == [3] * 10
    parts = policy.explain(3 + TOPICS * 50, back[-1].at)
    assert sum(part.amount for part in parts) == pytest.approx(
        float(policy.scores(back[-1].at)[3 + TOPICS * 50]), abs=2e-4
    )
    detour = {part.part for part in parts if part.event is not None and BEFORE <= part.event < BEFORE + 6}
    assert detour <= {"likes"}, "what was clicked on the way is remembered by what lasts alone"


def test_a_return_is_what_surprises_the_present_taste_and_not_what_remembers_all() -> None:
    assert is_return(0.1, 4.0, 5.0, 4.0)
    assert not is_return(0.1, 4.0, 0.1, 4.0), "new to both"
    assert not is_return(5.0, 4.0, 5.0, 4.0), "no surprise"


def test_a_change_is_undone_exactly() -> None:
    policy = taught(TURN[:-2])
    before, state = policy.scores(TURN[-1].at).copy(), policy.snapshot()
    for event in TURN[-2:]:
        policy.learn([event])
    assert policy.snapshot().turns == ((0, 0), (BEFORE, 1))
    policy.restore(state)
    assert np.array_equal(policy.scores(TURN[-1].at), before)


def test_a_catalogue_that_grows_after_a_change_keeps_what_is_remembered() -> None:
    whole, short = rooms(), TOPICS * (EACH - 2)
    grown = Catalogue(whole.vectors[:short], whole.published[:short], whole.sources[:short], whole.texts[:short])
    policy = taught(TURN, grown)
    assert policy.snapshot().turns == ((0, 0), (BEFORE, 1))
    grown.extend(whole.vectors[short:], whole.published[short:], whole.sources[short:], whole.texts[short:])
    row = 8 + TOPICS * 20
    parts = policy.explain(row, TURN[-1].at)
    assert sum(part.amount for part in parts) == pytest.approx(float(policy.scores(TURN[-1].at)[row]), abs=2e-4)
    assert {part.part for part in parts if part.event is not None and part.event < BEFORE} == {"likes"}
