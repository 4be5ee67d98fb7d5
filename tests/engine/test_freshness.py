"""How long an item stays worth reading: rules, a writer's judgement, the user's word, and which of them counts."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import Clock
from hypothesis import given
from hypothesis import strategies as st

from llmrec.engine import Engine, Item, ItemId, UnknownItem
from llmrec.engine.half_life import (
    CHOICES,
    DAY,
    NEWS,
    POST,
    YEAR,
    all_by_rule,
    by_rule,
    from_probability,
    in_words,
    log_odds,
    probability,
)
from llmrec.engine.importers import content_hash
from llmrec.engine.store import Store
from llmrec.models import Prompt
from llmrec.models.errors import ModelFailed
from llmrec.models.hashing import HashingEmbedder
from llmrec.models.host import Host
from llmrec.models.llamacpp import LlamaWriter
from tests.models.tiny import tiny_llama

ITEMS = [Item(f"i{k}", f"Item {k}", f"Number {k}.", published_at=1_000.0 + k, domain="feed") for k in range(4)]


class Judge:
    """Says yes with given log odds, by a word of the item; of anything else it says yes with odds e."""

    copies_only = False

    def __init__(self, odds: dict[str, float], name: str = "judge@0", jobs: frozenset[str] | None = None) -> None:
        self.model_id = name
        self.jobs = jobs
        self.odds = odds
        self.asked: list[str] = []
        self.cancel_at: threading.Event | None = None

    def score(self, prompt: Prompt, texts: Sequence[str], *, cancel: threading.Event | None = None) -> list[float]:
        self.asked.append(prompt.item)
        if self.cancel_at is not None:
            self.cancel_at.set()
            raise ModelFailed("The model was told to stop.")
        odds = next((odds for word, odds in self.odds.items() if word in prompt.item), 1.0)
        return [math.log(1 / (1 + math.exp(-odds)) / 2) if t.strip().lower() == "yes" else -99.0 for t in texts[:2]] + [
            math.log(1 / (1 + math.exp(odds)) / 2) for _ in texts[2:]
        ]

    def stream(self, prompt: Prompt, **options: object) -> Iterator[str]:
        raise AssertionError("judging writes nothing")

    def close(self) -> None: ...


@pytest.fixture
def make(clock: Clock) -> Iterator[Callable[[Judge | None], Engine]]:
    opened = []

    def make(writer: Judge | None) -> Engine:
        engine = Engine.open(":memory:", embedder=HashingEmbedder(), writer=writer, clock=clock)  # type: ignore[arg-type]
        opened.append(engine)
        engine.add_items(ITEMS)
        return engine

    yield make
    for engine in opened:
        engine.close()


@pytest.mark.parametrize(
    ("jobs", "phrases", "judges"),
    [(None, True, True), ("texts", False, False), ("texts,half-lives", False, True), ("reasons,tea", True, False)],
)
def test_a_writer_is_asked_for_what_it_was_trained_on(
    tmp_path: Path, jobs: str | None, phrases: bool, judges: bool
) -> None:
    host = Host()
    writer = LlamaWriter(tiny_llama(tmp_path / "w.gguf", jobs=jobs), host)
    with Engine.open(":memory:", embedder=HashingEmbedder(), writer=writer) as engine:
        engine.add_items(ITEMS)
        list(engine.index())
        status = engine.status()
        assert status.writer == writer.model_id
        assert status.composer == (writer.model_id if phrases else "")
        assert status.judge == (writer.model_id if judges else "")
        assert bool(list(engine.unjudged())) == judges
    host.close()


TRAINED = frozenset({"half-lives"})


def test_a_writer_trained_on_the_question_judges_what_the_encoder_does_not_know(make: Callable[..., Engine]) -> None:
    engine = make(Judge({"Number 1": 3.0, "Number 2": -3.0}, jobs=TRAINED))
    assert not list(engine.unjudged()), "the encoder has not been asked yet"
    list(engine.index())
    held = engine.items_in_memory
    held.lasting[held.rows["i3"]] = 0.9
    assert list(engine.unjudged(["i3"])) == ["i2", "i1", "i0"]
    list(engine.judge(["i1", "i2"]))
    for n, odds in ((1, 3.0), (2, -3.0)):  # as it says, with nothing taken away
        found = engine.half_life(ITEMS[n].id)
        assert found.seconds == pytest.approx(by_rule(ITEMS[n], probability(odds)))
        assert found.by == "judge@0"


@pytest.mark.parametrize("odds", [3.0, -3.0])
def test_it_judges_a_domain_that_rules_know_nothing_of(make: Callable[..., Engine], odds: float) -> None:
    engine = make(Judge({"Other": odds}, jobs=TRAINED))
    other = Item(ItemId("o"), "Other", "Text.", published_at=1.0, domain="items")
    engine.add_items([other])
    list(engine.judge([other.id]))
    found = engine.half_life(other.id)
    assert found.by == "judge@0"
    assert DAY < found.seconds <= YEAR
    assert (found.seconds > 100 * DAY) == (odds > 0)


def test_a_quiet_moment_reads_no_item_where_the_encoder_knows_all(
    make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make(Judge({}, jobs=TRAINED))
    list(engine.index())
    engine.items_in_memory.lasting[:] = 0.5
    for read in ("items", "columns", "half_lives"):
        monkeypatch.setattr(engine.store, read, lambda *_: pytest.fail("it read the catalogue"))
    assert list(engine.unjudged()) == []


def test_another_writer_judges_what_the_encoder_does_not_know_first(make: Callable[..., Engine]) -> None:
    engine = make(Judge({}))
    list(engine.index())
    held = engine.items_in_memory
    held.lasting[[held.rows["i1"], held.rows["i3"]]] = 0.7
    assert list(engine.unjudged(unknown=True)) == ["i2", "i0"]
    assert len(list(engine.unjudged())) == 4


def test_rules_tell_news_from_courses() -> None:
    assert by_rule(Item("a", "T", tags=("sea", "news"), domain="feed")) == NEWS
    assert by_rule(Item("a", "T", "Tonight at eight.", published_at=1.0, domain="feed")) == NEWS
    assert by_rule(Item("a", "LIVE NOW", published_at=1.0, domain="feed")) == NEWS
    assert by_rule(Item("a", "T", "Todayish, groundbreaking.", published_at=1.0, domain="feed")) == POST
    assert by_rule(Item("a", "T", domain="courses")) == 3 * YEAR
    assert np.isnan(by_rule(Item("a", "T", domain="items")))


def test_the_rules_say_the_same_of_what_the_store_reads_for_them(tmp_path: Path) -> None:
    texts = ["", "Tonight.", "ÄÖ" * 199 + " to-day", "é" * 393 + " today", "é" * 396 + " today", "Todayish"]
    tags: list[tuple[str, ...]] = [(), ("sea",), ("NEWS",), ("deal", "evergreen"), ('say "live"',), ("a news", "Offer")]
    items = [
        Item(f"{n}-{m}-{date}", f"Title {n}", text, tags=own, published_at=date, domain="feed" if n % 2 else "items")
        for n, text in enumerate(texts)
        for m, own in enumerate(tags)
        for date in (None, 5.0)
    ]
    store = Store(tmp_path / "x.db")
    store.import_items((item, content_hash(item)) for item in items)
    nothing, some = np.full(len(items), np.nan, np.float32), np.random.default_rng(0).random(len(items), np.float32)
    assert len({in_words(by_rule(item)) for item in items}) == 4
    for lasting in (nothing, some):
        by_item = [by_rule(item, float(p)) for item, p in zip(store.all_items(), lasting, strict=True)]
        np.testing.assert_equal(all_by_rule(store, lasting), by_item)
    store.close()


def test_a_models_answer_lies_between_ten_days_and_a_year() -> None:
    assert from_probability(0.0) == 10 * DAY
    assert from_probability(1.0) == YEAR


@given(st.floats(-50, 50), st.floats(-3, 3))
def test_what_a_writer_says_about_nothing_is_taken_away(odds: float, bias: float) -> None:
    assert probability(odds + bias, bias) == pytest.approx(probability(odds), abs=1e-9)
    assert probability(odds) + probability(-odds) == pytest.approx(1)


def test_the_forms_of_an_answer_add_up() -> None:
    assert log_odds([math.log(0.1), math.log(0.2), math.log(0.1), math.log(0.05)]) == pytest.approx(math.log(2))


@pytest.mark.parametrize("name", list(CHOICES))
def test_what_can_be_chosen_reads_as_it_is_called(name: str) -> None:
    assert in_words(CHOICES[name]).endswith(name.split()[-1])


@pytest.mark.parametrize(("seconds", "words"), [(DAY * 1.5, "2 days"), (3600 * 5, "5 hours"), (3 * YEAR, "3 years")])
def test_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_the_writer_judges_and_its_word_ranks_at_once(make: Callable[..., Engine]) -> None:
    engine = make(Judge({"Number 1": 9.0, "Number 2": -9.0}))
    held = engine.items_in_memory
    progress = list(engine.judge(["i1", "i2", "i3"]))
    assert (progress[-1].done, progress[-1].total) == (3, 3)
    assert engine.half_life("i1").by == "judge@0"
    assert engine.half_life("i1").seconds == pytest.approx(YEAR, rel=0.02)
    assert engine.half_life("i2").seconds == pytest.approx(10 * DAY, rel=0.02)
    assert engine.half_life("i3").seconds == pytest.approx(from_probability(0.5))  # as it says of nothing
    assert engine.half_life("i0").by == "rule"
    assert engine.items_in_memory is held, "nothing was read again"
    assert held.catalogue.half_lives[held.rows["i1"]] == engine.half_life("i1").seconds


def test_what_waits_is_asked_first_then_the_newest_and_nothing_twice(make: Callable[..., Engine]) -> None:
    engine = make(Judge({}))
    assert list(engine.unjudged(["i1"])) == ["i1", "i3", "i2", "i0"]
    list(engine.judge(["i3"]))
    engine.set_half_life("me", "i2", DAY)
    assert list(engine.unjudged()) == ["i1", "i0"]


def test_what_its_source_calls_news_is_not_asked_about(make: Callable[..., Engine]) -> None:
    engine = make(Judge({}))
    engine.add_items([Item("n", "News of today", tags=("sea", "news"), domain="feed")])  # type: ignore[arg-type]
    assert "n" not in list(engine.unjudged())
    assert engine.half_life("n").seconds == NEWS  # type: ignore[arg-type]


def test_without_a_writer_nothing_waits(make: Callable[..., Engine]) -> None:
    engine = make(None)
    assert list(engine.unjudged(["i1"])) == []
    assert list(engine.judge(["i1"])) == []


def test_moving_on_ends_the_judging_without_an_error_and_keeps_what_is_done(make: Callable[..., Engine]) -> None:
    writer, cancel = Judge({}), threading.Event()
    engine = make(writer)
    judging = engine.judge(["i0", "i1"], cancel)
    next(judging)
    next(judging)
    writer.cancel_at = cancel
    assert list(judging) == []
    assert [engine.half_life(i).by for i in ("i0", "i1")] == ["judge@0", "rule"]


def test_new_content_is_judged_again_and_another_writer_judges_anew(make: Callable[..., Engine]) -> None:
    engine = make(Judge({"Number 1": 9.0}))
    list(engine.judge(["i0", "i1"]))
    engine.add_items([ITEMS[0], Item("i1", "Item 1", "Rewritten.", domain="feed")])
    assert [engine.half_life(i).by for i in ("i0", "i1")] == ["judge@0", "rule"]
    assert "i1" in list(engine.unjudged())
    engine.store.save_half_life("i3", DAY, "another@1")
    assert "i3" in list(engine.unjudged())
    assert engine.half_life("i3").seconds == DAY


def test_the_users_word_stays_and_undo_takes_it_back(make: Callable[..., Engine]) -> None:
    engine = make(Judge({"Number 0": 9.0}))
    list(engine.judge(["i0"]))
    judged = engine.half_life("i0")
    array, row = engine.items_in_memory.catalogue.half_lives, engine.items_in_memory.rows["i0"]
    batch = engine.set_half_life("me", "i0", CHOICES["2 days"])
    assert batch.change is not None
    assert batch.change.title == '"Item 0" stays fresh 2 days'
    engine.store.save_half_life("i0", YEAR, "judge@0")
    assert (engine.half_life("i0").seconds, engine.half_life("i0").by) == (2 * DAY, "you")
    assert array[row] == 2 * DAY
    engine.set_half_life("me", "i0", None)
    assert engine.half_life("i0").by == "judge@0"
    engine.undo("me")
    assert array[row] == 2 * DAY
    undone = engine.undo("me").change
    assert undone is not None
    assert undone.undone
    assert undone.title == '"Item 0" stays fresh 2 days'
    assert engine.half_life("i0").by == judged.by
    engine.redo("me")
    assert array[row] == engine.half_life("i0").seconds == 2 * DAY


def test_the_users_word_survives_new_content_and_a_new_start(tmp_path, clock: Clock) -> None:  # type: ignore[no-untyped-def]
    with Engine.open(tmp_path / "a.db", embedder=HashingEmbedder(), clock=clock) as engine:
        engine.add_items(ITEMS)
        engine.set_half_life("me", "i0", YEAR)
        engine.add_items([Item("i0", "Another title", domain="feed")])
    with Engine.open(tmp_path / "a.db", embedder=HashingEmbedder(), clock=clock) as engine:
        assert engine.half_life("i0").by == "you"
        assert engine.items_in_memory.half_lives[engine.items_in_memory.rows["i0"]] == YEAR


def test_an_item_that_does_not_exist_is_said_so(engine: Engine) -> None:
    with pytest.raises(UnknownItem):
        engine.set_half_life("me", "nothing", DAY)
    with pytest.raises(UnknownItem):
        engine.half_life("nothing")
