"""Another encoder: the old list stays to the last vector, then it is the list that the new one would have made."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from threading import Event as Cancel

import numpy as np
import pytest
from conftest import NOW, Clock

from llmrec.engine import Engine, Item, ItemId, Kind, LlmrecError, ModelFailed, ModelNotFound, StoreError
from llmrec.engine.embedding import Vectors
from llmrec.engine.store import Store
from llmrec.engine.switching import ENCODER, GoneEncoder, Successor, serving
from llmrec.models import FloatArray
from llmrec.models.hashing import HashingEmbedder

WORDS = {
    "sea": "sailing boat harbour tide anchor wave sail rope knot keel",
    "bread": "sourdough flour oven yeast crust dough loaf rye bake crumb",
    "rail": "train railway track signal station carriage sleeper locomotive timetable gauge",
    "star": "telescope planet comet galaxy nebula orbit eclipse meteor lens sky",
}


def catalogue(per_topic: int = 20) -> list[Item]:
    items = []
    for topic, words in WORDS.items():
        known = words.split()
        for k in range(per_topic):
            text = " ".join(known[(k + j) % 10] for j in range(5))
            at = NOW - 86_400 * ((k * 7) % 20)
            items.append(
                Item(ItemId(f"{topic}{k}"), f"{known[k % 10]} {topic} {k}", text, published_at=at, domain="feed")
            )
    return items


class Other(HashingEmbedder):
    """Another space of another size: the same words at other places. It keeps what it was asked for."""

    model_id = "other@1"

    def __init__(self, dim: int = 96, fails_after: int | None = None) -> None:
        super().__init__(dim)
        self.asked: list[str] = []
        self.fails_after = fails_after

    def embed(self, texts: Sequence[str], *, cancel: Cancel | None = None) -> FloatArray:
        if self.fails_after is not None and len(self.asked) >= self.fails_after:
            raise ModelFailed("the other encoder says no")
        self.asked += texts
        return super().embed([blake2b(t.split()[0].encode()).hexdigest()[:8] + " " + t for t in texts], cancel=cancel)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def opened(place: Path | str, encoder: HashingEmbedder | None = None) -> Engine:
    return Engine.open(place, embedder=encoder or HashingEmbedder(), clock=Clock(NOW))


@pytest.fixture
def engine(place: Path) -> Iterator[Engine]:
    """A store whose every item has a vector, and a user with likes, a phrase and a correction."""
    with opened(place) as made:
        made.add_items(catalogue())
        list(made.index())
        press(made)
        yield made


def press(engine: Engine) -> None:
    for k, item in enumerate(("sea1", "sea4", "bread2", "rail5")):
        engine.record("me", ItemId(item), Kind.LIKE, NOW - 1000 + 10 * k)
    engine.record("me", ItemId("star3"), Kind.DISLIKE, NOW - 500)
    engine.steer("me", "more harbour boats")
    engine.control("me", engine.interests("me")[0].id, "boost")


def from_the_start(encoder: HashingEmbedder) -> Engine:
    """A store that never knew another encoder, with the same log."""
    engine = opened(":memory:", encoder)
    engine.add_items(catalogue())
    list(engine.index())
    for k, item in enumerate(("sea1", "sea4", "bread2", "rail5")):
        engine.record("me", ItemId(item), Kind.LIKE, NOW - 1000 + 10 * k)
    engine.record("me", ItemId("star3"), Kind.DISLIKE, NOW - 500)
    engine.steer("me", "more harbour boats")
    return engine


def ranks(engine: Engine) -> tuple[list[str], list[float]]:
    batch = engine.view("me")
    return list(batch.ids), batch.scores.tolist()


def test_the_old_list_stays_to_the_last_vector_then_all_changes_at_once(engine: Engine) -> None:
    before = ranks(engine)
    leader = engine.interests("me")[0].id
    engine.change_encoder(Successor(Other()))
    assert engine.status().next == "other@1"
    assert engine.status().next_pending == 80
    seen = []
    for progress in engine.index():
        seen.append((progress.done, progress.total))
        assert ranks(engine) == before
        assert engine.encoder_id == "hashing"
    assert [seen[0], seen[-1]] == [(0, 80), (80, 80)]
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert engine.encoder_id == "other@1"
    assert (engine.status().next, engine.status().next_pending) == ("", 0)
    after = ranks(engine)
    assert after != before
    with from_the_start(Other()) as fresh:
        fresh.control("me", leader, "boost")
        expected = ranks(fresh)
        assert after[0] == expected[0]
        np.testing.assert_allclose(after[1], expected[1], atol=1e-5)
        assert engine.interests("me") == fresh.interests("me")


def test_the_newest_items_come_first(engine: Engine) -> None:
    other = Other()
    engine.change_encoder(Successor(other))
    list(engine.index())
    published = {item.title + ". " + item.text: item.published_at for item in catalogue()}
    dates = [published[text] for text in other.asked if text in published]
    assert dates == sorted(dates, reverse=True)
    assert "harbour boats" in other.asked, "phrases of the log are there before the change"


def test_after_the_change_pressing_needs_no_model(engine: Engine) -> None:
    other = Other()
    engine.change_encoder(Successor(other))
    list(engine.index())
    asked = len(other.asked)
    engine.view("me")
    engine.record("me", ItemId("rail7"), Kind.LIKE)
    engine.undo("me")
    assert len(other.asked) == asked


def test_new_items_get_both_vectors_until_then(engine: Engine) -> None:
    engine.change_encoder(Successor(Other()))
    work = engine.index()
    next(work)
    engine.add_items([Item(ItemId("late"), "harbour tide", "boat anchor sail", published_at=NOW)])
    list(work)
    assert engine.encoder_id == "other@1"
    for model, dim in (("hashing", 384), ("other@1", 96)):
        assert engine.store.covered(model) == (81, dim)
    assert "late" in engine.view("me").ids[:20]


def test_items_that_another_window_imports_meanwhile_are_no_obstacle(engine: Engine, place: Path) -> None:
    engine.view("me")
    engine.change_encoder(Successor(Other()))
    work = engine.index()
    next(work)
    with opened(place) as window:
        window.add_items([Item(ItemId("late"), "harbour tide", "boat anchor sail", published_at=NOW)])
    list(work)
    assert engine.encoder_id == "other@1"
    list(engine.index())
    assert "late" in engine.view("me").ids


def test_a_stop_keeps_what_is_made_and_the_old_list(engine: Engine, place: Path) -> None:
    before = ranks(engine)
    cancel = Cancel()
    engine.change_encoder(Successor(Other()))
    for progress in engine.index(cancel):
        if progress.done > 20:
            cancel.set()
    left = engine.status().next_pending
    assert engine.encoder_id == "hashing"
    assert 0 < left < 60
    assert ranks(engine) == before
    other = Other()
    with opened(place) as again:
        assert ranks(again) == before
        again.change_encoder(Successor(other))
        list(again.index())
        assert again.encoder_id == "other@1"
    assert sum(text != "harbour boats" for text in other.asked) == left, "what was made is not made again"


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from llmrec.engine.switching import Successor
    from tests.engine.test_switching import Other, opened

    with opened(Path(sys.argv[1])) as engine:
        engine.change_encoder(Successor(Other()))
        for progress in engine.index():
            if progress.done > 40:
                os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_in_the_middle_costs_nothing_that_was_made(engine: Engine, place: Path) -> None:
    before = ranks(engine)
    engine.close()
    root = Path(__file__).resolve().parents[2]
    script = f"import sys; sys.path[:0] = [{str(root)!r}, {str(root / 'tests')!r}]\n" + textwrap.dedent(KILLED)
    died = subprocess.run([sys.executable, "-c", script, str(place)], check=False, capture_output=True, text=True)
    assert died.returncode == -9, died.stderr
    other = Other()
    with opened(place) as again:
        assert ranks(again) == before
        again.change_encoder(Successor(other))
        left = again.status().next_pending
        assert 0 < left < 40
        list(again.index())
        after = ranks(again)
    with from_the_start(Other()) as fresh:
        fresh.control("me", "sea1", "boost")
        assert after[0] == ranks(fresh)[0]
    assert sum(text != "harbour boats" for text in other.asked) == left


def test_a_failing_encoder_leaves_the_old_one_serving(engine: Engine) -> None:
    before = ranks(engine)
    engine.change_encoder(Successor(Other(fails_after=20)))
    with pytest.raises(ModelFailed, match="says no"):
        list(engine.index())
    assert engine.encoder_id == "hashing"
    assert ranks(engine) == before
    engine.record("me", ItemId("rail7"), Kind.LIKE)
    assert engine.search("boat")


def test_a_change_can_be_taken_back_or_go_elsewhere(engine: Engine) -> None:
    before = ranks(engine)
    engine.change_encoder(Successor(Other()))
    engine.change_encoder(Successor(HashingEmbedder()))
    assert engine.status().next == ""
    list(engine.index())
    assert ranks(engine) == before
    third = Other(64)
    third.model_id = "third@1"
    engine.change_encoder(Successor(Other()))
    next(iter(engine.index()))
    engine.change_encoder(Successor(third))
    list(engine.index())
    assert engine.encoder_id == "third@1"
    assert engine.store.covered("third@1") == (80, 64)


def test_another_one_taken_while_vectors_are_made_is_the_one_that_counts(engine: Engine) -> None:
    third = Other(64)
    third.model_id = "third@1"
    engine.change_encoder(Successor(Other()))
    work = engine.index()
    next(work)
    engine.change_encoder(Successor(third))
    list(work)
    assert engine.encoder_id == "third@1"


def test_a_list_without_vectors_is_not_kept_up(place: Path) -> None:
    with opened(place) as engine:
        engine.add_items(catalogue())
        other = Other()
        engine.change_encoder(Successor(other))
        assert engine.encoder_id == "other@1"
        list(engine.index())
        assert len(other.asked) == 80
        assert engine.store.covered("hashing") == (0, 0)


def test_a_text_on_its_way_during_the_change_ends_well(engine: Engine) -> None:
    writing = engine.write("me", ItemId("sea2"))
    next(writing)
    engine.change_encoder(Successor(Other()))
    list(engine.index())
    written = list(writing)[-1]
    assert written.done
    assert sum(candidate.p for candidate in written.candidates) == pytest.approx(1)


def test_half_lives_corrected_meanwhile_count_in_the_new_space(engine: Engine) -> None:
    engine.change_encoder(Successor(Other()))
    for progress in engine.index():
        if progress.done == 80:  # the last word before the new space is taken
            engine.set_half_life("me", ItemId("sea1"), 1234.0)
    assert engine.items_in_memory.half_lives[engine.items_in_memory.rows[ItemId("sea1")]] == 1234.0


def test_a_store_that_cannot_keep_the_change_ranks_as_before(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ranks(engine)
    engine._encoders._remembers = True

    def full(key: str, value: str) -> None:
        raise StoreError("the disk is full")

    engine.change_encoder(Successor(Other()))
    monkeypatch.setattr(engine.store, "set_setting", full)
    with pytest.raises(StoreError):
        list(engine.index())
    assert engine.encoder_id == "hashing"
    assert ranks(engine) == before
    monkeypatch.undo()
    list(engine.index())
    assert engine.encoder_id == "other@1"
    assert engine.setting(ENCODER) == "other@1"


@pytest.mark.parametrize(("seconds", "least", "most"), [(0.1, 8, 64), (1.0, 8, 8), (5.0, 2, 8)])
def test_a_slow_encoder_saves_as_often_as_a_quick_one(engine: Engine, seconds: float, least: int, most: int) -> None:
    ticks = (k * seconds for k in range(1_000))
    other = Other()
    vectors = Vectors(engine.store, other, clock=lambda: next(ticks))
    done = [p.done for p in vectors.index(None)]
    sizes = [b - a for a, b in pairwise(done)][:-1]  # the last one is what is left
    assert (min(sizes), max(sizes)) == (least, min(most, max(sizes)))
    assert max(sizes) <= most
    assert len(other.asked) == 80


# Which one ranks at the start.


@pytest.fixture
def store(engine: Engine) -> Store:
    return engine.store


def start(store: Store, here: bool = True) -> str:
    known = HashingEmbedder()
    return type(serving(store, Other(), lambda _: known if here else None)).__name__


def test_at_the_start_the_encoder_before_ranks_until_all_is_there(store: Store) -> None:
    assert start(store) == "Other", "nothing is known of another"
    store.set_setting(ENCODER, "hashing")
    assert start(store) == "HashingEmbedder"
    assert start(store, here=False) == "GoneEncoder"
    hashes = store.columns().hashes
    store.save_vectors("other@1", hashes[:-1], np.ones((len(hashes) - 1, 96), np.float32))
    assert start(store) == "HashingEmbedder"
    store.save_vectors("other@1", hashes[-1:], np.ones((1, 96), np.float32))
    assert start(store) == "Other"
    assert store.setting(ENCODER) == "other@1"


def test_at_the_start_few_old_vectors_are_not_kept_up(place: Path) -> None:
    with opened(place) as engine:
        engine.add_items(catalogue())
        store = engine.store
        store.set_setting(ENCODER, "hashing")
        hashes = store.columns().hashes
        store.save_vectors("hashing", hashes[:40], np.ones((40, 384), np.float32))
        assert start(store) == "Other"


def test_without_its_file_the_old_encoder_still_ranks_and_says_what_it_cannot_do(engine: Engine, place: Path) -> None:
    before = ranks(engine)
    engine.close()
    gone = GoneEncoder("hashing", 384)
    with Engine.open(place, embedder=gone, clock=Clock(NOW)) as again:
        assert ranks(again) == before
        again.record("me", ItemId("rail7"), Kind.LIKE)
        again.undo("me")
        with pytest.raises(ModelNotFound, match="hashing is gone"):
            again.search("boat")
        again.add_items([Item(ItemId("late"), "harbour tide")])
        again.change_encoder(Successor(Other()))
        list(again.index())
        assert again.encoder_id == "other@1"
        assert again.status().pending == 0
        assert again.search("boat")


# What a correction names may be gone.


def test_a_correction_outlives_the_event_it_named(engine: Engine) -> None:
    leader = engine.interests("me")[0].id
    engine.control("me", leader, "boost")
    for event in engine.history("me"):
        if event.item == leader:
            engine.undo_event("me", event.id)
    assert engine.interests("me")
    assert leader in engine.view("me").ids
    with pytest.raises(LlmrecError, match="no interest is named"):
        engine.control("me", "nobody", "boost")
