"""What workers tell the screens; each names what happened."""

from dataclasses import dataclass

from textual.message import Message

from llmrec.engine import (
    Batch,
    Change,
    Event,
    HalfLife,
    Interest,
    Item,
    ItemId,
    Kind,
    ModelRow,
    Phrased,
    Progress,
    Recommendation,
    Status,
    View,
    Why,
    Written,
)


@dataclass
class Ranked(Message):
    """The engine ranked the list again."""

    batch: Batch
    view: View
    """What the batch shows; it is dropped once another view is wanted."""
    items: list[Item]
    """Rows that will be seen first, so that they are painted at once."""
    marks: dict[ItemId, Kind] | None = None
    """All marks, where they were asked for again."""
    says: str = ""
    """What happened, where the batch's change does not say it."""
    top: bool = False
    """Start at the first row instead of following the cursor's item."""

    @property
    def change(self) -> Change | None:
        """What one event changed."""
        return self.batch.change


@dataclass
class Started(Message):
    """The engine answered for the first time."""

    domains: tuple[str, ...]
    domain: str | None
    """The part of the catalogue shown when the app was last left."""
    ranked: Ranked


@dataclass
class RowsRead(Message):
    """Items for rows that came into sight."""

    items: list[Item]


@dataclass
class Explained(Message):
    """Why an item stands where it stands."""

    why: Why
    titles: dict[str, str]
    """Titles of the past items that the reasons name."""
    half_life: HalfLife
    """How long the item stays worth reading."""


@dataclass
class PhraseCame(Message):
    """The evidence in a model's words, or more of it."""

    phrased: Phrased


@dataclass
class WordsCame(Message):
    """A text for an item, or more of it."""

    written: Written


@dataclass
class InterestsRead(Message):
    """The interest model as it is now."""

    interests: list[Interest]
    titles: dict[str, str]
    """Titles of medoids and of the items that feed an interest."""


@dataclass
class LogRead(Message):
    """The log, oldest first, and today's list."""

    log: list[Event]
    titles: dict[str, str]
    """Titles of the events' items."""
    today: list[Recommendation]


@dataclass
class PastRead(Message):
    """The list as it was just after an event."""

    event: Event
    rows: list[Recommendation]


@dataclass
class StatusRead(Message):
    """What the engine has loaded and what waits."""

    status: Status


@dataclass
class Indexed(Message):
    """Vectors are being computed in the background."""

    progress: Progress | None
    """None once all is done."""

    def can_replace(self, message: Message) -> bool:
        """Only the newest progress is worth drawing."""
        return isinstance(message, Indexed)


@dataclass
class WorkedAhead(Message):
    """The writer works in a quiet moment."""

    progress: Progress | None
    """None once it rests."""

    def can_replace(self, message: Message) -> bool:
        """Only the newest progress is worth drawing."""
        return isinstance(message, WorkedAhead)


@dataclass
class Switched(Message):
    """Another encoder ranks from now on."""

    encoder: str
    """Its name and hash."""


@dataclass
class ShelfRead(Message):
    """The models that are here or can be had."""

    rows: list[ModelRow]
    status: Status
    hub: str
    """Where models are fetched from."""
    deletable: frozenset[str]
    """Paths of files that removing deletes."""


@dataclass
class ShelfChanged(Message):
    """Something was done with a model."""

    says: str
    name: str
    """The model's name, for the cursor; "" where it is gone."""


@dataclass
class Verified(Message):
    """A model file was checked."""

    row: ModelRow
    fault: str
    """What is wrong with it, "" for nothing."""


@dataclass
class Pulling(Message):
    """A download goes on."""

    name: str
    done: int
    """Bytes that are here."""
    total: int
    """Bytes of the whole file."""
    speed: float
    """Bytes a second."""
    left: float
    """Seconds to go; infinite while nothing has come."""

    def can_replace(self, message: Message) -> bool:
        """Only the newest progress of a download is worth drawing."""
        return isinstance(message, Pulling) and message.name == self.name


@dataclass
class Pulled(Message):
    """A download has ended."""

    name: str
    error: Exception | None
    """Why it stopped; None where the file is here."""
    stopped: bool
    """It was told to stop."""


@dataclass
class Failed(Message):
    """An engine call failed; the app goes on."""

    text: str
    group: str
    """What the call was about."""
