"""The bundled writer `llmrec-write`, made anew: `python -m llmrec.models.training.writer all --size large`.

Each step can be run alone and again: what is there already is used, and training goes on from its checkpoint. Ctrl-C
or SIGTERM end training after a last checkpoint.
"""

import logging
import signal
import sys
import threading
import time
from pathlib import Path

import click

from llmrec.models.errors import ModelError
from llmrec.models.shelf import WEIGHTS
from llmrec.models.training import writer_run as steps
from llmrec.models.training.encoder_export import NAME as ENCODER
from llmrec.models.training.writer_recipes import RECIPES
from llmrec.models.training.writer_run import Run

log = logging.getLogger(__name__)
_STAGES = tuple(dict.fromkeys(stage.name for recipe in RECIPES.values() for stage in recipe.stages))
_STEPS = ("prepare", "tokenizer", "questions", *_STAGES, "export", "evaluate", "card", "ship", "all")


@click.command()
@click.argument("step", type=click.Choice(_STEPS))
@click.option("--corpus", type=click.Path(path_type=Path), default=Path("../shared/corpus"), show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("build/training/writer"),
    show_default=True,
    help="Folder of all sizes; each has one of its own in it.",
)
@click.option("--size", type=click.Choice(list(RECIPES)), default="large", show_default=True)
@click.option("--unseen", multiple=True, type=click.Path(path_type=Path), help="Item file that must stay unseen.")
@click.option("--documents", type=click.IntRange(1), help="Documents of each file of the corpus, at most.")
@click.option("--cases", type=click.IntRange(1), default=40, show_default=True, help="Items of each set to evaluate.")
@click.option("--minutes", type=click.FloatRange(0), help="Stop training after so long, with a checkpoint.")
@click.option(
    "--encoder", type=click.Path(path_type=Path), default=WEIGHTS / f"{ENCODER}.Q8_0.gguf", help="Measures agreement."
)
@click.option("--compile", "compiled", is_flag=True, help="Compile the model; GPU only.")
@click.option("--ship", is_flag=True, help="With `export`: put the file where the app looks, if it has passed.")
def main(
    step: str,
    corpus: Path,
    out: Path,
    size: str,
    unseen: tuple[Path, ...],
    documents: int | None,
    cases: int,
    minutes: float | None,
    encoder: Path,
    compiled: bool,
    ship: bool,
) -> None:
    """Make the writer: data, tokenizer, training, GGUF, evaluation, model card."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    unseen = unseen or tuple(sorted((corpus.parent / "eval").glob("*/items.jsonl")))
    known_encoder = encoder if encoder.is_file() else None
    run = Run(corpus, out / size, size, unseen, documents, cases, known_encoder, compiled)
    try:
        _do("ship" if ship else step, run, _Stop(minutes))
    except ModelError as exc:
        raise click.ClickException(str(exc)) from exc


class _Stop:
    """Whether training should end: told by a signal, or out of time. Signals end all other steps at once."""

    def __init__(self, minutes: float | None):
        self._told = threading.Event()
        self._until = None if minutes is None else time.monotonic() + 60 * minutes

    def __call__(self) -> bool:
        return self._told.is_set() or (self._until is not None and time.monotonic() >= self._until)

    def __enter__(self) -> "_Stop":
        self._before = [(n, signal.signal(n, lambda *_: self._told.set())) for n in (signal.SIGTERM, signal.SIGINT)]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)


def _do(step: str, run: Run, stop: _Stop) -> None:
    if step in ("prepare", "all"):
        steps.prepare_data(run)
    if step in ("tokenizer", "all"):
        steps.make_tokenizer(run)
    if step in ("questions", "all"):
        steps.ask_short(run)
    names = [stage.name for stage in run.recipe.stages]
    if step in _STAGES and step not in names:
        raise ModelError(f"The size {run.size} has no stage {step}; its stages are {', '.join(names)}.")
    with stop:
        for stage in run.recipe.stages:
            if step in (stage.name, "all") and not steps.train(run, stage, stop):
                return log.info("stopped before the end of `%s`; the same command goes on from here", stage.name)
    if step in ("export", "all"):
        steps.export_model(run)
    if step in ("evaluate", "all"):
        steps.evaluate(run)
    if step in ("card", "all"):
        steps.write_card(run)
    if step == "ship":
        log.info("shipped %s", steps.ship(run))


if __name__ == "__main__":
    main()
