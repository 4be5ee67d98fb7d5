"""Half-lives of single items: who said them, the user's corrections, and the writer's judgement in quiet moments.

A correction is an entry of the log, so `undo` takes it back like everything else. What a writer judged is kept until
the item's content changes or another writer is used; the array that ranking reads changes in place.

A writer that was trained on this very question (`Writer.jobs`) is a small one, and an encoder that knows the answer is
right more often: it judges what the encoder does not know. Any other writer is larger, and judges everything.
"""

import math
from collections.abc import Iterator, Sequence
from threading import Event as Cancel
from threading import RLock

import numpy as np

from llmrec.engine import half_life, prompts
from llmrec.engine.errors import ModelError
from llmrec.engine.half_life import NO, YES, HalfLife
from llmrec.engine.live import Live
from llmrec.engine.log import HALF_LIFE
from llmrec.engine.records import BoolArray, Item, ItemId, Progress
from llmrec.engine.store import Store
from llmrec.models import Writer

USER = "you"
_TITLE = 40
"""Characters of a title in the log."""
_PAGE = 100
"""Items read at once while looking for what waits."""
_NOTHING = Item(ItemId(""), "N/A", "N/A")
"""An item that says nothing, for a writer's bias."""


class HalfLives:
    """How long each item stays worth reading. Every method takes the engine's lock itself where it needs it."""

    def __init__(self, store: Store, live: Live, writer: Writer | None, lock: RLock) -> None:
        """Half-lives in `store`, applied to the catalogue of `live`, judged by `writer` (None: rules alone)."""
        self._store = store
        self._live = live
        self._writer = writer
        self._lock = lock
        self._of_nothing: float | None = None

    def of(self, item: Item) -> HalfLife:
        """An item's half-life: the user's word, else a writer's judgement, else by its tags, its vector and rules."""
        said = self._store.half_life(item.id)
        if said is not None:
            return HalfLife(*said)
        with self._lock:
            lasting, encoder = self._lasting(item.id), self._live.vectors.embedder.model_id
        seconds = half_life.by_rule(item, lasting)
        by = "rule" if math.isnan(lasting) or half_life.declared(item) else encoder
        return HalfLife(seconds, by if math.isfinite(seconds) else "")

    def correct(self, user: str, item: Item, seconds: float | None, now: float) -> str:
        """Keep the user's word in the log (None: take it away) and apply it; returns it in words."""
        words = half_life.in_words(seconds) if seconds is not None else "as long as the models or rules say"
        title = item.title if len(item.title) <= _TITLE else f"{item.title[:_TITLE].rstrip()}…"
        said = f'"{title}" stays fresh {words}'
        payload = {"item": item.id, "seconds": seconds, "words": said}
        self._store.append_correction(user, HALF_LIFE, payload, now)
        self.apply(item)
        return said

    def apply(self, item: Item) -> None:
        """Bring the catalogue up to date with what is said of an item."""
        with self._lock:
            row = self._live.items.rows.get(item.id)
            if row is not None:
                self._live.items.half_lives[row] = self.of(item).seconds

    def unjudged(self, first: Sequence[ItemId] = (), *, unknown: bool = False) -> Iterator[ItemId]:
        """Items that neither the user, their source nor the writer in use has judged: `first`, then the newest.

        With `unknown`, only those that the encoder tells nothing of.
        """
        if self._writer is None:
            return
        unknown = unknown or self._writer.jobs is not None
        with self._lock:
            rows, untold = self._live.items.rows, self._untold()
        if unknown and not untold.any():
            return  # no item need be read, whenever a quiet moment asks
        done = (USER, self._writer.model_id)
        said = {item for item, (_, by) in self._store.half_lives().items() if by in done}
        columns = self._store.columns()
        order = sorted(range(len(columns.ids)), key=lambda row: -_known(float(columns.published[row])))
        waiting = [i for i in dict.fromkeys([*first, *(columns.ids[row] for row in order)]) if i not in said]
        waiting = [i for i in waiting if i in rows and untold[rows[i]]] if unknown else waiting
        for start in range(0, len(waiting), _PAGE):
            for item in self._store.items(waiting[start : start + _PAGE]):
                if not half_life.declared(item):
                    yield item.id

    def judge(self, ids: Sequence[ItemId], cancel: Cancel | None) -> Iterator[Progress]:
        """Ask the writer of each item whether it will still be useful in a year; each answer is kept at once.

        Raises:
            ModelError: the writer failed.
        """
        if self._writer is None:
            return
        for done, id in enumerate(ids):
            yield Progress(done, len(ids), "half-lives")
            item = self._store.item(id)
            seconds = self._judged(self._writer, item, cancel)
            if seconds is None:
                return
            self._store.save_half_life(id, seconds, self._writer.model_id)
            self.apply(item)
        if ids:
            yield Progress(len(ids), len(ids), "half-lives")

    def _judged(self, writer: Writer, item: Item, cancel: Cancel | None) -> float | None:
        """Seconds by a writer; None when cancelled. One that was not trained on the question is calibrated."""
        odds = self._odds(writer, item, cancel)
        if odds is None:
            return None
        if writer.jobs is not None:
            p = half_life.probability(odds)
            seconds = half_life.by_rule(item, p)
            return seconds if math.isfinite(seconds) else half_life.from_probability(p)  # rules know no such domain
        if self._of_nothing is None:
            self._of_nothing = self._odds(writer, _NOTHING, cancel)
        if self._of_nothing is None:
            return None
        return half_life.from_probability(half_life.probability(odds, self._of_nothing))

    def _untold(self) -> BoolArray:
        """(n,) which items have a vector from which the encoder, having been asked, tells nothing."""
        items = self._live.items
        return items.known & np.isnan(items.lasting) & self._live.vectors.probed

    def _lasting(self, id: ItemId) -> float:
        """P(still useful in a year) by the encoder; nan where it does not know."""
        items = self._live.items
        return float(items.lasting[items.rows[id]]) if id in items.rows else math.nan

    @staticmethod
    def _odds(writer: Writer, item: Item, cancel: Cancel | None) -> float | None:
        """Log odds of yes; None when cancelled."""
        try:
            scores = writer.score(prompts.still_useful(item), [*YES, *NO], cancel=cancel)
        except ModelError:
            if cancel is not None and cancel.is_set():
                return None
            raise
        return half_life.log_odds(scores) if len(scores) == len(YES) + len(NO) else None


def _known(published: float) -> float:
    return published if math.isfinite(published) else -math.inf
