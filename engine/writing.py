"""Texts for one item as they come: its own words at once, then a writer's candidates, each with its probability."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Event as Cancel
from typing import Any

import numpy as np

from llmrec.engine import prompts, texts
from llmrec.engine.angles import Angles
from llmrec.engine.errors import ModelError
from llmrec.engine.importers import content_hash
from llmrec.engine.records import Candidate, Item, Written
from llmrec.engine.store import Store
from llmrec.models import FloatArray, Writer

NO_WRITER = "no writer in use: these are the item's own words"
_NOT_GROUNDED = "nothing the writer wrote was grounded in the item: these are the item's own words"
_PICKED = "the writer picked sentences of the item: these are its own words"
_PMI_WEIGHT = 0.1
"""Weight of pointwise mutual information (nats a token) beside two cosines."""


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a text is chosen."""

    interest: FloatArray
    """(d,) the interest vector U."""
    words: tuple[str, ...]
    """Words of the strongest interests now; empty where nothing is known."""
    angles: Angles
    """What angles this reader opens."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One candidate before its probability is known."""

    text: str
    angle: str
    by: str
    pmi: float = 0.0
    """[log p(text | item, interests) - log p(text | item)] per token."""


class Desk:
    """Makes, keeps and weighs the candidate texts of items."""

    def __init__(
        self, store: Store, writer: Writer | None, embed: Callable[[Sequence[str], Cancel | None], FloatArray]
    ) -> None:
        """Texts by `writer` (None: the items' own words), weighed by vectors that `embed` makes, (n, d)."""
        self._store = store
        self._writer = writer
        self._embed = embed

    def write(self, item: Item, vector: FloatArray, reader: Reader, cancel: Cancel | None, k: int) -> Iterator[Written]:
        """Up to k candidates from the item and as many from the writer, refined as they come."""
        own = [Draft(text, angle, "item") for text, angle in texts.own_words(item)[:k]]
        yield self._even(item, own)
        written: list[Draft] = []
        note = ""
        try:
            yield self._weighed(item, vector, reader, own, "", done=self._writer is None, cancel=cancel)
            if self._writer is None:
                return
            for partial in self._drafts(self._writer, item, reader, cancel):
                if isinstance(partial, list):
                    written = partial
                else:
                    yield self._streaming(item, own, partial)
        except ModelError as exc:
            if cancel is not None and cancel.is_set():
                return
            note = str(exc)
        if cancel is None or not cancel.is_set():
            yield self._final(item, vector, reader, own, written, note, cancel)

    def ready(self, item: Item, reader: Reader) -> bool:
        """Whether nothing is left to write for an item; so where there is no writer."""
        if self._writer is None:
            return True
        _, tried = self._kept(self._writer, item, reader)
        return not set(_angles(reader)) - set(tried)

    def ahead(self, item: Item, reader: Reader, cancel: Cancel | None) -> None:
        """Write and keep what is missing of an item's texts, and their vectors, before anybody looks.

        Raises:
            ModelError: the writer or the encoder failed.
        """
        if self._writer is None:
            return
        try:
            for partial in self._drafts(self._writer, item, reader, cancel):
                if isinstance(partial, list):
                    self._embed([text for text, _ in texts.own_words(item)] + [d.text for d in partial], cancel)
        except ModelError:
            if cancel is None or not cancel.is_set():
                raise

    # -- a writer's candidates -----------------------------------------------------------------------------------

    def _kept(self, writer: Writer, item: Item, reader: Reader) -> tuple[list[Draft], list[str]]:
        """What was written before for the same interests, and the angles that were tried."""
        kept = self._store.written(item.id, writer.model_id, _state(reader), content_hash(item))
        return ([Draft(**draft) for draft in kept["drafts"]], kept["tried"]) if kept else ([], [])

    def _drafts(
        self, writer: Writer, item: Item, reader: Reader, cancel: Cancel | None
    ) -> Iterator[Draft | list[Draft]]:
        """Pieces as the writer makes them, then the whole list; each angle is kept once it is written."""
        drafts, tried = self._kept(writer, item, reader)
        for angle in _angles(reader):
            if angle in tried:
                continue
            prompt = prompts.blurb(item, angle, reader.words)
            text = ""
            for piece in writer.stream(
                prompt, max_tokens=prompts.MAX_TOKENS, temperature=prompts.TEMPERATURE, cancel=cancel
            ):
                text += piece
                yield Draft(prompts.reply(text), angle, "model")
            if cancel is not None and cancel.is_set():
                return
            draft = Draft(prompts.reply(text), angle, "model")
            if _usable(draft.text, item, drafts, copied=writer.copies_only):
                drafts.append(replace(draft, pmi=self._pmi(writer, item, reader, draft.text, cancel)))
            tried.append(angle)
            self._keep(writer, item, reader, drafts, tried)
        yield drafts

    def _keep(self, writer: Writer, item: Item, reader: Reader, drafts: Sequence[Draft], tried: Sequence[str]) -> None:
        rows = [{"text": d.text, "angle": d.angle, "by": d.by, "pmi": d.pmi} for d in drafts]
        payload: dict[str, Any] = {"drafts": rows, "tried": list(tried)}
        self._store.save_written(item.id, writer.model_id, _state(reader), content_hash(item), payload)

    def _pmi(self, writer: Writer, item: Item, reader: Reader, text: str, cancel: Cancel | None) -> float:
        """[log p(text | item, interests) - log p(text | item)] per token; 0 where no interests are known."""
        if not reader.words:
            return 0.0
        (with_interests,) = writer.score(prompts.blurb(item, "you", reader.words), [text], cancel=cancel)
        (without,) = writer.score(prompts.without_interests(item), [text], cancel=cancel)
        return with_interests - without

    # -- probabilities -------------------------------------------------------------------------------------------

    def _even(self, item: Item, drafts: Sequence[Draft]) -> Written:
        """All equally likely: before vectors are known, or where none can be had."""
        candidates = tuple(Candidate(d.text, 1 / len(drafts), d.angle, d.by) for d in drafts)
        return Written(item.id, "", 0, candidates, "" if self._writer else NO_WRITER, done=False)

    def _streaming(self, item: Item, own: Sequence[Draft], partial: Draft) -> Written:
        """The text being written is shown, without a probability yet."""
        candidates = (
            *(Candidate(d.text, 0.0, d.angle, d.by) for d in own),
            Candidate(partial.text, 0.0, partial.angle, "model"),
        )
        return Written(item.id, self._name, len(candidates) - 1, candidates, done=False)

    def _weighed(
        self,
        item: Item,
        vector: FloatArray,
        reader: Reader,
        drafts: Sequence[Draft],
        note: str,
        *,
        done: bool,
        cancel: Cancel | None,
    ) -> Written:
        """Candidates with p_k, and the most probable one chosen.

        Raises:
            ModelError: the encoder failed.
        """
        vectors = self._embed([d.text for d in drafts], cancel)
        bonus = [_PMI_WEIGHT * d.pmi + reader.angles.bonus(d.angle) for d in drafts]
        p = texts.probabilities(vectors, vector, reader.interest, bonus)
        candidates = tuple(Candidate(d.text, float(q), d.angle, d.by) for d, q in zip(drafts, p, strict=True))
        by_model = any(d.by == "model" for d in drafts)
        note = note or ("" if self._writer else NO_WRITER)
        return Written(item.id, self._name if by_model else "", int(np.argmax(p)), candidates, note, done)

    def _final(
        self,
        item: Item,
        vector: FloatArray,
        reader: Reader,
        own: Sequence[Draft],
        written: Sequence[Draft],
        note: str,
        cancel: Cancel | None,
    ) -> Written:
        drafts = _merged(own, written)
        if not note and self._writer is not None and all(d.by == "item" for d in drafts):
            note = _PICKED if written else _NOT_GROUNDED
        try:
            return self._weighed(item, vector, reader, drafts, note, done=True, cancel=cancel)
        except ModelError as exc:
            return replace(self._even(item, drafts), note=f"all equally likely, because {exc}", done=True)

    @property
    def _name(self) -> str:
        return self._writer.model_id.split("@")[0] if self._writer is not None else ""


def _usable(text: str, item: Item, others: Sequence[Draft], *, copied: bool) -> bool:
    """Whole, new, naming nothing that the item does not contain, and in its own words where it must be copied."""
    if not prompts.is_whole(text) or any(text == d.text for d in others):
        return False
    if copied and not texts.copied(text, item.text):
        return False
    return not texts.ungrounded(text, f"{item.title} {item.text} {item.source} {' '.join(item.tags)}")


def _merged(own: Sequence[Draft], written: Sequence[Draft]) -> list[Draft]:
    """All candidates, each text once: a sentence that the writer only repeats stays the item's, under its angle."""
    repeated = {d.text: d for d in written}
    of_item = [replace(repeated.get(d.text, d), by="item") for d in own]
    return [*of_item, *(d for d in written if all(d.text != other.text for other in own))]


def _angles(reader: Reader) -> tuple[str, ...]:
    """What is written about an item for a reader: "you" only where something is known."""
    return (*prompts.ANGLES, *(("you",) if reader.words else ()))


def _state(reader: Reader) -> str:
    """The interests a text was written for; another state gets its own texts."""
    return "|".join(reader.words)
