"""From documents to what the writer reads: plain text, examples, and the items that evaluation keeps unseen.

Owns what is left out: documents of the held-out half, everything that shares a title or a sentence with a catalogue
that must stay unseen, and the test half of the paper summaries.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from llmrec.models.training.corpus import (
    CorpusError,
    Row,
    Unseen,
    distinct,
    plain,
    read_corpus,
    read_rows,
    sentences,
    split_of,
)
from llmrec.models.training.writer_jobs import Answer, Sheet, Source, hidden_opening, sheets_of
from llmrec.models.training.writer_recipes import Recipe

TEXTS = ("wiki-*", "films")
"""Corpus files that are read as plain text."""
JOBS = (*TEXTS, "scitldr-train", "scitldr-dev", "why-*")
"""Corpus files that examples are made from."""
UNSEEN = "scitldr-test"
KINDS = ("texts", "sheets", "papers")
"""What is written of each half."""
HALVES = ("train", "held-out")
"""As `split_of` names them."""
_SEED = 11
_MIN_WORDS = 6
"""A shorter sentence may occur anywhere."""


@dataclass(frozen=True, slots=True)
class Case:
    """An item that no training has seen, with what a person wrote about it, if anybody did."""

    origin: str
    """films, scitldr, or a catalogue's name."""
    title: str
    """The item's."""
    text: str
    """The item's."""
    references: tuple[str, ...] = ()
    """Sentences to compare with; empty for catalogues."""


class _Files(NamedTuple):
    """What is written of one half, by `KINDS`."""

    texts: TextIO
    sheets: TextIO
    papers: TextIO


class KeptOut:
    """What must not be trained on: items of catalogues, and every document that shares a sentence with one."""

    def __init__(self, files: Iterable[Path]):
        """Read item files.

        Raises:
            CorpusError: a file cannot be read.
        """
        files = list(files)
        self._items = Unseen(files)
        self._sentences = {h for file in files for row in read_rows(file) for h in _hashes(row)}

    def __contains__(self, row: Row) -> bool:
        """Whether a document must not be trained on."""
        return row in self._items or not self._sentences.isdisjoint(_hashes(row))


def prepare(
    corpus: Path, out: Path, recipe: Recipe, catalogues: Iterable[Path], say: Callable[[str], None], limit: int | None
) -> Counter[str]:
    """Write `texts-*.jsonl`, `sheets-*.jsonl`, `papers-*.jsonl`, `cases.jsonl` and `counts.json` to a folder.

    The sheets of papers are also among the sheets.

    Args:
        corpus: folder with the training text.
        out: folder to write to.
        recipe: how long items are.
        catalogues: item files that must stay unseen.
        say: told what is read.
        limit: documents of each file at most; None for all.

    Returns:
        Documents, examples of each job, and what was left out.

    Raises:
        CorpusError: a file is missing or cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    kept_out = KeptOut([*catalogues, *corpus.glob(f"{UNSEEN}.jsonl*")])
    counts: Counter[str] = Counter()
    source = Source(np.random.default_rng(_SEED), recipe.item_chars, recipe.parts, recipe.composed)
    with ExitStack() as stack:
        halves = {half: _Files(*(stack.enter_context(_file(out, kind, half)) for kind in KINDS)) for half in HALVES}
        for row in distinct(_rows(corpus, say, limit), lambda row: row["text"] + row.get("why", "")):
            if row in kept_out:
                counts["left out, must stay unseen"] += 1
                continue
            half = split_of(row["title"])
            counts[f"{half} documents, {row['source'].partition('-')[0]}"] += 1
            _write(row, halves[half], source, counts, half)
    _write_lines(out / "cases.jsonl", _cases(corpus))
    (out / "counts.json").write_text(json.dumps(dict(sorted(counts.items())), indent=1))
    return counts


def read_sheets(path: Path) -> Iterator[Sheet]:
    """Examples as `prepare` wrote them."""
    for row in _lines(path):
        yield Sheet(row["system"], row["item"], tuple(Answer(**answer) for answer in row["answers"]))


def read_texts(path: Path) -> Iterator[str]:
    """Plain texts as `prepare` wrote them."""
    yield from _lines(path)


def read_cases(path: Path) -> list[Case]:
    """Evaluation's items as `prepare` wrote them."""
    return [Case(**{**row, "references": tuple(row["references"])}) for row in _lines(path)]


def catalogue_cases(folder: Path, names: Iterable[str]) -> list[Case]:
    """Items of the bundled catalogues, which no corpus contains.

    Raises:
        CorpusError: a file cannot be read.
    """
    return [Case(name, r["title"], r["text"]) for name in names for r in read_rows(folder / f"{name}.jsonl")]


def _rows(corpus: Path, say: Callable[[str], None], limit: int | None) -> Iterator[Row]:
    """Rows of all files, the first `limit` of each."""
    taken: Counter[str] = Counter()
    for pattern in JOBS:
        for row in read_corpus(corpus, [pattern]):
            taken[row["source"]] += 1
            if taken[row["source"]] == 1:
                say(f"reading {row['source']}")
            if limit is None or taken[row["source"]] <= limit:
                yield row


def _file(out: Path, kind: str, half: str) -> TextIO:
    return (out / f"{kind}-{half}.jsonl").open("w")


def _write(row: Row, files: _Files, source: Source, counts: Counter[str], half: str) -> None:
    if row["source"].startswith(("wiki", "films")):
        files.texts.write(json.dumps(f"{row['title']}\n{row['text']}", ensure_ascii=False) + "\n")
    for sheet in sheets_of(row, source):
        line = json.dumps(asdict(sheet), ensure_ascii=False) + "\n"
        files.sheets.write(line)
        if row["source"].startswith("scitldr"):
            files.papers.write(line)
        counts.update(f"{half} examples, {answer.job}" for answer in sheet.answers)


def _cases(corpus: Path) -> Iterator[Case]:
    """Held-out films whose text goes on after the first sentence, and papers with summaries by people."""
    for row in distinct(read_corpus(corpus, ["films"])):
        title, text, first = hidden_opening(row)
        if split_of(row["title"]) == "held-out" and len(sentences(row["text"])) > 1:
            yield Case("films", title, text, (first,))
    for row in read_corpus(corpus, [UNSEEN]):
        yield Case("scitldr", row["title"], " ".join(row["text"].split()), tuple(row["summaries"]))


def _hashes(row: Row) -> Iterator[int]:
    for sentence in sentences(row["text"]):
        words = plain(sentence)
        if words.count(" ") >= _MIN_WORDS - 1:
            yield hash(words)


def _write_lines(path: Path, cases: Iterable[Case]) -> None:
    with path.open("w") as file:
        file.writelines(json.dumps(asdict(case), ensure_ascii=False) + "\n" for case in cases)


def _lines(path: Path) -> Iterator[Any]:
    try:
        with path.open() as file:
            yield from map(json.loads, file)
    except FileNotFoundError:
        raise CorpusError(f"{path} is missing; run `prepare` first.") from None
