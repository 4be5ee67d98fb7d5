"""The first minute: a hint, a line to type interests in, and a list that follows; by keys."""

from collections.abc import Iterator

import pytest

from llmrec.engine import Engine, Item
from llmrec.models.hashing import HashingEmbedder
from tests.tui.conftest import Opened
from tests.tui.fake import NOW

TOPICS = {
    "sailing": "boat harbour tide anchor",
    "jazz": "saxophone swing trumpet chord",
    "astronomy": "telescope planet comet galaxy",
    "baking": "sourdough flour oven yeast",
    "trains": "railway track signal station",
    "money": "budget loan saving pension",
}


@pytest.fixture
def real() -> Iterator[Engine]:
    """The engine itself, on items of six topics, all of the newest about money."""
    with Engine.open(":memory:", embedder=HashingEmbedder(), clock=lambda: NOW) as engine:
        engine.add_items(
            Item(f"{topic}{k}", f"{topic} {words.split()[k % 4]} {k}", f"{topic} {words}", tags=(topic,), domain="feed")
            for topic, words in reversed(TOPICS.items())
            for k in range(8)
        )
        list(engine.index())
        yield engine


def topics(ids: list[str]) -> list[str]:
    return [id.rstrip("0123456789") for id in ids]


async def test_a_newcomer_sees_everything_and_how_to_begin(opened: Opened, real: Engine) -> None:
    for size in ((80, 24), (120, 40)):
        async with opened(real, size=size) as ui:
            assert set(topics(ui.items.ids[:6])) == set(TOPICS)
            assert "press a and type what you like" in ui.line("note")
            assert "or just press l on a row" in ui.text, size


async def test_typed_interests_start_the_list_and_are_undone_together(opened: Opened, real: Engine) -> None:
    async with opened(real) as ui:
        page = list(ui.items.ids)
        await ui.press("5", "j", "a")
        assert "sailing, jazz, astronomy" in ui.text  # what may be typed
        await ui.press(*"sailing, jazz, astronomy", "enter")
        meant = [id for id in ui.items.ids[:9] if id not in ui.app.for_you.ranking.explore]
        assert set(topics(meant)) == {"sailing", "jazz", "astronomy"}
        assert ui.items.cursor == 0
        assert "more sailing, jazz, astronomy" in ui.line("note")
        await ui.press("i")
        for words in ("sailing", "jazz", "astronomy"):
            assert words in ui.text
        await ui.press("escape", "u")
        assert "took back: more sailing, more jazz, more astronomy" in ui.line("note")
        assert real.interests("me") == []
        assert list(ui.items.ids) == page


async def test_the_line_can_be_left_and_takes_directions(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("a", *"sail", "escape", "j")
        assert ui.engine.calls == []
        await ui.press("a", "enter", "a", *"less politics", "enter")
        assert ui.engine.calls == ["steer less politics"]


async def test_the_key_is_in_help_and_palette(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("?", *"type what")
        assert 'Type what you like: "sailing, jazz, astronomy"' in ui.text
        await ui.press("escape")
        assert any(command.title == "add · a" for command in ui.app.get_system_commands(ui.app.screen))


async def test_keys_typed_at_once_reach_the_line(opened: Opened) -> None:
    async with opened() as ui:
        for key in ("a", *"trains", "enter"):
            ui.burst(key)
        await ui.settle()
        assert ui.engine.calls == ["steer more trains"]
