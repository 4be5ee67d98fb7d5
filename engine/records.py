"""The nouns of the engine: what goes in, what comes out, as frozen records with units."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

import numpy as np
import numpy.typing as npt

from llmrec.models import FloatArray

ItemId = NewType("ItemId", str)
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int32]

DEFAULT_USER = "me"
NEW = np.iinfo(np.int32).max
"""In `Batch.moves`: the item was not in the list before."""


class Kind(StrEnum):
    """What a user did with an item."""

    OPEN = "open"
    DWELL = "dwell"
    LIKE = "like"
    DISLIKE = "dislike"
    SAVE = "save"
    SKIP = "skip"
    PURCHASE = "purchase"
    FINISH = "finish"
    IMPRESSION = "impression"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be recommended; all texts already clean."""

    id: ItemId
    title: str
    text: str = ""
    url: str | None = None
    source: str = ""
    tags: tuple[str, ...] = ()
    published_at: float | None = None
    """Unix seconds; None where unknown."""
    domain: str = "all"
    extra: dict[str, Any] = field(default_factory=dict)
    """Keys of the imported line that we do not know, kept for export."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the append-only log."""

    user: str
    item: ItemId
    kind: Kind
    at: float
    """Unix seconds."""
    value: float | None = None
    """Seconds for `dwell`, a rating for imported likes, else None."""
    id: int = 0
    """Position in the log; orders events, whatever their clocks say."""
    place: int | None = None
    """Where in the list on screen the item stood when the user came upon it, 1 is the top; None where unknown."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """One event as the interest model sees it: a row of the catalogue instead of an id."""

    row: int
    """Row of the item in the catalogue, or -1 where `vector` speaks instead (a typed interest)."""
    kind: Kind
    at: float
    """Unix seconds, clamped to the past."""
    value: float | None = None
    weight: float = 1.0
    """The user's own correction: 0 forgotten or snoozed, above 1 boosted."""
    fades: bool = True
    """False where the user froze the interest."""
    vector: FloatArray | None = None
    """Unit vector (d,) of a typed interest; None for events on items."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One signed part of a score."""

    part: str
    """What contributed: "likes", "recent", "words", "fresh", "dislikes", ..."""
    amount: float
    """Share of the score; the amounts of all reasons sum to the score."""
    item: ItemId | None = None
    """The past item it comes from, where it comes from one."""
    at: float | None = None
    """When that happened, Unix seconds."""
    kind: Kind | None = None
    """What was done then."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One row of the ranked list."""

    rank: int
    """1 is best."""
    id: ItemId
    title: str
    score: float
    reasons: tuple[Reason, ...] = ()
    explore: bool = False
    """The row is an exploration slot: shown to learn, not because it is believed best."""
    folded: tuple[ItemId, ...] = ()
    """Near-duplicates hidden behind this row ("+3")."""


@dataclass(frozen=True, slots=True)
class View:
    """Which part of the catalogue a list shows."""

    domain: str | None = None
    """Only this domain; None shows all."""
    seen: bool = False
    """Also show what was acted on."""
    keep: frozenset[ItemId] = frozenset()
    """Shown although acted on: the rows on which a key was just pressed."""
    query: str = ""
    """Only items matching these words."""
    varied: bool = False
    """Near-duplicates folded, likes spread apart and two exploration slots, as on a screen; else by score alone."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one event changed, for the line under the list."""

    kind: Kind
    item: ItemId
    title: str
    interest: str = ""
    """Words of the interest that moved most."""
    amount: float = 0.0
    """Change of that interest's share."""
    moved_up: int = 0
    """Items that stand higher than before."""
    undone: bool = False
    """The event was taken back."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A whole ranked list, best first, and what changed since the one before."""

    revision: int
    """Rises with each answer of the engine; an older one must not replace a newer."""
    user: str
    ids: Sequence[ItemId]
    """Items, best first; n of them."""
    scores: FloatArray
    """(n,) in the order of `ids`."""
    moves: IntArray
    """(n,) places risen since the list before (negative: sunk, `NEW`: was not there)."""
    explore: frozenset[ItemId] = frozenset()
    """Rows that are exploration slots."""
    folded: dict[ItemId, tuple[ItemId, ...]] = field(default_factory=dict)
    """Near-duplicates hidden behind a row."""
    mood: float = 0.0
    """Share of the session (now) against long-term taste, 0 to 1."""
    change: Change | None = None
    seconds: float = 0.0
    """Time from the call to the new order."""


@dataclass(frozen=True, slots=True)
class Interest:
    """One cluster of what a user liked, named by its medoid and its words."""

    id: str
    """Stable while its medoid stays."""
    words: tuple[str, ...]
    medoid: ItemId | None
    """The past item nearest to the middle of the cluster; None for a typed interest."""
    now: float
    """Share of the interest in what the user likes now, 0 to 1."""
    always: float
    """Share over the whole history, slowly fading, 0 to 1."""
    half_life: float
    """Seconds until half of its weight has faded."""
    last_fed: float
    """Unix seconds of its newest event."""
    trend: tuple[float, ...] = ()
    """Weight gained in each of the last twelve weeks, oldest first."""
    state: str = ""
    """"", "boosted", "lowered", "frozen", "snoozed until ...", "forgotten"; of typed words "less", "less until ..."."""
    items: tuple[ItemId, ...] = ()
    """Its events' items, newest first."""
    named_by: str = ""
    """Name of the writer whose words these are; "" where they were computed."""

    @property
    def is_less(self) -> bool:
        """Whether it is none, but what the user typed to see less of."""
        return self.state.startswith("less")


@dataclass(frozen=True, slots=True)
class Why:
    """Why an item stands where it stands; computed, never narrated."""

    item: ItemId
    rank: int
    score: float
    reasons: tuple[Reason, ...]
    """Signed amounts that sum to the score, largest first."""
    without: Reason | None = None
    """The past event that matters most for the rank."""
    rank_without: int | None = None
    """The rank had that event not happened."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text T_k for an item and its probability p_kj."""

    text: str
    p: float
    """Probability, 0 to 1; the candidates of an item sum to 1."""
    angle: str
    """Where it comes from: "opening", "detail", "for you", ..."""
    by: str
    """"item" for the item's own words, "model" for a language model's."""


@dataclass(frozen=True, slots=True)
class Written:
    """G(C_j) = sum_k p_kj T_k for one item: the candidates, and the chosen one."""

    item: ItemId
    model: str
    """Model that wrote, or "" where only the item's own words were to be had."""
    chosen: int
    """Index of the most probable candidate."""
    candidates: tuple[Candidate, ...]
    note: str = ""
    """What the reader must know: which model is missing, or why texts are few."""
    done: bool = True
    """False while words are still coming."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One result of a search by words and meaning."""

    rank: int
    id: ItemId
    title: str
    score: float
    matched: str
    """"words", "meaning" or "both"."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far long work has come."""

    done: int
    total: int
    what: str


@dataclass(frozen=True, slots=True)
class Status:
    """What the engine runs on, for the status line and `doctor`."""

    items: int
    events: int
    pending: int
    """Items without a vector yet; they are ranked last until they have one."""
    encoder: str
    writer: str
    """Name of the writer, or "" where texts are the item's own words."""
    note: str = ""
    """What the reader must know, such as a missing model and the command that brings it."""
    next: str = ""
    """Encoder that ranks once every item has its vector; "" where none is to follow."""
    next_pending: int = 0
    """Items without a vector of it yet."""
    composer: str = ""
    """The writer, where it phrases reasons; "" where it was not trained to."""
    judge: str = ""
    """The writer, where it judges half-lives; "" where it was not trained to."""
    learnt: bool = True
    """Whether the encoder has been asked how long items stay worth reading, and for names; `index` does it."""
