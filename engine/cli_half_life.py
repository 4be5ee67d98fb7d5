"""`llmrec half-life` and `llmrec judge`: how long items stay worth reading, and who says so."""

import math
from dataclasses import asdict

import click

from llmrec.engine.cli_output import as_json, progress_bar
from llmrec.engine.cli_shared import json_option, with_catalogue
from llmrec.engine.facade import Engine
from llmrec.engine.half_life import CHOICES, HalfLife, in_words
from llmrec.engine.records import DEFAULT_USER, ItemId
from llmrec.engine.wording import count

AT_IMPORT = 200
"""Items that a writer judges when they are imported, where the encoder does not; the others wait for `judge`, or for a
quiet moment of the app."""
_AS_BEFORE = "auto"


@click.command("half-life")
@click.argument("item")
@click.argument("how_long", required=False, type=click.Choice([*CHOICES, _AS_BEFORE]))
@click.option("--user", default=DEFAULT_USER, show_default=True, help="Who says so; `undo` takes it back.")
@json_option
@with_catalogue
def half_life(engine: Engine, item: str, how_long: str | None, user: str, json_: bool) -> None:
    """How long an item stays worth reading; say "2 days", "2 weeks", "6 months" or "years" to correct it."""
    if how_long is not None:
        engine.set_half_life(user, ItemId(item), CHOICES.get(how_long))
    found = engine.half_life(ItemId(item))
    if json_:
        seconds = found.seconds if math.isfinite(found.seconds) else None
        as_json({"item": item, **asdict(found), "seconds": seconds})
    else:
        click.echo(f"{engine.item(ItemId(item)).title}: {_said(found)}")


def _said(found: HalfLife) -> str:
    words = in_words(found.seconds)
    return f"stays fresh {words} ({found.by.split('@')[0]})" if words else "nothing tells how long it stays fresh"


@click.command()
@click.option("-n", "most", type=click.IntRange(1), help="At most so many; all by default.")
@with_catalogue
def judge(engine: Engine, most: int | None) -> None:
    """Let the writer say of each item whether it will be useful in a year; a stop keeps what is done."""
    if not engine.status().judge:
        click.echo("no writer is in use that can judge; the encoder and rules do. `llmrec models list` shows writers.")
    elif not judge_items(engine, most):
        click.echo("nothing waits for the writer; `llmrec half-life ITEM` shows how long an item stays fresh, by whom.")


def judge_items(engine: Engine, most: int | None, *, unknown: bool = False) -> bool:
    """Judge what waits, of it only what is `unknown` to the encoder, under a bar; returns whether anything did."""
    waiting = list(engine.unjudged(unknown=unknown))
    if not waiting:
        return False
    done = 0
    with progress_bar("half-lives") as advance:
        for progress in engine.judge(waiting[:most]):
            advance(progress.done, progress.total)
            done = progress.done
    rest = len(waiting) - done
    more = f"; {rest} wait for `llmrec judge` or a quiet moment of the app" if rest else ""
    click.echo(f"{count(done, 'half-life', 'half-lives')} judged by {engine.status().judge.split('@')[0]}{more}.")
    return True
