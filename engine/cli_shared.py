"""What the commands of `llmrec` share: an open engine, common options, and what is said of the models."""

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from llmrec.engine.cli_output import bars
from llmrec.engine.facade import Engine
from llmrec.engine.records import DEFAULT_USER
from llmrec.engine.switching import short_name

user_option = click.option("--user", default=DEFAULT_USER, show_default=True, help="Whose interests.")
json_option = click.option("--json", "json_", is_flag=True, help="Machine-readable output.")
plain_option = click.option("--plain", is_flag=True, help="One fact a line, for screen readers.")


class Moment(click.ParamType[float]):
    """An ISO 8601 moment as Unix seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; a moment without a zone is in UTC."""
        if isinstance(value, float):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an ISO 8601 date such as 2026-03-01 or 2026-03-01T12:00:00Z.", param, ctx)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def chosen_store() -> Path | None:
    """The file that `--db` names."""
    db: Path | None = click.get_current_context().find_root().obj
    return db


def with_engine(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an open engine as its first argument."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        with Engine.open(chosen_store()) as engine:
            command(engine, *args, **kwargs)

    return wrapped


def with_catalogue(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a command that ranks or searches: what a large catalogue needs for it is made under a bar."""

    @with_engine
    @functools.wraps(command)
    def wrapped(engine: Engine, *args: Any, **kwargs: Any) -> None:
        prepare(engine)
        command(engine, *args, **kwargs)

    return wrapped


def prepare(engine: Engine) -> None:
    """Read the catalogue, under a bar where that takes long; a stop leaves nothing half made."""
    for _ in bars(engine.prepare()):
        pass


def say_of_models(engine: Engine) -> None:
    """What the reader must know of the models, on stderr."""
    status = engine.status()
    if status.note:
        click.echo(f"note: {status.note}", err=True)
    if status.pending:
        click.echo(f"note: {status.pending} items have no vector yet; `llmrec index` makes them.", err=True)
    if status.next:
        left = f"{status.next_pending} of {status.items} items lack its vector"
        click.echo(
            f"note: {short_name(status.next)} will rank the list, but {left}; `llmrec index` makes them.", err=True
        )
