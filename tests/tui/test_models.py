"""The shelf of models, by keys."""

import pytest

from llmrec.engine import ModelFailed, ModelNotFound
from tests.tui.conftest import Driver, Opened

SIZES = [(80, 24), (120, 40)]


def row_of(ui: Driver, name: str) -> str:
    """The line of a model."""
    return next(line for line in ui.rows if line[2:].startswith(name))


@pytest.mark.parametrize("size", SIZES)
async def test_m_lists_what_ranks_what_writes_and_what_can_be_had(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(size=size) as ui:
        await ui.press("m")
        assert ui.app.screen is ui.app.models
        assert "in use" in row_of(ui, "fake-encoder")
        assert "encoder" in row_of(ui, "fake-encoder")
        assert "0.6 B" in row_of(ui, "fake-encoder")
        assert "100.0 MB" in row_of(ui, "fake-encoder")
        assert "pulled" in row_of(ui, "second")
        assert "writer" in row_of(ui, "scribe")
        assert "to pull" in row_of(ui, "poet")
        for words in ("English; quick", "Apache-2.0", "MIT", "tokens/s", "nothing is fetched unasked"):
            assert words in ui.text
        await ui.press("escape")
        assert ui.app.screen is ui.app.for_you


async def test_it_is_in_help_and_palette(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("?", *"which rank and write", "enter")
        await ui.until(lambda: ui.app.screen is ui.app.models)
        await ui.settle()
        await ui.press("?")
        for words in ("Fetch it over the network", "Check header and hash", "Stop a download", "by its path"):
            assert words in ui.text
        await ui.press("escape", "escape", "ctrl+p", *"models")
        await ui.until(lambda: "models · m" in ui.text)
        await ui.press("enter")
        await ui.until(lambda: ui.app.screen is ui.app.models)


async def test_using_a_writer_takes_effect_and_says_so(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("m", "j", "j", "enter")
        assert ui.engine.models.calls == ["use /models/scribe.gguf"]
        assert "scribe writes the texts from now on" in ui.line("note")
        assert "nobody vouches" in ui.line("note")
        assert "in use" in row_of(ui, "scribe")
        assert ui.rows[ui.app.models._list.region.y + 4].startswith("> scribe"), "the cursor stays on its model"


@pytest.mark.parametrize("size", SIZES)
async def test_using_an_encoder_keeps_the_list_until_its_vectors_are_there(
    opened: Opened, size: tuple[int, int]
) -> None:
    async with opened(size=size) as ui:
        await ui.press("l", "m")
        before = ui.app.for_you.ranking.revision
        await ui.pilot.press("j", "enter")
        await ui.until(lambda: "57 of 60" in ui.line("note"))
        assert "second ranks once 3 items more have its vector" in ui.line("note")
        await ui.until(lambda: "soon, 95 % there" in row_of(ui, "second"))
        assert "until then" in row_of(ui, "fake-encoder")
        ui.engine.models.made.release()
        await ui.until(lambda: "vectors by second 58 of 60" in ui.line("note"))
        await ui.pilot.press("escape")
        await ui.until(lambda: ui.app.screen is ui.app.for_you)
        assert "58 of 60" in ui.rows[-2], "at this width too, beside what the key changed"
        assert ui.app.for_you.ranking.revision == before
        ui.engine.models.made.release(2)
        await ui.until(lambda: "second ranks the list from now on" in ui.line("note"))
        await ui.settle()
        assert ui.app.for_you.ranking.revision == before + 1, "ordered once"
        assert "encoder second" in ui.line("note")
        await ui.press("m")
        assert "in use" in row_of(ui, "second")
        assert "soon" not in ui.text


async def test_an_encoder_that_fails_is_told_and_can_be_chosen_again(opened: Opened) -> None:
    async with opened() as ui:
        models = ui.engine.models
        await ui.press("m")
        await ui.pilot.press("j", "enter")
        await ui.until(lambda: "57 of 60" in ui.line("note"))
        models.fail = ModelFailed("the model process hung.")
        models.made.release()
        await ui.until(lambda: "the model process hung." in ui.notices)
        await ui.settle()
        models.fail = None
        await ui.pilot.press("enter")
        models.made.release(3)
        await ui.until(lambda: models.serving == "second@0")
        await ui.settle()
        assert "second ranks the list from now on" in ui.line("note")


async def test_choosing_the_old_encoder_again_stops_the_change(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("m")
        await ui.pilot.press("j", "enter")
        await ui.until(lambda: "57 of 60" in ui.line("note"))
        await ui.press("k", "enter")
        assert "fake-encoder ranks the list" in ui.line("note")
        assert "57 of 60" not in ui.line("note")
        assert "in use" in row_of(ui, "fake-encoder")
        assert ui.engine.models.serving == "fake-encoder@0"


@pytest.mark.parametrize("size", SIZES)
async def test_fetching_asks_shows_its_progress_and_goes_on_behind_other_screens(
    opened: Opened, size: tuple[int, int]
) -> None:
    async with opened(size=size) as ui:
        models = ui.engine.models
        await ui.press("m", "G", "p")
        assert ui.app.screen is ui.app.choice
        assert "Fetch poet over the network?" in ui.text
        assert "100.0 MB from http://hub.example/hub/poet" in ui.text
        assert "MIT · short texts" in ui.text
        await ui.press("n")
        assert models.calls == []
        await ui.press("enter", "y")
        await ui.until(lambda: models.calls == ["pull poet"])
        for _ in range(2):
            models.steps.release()
            ui.app.downloads._running["poet"][1].join(0.25)
        await ui.until(lambda: "getting 50 %" in row_of(ui, "poet"))
        assert "50.0 MB of 100.0 MB · 5.0 MB/s · 10 s left" in ui.text
        await ui.press("p")
        assert "poet is on its way" in ui.line("note")
        await ui.press("escape", "l")
        assert ui.app.screen is ui.app.for_you
        assert "50 %, 10 s left" in ui.rows[-2], "at this width too, beside what the key changed"
        models.steps.release(2)
        await ui.until(lambda: "poet is here: enter puts it to use" in ui.notices)
        await ui.settle()
        assert "50 %" not in ui.line("note")
        await ui.press("m")
        assert "pulled" in row_of(ui, "poet")


async def test_a_stopped_download_keeps_what_came_and_goes_on_from_there(opened: Opened) -> None:
    async with opened() as ui:
        models = ui.engine.models
        await ui.press("m", "c")
        assert "nothing is being fetched" in ui.line("note")
        await ui.press("G", "p", "y")
        await ui.until(lambda: models.calls == ["pull poet"])
        models.steps.release()
        await ui.pilot.press("c")
        await ui.until(lambda: "was stopped at 25 of 100 MB" in ui.line("note"))
        await ui.settle()
        assert "25 % here" in row_of(ui, "poet")
        await ui.press("p")
        assert "75.0 MB of it, 25 % is here" in ui.text
        await ui.press("y")
        models.steps.release(3)
        await ui.until(lambda: "poet is here" in ui.line("note"))


async def test_quitting_ends_a_download_and_nothing_else_waits_for_it(opened: Opened) -> None:
    async with opened() as ui:
        models = ui.engine.models
        await ui.press("m", "G", "p", "y")
        await ui.until(lambda: models.calls == ["pull poet"])
        models.steps.release()
        await ui.pilot.press("ctrl+q")
    assert ui.app.downloads._running == {}
    assert next(row for row in models.rows() if row.name == "poet").part in (0, 25_000_000)


async def test_a_download_that_fails_is_one_line(opened: Opened) -> None:
    async with opened() as ui:
        ui.engine.models.fail = ModelFailed("poet: no connection to hub.example (refused).")
        await ui.press("m", "G", "p", "y")
        await ui.until(lambda: "no connection" in ui.line("note"))
        await ui.settle()
        assert "to pull" in row_of(ui, "poet")
        ui.engine.models.fail = None
        await ui.press("p", "y", "escape")
        await ui.until(lambda: ui.engine.models.calls == ["pull poet"] * 2)
        ui.engine.models.fail = ModelFailed("poet broke off at 25 of 100 MB.")
        ui.engine.models.steps.release()
        await ui.until(lambda: "poet broke off at 25 of 100 MB." in ui.notices)
        assert "poet broke off" in ui.line("note")


async def test_a_bug_in_a_download_is_reported_and_not_printed(opened: Opened) -> None:
    async with opened() as ui:
        ui.engine.models.fail = ValueError("oops")
        await ui.press("m", "G", "p", "y")
        await ui.until(lambda: any("a bug in llmrec: ValueError" in notice for notice in ui.notices))
        assert len(ui.app.crashes) == 1
        ui.app.crashes.clear()


async def test_verify_says_what_is_wrong_with_which_file(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("m", "v")
        assert "2 files whole, 1 damaged: second is not the pinned file." in ui.line("note")
        assert "damaged" in row_of(ui, "second")
        assert "in use" in row_of(ui, "fake-encoder")
        assert "whole" in row_of(ui, "scribe")
        await ui.press("p")
        assert "there is nothing to fetch" in ui.line("note")
        await ui.press("j", "p")
        assert "Fetch second over the network?" in ui.text, "a damaged file can be had again"


async def test_speed_is_measured_on_demand(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("m", "s")
        assert "fake-encoder does 1,234 tokens a second here" in ui.line("note")
        assert "1,234" in row_of(ui, "fake-encoder")
        await ui.press("G", "s")
        assert "only what is here can be measured" in ui.line("note")


async def test_a_file_is_added_by_its_path(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("m")
        for key in ("a", "slash", "x", "c"):  # faster than the line opens: none of them is a key of the list
            ui.burst(key)
        await ui.settle()
        await ui.press("enter")
        assert ui.engine.models.calls == ["add /xc"]
        assert "xc, a writer: enter puts it to use" in ui.line("note")
        await ui.press("a", "escape")
        assert len(ui.engine.models.calls) == 1


async def test_removing_asks_and_says_what_it_does(opened: Opened) -> None:
    async with opened() as ui:
        ui.engine.models._change("second", used=True)
        await ui.press("m", "j", "X")
        assert "Delete second?" in ui.text
        assert "It is in use; the bundled one takes its place." in ui.text
        await ui.press("escape")
        assert ui.engine.models.calls == []
        await ui.press("X", "y")
        assert ui.engine.models.calls == ["remove /models/second.gguf"]
        assert "deleted /models/second.gguf" in ui.line("note")
        assert "second" not in "\n".join(ui.rows[:-2])
        await ui.press("X")
        assert "Take scribe off the list?" in ui.text
        assert "left alone: /models/scribe.gguf" in ui.text
        await ui.press("n", "G", "X")
        assert "only what is here can be removed" in ui.line("note")
        await ui.press("g", "g", "X", "y")
        assert "came with the program, so it stays" in ui.line("note")
        assert len(ui.engine.models.calls) == 1


async def test_each_refusal_is_one_line_here(opened: Opened) -> None:
    async with opened() as ui:
        ui.engine.models.fail = ModelNotFound("There is no model file at /x.gguf.")
        await ui.press("m")
        for keys in (["enter"], ["v"], ["s"], ["a", "x", "enter"], ["j", "X", "y"]):
            await ui.press(*keys)
            assert ui.line("note").strip().startswith("There is no model file at /x.gguf.")
        assert ui.app.screen is ui.app.models


async def test_keys_before_the_shelf_is_read_do_no_harm(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as ui:
        monkeypatch.setattr(ui.engine.models, "rows", lambda: [])
        await ui.press("m", "enter", "p", "c", "v", "s", "X", "j")
        assert "looking at the models" in ui.text


async def test_hostile_names_are_drawn_harmlessly(opened: Opened) -> None:
    async with opened() as ui:
        ui.engine.models._rows = [
            ui.engine.models._row("\x1b]0;evil\x07[bold]x", "writer", "your own", use="\x1b[2J", licence="[/]")
        ]
        await ui.press("m", "X")
        assert "\x1b" not in ui.text
        assert "[bold]x" in ui.text
