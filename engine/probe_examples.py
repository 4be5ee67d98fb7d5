"""Texts whose answer to "will this still be useful in a year" is known, for `probe`: bundled items, framed.

Every fifth phrase is kept for the check, so that what is checked was not learned by heart.
"""

from dataclasses import dataclass

import numpy as np

from llmrec import sample_data
from llmrec.engine.records import BoolArray, Item, ItemId
from llmrec.models.framing import FRAMES, framed
from llmrec.models.sentences import sentences

VERSION = 1
"""Rises with any change here or of the frames: a probe is of one encoder and one set of examples."""
COUNT = 500
"""More examples make it hardly better: 940 of 1,000 right at 500, 935 at 900."""
_CHECKED = 5
"""One example, and one phrase, of so many is for the check."""
_SEED = 2


@dataclass(frozen=True, slots=True)
class Examples:
    """m texts with their answers."""

    items: list[Item]
    """As items, because that is how they are embedded."""
    lasting: BoolArray
    """(m,) whether each will still be useful in a year."""
    check: BoolArray
    """(m,) whether each is kept for the check."""


def examples() -> Examples:
    """The same every time: bundled items in an order of their own, each framed one way or the other."""
    rng = np.random.default_rng(_SEED)
    records = [(str(record["title"]), sentences(str(record["text"]))) for record in sample_data.items(0.0)]
    check = np.arange(COUNT) % _CHECKED == 0
    phrases = {kept: FRAMES.every(_CHECKED, kept=kept) for kept in (False, True)}
    order = rng.permutation(len(records))[:COUNT]
    chosen = [records[int(n)] for n in order]
    made = [framed(*each, phrases[bool(kept)], rng) for each, kept in zip(chosen, check, strict=True)]
    items = [Item(ItemId(str(n)), title, text) for n, (title, text, _) in enumerate(made)]
    return Examples(items, np.array([lasts for _, _, lasts in made]), check)
