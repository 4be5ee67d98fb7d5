"""Names of interests in a writer's words, where the items have no tags to name them by.

Tags are people's words and come first. Without them an interest would be named by what its items repeat; a writer is
asked for the topic of the item at the middle instead, in quiet moments, and its answer is kept. It names the interest
only while each of its words occurs in half of the interest's items. A small writer that was trained to answer is asked
only where the encoder knows no words (`lexicon`).
"""

import re
from collections.abc import Iterator, Sequence
from threading import Event as Cancel

import numpy as np

from llmrec.engine.importers import content_hash
from llmrec.engine.interests import Cluster
from llmrec.engine.live import Live
from llmrec.engine.person import Person
from llmrec.engine.records import Item, ItemId, Progress
from llmrec.engine.store import Store
from llmrec.models import Writer, prompts

_STATE = "topic"
_NEAREST = 20
"""Items of an interest that are looked at, from its middle on."""


class Namer:
    """Asks a writer for names, keeps them, and tells which hold. Where people are passed, the caller holds the lock."""

    def __init__(self, store: Store, live: Live, writer: Writer | None) -> None:
        """Names by `writer`, kept in `store`; None names nothing."""
        self._store = store
        self._live = live
        self._writer = writer
        self._topics: dict[bytes, str | None] = {}
        """By content hash of an item; None for one that the writer was not asked about."""

    @property
    def by(self) -> str:
        """Name of the writer; "" without one."""
        return self._writer.model_id.split("@")[0] if self._writer is not None else ""

    @property
    def _names(self) -> bool:
        """Whether the writer names: one trained to (`Writer.jobs`) is small, the encoder's words are better."""
        return self._writer is not None and (self._writer.jobs is None or self._live.vectors.words_alone)

    def names(self, person: Person) -> dict[str, tuple[str, ...]]:
        """The writer's words for the interests that it names, by leader."""
        return {c.leader: words for c in person.interests.clusters if (words := self._name(self._items(c)))}

    def words_of(self, person: Person, cluster: Cluster) -> tuple[str, ...]:
        """The words that name one interest, whoever found them."""
        return self._name(self._items(cluster)) or self._live.words_of(person, cluster.leader)

    def unnamed(self, person: Person) -> list[Item]:
        """Items at the middle of interests that have no name yet, where the writer has still to be asked about them."""
        found = map(self._items, person.interests.clusters)
        return [items[0] for items in found if items and not self._name(items) and self._kept(items[0]) is None]

    def ask(self, items: Sequence[Item], cancel: Cancel | None) -> Iterator[Progress]:
        """Ask the writer for the topic of each item; each answer is kept at once.

        Raises:
            ModelError: the writer failed.
        """
        for done, item in enumerate(items):
            yield Progress(done, len(items), "names")
            assert self._writer is not None, "without a writer there are no items to ask about"
            prompt = prompts.topic(item.title, item.text)
            pieces = self._writer.stream(prompt, max_tokens=prompts.TOPIC_TOKENS, temperature=0.0, cancel=cancel)
            topic = "".join(pieces)
            if cancel is not None and cancel.is_set():
                return
            self._store.save_written(item.id, self._writer.model_id, _STATE, content_hash(item), {"topic": topic})
            self._topics[content_hash(item)] = topic

    def _items(self, cluster: Cluster) -> list[Item]:
        """Items that feed an interest, from its middle on; none where tags or the user's own phrase name it."""
        if not self._names:
            return []
        order = np.argsort(-(np.stack(cluster.vectors) @ cluster.total), kind="stable")  # (m, d) @ (d,) -> (m,)
        if cluster.events[order[0]].row < 0:
            return []
        nearest = [ItemId(cluster.names[n]) for n in order if cluster.events[n].row >= 0]
        items = self._live.items.get(list(dict.fromkeys(nearest))[:_NEAREST])
        return [] if any(item.tags for item in items) else items

    def _name(self, items: Sequence[Item]) -> tuple[str, ...]:
        """The first topic of an item that holds for all of them, so that a name stays while an interest grows."""
        topics = (prompts.topic_words(topic) for item in items if (topic := self._kept(item)))
        return next((words for words in topics if words and _hold(words, items)), ())

    def _kept(self, item: Item) -> str | None:
        """What the writer said of an item; None where it was not asked."""
        assert self._writer is not None
        key = content_hash(item)
        if key not in self._topics:
            kept = self._store.written(item.id, self._writer.model_id, _STATE, key)
            self._topics[key] = kept["topic"] if kept is not None else None
        return self._topics[key]


def _hold(words: Sequence[str], items: Sequence[Item]) -> bool:
    """Whether each word occurs in at least half of the items."""
    texts = [f"{item.title} {item.text}".casefold() for item in items]
    parts = {part for word in words for part in word.casefold().split()}
    return all(
        2 * sum(bool(re.search(rf"\b{re.escape(part)}\b", text)) for text in texts) >= len(texts) for part in parts
    )
