"""The model card of `llmrec-embed`, written from what the other steps measured; nothing in it is typed by hand."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llmrec.models import Embedder
from llmrec.models.training.corpus import plain
from llmrec.models.training.encoder_evaluate import Figures, HeldOut, nearest
from llmrec.models.training.encoder_export import NAME
from llmrec.models.training.encoder_train import Recipe

SAMPLES = 40
"""Searches shown."""
_SHOWN_CHARS = 60
_ITEMS = 1_000

_HEAD = """# {name}

A sentence encoder for English: {dim}-dimensional unit vectors whose cosine says how alike two texts are. It runs in
llama.cpp and is {size:.1f} MB at Q8_0. Licence: Apache-2.0.

It is a student of [all-MiniLM-L6-v2](https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2) (Apache-2.0):
layers {layers} of the teacher's, counted from 0, its tokenizer, its token and position tables (kept as they are),
mean pooling; then trained to give the teacher's vectors. This file is written by
`python -m llmrec.models.training.encoder card`.

## Data
| documents | trained on | held out | licence |
|---|--:|--:|---|
| English Wikipedia articles | {wiki} | CC BY-SA 3.0; each row's url is its attribution |
| films: title, genres, cast, encyclopedia extract | {films} | extracts CC BY-SA, list MIT |
| SciTLDR (train and dev): papers' titles and abstracts | {scitldr} | Apache-2.0 |

Doubles are dropped. Documents are split by title: {held_out:.0%} are held out, and of these nothing is trained on.
Documents that are also items of the evaluation catalogues (same title, or a text that begins alike) are left out, so
that the figures on those are on unseen items. From each document: its title, title and text as the app embeds an item,
sentences, passages, runs of a few words as queries, lists of names or words, and items whose text is some of the
document's phrases as tags: {train_texts:,} texts, {train_tokens:,} tokens.{short}

## Method
{steps:,} updates on batches of up to {tokens:,} tokens with AdamW, the learning rate level at {rate:g} and then falling
to zero; {seen:,} tokens were read. The loss is the squared distance of the unit vectors, plus that of the hidden states
token by token (after the teacher's layers {targets}), plus that of the cosines between the batch's texts, plus
{whitened_weight:g} times that of the unit vectors after the teacher's whitening, which the app ranks by.{before}

## Figures
On {texts:,} held-out texts, student and teacher both at Q8_0 in llama.cpp:

| | |
|---|--:|
| mean cosine to the teacher | {cosine:.4f} |
| 95 of 100 texts exceed | {cosine_p5:.4f} |
| of the teacher's ten nearest among {items:,} items, also the student's | {same_nearest:.0%} |
| texts a second, student | {student_rate:.0f} |
| texts a second, teacher, same run | {teacher_rate:.0f} |
| ratio | {speed_up:.2f} |

| kind of text | texts | mean cosine |
|---|--:|--:|
"""

_RANKING = """
Recommending to real people with it: `llmrec evaluate`, policy `blend`, nDCG@10 over the same people.

| data | people | steps | student | teacher | ratio |
|---|--:|--:|--:|--:|--:|
"""

_SAMPLES_HEAD = """
## {count} searches, unpicked
The first {count} held-out queries of at least two words in a shuffle by seed {seed}, and the nearest of {items:,}
held-out items (title and beginning of the text) by the student; the last column is the teacher's nearest.

| query | first | second | third | teacher's first |
|---|---|---|---|---|
"""

_LIMITS = """
## Limits
- English. Other languages become word pieces or unknown tokens, as with the teacher.
- Texts are cut at {max_tokens} tokens.
- It has the teacher's blind spots and prejudices, and adds its own distance from it: on rare names and word lists most.
- Vectors of the student and of the teacher are near each other but not interchangeable: the app keeps them apart.
"""


def write_card(
    out: Path,
    *,
    figures: Figures,
    run: dict[str, Any],
    rankings: Path,
    samples: str,
) -> None:
    """Write the card.

    Args:
        out: Markdown file.
        figures: what `measure` found.
        run: what `train` noted of the data and the run; keys as in `_HEAD`.
        rankings: folder with `NAME-student.json` and `NAME-teacher.json` as `llmrec evaluate --json` prints them; may
            be empty.
        samples: what `search_samples` made.
    """
    recipe: Recipe = run["recipe"]
    known = {**asdict(figures), **asdict(recipe), **run, "name": NAME, "speed_up": figures.speed_up}
    known["before"] = "".join(f"\n\nBefore that, the student had learnt for {each}." for each in run["before"])
    known["short"] = " Of the last three there are more than in a first run." if run["short"] else ""
    known |= {"size": figures.size / 1e6, "layers": _listed(recipe.layers), "targets": _listed(recipe.targets)}
    known |= {kind: _counts(run["documents"], kind) for kind in ("wiki", "films", "scitldr")}
    kinds = [f"| {kind} | {count:,} | {cosine:.4f} |\n" for kind, (count, cosine) in figures.by_kind.items()]
    parts = [_HEAD.format_map(known), *kinds, _ranking(rankings), samples, _LIMITS.format_map(known)]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(parts), "utf-8")


def search_samples(student: Embedder, teacher: Embedder, held_out: Sequence[HeldOut], seed: int) -> str:
    """A section with `SAMPLES` searches in the order of `held_out`, none left out.

    Raises:
        ModelError: an encoder failed.
    """
    items = [text for text in held_out if text.kind == "item"][:_ITEMS]
    queries = [text for text in held_out if text.kind == "query" and " " in plain(text.text)][:SAMPLES]
    found = []
    for embedder in (student, teacher):
        vectors = embedder.embed([text.text for text in [*items, *queries]])
        found.append(nearest(vectors[: len(items)], vectors[len(items) :], min(3, len(items))))
    rows = [
        "| " + " | ".join(_cell(text) for text in (query.text, *(items[n].title for n in [*ours, theirs[0]]))) + " |\n"
        for query, ours, theirs in zip(queries, found[0], found[1], strict=True)
    ]
    return _SAMPLES_HEAD.format(count=len(queries), seed=seed, items=len(items)) + "".join(rows)


def _counts(documents: dict[str, dict[str, int]], kind: str) -> str:
    return " | ".join(f"{documents[half].get(kind, 0):,}" for half in ("train", "held-out"))


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _ranking(folder: Path) -> str:
    rows = []
    for file in sorted(folder.glob("*-student.json")):
        ours, theirs = (json.loads(f.read_text("utf-8")) for f in (file, file.with_name(_teacher_of(file.name))))
        a, b = (float(each["policies"]["blend"]["ndcg@10"]) for each in (ours, theirs))
        name = file.name.removesuffix("-student.json")
        rows.append(f"| {name} | {ours['users']} | {ours['steps']:,} | {a:.4f} | {b:.4f} | {a / b:.3f} |\n")
    return _RANKING + "".join(rows) if rows else ""


def _teacher_of(name: str) -> str:
    return name.replace("-student", "-teacher")


def _cell(text: str) -> str:
    """A text in a table: short, and without what would end the cell."""
    text = text.replace("|", "/").replace("\n", " ")
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1].rstrip() + "…"
