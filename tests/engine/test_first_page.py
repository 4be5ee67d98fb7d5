"""What somebody sees of whom nothing is known: a page by coverage, and lists from a few typed interests."""

from itertools import pairwise

import numpy as np
import pytest
from conftest import Clock
from hypothesis import given
from hypothesis import strategies as st

from llmrec.engine import Engine, Item, Kind, LlmrecError, View
from llmrec.engine.catalogue import Catalogue
from llmrec.engine.first_page import PAGE, first_page, medoids
from llmrec.engine.vectors import unit

DAY = 86_400.0
TOPICS = {
    "sea": "sailing boat harbour tide anchor wave",
    "tune": "jazz guitar chord rhythm melody string",
    "star": "astronomy telescope planet comet galaxy",
    "rail": "train railway track signal station",
    "bread": "sourdough flour oven yeast crust",
    "wood": "chisel plane saw joint oak",
}


def topic(item: str) -> str:
    return item.rstrip("0123456789").split("-")[-1]


@pytest.fixture
def filled(engine: Engine, clock: Clock) -> Engine:
    """Two domains of six topics; in each, all of the newest items are about the sea."""
    for domain in ("feed", "shop"):
        for name, words in TOPICS.items():
            engine.add_items(
                Item(
                    f"{domain}-{name}{k}",
                    f"{words.split()[k % 5]} {name}",
                    f"{words} {words.split()[(k + 2) % 5]}",
                    published_at=clock() - DAY * (k if name == "sea" else 50 + k),
                    domain=domain,
                )
                for k in range(10)
            )
    list(engine.index())
    return engine


def test_the_first_rows_cover_the_domains_and_their_topics(filled: Engine) -> None:
    feed = filled.view("me", View("feed", varied=True)).ids
    assert {topic(item) for item in feed[:6]} == set(TOPICS)
    both = filled.view("me", View(varied=True)).ids
    assert [item.split("-")[0] for item in both[:6]] == ["feed", "shop"] * 3
    assert len({topic(item) for item in both[:12]}) == 6
    assert len(both) == 120, "nothing is lost"


def test_it_is_the_same_page_tomorrow_and_for_a_script(filled: Engine, clock: Clock) -> None:
    page = filled.view("me", View("feed", varied=True)).ids[:PAGE]
    clock.advance(DAY)
    assert filled.view("me", View("feed", varied=True)).ids[:PAGE] == page
    assert [found.id for found in filled.recommend("somebody", PAGE, view=View("feed"))] == page


def test_a_skip_takes_only_its_row_and_a_like_ends_it(filled: Engine) -> None:
    view = View("feed", varied=True)
    page = filled.view("me", view).ids[:6]
    after = filled.record("me", page[1], Kind.SKIP, view=view).ids
    assert [item for item in page if item != page[1]] == [item for item in after if item in page]
    assert after[0] == page[0]
    liked = filled.record("me", page[0], Kind.LIKE, view=view).ids
    assert [topic(item) for item in liked[:3]] == [topic(page[0])] * 3


def test_a_filter_is_answered_by_score(filled: Engine) -> None:
    assert {topic(item) for item in filled.view("me", View(query="sailing")).ids} == {"sea"}


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_no_row_is_lost_or_doubled(n: int, domains: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    catalogue = Catalogue(rng.normal(size=(n, 4)).round(0).astype(np.float32))
    rows = rng.permutation(n).astype(np.int32)[: n - n // 3]
    of = rng.integers(0, domains + 1, n)
    found = first_page(rows, catalogue, [of == d for d in range(domains + 1)])
    assert sorted(found.tolist()) == sorted(rows.tolist())


def test_medoids_cover_clusters_the_largest_first() -> None:
    rng = np.random.default_rng(0)
    sizes = [5, 30, 15]
    centres = np.eye(8)[np.repeat([0, 1, 2], sizes)]
    vectors = unit((centres + 0.1 * rng.normal(size=centres.shape)).astype(np.float32))
    found = medoids(vectors, 3)
    assert np.repeat([0, 1, 2], sizes)[found].tolist() == [1, 2, 0]
    assert medoids(np.zeros((4, 3), np.float32), 3) == []


class TestTypedInterests:
    """Three phrases start a list, are shown as interests, are undone, and fade as real events come."""

    def test_they_start_the_list(self, filled: Engine) -> None:
        ids = filled.steer("me", "more sailing, jazz, astronomy", view=View("feed")).ids
        assert {topic(item) for item in ids[:15]} == {"sea", "tune", "star"}
        assert {i.words for i in filled.interests("me")} == {("sailing",), ("jazz",), ("astronomy",)}

    def test_they_are_undone_as_they_were_typed(self, filled: Engine) -> None:
        before = filled.view("me").ids
        filled.steer("me", "more sailing")
        filled.steer("me", "more jazz, astronomy")
        filled.undo("me")
        assert [i.words for i in filled.interests("me")] == [("sailing",)]
        assert filled.undo("me").ids == before
        assert filled.redo("me").ids != before

    def test_they_fade_under_real_events_but_are_not_lost(self, filled: Engine, clock: Clock) -> None:
        view = View("feed")
        filled.steer("me", "more sailing, jazz, astronomy")
        shares = []
        for k in range(8):
            clock.advance(3_600)
            filled.record("me", f"feed-bread{k}", Kind.LIKE)
            mine = [i.now for i in filled.interests("me") if i.words[0] in ("sailing", "jazz", "astronomy")]
            shares.append(sum(mine))
        assert all(a > b for a, b in pairwise(shares))
        assert len(mine) == 3
        assert min(mine) > 0.02
        ids = filled.view("me", view).ids
        assert {topic(item) for item in ids[:2]} == {"bread"}
        places = {name: np.mean([p for p, item in enumerate(ids) if topic(item) == name]) for name in TOPICS}
        typed, untyped = [np.mean([places[n] for n in names]) for names in (("sea", "tune", "star"), ("rail", "wood"))]
        assert typed < untyped

    def test_directions_carry_over_and_end_with_the_next(self, filled: Engine) -> None:
        filled.steer("me", "more sailing, jazz, less astronomy, trains")
        found = {i.words: i.state for i in filled.interests("me")}
        assert found == {("sailing",): "", ("jazz",): "", ("astronomy",): "less", ("trains",): "less"}

    def test_more_phrases_than_anybody_has_are_refused_before_anything_is_written(self, filled: Engine) -> None:
        with pytest.raises(LlmrecError, match="at most 20"):
            filled.steer("me", "more " + ", ".join(f"w{k}" for k in range(21)))
        assert filled.interests("me") == []
