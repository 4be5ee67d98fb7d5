"""`llmrec import`, `index`, `events`, `export`, `backup`, `reset`: what goes into the store, and out of it."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from llmrec.engine.cli_half_life import AT_IMPORT, judge_items
from llmrec.engine.cli_output import bars, day, progress_bar
from llmrec.engine.cli_shared import chosen_store, prepare, say_of_models, with_engine
from llmrec.engine.errors import LlmrecError
from llmrec.engine.facade import Engine
from llmrec.engine.importers import Problems
from llmrec.engine.paths import find_paths
from llmrec.engine.records import Event
from llmrec.engine.store import Store
from llmrec.engine.switching import short_name


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--domain", help="For items that name none.")
@click.option("--skip-bad", is_flag=True, help="Leave bad lines out and list them, instead of refusing the file.")
@click.option("--no-index", is_flag=True, help="Make no vectors and no half-lives now.")
@with_engine
def import_(engine: Engine, files: tuple[Path, ...], domain: str | None, skip_bad: bool, no_index: bool) -> None:
    """Import items: JSONL, CSV, TSV, RSS, Atom, OPML or browser bookmarks."""
    problems = Problems(skip=skip_bad)
    with progress_bar("items") as advance:
        new, updated = engine.import_items(files, domain=domain, problems=problems, told=advance)
    _skipped(problems)
    click.echo(f"{new} new and {updated} updated items.")
    if not no_index:
        _index(engine)
        judge_items(engine, AT_IMPORT, unknown=True)


def _skipped(problems: Problems) -> None:
    for line in problems.found:
        click.echo(f"skipped: {line}", err=True)


def _index(engine: Engine) -> None:
    """Make missing vectors, and what a large catalogue is ranked by, under bars; a stop keeps the vectors."""
    ranked_by = engine.encoder_id
    made, last = 0, None
    try:
        for progress in bars(engine.index()):
            if last is not None and last.what == progress.what and progress.what.startswith("vectors"):
                made += progress.done - last.done
            last = progress
        prepare(engine)
    except KeyboardInterrupt:
        raise LlmrecError("stopped; what is made is kept, and `llmrec index` makes the rest.") from None
    if made:
        click.echo(f"{made} vectors made by {engine.encoder_id}.")
    if engine.encoder_id != ranked_by:
        click.echo(f"The lists are ranked by {short_name(engine.encoder_id)} from now on.")


@click.command()
@click.option("--graph", is_flag=True, help="Then build a graph for quick search among millions (extra usearch).")
@with_engine
def index(engine: Engine, graph: bool) -> None:
    """Make the vectors that are still missing."""
    _index(engine)
    say_of_models(engine)
    if graph:
        click.echo(f"graph of {engine.status().items} items: {engine.build_graph()}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--skip-bad", is_flag=True, help="Leave bad lines out and list them, instead of refusing the file.")
@with_engine
def events(engine: Engine, file: Path, skip_bad: bool) -> None:
    """Import an interaction log: JSONL or CSV."""
    problems = Problems(skip=skip_bad)
    count = engine.import_events(file, problems=problems)
    _skipped(problems)
    click.echo(f"{count} events.")


@click.command()
@click.option("--items", "what", flag_value="items", default=True, help="Items (the default).")
@click.option("--events", "what", flag_value="events", help="Events that count; undone ones are left out.")
@click.option("--texts", "what", flag_value="texts", help="Texts written so far.")
@with_engine
def export(engine: Engine, what: str) -> None:
    """Your data as JSONL, in the formats that `import` and `events` read."""
    rows: Iterator[dict[str, Any]]
    if what == "items":
        rows = (_exported_item(asdict(i)) for i in engine.store.all_items())
    elif what == "events":
        rows = map(_exported_event, engine.store.all_events())
    else:
        rows = engine.store.all_written()
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False))


def _exported_event(event: Event) -> dict[str, Any]:
    line = {"user": event.user, "item": event.item, "kind": event.kind, "at": day(event.at), "value": event.value}
    return line if event.place is None else {**line, "place": event.place}


def _exported_item(item: dict[str, Any]) -> dict[str, Any]:
    extra = item.pop("extra")
    published = day(item["published_at"]) if item["published_at"] is not None else None
    return {**extra, **item, "published_at": published}


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@with_engine
def backup(engine: Engine, target: Path) -> None:
    """Copy the store to a new file, also while it is in use."""
    engine.store.backup(target)
    click.echo(f"copied to {target}")


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Delete the store: items, events, vectors, texts and settings."""
    db = chosen_store() or find_paths().db
    if not db.exists():
        click.echo(f"{db}: nothing there")
        return
    Store(db).close()  # refuses another program's file
    if not yes:
        click.confirm(f"Delete {db} with everything in it?", abort=True)
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{db}{suffix}").unlink(missing_ok=True)
    click.echo(f"deleted {db}")
