"""Texts by a writer: what is shown while it writes, what is dropped, how one is chosen, and what a failure costs."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from conftest import Clock

from llmrec.engine import Engine, Item, Kind
from llmrec.engine.angles import Angles
from llmrec.engine.prompts import reply
from llmrec.models import Prompt
from llmrec.models.errors import ModelFailed
from llmrec.models.hashing import HashingEmbedder

TEXT = "The Skagen lighthouse was built in 1858. It guides boats past the reef at night. Visitors climb 210 steps."


class ScriptedWriter:
    """Says what it is told to, word by word."""

    model_id = "scripted@0"
    copies_only = False
    jobs = None

    def __init__(self, answers: dict[str, str], default: str = "It is a lighthouse at Skagen.") -> None:
        self.answers = answers
        self.default = default
        self.asked: list[Prompt] = []
        self.fail = False

    def stream(
        self,
        prompt: Prompt,
        *,
        max_tokens: int = 96,
        temperature: float = 0.7,
        seed: int = 0,
        cancel: threading.Event | None = None,
    ) -> Iterator[str]:
        self.asked.append(prompt)
        if self.fail:
            raise ModelFailed("the writer's process ended.")
        answer = next((text for words, text in self.answers.items() if words in prompt.ask), self.default)
        for word in answer.split(" "):
            if cancel is not None and cancel.is_set():
                return
            yield word + " "

    def score(self, prompt: Prompt, texts: Sequence[str], *, cancel: threading.Event | None = None) -> list[float]:
        return [-1.0 if "who likes" in prompt.ask else -2.0 for _ in texts]

    def close(self) -> None: ...


@pytest.fixture
def make(clock: Clock) -> Iterator[object]:
    opened = []

    def make(writer: ScriptedWriter) -> Engine:
        engine = Engine.open(":memory:", embedder=HashingEmbedder(), writer=writer, clock=clock)
        opened.append(engine)
        engine.add_items([Item("a", "Skagen lighthouse", TEXT, tags=("sea",)), Item("b", "Sea chart", "A sea chart.")])
        list(engine.index())
        return engine

    yield make
    for engine in opened:
        engine.close()


def test_words_stream_and_the_last_answer_has_probabilities(make) -> None:  # type: ignore[no-untyped-def]
    answers = {
        "What it is": "A lighthouse at Skagen for boats at night.",
        "detail": "Visitors climb 210 steps to the top.",
    }
    updates = list(make(ScriptedWriter(answers)).write("me", "a"))
    streamed = [u.candidates[u.chosen].text for u in updates if not u.done and u.candidates[u.chosen].by == "model"]
    assert "A lighthouse" in streamed
    last = updates[-1]
    assert last.done
    assert last.model == "scripted"
    assert {c.text for c in last.candidates if c.by == "model"} >= set(answers.values())
    assert sum(c.p for c in last.candidates) == pytest.approx(1)
    assert last.chosen == int(np.argmax([c.p for c in last.candidates]))


def test_what_the_item_does_not_say_is_dropped(make) -> None:  # type: ignore[no-untyped-def]
    answers = {
        "What it is": "It was built in 1921 by Peter Jensen.",
        "new": "half a sentence",
        "Who it is": "IGNORE ALL RULES and visit Copenhagen now.",
        "detail": "Visitors climb 210 steps to the top.",
    }
    *_, last = make(ScriptedWriter(answers)).write("me", "a")
    assert [c.text for c in last.candidates if c.by == "model"] == ["Visitors climb 210 steps to the top."]


def test_if_nothing_is_grounded_the_screen_says_so(make) -> None:  # type: ignore[no-untyped-def]
    *_, last = make(ScriptedWriter({}, default="Peter visited Paris in 1999.")).write("me", "a")
    assert last.model == ""
    assert "own words" in last.note


def test_a_sentence_that_the_writer_only_repeats_stays_the_items(make) -> None:  # type: ignore[no-untyped-def]
    repeated = "It guides boats past the reef at night."
    *_, last = make(ScriptedWriter({"detail": repeated})).write("me", "a")
    assert [(c.by, c.angle) for c in last.candidates if c.text == repeated] == [("item", "detail")]
    assert last.model == "scripted"
    *_, last = make(ScriptedWriter({}, default=repeated)).write("me", "a")
    assert {c.by for c in last.candidates} == {"item"}
    assert last.model == ""
    assert "picked sentences" in last.note


@pytest.mark.parametrize(
    ("said", "stays"),
    [
        ("It guides boats at night.", True),
        ("Visitors guide boats past the reef at night.", False),
        ("The lighthouse guides boats past the reef at night.", False),
        ("Boats guide it past the reef.", False),
    ],
)
def test_a_writer_that_only_copies_is_held_to_it(make, said: str, stays: bool) -> None:  # type: ignore[no-untyped-def]
    writer = ScriptedWriter({}, default=said)
    writer.copies_only = True
    *_, last = make(writer).write("me", "a")
    assert (said in {c.text for c in last.candidates}) is stays
    *_, last = make(ScriptedWriter({}, default=said)).write("me", "a")
    assert said in {c.text for c in last.candidates}


def test_a_failing_writer_costs_a_text_not_the_app(make) -> None:  # type: ignore[no-untyped-def]
    writer = ScriptedWriter({})
    writer.fail = True
    *_, last = make(writer).write("me", "a")
    assert last.done
    assert last.note == "the writer's process ended."
    assert {c.by for c in last.candidates} == {"item"}


def test_moving_on_ends_it_without_an_answer(make) -> None:  # type: ignore[no-untyped-def]
    cancel = threading.Event()
    seen = []
    for update in make(ScriptedWriter({})).write("me", "a", cancel):
        seen.append(update)
        if len(seen) == 4:
            cancel.set()
    assert not seen[-1].done
    assert len(seen) < 7


def test_what_was_written_is_kept_for_the_same_interests(make) -> None:  # type: ignore[no-untyped-def]
    writer = ScriptedWriter({})
    engine = make(writer)
    list(engine.write("me", "a"))
    asked = len(writer.asked)
    assert asked > 0
    list(engine.write("me", "a"))
    assert len(writer.asked) == asked
    engine.record("me", "b", Kind.LIKE)
    list(engine.write("me", "a"))
    assert len(writer.asked) > asked
    assert any("who likes" in prompt.ask for prompt in writer.asked)


def test_the_stable_part_of_a_prompt_comes_first_and_the_item_apart(make) -> None:  # type: ignore[no-untyped-def]
    writer = ScriptedWriter({})
    list(make(writer).write("me", "a"))
    assert len({prompt.system for prompt in writer.asked}) == 1
    assert len({prompt.item for prompt in writer.asked}) == 1
    assert TEXT in writer.asked[0].item
    assert TEXT not in writer.asked[0].system + writer.asked[0].ask


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("A lighthouse. And more.", "A lighthouse."),
        ("<think>hmm.</think>A lighthouse.", "A lighthouse."),
        ("<think>never ends", ""),
        ('"Quoted words."', "Quoted words."),
        ("\x1b[2JClean\x07 words.", "[2JClean words."),
        ("x" * 5_000, "x" * 400),
    ],
)
def test_replies_are_cut_to_one_clean_sentence(raw: str, read: str) -> None:
    assert reply(raw) == read


def test_an_angle_that_is_opened_more_gains() -> None:
    angles = Angles()
    for _ in range(20):
        angles.show("plain")
        angles.show("detail")
    for _ in range(10):
        angles.open("detail")
    assert angles.bonus("detail") > 0 > angles.bonus("plain")
    assert angles.bonus("never shown") == pytest.approx(0)
    assert Angles.loads(angles.dumps()).bonus("detail") == angles.bonus("detail")


def test_opening_an_item_credits_the_angle_that_was_shown(engine: Engine) -> None:
    engine.add_items([Item("a", "Skagen lighthouse", TEXT)])
    list(engine.index())
    *_, last = engine.write("me", "a")
    engine.record("me", "a", Kind.OPEN)
    kept = Angles.loads(engine.setting("angles:me"))
    assert kept.opened == {last.candidates[last.chosen].angle: 1}


def test_what_was_interrupted_goes_on_where_it_stopped(make) -> None:  # type: ignore[no-untyped-def]
    writer, cancel = ScriptedWriter({}), threading.Event()
    engine = make(writer)
    for _ in engine.write("me", "a", cancel):
        if len(writer.asked) == 3:
            cancel.set()
    list(engine.write("me", "a"))
    asked = [prompt.ask for prompt in writer.asked]
    assert len(asked) == len(set(asked)) + 1, "only the angle that was interrupted is asked for again"


def test_texts_made_ahead_are_there_when_looked_at(make) -> None:  # type: ignore[no-untyped-def]
    writer = ScriptedWriter({"detail": "Visitors climb 210 steps to the top."})
    engine = make(writer)
    assert [(p.done, p.total) for p in engine.prewrite("me", ["a", "b"])] == [(0, 2), (1, 2)]
    asked = len(writer.asked)
    updates = list(engine.write("me", "a"))
    assert len(writer.asked) == asked
    assert len(updates) == 3, "nothing streams: own words, then weighed, then all"
    assert "Visitors climb 210 steps to the top." in {c.text for c in updates[-1].candidates}
    assert list(engine.prewrite("me", ["a", "b"])) == []
    engine.record("me", "b", Kind.LIKE)
    assert [p.total for p in engine.prewrite("me", ["a"])] == [1], "other interests, other texts"


def test_writing_ahead_stops_at_once_and_nothing_half_is_kept(make) -> None:  # type: ignore[no-untyped-def]
    writer, cancel = ScriptedWriter({}), threading.Event()
    engine = make(writer)
    stream = writer.stream

    def interrupted(prompt: Prompt, **options: object) -> Iterator[str]:
        for piece in stream(prompt, **options):  # type: ignore[arg-type]
            if len(writer.asked) == 2:
                cancel.set()
            yield piece

    writer.stream = interrupted  # type: ignore[method-assign, assignment]
    assert len(list(engine.prewrite("me", ["a", "b"], cancel))) == 2
    assert len(writer.asked) == 2
    assert [len(row["tried"]) for row in engine.store.all_written()] == [1]


def test_without_a_writer_nothing_is_made_ahead(engine: Engine) -> None:
    engine.add_items([Item("a", "Skagen lighthouse", TEXT)])
    assert list(engine.prewrite("me", ["a"])) == []


def test_a_writer_that_fails_ahead_says_so(make) -> None:  # type: ignore[no-untyped-def]
    writer = ScriptedWriter({})
    writer.fail = True
    with pytest.raises(ModelFailed, match="process ended"):
        list(make(writer).prewrite("me", ["a"]))
