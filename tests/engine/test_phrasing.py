"""`why` in words: what the writer is told, what holds, and that nothing else reaches the reader."""

import json
import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from conftest import NOW, Clock
from hypothesis import given
from hypothesis import strategies as st

from llmrec.engine import Engine, Interest, Item, ItemId, Kind, Phrased, Reason, Why, facade
from llmrec.engine.cli import main
from llmrec.engine.cli_lists import NO_EVIDENCE, NO_WRITER
from llmrec.engine.phrasing import DROPPED, facts, holds, says_something
from llmrec.models.hashing import HashingEmbedder
from tests.engine.test_writing import ScriptedWriter

ITEM = Item(ItemId("x"), "Knots that hold", "A bowline holds when wet. It takes 4 seconds.", tags=("sailing",))
TITLES = {ItemId("a"): "Tide tables", ItemId("b"): "Night boats", ItemId("c"): "Sourdough"}
SAILING = Interest("s", ("sailing", "tides", "sea"), ItemId("a"), 1.0, 1.0, 9.0, NOW, items=(ItemId("a"), ItemId("b")))
WHY = Why(
    ItemId("x"),
    2,
    0.5,
    (
        Reason("likes", 0.4, ItemId("a"), NOW, Kind.LIKE),
        Reason("likes", 0.2, ItemId("b"), NOW, Kind.LIKE),
        Reason("dislikes", -0.1, ItemId("c"), NOW, Kind.DISLIKE),
        Reason("length", 0.01),
    ),
    Reason("likes", 0.4, ItemId("a"), NOW, Kind.LIKE),
    9,
)
FACTS = facts(WHY, TITLES, [SAILING])


def test_the_facts_are_the_evidence_in_plain_words() -> None:
    assert FACTS.lines == (
        'You liked 2 items of sailing, tides, "Tide tables" and "Night boats": it rises by that.',
        'You disliked 1 item, "Sourdough": it sinks by that.',
        'Without "Tide tables" it would stand at rank 9, not 2.',
    )


def test_without_events_there_is_nothing_to_phrase() -> None:
    assert facts(Why(ItemId("x"), 1, 0.1, (Reason("length", 0.1),)), {}, []).lines == ()


@pytest.mark.parametrize(
    "sentence",
    [
        "You liked Tide tables and Night boats, which are about sailing.",
        "Because you liked two items of sailing.",
        "Without Tide tables it would stand at rank 9.",
        "Your likes of sailing lift this bowline.",
        "You liked “Tide tables,” which is about sailing.",
        "Sourdough, which you disliked, lowers it.",
        "Tide tables’s readers find a bowline here in 4 seconds.",
    ],
)
def test_what_the_facts_say_holds(sentence: str) -> None:
    assert holds(sentence, FACTS, ITEM)
    assert says_something(sentence, FACTS)


@pytest.mark.parametrize(
    "sentence",
    [
        "You liked 3 items of sailing.",  # a number that nothing gives
        "You liked three items of sailing.",
        "Peter liked Tide tables too.",  # a name, at the beginning as well
        "You liked Tide tables by Anna Holm.",
        "You saved Tide tables.",  # a deed that was none
        "You bought Night boats.",
        "You liked Tide tables in 1998.",
        "It would stand at rank 29.",
        'You liked "Tide tabels" too.',  # a title with a letter too few or too many
        'You liked "tide boats" too.',
    ],
)
def test_what_they_do_not_say_does_not(sentence: str) -> None:
    assert not holds(sentence, FACTS, ITEM)


def test_a_sentence_that_names_no_evidence_says_nothing() -> None:
    assert not says_something("It is a very good thing to read.", FACTS)


@given(st.integers(10, 10**6))
def test_no_number_slips_through_as_a_part_of_another(number: int) -> None:
    item = Item(ItemId("x"), f"Edition {number}")
    assert holds(f"You liked Tide tables, edition {number}.", FACTS, item)
    assert not holds(f"You liked Tide tables, edition {number // 10}.", FACTS, item) or str(number // 10) in "2914"


@given(st.text(max_size=60))
def test_any_text_can_be_checked(text: str) -> None:
    assert holds(text, FACTS, ITEM) in (True, False)


@pytest.fixture
def make(clock: Clock) -> Iterator[object]:
    opened = []

    def make(writer: ScriptedWriter | None) -> Engine:
        engine = Engine.open(":memory:", embedder=HashingEmbedder(), writer=writer, clock=clock)
        opened.append(engine)
        engine.add_items(
            [
                Item("a", "Tide tables", "How sailors read the tide of the sea.", tags=("sea",)),
                Item("b", "Sea chart", "A chart of the sea for sailors.", tags=("sea",)),
                Item("c", "Sourdough", "Flour and water make bread.", tags=("bread",)),
            ]
        )
        list(engine.index())
        engine.record("me", "a", Kind.LIKE)
        return engine

    yield make
    for engine in opened:
        engine.close()


def said(engine: Engine, cancel: threading.Event | None = None) -> list[Phrased]:
    return list(engine.why_in_words("me", engine.why("me", "b"), cancel))


def test_a_sentence_streams_and_is_kept(make) -> None:  # type: ignore[no-untyped-def]
    writer = ScriptedWriter({"Why it stands": "You liked Tide tables, and this is of the sea too. More."})
    engine = make(writer)
    *streamed, last = said(engine)
    assert last == Phrased("b", "You liked Tide tables, and this is of the sea too.", "scripted")
    assert "You liked Tide" in [p.text for p in streamed]
    assert not any(p.done for p in streamed)
    assert 'You liked 1 item of sea, "Tide tables": it ' in writer.asked[0].item
    assert "Tide tables" not in writer.asked[0].system + writer.asked[0].ask
    asked = len(writer.asked)
    assert said(engine) == [last]
    assert len(writer.asked) == asked
    engine.record("me", "c", Kind.DISLIKE)
    said(engine)
    assert len(writer.asked) == asked + 1, "other evidence, another sentence"


def test_what_does_not_hold_ends_early_and_is_dropped_for_good(make) -> None:  # type: ignore[no-untyped-def]
    lie = "You liked Tide tables by Anna Holm, " + "who writes on and on " * 9
    writer = ScriptedWriter({"Why it stands": lie})
    engine = make(writer)
    *streamed, last = said(engine)
    assert (last.text, last.note) == ("", DROPPED)
    assert not any("Anna Holm" in p.text for p in streamed)
    assert said(engine) == [last]
    assert len(writer.asked) == 1


@pytest.mark.parametrize("reply", ["", "You liked Tide", "It is very good to read."])
def test_half_sentences_and_empty_talk_are_dropped(make, reply: str) -> None:  # type: ignore[no-untyped-def]
    assert said(make(ScriptedWriter({"Why it stands": reply})))[-1].note == DROPPED


def test_moving_on_ends_it_without_an_answer(make) -> None:  # type: ignore[no-untyped-def]
    engine = make(ScriptedWriter({"Why it stands": "You liked Tide tables, and this is of the sea too."}))
    cancel = threading.Event()
    cancel.set()
    assert not any(p.done for p in said(engine, cancel))
    assert list(engine.store.all_written()) == []


def test_a_failing_writer_costs_the_sentence(make) -> None:  # type: ignore[no-untyped-def]
    writer = ScriptedWriter({})
    engine = make(writer)
    writer.fail = True
    assert said(engine)[-1] == Phrased("b", "", "scripted", "the writer's process ended.")


def test_without_a_writer_nothing_is_said(make) -> None:  # type: ignore[no-untyped-def]
    assert said(make(None)) == []


@pytest.mark.parametrize("json_", [False, True])
def test_the_script_prints_the_evidence_then_the_sentence(tmp_path, monkeypatch, json_: bool) -> None:  # type: ignore[no-untyped-def]
    writer: ScriptedWriter | None = ScriptedWriter({"Why it stands": "You liked Tide tables, and this is of the sea."})
    monkeypatch.setattr(facade, "_installed_encoder", lambda *_: (HashingEmbedder(), ""))
    monkeypatch.setattr(facade, "_installed_writer", lambda *_: writer)
    with Engine.open(tmp_path / "a.db") as engine:
        engine.add_items([Item("a", "Tide tables", "Of the sea."), Item("b", "Sea chart", "Of the sea.")])
        list(engine.index())

    def run(*args: str) -> Result:
        return CliRunner().invoke(main, ["--db", str(tmp_path / "a.db"), "why", "b", "--words", *args])

    if json_:
        assert json.loads(run("--json").stdout)["words"]["note"] == NO_EVIDENCE
    else:
        assert NO_EVIDENCE in run().stderr
    with Engine.open(tmp_path / "a.db") as engine:
        engine.record("me", "a", Kind.LIKE)
    found = run("--json") if json_ else run()
    if json_:
        said = json.loads(found.stdout)["words"]
        assert said == {"text": "You liked Tide tables, and this is of the sea.", "model": "scripted", "note": ""}
    else:
        assert found.stdout.splitlines()[0].startswith("Sea chart: rank 1")
        assert found.stdout.splitlines()[-1] == "scripted says: You liked Tide tables, and this is of the sea."
    writer = None
    assert NO_WRITER in run().stderr
