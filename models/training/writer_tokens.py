"""The writer's tokenizer, and its texts and examples as token ids on disk.

An example's ids are cut exactly as the model process cuts a prompt (`generate.Generator`): what stands before the
item, the item without control tokens, what stands after it, each by itself. Several questions about one item share
its prompt: they are branches of one row, see `Rows`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from llmrec.models import Prompt, prompts
from llmrec.models.training.corpus import CorpusError
from llmrec.models.training.writer_jobs import Sheet

END = "<|end|>"
"""Ends an answer and a text; the only control token."""
END_ID = 0
_BATCH = 512
_SAMPLE = 40_000_000
"""Characters the tokenizer is trained on at most."""
Ids = npt.NDArray[np.uint16]
Marks = npt.NDArray[np.uint8]
_T = TypeVar("_T")


def train_tokenizer(texts: Iterable[str], size: int, path: Path) -> Tokenizer:
    """Byte-level BPE over texts, saved to `path`.

    Args:
        texts: what to learn from; read until `_SAMPLE` characters.
        size: tokens, the end token included.
        path: file to write.
    """
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[END], initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(_first(texts, _SAMPLE), trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save(str(path))
    return load_tokenizer(path)


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer as it reads untrusted text: a written-out control token is plain text.

    Raises:
        CorpusError: there is none yet.
    """
    if not path.is_file():
        raise CorpusError(f"{path} is missing; run `tokenizer` first.")
    made = Tokenizer.from_file(str(path))
    made.encode_special_tokens = True
    return made


def prompt_ids(tokenizer: Tokenizer, prompt: Prompt) -> tuple[list[int], list[int]]:
    """Token ids of a prompt up to the end of the item, and of what follows it."""
    before, after = prompts.plain(prompt)
    head, item, tail = (each.ids for each in tokenizer.encode_batch([before, prompt.item, after]))
    return [*head, *item], tail


@dataclass(frozen=True, slots=True)
class Rows:
    """Examples as token ids: each row is a prompt up to the item's end, then its questions with their answers.

    A question sees the prompt and itself only, and its positions go on from the prompt's end: the model computes
    what it would if each question stood alone, and the item is read once.
    """

    ids: Ids
    """Token ids of all rows (t,)."""
    marks: Marks
    """Per token (t,): 2 x branch, plus 1 for tokens of an answer; branch 0 is the prompt."""
    starts: npt.NDArray[np.int64]
    """Where each of n rows begins, and the end of the last (n + 1,)."""

    def __len__(self) -> int:
        """Number of rows n."""
        return len(self.starts) - 1

    def row(self, n: int) -> tuple[Ids, Marks]:
        """Ids and marks of one row."""
        part = slice(self.starts[n], self.starts[n + 1])
        return self.ids[part], self.marks[part]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each row (n,)."""
        return np.diff(self.starts)


def encode_sheets(sheets: Iterable[Sheet], tokenizer: Tokenizer, context: int) -> Rows:
    """Examples as rows; those that do not fit the context with room for an answer are left out."""
    ids: list[npt.NDArray[np.uint16]] = []
    marks: list[npt.NDArray[np.uint8]] = []
    for part in _batched(sheets):
        for row in _encoded(part, tokenizer, context):
            ids.append(np.array([token for token, _ in row], np.uint16))
            marks.append(np.array([mark for _, mark in row], np.uint8))
    starts = np.concatenate([[0], np.cumsum([len(row) for row in ids])]).astype(np.int64)
    empty = np.zeros(0, np.uint16)
    return Rows(np.concatenate([empty, *ids]), np.concatenate([empty.astype(np.uint8), *marks]), starts)


def save_rows(path: Path, rows: Rows) -> None:
    """Write rows to an `.npz` file."""
    np.savez(path, ids=rows.ids, marks=rows.marks, starts=rows.starts)


def load_rows(path: Path) -> Rows:
    """Read what `save_rows` wrote.

    Raises:
        CorpusError: the file is missing.
    """
    if not path.is_file():
        raise CorpusError(f"{path} is missing; run `tokenizer` first.")
    with np.load(path, allow_pickle=False) as kept:
        return Rows(kept["ids"], kept["marks"], kept["starts"])


def encode_texts(texts: Iterable[str], tokenizer: Tokenizer, path: Path) -> int:
    """Write texts as one stream of uint16 ids, each ended by the end token; returns how many ids."""
    count = 0
    with path.open("wb") as file:
        for part in _batched(texts):
            for each in tokenizer.encode_batch(part):
                stream = np.array([*each.ids, END_ID], np.uint16)
                stream.tofile(file)
                count += len(stream)
    return count


def load_stream(path: Path) -> Ids:
    """The stream of `encode_texts`, read from disk as it is needed.

    Raises:
        CorpusError: the file is missing.
    """
    if not path.is_file():
        raise CorpusError(f"{path} is missing; run `tokenizer` first.")
    return np.memmap(path, np.uint16, "r") if path.stat().st_size else np.zeros(0, np.uint16)


def _encoded(sheets: list[Sheet], tokenizer: Tokenizer, context: int) -> Iterator[list[tuple[int, int]]]:
    """Rows of pairs (token, mark)."""
    texts: list[str] = []
    for sheet in sheets:
        texts += [prompts.plain(Prompt(sheet.system, ""))[0], sheet.item]
        for answer in sheet.answers:
            texts += [prompts.plain(Prompt("", "", answer.ask))[1], prompts.answer(answer.text)]
    encoded = iter([each.ids for each in tokenizer.encode_batch(texts)])
    for sheet in sheets:
        row = [(token, 0) for token in (*next(encoded), *next(encoded))]
        prefix, longest = len(row), 0
        for branch in range(1, len(sheet.answers) + 1):
            asked, answered = next(encoded), [*next(encoded), END_ID]
            row += [(token, 2 * branch) for token in asked]
            row += [(token, 2 * branch + 1) for token in answered]
            longest = max(longest, len(asked) + max(len(answered), prompts.MAX_TOKENS))
        if prefix + longest <= context:
            yield row


def _batched(items: Iterable[_T]) -> Iterator[list[_T]]:
    part: list[_T] = []
    for item in items:
        part.append(item)
        if len(part) == _BATCH:
            yield part
            part = []
    if part:
        yield part


def _first(texts: Iterable[str], characters: int) -> Iterator[str]:
    for text in texts:
        if characters <= 0:
            return
        characters -= len(text)
        yield text
