"""Whether a text will still be useful in a year, from its vector: the probe itself, and what the engine makes of it."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import NOW, Clock
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from llmrec import sample_data
from llmrec.engine import Engine, Item, ItemId, index
from llmrec.engine.embedding import keep_probe, kept_probe
from llmrec.engine.half_life import CHOICES, DAY, EVERGREEN, NEWS, POST, YEAR, by_rule, rule
from llmrec.engine.probe import Probe, fit, read_off, trusted
from llmrec.engine.probe_examples import examples
from llmrec.engine.samples import load_samples
from llmrec.engine.vectors import unit
from llmrec.models import FloatArray
from llmrec.models.hashing import HashingEmbedder

DIM = 32
RNG = np.random.default_rng(0)


class Encoder:
    """Lays what was said of the day into one direction, and counts what it is asked."""

    model_id = "told@1"
    dim = DIM

    def __init__(self, yes: Callable[[str], float]) -> None:
        self.yes = yes
        self.asked = 0

    def embed(self, texts: Sequence[str], *, cancel: threading.Event | None = None) -> FloatArray:
        self.asked += len(texts)
        rows = HashingEmbedder(DIM).embed(texts)
        rows[:, 0] = [self.yes(text) for text in texts]
        return unit(rows)

    def close(self) -> None: ...


def knows() -> Encoder:
    """An encoder with the answer in its vectors, for the examples and for what says "long" or "short"."""
    known = {text.title + text.text: bool(lasts) for text, lasts in zip(EXAMPLES.items, EXAMPLES.lasting, strict=True)}

    def yes(text: str) -> float:
        title, _, rest = text.partition(". ")
        lasts = next((v for k, v in known.items() if k.startswith(title) and k.endswith(rest)), None)
        return 1.0 if lasts or "long" in text else -1.0 if lasts is False or "short" in text else 0.0

    return Encoder(yes)


EXAMPLES = examples()


def parted(m: int) -> tuple[FloatArray, np.ndarray]:
    """Unit vectors (m, d) on two sides of a plane that does not pass through the middle."""
    vectors = RNG.normal(size=(m, DIM)).astype(np.float32)
    yes = vectors[:, 0] > 0.3
    vectors[:, 0] += np.where(yes, 1, -1)
    return unit(vectors), yes


def test_a_direction_that_parts_the_answers_is_found() -> None:
    vectors, yes = parted(400)
    probe = fit(vectors, yes)
    assert np.mean((probe.probabilities(vectors) > 0.5) == yes) > 0.97
    assert np.argmax(np.abs(probe.weight)) == 0
    new, answers = parted(400)
    assert np.mean((probe.probabilities(new) > 0.5) == answers) > 0.95


def test_newtons_method_has_arrived_at_the_least_loss() -> None:
    vectors, yes = parted(60)
    found = fit(vectors, yes)

    def loss(probe: Probe) -> float:
        odds = vectors @ probe.weight + probe.bias
        return float(np.sum(np.logaddexp(0, np.where(yes, -odds, odds))) + 0.25 * probe.weight @ probe.weight)

    for _ in range(20):
        nudged = Probe(found.weight + 1e-2 * RNG.normal(size=DIM), found.bias + 1e-2 * float(RNG.normal()))
        assert loss(nudged) > loss(found) - 1e-6


@given(hnp.arrays(np.float32, (7, DIM), elements=st.floats(-1e3, 1e3, width=32)), st.floats(-1e6, 1e6))
def test_it_gives_probabilities_whatever_the_vectors(vectors: FloatArray, bias: float) -> None:
    p = Probe(np.linspace(-1e3, 1e3, DIM), bias).probabilities(vectors)
    unknown = ~np.any(vectors != 0, axis=1)
    assert np.array_equal(np.isnan(p), unknown)
    assert np.all((p[~unknown] >= 0) & (p[~unknown] <= 1))


@pytest.mark.parametrize("same", [True, False])
def test_one_that_cannot_tell_is_not_believed(same: bool) -> None:
    vectors = unit(np.ones((90, DIM), np.float32) if same else RNG.normal(size=(90, DIM)).astype(np.float32))
    check = np.arange(90) % 3 == 0
    assert trusted(vectors, np.arange(90) % 2 == 0, check) is None
    able, yes = parted(90)
    assert trusted(able, yes, check) is not None


def test_what_is_kept_is_what_was_found() -> None:
    vectors, yes = parted(80)
    probe = fit(vectors, yes)
    again = Probe.loads(probe.dumps(), DIM)
    assert again is not None
    np.testing.assert_allclose(again.probabilities(vectors), probe.probabilities(vectors), atol=1e-3)


@pytest.mark.parametrize(
    "text", ["", "none", "{}", "[1]", "3", '["a"]', "[" * 9_000, f"[{'NaN,' * DIM}1]", f"[{'1,' * DIM}1e999]"]
)
def test_anything_else_is_no_probe(text: str) -> None:
    assert Probe.loads(text, DIM) is None


def test_examples_are_the_same_every_time_and_those_for_the_check_are_others() -> None:
    again = examples()
    assert again.items == EXAMPLES.items
    assert 0.4 < EXAMPLES.lasting.mean() < 0.6
    assert EXAMPLES.check.mean() == pytest.approx(0.2)
    assert len({item.text for item in EXAMPLES.items}) == len(EXAMPLES.items)
    written = {title for title, _, _ in sample_data.still_useful()}
    assert written.isdisjoint(item.title for item in EXAMPLES.items)


@pytest.mark.llama
def test_the_bundled_encoder_is_right_where_words_are_not() -> None:
    cases = sample_data.still_useful()
    useful = np.array([lasts for _, _, lasts in cases])
    items = [Item(ItemId(str(n)), title, text, published_at=NOW) for n, (title, text, _) in enumerate(cases)]
    with Engine.open(":memory:") as engine:
        model, shipped = sample_data.probe()
        assert engine.encoder_id == model, "run `make vectors`"
        vectors = engine.embed_items(items)
        known = engine.embed_items(EXAMPLES.items)
    probe = Probe.loads(shipped, vectors.shape[1])
    assert probe is not None
    by_words = np.mean((np.array([by_rule(item) for item in items]) != NEWS) == useful)
    assert np.mean((probe.probabilities(vectors) > 0.5) == useful) > max(0.9, by_words + 0.2)
    anew = trusted(known, EXAMPLES.lasting, EXAMPLES.check)
    assert anew is not None
    np.testing.assert_allclose(anew.probabilities(vectors), probe.probabilities(vectors), atol=0.02)


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(["feed", "news", "shop", "courses", ""]), st.booleans())
def test_what_lasts_longer_stays_longer(one: float, other: float, domain: str, passing: bool) -> None:
    def seconds(p: float) -> float:
        found = rule((), "Tonight" if passing else "", domain, p)
        return np.inf if np.isnan(found) else found

    assert seconds(min(one, other)) <= seconds(max(one, other)) * (1 + 1e-9)
    assert seconds(one) >= NEWS * (1 - 1e-9)
    assert rule(("news",), "", domain, one) == NEWS


def test_where_it_cannot_say_it_is_as_usual() -> None:
    assert rule((), "", "feed", 0.5) == pytest.approx(POST)
    assert rule((), "", "feed", 1.0) == pytest.approx(YEAR)
    assert rule((), "", "courses", 1.0) == pytest.approx(EVERGREEN)
    assert rule((), "", "feed", 0.0) == pytest.approx(NEWS)
    assert np.isnan(rule((), "", "films", 0.9))
    assert rule((), "Still used today.", "feed", 0.9) > POST, "what lasts may speak of today"


def test_an_engine_learns_to_tell_and_says_who_told() -> None:
    encoder = knows()
    with Engine.open(":memory:", embedder=encoder, clock=Clock(NOW)) as engine:
        items = [
            Item(ItemId(name), name, f"A {name} text.", published_at=NOW, domain="feed") for name in ("long", "short")
        ]
        engine.add_items([*items, Item(ItemId("tag"), "short", "Told by its tag.", tags=("evergreen",), domain="feed")])
        assert engine.half_life(ItemId("long")).by == "rule"
        assert not engine.status().learnt
        assert {p.what for p in engine.index()} == {"vectors", "half-lives"}
        assert engine.status().learnt
        found = {name: engine.half_life(ItemId(name)) for name in ("long", "short", "tag")}
        assert found["short"].seconds < 4 * DAY < 60 * DAY < found["long"].seconds
        assert (found["long"].by, found["short"].by, found["tag"].by) == ("told@1", "told@1", "rule")
        held = engine.items_in_memory
        assert [held.half_lives[held.rows[ItemId(name)]] for name in found] == [each.seconds for each in found.values()]
        engine.set_half_life("me", ItemId("short"), CHOICES["years"])
        assert engine.half_life(ItemId("short")).by == "you"
        engine.undo("me")
        assert engine.half_life(ItemId("short")) == found["short"]
        asked = encoder.asked
        assert list(engine.index()) == []
        assert encoder.asked == asked, "it is learnt once"


def test_an_encoder_that_cannot_tell_leaves_it_to_the_rules() -> None:
    encoder = Encoder(lambda text: 0.0)
    encoder.embed = lambda texts, cancel=None: unit(np.ones((len(texts), DIM), np.float32))  # type: ignore[method-assign]
    with Engine.open(":memory:", embedder=encoder) as engine:
        engine.add_items([Item(ItemId("a"), "A", domain="feed")])
        list(engine.index())
        assert engine.half_life(ItemId("a")).by == "rule"
        assert engine.status().learnt, "it need not be tried again"


def test_learning_can_be_stopped_and_taken_up_again() -> None:
    encoder, cancel = knows(), threading.Event()
    with Engine.open(":memory:", embedder=encoder) as engine:
        for progress in engine.index(cancel):
            if progress.what == "half-lives" and progress.done:
                cancel.set()
        assert not engine.status().learnt
        list(engine.index())
        assert engine.status().learnt


@pytest.mark.llama
def test_the_bundled_encoder_need_not_learn_it() -> None:
    with Engine.open(":memory:", clock=Clock(NOW)) as engine:
        load_samples(engine, NOW)
        assert engine.status().learnt
        assert kept_probe(engine.store, engine.encoder_id, 384) is not None
    with Engine.open(":memory:", clock=Clock(NOW)) as engine:
        assert [progress.total for progress in engine.index()] == [1], "a store from before takes the one that ships"
        assert engine.status().learnt


def test_a_large_catalogue_keeps_what_was_read_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "EXACT_UP_TO", 20)
    items = [Item(ItemId(f"i{k}"), f"word{k % 7} {k}", f"text {k}", domain="feed") for k in range(61)]
    probe = Probe(RNG.normal(size=DIM) * 5, 0.2)

    def opened() -> Engine:
        from llmrec.engine.store import Store

        return Engine(Store(tmp_path / "x.db"), HashingEmbedder(DIM), None, clock=Clock(NOW), cache=tmp_path / "cache")

    def check(engine: Engine) -> None:
        held = engine.items_in_memory
        np.testing.assert_allclose(held.lasting, read_off(probe, held.catalogue.vectors[:]), atol=1e-6)
        wanted = [by_rule(item, float(p)) for item, p in zip(engine.store.all_items(), held.lasting, strict=True)]
        np.testing.assert_allclose(held.half_lives, wanted)

    with opened() as engine:
        keep_probe(engine.store, engine.encoder_id, probe)
        engine.add_items(items[:60])
        list(engine.index())
        check(engine)
    with opened() as engine:
        check(engine)
        engine.add_items(items[60:])
        list(engine.index())
        assert len(engine.items_in_memory) == 61
        check(engine)
