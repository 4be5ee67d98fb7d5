"""Every key of the list, pressed; the facts are known from how the fake engine ranks."""

import pytest
from textual.widgets import Input

from llmrec.engine import Kind, View
from tests.tui.conftest import Opened
from tests.tui.fake import FakeEngine


async def test_the_first_screen_shows_titles_moves_and_the_text_of_the_first_row(opened: Opened) -> None:
    async with opened() as ui:
        assert ui.items.rows == 20  # 60 items in three domains
        assert "Night boats about sailing, part 0" in ui.text
        assert "[feed] shop courses all" in ui.text
        assert "mood" in ui.text
        assert "62 % · taste 38 %" in ui.text
        assert "item's own words" in ui.text or "fake-writer" in ui.text


MOVES = [
    ("j", 1),
    ("down down", 2),
    ("j j k", 1),
    ("5 j", 5),
    ("1 2 j", 12),
    ("5 j 2 k", 3),
    ("G", 19),
    ("end", 19),
    ("7 G", 6),
    ("G g g", 0),
    ("G home", 0),
    ("k", 0),
    ("9 9 j", 19),
    ("5 escape j", 1),
    ("g j", 1),
]


async def test_moves_and_counts(opened: Opened) -> None:
    async with opened() as ui:
        for keys, row in MOVES:
            await ui.press("g", "g", *keys.split())
            assert ui.items.cursor == row, keys
            assert ui.items.current == ui.items.ids[row]


async def test_pages_are_as_long_as_the_list_is_high(opened: Opened) -> None:
    async with opened(FakeEngine(300), size=(80, 24)) as ui:
        page = ui.items.size.height // ui.items.row_height
        await ui.press("pagedown")
        assert ui.items.cursor == page
        await ui.press("ctrl+d")
        assert ui.items.cursor == page + round(page / 2)
        await ui.press("ctrl+u", "pageup")
        assert ui.items.cursor == 0
        await ui.press("G")
        assert ui.items.cursor in ui.items.in_sight


async def test_a_like_reorders_and_the_cursor_stays_on_its_item(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("2", "j")
        liked = ui.items.current
        before = list(ui.items.ids)
        await ui.press("l")
        assert ui.items.current == liked
        assert list(ui.items.ids) != before
        assert "▲" in ui.text
        assert "+ liked" in ui.text
        assert ui.engine.calls == [f"record like {liked}"]
        title = ui.engine.item(liked).title
        assert ui.notices == [f"Liked {title} · u undo"]
        assert "sailing +.10" in ui.line("note")
        assert "moved up  u undo" in ui.line("note")


@pytest.mark.parametrize(("key", "kind"), [("d", "dislike"), ("-", "dislike"), ("x", "skip")])
async def test_a_row_that_leaves_hands_the_cursor_to_the_next(opened: Opened, key: str, kind: str) -> None:
    async with opened() as ui:
        await ui.press("3", "j")
        gone = ui.items.current
        await ui.press(key)
        assert gone not in ui.items.ids
        assert ui.items.cursor == 3
        assert ui.engine.calls == [f"record {kind} {gone}"]
        await ui.press("u")
        assert ui.items.current == gone  # what comes back is under the cursor


async def test_two_quick_dislikes_meet_two_rows(opened: Opened) -> None:
    async with opened() as ui:
        first, second = ui.items.ids[:2]
        await ui.pilot.press("x", "x")
        await ui.settle()
        assert ui.engine.calls == [f"record skip {first}", f"record skip {second}"]


async def test_the_same_mark_twice_counts_once(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("l", "l", "+")
        assert len(ui.engine.calls) == 1
        assert "already liked" in ui.line("note")


async def test_undo_and_redo_walk_the_whole_log(opened: Opened) -> None:
    async with opened() as ui:
        start = list(ui.items.ids)
        await ui.press("l", "j", "s", "j", "d")
        after = list(ui.items.ids)
        await ui.press("u", "u", "u")
        assert list(ui.items.ids) == start
        assert ui.items.marks == {}
        assert "took back" in ui.line("note")
        await ui.press("u")
        assert "nothing to undo" in ui.line("note")
        await ui.press("ctrl+r", "ctrl+r", "ctrl+r")
        assert sorted(ui.items.ids) == sorted(after)
        await ui.press("ctrl+r")
        assert "nothing to redo" in ui.line("note")


async def test_rows_acted_on_stay_until_the_domain_changes(opened: Opened) -> None:
    async with opened() as ui:
        saved = ui.items.current
        await ui.press("s")
        assert saved in ui.items.ids
        assert "* saved" in ui.text
        await ui.press("tab", "shift+tab")
        assert saved not in ui.items.ids


async def test_the_filter_is_incremental_sticky_and_cleared_by_esc(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("/", *"databases")
        assert all("databases" in ui.engine.item(id).title for id in ui.items.ids)
        assert 0 < ui.items.rows < 20
        await ui.press("enter")
        assert ui.items.has_focus
        assert "/databases" in ui.text
        await ui.press("j", "tab")
        assert "/databases" in ui.text  # it stays when the domain changes
        await ui.press("shift+tab", "j", "j")
        found = ui.items.current
        assert found is not None
        await ui.press("escape")
        assert "/databases" not in ui.text
        assert ui.items.rows == 20
        assert ui.items.current == found  # what was found is still under the cursor, among all rows


async def test_esc_in_the_filter_line_goes_back_to_the_row_before_it(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("7", "j")
        before = ui.items.current
        await ui.press("/", *"zzz")
        assert ui.items.rows == 0
        await ui.press("escape")
        assert ui.items.current == before


async def test_what_was_liked_in_a_filter_does_not_vanish_with_it(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("/", *"part 3", "enter", "l")
        liked = ui.items.current
        await ui.press("escape")
        assert ui.items.current == liked
        assert "+ liked" in ui.text


async def test_esc_in_the_filter_line_forgets_it_and_arrows_keep_it(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("/", *"part 3", "down")
        assert ui.app.for_you.view.query == "part 3"
        assert ui.items.has_focus
        await ui.press("/", "escape")
        assert ui.app.for_you.view.query == ""


async def test_a_filter_without_match_says_which_key_clears_it(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("/", *"zzz", "enter")
        assert 'nothing matches "zzz": esc clears the filter' in ui.text


async def test_tab_walks_the_domains_and_the_last_one_is_remembered(opened: Opened) -> None:
    engine = FakeEngine()
    async with opened(engine) as ui:
        seen = []
        for _ in range(4):
            await ui.press("tab")
            seen.append(ui.app.for_you.view.domain)
        assert seen == ["shop", "courses", None, "feed"]
        await ui.press("shift+tab", "shift+tab")
    async with opened(engine) as ui:
        assert ui.app.for_you.view.domain == "courses"


async def test_opening_shows_the_whole_text_and_records_reading_time(opened: Opened) -> None:
    seconds = iter([100.0, 142.0, 200.0, 200.4])
    async with opened(timer=lambda: next(seconds)) as ui:
        item = ui.engine.item(ui.items.current)
        await ui.press("enter")
        assert ui.app.screen is ui.app.reader
        assert item.text[-30:] in " ".join(ui.text.split()) or "Sentence 5" in ui.text
        await ui.press("escape")
        assert ui.app.screen is ui.app.for_you
        assert ui.engine.calls == [f"record open {item.id}", f"record dwell {item.id}"]
        assert ui.engine._log[-1].event.value == 42.0
        await ui.press("o", "q")  # a glance of 0.4 s is no reading
        assert ui.engine.calls[-1] == f"record open {item.id}"


async def test_the_log_keeps_where_an_item_stood_when_it_was_come_upon(opened: Opened) -> None:
    seconds = iter([0.0, 60.0])
    async with opened(timer=lambda: next(seconds)) as ui:
        await ui.press("1", "2", "j")
        await ui.press("enter", "l", "escape")  # opened in row 13; liked and read after the list had moved
        assert ui.items.cursor != 12
        await ui.press("s", "g", "g", "j", "x")
        places = [(e.event.kind, e.event.place) for e in ui.engine._log]
        assert places == [(Kind.OPEN, 13), (Kind.LIKE, 13), (Kind.DWELL, 13), (Kind.SAVE, 13), (Kind.SKIP, 2)]


async def test_undo_after_reading_takes_back_the_like_not_the_reading_time(opened: Opened) -> None:
    seconds = iter([0.0, 60.0])
    async with opened(timer=lambda: next(seconds)) as ui:
        await ui.press("enter", "l", "escape", "u")
        kinds = [e.event.kind for e in ui.engine._log if not e.undone]
        assert kinds == [Kind.OPEN]


async def test_next_text_walks_the_candidates_and_says_whose_words(opened: Opened) -> None:
    async with opened() as ui:
        assert "3 of 4, c next" in ui.text
        assert "fake-writer" in ui.text
        await ui.press("c")
        assert "4 of 4, c next" in ui.text
        await ui.press("c")
        assert "1 of 4, c next" in ui.text
        assert "item's own words" in ui.text


async def test_copy_takes_the_address_or_the_text(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("y")
        assert ui.app.clipboard == "https://example.org/0"
        await ui.press("j")
        await ui.until(lambda: any("Angle 0" in row for row in ui.rows))
        await ui.press("y")
        assert ui.app.clipboard == "Angle 0 on Five tools about databases, part 3."
        assert ui.notices[-1] == "Copied the text"


async def test_steering_by_words_and_its_errors(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press(":", *"more databases", "enter")
        assert ui.engine.calls == ["steer more databases"]
        assert "databases" in ui.engine.item(ui.items.ids[0]).title
        await ui.press(":", *"sideways", "enter")
        assert any("does not begin with more or less" in notice for notice in ui.notices)
        await ui.press("j", "l")  # the app goes on
        assert ui.engine.calls[-1].startswith("record like")


async def test_quit_by_key_and_by_command(opened: Opened) -> None:
    for keys in (["q"], [":", "q", "enter"], ["ctrl+c"], ["ctrl+q"]):
        async with opened() as ui:
            await ui.pilot.press(*keys)
            await ui.until(lambda: ui.app._exit)


async def test_a_like_pressed_just_before_quitting_is_saved(opened: Opened) -> None:
    async with opened() as ui:
        await ui.pilot.press("l", "q")
        await ui.until(lambda: ui.app._exit)
        assert len(ui.engine.calls) == 1


async def test_the_mouse_moves_opens_scrolls_and_presses_footer_keys(opened: Opened) -> None:
    async with opened(FakeEngine(600)) as ui:
        await ui.pilot.click(ui.items, offset=(20, 5))
        await ui.settle()
        assert ui.items.cursor == 2
        await ui.pilot._post_mouse_events([], ui.items)
        ui.items.scroll_down(animate=False)
        await ui.settle()
        keys = ui.app.screen.query_one("#keys")
        row = ui.rows[keys.region.y]
        await ui.pilot.click(keys, offset=(row.index("like"), 0))
        await ui.settle()
        assert [call.split()[1] for call in ui.engine.calls] == ["like"]
        await ui.pilot.click(ui.items, offset=(20, 1), times=2)
        await ui.settle()
        assert ui.app.screen is ui.app.reader


async def test_a_click_on_a_domain_shows_it(opened: Opened) -> None:
    async with opened() as ui:
        header = ui.app.screen.query_one("#header")
        await ui.pilot.click(header, offset=(ui.rows[0].index("courses"), 0))
        await ui.settle()
        assert ui.app.for_you.view == View("courses", varied=True)


async def test_every_binding_has_an_id_and_a_tooltip(opened: Opened) -> None:
    async with opened() as ui:
        app = ui.app
        for screen in (app.for_you, app.reader, app.why, app.interests, app.time, app.choice):
            for bindings in screen._bindings.key_to_bindings.values():
                assert all(binding.id and binding.tooltip for binding in bindings), screen
        for bindings in ui.items._bindings.key_to_bindings.values():
            assert all(binding.id and binding.tooltip for binding in bindings)


async def test_pasted_control_characters_do_not_reach_the_line(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("/")
        ui.app.screen.query_one(Input).value = "sail\x1b]52;c;AAAA\x07ing"
        await ui.settle()
        assert "\x1b" not in ui.text
        assert ui.app.screen.query_one(Input).value == "sail]52;c;AAAAing"


async def test_background_vectors_are_made_once_and_shown(opened: Opened) -> None:
    engine = FakeEngine()
    engine.pending = 3
    async with opened(engine) as ui:
        assert engine.pending == 0
        assert "encoder fake-encoder" in ui.line("note")
        assert "without vectors" not in ui.line("note")


async def test_what_the_encoder_has_still_to_learn_is_learnt_in_the_background(opened: Opened) -> None:
    engine = FakeEngine()
    engine.learnt = False
    async with opened(engine):
        assert engine.learnt


async def test_a_burst_of_keys_goes_to_the_line_that_its_first_key_opens(opened: Opened) -> None:
    """Typing faster than the screen answers neither likes nor saves what the words happen to spell."""
    async with opened() as ui:
        for key in ("slash", *"sailing", "enter", "j"):
            ui.burst(key)
        await ui.settle()
        assert ui.engine.calls == []
        assert ui.app.for_you.view.query == "sailing"
        assert ui.items.has_focus
        for key in ("escape", "colon", *"more", "space", *"databases", "enter", "l"):
            ui.burst(key)
        await ui.settle()
        assert [call.split()[0] for call in ui.engine.calls] == ["steer", "record"]
