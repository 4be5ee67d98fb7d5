"""Training text: JSON lines read from disk, doubles dropped, documents split, paragraphs cut into sentences.

Owns the split: which half a document belongs to follows from its title alone, so no run, no order of files and no
other model of ours can ever mix the two.
"""

import hashlib
import json
import lzma
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from llmrec.models.clean import clean
from llmrec.models.errors import ModelError

Row = dict[str, Any]
"""One document: `title` and `text`, and what else its file has; `source` is the file's name without endings."""

Split = Literal["train", "held-out"]

HELD_OUT = 0.02
"""Share of documents that no model is trained on."""

_SENTENCE_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"')\]]))\s+(?=[\"'(\[]?[A-Z0-9])")
_NOT_AN_END = re.compile(r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Jr|Sr|vs|etc|No|Vol|approx|e\.g|i\.e|c)\.)$")
_YEAR = re.compile(r"\s*\(\d{4}\)$")
_WORD = re.compile(r"\w+")
_OPENING_WORDS = 15


class CorpusError(ModelError):
    """A file of training text is missing or cannot be read; the text names it."""


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of one `.jsonl` or `.jsonl.xz` file, titles and texts cleaned.

    Raises:
        CorpusError: the file is missing, damaged, or a line is not an object.
    """
    source = path.name.partition(".")[0]
    try:
        with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                yield _row(line, source, f"{path.name}, line {number}")
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as exc:
        raise CorpusError(f"{path} could not be read: {exc}.") from exc


def read_corpus(folder: Path, patterns: Iterable[str]) -> Iterator[Row]:
    """Rows of all files whose names match, e.g. `wiki-*`, in the order of their names.

    Raises:
        CorpusError: no file matches a pattern, or one cannot be read.
    """
    for pattern in patterns:
        files = sorted([*folder.glob(f"{pattern}.jsonl"), *folder.glob(f"{pattern}.jsonl.xz")])
        if not files:
            raise CorpusError(f"{folder} has no {pattern}.jsonl.xz; pass the folder with the training text.")
        for file in files:
            yield from read_rows(file)


def distinct(rows: Iterable[Row], content: Callable[[Row], str] = lambda row: row["text"]) -> Iterator[Row]:
    """Rows whose content, apart from case, spaces and punctuation, was not seen before; the first of each is kept."""
    seen: set[bytes] = set()
    for row in rows:
        digest = hashlib.blake2b(plain(content(row)).encode(), digest_size=12).digest()
        if digest not in seen:
            seen.add(digest)
            yield row


def split_of(title: str, held_out: float = HELD_OUT) -> Split:
    """The half that all documents of this title belong to.

    Args:
        title: compared as by `same_title`.
        held_out: share of titles, 0 to 1, that is kept from training.
    """
    digest = hashlib.blake2b(same_title(title).encode(), digest_size=8).digest()
    return "held-out" if int.from_bytes(digest) < held_out * 2**64 else "train"


def same_title(title: str) -> str:
    """A title as it is compared: `Heat (1995)` and `heat` are one."""
    return plain(_YEAR.sub("", title))


def plain(text: str) -> str:
    """Lower-case words of a text with one space between."""
    return " ".join(_WORD.findall(text.lower()))


class Unseen:
    """Catalogues that must stay unseen: a document is one of their items by its title or by how its text begins."""

    def __init__(self, files: Iterable[Path] = ()):
        """Read the items of files in the import format.

        Raises:
            CorpusError: a file cannot be read.
        """
        self._titles: set[str] = set()
        self._openings: set[str] = set()
        for row in (row for file in files for row in read_rows(file)):
            self._titles.add(same_title(row["title"]))
            self._openings.add(_opening(row))
        self._openings.discard("")

    def __contains__(self, row: Row) -> bool:
        """Whether this document must not be trained on."""
        return same_title(row["title"]) in self._titles or _opening(row) in self._openings


def _opening(row: Row) -> str:
    """The first words of a text that is long enough for these to tell it from others."""
    words = plain(row["text"][: 12 * _OPENING_WORDS]).split()
    return " ".join(words[:_OPENING_WORDS]) if len(words) >= _OPENING_WORDS else ""


def sentences(text: str) -> list[str]:
    """Sentences of a text; a line break ends one, an initial or a common abbreviation does not."""
    found: list[str] = []
    for line in text.split("\n"):
        held = ""
        for piece in _SENTENCE_END.split(line.strip()):
            held = f"{held} {piece}".strip()
            if held and not _NOT_AN_END.search(held):
                found.append(held)
                held = ""
        if held:
            found.append(held)
    return found


def _row(line: str, source: str, where: str) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise CorpusError(f"{where} is not JSON: {exc}.") from exc
    if not isinstance(row, dict) or not isinstance(row.get("title"), str) or not isinstance(row.get("text"), str):
        raise CorpusError(f"{where} has no title and text.")
    text = clean(row["text"], multiline=True, limit=len(row["text"]))
    return {**row, "title": clean(row["title"]), "text": text, "source": source}
