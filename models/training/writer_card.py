"""The model card of the writer, from what training and evaluation left on disk."""

from collections.abc import Mapping, Sequence

from llmrec.models.training.writer_evaluate import Evaluation
from llmrec.models.training.writer_recipes import Recipe

_ABOUT = """\
A small decoder that writes one sentence about an item, from several angles, for the llmrec-tui app. Trained from
scratch; no weights of another model went into it: its first weights were computed so that it copies, see
`llmrec.models.training.writer_start`. It runs in llama.cpp. Licence: MIT.

## What it is for
The prompts of `llmrec.models.prompts`, and nothing else: one sentence from an angle, one sentence for given interests,
one that says why an item stands where it stands, a topic in one to three words, and whether a text will still be useful
in a year. The app drops what names a person, a place or a number that the item does not contain, and always says which
words are a model's.

## Data and licences
| text | used for | licence |
|---|---|---|
| Wikipedia articles (`wiki-*`) | language; angles, topics | CC BY-SA 3.0; each row's url attributes it |
| extracts on films (`films`) | language; angles, topics | CC BY-SA (extracts), MIT (list) |
| SciTLDR, train and dev | summaries | Apache-2.0 |
| `why-amazon`, `why-google`, `why-yelp` | reasons for given interests | Apache-2.0; machine-written |

{answers} facts of made-up histories, worded by rule. The topic of a text are those of its words, names aside,
that lie nearest to it in the space of llmrec-embed. Whether a text lasts is known because it was told that way: parts
of documents among phrases of news, offers and notices, or of what lasts, written for this. Pairs whose answer
names what the item does not contain were dropped. Kept out: a fiftieth of all titles,
SciTLDR's test half, and everything that shares a title or a sentence with the bundled catalogues or the evaluation
sets.
"""
_COMPOSED = """\
Answers are sentences of the item, shortened by rule; first sentences of films and articles whose names the rest
contains; people's summaries; reasons written by a machine;"""
_COPIED = """\
Answers are sentences of the item, shortened by rule (of the reasons, which become part of the item, too);"""
_NO_REASONS = """
**This size is not asked why an item stands where it stands.** So small a model learns to copy and to answer in a word;
what it phrased of evidence was right half of the time, so the app leaves that to its rules.
"""
_LIMITS = """\
## Limits
English only. It knows no facts: what it says beyond the item is likely wrong, and common words are not checked.
It mostly picks and shortens sentences of the item. It was trained for sentences of at most 200 characters.
"""


def card(recipe: Recipe, size: str, done: Mapping[str, int], found: Evaluation, counts: Mapping[str, int]) -> str:
    """The card as Markdown.

    Args:
        recipe: how it was trained.
        size: the recipe's name.
        done: updates made, by stage.
        found: what evaluation measured.
        counts: documents and examples, by name.
    """
    return "\n".join(
        [
            "# llmrec-write",
            _ABOUT.format(answers=_COMPOSED if recipe.composed else _COPIED),
            *([] if "reasons" in recipe.jobs else [_NO_REASONS]),
            _table("Documents and examples", ("what", "count"), [(k, f"{v:,}") for k, v in sorted(counts.items())]),
            _training(recipe, size, done),
            _verdict(found),
            _table("Further figures", ("what", "figure"), [(k, f"{v:.3g}") for k, v in found.figures.items()]),
            _LIMITS,
            _samples(found),
        ]
    )


def _training(recipe: Recipe, size: str, done: Mapping[str, int]) -> str:
    shape = recipe.shape
    rows = [
        (
            stage.name,
            f"{done.get(stage.name, 0):,} of {stage.steps:,}",
            f"{stage.batch * stage.accumulate:,}",
            f"{stage.text_share:g}",
            f"{stage.prompt_share:g}",
            f"{stage.echo:g}",
            f"{stage.opening:g}",
            f"{stage.papers:g}",
            " and ".join(f"{weight:g}" for weight in stage.short),
            f"{stage.rate:g}",
        )
        for stage in recipe.stages
    ]
    begun = [stage for stage in recipe.stages if stage.begins > 1]
    means = [f"`{s.name}` begins with the mean of the weights after the {s.begins} stages before it." for s in begun]
    last = (
        f"The file is {1 - recipe.kept:g} of the last weights and {recipe.kept:g} of those the last stage began with."
    )
    return (
        f"## Training\nSize `{size}`: width {shape.width}, {shape.layers} layers, {shape.heads} heads, feed-forward "
        f"{shape.feed_forward}, context {shape.context}, {shape.vocabulary:,} tokens.\n\n"
        + _rows(
            (
                "stage",
                "updates",
                "tokens of one",
                "plain text",
                "prompts that count",
                "copies of any tokens",
                "weight of openings",
                "papers among examples",
                "weight of the short questions",
                "highest rate",
            ),
            rows,
        )
        + "".join(f"\n{line}\n" for line in [*means, *([last] if recipe.kept else [])])
    )


def _verdict(found: Evaluation) -> str:
    rows = [(line.what, line.asked, f"{line.reached:.3f}", "yes" if line.passed else "NO") for line in found.lines]
    said = "It passes." if found.passed else "It does not pass, so it does not ship."
    return f"## Evaluation\n{said} File: SHA-256 `{found.sha256}`.\n\n" + _rows(
        ("what", "asked", "reached", "passed"), rows
    )


def _samples(found: Evaluation) -> str:
    parts = [f"## {len(found.samples)} samples, unpicked", "The first items of every set, the angles in turn."]
    for n, sample in enumerate(found.samples, 1):
        parts.append(
            f"{n}. {sample['set']}, {sample['angle']}: **{_flat(sample['title'])}**. {_flat(sample['item'][:400])}\n"
            f"   - {_flat(sample['text']) or '(nothing)'}"
        )
    return "\n".join(parts) + "\n"


def _table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    return f"## {title}\n{_rows(head, rows)}"


def _rows(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(_flat(cell) for cell in row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:], ""])


def _flat(text: str) -> str:
    """One line that Markdown reads as plain text."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
