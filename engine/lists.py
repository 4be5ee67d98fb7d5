"""Answers to the screen: whole ranked lists, and how each row has moved since the list before."""

import time
from dataclasses import replace
from hashlib import sha256

import numpy as np

from llmrec.engine.arrange import arrange
from llmrec.engine.first_page import first_page
from llmrec.engine.listing import Ids, Listing, moved, ordered, places, visible
from llmrec.engine.live import Live
from llmrec.engine.person import Person
from llmrec.engine.records import NEW, Batch, Change, IntArray, View
from llmrec.engine.store import Store
from llmrec.engine.vectors import DoubleArray

_DAY = 86_400.0


class Lists:
    """Makes lists and remembers the last one of each view."""

    def __init__(self, store: Store, live: Live) -> None:
        """No list has been shown yet."""
        self._store = store
        self._live = live
        self._places: dict[tuple[str, str | None, str], IntArray] = {}
        self._noise: tuple[tuple[str, int, int], DoubleArray] | None = None
        self._revision = 0

    def listing(self, person: Person, view: View, now: float) -> Listing:
        """The rows of a view by score; of everything a little where the user is new."""
        items = self._live.items
        matching = {i for i, _ in self._store.find_words(view.query, len(items))} if view.query else None
        mask = visible(items, person, view, now, matching)
        person.look_among(mask if view.query or view.domain is not None else None)
        scores = person.policy.scores(now)
        found = ordered(scores, mask)
        if view.query or not person.new:
            return found
        rows = first_page(found.rows, items.catalogue, [items.in_domain(domain) for domain in items.domains])
        return Listing(rows, scores[rows], spread=True)

    def arranged(
        self, user: str, listing: Listing, view: View, now: float
    ) -> tuple[Listing, dict[int, tuple[int, ...]], tuple[int, ...]]:
        """The listing as a screen shows it, what is folded behind its rows, and the rows that explore."""
        if not view.varied or listing.spread or not len(listing.rows):
            return listing, {}, ()
        noise = None if view.query else self._noise_of(user, now)
        found = arrange(listing.rows, listing.scores, self._live.items.catalogue, noise)
        return Listing(found.rows, found.scores), found.folded, found.explore

    def _noise_of(self, user: str, now: float) -> DoubleArray:
        """A standard normal draw per item, the same for a user all day, (n,)."""
        day = (user, int(now // _DAY), len(self._live.items))
        if self._noise is None or self._noise[0] != day:
            seed = int.from_bytes(sha256(repr(day).encode()).digest()[:8], "little")
            self._noise = (day, np.random.default_rng(seed).standard_normal(len(self._live.items)))
        return self._noise[1]

    def rank(self, user: str, person: Person, view: View, now: float, row: int) -> int:
        """Rank of a row as its view shows it, 1 is best; 0 where it is not in the list.

        What is folded behind another row stands where that one stands.
        """
        listing, folded, _ = self.arranged(user, self.listing(person, view, now), view, now)
        found = np.flatnonzero(listing.rows == next((head for head in folded if row in folded[head]), row))
        return int(found[0]) + 1 if len(found) else 0

    def answer(self, user: str, view: View, now: float, change: Change | None, started: float) -> Batch:
        """The list as it stands, with moves since the last one of the same user and view.

        Args:
            user: whose.
            view: which part of the catalogue.
            now: Unix seconds.
            change: what brought it about.
            started: `time.perf_counter()` when the press came.
        """
        items, person = self._live.items, self._live.person(user, now)
        listing, folded, explored = self.arranged(user, self.listing(person, view, now), view, now)
        key = (user, view.domain, view.query)
        before = self._places.get(key)
        moves = moved(listing.rows, before if before is not None and len(before) == len(items) else None)
        self._places[key] = places(listing.rows, len(items))
        self._revision += 1
        if change is not None:
            gone = max(0, int(np.count_nonzero(before)) - len(listing.rows)) if before is not None else 0
            change = replace(change, moved_up=int(np.count_nonzero((moves > gone) & (moves != NEW))))
        return Batch(
            revision=self._revision,
            user=user,
            ids=Ids(items.ids, listing.rows, items.rows),
            scores=listing.scores,
            moves=moves,
            explore=frozenset(items.ids[list(explored)]),
            folded={items.ids[row]: tuple(items.ids[list(hidden)]) for row, hidden in folded.items()},
            mood=person.policy.mood(now),
            change=change,
            seconds=time.perf_counter() - started,
        )
