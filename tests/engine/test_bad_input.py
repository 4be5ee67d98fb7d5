"""Whatever comes in, a sensible list or a clear line: odd catalogues, logs, times and values, through the engine."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from conftest import NOW, Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrec.engine import Engine, Event, Item, ItemId, Kind, View
from llmrec.models.hashing import HashingEmbedder

DAY = 86_400.0
WORDS = ("sailing boat harbour", "flour oven yeast", "telescope planet comet", "")
ITEMS = [Item(ItemId(f"i{k}"), f"{WORDS[k % 4]} n{k}", published_at=NOW - k * DAY) for k in range(24)]
ABSURD = [math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0, NOW + 4_000 * DAY, -1e12]

times = st.one_of(st.floats(NOW - 900 * DAY, NOW + DAY), st.sampled_from(ABSURD))
values = st.one_of(st.none(), st.floats(0, 1e4), st.sampled_from([math.nan, math.inf, -5.0]))
logs = st.lists(
    st.builds(
        Event,
        user=st.just("me"),
        item=st.sampled_from([item.id for item in ITEMS]),
        kind=st.sampled_from(list(Kind)),
        at=times,
        value=values,
    ),
    max_size=8,
)


def opened(
    items: Sequence[Item] = ITEMS, events: Sequence[Event] = (), now: float = NOW, policy: str | None = None
) -> Engine:
    engine = Engine.open(":memory:", embedder=HashingEmbedder(), clock=Clock(now), policy=policy)
    engine.add_items(items)
    list(engine.index())
    engine.add_events(events)
    return engine


def sensible(engine: Engine, left: set[str]) -> None:
    """Every item that is left stands in the list once, with a finite score, and each can be explained."""
    for view in (View(), View(varied=True)):
        batch = engine.view("me", view)
        shown = [*batch.ids, *(hidden for group in batch.folded.values() for hidden in group)]
        assert sorted(shown) == sorted(left)
        assert np.isfinite(batch.scores).all()
    assert all(math.isfinite(interest.now) for interest in engine.interests("me"))
    if left:
        why = engine.why("me", ItemId(min(left)))
        assert math.isfinite(why.score)
        assert sum(reason.amount for reason in why.reasons) == pytest.approx(why.score, abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(logs)
def test_any_log_gives_a_sensible_list(log: list[Event]) -> None:
    with opened(events=log) as engine:
        acted = {event.item for event in log if event.kind is not Kind.IMPRESSION}
        sensible(engine, {item.id for item in ITEMS} - acted)


@settings(max_examples=15, deadline=None)
@given(logs, st.sampled_from(ITEMS), st.sampled_from([t for t in ABSURD if not t <= NOW]))
def test_a_time_that_cannot_be_counts_as_now_and_moves_nothing_else(log: list[Event], item: Item, at: float) -> None:
    bad, good = (opened(events=[*log, Event("me", item.id, Kind.LIKE, when)]) for when in (at, NOW))
    with bad, good:
        assert bad.view("me").ids == good.view("me").ids
        np.testing.assert_allclose(bad.view("me").scores, good.view("me").scores, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(logs, st.sampled_from(ITEMS), st.sampled_from(ABSURD))
def test_a_bad_time_of_what_says_nothing_changes_nothing(log: list[Event], item: Item, at: float) -> None:
    seen = Event("me", item.id, Kind.IMPRESSION, at)
    with opened(events=log) as without, opened(events=[*log, seen]) as with_it:
        assert with_it.view("me").ids == without.view("me").ids


@settings(max_examples=15, deadline=None)
@given(logs, st.floats(NOW - 900 * DAY, NOW))
def test_the_list_as_of_a_day_is_the_list_of_that_day(log: list[Event], then: float) -> None:
    """What was logged later and published later is not known: the same as an engine whose clock stands there."""
    log = [event for event in log if event.at <= NOW]
    with opened(events=log) as today, opened(events=[e for e in log if e.at <= then], now=then) as that_day:
        assert [r.id for r in today.recommend("me", 99, as_of=then)] == [r.id for r in that_day.recommend("me", 99)]
        assert today.interests("me", as_of=then) == that_day.interests("me")
        for item in ITEMS[:3]:
            assert today.why("me", item.id, as_of=then) == that_day.why("me", item.id)


@settings(max_examples=20, deadline=None)
@given(logs, st.randoms(use_true_random=False))
def test_the_order_of_the_file_does_not_matter(log: list[Event], random: object) -> None:
    """Events come in any order; those of one moment are one step."""
    log = [Event(e.user, e.item, e.kind, NOW - 60 * k, e.value) for k, e in enumerate(log)]
    shuffled = list(log)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    with opened(events=log) as one, opened(events=shuffled) as other:
        np.testing.assert_allclose(one.view("me").scores, other.view("me").scores, atol=1e-5)
        assert one.view("me").ids == other.view("me").ids


class Odd(HashingEmbedder):
    """An encoder that gives each item the same odd vector."""

    def __init__(self, row: float) -> None:
        super().__init__()
        self._row = row

    def embed(self, texts: Sequence[str], **options: object) -> np.ndarray:
        return np.full((len(texts), self.dim), self._row, np.float32)


@pytest.mark.parametrize("row", [0.0, 1.0, math.nan, math.inf], ids=["zero", "identical", "NaN", "infinite"])
@pytest.mark.parametrize("n", [0, 1, 2, 24])
def test_odd_vectors(row: float, n: int) -> None:
    with Engine.open(":memory:", embedder=Odd(row), clock=Clock(NOW)) as engine:
        engine.add_items(ITEMS[:n])
        list(engine.index())
        sensible(engine, {item.id for item in ITEMS[:n]})
        for k, kind in enumerate((Kind.LIKE, Kind.DISLIKE, Kind.SAVE)):
            if k < n:
                engine.record("me", ITEMS[k].id, kind)
        engine.steer("me", "more sailing, less baking")
        sensible(engine, {item.id for item in ITEMS[3:n]})
        engine.search("sailing")


@settings(max_examples=20, deadline=None)
@given(st.permutations(ITEMS), st.sampled_from([Kind.DISLIKE, Kind.SKIP, Kind.LIKE, Kind.OPEN]), st.integers(0, 24))
def test_one_kind_of_event_until_all_is_consumed(items: list[Item], kind: Kind, count: int) -> None:
    with opened() as engine:
        for item in items[:count]:
            batch = engine.record("me", item.id, kind)
        sensible(engine, {item.id for item in items[count:]})
        if count == len(items):
            assert batch.ids == []
            assert engine.undo("me").ids == [items[-1].id]
