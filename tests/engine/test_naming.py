"""Names of interests by a writer: asked where no tag names them, kept, and shown only while they hold."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Clock
from hypothesis import given
from hypothesis import strategies as st

from llmrec.engine import Engine, Interest, Item, ItemId, Kind
from llmrec.engine.embedding import Vectors
from llmrec.models.hashing import HashingEmbedder
from llmrec.models.prompts import topic_words
from tests.engine.test_writing import ScriptedWriter

Made = Callable[..., Engine]
ABOUT_THE_SEA = "harbour boats sail past the lighthouse reef"


@pytest.fixture
def made(clock: Clock) -> Iterator[Made]:
    opened: list[Engine] = []

    def made(topic: str, tags: tuple[str, ...] = (), writer: bool = True) -> Engine:
        engine = Engine.open(
            ":memory:",
            embedder=HashingEmbedder(),
            writer=ScriptedWriter({"Topic:": topic}) if writer else None,
            clock=clock,
        )
        opened.append(engine)
        engine.add_items(
            Item(ItemId(f"sea{k}"), f"Sea {k}", f"{ABOUT_THE_SEA}, part {k}{' in Skagen' * (k == 0)}.", tags=tags)
            for k in range(6)
        )
        list(engine.index())
        for k in range(3):
            engine.record("me", ItemId(f"sea{k}"), Kind.LIKE)
            clock.now += 60
        return engine

    yield made
    for engine in opened:
        engine.close()


def named(engine: Engine) -> Interest:
    """The only interest, after a quiet moment."""
    list(engine.name_interests("me"))
    (interest,) = engine.interests("me")
    return interest


def test_an_interest_without_tags_is_named_by_the_writer(made: Made) -> None:
    engine = made("Boats, lighthouse.")
    before = engine.interests("me")[0]
    assert before.named_by == ""
    interest = named(engine)
    assert interest.words == ("Boats", "lighthouse")
    assert interest.named_by == "scripted"
    grown = engine.record("me", ItemId("sea4"), Kind.LIKE).change
    assert grown is not None
    assert grown.interest == "Boats, lighthouse"
    assert list(engine.name_interests("me")) == []


@pytest.mark.parametrize("knows_words", [True, False])
def test_a_writer_trained_to_name_is_asked_where_the_encoder_knows_no_words(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, knows_words: bool
) -> None:
    monkeypatch.setattr(Vectors, "words_alone", not knows_words)
    writer = ScriptedWriter({"Topic:": "boats, reef"})
    monkeypatch.setattr(writer, "jobs", frozenset({"texts", "topics"}), raising=False)
    with Engine.open(":memory:", embedder=HashingEmbedder(), writer=writer, clock=clock) as engine:
        engine.add_items([Item(ItemId("sea"), "Sea", ABOUT_THE_SEA)])
        list(engine.index())
        engine.record("me", ItemId("sea"), Kind.LIKE)
        assert named(engine).named_by == ("" if knows_words else "scripted")
        assert bool(writer.asked) != knows_words


def test_a_name_outlives_the_process(tmp_path: Path, clock: Clock) -> None:
    answers = ScriptedWriter({"Topic:": "boats"})
    for _ in range(2):
        with Engine.open(tmp_path / "a.db", embedder=HashingEmbedder(), writer=answers, clock=clock) as engine:
            engine.add_items([Item(ItemId("sea"), "Sea", ABOUT_THE_SEA)])
            list(engine.index())
            engine.record("me", ItemId("sea"), Kind.LIKE)
            assert named(engine).words == ("boats",)
    assert len(answers.asked) == 1


@pytest.mark.parametrize(
    "topic", ["mountains", "boats, mountains", "Skagen", "", "boats and harbour and reef and lighthouse"]
)
def test_what_half_of_its_items_do_not_say_names_nothing(made: Made, topic: str) -> None:
    engine = made(topic)
    before = engine.interests("me")
    assert [named(engine)] == before


def test_tags_come_first_and_the_writer_is_not_asked(made: Made) -> None:
    interest = named(engine := made("boats", tags=("sailing",)))
    assert interest.words == ("sailing",)
    assert interest.named_by == ""
    assert list(engine.store.all_written()) == []


def test_the_users_own_words_come_first_too(made: Made) -> None:
    engine = made("boats")
    for _ in range(3):
        engine.undo("me")
    engine.steer("me", "more harbour")
    assert named(engine).words == ("harbour",)


def test_the_writer_is_asked_once(made: Made) -> None:
    engine = made("mountains")
    assert len(list(engine.name_interests("me"))) == 1
    assert list(engine.name_interests("me")) == []


def test_what_was_ended_is_asked_again(made: Made) -> None:
    engine, ended = made("boats"), threading.Event()
    ended.set()
    list(engine.name_interests("me", ended))
    assert engine.interests("me")[0].named_by == ""
    assert named(engine).named_by == "scripted"


def test_without_a_writer_nothing_is_named(made: Made) -> None:
    assert named(made("boats", writer=False)).named_by == ""


def test_where_no_word_tells_anything_texts_come_all_the_same(made: Made) -> None:
    engine = made("mountains")
    assert engine.interests("me")[0].words == (engine.interests("me")[0].id,), "all items say the same"
    assert list(engine.write("me", ItemId("sea5")))[-1].done


@given(st.text())
def test_a_topic_is_at_most_three_words_whatever_is_written(text: str) -> None:
    words = topic_words(text)
    assert sum(len(word.split()) for word in words) <= 3
    assert all(word and word == word.strip() and "\n" not in word for word in words)
