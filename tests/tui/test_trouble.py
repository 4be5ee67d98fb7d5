"""Slow, hanging and failing engines; bugs; long use."""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from threading import Event as Cancel
from typing import Any

from llmrec.engine import Batch, ItemId, Kind, StoreError, View, Why, Written
from tests.tui.conftest import Opened
from tests.tui.fake import FakeEngine


async def test_a_hanging_writer_blocks_no_key_and_is_left_alone_on_the_way_out(opened: Opened) -> None:
    engine = FakeEngine()
    engine.slow_write = True
    async with opened(engine, wait=False) as ui:
        await ui.until(lambda: engine.writing == 1)
        assert "item's own words" in ui.text
        for key in ("j", "l", "j", "d", "u", "w", "escape", "i", "escape"):
            await ui.pilot.press(key)
        await ui.until(lambda: len(engine.calls) == 3 and engine.writing == 1)
        await ui.pilot.press("q")
        await ui.until(lambda: ui.app._exit)
    await asyncio.to_thread(_wait_until_idle, engine)


def _wait_until_idle(engine: FakeEngine) -> None:
    end = time.monotonic() + 5
    while engine.writing and time.monotonic() < end:
        time.sleep(0.01)
    assert engine.writing == 0


async def test_moving_on_cancels_and_late_answers_are_dropped(opened: Opened) -> None:
    class Late(FakeEngine):
        """Answers for the first row although it was cancelled."""

        def write(self, user: str, item: ItemId, cancel: Cancel | None = None) -> Iterator[Written]:
            if item == "i00000":
                assert cancel is not None
                cancel.wait()
            yield from super().write(user, item, cancel)

        def why(self, user: str, item: ItemId, *, view: View | None = None) -> Why:
            if item == "i00000":
                time.sleep(0.1)
            return super().why(user, item, view=view)

    async with opened(Late(), wait=False) as ui:
        await ui.until(lambda: ui.items.rows > 0)
        await asyncio.sleep(0.1)
        await ui.press("j")
        await asyncio.sleep(0.15)
        await ui.settle()
        assert "Angle 0 on Five tools about databases, part 3." in ui.text
        assert "Angle 0 on Night boats" not in ui.text


async def test_an_older_order_never_replaces_a_newer_one(opened: Opened) -> None:
    class Crossing(FakeEngine):
        """Its second view waits until a newer order was given."""

        views = 0
        newer = threading.Event()

        def view(self, user: str, view: View | None = None) -> Batch:
            found = super().view(user, view)
            self.views += 1
            if self.views == 2:
                self.newer.wait(5)
            return found

    engine = Crossing()
    async with opened(engine) as ui:
        ui.app.for_you.refresh_view()
        await ui.until(lambda: engine.views == 2)
        await ui.pilot.press("d")
        await ui.until(lambda: len(engine.calls) == 1)
        gone = engine.calls[0].split()[-1]
        engine.newer.set()
        await ui.settle()
        assert gone not in ui.items.ids


async def test_a_refused_command_is_told_and_the_row_comes_back(opened: Opened) -> None:
    engine = FakeEngine()
    async with opened(engine) as ui:
        before = list(ui.items.ids)
        engine.fail = StoreError("the disk is full: nothing was saved. Free some space and press the key again.")
        await ui.press("d")
        assert list(ui.items.ids) == before
        await ui.press("j", "l")
        assert "+ liked" not in ui.text
        assert any("the disk is full" in notice for notice in ui.notices)
        assert "the disk is full" in ui.line("note")
        assert len([notice for notice in ui.notices if "disk" in notice]) == 1  # told once, not at each key
        engine.fail = None
        await ui.press("l")
        assert "+ liked" in ui.text


async def test_a_store_that_cannot_be_read_is_told_and_q_still_quits(opened: Opened) -> None:
    class Broken(FakeEngine):
        def view(self, user: str, view: View | None = None) -> Batch:
            raise StoreError("the database is damaged. `llmrec doctor` says more.")

    async with opened(Broken()) as ui:
        assert "the catalogue could not be read" in ui.text
        assert any("damaged" in notice for notice in ui.notices)
        await ui.press("j", "l", "d", "enter", "w", "u", "tab", "i", "escape", "t", "escape")
        await ui.pilot.press("q")
        await ui.until(lambda: ui.app._exit)


async def test_a_bug_in_the_engine_is_told_kept_for_the_end_and_the_app_goes_on(opened: Opened) -> None:
    class Buggy(FakeEngine):
        def why(self, user: str, item: ItemId, *, view: View | None = None) -> Why:
            raise KeyError("secret title")

        def undo(self, user: str, *, view: View | None = None) -> Batch:
            raise ZeroDivisionError

    async with opened(Buggy()) as ui:
        assert "a bug in llmrec: KeyError" in ui.line("note")
        await ui.press("u", "l")
        assert "+ liked" in ui.text
        assert any("KeyError" in crash for crash in ui.app.crashes)
        assert any("ZeroDivisionError" in crash for crash in ui.app.crashes)
        ui.app.crashes.clear()


async def test_commands_run_in_the_order_of_the_keys(opened: Opened) -> None:
    class Slow(FakeEngine):
        def record(self, user: str, item: ItemId, kind: Kind, at: float | None = None, **more: object) -> Batch:
            time.sleep(0.03)
            return super().record(user, item, kind, at, **more)  # type: ignore[arg-type]

    async with opened(Slow()) as ui:
        await ui.pilot.press("l", "u", "s", "u", "x", "u")
        await ui.settle()
        assert [call.split()[:2][-1] for call in ui.engine.calls] == ["like", "undo", "save", "undo", "skip", "undo"]
        assert ui.items.marks == {}


async def test_an_empty_catalogue_says_how_to_fill_it(opened: Opened) -> None:
    class Empty(FakeEngine):
        def domains(self) -> tuple[str, ...]:
            return ()

    engine = Empty(1)
    engine._items.clear()
    async with opened(engine) as ui:
        assert "no items yet: `llmrec import FILE` brings some" in ui.text
        await ui.press("j", "k", "G", "g", "g", "l", "d", "enter", "w", "c", "y", "tab")
        assert engine.calls == []


async def test_three_hundred_actions_leave_nothing_behind(opened: Opened) -> None:
    """Objects and threads stay bounded over a long session; the screens are reused."""
    keys = [
        "j",
        "l",
        "u",
        "enter",
        "escape",
        "w",
        "escape",
        "j",
        "i",
        "escape",
        "t",
        "escape",
        "question_mark",
        "escape",
        "x",
        "u",
    ]
    async with opened(FakeEngine(30), size=(80, 24)) as ui:

        async def run(actions: int) -> tuple[int, int]:
            for place in range(actions):
                await ui.tap(keys[place % len(keys)])
            await ui.settle()
            ui.app.clear_notifications()
            ui.engine._log.clear()
            ui.engine._taken.clear()
            await ui.settle()
            gc.collect()
            return len(gc.get_objects()), threading.active_count()

        await run(len(keys) * 6)  # fills most of Textual's caches of layouts and lines
        before, threads = await run(len(keys) * 4)
        after, threads_after = await run(len(keys) * 19)
        assert after - before < 8 * 304  # caches still fill; a screen left behind at each opening would be 50,000
        assert threads_after <= threads + 2  # the pool may still be growing to its fixed size


async def test_quitting_waits_for_the_last_key_press_and_says_so(opened: Opened) -> None:
    saved = threading.Event()

    class Slow(FakeEngine):
        def record(self, *arguments: Any, **options: Any) -> Batch:
            saved.wait()
            return super().record(*arguments, **options)

    engine = Slow()
    async with opened(engine) as ui:
        ui.burst("l")
        ui.burst("q")
        await ui.until(lambda: "saving the last key press" in ui.line("note"))
        saved.set()
        await ui.until(lambda: ui.app._exit)
        assert [call.split()[1] for call in engine.calls] == ["like"]
