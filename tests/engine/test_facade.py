"""The engine as the screen uses it: press, re-order, undo, explain."""

from collections.abc import Sequence

import numpy as np
import pytest
from conftest import NOW, Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrec.engine import NEW, Engine, Event, Item, Kind, LlmrecError, UnknownItem, View
from llmrec.engine.wording import until
from llmrec.models.hashing import HashingEmbedder

TOPICS = {
    "sea": "sailing boat harbour tide anchor wave sail rope knot keel",
    "bread": "sourdough flour oven yeast crust dough loaf rye bake crumb",
    "rail": "train railway track signal station carriage sleeper locomotive timetable gauge",
    "star": "telescope planet comet galaxy nebula orbit eclipse meteor lens sky",
    "bird": "wing nest feather migration song beak hide flock heron swift",
    "tune": "guitar chord rhythm melody string bow piano drum scale choir",
    "wood": "chisel plane saw joint oak bench glue grain varnish mallet",
    "money": "interest bank budget loan saving pension tax fund bond debt",
}
DAY = 86_400.0


def catalogue(per_topic: int = 12) -> list[Item]:
    """Items whose topic is known by construction: each has only words of one topic, three of which all of it share."""
    items = []
    for topic, words in TOPICS.items():
        vocabulary = words.split()
        for k in range(per_topic):
            text = " ".join([*vocabulary[:3], *(vocabulary[(k + j) % len(vocabulary)] for j in range(5))])
            items.append(Item(f"{topic}{k}", f"{vocabulary[k % 10]} {topic}", text, tags=(topic,), domain="feed"))
    return items


@pytest.fixture
def filled(engine: Engine) -> Engine:
    engine.add_items(catalogue())
    list(engine.index())
    return engine


def mean_rank(ids: Sequence[str], topic: str) -> float:
    return float(np.mean([rank for rank, item in enumerate(ids) if item.startswith(topic)]))


def topics(ids: Sequence[str], n: int = 8) -> list[str]:
    return [i.rstrip("0123456789") for i in ids[:n]]


def test_a_like_brings_its_kind_up_within_the_same_press(filled: Engine) -> None:
    before = filled.view("me")
    after = filled.record("me", "wood3", Kind.LIKE, view=View(keep=frozenset({"wood3"})))
    assert topics(after.ids).count("wood") == 8
    assert len(set(topics(before.ids))) == 8, "of everything a little, as long as nothing is known"
    assert after.revision > before.revision
    assert after.change is not None
    assert after.change.interest.startswith("wood")
    assert after.change.moved_up > 0


def test_moves_say_how_far_each_row_rose(filled: Engine) -> None:
    before = filled.view("me")
    after = filled.record("me", "sea3", Kind.LIKE)
    old = {item: rank for rank, item in enumerate(before.ids, start=1)}
    for rank, (item, move) in enumerate(zip(after.ids, after.moves, strict=True), start=1):
        assert move == old[item] - rank
    back = filled.undo("me")
    assert back.moves[list(back.ids).index("sea3")] == NEW  # it had left the list


def test_what_was_acted_on_leaves_unless_kept_or_asked_for(filled: Engine) -> None:
    filled.record("me", "sea3", Kind.OPEN)
    assert "sea3" not in filled.view("me").ids
    assert "sea3" in filled.view("me", View(keep=frozenset({"sea3"}))).ids
    assert "sea3" in filled.view("me", View(seen=True)).ids


def test_undo_and_redo_are_exact(filled: Engine, clock: Clock) -> None:
    filled.record("me", "bread1", Kind.LIKE)
    before = filled.view("me")
    clock.advance(60)
    liked = filled.record("me", "sea3", Kind.SAVE)
    undone = filled.undo("me")
    clock.advance(-60)
    assert filled.view("me").ids == before.ids
    np.testing.assert_array_equal(filled.view("me").scores, before.scores)
    clock.advance(60)
    assert undone.change is not None
    assert undone.change.undone
    redone = filled.redo("me")
    assert redone.ids == liked.ids
    assert filled.redo("me").change is None
    assert filled.undo("nobody").change is None


def test_a_new_event_ends_what_can_be_redone(filled: Engine) -> None:
    filled.record("me", "sea1", Kind.LIKE)
    filled.undo("me")
    filled.record("me", "sea2", Kind.LIKE)
    assert filled.redo("me").change is None


KINDS = st.sampled_from([k for k in Kind if k is not Kind.IMPRESSION])
EVENTS = st.lists(st.tuples(st.integers(0, 95), KINDS, st.floats(0, 400 * DAY)), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(EVENTS)
def test_the_live_state_equals_a_replay_of_the_log(events: list[tuple[int, Kind, float]]) -> None:
    items = catalogue()
    with Engine.open(":memory:", embedder=HashingEmbedder(), clock=Clock(NOW)) as engine:
        engine.add_items(items)
        list(engine.index())
        for row, kind, age in events:  # in any order of time
            live = engine.record("me", items[row].id, kind, NOW - age)
        engine._live.forget()
        replayed = engine.view("me")
        np.testing.assert_allclose(live.scores, replayed.scores, atol=1e-5)
        assert live.ids == replayed.ids


@settings(max_examples=25, deadline=None)
@given(EVENTS, st.integers(1, 12))
def test_undoing_equals_never_having_pressed(events: list[tuple[int, Kind, float]], undone: int) -> None:
    items, clock = catalogue(), Clock(NOW)
    with Engine.open(":memory:", embedder=HashingEmbedder(), clock=clock) as engine:
        engine.add_items(items)
        list(engine.index())
        for row, kind, gap in events:
            clock.advance(gap)
            engine.record("me", items[row].id, kind)
        for _ in range(undone):
            live = engine.undo("me")
        live_interests = engine.interests("me")
        engine._live.forget()
        replayed = engine.view("me")
        np.testing.assert_allclose(live.scores, replayed.scores, atol=1e-5)
        assert live.ids == replayed.ids
        assert engine.interests("me") == live_interests
        assert len(engine.history("me")) == max(0, len(events) - undone)


def test_the_past_can_be_seen_as_it_was(filled: Engine, clock: Clock) -> None:
    filled.record("me", "sea1", Kind.LIKE)
    then = [r.id for r in filled.recommend("me", 10)]
    clock.advance(30 * DAY)
    filled.record("me", "bread1", Kind.SAVE)
    assert [r.id for r in filled.recommend("me", 10)] != then
    assert [r.id for r in filled.recommend("me", 10, as_of=NOW)] == then


def test_nothing_is_recommended_before_it_is_out(engine: Engine) -> None:
    engine.add_items([Item("old", "Old sea", published_at=NOW - DAY), Item("today", "New sea", published_at=NOW - 60)])
    list(engine.index())
    assert {r.id for r in engine.recommend("me", 5)} == {"old", "today"}
    assert {r.id for r in engine.recommend("me", 5, as_of=NOW - 3600)} == {"old"}


def test_reasons_sum_to_the_score_and_the_counterfactual_is_true(filled: Engine, clock: Clock) -> None:
    filled.record("me", "bread5", Kind.LIKE)
    clock.advance(3600)
    filled.record("me", "sea3", Kind.SAVE)
    why = filled.why("me", "sea4")
    assert sum(r.amount for r in why.reasons) == pytest.approx(why.score, abs=1e-4)
    assert why.without is not None
    assert why.without.item == "sea3"
    filled.undo("me")
    assert why.rank_without == list(filled.view("me").ids).index("sea4") + 1
    assert why.rank_without > why.rank


def test_ranks_of_why_are_those_of_the_list_that_is_shown(filled: Engine) -> None:
    view = View(varied=True)
    shown = filled.record("me", "sea3", Kind.LIKE, view=view)
    assert list(shown.ids) != list(filled.view("me").ids)  # variety has moved some rows
    ranks = {item: filled.why("me", item, view=view).rank for item in shown.ids}
    assert [ranks[item] for item in shown.ids] == list(range(1, len(shown.ids) + 1))
    for head, hidden in shown.folded.items():
        assert all(filled.why("me", item, view=view).rank == ranks[head] for item in hidden)


def test_what_was_typed_to_see_less_of_is_shown_and_can_be_taken_back(filled: Engine, clock: Clock) -> None:
    filled.record("me", "sea3", Kind.LIKE)
    filled.steer("me", "less bread this week, more rope")
    filled.steer("me", "not sea")
    shown = filled.interests("me")
    assert [(i.words, i.state.split(" until")[0]) for i in shown if not i.always] == [
        (("sea",), "less"),
        (("bread",), "less"),
    ]
    assert shown[-1].state == f"less {until(NOW + 7 * DAY)}"
    with pytest.raises(LlmrecError, match="forget takes it back"):
        filled.control("me", shown[-1].id, "boost")
    change = filled.control("me", shown[-1].id, "forget").change
    assert change is not None
    assert change.undone
    assert [i.words for i in filled.interests("me") if not i.always] == [("sea",)]
    filled.redo("me")
    clock.advance(8 * DAY)
    assert [i.words for i in filled.interests("me") if not i.always] == [("sea",)]  # the week is over
    assert filled.interests("me", NOW)[-1].words == ("bread",)  # it was not over then


def test_one_undo_takes_back_a_whole_steering_command_and_one_redo_brings_it_back(filled: Engine) -> None:
    orders = [list(filled.view("me").ids)]
    for command in ("more sea", "more bread, train, less rope", "more rail"):
        filled.steer("me", command)
        orders.append(list(filled.view("me").ids))
    titles = []
    for order in orders[-2::-1]:
        change = filled.undo("me").change
        assert change is not None
        titles.append(change.title)
        assert list(filled.view("me").ids) == order
    assert titles == ["more rail", "more bread, more train, less rope", "more sea"]
    for order, title in zip(orders[1:], titles[::-1], strict=True):
        change = filled.redo("me").change
        assert change is not None
        assert (change.title, change.undone) == (title, False)
        assert list(filled.view("me").ids) == order
    assert filled.redo("me").change is None


def test_users_do_not_mix(filled: Engine) -> None:
    before = filled.view("other").ids
    filled.record("me", "sea3", Kind.SAVE)
    assert filled.view("other").ids == before


class TestCorrections:
    """Boost, less, freeze, snooze, forget, split: each changes the ranking as it says, and each is undone."""

    @pytest.fixture
    def torn(self, filled: Engine, clock: Clock) -> Engine:
        for item in ("sea1", "bread1", "sea2", "bread2"):
            filled.record("me", item, Kind.LIKE)
            clock.advance(60)
        return filled

    @pytest.mark.parametrize(
        ("action", "more"), [("boost", True), ("less", False), ("snooze", False), ("forget", False)]
    )
    def test_it_moves_its_items_and_undo_brings_them_back(self, torn: Engine, action: str, more: bool) -> None:
        before = torn.view("me")
        sea = next(i for i in torn.interests("me") if "sea" in i.words)
        after = torn.control("me", sea.id, action, days=7)
        risen = mean_rank(before.ids, "sea") - mean_rank(after.ids, "sea")
        assert risen > 0 if more else risen < 0
        state = next(i for i in torn.interests("me") if i.id == sea.id).state
        assert state.startswith(
            {"boost": "boosted", "less": "lowered", "snooze": "snoozed", "forget": "forgotten"}[action]
        )
        assert torn.undo("me").ids == before.ids

    def test_a_snooze_ends_by_itself(self, torn: Engine, clock: Clock) -> None:
        sea = next(i for i in torn.interests("me") if "sea" in i.words)
        torn.control("me", sea.id, "snooze", days=1)
        assert next(i for i in torn.interests("me") if i.id == sea.id).now == 0
        clock.advance(1.01 * DAY)
        assert next(i for i in torn.interests("me") if i.id == sea.id).now > 0

    def test_a_frozen_interest_does_not_fade(self, torn: Engine, clock: Clock) -> None:
        sea = next(i for i in torn.interests("me") if "sea" in i.words)
        torn.control("me", sea.id, "freeze")
        clock.advance(90 * DAY)
        later = torn.view("me").ids
        assert mean_rank(later, "sea") < mean_rank(later, "bread")

    def test_splitting_parts_an_interest_in_two(self, filled: Engine) -> None:
        filled.record("me", "sea1", Kind.LIKE)
        filled.record("me", "sea5", Kind.LIKE)
        (one,) = filled.interests("me")
        filled.control("me", one.id, "split")
        assert [len(i.items) for i in filled.interests("me")] == [1, 1]
        filled.undo("me")
        assert [len(i.items) for i in filled.interests("me")] == [2]

    def test_nonsense_is_refused_before_anything_is_written(self, torn: Engine) -> None:
        events = torn.status().events
        for interest, action in (("sea1", "explode"), ("nothing", "boost")):
            with pytest.raises(LlmrecError):
                torn.control("me", interest, action)
        assert torn.status().events == events


class TestSteering:
    """More and less in the user's words."""

    def test_a_phrase_moves_the_list_and_ends_in_time(self, filled: Engine, clock: Clock) -> None:
        batch = filled.steer("me", "more sourdough dough this week")
        assert topics(batch.ids, 5).count("bread") == 5
        assert filled.interests("me")[0].words == ("sourdough dough",)
        clock.advance(8 * DAY)
        assert filled.interests("me") == []

    def test_less_sinks(self, filled: Engine) -> None:
        filled.record("me", "sea1", Kind.LIKE)
        before = filled.record("me", "bread1", Kind.LIKE)
        batch = filled.steer("me", "less sailing boat, more flour")
        assert mean_rank(batch.ids, "sea") - mean_rank(batch.ids, "bread") > mean_rank(before.ids, "sea") - mean_rank(
            before.ids, "bread"
        )
        assert filled.undo("me").ids == before.ids

    @pytest.mark.parametrize("command", ["", "sailing", "more", "less this week", "more  ,"])
    def test_what_cannot_be_understood_is_said(self, command: str, filled: Engine) -> None:
        with pytest.raises(LlmrecError, match="say "):
            filled.steer("me", command)


class TestSensibleLists:
    """Odd catalogues and logs give a list or a clear line, never a crash."""

    def test_an_empty_catalogue(self, engine: Engine) -> None:
        assert engine.view("me").ids == []
        assert engine.recommend("me") == []
        assert engine.interests("me") == []
        assert engine.search("sea") == []
        with pytest.raises(UnknownItem, match="no item has the id"):
            engine.record("me", "x", Kind.LIKE)

    def test_one_item_and_all_consumed(self, engine: Engine) -> None:
        engine.add_items([Item("a", "Only sea")])
        list(engine.index())
        assert engine.view("me").ids == ["a"]
        assert engine.record("me", "a", Kind.DISLIKE).ids == []
        assert engine.why("me", "a").rank == 1

    def test_identical_items_keep_the_catalogues_order(self, engine: Engine) -> None:
        engine.add_items([Item(f"i{k}", "Same sea") for k in range(5)])
        list(engine.index())
        assert engine.record("me", "i2", Kind.LIKE).ids == ["i0", "i1", "i3", "i4"]

    def test_only_dislikes(self, filled: Engine) -> None:
        for k in range(4):
            batch = filled.record("me", f"sea{k}", Kind.DISLIKE)
        assert "sea" not in topics(batch.ids, 20)

    def test_items_without_vectors_come_but_say_so(self, engine: Engine) -> None:
        engine.add_items(catalogue(2))
        assert engine.status().pending == len(TOPICS) * 2
        assert len(engine.view("me").ids) == len(TOPICS) * 2

    def test_one_absurd_timestamp_moves_no_other_item(self, filled: Engine, clock: Clock) -> None:
        filled.record("me", "sea1", Kind.LIKE)
        plain = [i for i in filled.view("me").ids if i != "rail1"]
        filled.add_events([Event("me", "rail1", Kind.IMPRESSION, NOW + 3650 * DAY)])
        assert [i for i in filled.view("me").ids if i != "rail1"] == plain


def test_searching_finds_words_and_meaning(filled: Engine) -> None:
    hits = filled.search("harbour", 5)
    assert all(h.id.startswith("sea") for h in hits)
    assert {h.matched for h in hits} <= {"words", "meaning", "both"}
    assert filled.search('"; DROP TABLE item; --')[:0] == []


def test_texts_come_at_once_and_then_with_probabilities(filled: Engine) -> None:
    filled.record("me", "sea1", Kind.LIKE)
    first, *_, last = filled.write("me", "sea4")
    assert not first.done
    assert last.done
    assert sum(c.p for c in last.candidates) == pytest.approx(1)
    assert last.chosen == int(np.argmax([c.p for c in last.candidates]))
    assert {c.by for c in last.candidates} == {"item"}
    assert "no writer" in last.note


def test_reopening_embeds_nothing_again(tmp_path: object, clock: Clock) -> None:
    class Counting(HashingEmbedder):
        count = 0

        def embed(self, texts: Sequence[str], **kwargs: object) -> np.ndarray:  # type: ignore[override]
            Counting.count += len(texts)
            return super().embed(texts, **kwargs)  # type: ignore[arg-type]

    for _ in range(2):
        with Engine.open(f"{tmp_path}/x.db", embedder=Counting(), clock=clock) as engine:
            engine.add_items(catalogue(3))
            list(engine.index())
    assert Counting.count == len(TOPICS) * 3
