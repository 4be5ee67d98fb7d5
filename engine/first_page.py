"""The first page for somebody of whom nothing is known yet: a little of everything, domain by domain.

What nobody has clicked on cannot be ranked, only covered: whatever the newcomer likes should be in sight.
"""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.records import BoolArray, IntArray
from llmrec.engine.vectors import unit
from llmrec.models import FloatArray

PAGE = 24
"""Rows that are spread: a screen or two."""
_SAMPLE = 500
"""Items of a domain among which its medoids are sought."""


def first_page(rows: IntArray, catalogue: Catalogue, domains: Sequence[BoolArray], seed: int = 0) -> IntArray:
    """The rows with a spread page in front.

    Args:
        rows: (m,) rows in the order of a policy that knows nothing.
        catalogue: their vectors.
        domains: (n,) for each domain, whether an item belongs to it; the page takes them by turns.
        seed: of the sample.
    """
    keys = np.random.default_rng(seed).random(len(catalogue))  # by row, so that the page stays when one row leaves
    parts = [own for mask in domains if len(own := rows[mask[rows]])]
    each = -(-PAGE // max(len(parts), 1))
    picked = [_spread(own, catalogue.vectors, keys, each) for own in parts]
    head = [row for turn in zip_longest(*picked) for row in turn if row is not None][:PAGE]
    return np.concatenate([np.array(head, np.int32), rows[~np.isin(rows, head)]])


def _spread(rows: IntArray, vectors: FloatArray, keys: np.ndarray, count: int) -> list[int]:
    """Medoids of the better half of some rows, that of most items first."""
    better = rows[: max(_SAMPLE, len(rows) // 2)]
    sample = better[np.argsort(keys[better])[:_SAMPLE]]
    known = vectors[sample][np.any(vectors[sample] != 0, axis=1)]
    if not len(known):
        return []
    centred = unit(np.where(np.any(vectors[sample] != 0, axis=1)[:, None], vectors[sample] - known.mean(axis=0), 0))
    return [int(sample[place]) for place in medoids(centred, count)]


def medoids(vectors: FloatArray, count: int) -> list[int]:
    """At most `count` of n unit rows that cover the others best, greedily.

    Each maximises the gain in sum_i max(0, max_picked x_i . x) (facility location, for which the greedy choice is
    within 1 - 1/e of the best: Nemhauser et al., 1978). Ends where nothing is left to gain.
    """
    likeness = vectors @ vectors.T  # (n, d) @ (d, n) -> (n, n)
    covered = np.zeros(len(vectors), np.float32)
    found: list[int] = []
    while len(found) < min(count, len(vectors)):
        gain = np.maximum(likeness - covered, 0).sum(axis=1)
        best = int(np.argmax(gain))
        if gain[best] <= 1e-3:
            break
        found.append(best)
        np.maximum(covered, likeness[best], out=covered)
    return found
