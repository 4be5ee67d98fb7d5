"""Which words stand beside an item: G(C_j) = sum_k p_kj T_k, several candidate texts with probabilities.

Pure functions: candidates come from the item's own sentences (and, where a writer is installed, from it); p_kj is a
softmax over the text's agreement with the user's interests and with the item. The most probable one is shown.
"""

import re
from collections.abc import Sequence

import numpy as np

from llmrec.engine.records import Item
from llmrec.models import FloatArray
from llmrec.models.sentences import MAX_CHARS, sentences, ungrounded

__all__ = ["MAX_CANDIDATES", "TEMPERATURE", "copied", "own_words", "probabilities", "sentences", "ungrounded"]

TEMPERATURE = 0.1
"""Of the softmax; cosines of an item's sentences differ by about .1 to .3."""
MAX_CANDIDATES = 6
_WORD = re.compile(r"\w+")


def copied(text: str, source: str) -> bool:
    """Whether the words of a text stand, in their order, in one sentence of its source, whole or shortened."""
    return any(_in_order(_words(text), _words(sentence)) for sentence in sentences(source))


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _in_order(few: Sequence[str], many: Sequence[str]) -> bool:
    left = iter(many)
    return all(word in left for word in few)


def own_words(item: Item) -> list[tuple[str, str]]:
    """Pairs (text, angle) from the item itself: its opening, then details; the title where there is no text."""
    found = list(dict.fromkeys(sentences(item.text)))[:MAX_CANDIDATES]
    if not found:
        return [((item.text or item.title)[:MAX_CHARS], "title" if not item.text else "opening")]
    return [
        (text, "opening" if k == 0 else "numbers" if any(c.isdigit() for c in text) else "detail")
        for k, text in enumerate(found)
    ]


def probabilities(texts: FloatArray, item: FloatArray, interest: FloatArray, bonus: Sequence[float] = ()) -> FloatArray:
    """p_k = softmax_k((T_k . U + T_k . C + b_k) / temperature).

    Args:
        texts: (K, d) unit vectors of the candidates T_k.
        item: (d,) unit vector C of the item.
        interest: (d,) the user's interest vector U, of any length; zero where nothing is known.
        bonus: (K,) further terms such as a writer's pointwise mutual information; empty for none.

    Returns:
        (K,) probabilities that sum to 1.
    """
    length = float(np.linalg.norm(interest))
    agreement = texts @ (interest / length if length else interest)  # (K, d) @ (d,) -> (K,)
    utility = agreement + texts @ item  # (K,)
    if len(bonus):
        utility = utility + np.asarray(bonus, np.float32)
    weights = np.exp((utility - utility.max()) / TEMPERATURE)
    return np.asarray(weights / weights.sum(), np.float32)
