"""What is counted in the writer's texts; pure functions, one definition each."""

from collections.abc import Sequence

import numpy as np

from llmrec.models import FloatArray
from llmrec.models.prompts import is_whole
from llmrec.models.sentences import sentences, ungrounded
from llmrec.models.training.corpus import plain

_RUN = 4
"""Words in a row that may occur once only."""


def rouge_l(text: str, reference: str) -> float:
    """ROUGE-L: F1 of the longest common subsequence of words, 0 to 1.

    Source: Lin, 2004, https://aclanthology.org/W04-1013; words are compared without case and punctuation, unstemmed.
    """
    a, b = plain(text).split(), plain(reference).split()
    row = [0] * (len(b) + 1)
    for word in a:
        before = 0
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], before + 1 if word == other else max(row[j], row[j - 1])
    return 2 * row[-1] / (len(a) + len(b)) if row[-1] else 0.0


def best_rouge_l(text: str, references: Sequence[str]) -> float:
    """The highest ROUGE-L with any of the references."""
    return max(rouge_l(text, reference) for reference in references)


def repeats(text: str) -> bool:
    """Whether some run of four words occurs twice, or one word three times in a row."""
    words = plain(text).split()
    runs = [tuple(words[n : n + _RUN]) for n in range(len(words) - _RUN + 1)]
    stuck = any(words[n] == words[n + 1] == words[n + 2] for n in range(len(words) - 2))
    return stuck or len(set(runs)) < len(runs)


def usable(text: str, title: str, item: str) -> bool:
    """Whether the app would show a text: a whole sentence that names nothing the item does not contain."""
    return is_whole(text) and not ungrounded(text, f"{title} {item}")


def lead(text: str) -> str:
    """The first sentence of an item; all of it where none can stand alone."""
    return (sentences(text) or [text])[0]


def chosen(texts: FloatArray, item: FloatArray, interest: FloatArray) -> int:
    """Which of K texts the app would show: the largest T_k . U + T_k . C.

    Args:
        texts: (K, d) unit vectors of the texts.
        item: (d,) unit vector of the item.
        interest: (d,) unit vector of the reader's interest.
    """
    return int(np.argmax(texts @ (interest + item)))  # (K, d) @ (d,) -> (K,)
