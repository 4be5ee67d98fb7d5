"""Why in words: the evidence at once, a sentence under it as it comes, and what a slow or wrong writer costs."""

import pytest

from llmrec.engine import Engine, Item, Kind, Phrased
from llmrec.engine.phrasing import DROPPED
from llmrec.models.hashing import HashingEmbedder
from tests.engine.test_writing import ScriptedWriter
from tests.tui.conftest import Opened
from tests.tui.fake import NOW, FakeEngine


def writing() -> FakeEngine:
    engine = FakeEngine(90)
    engine.writer = "fake-writer@0"
    return engine


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_sentence_stands_under_the_evidence_with_its_author(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(writing(), size=size) as ui:
        await ui.press("l", "w")
        assert "You liked what ranks" in ui.text
        assert "fake-writer · checked against the lines above" in ui.text
        assert ui.text.index("without") < ui.text.index("You liked what ranks")


async def test_the_evidence_does_not_wait_and_leaving_stops_the_writer(opened: Opened) -> None:
    engine = writing()
    async with opened(engine) as ui:
        await ui.press("l")
        engine.slow_write = True
        await ui.tap("w")
        await ui.until(lambda: "fake-writer puts it into words" in ui.text)
        assert "score" in ui.text
        await ui.tap("escape")
        await ui.until(lambda: ui.app.screen is ui.app.for_you)
        await ui.settle()
        engine.slow_write = False


async def test_a_text_under_way_below_gives_way_and_goes_on_afterwards(opened: Opened) -> None:
    engine = writing()
    engine.slow_write = True
    async with opened(engine, wait=False) as ui:
        await ui.until(lambda: engine.writing == 1)
        await ui.tap("w")
        await ui.until(lambda: engine.writing == 0)
        engine.slow_write = False
        await ui.tap("escape")
        await ui.until(lambda: ui.app.for_you.settled)


async def test_what_did_not_hold_is_said_to_be_dropped(opened: Opened) -> None:
    engine = writing()
    async with opened(engine) as ui:
        engine.phrased = Phrased(
            ui.items.ids[0], "", "fake-writer", "what the model wrote did not hold and was dropped"
        )
        await ui.press("w")
        assert f"fake-writer: {DROPPED}" in ui.text
        assert "You liked" not in ui.text


async def test_without_a_writer_the_evidence_stands_alone(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("l", "w")
        assert "writer" not in ui.text
        assert "words" not in ui.text


async def test_the_real_engine_phrases_it(opened: Opened) -> None:
    writer = ScriptedWriter({"Why it stands": "You liked Night boats, and this is of the sea as well."})
    with Engine.open(":memory:", embedder=HashingEmbedder(), writer=writer, clock=lambda: NOW) as engine:
        engine.add_items(
            [
                Item("a", "Night boats", "They sail at night on the sea.", tags=("sea",)),  # type: ignore[arg-type]
                Item("b", "Tide tables", "When the sea comes and goes.", tags=("sea",)),  # type: ignore[arg-type]
            ]
        )
        list(engine.index())
        engine.record("me", "a", Kind.LIKE, NOW - 60)  # type: ignore[arg-type]
        async with opened(engine) as ui:
            await ui.press("w")
            assert "You liked Night boats, and this is of the sea as well." in ui.text
            assert "scripted · checked" in ui.text
