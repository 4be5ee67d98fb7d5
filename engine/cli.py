"""`llmrec`: the engine without a screen, for scripts, screen readers and machines without a terminal."""

import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from llmrec.engine import cli_act, cli_items, cli_lists
from llmrec.engine.cli_evaluate import evaluate
from llmrec.engine.cli_half_life import half_life, judge
from llmrec.engine.cli_models import models
from llmrec.engine.cli_output import as_json
from llmrec.engine.cli_report import report
from llmrec.engine.cli_shared import chosen_store, json_option
from llmrec.engine.errors import LlmrecError
from llmrec.engine.paths import find_paths

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


SECTIONS = {
    "What there is to read": ("import", "index", "export", "backup", "reset", "paths"),
    "The list": ("recommend", "search", "why", "write", "half-life", "judge"),
    "What you do": ("log", "events", "undo", "redo", "steer"),
    "Your interests": ("interests", "boost", "less", "freeze", "snooze", "forget", "split"),
    "Models and measures": ("models", "evaluate", "report", "doctor", "demo", "bench"),
}
"""The commands as help shows them."""


class _Errors(click.Group):
    """A group whose commands end with one clear line and exit code 1 on errors meant for the user."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands by what they are for, each with its first sentence, which is never cut."""
        for section, names in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name, _first_sentence(self.commands[name])) for name in names])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LlmrecError as exc:
            click.echo(f"llmrec: {exc}", err=True)
            ctx.exit(1)
        except BrokenPipeError:
            ctx.exit(1)


def _first_sentence(command: click.Command) -> str:
    return command.short_help or " ".join((command.help or "").split("\n\n")[0].split())


@click.group(cls=_Errors, context_settings=CONTEXT)
@click.option("--db", type=click.Path(path_type=Path), help="The database file; see `llmrec paths`.")
@click.version_option(version("llmrec-tui"), prog_name="llmrec")
@click.pass_context
def main(ctx: click.Context, db: Path | None) -> None:
    """A private recommender: what you like now, lately and always, ranked on this machine."""
    ctx.obj = db


@main.command()
@json_option
def paths(json_: bool) -> None:
    """Where files live."""
    found = find_paths()
    places = {
        "database": str(chosen_store() or found.db),
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

    results = checks(chosen_store(), airgap=airgap)
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


_COMMANDS = (
    *(cli_items.import_, cli_items.index, cli_items.events, cli_items.export, cli_items.backup, cli_items.reset),
    *(cli_act.log, cli_act.undo, cli_act.redo, cli_act.interests, cli_act.steer, *cli_act.CONTROLS),
    *(cli_lists.recommend, cli_lists.why, cli_lists.write, cli_lists.search),
    *(models, evaluate, report, half_life, judge),
)
for _command in _COMMANDS:
    main.add_command(_command)

if __name__ == "__main__":
    sys.exit(main())
