"""Hybrid search: by words (FTS5) and by meaning (vectors), joined by rank."""

from collections import defaultdict

from llmrec.engine.items import Items
from llmrec.engine.records import Hit, ItemId
from llmrec.engine.store import Store
from llmrec.models import FloatArray

_DEPTH = 100
_FUSION = 60.0
"""Constant of reciprocal rank fusion (Cormack et al., SIGIR 2009)."""


def search(store: Store, items: Items, text: str, vector: FloatArray, n: int) -> list[Hit]:
    """The best n items by sum over both rankings of 1 / (60 + rank).

    Args:
        store: for the words.
        items: the catalogue.
        text: what was typed.
        vector: (d,) its unit vector.
        n: how many.
    """
    by_words = [item_id for item_id, _ in store.find_words(text, _DEPTH)]
    nearest, cosines = items.catalogue.nearest(vector, _DEPTH)
    by_meaning: list[ItemId] = list(items.ids[nearest[cosines > 0]])
    fused: defaultdict[ItemId, float] = defaultdict(float)
    for ranking in (by_words, by_meaning):
        for rank, item_id in enumerate(ranking, start=1):
            fused[item_id] += 1 / (_FUSION + rank)
    best = sorted(fused.items(), key=lambda found: -found[1])[:n]
    titles = {item.id: item.title for item in items.get([item_id for item_id, _ in best])}
    words, meaning = set(by_words), set(by_meaning)

    def matched(item_id: ItemId) -> str:
        return "both" if item_id in words & meaning else "words" if item_id in words else "meaning"

    return [Hit(rank, i, titles[i], score, matched(i)) for rank, (i, score) in enumerate(best, start=1)]
