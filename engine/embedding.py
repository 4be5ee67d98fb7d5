"""Vectors of items and phrases: from the store where they are known, else from the encoder, and then kept.

So is what an encoder's vectors say of an item beside its meaning, see `probe`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from threading import Event as Cancel

import numpy as np

from llmrec import sample_data
from llmrec.engine.importers import content_hash
from llmrec.engine.probe import Probe, trusted
from llmrec.engine.probe_examples import VERSION, examples
from llmrec.engine.records import Item, ItemId, Progress
from llmrec.engine.store import Store
from llmrec.models import Embedder, FloatArray
from llmrec.models.hashing import HashingEmbedder

TEXT_CHARS = 800
"""Characters of a text that are embedded with the title, about 150 to 200 tokens; the rest adds little."""
_BATCH, _LEAST, _MOST = 8, 2, 64
"""Items between two savings: at first, and at least and at most once their speed is known."""
_EXAMPLES = 25
"""Texts embedded at once for a probe."""
_NONE = "none"
_PROBE = "half-lives"
_QUICK, _SLOW = 0.5, 2.0
"""Seconds between two savings within which more, and after which fewer, items are taken at once."""


def embedded_text(item: Item) -> str:
    """What is embedded of an item: its title and the beginning of its text."""
    return f"{item.title}. {item.text[:TEXT_CHARS]}" if item.text else item.title


class Vectors:
    """The encoder in use and what it has made so far."""

    def __init__(self, store: Store, embedder: Embedder, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep the vectors that `embedder` makes in `store`; `clock` gives seconds."""
        self._store = store
        self._clock = clock
        self.embedder = embedder

    def phrase(self, phrase: str) -> FloatArray:
        """Unit vector (d,) of a phrase; kept, so that a replay of the log needs no model.

        Raises:
            ModelError: the encoder failed.
        """
        vector: FloatArray = self.texts([phrase])[0]
        return vector

    def texts(self, wanted: Sequence[str], cancel: Cancel | None = None) -> FloatArray:
        """Unit vectors (n, d) of short texts, kept.

        Raises:
            ModelError: the encoder failed.
        """
        hashes = [content_hash(Item(ItemId(""), text)) for text in wanted]
        matrix, known = self._store.vectors(self.embedder.model_id, hashes, self.embedder.dim)
        missing = [int(i) for i in np.flatnonzero(~known)]
        if missing:
            matrix[missing] = self.embedder.embed([wanted[i] for i in missing], cancel=cancel)
            self._store.save_vectors(self.embedder.model_id, [hashes[i] for i in missing], matrix[missing])
        return np.asarray(matrix, np.float32)

    def items(self, items: Sequence[Item]) -> FloatArray:
        """Unit vectors (n, d) of items, made now and not kept.

        Raises:
            ModelError: the encoder failed.
        """
        return self.embedder.embed([embedded_text(item) for item in items])

    @property
    def words_alone(self) -> bool:
        """Whether a hashing of words stands for an encoder: there is nothing to learn from it."""
        return isinstance(self.embedder, HashingEmbedder)

    @property
    def probed(self) -> bool:
        """Whether `learn_probe` has nothing to do."""
        return self.words_alone or bool(self._store.setting(_key(self.embedder.model_id)))

    def learn_probe(self, cancel: Cancel | None) -> Iterator[Progress]:
        """Fit the probe of this encoder and keep it, or take the one that ships; yields nothing where that was done.

        Raises:
            ModelError: the encoder failed.
        """
        if self.probed:
            return
        model, shipped = sample_data.probe()
        if model == self.embedder.model_id:
            yield Progress(1, 1, _PROBE)
            return keep_probe(self._store, model, Probe.loads(shipped, self.embedder.dim))
        known = examples()
        total, rows = len(known.items), list[FloatArray]()
        for start in range(0, total, _EXAMPLES):
            yield Progress(start, total, _PROBE)
            if cancel is not None and cancel.is_set():
                return
            texts = [embedded_text(item) for item in known.items[start : start + _EXAMPLES]]
            rows.append(self.embedder.embed(texts, cancel=cancel))
        keep_probe(self._store, self.embedder.model_id, trusted(np.concatenate(rows), known.lasting, known.check))
        yield Progress(total, total, _PROBE)

    def index(self, cancel: Cancel | None) -> Iterator[Progress]:
        """Make the missing vectors, newest items first; each batch is kept, so that a stop loses nothing.

        Raises:
            ModelError: the encoder failed.
        """
        missing = self._store.without_vector(self.embedder.model_id, self.embedder.dim)
        start, size = 0, _BATCH
        while start < len(missing):
            yield Progress(start, len(missing), "vectors")
            if cancel is not None and cancel.is_set():
                return
            began = self._clock()
            part = missing[start : start + size]
            found = self._store.items([item_id for item_id, _ in part])
            vectors = self.embedder.embed([embedded_text(item) for item in found], cancel=cancel)
            self._store.save_vectors(self.embedder.model_id, [content for _, content in part], vectors)
            start, took = start + size, self._clock() - began
            size = min(_MOST, size * 2) if took < _QUICK else max(_LEAST, size // 2) if took > _SLOW else size
        if missing:
            yield Progress(len(missing), len(missing), "vectors")


def keep_probe(store: Store, model_id: str, probe: Probe | None) -> None:
    """Keep an encoder's probe; None: it has none that can be trusted, and need not be tried again."""
    store.set_setting(_key(model_id), probe.dumps() if probe is not None else _NONE)


def kept_probe(store: Store, model_id: str, dim: int) -> Probe | None:
    """An encoder's probe, where one was fitted and is trusted."""
    return Probe.loads(store.setting(_key(model_id)), dim)


def _key(model_id: str) -> str:
    return f"probe {VERSION}:{model_id}"
