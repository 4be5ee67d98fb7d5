"""`llmrec log`, `undo`, `redo`, `interests` and their corrections, `steer`: what you do, and what it makes of you."""

import time
from dataclasses import asdict
from typing import Any

import click

from llmrec.engine.cli_output import ago, as_json, show
from llmrec.engine.cli_shared import Moment, json_option, plain_option, user_option, with_catalogue
from llmrec.engine.facade import Engine
from llmrec.engine.interests import ACTIONS
from llmrec.engine.records import ItemId, Kind
from llmrec.engine.wording import count


@click.command()
@click.argument("kind", type=click.Choice([k.value for k in Kind]))
@click.argument("item")
@click.option("--at", type=Moment(), help="When; now by default.")
@click.option("--value", type=float, help="Seconds, for dwell.")
@user_option
@json_option
@with_catalogue
def log(engine: Engine, kind: str, item: str, at: float | None, value: float | None, user: str, json_: bool) -> None:
    """Record one interaction."""
    batch = engine.record(user, ItemId(item), Kind(kind), at, value=value)
    change = batch.change
    if json_:
        as_json({"user": user, "change": asdict(change) if change else None, "seconds": batch.seconds})
    elif change is not None:
        more = f": {change.interest} {change.amount:+.2f}" if change.interest else ""
        click.echo(f'{kind} "{change.title}"{more}, {count(change.moved_up, "item")} moved up')


@click.command()
@user_option
@json_option
@with_catalogue
def undo(engine: Engine, user: str, json_: bool) -> None:
    """Take back the newest interaction."""
    _taken(engine.undo(user).change, "undone", json_)


@click.command()
@user_option
@json_option
@with_catalogue
def redo(engine: Engine, user: str, json_: bool) -> None:
    """Take back the newest undo."""
    _taken(engine.redo(user).change, "redone", json_)


def _taken(change: Any, word: str, json_: bool) -> None:
    if json_:
        as_json(asdict(change) if change else None)
    else:
        said = "" if change is None else f'{change.kind} "{change.title}"' if change.item else change.title
        click.echo(f"{word}: {said}" if said else f"nothing to be {word}")


@click.command()
@user_option
@click.option("--as-of", type=Moment(), help="As they were at a past moment.")
@json_option
@plain_option
@with_catalogue
def interests(engine: Engine, user: str, as_of: float | None, json_: bool, plain: bool) -> None:
    """What you like now and always, in words."""
    found = engine.interests(user, as_of)
    if json_:
        half_lives = [None if i.half_life == float("inf") else i.half_life for i in found]
        as_json([{**asdict(i), "half_life": h} for i, h in zip(found, half_lives, strict=True)])
        return
    now = time.time() if as_of is None else as_of
    rows = [
        {
            "interest": ", ".join(i.words),
            "now": f"{i.now:.0%}",
            "always": f"{i.always:.0%}",
            "last fed": ago(now - i.last_fed),
            "state": i.state,
            "id": i.id,
        }
        for i in found
    ]
    show(rows, plain=plain, empty="No interests yet. Like something: `llmrec log like ITEM`.")


def _control(action: str) -> click.Command:
    verb = "Weaken" if action == "less" else action.capitalize()

    def command(engine: Engine, interest: str, user: str, days: float | None = None) -> None:
        batch = engine.control(user, interest, action, days=days)
        click.echo(f"{batch.change.title if batch.change else action}; `llmrec undo` takes it back")

    made = user_option(with_catalogue(command))
    if action == "snooze":
        made = click.option("--days", type=click.FloatRange(0.01, 3650), help="How long; 1 by default.")(made)
    about = f"{verb} an interest (ids: `llmrec interests`); undo takes it back."
    return click.command(action, help=about, short_help=f"{verb} an interest.")(click.argument("interest")(made))


CONTROLS = [_control(action) for action in ACTIONS if action != "reset"]  # `llmrec reset` deletes the store


@click.command()
@click.argument("command", nargs=-1, required=True)
@user_option
@with_catalogue
def steer(engine: Engine, command: tuple[str, ...], user: str) -> None:
    """Steer in words: llmrec steer more sailing, less politics this week."""
    batch = engine.steer(user, " ".join(command))
    click.echo(f"{batch.change.title if batch.change else ''}; `llmrec undo` takes it back")
