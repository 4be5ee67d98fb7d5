"""Quiet moments: the writer works ahead, any key ends that at once. And the key for how long an item stays fresh."""

from collections.abc import Iterator

import pytest
from conftest import NOW

from llmrec.engine import Engine, Item, ModelFailed
from llmrec.models.hashing import HashingEmbedder
from llmrec.tui import quiet
from tests.engine.test_writing import ScriptedWriter
from tests.tui.conftest import Driver, Opened
from tests.tui.fake import DAY, FakeEngine


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "QUIET", 0.05)


def writing(**options: bool) -> FakeEngine:
    engine = FakeEngine(90)
    engine.writer = "fake-writer@0"
    for name, value in options.items():
        setattr(engine, name, value)
    return engine


def wrote(ui: Driver) -> list[str]:
    return [work.removeprefix("wrote ") for work in ui.engine.ahead if work.startswith("wrote")]


async def test_a_quiet_moment_writes_the_next_and_the_top_rows_then_judges(opened: Opened) -> None:
    async with opened(writing()) as ui:
        await ui.press("G", "k", "k")
        top, here = list(ui.items.ids[:10]), list(ui.items.ids[27:30])
        await ui.until(lambda: set(wrote(ui)) == {*top, *here})
        await ui.until(lambda: f"judged {top[0]}" in ui.engine.ahead)
        assert ui.engine.ahead.index(f"wrote {top[0]}") < ui.engine.ahead.index(f"judged {top[0]}")


async def test_after_a_spell_it_rests_until_the_next_key(opened: Opened) -> None:
    async with opened(writing()) as ui:
        await ui.until(lambda: f"judged {ui.items.ids[9]}" in ui.engine.ahead)
        await ui.settle()
        done = len(ui.engine.ahead)
        await ui.pilot.pause(0.3)
        assert len(ui.engine.ahead) == done
        assert "ahead" not in ui.line("note")
        await ui.press("G")
        await ui.until(lambda: f"wrote {ui.items.ids[29]}" in ui.engine.ahead)


@pytest.mark.parametrize("key", ["j", "l", "w", "i", "question_mark", "slash"])
async def test_any_key_ends_it_at_once(opened: Opened, key: str) -> None:
    async with opened(writing(slow_ahead=True), wait=False) as ui:
        await ui.until(lambda: "ahead: texts 0 of 10" in ui.text)
        ui.engine.slow_ahead = False
        await ui.tap(key)
        await ui.until(lambda: ui.engine.ahead[:1] == ["cancelled"])
        await ui.settle()


async def test_a_click_ends_it_too(opened: Opened) -> None:
    async with opened(writing(slow_ahead=True), wait=False) as ui:
        await ui.until(lambda: "ahead: texts" in ui.text)
        ui.engine.slow_ahead = False
        await ui.pilot.click("#list", offset=(10, 6))
        await ui.until(lambda: ui.engine.ahead[:1] == ["cancelled"])
        await ui.settle()


async def test_what_was_ended_is_not_said_to_go_on(opened: Opened) -> None:
    async with opened(writing(slow_ahead=True), wait=False) as ui:
        await ui.until(lambda: "ahead: texts" in ui.text)
        ui.app.for_you.quiet.stop()  # no next quiet moment
        await ui.press("j")
        assert "ahead" not in ui.line("note")


async def test_without_a_writer_nothing_happens(opened: Opened) -> None:
    async with opened(FakeEngine(90)) as ui:
        await ui.pilot.pause(0.3)
        assert ui.engine.ahead == []


async def test_a_failure_is_told_once_and_ends_it(opened: Opened) -> None:
    engine = writing()
    async with opened(engine) as ui:
        await ui.until(lambda: f"judged {ui.items.ids[9]}" in engine.ahead)
        engine.fail = ModelFailed("the writer has gone")
        await ui.press("G")
        await ui.until(lambda: "the writer has gone" in ui.line("note"))
        engine.fail = None
        done = len(engine.ahead)
        await ui.press("g", "g", "j")
        await ui.pilot.pause(0.3)
        assert len(engine.ahead) == done


async def test_a_text_made_ahead_by_the_real_engine_is_shown_without_writing(opened: Opened) -> None:
    writer = ScriptedWriter({}, default="It tells of boats at night.")
    with Engine.open(":memory:", embedder=HashingEmbedder(), writer=writer, clock=lambda: NOW) as engine:
        engine.add_items(
            Item(f"i{k}", f"Part {k}", f"It tells of boats number {k}. They sail at night.", domain="feed")  # type: ignore[arg-type]
            for k in range(3)
        )
        list(engine.index())
        async with opened(engine) as ui:
            await ui.until(lambda: list(engine.unjudged()) == [])
            asked = len(writer.asked)
            await ui.press("j")
            await ui.until(lambda: ui.app.for_you.settled)
            assert len(writer.asked) == asked
            assert any(row["drafts"] for row in engine.store.all_written())


async def test_a_quiet_moment_names_an_interest_and_the_screen_says_who_named_it(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "QUIET", 3_600.0)  # it comes when this test says so
    writer = ScriptedWriter({"Topic:": "boats"}, default="It tells of boats at night.")
    with Engine.open(":memory:", embedder=HashingEmbedder(), writer=writer, clock=lambda: NOW) as engine:
        engine.add_items(
            Item(f"i{k}", f"Part {k}", f"It tells of boats number {k}. They sail at night.", domain="feed")  # type: ignore[arg-type]
            for k in range(3)
        )
        list(engine.index())
        async with opened(engine, size=(80, 24)) as ui:
            await ui.press("l", "i")
            assert "named by" not in ui.text
            await ui.press("escape")
            ui.app.for_you.quiet._begin()
            await ui.until(lambda: [i.named_by for i in engine.interests("me")] == ["scripted"])
            await ui.press("i")
            await ui.until(lambda: "named by scripted" in ui.text)
            assert "> boats " in ui.text


ANSWERS = [("d", "2 days"), ("w", "2 weeks"), ("m", "6 months"), ("y", "3 years")]


@pytest.mark.parametrize(("key", "words"), ANSWERS)
async def test_one_key_and_an_answer_say_how_long_it_stays_fresh(opened: Opened, key: str, words: str) -> None:
    async with opened() as ui:
        assert "stays fresh 2 weeks (rule)" in ui.text
        await ui.press("h")
        assert "How long does this stay worth reading?" in ui.text
        await ui.press(key)
        assert f"stays fresh {words} (you)" in ui.text
        await ui.press("u")
        assert "stays fresh 2 weeks (rule)" in ui.text
        await ui.press("ctrl+r")
        assert f"stays fresh {words} (you)" in ui.text
        await ui.press("h", "r")
        assert "stays fresh 2 weeks (rule)" in ui.text


async def test_esc_changes_nothing_and_there_is_no_word_to_take_back(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("h")
        assert "take my word back" not in ui.text
        await ui.press("escape")
        assert not [call for call in ui.engine.calls if "half_life" in call]


async def test_the_reader_shows_and_corrects_it(opened: Opened) -> None:
    async with opened(size=(80, 24)) as ui:
        await ui.press("enter")
        assert "stays fresh 2 weeks (rule)" in ui.text
        await ui.press("h", "d")
        assert "stays fresh 2 days (you)" in ui.text
        assert ui.engine.half_life(ui.items.current).seconds == 2 * DAY
        await ui.press("escape")
        assert ui.app.screen is ui.app.for_you


@pytest.fixture
def engine_on_disk(tmp_path) -> Iterator[Engine]:  # type: ignore[no-untyped-def]
    with Engine.open(tmp_path / "a.db", embedder=HashingEmbedder(), clock=lambda: NOW) as engine:
        engine.add_items([Item("a", "Night boats", "They sail at night.", domain="feed")])  # type: ignore[arg-type]
        list(engine.index())
        yield engine


async def test_the_real_engine_keeps_it(opened: Opened, engine_on_disk: Engine) -> None:
    async with opened(engine_on_disk) as ui:
        await ui.press("h", "d")
        assert '"Night boats" stays fresh 2 days' in ui.line("note")
        assert engine_on_disk.half_life("a").by == "you"  # type: ignore[arg-type]
        await ui.press("u")
        assert engine_on_disk.half_life("a").by == "rule"  # type: ignore[arg-type]
        assert "stays fresh 2 weeks (rule)" in ui.text
