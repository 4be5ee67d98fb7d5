"""What the student encoder reads: texts of every kind the app embeds, cut from documents, as token ids.

The kinds follow the app: an item (title, full stop, the beginning of its text), a title alone, a sentence, a passage, a
query of a few words, a list of words, and an item whose text is its tags.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from tokenizers import BertWordPieceTokenizer

from llmrec.models.bert_folder import BertFolder
from llmrec.models.training.corpus import Row, Split, Unseen, distinct, read_corpus, sentences, split_of
from llmrec.models.training.phrases import phrases

FILES = ("films", "scitldr-train", "scitldr-dev", "wiki-*")
"""Corpus files that are read."""

_ITEM_CHARS = 800
"""The app embeds so much of an item's text (`engine/embedding.py`)."""
_LONG_ITEMS = 0.3
"""Share of items with that much text; the others, with two sentences, take a quarter of the time."""
_SENTENCE_CHARS, _FEW_SENTENCES, _TAG_CHARS, _FEW_TAGS = 20, 4, 5, 4
_ANNOUNCED = 0.8
"""Share of tag lists that follow words such as "Book genres:", which catalogues put there."""
_THINGS = ("Article", "Book", "Course", "Film", "Game", "Item", "Place", "Product", "Song", "")
_HEADINGS = ("about", "features", "genres", "keywords", "tagged", "tags", "topics")

Kind = Literal["title", "item", "sentence", "passage", "query", "list", "tags"]


@dataclass(frozen=True, slots=True)
class Text:
    """One text to embed."""

    kind: Kind
    """What the app would use it as."""
    text: str
    """The text itself."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is cut from each document, beside its title and itself as an item."""

    sentences: int
    """Single sentences at most."""
    passages: int
    """Passages of two to five sentences at most."""
    lists: int
    """Queries and lists at most, each."""
    tags: int
    """Items of tags at most."""


BUDGETS = {"wiki": Budget(8, 4, 2, 1), "films": Budget(1, 0, 1, 1), "scitldr": Budget(3, 1, 1, 1)}
"""Of a first run, and of what is held out."""
SHORT_BUDGETS = {"wiki": Budget(3, 2, 5, 6), "films": Budget(1, 0, 2, 3), "scitldr": Budget(2, 1, 3, 4)}
"""Of a run that goes on from another: what has few words to agree in is learnt last."""


def kind_of(row: Row) -> str:
    """Which kind of document it is: `wiki`, `films` or `scitldr`."""
    return str(row["source"]).partition("-")[0]


def texts_of(row: Row, seed: int, budgets: Mapping[str, Budget] = BUDGETS) -> Iterator[Text]:
    """Texts to embed from one document; the same for the same title, seed and budgets (by `kind_of`)."""
    rng = np.random.default_rng([seed, zlib.crc32(row["title"].encode())])
    title, text = row["title"], row["text"]
    budget = budgets[kind_of(row)]
    found = [sentence for sentence in sentences(text) if len(sentence) > _SENTENCE_CHARS]
    yield Text("title", title)
    yield Text("item", f"{title}. {(text if rng.random() < _LONG_ITEMS else ' '.join(found[:2]))[:_ITEM_CHARS]}")
    for _ in range(budget.passages if len(found) > _FEW_SENTENCES else 0):
        start = int(rng.integers(len(found)))
        yield Text("passage", " ".join(found[start : start + int(rng.integers(2, 6))]))
    for n in rng.permutation(len(found))[: budget.sentences]:
        yield Text("sentence", found[n])
    yield from _words_of(row, budget.lists, rng)
    yield from _tagged(title, phrases(text), budget.tags, rng)


def _words_of(row: Row, count: int, rng: np.random.Generator) -> Iterator[Text]:
    """Queries (a few words in a row) and lists (genres and names, or longer words from all over the document)."""
    words = [word.strip(".,;:()\"'") for word in row["text"].split()]
    tags = [*row.get("genres", []), *row.get("cast", [])] or sorted({w for w in words if len(w) >= _TAG_CHARS})
    for _ in range(count if tags else 0):
        start = int(rng.integers(len(words)))
        yield Text("query", " ".join(words[start : start + int(rng.integers(1, 7))]))
        listed = ", ".join(rng.choice(tags, min(len(tags), int(rng.integers(2, 14))), replace=False))
        listed = listed.lower() if rng.random() < 0.7 else listed
        yield Text("list", f"{row['title']}. {listed}" if rng.random() < 0.5 else listed)


def _tagged(title: str, tags: Sequence[str], count: int, rng: np.random.Generator) -> Iterator[Text]:
    """The title, or a phrase as one, and some of the phrases as tags, with or without words that say so."""
    for _ in range(count if len(tags) >= _FEW_TAGS else 0):
        name = title if rng.random() < 0.6 else str(rng.choice(tags)).title()
        listed = ", ".join(rng.choice(tags, min(len(tags), int(rng.integers(2, 15))), replace=False))
        listed = listed.lower() if rng.random() < 0.85 else listed
        heading = f"{rng.choice(_THINGS)} {rng.choice(_HEADINGS)}: ".lstrip() if rng.random() < _ANNOUNCED else ""
        yield Text("tags", f"{name}. {heading[:1].upper()}{heading[1:]}{listed}{'.' if rng.random() < 0.5 else ''}")


@dataclass(frozen=True, slots=True)
class TokenTexts:
    """Texts as token ids, one after another."""

    ids: npt.NDArray[np.uint16]
    """Token ids of all texts (t,), special tokens included."""
    starts: npt.NDArray[np.int64]
    """Where each of n texts begins, and the end of the last (n + 1,)."""

    def __len__(self) -> int:
        """Number of texts n."""
        return len(self.starts) - 1

    def text(self, n: int) -> npt.NDArray[np.uint16]:
        """Token ids of one text."""
        return self.ids[self.starts[n] : self.starts[n + 1]]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text (n,)."""
        return np.diff(self.starts)


def tokenizer_of(folder: BertFolder) -> BertWordPieceTokenizer:
    """The folder's tokenizer, cutting where the folder's encoder cuts."""
    tokenizer = BertWordPieceTokenizer(
        {token: n for n, token in enumerate(folder.vocabulary)},
        lowercase=folder.lowercase,
        strip_accents=folder.strip_accents,
    )
    tokenizer.enable_truncation(folder.max_tokens)
    return tokenizer


def documents(corpus: Path, half: Split, unseen: Unseen, limit: int | None = None) -> Iterator[Row]:
    """Documents of one half, without doubles and without those that must stay unseen.

    Args:
        corpus: folder with the files of `FILES`.
        half: which half of the split.
        unseen: items of the catalogues that the encoder is measured on.
        limit: documents at most, from the first files on.
    """
    rows = (row for row in distinct(read_corpus(corpus, FILES)) if split_of(row["title"]) == half)
    return islice((row for row in rows if row not in unseen), limit)


def prepare(
    rows: Iterable[Row], tokenizer: BertWordPieceTokenizer, seed: int, budgets: Mapping[str, Budget] = BUDGETS
) -> TokenTexts:
    """Cut documents into texts and these into tokens; equal texts are kept once."""
    seen: set[int] = set()
    parts: list[npt.NDArray[np.uint16]] = []
    for row in rows:
        texts = {text.text: hash(text.text) for text in texts_of(row, seed, budgets)}
        new = [text for text, digest in texts.items() if digest not in seen]
        seen.update(texts.values())
        parts += [np.array(each.ids, np.uint16) for each in tokenizer.encode_batch(new)]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return TokenTexts(np.concatenate(parts) if parts else np.zeros(0, np.uint16), starts)


def save_texts(path: Path, texts: TokenTexts) -> None:
    """Write texts to an `.npz` file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, ids=texts.ids, starts=texts.starts)


def load_texts(path: Path) -> TokenTexts:
    """Read what `save_texts` wrote."""
    with np.load(path, allow_pickle=False) as kept:
        return TokenTexts(kept["ids"], kept["starts"])
