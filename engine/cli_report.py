"""`llmrec report`: the evaluation on one's own log, and adopting another method only when told to."""

from dataclasses import asdict

import click

from llmrec.engine.cli_output import as_json, show
from llmrec.engine.cli_shared import json_option, with_catalogue
from llmrec.engine.facade import Engine
from llmrec.engine.policies import POLICIES
from llmrec.engine.records import DEFAULT_USER


@click.command()
@click.option("--user", default=DEFAULT_USER, show_default=True, help="Whose log.")
@click.option("--adopt", metavar="METHOD", help="Rank with this method from now on; `blend` is the default.")
@json_option
@with_catalogue
def report(engine: Engine, user: str, adopt: str | None, json_: bool) -> None:
    """Whether another method or clock would have served your own log better."""
    if adopt is not None:
        engine.adopt(adopt)
        click.echo(f"{adopt} ranks from now on; `llmrec report --adopt {POLICIES[0]}` goes back")
        return
    served = engine.report(user)
    if json_:
        as_json([{**asdict(s), "in_use": s.method == engine.policy} for s in served])
        return
    rows = [
        {
            "method": s.method,
            "nDCG@10": s.ndcg,
            "gain": f"{s.gain:+.3f}",
            "95 %": f"{s.low:+.3f} to {s.high:+.3f}",
            "": "in use" if s.method == engine.policy else "better" if s.better else "",
        }
        for s in served
    ]
    show(rows, plain=False, empty="")
    better = [s for s in served if s.better]
    if better:
        click.echo(f"{better[0].method} would have served you better: llmrec report --adopt {better[0].method}")
    else:
        click.echo(f"nothing here is better than {engine.policy} beyond chance")
