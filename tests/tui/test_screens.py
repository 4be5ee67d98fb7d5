"""Interests, why, time machine, reader, help and palette, by keys."""

import threading
from typing import Any

import pytest

from llmrec.engine import Batch, ItemId, Kind
from llmrec.tui.screens.reader import is_web
from tests.tui.conftest import Opened
from tests.tui.fake import NOW, FakeEngine

DAY = 86_400.0


@pytest.fixture
def tuesday() -> FakeEngine:
    """An engine with three events on three days."""
    engine = FakeEngine()
    for days, item, kind in ((9, "i00000", Kind.LIKE), (4, "i00003", Kind.SAVE), (1, "i00012", Kind.DISLIKE)):
        engine.record("me", ItemId(item), kind, NOW - days * DAY)
    engine.calls.clear()
    return engine


# Interests.


async def test_interests_are_listed_with_words_shares_trend_and_what_fed_them(
    opened: Opened, tuesday: FakeEngine
) -> None:
    async with opened(tuesday) as ui:
        await ui.press("i")
        assert "sailing, calm" in ui.text
        assert "databases, calm" in ui.text
        assert "50 %" in ui.text
        assert "▁▂▂▃▄▄▅▅▆▇▇█" in ui.text
        assert "fed by" in ui.text
        assert "halves in 3 w · last fed 1 week ago" in ui.text


CORRECTIONS = [
    (["+"], "control sailing boost"),
    (["-"], "control sailing less"),
    (["f"], "control sailing freeze"),
    (["S"], "control sailing split"),
    (["r"], "control sailing reset"),
    (["X"], "control sailing forget"),
    (["z", "1"], "control sailing snooze 1"),
    (["z", "7"], "control sailing snooze 7"),
    (["j", "+"], "control databases boost"),
    (["a", *"wooden boats", "enter"], "steer more wooden boats"),
    (["a", *"less politics", "enter"], "steer less politics"),
]


async def test_each_key_corrects_the_interest_under_the_cursor(opened: Opened, tuesday: FakeEngine) -> None:
    async with opened(tuesday) as ui:
        await ui.press("i")
        for keys, call in CORRECTIONS:
            await ui.press("g", "g", *keys)
            assert tuesday.calls == [call]
            assert ui.app.screen is ui.app.interests
            assert "u undo" in ui.line("note")
            await ui.press("u")
            tuesday.calls.clear()


async def test_a_correction_says_how_the_list_changed_and_can_be_taken_back(
    opened: Opened, tuesday: FakeEngine
) -> None:
    async with opened(tuesday) as ui:
        before = list(ui.items.ids)
        await ui.press("i", "j", "X")
        assert "forget databases: " in ui.line("note")
        assert "→" in ui.line("note")
        assert "rise" in ui.line("note")
        assert "forgetd" in ui.text  # the state of the fake
        assert list(ui.items.ids) != before
        await ui.press("u")
        assert "took back: forget databases" in ui.line("note")
        assert "forgetd" not in ui.text
        await ui.press("escape")
        assert ui.app.screen is ui.app.for_you
        assert list(ui.items.ids) == before


async def test_esc_answers_no_to_a_snooze(opened: Opened, tuesday: FakeEngine) -> None:
    async with opened(tuesday) as ui:
        await ui.press("i", "z", "escape")
        assert tuesday.calls == []
        assert ui.app.screen is ui.app.interests


async def test_empty_interests_say_which_key_fills_them(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("i", "+", "z", "X")
        assert "no interests yet: l on a row of the list starts one" in ui.text
        assert ui.engine.calls == []


async def test_the_pane_beside_the_list_follows_each_key(opened: Opened) -> None:
    async with opened() as ui:
        assert "none yet: l on a row starts one" in ui.text
        await ui.press("l")
        assert "sailing, calm" in ui.text


# Why.


async def test_why_shows_bars_that_sum_to_the_score_and_the_counterfactual(opened: Opened, tuesday: FakeEngine) -> None:
    async with opened(tuesday) as ui:
        await ui.press("/", *"sailing", "enter", "j", "w")
        why = tuesday.why("me", ui.items.current)
        assert ui.app.screen is ui.app.why
        assert f"sum of {len(why.reasons)} parts" in ui.text
        assert "seen before" in ui.text
        assert "−.04" in ui.text
        assert 'liked "Night boats about sailing, part 0" 1 w ago' in ui.text
        assert "without liked" in ui.text
        for key in ("escape", "w", "q"):
            await ui.press(key, "w") if key != "q" else await ui.press(key)
        assert ui.app.screen is ui.app.for_you


async def test_why_follows_a_key_that_is_still_being_worked_on(opened: Opened) -> None:
    class Slow(FakeEngine):
        """Keeps nothing before it may."""

        may = threading.Event()

        def record(self, user: str, item: ItemId, kind: Kind, at: float | None = None, **more: object) -> Batch:
            self.may.wait()
            return super().record(user, item, kind, at, **more)  # type: ignore[arg-type]

    async with opened(Slow(), wait=False) as ui:
        await ui.until(lambda: ui.items.rows > 0)
        await ui.pilot.press("l", "w")
        await ui.until(lambda: "sum of 2 parts" in ui.text)
        Slow.may.set()
        await ui.until(lambda: "sum of 3 parts" in ui.text)


async def test_the_pane_beside_the_list_shows_the_reasons_of_its_row(opened: Opened, tuesday: FakeEngine) -> None:
    async with opened(tuesday) as ui:
        assert "seen before" in ui.text
        assert 'saved "' in ui.text or 'liked "' in ui.text


# Time machine.


async def test_the_time_machine_shows_the_list_of_each_day(opened: Opened, tuesday: FakeEngine) -> None:
    async with opened(tuesday) as ui:
        await ui.press("t")
        assert "event 3 of 3" in ui.text
        assert "disliked" in ui.text
        past = ui.app.screen.query_one("#past")
        for key, place in (("h", 2), ("left", 1), ("h", 1), ("l", 2), ("$", 3), ("0", 1), ("2", None), ("l", 3)):
            await ui.press(key)
            await ui.wait_for_past()
            if place is not None:
                assert f"event {place} of 3" in ui.text
        await ui.press("0")
        await ui.wait_for_past()
        event = tuesday.history("me")[-1]
        then = tuesday.recommend("me", 60, event.at, view=ui.app.time._view)
        assert [row.id for row in past.shown] == [row.id for row in then][: past.rows]
        await ui.press("escape")
        assert ui.app.screen is ui.app.for_you
        assert tuesday.calls == []


async def test_removing_an_event_needs_a_yes_and_can_be_taken_back(opened: Opened, tuesday: FakeEngine) -> None:
    async with opened(tuesday) as ui:
        await ui.press("t", "0", "enter")
        assert "Remove this event from the log?" in ui.text
        await ui.press("escape")
        assert tuesday.calls == []
        await ui.press("enter", "y")
        assert tuesday.calls == ["undo_event 1"]
        assert "event 1 of 2" in ui.text
        assert "took back: liked" in ui.line("note")
        await ui.press("ctrl+r")
        assert "of 3" in ui.text


async def test_an_empty_log_says_what_fills_it(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("t", "h", "l", "enter", "0")
        assert "nothing in the log yet" in ui.text
        await ui.press("escape")


async def test_rows_of_the_same_item_are_joined(opened: Opened, tuesday: FakeEngine) -> None:
    async with opened(tuesday) as ui:
        await ui.press("t", "h")
        await ui.wait_for_past()
        assert "──────" in ui.text
        assert any(corner in ui.text for corner in "╮╯╭╰")


# Reader.


async def test_the_reader_scrolls_and_marks(opened: Opened) -> None:
    engine = FakeEngine()
    async with opened(engine, size=(60, 12), timer=lambda: 0.0) as ui:  # however long it takes, nothing was read
        await ui.press("enter")
        top = ui.text
        await ui.press("j", "space", "G")
        assert ui.text != top
        assert "number 5." in ui.text
        await ui.press("g")
        assert ui.text == top
        await ui.press("s", "w", "escape", "d")
        assert [call.split()[1] for call in engine.calls] == ["open", "save", "dislike"]
        assert ui.app.screen is ui.app.for_you  # what leaves the list is left here too


async def test_the_browser_opens_only_after_the_address_was_shown(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls: list[str] = []
    async with opened() as ui:
        monkeypatch.setattr(ui.app, "open_url", lambda url, **_: urls.append(url))
        await ui.press("enter", "o")
        assert "https://example.org/0" in ui.text
        assert urls == []
        await ui.press("escape", "o", "o")
        assert urls == ["https://example.org/0"]
        await ui.press("escape", "/", *"databases", "enter", "enter", "o")
        assert ui.notices[-1] == "This item has no address"
        assert len(urls) == 1


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "file:///etc/passwd", "ftp://x.org", "http://", "https://[", "https://a b.org", "-x", ""],
)
def test_only_web_addresses_reach_the_browser(url: str) -> None:
    assert not is_web(url)
    assert is_web("https://example.org/a?b=c#d")


# Help and palette.


async def test_help_lists_the_keys_of_its_screen_finds_and_runs_them(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("?")
        assert "Like it: more of this, now" in ui.text
        assert "Snooze" not in ui.text
        await ui.press(*"save", "enter")
        assert ui.app.screen is ui.app.for_you
        assert ui.engine.calls == [f"record save {ui.items.current}"]
        await ui.press("i", "?")
        assert "Snooze it for one day or seven" in ui.text
        await ui.press("escape", "escape")
        assert ui.app.screen is ui.app.for_you


async def test_help_moves_with_the_arrows_and_says_when_nothing_matches(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("?", *"row above", "up", "down", "enter")
        assert ui.app.screen is ui.app.for_you
        await ui.press("?", *"qqqq")
        assert "no key does that here" in ui.text
        await ui.press("enter", "escape")
        assert ui.app.screen is ui.app.for_you


async def test_the_palette_runs_every_action(opened: Opened) -> None:
    async with opened() as ui:
        await ui.press("ctrl+p", *"like", "down")
        await ui.until(lambda: "Like it" in ui.text or "like" in ui.text)
        await ui.press("enter")
        await ui.until(lambda: bool(ui.engine.calls))
        assert "record like" in ui.engine.calls[0] or "record dislike" in ui.engine.calls[0]


async def test_a_theme_is_kept_and_ansi_themes_draw(opened: Opened) -> None:
    engine: Any = FakeEngine()
    async with opened(engine) as ui:
        for theme in ("ansi-dark", "ansi-light", "textual-light", "llmrec-light"):
            ui.app.theme = theme
            await ui.settle()
            await ui.press("j", "i", "escape", "t", "escape", "w", "escape", "?", "escape")
            assert "Night boats" in ui.text
    async with opened(engine) as ui:
        assert ui.app.theme == "llmrec-light"
