"""Draws the README's picture: `python -m llmrec.tui.screenshot FILE` opens the real app and presses a few keys."""

import asyncio
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from llmrec.engine import Engine
from llmrec.tui.app import LlmrecApp

SIZE = (120, 36)
USER = "ada"
"""One of the example people, so that there is a history to show."""
KEYS = ("j", "j", "l", "j")
_WAIT = 30.0


async def draw(target: Path) -> None:
    """Open the app in memory, press the keys, write the picture."""
    with Engine.open(":memory:") as engine:
        app = LlmrecApp(engine, USER)
        async with app.run_test(size=SIZE) as pilot:
            await _until(lambda: app.for_you.ranking is not None and bool(app.for_you.interests))
            for key in KEYS:
                await pilot.press(key)
            await _until(lambda: app.for_you.settled)
            app.clear_notifications()
            await pilot.pause(0.5)
            picture = app.export_screenshot(title="llmrec-tui")
    target.write_text(_plain(picture), encoding="utf-8")


async def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the app did not come to rest")
        await asyncio.sleep(0.05)


def _plain(picture: str) -> str:
    """Without the fonts that a viewer would fetch from elsewhere, and the same at every run."""
    picture = re.sub(r"@font-face\s*{[^}]*}\s*", "", picture)
    number = re.search(r"terminal-(\d+)-", picture)
    return picture.replace(f"terminal-{number[1]}-", "terminal-") if number else picture


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[1])))
