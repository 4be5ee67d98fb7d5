"""`llmrec why --words`: the computed evidence first, then a writer's sentence on it, with its name."""

from typing import Any

import click

from llmrec.engine.facade import Engine
from llmrec.engine.records import Why

NO_WRITER = "no writer is installed, so nothing phrases it; `llmrec models list` shows writers."
NO_EVIDENCE = "nothing you did speaks for its rank yet, so there is nothing to phrase."


def in_words(engine: Engine, user: str, found: Why) -> dict[str, Any]:
    """What a writer made of the evidence, for --json: text, model, and why there is no text."""
    said = list(engine.why_in_words(user, found))
    if said:
        return {"text": said[-1].text, "model": said[-1].model, "note": said[-1].note}
    return {"text": "", "model": None, "note": NO_EVIDENCE if engine.status().writer else NO_WRITER}


def say_in_words(engine: Engine, user: str, found: Why) -> None:
    """Print the sentence, or, on stderr, why there is none."""
    said = in_words(engine, user, found)
    if said["text"]:
        click.echo(f"{said['model']} says: {said['text']}")
    else:
        click.echo(f"note: {said['note']}", err=True)
