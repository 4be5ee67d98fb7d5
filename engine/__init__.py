"""The engine: items, events, interests, ranking and texts, without a screen.

The vocabulary: an **item** is one thing that can be recommended; an **event** is what a user did with one; the
**catalogue** is all items as vectors; a **policy** ranks the catalogue for a user and learns from events; a **taste**
is what memory that passes holds, until choices turn surprising; an **interest** is a cluster of past events, named by
its medoid; a **batch** is a whole ranked list and how it moved; **candidates** are the texts of an item, each with its
probability. An item's **half-life** is how long it stays worth reading; a **probe** reads it off its vector. The
**lexicon** is the catalogue's words as vectors: an interest without tags is named by the nearest. `Engine` is the one
door to all of it.
"""

from llmrec.engine.errors import (
    DownloadFailed,
    ImportFailed,
    LlmrecError,
    ModelError,
    ModelFailed,
    ModelNotFound,
    ModelRejected,
    StoreError,
    UnknownItem,
    UnknownUser,
)
from llmrec.engine.facade import Engine
from llmrec.engine.half_life import HalfLife
from llmrec.engine.paths import Paths, find_paths
from llmrec.engine.phrasing import Phrased
from llmrec.engine.records import (
    DEFAULT_USER,
    NEW,
    Batch,
    Candidate,
    Change,
    Event,
    Hit,
    Interest,
    Item,
    ItemId,
    Kind,
    Progress,
    Reason,
    Recommendation,
    Status,
    View,
    Why,
    Written,
)
from llmrec.models.clean import clean
from llmrec.models.shelf_row import Row as ModelRow

__all__ = [
    "DEFAULT_USER",
    "NEW",
    "Batch",
    "Candidate",
    "Change",
    "DownloadFailed",
    "Engine",
    "Event",
    "HalfLife",
    "Hit",
    "ImportFailed",
    "Interest",
    "Item",
    "ItemId",
    "Kind",
    "LlmrecError",
    "ModelError",
    "ModelFailed",
    "ModelNotFound",
    "ModelRejected",
    "ModelRow",
    "Paths",
    "Phrased",
    "Progress",
    "Reason",
    "Recommendation",
    "Status",
    "StoreError",
    "UnknownItem",
    "UnknownUser",
    "View",
    "Why",
    "Written",
    "clean",
    "find_paths",
]
