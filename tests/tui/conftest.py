"""What the screen's tests share: an app over a fake engine, driven by keys, read as text."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from textual import _wait, events
from textual.pilot import Pilot
from textual.worker import WorkerState

from llmrec.tui.app import LlmrecApp
from llmrec.tui.screens import base
from tests.tui.fake import NOW, FakeEngine

_CHARACTERS = {"slash": "/", "colon": ":", "question_mark": "?", "space": " "}
Opened = Callable[..., AbstractAsyncContextManager["Driver"]]


class Listened(LlmrecApp):
    """The app, with its notices kept."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.notices: list[str] = []

    def notify(self, message: str, **options: Any) -> None:
        self.notices.append(message)
        super().notify(message, **options)


class Driver:
    """An open app: presses keys, waits until all has settled, reads the screen."""

    def __init__(self, app: Listened, pilot: Pilot[None], engine: Any) -> None:
        self.app = app
        self.pilot = pilot
        self.engine = engine

    @property
    def notices(self) -> list[str]:
        return self.app.notices

    @property
    def items(self) -> Any:
        """The list of items."""
        return self.app.for_you._list

    @property
    def rows(self) -> list[str]:
        """The lines on screen, as a terminal would show them."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    def line(self, id: str) -> str:
        """What a one-line widget says, whether it fits or not."""
        return self.app.screen.query_one(f"#{id}").said  # type: ignore[attr-defined,no-any-return]

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    def burst(self, key: str) -> None:
        """Press a key without letting the app act on it before the next one."""
        event = events.Key(key, _CHARACTERS.get(key, key if len(key) == 1 else None))
        event.set_sender(self.app)
        self.app._driver.send_message(event)  # type: ignore[union-attr]

    async def tap(self, key: str) -> None:
        """Press a key without waiting for all of its effects."""
        self.burst(key)
        await asyncio.sleep(0.01)

    async def settle(self, seconds: float = 20.0) -> None:
        """Wait until no command, worker or timer of ours is under way."""
        end = asyncio.get_running_loop().time() + seconds
        calm = 0
        while calm < 2:
            await self.pilot.pause()
            calm = 0 if self._busy() else calm + 1
            if asyncio.get_running_loop().time() > end:
                raise AssertionError(f"still busy: {[w for w in self.app.workers if w.is_running]}")

    async def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until something holds."""
        end = asyncio.get_running_loop().time() + seconds
        while not condition():
            await asyncio.sleep(0.005)
            assert asyncio.get_running_loop().time() < end, "did not happen in time"

    async def wait_for_past(self) -> None:
        """Wait until the time machine has drawn the day of its mark."""
        pause = self.app.time._pause
        await self.until(lambda: pause is None or pause._task is None or pause._task.done())
        await self.settle()

    def _busy(self) -> bool:
        app = self.app
        work = [
            w for w in app.workers if w.group != "commands" and w.state in (WorkerState.PENDING, WorkerState.RUNNING)
        ]
        rest = app.for_you._rest
        waits = rest is not None and rest._task is not None and not rest._task.done()
        return bool(work) or app._commands._unfinished_tasks > 0 or waits  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of the app and of Textual's pilot, which by themselves take most of a test's time."""
    monkeypatch.setattr(base, "REST", 0.01)
    monkeypatch.setattr(_wait, "SLEEP_GRANULARITY", 0.004)
    monkeypatch.setattr(_wait, "SLEEP_IDLE", 0.0002)


@pytest.fixture
def opened() -> Opened:
    """Open the app: `async with opened(size=(80, 24)) as ui`."""

    @asynccontextmanager
    async def run(
        engine: Any = None, *, size: tuple[int, int] = (120, 40), wait: bool = True, **options: Any
    ) -> AsyncIterator[Driver]:
        engine = engine or FakeEngine()
        options.setdefault("prepare", lambda engine, now: None)
        app = Listened(engine, "me", clock=lambda: NOW, **options)
        async with app.run_test(size=size) as pilot:
            driver = Driver(app, pilot, engine)
            if wait:
                await driver.settle()
            yield driver
        assert app.crashes == [], "\n".join(app.crashes)

    return run
