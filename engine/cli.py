"""`llmrec`: the engine without a screen, for scripts, screen readers and machines without a terminal."""

import functools
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from llmrec.engine.cli_evaluate import evaluate
from llmrec.engine.cli_half_life import AT_IMPORT, half_life, judge, judge_items
from llmrec.engine.cli_models import models
from llmrec.engine.cli_output import ago, as_json, day, progress_bar, show
from llmrec.engine.cli_report import report
from llmrec.engine.cli_words import in_words, say_in_words
from llmrec.engine.errors import LlmrecError
from llmrec.engine.facade import Engine
from llmrec.engine.importers import Problems
from llmrec.engine.interests import ACTIONS
from llmrec.engine.paths import find_paths
from llmrec.engine.policies import POLICIES
from llmrec.engine.records import DEFAULT_USER, ItemId, Kind, View
from llmrec.engine.store import Store
from llmrec.engine.switching import short_name

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

user_option = click.option("--user", default=DEFAULT_USER, show_default=True, help="Whose interests.")
json_option = click.option("--json", "json_", is_flag=True, help="Machine-readable output.")
plain_option = click.option("--plain", is_flag=True, help="One fact a line, for screen readers.")
view_options = click.option("--domain", help="Only items of this domain.")


class _Moment(click.ParamType[float]):
    """An ISO 8601 moment as Unix seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an ISO 8601 date such as 2026-03-01 or 2026-03-01T12:00:00Z.", param, ctx)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class _Errors(click.Group):
    """A group whose commands end with one clear line and exit code 1 on errors meant for the user."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LlmrecError as exc:
            click.echo(f"llmrec: {exc}", err=True)
            ctx.exit(1)
        except BrokenPipeError:
            ctx.exit(1)


@click.group(cls=_Errors, context_settings=CONTEXT)
@click.option("--db", type=click.Path(path_type=Path), help="The database file; see `llmrec paths`.")
@click.version_option(version("llmrec-tui"), prog_name="llmrec")
@click.pass_context
def main(ctx: click.Context, db: Path | None) -> None:
    """A private recommender: what you like now, lately and always, ranked on this machine."""
    ctx.obj = db


def with_engine(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an open engine as its first argument."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        with _engine() as engine:
            command(engine, *args, **kwargs)

    return wrapped


@contextmanager
def _engine() -> Iterator[Engine]:
    db = click.get_current_context().find_root().obj
    with Engine.open(db) as engine:
        yield engine


def _note(engine: Engine) -> None:
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


# -- items and events --------------------------------------------------------------------------------------------


@main.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--domain", help="For items that name none.")
@click.option("--skip-bad", is_flag=True, help="Leave bad lines out and list them, instead of refusing the file.")
@click.option("--no-index", is_flag=True, help="Make no vectors and no half-lives now.")
@with_engine
def import_(engine: Engine, files: tuple[Path, ...], domain: str | None, skip_bad: bool, no_index: bool) -> None:
    """Import items: JSONL, CSV, TSV, RSS, Atom, OPML or browser bookmarks."""
    problems = Problems(skip=skip_bad)
    new, updated = engine.import_items(files, domain=domain, problems=problems)
    _skipped(problems)
    click.echo(f"{new} new and {updated} updated items.")
    if not no_index:
        _index(engine)
        judge_items(engine, AT_IMPORT)


def _skipped(problems: Problems) -> None:
    for line in problems.found:
        click.echo(f"skipped: {line}", err=True)


def _index(engine: Engine) -> None:
    """Make missing vectors under a bar; a stop keeps what is done."""
    ranked_by = engine.encoder_id
    with progress_bar("vectors") as advance:
        made, last = 0, None
        for progress in engine.index():
            advance(progress.done, progress.total)
            made += progress.done - last.done if last is not None and last.what == progress.what else 0
            last = progress
    if made:
        click.echo(f"{made} vectors made by {engine.encoder_id}.")
    if engine.encoder_id != ranked_by:
        click.echo(f"The lists are ranked by {short_name(engine.encoder_id)} from now on.")


@main.command()
@click.option("--graph", is_flag=True, help="Then build a graph for quick search among millions (extra usearch).")
@with_engine
def index(engine: Engine, graph: bool) -> None:
    """Make the vectors that are still missing."""
    _index(engine)
    _note(engine)
    if graph:
        click.echo(f"graph of {engine.status().items} items: {engine.build_graph()}")


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--skip-bad", is_flag=True, help="Leave bad lines out and list them, instead of refusing the file.")
@with_engine
def events(engine: Engine, file: Path, skip_bad: bool) -> None:
    """Import an interaction log: JSONL or CSV."""
    problems = Problems(skip=skip_bad)
    count = engine.import_events(file, problems=problems)
    _skipped(problems)
    click.echo(f"{count} events.")


@main.command()
@click.argument("kind", type=click.Choice([k.value for k in Kind]))
@click.argument("item")
@click.option("--at", type=_Moment(), help="When; now by default.")
@click.option("--value", type=float, help="Seconds, for dwell.")
@user_option
@json_option
@with_engine
def log(engine: Engine, kind: str, item: str, at: float | None, value: float | None, user: str, json_: bool) -> None:
    """Record one interaction."""
    batch = engine.record(user, ItemId(item), Kind(kind), at, value=value)
    change = batch.change
    if json_:
        as_json({"user": user, "change": asdict(change) if change else None, "seconds": batch.seconds})
    elif change is not None:
        more = f": {change.interest} {change.amount:+.2f}" if change.interest else ""
        click.echo(f'{kind} "{change.title}"{more}, {change.moved_up} items moved up')


@main.command()
@user_option
@json_option
@with_engine
def undo(engine: Engine, user: str, json_: bool) -> None:
    """Take back the newest interaction."""
    _taken(engine.undo(user).change, "undone", json_)


@main.command()
@user_option
@json_option
@with_engine
def redo(engine: Engine, user: str, json_: bool) -> None:
    """Take back the newest undo."""
    _taken(engine.redo(user).change, "redone", json_)


def _taken(change: Any, word: str, json_: bool) -> None:
    if json_:
        as_json(asdict(change) if change else None)
    else:
        said = "" if change is None else f'{change.kind} "{change.title}"' if change.item else change.title
        click.echo(f"{word}: {said}" if said else f"nothing to be {word}")


# -- ranking -----------------------------------------------------------------------------------------------------


@main.command()
@user_option
@view_options
@click.option("-n", default=10, show_default=True, type=click.IntRange(1, 100_000), help="How many.")
@click.option("--as-of", type=_Moment(), help="The list as it was at a past moment.")
@click.option("--model", type=click.Choice(POLICIES), help="Ranking policy; the adopted one by default.")
@click.option("--why", is_flag=True, help="Show what each score is made of.")
@click.option("--seen", is_flag=True, help="Also items already acted on.")
@click.option("--varied", is_flag=True, help="As on screen: duplicates folded, variety, two exploration slots.")
@json_option
@plain_option
@with_engine
def recommend(
    engine: Engine,
    user: str,
    domain: str | None,
    n: int,
    as_of: float | None,
    model: str | None,
    why: bool,
    seen: bool,
    varied: bool,
    json_: bool,
    plain: bool,
) -> None:
    """The ranked list."""
    view = View(domain=domain, seen=seen, varied=varied)
    ranked = engine.recommend(user, n, as_of, view=view, policy=model, why=why)
    _note(engine)
    rows = [
        {
            "rank": r.rank,
            "id": r.id,
            "title": r.title,
            "score": round(r.score, 6),
            "reasons": [asdict(reason) for reason in r.reasons],
        }
        for r in ranked
    ]
    if json_:
        as_json(rows)
        return
    if not why:
        rows = [{k: v for k, v in row.items() if k != "reasons"} for row in rows]
        show(rows, plain=plain, empty="No items. `llmrec import FILE` brings some.")
        return
    for row in rows:
        click.echo(f"{row['rank']:>3}  {row['title']}  ({row['score']:.3f})")
        _reasons(engine, row["reasons"])


def _reasons(engine: Engine, reasons: Any, limit: int = 6) -> None:
    """The largest parts of a score, a line each; the rest in one line, so that they sum up."""
    for reason in reasons[:limit]:
        done = reason["kind"] or "what you typed"
        source = f' from {done} "{_title(engine, reason["item"])}"' if reason["at"] else ""
        click.echo(f"     {reason['amount']:+.3f}  {reason['part']}{source}")
    rest = sum(reason["amount"] for reason in reasons[limit:])
    if reasons[limit:]:
        click.echo(f"     {rest:+.3f}  {len(reasons) - limit} smaller parts")


def _title(engine: Engine, item: str | None) -> str:
    found = engine.items([ItemId(item)]) if item else []
    return found[0].title if found else item or ""


@main.command()
@click.argument("item")
@click.option("--words", is_flag=True, help="Also a sentence on it by the writer, checked against the evidence.")
@user_option
@json_option
@with_engine
def why(engine: Engine, item: str, words: bool, user: str, json_: bool) -> None:
    """What an item's score is made of, and its rank without the click that matters most."""
    found = engine.why(user, ItemId(item))
    if json_:
        said = {"words": in_words(engine, user, found)} if words else {}
        as_json({**asdict(found), **said})
        return
    click.echo(f"{_title(engine, item)}: rank {found.rank}, score {found.score:.3f}")
    _reasons(engine, [asdict(r) for r in found.reasons], limit=12)
    if found.without is not None:
        title = _title(engine, found.without.item)
        click.echo(f'without "{title}": rank {found.rank} -> {found.rank_without}')
    if words:
        say_in_words(engine, user, found)


@main.command()
@click.argument("item")
@click.option("-k", default=4, show_default=True, type=click.IntRange(1, 12), help="How many candidate texts.")
@user_option
@json_option
@with_engine
def write(engine: Engine, item: str, k: int, user: str, json_: bool) -> None:
    """The candidate texts of an item, their probabilities, and the chosen one."""
    *_, last = engine.write(user, ItemId(item), k=k)
    if json_:
        texts = [{"text": c.text, "p": round(c.p, 6), "angle": c.angle, "by": c.by} for c in last.candidates]
        model = last.model or None
        as_json({"item": item, "model": model, "chosen": last.chosen, "candidates": texts, "note": last.note})
        return
    for number, candidate in enumerate(last.candidates):
        mark = ">" if number == last.chosen else " "
        click.echo(f"{mark} p {candidate.p:.2f}  {candidate.angle} ({candidate.by}): {candidate.text}")
    if last.note:
        click.echo(last.note, err=True)


@main.command()
@click.argument("text")
@click.option("-n", default=10, show_default=True, type=click.IntRange(1, 1_000), help="How many.")
@json_option
@plain_option
@with_engine
def search(engine: Engine, text: str, n: int, json_: bool, plain: bool) -> None:
    """Find items by words and by meaning."""
    rows = [{**asdict(hit), "score": round(hit.score, 6)} for hit in engine.search(text, n)]
    if json_:
        as_json(rows)
    else:
        show(rows, plain=plain, empty="Nothing found.")


# -- interests ---------------------------------------------------------------------------------------------------


@main.command()
@user_option
@click.option("--as-of", type=_Moment(), help="As they were at a past moment.")
@json_option
@plain_option
@with_engine
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


def _control(action: str) -> None:
    verb = "Weaken" if action == "less" else action.capitalize()

    @main.command(action, help=f"{verb} an interest (ids: `llmrec interests`); undo takes it back.")
    @click.argument("interest")
    @click.option("--days", type=click.FloatRange(0.01, 3650), help="How long, for snooze; 1 by default.")
    @user_option
    @with_engine
    def command(engine: Engine, interest: str, days: float | None, user: str) -> None:
        batch = engine.control(user, interest, action, days=days)
        click.echo(f"{batch.change.title if batch.change else action}; `llmrec undo` takes it back")


for _action in ACTIONS:
    if _action != "reset":  # resetting one interest is `control(..., "reset")`; `llmrec reset` deletes the store
        _control(_action)


@main.command()
@click.argument("command", nargs=-1, required=True)
@user_option
@with_engine
def steer(engine: Engine, command: tuple[str, ...], user: str) -> None:
    """Steer in words: llmrec steer more sailing, less politics this week."""
    batch = engine.steer(user, " ".join(command))
    click.echo(f"{batch.change.title if batch.change else ''}; `llmrec undo` takes it back")


# -- care --------------------------------------------------------------------------------------------------------


@main.command()
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
        rows = (
            {"user": e.user, "item": e.item, "kind": e.kind, "at": day(e.at), "value": e.value}
            for e in engine.store.all_events()
        )
    else:
        rows = engine.store.all_written()
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False))


def _exported_item(item: dict[str, Any]) -> dict[str, Any]:
    extra = item.pop("extra")
    published = day(item["published_at"]) if item["published_at"] is not None else None
    return {**extra, **item, "published_at": published}


@main.command()
@click.argument("target", type=click.Path(path_type=Path))
@with_engine
def backup(engine: Engine, target: Path) -> None:
    """Copy the store to a new file, also while it is in use."""
    engine.store.backup(target)
    click.echo(f"copied to {target}")


@main.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def reset(ctx: click.Context, yes: bool) -> None:
    """Delete the store: items, events, vectors, texts and settings."""
    db = ctx.obj or find_paths().db
    if not db.exists():
        click.echo(f"{db}: nothing there")
        return
    Store(db).close()  # refuses another program's file
    if not yes:
        click.confirm(f"Delete {db} with everything in it?", abort=True)
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{db}{suffix}").unlink(missing_ok=True)
    click.echo(f"deleted {db}")


@main.command()
@json_option
@click.pass_context
def paths(ctx: click.Context, json_: bool) -> None:
    """Where files live."""
    found = find_paths()
    places = {
        "database": str(ctx.obj or found.db),
        "models": str(found.models),
        "cache": str(found.cache),
        "log": str(found.log),
    }
    if json_:
        as_json(places)
    else:
        for name, place in places.items():
            click.echo(f"{name:<9} {place}")


@main.command()
@click.option("--airgap", is_flag=True, help="Block every socket while checking, and say whether one was asked for.")
@json_option
@click.pass_context
def doctor(ctx: click.Context, airgap: bool, json_: bool) -> None:
    """Check the store, the models and what this machine offers."""
    from llmrec.engine.doctor import checks  # it loads models, which no other command should wait for

    results = checks(ctx.obj, airgap=airgap)
    if json_:
        as_json([asdict(r) for r in results])
    else:
        for result in results:
            click.echo(f"{'ok  ' if result.ok else 'FAIL'}  {result.name:<12} {result.found}")
    if not all(r.ok for r in results):
        ctx.exit(1)


@main.command()
@click.option("--user", default="ada", show_default=True, help="One of the example people.")
def demo(user: str) -> None:
    """Three clicks of an example person, and what each changed; on bundled items, in memory."""
    from llmrec.engine.demo import run

    for line in run(user):
        click.echo(line)


@main.command()
def bench() -> None:
    """Measure every figure of the README on this machine."""
    from llmrec.engine.benchmark import run

    for line in run():
        click.echo(line)


main.add_command(models)
main.add_command(evaluate)
main.add_command(report)
main.add_command(half_life)
main.add_command(judge)

if __name__ == "__main__":
    sys.exit(main())
