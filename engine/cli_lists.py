"""`llmrec recommend`, `why`, `write`, `search`: the ranked list, its reasons, and the texts of its items."""

from dataclasses import asdict
from typing import Any

import click

from llmrec.engine.cli_output import as_json, show
from llmrec.engine.cli_shared import Moment, json_option, plain_option, say_of_models, user_option, with_catalogue
from llmrec.engine.errors import LlmrecError
from llmrec.engine.facade import Engine
from llmrec.engine.policies import POLICIES
from llmrec.engine.records import ItemId, View, Why

NO_WRITER = "no writer is in use that can phrase it; `llmrec models list` shows writers."
NO_EVIDENCE = "nothing you did speaks for its rank yet, so there is nothing to phrase."


@click.command()
@user_option
@click.option("--domain", help="Only items of this domain.")
@click.option("-n", default=10, show_default=True, type=click.IntRange(1, 100_000), help="How many.")
@click.option("--as-of", type=Moment(), help="The list as it was at a past moment.")
@click.option("--model", type=click.Choice(POLICIES), help="Ranking policy; the adopted one by default.")
@click.option("--why", is_flag=True, help="Show what each score is made of.")
@click.option("--seen", is_flag=True, help="Also items already acted on.")
@click.option("--varied", is_flag=True, help="As on screen: duplicates folded, variety, two exploration slots.")
@json_option
@plain_option
@with_catalogue
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
    domains = engine.domains()
    if domain is not None and len(domains) and domain not in domains:
        raise LlmrecError(f"no item is in the domain {domain!r}; there are {', '.join(domains)}.")
    view = View(domain=domain, seen=seen, varied=varied)
    ranked = engine.recommend(user, n, as_of, view=view, policy=model, why=why)
    say_of_models(engine)
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


@click.command()
@click.argument("item")
@click.option("--words", is_flag=True, help="Also a sentence on it by the writer, checked against the evidence.")
@user_option
@json_option
@with_catalogue
def why(engine: Engine, item: str, words: bool, user: str, json_: bool) -> None:
    """What an item's score is made of, and its rank without the click that matters most."""
    found = engine.why(user, ItemId(item))
    if json_:
        said = {"words": _in_words(engine, user, found)} if words else {}
        as_json({**asdict(found), **said})
        return
    click.echo(f"{_title(engine, item)}: rank {found.rank}, score {found.score:.3f}")
    _reasons(engine, [asdict(r) for r in found.reasons], limit=12)
    if found.without is not None:
        past = found.without.item
        event = f'"{_title(engine, past)}"' if past else "the words you typed"
        click.echo(f"without {event}: rank {found.rank} -> {found.rank_without}")
    if words:
        _say_in_words(engine, user, found)


def _in_words(engine: Engine, user: str, found: Why) -> dict[str, Any]:
    """What a writer made of the evidence, for --json: text, model, and why there is no text."""
    said = list(engine.why_in_words(user, found))
    if said:
        return {"text": said[-1].text, "model": said[-1].model, "note": said[-1].note}
    return {"text": "", "model": None, "note": NO_EVIDENCE if engine.status().composer else NO_WRITER}


def _say_in_words(engine: Engine, user: str, found: Why) -> None:
    """Print the sentence, or, on stderr, why there is none."""
    said = _in_words(engine, user, found)
    if said["text"]:
        click.echo(f"{said['model']} says: {said['text']}")
    else:
        click.echo(f"note: {said['note']}", err=True)


@click.command()
@click.argument("item")
@click.option("-k", default=4, show_default=True, type=click.IntRange(1, 12), help="How many candidate texts.")
@user_option
@json_option
@with_catalogue
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


@click.command()
@click.argument("text")
@click.option("-n", default=10, show_default=True, type=click.IntRange(1, 1_000), help="How many.")
@json_option
@plain_option
@with_catalogue
def search(engine: Engine, text: str, n: int, json_: bool, plain: bool) -> None:
    """Find items by words and by meaning."""
    rows = [{**asdict(hit), "score": round(hit.score, 6)} for hit in engine.search(text, n)]
    if json_:
        as_json(rows)
    else:
        show(rows, plain=plain, empty="Nothing found.")
