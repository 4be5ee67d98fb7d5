"""The steps from text to a file that ships; each can be run again and goes on where it stopped."""

import json
import logging
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from llmrec.models import Writer, prompts
from llmrec.models.errors import ModelRejected
from llmrec.models.hashes import sha256_of
from llmrec.models.host import Host
from llmrec.models.llamacpp import LlamaEmbedder, LlamaWriter
from llmrec.models.setup import WEIGHTS
from llmrec.models.training.checkpoints import CheckpointError, Checkpoints, State
from llmrec.models.training.corpus import read_rows
from llmrec.models.training.writer_batches import Mixture
from llmrec.models.training.writer_card import card
from llmrec.models.training.writer_data import catalogue_cases, prepare, read_cases, read_sheets, read_texts
from llmrec.models.training.writer_evaluate import Evaluation, agreement, judge, samples, select, write
from llmrec.models.training.writer_export import NAME, export
from llmrec.models.training.writer_frames import ALL
from llmrec.models.training.writer_jobs import Sheet
from llmrec.models.training.writer_model import Decoder
from llmrec.models.training.writer_recipes import RECIPES, Recipe, Stage
from llmrec.models.training.writer_short import parts_of, topics, useful
from llmrec.models.training.writer_start import start_copying
from llmrec.models.training.writer_tokens import (
    encode_sheets,
    encode_texts,
    load_rows,
    load_stream,
    load_tokenizer,
    save_rows,
    train_tokenizer,
)
from llmrec.models.training.writer_train import Log, Trainer
from llmrec.models.training.writer_wording import stem, words_of

log = logging.getLogger(__name__)

CATALOGUES = ("shop", "feed", "courses")
SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"
_COMPARED = 5
"""Items that are compared with what people wrote of them, beside 1 that is written of from every angle."""
_NAMED = 3
"""Items of a catalogue that are named, beside 1 that is written of."""
SHORT = ("useful", "topic")
"""The short questions, in the order of `Recipe.questions`."""
_HELD_OUT_SHARE = 0.04
"""Held-out examples of a short question, beside 1 that is trained on."""
_SEED = 17


@dataclass(frozen=True, slots=True)
class Run:
    """Where a run lies, and what decides it."""

    corpus: Path
    """Folder with the training text."""
    out: Path
    """Folder of everything that is made."""
    size: str
    """Name of the recipe."""
    unseen: tuple[Path, ...] = ()
    """Item files that must stay unseen, beside the bundled catalogues."""
    documents: int | None = None
    """Documents of each corpus file at most."""
    cases: int = 40
    """Items of each set that are evaluated."""
    encoder: Path | None = None
    """Encoder that measures agreement; not measured when None."""
    compiled: bool = False
    """Compile the model, on a GPU."""

    @property
    def recipe(self) -> Recipe:
        """All numbers of the size."""
        return RECIPES[self.size]

    @property
    def gguf(self) -> Path:
        """The file that would ship."""
        return self.out / f"{NAME}.Q8_0.gguf"

    def data(self, name: str) -> Path:
        """A file of prepared data."""
        return self.out / "data" / name


def prepare_data(run: Run) -> None:
    """Documents to plain text, examples and evaluation's items."""
    if run.data("counts.json").is_file():
        return log.info("prepare: done before")
    catalogues = [*(SAMPLE_DATA / f"{name}.jsonl" for name in CATALOGUES), *run.unseen]
    counts = prepare(run.corpus, run.data(""), run.recipe, catalogues, log.info, run.documents)
    log.info("prepare: %s", json.dumps(dict(sorted(counts.items()))))


def make_tokenizer(run: Run) -> None:
    """Train the tokenizer on the training half, and encode both halves with it."""
    done = run.data("sheets-train.npz")
    if done.is_file():
        return log.info("tokenizer: done before")
    texts = chain(
        read_texts(run.data("texts-train.jsonl")), (s.item for s in read_sheets(run.data("sheets-train.jsonl")))
    )
    tokenizer = train_tokenizer(texts, run.recipe.shape.vocabulary, run.out / "tokenizer.json")
    for half in ("held-out", "train"):
        count = encode_texts(read_texts(run.data(f"texts-{half}.jsonl")), tokenizer, run.data(f"texts-{half}.bin"))
        rows = encode_sheets(read_sheets(run.data(f"sheets-{half}.jsonl")), tokenizer, run.recipe.shape.context)
        save_rows(run.data(f"sheets-{half}.npz"), rows)
        papers = encode_sheets(read_sheets(run.data(f"papers-{half}.jsonl")), tokenizer, run.recipe.shape.context)
        save_rows(run.data(f"papers-{half}.npz"), papers)
        log.info("tokenizer: %s: %d tokens of text, %d of %d sheets", half, count, len(rows.ids), len(rows))


def ask_short(run: Run) -> None:
    """Examples of the two short questions, from the plain texts of both halves."""
    done = run.data("topic-train.npz")
    if done.is_file():
        return log.info("questions: done before")
    tokenizer, context = load_tokenizer(run.out / "tokenizer.json"), run.recipe.shape.context
    counts = json.loads(run.data("counts.json").read_text("utf-8"))
    if run.encoder is None:
        log.warning("questions: without an encoder no topics are learnt, and the file will not be asked for them")
    host = Host()
    try:
        for half, share in (("held-out", _HELD_OUT_SHARE), ("train", 1.0)):
            for job, count in zip(SHORT, run.recipe.questions, strict=True):
                made = list(_questions(run, half, job, max(1, int(share * count)), host))
                save_rows(run.data(f"{job}-{half}.npz"), encode_sheets(made, tokenizer, context))
                counts[f"{half} examples, {job}"] = len(made)
                log.info("questions: %s: %d of %s", half, len(made), job)
    finally:
        host.close()
    run.data("counts.json").write_text(json.dumps(dict(sorted(counts.items())), indent=1))


def _questions(run: Run, half: str, job: str, count: int, host: Host) -> Iterator[Sheet]:
    """Examples of one short question; topics need an encoder, and without one there are none."""
    rng = np.random.default_rng([_SEED, SHORT.index(job), half == "train"])
    parts = parts_of(run.data(f"texts-{half}.jsonl"), count, job, rng)
    if job == "useful":
        yield from useful(parts, ALL, rng)
    elif run.encoder is not None:
        yield from topics(parts, LlamaEmbedder(run.encoder, host))


def train(run: Run, stage: Stage, stop: Callable[[], bool]) -> bool:
    """Train, beginning with what the stage before left, or go on; returns whether the stage is finished.

    Raises:
        CheckpointError: the stage before has not been run.
    """
    model = Decoder(run.recipe.shape)
    if stage == run.recipe.pretrain:
        start_copying(model, stage.seed)
    else:
        model.load_state_dict(_beginning(run, stage))
    return _train(run, stage, model, stop)


def export_model(run: Run) -> None:
    """Write the newest weights as GGUF: those of the last stage that was begun."""
    learnt = (job for job in run.recipe.jobs if job != "topics" or run.encoder is not None)
    jobs, copies_only = tuple(learnt), not run.recipe.composed
    export(newest(run), run.out / "tokenizer.json", run.gguf, "Q8_0", jobs=jobs, copies_only=copies_only)
    log.info("export: %s, %.1f MB", run.gguf.name, run.gguf.stat().st_size / 1e6)


def evaluate(run: Run) -> Evaluation:
    """Measure the file on items that no training has seen: `evaluation.json`."""
    described = read_cases(run.data("cases.jsonl"))
    cases = select([*described, *catalogue_cases(SAMPLE_DATA, CATALOGUES)], run.cases)
    host = Host()
    try:
        writer = LlamaWriter(run.gguf, host)
        "".join(writer.stream(prompts.blurb("", "", "plain"), max_tokens=1))  # loads the file
        texts = list(write(writer, cases))
        compared = list(write(writer, select(described, _COMPARED * run.cases), ["plain"]))
        figures = {"still useful in a year, right answers": _useful(writer), **_named(writer, _NAMED * run.cases)}
        figures |= _perplexities(run)
        agreed = agreement(texts, LlamaEmbedder(run.encoder, host)) if run.encoder is not None else None
    finally:
        host.close()
    lines = judge(texts, compared, run.gguf.stat().st_size, agreed)
    found = Evaluation(sha256_of(run.gguf), figures, lines, samples(texts))
    found.save(run.out / "evaluation.json")
    for line in lines:
        log.info("%s  %s: %.3f (%s)", "pass" if line.passed else "FAIL", line.what, line.reached, line.asked)
    return found


def write_card(run: Run) -> None:
    """Write the model card beside the file."""
    counts = json.loads(run.data("counts.json").read_text("utf-8"))
    found = Evaluation.load(run.out / "evaluation.json")
    done = {name: _state(run, name)["step"] for name in _begun(run)}
    (run.out / f"{NAME}.md").write_text(card(run.recipe, run.size, done, found, counts), "utf-8")


def ship(run: Run, weights: Path = WEIGHTS) -> Path:
    """Copy file and card to where the app looks for models.

    Raises:
        ModelRejected: the evaluation is missing, is of another file, or was not passed.
    """
    found = Evaluation.load(run.out / "evaluation.json")
    if found.sha256 != sha256_of(run.gguf):
        raise ModelRejected(f"{run.gguf.name} is not the file that was evaluated; run `evaluate` and `card` again.")
    if not found.passed:
        missed = "; ".join(line.what for line in found.lines if not line.passed) or "nothing was measured"
        raise ModelRejected(f"{run.gguf.name} does not pass, so it does not ship: {missed}.")
    for file in (run.gguf, run.out / f"{NAME}.md"):
        shutil.copyfile(file, weights / file.name)
    return weights / run.gguf.name


def newest(run: Run) -> Decoder:
    """The model as it was saved last, after the last stage with the share of its beginning that the recipe says.

    Raises:
        CheckpointError: nothing was trained yet.
    """
    model, stages = Decoder(run.recipe.shape), run.recipe.stages
    name = (_begun(run) or [run.recipe.pretrain.name])[-1]
    weights, kept = _state(run, name)["model"], run.recipe.kept
    if kept and name == stages[-1].name:
        before = _beginning(run, stages[-1])
        weights = {key: kept * before[key] + (1 - kept) * weight for key, weight in weights.items()}
    model.load_state_dict(weights)
    return model


def _beginning(run: Run, stage: Stage) -> dict[str, Tensor]:
    """The weights that a stage begins with: the mean of those after the stages before it."""
    before = run.recipe.stages[: run.recipe.stages.index(stage)][-stage.begins :]
    weights = [_state(run, each.name)["model"] for each in before]
    return {key: torch.stack([each[key] for each in weights]).mean(0) for key in weights[0]}


def _begun(run: Run) -> list[str]:
    """Names of the stages that have a checkpoint."""
    return [stage.name for stage in run.recipe.stages if (run.out / f"{stage.name}.pt").is_file()]


def _train(run: Run, stage: Stage, model: Decoder, stop: Callable[[], bool]) -> bool:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    checkpoints = Checkpoints(run.out / f"{stage.name}.pt", clock=time.monotonic)
    trainer = Trainer(model.to(device), stage, _mixture(run, stage, "train"), compiled=run.compiled)
    if state := checkpoints.load():
        trainer.restore(state)
    log.info("%s: from update %d of %d on %s", stage.name, trainer.step, stage.steps, device)
    finished = trainer.run(checkpoints, stop, Log(run.out / "log.jsonl", trainer))
    log.info("%s: held-out loss %.3f", stage.name, trainer.held_out(_mixture(run, stage, "held-out").answers()))
    return finished


def _mixture(run: Run, stage: Stage, half: str) -> Mixture:
    rows, papers = (load_rows(run.data(f"{kind}-{half}.npz")) for kind in ("sheets", "papers"))
    short = [load_rows(run.data(f"{job}-{half}.npz")) for job in SHORT] if any(stage.short) else []
    return Mixture(load_stream(run.data(f"texts-{half}.bin")), rows, stage, run.recipe.shape, papers, short)


def _state(run: Run, stage: str) -> State:
    state = Checkpoints(run.out / f"{stage}.pt", clock=time.monotonic).load()
    if state is None:
        raise CheckpointError(f"{run.out / f'{stage}.pt'} is missing; run `{stage}` first.")
    return state


def _perplexities(run: Run) -> dict[str, float]:
    """Of held-out text and of held-out answers, by PyTorch."""
    mixture = _mixture(run, run.recipe.tune, "held-out")
    trainer = Trainer(newest(run), run.recipe.tune, mixture)
    return {
        "perplexity of held-out text": math.exp(trainer.held_out(mixture.texts())),
        "perplexity of held-out answers": math.exp(trainer.held_out(mixture.answers())),
    }


def _useful(writer: Writer) -> float:
    """Share of right answers to "still useful in a year" on the texts written to measure it, in words of their own."""
    right = []
    for row in read_rows(SAMPLE_DATA / "still_useful.jsonl"):
        yes, no = writer.score(prompts.still_useful(row["title"], row["text"]), [prompts.YES, prompts.NO])
        right.append((yes > no) == row["useful"])
    return fmean(right)


def _named(writer: Writer, count: int) -> dict[str, float]:
    """Share of the bundled items whose topic begins with a word of their tags; and whose title does."""
    rows = [row for name in CATALOGUES for row in list(read_rows(SAMPLE_DATA / f"{name}.jsonl"))[:count]]
    said, titles = [], []
    for row in rows:
        asked = prompts.topic(row["title"], row["text"])
        pieces = writer.stream(asked, max_tokens=prompts.TOPIC_TOKENS, temperature=0.0)
        tagged = {stem(word) for tag in row["tags"] for word in tag.split()}
        said.append(any(stem(word) in tagged for word in prompts.topic_words("".join(pieces))[:1]))
        titles.append(any(stem(word) in tagged for word in words_of(row["title"])[:1]))
    return {"first topic word is a tag's": fmean(said), "first long word of the title is": fmean(titles)}
