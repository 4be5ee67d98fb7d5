"""`llmrec evaluate`: how well each ranking method would have served real histories."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event as Cancel
from typing import Any, TypeVar

import click
import numpy as np

from llmrec.engine import drift as drifting
from llmrec.engine.catalogue import Catalogue
from llmrec.engine.cli_output import as_json, progress_bar, show
from llmrec.engine.cli_shared import json_option
from llmrec.engine.errors import ImportFailed
from llmrec.engine.evaluate import ALL, Evaluation, History, Report, histories, sample
from llmrec.engine.importers import Problems, read_events, read_items
from llmrec.engine.paths import find_paths
from llmrec.engine.policies import DEFAULT_POLICY, make_policy
from llmrec.engine.records import Item
from llmrec.engine.vector_cache import VectorCache
from llmrec.models import Embedder

T = TypeVar("T")
_PAIRS = 40
"""Pairs of users spliced by --drift."""
_YARDSTICKS = ("mean", "last")
"""Methods whose drift is measured beside the default: one that forgets nothing, one that forgets all but one click."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--items", "items_", required=True, type=_FILE, help="Items, in any format that import takes.")
@click.option("--events", "events_", required=True, type=_FILE, help="Interactions, JSONL or CSV.")
@click.option("--users", type=click.IntRange(min=1), help="Measure a random sample of so many users.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the sample, ties and intervals.")
@click.option("--drift", is_flag=True, help="Also measure how fast a change of taste is followed.")
@click.option("--policies", help=f"Methods, separated by commas: {', '.join(ALL)}.")
@click.option("--skip-bad", is_flag=True, help="Leave bad lines out.")
@json_option
def evaluate(
    items_: Path,
    events_: Path,
    users: int | None,
    seed: int,
    drift: bool,
    policies: str | None,
    skip_bad: bool,
    json_: bool,
) -> None:
    """Replay real histories: rank before each step, see where the wanted items stood, then learn."""
    names = _names(policies)
    catalogue, everybody = load(items_, events_, skip_bad=skip_bad)
    chosen = sample(everybody, users, np.random.default_rng(seed))
    if not chosen:
        raise ImportFailed(f"{events_.name}: no user has five moments with a like, save, purchase or finish.")
    run, report = Evaluation(catalogue, everybody, names, seed), Report()
    report.users.extend(_with_bar(run.run(chosen), len(chosen), "users"))
    found = report.as_json(seed)
    if drift:
        found["drift"] = _drift(catalogue, everybody, seed)
    if json_:
        as_json(found)
    else:
        _show(found)


def _drift(catalogue: Catalogue, everybody: list[History], seed: int) -> dict[str, Any]:
    """The measures of a change of taste: the default policy's, and those of two that never and always forget."""
    spliced = drifting.pairs(catalogue, everybody, _PAIRS)
    detours = drifting.detours(catalogue, everybody, _PAIRS)
    found = {}
    for name in (DEFAULT_POLICY, *_YARDSTICKS):
        run = drifting.DriftRun(catalogue, partial(make_policy, name), seed)
        turned = list(_with_bar(run.run(spliced), len(spliced), f"drift, {name}"))
        returned = list(_with_bar(run.long_return(detours), len(detours), f"return, {name}"))
        found[name] = drifting.as_json(turned, seed) | {"long_return": drifting.long_as_json(returned, seed)}
    return {**found.pop(DEFAULT_POLICY), "others": found}


def _names(policies: str | None) -> tuple[str, ...]:
    if policies is None:
        return ALL
    names = tuple(name.strip() for name in policies.split(","))
    for name in names:
        if name not in ALL:
            raise click.BadParameter(f"{name!r} is none of {', '.join(ALL)}.", param_hint="--policies")
    return names


def load(
    items_: Path | str, events_: Path | str, *, skip_bad: bool = False, embedder: Embedder | None = None
) -> tuple[Catalogue, list[History]]:
    """The catalogue of a file of items, embedded, and the histories of a file of events.

    Raises:
        ImportFailed: a file cannot be read.
        ModelError: the encoder failed.
    """
    now, problems = time.time(), Problems(skip_bad)
    items = list(read_items(Path(items_), now=now, domain=None, problems=problems))
    rows = {item.id: row for row, item in enumerate(items)}
    events = read_events(Path(events_), now=now, known=rows.__contains__, problems=problems)
    everybody = histories(events, rows)
    for problem in problems.found:
        click.echo(f"skipped: {problem}", err=True)
    return _catalogue(items, embedder), everybody


def _catalogue(items: list[Item], embedder: Embedder | None) -> Catalogue:
    cache, cancel = find_paths().cache, Cancel()
    with closing(embedder or _installed_encoder()) as encoder:
        kept = VectorCache(cache, encoder)
        try:
            with progress_bar("embedding") as advance:
                for progress in kept.fill(items, cancel):
                    advance(progress.done, progress.total)
        except KeyboardInterrupt:
            cancel.set()
            raise
        vectors = kept.vectors(items)
    sources = {source: code for code, source in enumerate(dict.fromkeys(item.source for item in items))}
    return Catalogue(
        vectors,
        np.array([np.nan if item.published_at is None else item.published_at for item in items], np.float64),
        np.array([sources[item.source] for item in items], np.int32),
        [f"{item.title} {item.text} {' '.join(item.tags)}" for item in items],
    )


def _installed_encoder() -> Embedder:
    """The encoder in use.

    Raises:
        ModelNotFound: there is none; the text names the command that brings it.
    """
    from llmrec.models.host import Host  # it starts a process, which other commands should not wait for
    from llmrec.models.shelf import default_embedder

    paths = find_paths()
    return default_embedder(models_folder=paths.models, cache_folder=paths.cache, host=Host(log=paths.log))


def _with_bar(results: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The results, while a bar on stderr counts them."""
    with progress_bar(what) as advance:
        for done, result in enumerate(results, start=1):
            advance(done, total)
            yield result


def _show(found: dict[str, Any]) -> None:
    """A table of the methods, best first, and what is said of the default one."""
    ranked = sorted(found["policies"].items(), key=lambda row: -row[1]["ndcg@10"])
    rows = []
    for name, row in ranked:
        low, high = row["ndcg@10_ci95"]
        interval = f"{low:.4f} to {high:.4f}"
        cells = {key: f"{row[key]:.4f}" for key in ("ndcg@10", "hit@10", "mrr")}
        cells = {"nDCG@10": cells.pop("ndcg@10"), "95 %": interval, "hit@10": cells["hit@10"], "MRR": cells["mrr"]}
        rows.append({"method": name, **cells})
    show(rows, plain=False, empty="Nothing was measured.")
    click.echo(f"{found['users']} users, {found['steps']} steps. 'popular' sees everybody; all others one user each.")
    for name, against in found.get("blend_against", {}).items():
        low, high = against["difference_ci95"]
        ratio = "-" if against["ratio"] is None else f"{against['ratio']:.2f}"
        click.echo(f"blend against {name}: {ratio} times, difference {low:+.4f} to {high:+.4f} (95 %, paired by user)")
    if "drift" in found:
        _show_drift(found["drift"])


def _show_drift(found: dict[str, Any]) -> None:
    """A table of how a change of taste is followed."""
    methods = {DEFAULT_POLICY: found, **found["others"]} if found["pairs"] else {}
    rows = [
        {
            "method": name,
            "C90": _number(it["c90"]["median"]),
            "new": _number(it["newcomer"]["c90"]["median"]),
            "told": _number(it["told"]["c90"]["median"]),
            "caught up": _number(it["caught_up"]["median"]),
            "lost": f"{it['area_lost']:.2f}",
            **{f"kept {k}": _share(it["retention"][k]["ratio"]) for k in ("0", "1", "5")},
            f"kept {drifting.LONG_RETURN}": _share(it["long_return"]["ratio"]),
            "blast": _share(it["blast_radius"]["median"]),
        }
        for name, it in methods.items()
    ]
    click.echo()
    show(rows, plain=False, empty="Drift was not measured: it needs two users with 45 likes of distant topics.")
    if rows:
        click.echo(
            f"Drift, {found['pairs']} pairs of users; medians of C90, of caught up and of blast.\n"
            "C90: clicks until 90 % of what a newcomer settles at; new, told: the same\n"
            "for that newcomer, and for one who is told and forgets all at the second click.\n"
            "Caught up: clicks until as good as the newcomer by then.\n"
            "Lost: quality missing to the newcomer's until then, summed over clicks.\n"
            "Kept: quality for the old taste so many clicks after the return, of that\n"
            f"without the detour ({drifting.LONG_RETURN}: the last {drifting.LAST} of them, "
            f"{found['long_return']['pairs']} pairs).\n"
            "Blast: first ten replaced by one random click."
        )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
