"""For whom texts are chosen: a user's interests in numbers and words, and the angles they open."""

import numpy as np

from llmrec.engine.angles import Angles
from llmrec.engine.live import Live
from llmrec.engine.records import ItemId, Kind, Written
from llmrec.engine.store import Store
from llmrec.engine.writing import Reader

_STRONGEST = 2
"""Interests that a text may be written for; more make texts that fit nobody."""
_OPENING = frozenset({Kind.OPEN, Kind.LIKE, Kind.SAVE, Kind.PURCHASE})


class Readers:
    """Readers of texts, and what they were shown. The caller holds the lock."""

    def __init__(self, store: Store, live: Live) -> None:
        """Nobody has read anything yet in this session; angles learnt earlier are in the store."""
        self._store = store
        self._live = live
        self._angles: dict[str, Angles] = {}
        self._shown: dict[tuple[str, ItemId], str] = {}

    def reader(self, user: str, now: float) -> Reader:
        """A user as a reader: the interest vector, the words of the strongest interests, the angles."""
        person = self._live.person(user, now)
        shares = sorted(person.interests.shares(now).items(), key=lambda found: -found[1])
        strongest = [leader for leader, share in shares[:_STRONGEST] if share > 0]
        words = dict.fromkeys(word for leader in strongest for word in self._live.words_of(person, leader)[:1])
        return Reader(np.asarray(person.essay.interest(now), np.float32), tuple(words), self._of(user))

    def showed(self, user: str, written: Written) -> None:
        """A text was chosen and shown."""
        angle = written.candidates[written.chosen].angle
        self._shown[user, written.item] = angle
        self._of(user).show(angle)

    def acted(self, user: str, item: ItemId, kind: Kind) -> None:
        """An item opened, liked or saved speaks for the angle of the text that stood beside it."""
        angle = self._shown.pop((user, item), None)
        if angle is not None and kind in _OPENING:
            self._of(user).open(angle)
            self._store.set_setting(f"angles:{user}", self._of(user).dumps())

    def _of(self, user: str) -> Angles:
        if user not in self._angles:
            self._angles[user] = Angles.loads(self._store.setting(f"angles:{user}"))
        return self._angles[user]
