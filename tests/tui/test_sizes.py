"""Every size of window, from one cell up, on every screen."""

from collections.abc import Iterator
from threading import Event as Cancel

import pytest
from rich.cells import cell_len
from textual.notifications import Notification
from textual.widgets._toast import Toast

from llmrec.engine import Candidate, Change, Interest, ItemId, Kind, Written
from llmrec.tui.actions import UNDO
from llmrec.tui.screens.for_you import _toast, toast_room
from tests.tui.conftest import Opened
from tests.tui.fake import NOW, FakeEngine

SCREENS = {
    "list": [],
    "filter": ["/", "a"],
    "reader": ["enter"],
    "why": ["w"],
    "interests": ["i"],
    "models": ["m"],
    "fetch": ["m", "G", "p"],
    "snooze": ["i", "z"],
    "time": ["t", "h"],
    "remove": ["t", "enter"],
    "help": ["?"],
    "palette": ["ctrl+p"],
}
WIDTHS = (1, 2, 3, 4, 6, 17, 40)
HEIGHTS = (1, 2, 4, 15)


@pytest.mark.parametrize("keys", SCREENS.values(), ids=SCREENS.keys())
async def test_no_size_is_too_small(opened: Opened, keys: list[str]) -> None:
    async with opened(size=(80, 24)) as ui:
        await ui.press("l", "j", "s", *keys)
        front = ui.app.screen
        for height in HEIGHTS:
            for width in WIDTHS:
                await ui.pilot.resize_terminal(width, height)
                await ui.until(lambda size=(width, height): tuple(front._compositor.size) == size)
                assert max(cell_len(row) for row in ui.rows) <= width, (width, height, ui.rows)
        await ui.pilot.resize_terminal(80, 24)
        await ui.settle()
        assert ui.app.screen is front
        assert ui.rows[0].strip() or ui.rows[2].strip()


@pytest.mark.parametrize("size", [(1, 1), (4, 2), (12, 5), (0, 0)])
async def test_it_starts_and_takes_keys_at_any_size(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(size=size) as ui:
        await ui.press("j", "l", "d", "u", "w", "escape", "i", "+", "escape", "t", "h", "escape", "enter", "escape")
        assert [call.split()[0] for call in ui.engine.calls] == ["record", "record", "undo", "control", "record"]


async def test_40_by_12_shows_titles_and_rank_changes(opened: Opened) -> None:
    async with opened(size=(40, 12)) as ui:
        await ui.press("j", "l")
        assert sum("about" in row for row in ui.rows) >= 9
        assert "▲" in ui.text
        assert "? help" in ui.rows[-1]
        assert "liked" in ui.rows[-2]


async def test_80_by_24_shows_the_text_of_the_row_under_the_list(opened: Opened) -> None:
    async with opened(size=(80, 24)) as ui:
        assert "Angle 0 on Night boats" in "\n".join(ui.rows[-9:])
        assert "fake-writer" in "\n".join(ui.rows[-9:])
        await ui.press("w")
        assert "the sum of" in ui.text
        await ui.press("escape", "i")
        assert "Interests" in ui.rows[0]


@pytest.mark.parametrize(("count", "cut"), [(20, False), (36, True)])
async def test_80_by_24_shows_a_text_of_three_lines_and_whose_it_is(opened: Opened, count: int, cut: bool) -> None:
    class Wordy(FakeEngine):
        def write(self, user: str, item: ItemId, cancel: Cancel | None = None) -> Iterator[Written]:
            yield Written(item, "fake-writer@0", 0, (Candidate("many words " * count, 1.0, "long", "model"),))

    async with opened(Wordy(), size=(80, 24)) as ui:
        below = [row for row in ui.rows[-9:] if "many words" in row]
        assert len(below) == 3
        assert ("…" in below[-1]) is cut
        assert "fake-writer" in "\n".join(ui.rows[-9:])
        await ui.pilot.resize_terminal(120, 40)
        await ui.settle()
        assert ui.text.replace("\n", " ").count("many") == count


async def test_a_line_that_is_cut_stands_where_it_stood(opened: Opened) -> None:
    async with opened(size=(80, 24)) as ui:
        ui.app.for_you.say("words " * 30, key=UNDO)
        await ui.settle()
        assert ui.rows[-2].startswith(" words")
        assert "u undo" in ui.rows[-2]


async def test_headings_stand_over_their_columns(opened: Opened) -> None:
    for width in (120, 80, 60):
        async with opened(size=(width, 24)) as ui:
            await ui.press("l", "i")
            heads, row = ui.rows[2], ui.rows[3]
            assert row[heads.index("now")] == "▇"


async def test_a_toast_fits_into_one_line_and_ends_with_its_key(opened: Opened) -> None:
    change = Change(Kind.LIKE, ItemId("a"), "very long words " * 20)
    for width in (40, 80, 120):
        async with opened(size=(width, 24)) as ui:
            toast = Toast(Notification(_toast(change, "", toast_room(width)), markup=False))
            await ui.app.screen.mount(toast)
            await ui.settle()
            assert toast.size.height == 1
            assert str(toast.render()).rstrip().endswith("… · u undo")


async def test_120_by_36_shows_list_text_reasons_and_interests(opened: Opened) -> None:
    async with opened(size=(120, 36)) as ui:
        await ui.press("l")
        for words in ("why", "interests", "always", "fake-writer", "sailing, calm: 1 like"):
            assert words in ui.text


@pytest.mark.parametrize("width", range(20, 121, 20))
async def test_no_line_is_wider_than_the_window(opened: Opened, width: int) -> None:
    async with opened(FakeEngine(12), size=(width, 24)) as ui:
        await ui.press("l")
        assert all(len(row) == width for row in ui.rows)


async def test_what_was_typed_to_see_less_of_is_a_line_without_measures(opened: Opened) -> None:
    class Less(FakeEngine):
        def interests(self, user: str, as_of: float | None = None) -> list[Interest]:
            return [Interest("steer:1", ("politics",), None, 0.0, 0.0, 1.0, NOW, (0.0,) * 12, "less until 27 Dec")]

    async with opened(Less(), size=(120, 36)) as ui:
        (line,) = [row for row in ui.rows if "politics" in row]
        assert line.rstrip().endswith("less until 27 Dec")
        await ui.press("i")
        (first,) = [row for row in ui.rows if row.startswith("> politics")]
        assert "%" not in first
        assert "less until 27 Dec · typed just now · X takes it back" in ui.text
