"""What is held in memory: the catalogue and each user's live state, made from the store at first use."""

from collections.abc import Generator, Iterator
from pathlib import Path

from llmrec.engine.embedding import Vectors
from llmrec.engine.interests import Cluster
from llmrec.engine.items import Items
from llmrec.engine.kept_graph import KeptGraph
from llmrec.engine.kept_space import KeptSpace
from llmrec.engine.lexicon import MOST, KeptLexicon, Lexicon
from llmrec.engine.log import LogEntry, active
from llmrec.engine.person import LateEvent, Person
from llmrec.engine.records import Progress
from llmrec.engine.store import Store
from llmrec.models import Embedder


class Live:
    """Catalogue and people; forgotten when the store changes under them. The caller holds the lock."""

    def __init__(self, store: Store, vectors: Vectors, policy: str, cache: Path | None) -> None:
        """Nothing is read yet; `policy` names how people are ranked for, `cache` is a folder for what is fitted."""
        self._store = store
        self.vectors = vectors
        """Of the encoder whose space ranks."""
        self._policy = policy
        self._cache = cache
        self._kept = KeptSpace(cache, store.path)
        self._graph = KeptGraph(cache, store.path)
        self.kept_lexicon = KeptLexicon(cache, store.path)
        self._items: Items | None = None
        self._lexicon: Lexicon | None = None
        self._sought = -1
        """The version at which the lexicon was looked for."""
        self._people: dict[str, Person] = {}
        self.version = 0
        """Rises whenever the catalogue must be read again."""

    @property
    def items(self) -> Items:
        """The catalogue, read from the store at first use."""
        if self._items is None:
            list(self.prepare())
        assert self._items is not None
        return self._items

    def prepare(self) -> Iterator[Progress]:
        """Read the catalogue where it is not at hand; yields how far what is made for a large one is."""
        if self._items is None:
            self._hold((yield from self.read(self.vectors.embedder)))

    def _hold(self, items: Items) -> None:
        self._items = items
        self._kept.load(items.catalogue, items.hashes, self.vectors.embedder.model_id)
        self._graph.load(items.catalogue, items.hashes, self.vectors.embedder.model_id)

    def read(self, embedder: Embedder) -> Generator[Progress, None, Items]:
        """The catalogue in an encoder's space; see `Items.read`."""
        return Items.read(self._store, embedder.model_id, embedder.dim, self._cache)

    def lexicon(self) -> Lexicon | None:
        """The vectors of the catalogue's words, where they have been learnt; read when first asked for."""
        if self._sought != self.version:
            self._sought, self._lexicon = self.version, None
            if self.kept_lexicon.there and not self.vectors.words_alone:
                words = self.items.catalogue.usual_words(MOST)
                self._lexicon = self.kept_lexicon.load(words, self.vectors.embedder.model_id)
        return self._lexicon

    @property
    def learnt(self) -> bool:
        """Whether the encoder has been asked for what it tells beside meaning: half-lives, and names if wanted."""
        return self.vectors.probed and not self.lacks_lexicon

    @property
    def lacks_lexicon(self) -> bool:
        """Whether a lexicon is wanted, because some item has no tags, and still to be learnt."""
        return not self.vectors.words_alone and self._store.has_untagged() and self.lexicon() is None

    def take_lexicon(self, lexicon: Lexicon, version: int) -> None:
        """Name by a lexicon from now on, unless the catalogue has changed since that version."""
        if version == self.version:
            self._sought, self._lexicon = version, lexicon

    def build_graph(self) -> Path:
        """Build the graph index of the catalogue and keep it; returns its file.

        Raises:
            LlmrecError: the extra is not installed, or the file cannot be written.
        """
        return self._graph.build(self.items.catalogue, self.items.hashes, self.vectors.embedder.model_id)

    def keep(self) -> None:
        """Keep what was fitted to the catalogue for the next start."""
        if self._items is not None:
            self._kept.save(self._items.catalogue, self._items.hashes, self.vectors.embedder.model_id)

    def forget(self) -> None:
        """Read items and replay logs again at next use."""
        self._items = None
        self._people.clear()
        self.version += 1

    def move(self, vectors: Vectors, items: Items | None) -> None:
        """Rank by other vectors from now on; logs are replayed there at next use.

        Args:
            vectors: of the encoder that ranks.
            items: the catalogue in its space; None where it is still to be read.
        """
        if items is not None:
            items.correct()  # somebody may have said something since `items` were read
        self.vectors, self._items = vectors, items
        self._people.clear()
        self.version += 1

    def forget_person(self, user: str) -> None:
        """Replay a user's log at next use."""
        self._people.pop(user, None)

    def take_back(self, user: str, entry: LogEntry, now: float) -> None:
        """Let a user's state forget an entry that the log no longer counts."""
        person = self._people.get(user)
        if person is None or not person.rewind(entry.id, active(self._store.log(user)), now):
            self.forget_person(user)

    def person(self, user: str, now: float) -> Person:
        """A user's state, replayed where it is not at hand or a correction has run out."""
        person = self._people.get(user)
        if person is None or now >= person.stale_at:
            person = self._people[user] = self.replayed(user, now)
        return person

    def past(self, user: str, now: float, as_of: float | None) -> tuple[Person, float]:
        """A user's state and its moment: now, or as of a past one."""
        if as_of is None:
            return self.person(user, now), now
        moment = min(as_of, now)
        return self.replayed(user, moment), moment

    def replayed(self, user: str, now: float, policy: str | None = None, *, but: int | None = None) -> Person:
        """A user's state from the log alone, as of a moment, perhaps without one entry."""
        entries = [e for e in active(self._store.log(user)) if e.at <= now and e.id != but]
        person = Person(self.items.catalogue, self.items.rows, self.vectors.phrase, policy or self._policy)
        person.replay(entries, now)
        return person

    def learn(self, user: str, entry: LogEntry, now: float) -> Cluster | None:
        """Let a user's state take in one new entry; returns the interest it feeds, if that is known at once."""
        try:
            return self.person(user, now).add(entry, now)
        except LateEvent:
            self.forget_person(user)
            return None

    def words_of(self, person: Person, leader: str) -> tuple[str, ...]:
        """Up to three words that name an interest; one that was only typed is named by its phrases."""
        cluster = next(c for c in person.interests.clusters if c.leader == leader)
        named = cluster.items()[-20:]
        return self.items.name_of(named, self.lexicon) if named else tuple(dict.fromkeys(cluster.names))[:3]
