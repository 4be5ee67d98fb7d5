"""How the headless script shows things: tables, one fact a line, JSON, and bars on stderr."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Protocol

import click

from llmrec.engine.records import Progress


def as_json(value: Any) -> None:
    """Print one JSON value."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def show(rows: Sequence[dict[str, Any]], *, plain: bool, empty: str) -> None:
    """Rows as an aligned table, or as one fact a line."""
    if not rows:
        click.echo(empty)
    elif plain:
        for row in rows:
            click.echo("; ".join(f"{key}: {_cell(value)}" for key, value in row.items() if value != ""))
    else:
        _table(rows)


def _table(rows: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console  # slow to import, and not needed for --json
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for key, value in rows[0].items():
        table.add_column(key, justify="right" if isinstance(value, int | float) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False).print(table)


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


class Advance(Protocol):
    """Moves a bar."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """So much is done, of so much where that is known."""


@contextmanager
def progress_bar(what: str) -> Iterator[Advance]:
    """A bar on stderr with speed and time left; yields a function of (done, total), or of done where none knows."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    # A log that errors are sent to gets none: not even the blank line that an invisible bar would leave.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def advance(done: int, total: int | None = None) -> None:
            bar.update(task, completed=done, total=total)

        yield advance


def bars(work: Iterable[Progress]) -> Iterator[Progress]:
    """Long work under a bar for each thing that it does; passes on how far it is."""
    for what, steps in groupby(work, key=lambda progress: progress.what):
        with progress_bar(what) as advance:
            for progress in steps:
                advance(progress.done, progress.total)
                yield progress


def day(seconds: float) -> str:
    """ISO 8601 of Unix seconds, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def ago(seconds: float) -> str:
    """A span in the largest unit that fits."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"
