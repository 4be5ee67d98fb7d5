"""From one encoder to the next: the old vectors rank until every item has a new one, then all changes at once.

Two encoders' vectors cannot be compared, so a list is always ranked in one space. This module alone knows which
encoder ranks and which one is to follow; making the vectors is `Vectors`' work, the change itself the engine's.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from threading import Event as Cancel
from threading import RLock

from llmrec.engine.embedding import Vectors
from llmrec.engine.errors import ModelNotFound
from llmrec.engine.items import Items
from llmrec.engine.lexicon import MOST
from llmrec.engine.live import Live
from llmrec.engine.log import active
from llmrec.engine.records import Progress
from llmrec.engine.store import Store
from llmrec.models import Embedder, FloatArray
from llmrec.models.hashing import HashingEmbedder
from llmrec.models.host import Host
from llmrec.models.llamacpp import LlamaEmbedder
from llmrec.models.shelf import Shelf

ENCODER = "encoder"
"""Setting: id of the encoder whose vectors rank."""
_MOST = 0.5
"""A list of which no larger part has vectors is not worth keeping up while another encoder's are made."""


class GoneEncoder:
    """Stands for an encoder whose file is gone while its vectors still rank; it makes no new ones."""

    def __init__(self, model_id: str, dim: int) -> None:
        """The name it had, and the length of its vectors."""
        self.model_id = model_id
        self.dim = dim

    def embed(self, texts: Sequence[str], *, cancel: Cancel | None = None) -> FloatArray:
        """Say why not.

        Raises:
            ModelNotFound: always.
        """
        name = self.model_id.partition("@")[0]
        raise ModelNotFound(
            f"The encoder {name} is gone and only its vectors are left: put its file back, or `llmrec models use` "
            "another one and let `llmrec index` make its vectors."
        )

    def close(self) -> None:
        """Nothing to release."""


class Successor:
    """An encoder that is to follow the one in use. It works in a process of its own, so that both stay loaded."""

    def __init__(self, embedder: Embedder, settled: Embedder | None = None, host: Host | None = None) -> None:
        """An encoder.

        Args:
            embedder: makes the vectors for now.
            settled: the same encoder as it will serve; None keeps `embedder`.
            host: the process of `embedder`, ended with it.
        """
        self.embedder = embedder
        self.settled = settled or embedder
        self._host = host

    def close(self) -> None:
        """End its process."""
        if self._host is not None:
            self._host.close()


class _Switch:
    """One change of encoder under way. What is made is kept, so that a stop loses nothing."""

    def __init__(self, store: Store, live: Live, successor: Successor) -> None:
        """Begin nothing yet."""
        self.successor = successor
        self.vectors = Vectors(store, successor.embedder)
        self._store = store
        self._live = live
        self._ready: tuple[int, Items] | None = None

    def prepare(self, cancel: Cancel | None) -> Iterator[Progress]:
        """Give every item, newest first, and every phrase of the log a vector, and fit the new space.

        Raises:
            ModelError: the encoder failed.
        """
        version, embedder, total = self._live.version, self.successor.embedder, self._store.count_items()
        for progress in self.vectors.index(cancel):
            made = total - progress.total + progress.done
            yield Progress(made, total, f"vectors by {short_name(embedder.model_id)}")
        if cancel is not None and cancel.is_set():
            return
        yield from self.vectors.learn_probe(cancel)
        if cancel is not None and cancel.is_set():
            return
        self.vectors.texts(_phrases(self._store), cancel)
        items = yield from self._live.read(embedder)
        items.catalogue.fit()  # the slow part of ranking in a new space, done before anyone waits for it
        self._ready = version, items

    def take(self) -> Items | None:
        """The whole catalogue in the new space; None where the catalogue has changed since it was made."""
        ready, self._ready = self._ready, None
        return ready[1] if ready is not None and ready[0] == self._live.version else None


class Encoders:
    """The encoder whose vectors rank, and perhaps the one that is to follow. Safe to call from threads."""

    def __init__(
        self, store: Store, live: Live, lock: RLock, moved: Callable[[], None], *, remembers: bool = False
    ) -> None:
        """Rank by the encoder of `live`.

        Args:
            store: keeps vectors, and which encoder's rank.
            live: what is held in memory.
            lock: held while anything in memory changes.
            moved: called with the lock once another encoder ranks.
            remembers: whether the next start is to know which encoder ranked.
        """
        self._store = store
        self._live = live
        self._lock = lock
        self._moved = moved
        self._remembers = remembers
        self._switch: _Switch | None = None

    @property
    def vectors(self) -> Vectors:
        """Of the encoder that ranks."""
        return self._live.vectors

    @property
    def next(self) -> str:
        """Id of the encoder that is to follow, or ""."""
        switch = self._switch
        return switch.successor.embedder.model_id if switch is not None else ""

    def remember(self) -> None:
        """Keep which encoder ranks."""
        name = self.vectors.embedder.model_id
        if self._remembers and self._store.setting(ENCODER) != name:
            self._store.set_setting(ENCODER, name)

    def change(self, successor: Successor) -> None:
        """Rank by another encoder once `index` has made its vectors of all items; until then nothing changes."""
        self.stay()
        if successor.embedder.model_id == self.vectors.embedder.model_id:
            successor.close()
            return
        with self._lock:
            switch = self._switch = _Switch(self._store, self._live, successor)
            kept = _mostly_covered(self._store, self.vectors.embedder.model_id)
            if not kept:
                self._finish(switch, None)
        if not kept:
            successor.close()

    def stay(self) -> None:
        """Change nothing after all; what was made for the change is kept.

        An encoder that has lost its file goes on ranking by the vectors it has made.
        """
        with self._lock:
            switch, self._switch = self._switch, None
            embedder = self.vectors.embedder
            if isinstance(embedder, LlamaEmbedder) and not embedder.path.is_file():
                gone = GoneEncoder(embedder.model_id, self._store.covered(embedder.model_id)[1])
                self._live.vectors = Vectors(self._store, gone)
                self._moved()
        if switch is not None:
            switch.successor.close()

    def index(self, cancel: Cancel | None) -> Iterator[Progress]:
        """Make the missing vectors of the encoder that ranks, then those of the one to follow, and change over.

        Args:
            cancel: looked at between batches.

        Raises:
            ModelError: an encoder failed.
        """
        while True:
            yield from self._serve(cancel)
            yield from self._learn_words(cancel)
            switch = self._switch
            if switch is None or (cancel is not None and cancel.is_set()):
                return
            yield from switch.prepare(cancel)
            with self._lock:
                ready = switch.take() if self._switch is switch else None
                if ready is not None:
                    self._finish(switch, ready)
            if ready is not None:
                switch.successor.close()

    def _serve(self, cancel: Cancel | None) -> Iterator[Progress]:
        if isinstance(self.vectors.embedder, GoneEncoder):
            return
        progress = None
        for progress in chain(self.vectors.index(cancel), self.vectors.learn_probe(cancel)):
            yield progress
        if progress is not None:
            self.remember()
            yield from self._renew()

    def _learn_words(self, cancel: Cancel | None) -> Iterator[Progress]:
        """Let the encoder that ranks learn the catalogue's words, by which interests without tags are named."""
        embedder = self.vectors.embedder
        with self._lock:
            version, lacks = self._live.version, self._live.lacks_lexicon
            catalogue = self._live.items.catalogue
        if not lacks or isinstance(embedder, GoneEncoder) or (cancel is not None and cancel.is_set()):
            return
        words = catalogue.usual_words(MOST)  # without the lock: it may take a second
        learnt = yield from self._live.kept_lexicon.learn(words, embedder, cancel)
        with self._lock:
            if learnt is not None:
                self._live.take_lexicon(learnt, version)

    def _renew(self) -> Iterator[Progress]:
        """Read the catalogue with its new vectors beside the one that serves, and put it in its place."""
        version, items = self._live.version, None
        try:
            items = yield from self._live.read(self.vectors.embedder)
        finally:  # where it was stopped, or the items have changed since, it is read at next use
            with self._lock:
                self._live.move(self.vectors, items if self._live.version == version else None)

    def _finish(self, switch: _Switch, items: Items | None) -> None:
        """Rank in the new space; needs the lock. The store learns it first: a kill leaves one list or the other.

        Raises:
            StoreError: it could not be kept; nothing has changed.
        """
        embedder = switch.successor.settled
        if self._remembers:
            self._store.set_setting(ENCODER, embedder.model_id)
        self._switch = None
        self._live.move(Vectors(self._store, embedder), items)
        self._moved()


def _mostly_covered(store: Store, model_id: str) -> bool:
    """Whether a list by this encoder is worth keeping up while another one's vectors are made."""
    return store.covered(model_id)[0] > _MOST * store.count_items()


def serving(store: Store, wanted: Embedder, named: Callable[[str], Embedder | None]) -> Embedder:
    """The encoder that ranks at the start: the one before, until `wanted` has seen every item.

    Args:
        store: knows which one ranked before, and whose vectors are there.
        wanted: the encoder that was chosen.
        named: makes the encoder of an id, or None where its file is gone.
    """
    before = store.setting(ENCODER)
    if before in ("", wanted.model_id):
        return wanted
    if not _mostly_covered(store, before) or store.covered(wanted.model_id)[0] == store.count_items():
        store.set_setting(ENCODER, wanted.model_id)
        return wanted
    return named(before) or GoneEncoder(before, store.covered(before)[1])


def beside(encoder: Embedder, log: Path) -> Successor:
    """An encoder of the shelf, at work in a process of its own; `log` takes what that prints."""
    if not isinstance(encoder, LlamaEmbedder):
        return Successor(encoder)
    host = Host(log=log)
    return Successor(encoder.on(host), encoder, host)


def on_shelf(shelf: Shelf, host: Host, model_id: str) -> Embedder | None:
    """The encoder of an id, as long as its file is there."""
    if model_id == HashingEmbedder.model_id:
        return HashingEmbedder()
    path = shelf.by_id(model_id)
    return LlamaEmbedder(path, host, hashes=shelf.hashes) if path is not None else None


def short_name(model_id: str) -> str:
    """A model's name without its hash."""
    return model_id.partition("@")[0]


def _phrases(store: Store) -> list[str]:
    """Every phrase that steers somebody's list, so that the first replay in the new space needs no model."""
    entries = (entry for user in store.users() for entry in active(store.log(user)) if entry.kind == "steer")
    return list(dict.fromkeys(str(entry.payload["phrase"]) for entry in entries))
