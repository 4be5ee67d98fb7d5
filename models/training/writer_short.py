"""The writer's two short questions: what is it about, and will it still be useful in a year.

Neither is answered by a sentence of the item, so both get texts of their own: parts of documents, as long as an item.
What lasts is learnt from texts told one way or the other (`framing`), with words left out, so that no phrase is known
as a whole and each of its words tells a little (word dropout: Iyyer et al., 2015, https://aclanthology.org/P15-1162).
What a text is about are those of its own words, names aside, that lie nearest to it in the space of an encoder, once
the mean of all words is taken from the words and the mean of all texts from the texts, as the engine names interests.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from llmrec.models import Embedder, FloatArray, prompts
from llmrec.models.framing import Frames, framed
from llmrec.models.sentences import sentences
from llmrec.models.training.corpus import CorpusError
from llmrec.models.training.writer_jobs import Answer, Sheet
from llmrec.models.training.writer_wording import stem, words_of

_PARAGRAPHS = 4
"""Of a document, from its start: what comes later often speaks of something else."""
_SHORTEST_PARAGRAPH, _LONGEST_PARAGRAPH = 80, 3_000
_LONGEST_TITLE = 70
_CHARS = 900
"""Of a text at most."""
_SENTENCES = {"useful": 2, "topic": 6}
"""Of a text at most; an answer by single words needs many texts more than long ones."""
_THINNED, _MOST_LEFT_OUT = 0.8, 0.8
"""Share of the texts from which words are left out, and the largest share of its words that one loses."""
_TOPIC_CHARS = 60
"""A shorter text is about nothing in particular."""
_TOPIC_WORDS = 2
_WORD = re.compile(r"[^\W\d_]{4,}")
_PART = 500
"""Texts embedded at once."""


def useful(parts: Iterable[tuple[str, list[str]]], frames: Frames, rng: np.random.Generator) -> Iterator[Sheet]:
    """Yes/no questions about texts told as something that lasts or as something of the day.

    Args:
        parts: title and sentences of each.
        frames: what they are told by.
        rng: decides how, and which words are left out.
    """
    for title, found in parts:
        title, text, lasts = framed(title, found, frames, rng)
        if rng.random() < _THINNED:
            share = _MOST_LEFT_OUT * float(rng.random())
            title, text = _thinned(title, share, rng), _thinned(text, share, rng)
        asked = prompts.still_useful(title, text[:_CHARS])
        yield Sheet(asked.system, asked.item, (Answer(asked.ask, prompts.YES if lasts else prompts.NO, "useful"),))


def topics(parts: Iterable[tuple[str, list[str]]], embedder: Embedder) -> Iterator[Sheet]:
    """What texts are about: words as they stand in them, the nearest first.

    Args:
        parts: title and sentences of each.
        embedder: in whose space they lie nearest.

    Raises:
        ModelError: the encoder failed.
    """
    texts = [(title, text) for title, found in parts if len(text := " ".join(found)[:_CHARS]) > _TOPIC_CHARS]
    if not texts:
        return
    no_names = {word for _, text in texts for word in _WORD.findall(text) if word.islower()}
    own = [[w for w in words_of(f"{title}. {text}", _WORD) if w in no_names] for title, text in texts]
    words = sorted({word for each in own for word in each})
    place = {word: n for n, word in enumerate(words)}
    of_words = _apart(_embedded(embedder, words))  # (m, d)
    of_words /= np.maximum(np.linalg.norm(of_words, axis=1, keepdims=True), 1e-12)
    of_texts = _apart(_embedded(embedder, [f"{title}. {text}" for title, text in texts]))  # (n, d)
    for (title, text), each, vector in zip(texts, own, of_texts, strict=True):
        if len(each) > _TOPIC_WORDS:
            near = np.argsort(-(of_words[[place[word] for word in each]] @ vector), kind="stable")  # (k, d) @ (d,)
            asked = prompts.topic(title, text)
            answer = ", ".join(_as_written(word, f"{title}. {text}") for word in _nearest(each, near))
            yield Sheet(asked.system, asked.item, (Answer(asked.ask, answer, "topic"),))


def parts_of(texts: Path, count: int, job: str, rng: np.random.Generator) -> Iterator[tuple[str, list[str]]]:
    """Titles and some sentences of documents, one of each document until all were used.

    Args:
        texts: plain texts as `writer_data.prepare` wrote them.
        count: how many.
        job: useful or topic; decides how long they are.
        rng: decides which.

    Raises:
        CorpusError: the file is missing, or nothing in it is long enough.
    """
    if not texts.is_file():
        raise CorpusError(f"{texts} is missing; run `prepare` first.")
    lines = texts.read_text("utf-8").splitlines()
    done, order, tried = 0, rng.permutation(len(lines)), 0
    while done < count:
        if tried >= len(order) and not done:
            raise CorpusError(f"{texts} has no paragraph that is long enough.")
        title, _, text = json.loads(lines[order[tried % len(order)]]).partition("\n")
        tried += 1
        found = _part(text, job, rng) if len(title) <= _LONGEST_TITLE else []
        if found:
            done += 1
            yield title, found


def _part(text: str, job: str, rng: np.random.Generator) -> list[str]:
    """Some sentences in a row of one of a document's first paragraphs."""
    usable = [p for p in text.split("\n") if len(p) > _SHORTEST_PARAGRAPH][:_PARAGRAPHS]
    if not usable:
        return []
    found = sentences(usable[int(rng.integers(len(usable)))][:_LONGEST_PARAGRAPH])
    if not found:
        return []
    start = int(rng.integers(len(found)))
    return found[start : start + int(rng.integers(1, _SENTENCES[job] + 1))]


def _thinned(text: str, share: float, rng: np.random.Generator) -> str:
    """A text without a share of its words; whole where none would be left."""
    return " ".join(word for word in text.split() if rng.random() >= share) or text


def _nearest(words: Sequence[str], order: Iterable[int]) -> list[str]:
    """The first words in an order, of several forms of one the first only."""
    found: list[str] = []
    for n in order:
        if all(stem(words[n]) != stem(word) for word in found):
            found.append(words[n])
        if len(found) == _TOPIC_WORDS:
            break
    return found


def _as_written(word: str, text: str) -> str:
    """A word with the capitals it first has in a text."""
    match = re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)
    return match.group() if match else word


def _embedded(embedder: Embedder, texts: Sequence[str]) -> FloatArray:
    return np.concatenate([embedder.embed(texts[n : n + _PART]) for n in range(0, len(texts), _PART)])


def _apart(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors - vectors.mean(axis=0), np.float32)
