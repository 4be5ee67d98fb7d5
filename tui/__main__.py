"""`llmrec-tui`: reads the arguments, opens the engine, runs the app."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from llmrec.engine import DEFAULT_USER, Engine, LlmrecError, clean

if TYPE_CHECKING:
    from llmrec.tui.app import LlmrecApp

_TURN = 0.0005
"""Seconds of a thread's turn; Python's own default is ten times as long."""
_PATIENCE = 3.0
"""Seconds that work which a user has left behind has to end, once the screen is given back."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the terminal app; returns the exit code."""
    options = _parser().parse_args(arguments)
    if options.version:
        from importlib.metadata import version  # slow to import, and hardly ever asked for

        sys.stdout.write(f"llmrec-tui {version('llmrec-tui')}\n")
        return 0
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        _complain("llmrec-tui needs a terminal. `llmrec recommend` prints the same list as text.")
        return 1
    try:
        with Engine.open(options.db) as engine:
            from llmrec.tui.app import LlmrecApp  # after the store, whose complaints need no screen

            return run(LlmrecApp(engine, clean(options.user) or DEFAULT_USER), mouse=options.mouse)
    except LlmrecError as error:
        _complain(f"llmrec-tui: {clean(str(error))}")
        return 1


def run(app: "LlmrecApp", *, mouse: bool = True) -> int:
    """Run an app until its user leaves, and no longer; returns the exit code."""
    # The engine ranks in a thread while the screen paints: shorter turns, so that neither waits for the other.
    sys.setswitchinterval(_TURN)
    # What such work makes is whole or not there at all, so nothing is lost by not waiting for it.
    give_up = Timer(_PATIENCE, lambda: os._exit(_last_words(app)))
    give_up.daemon = True
    app.screen_given_back = give_up.start
    app.run(mouse=mouse)
    give_up.cancel()
    return _last_words(app)


def _last_words(app: "LlmrecApp") -> int:
    """Tell of bugs met on the way; returns the exit code."""
    for crash in app.crashes:
        _complain(clean(crash, multiline=True, limit=20_000))
    return app.return_code or int(bool(app.crashes))


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="llmrec-tui",
        description="A private recommender in the terminal that reacts to every key press.",
        epilog="No argument is needed. Inside, ? shows every key.",
    )
    parser.add_argument("--db", metavar="PATH", type=Path, help="the database; `llmrec paths` shows the usual one")
    parser.add_argument("--user", default=DEFAULT_USER, help="whose list to show (default: %(default)s)")
    parser.add_argument("--no-mouse", dest="mouse", action="store_false", help="leave the mouse to the terminal")
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    return parser


if __name__ == "__main__":
    sys.exit(main())
