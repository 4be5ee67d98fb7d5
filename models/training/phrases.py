"""Phrases of a text that could be its tags: runs of words between function words and punctuation.

Source: the candidates of RAKE (Rose et al., 2010, "Automatic keyword extraction from individual documents").
"""

import re

_BREAK = re.compile(r"[^\w\s'-]+")
_FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a about after again against all also although an and any are as at be became because been before being
        between both but by called can could did do does down during each few first for from had has have having
        he her here him his how however i if in including into is it its known many may might more most much
        must new no nor not of off on once one only or other our out over own same shall she should since so
        some such than that the their them then there these they this those three through to too two under until
        up us used very via was we were what when where which while who whom why will with within without would
        you""",
    )
)
_WORDS = 3
"""Of a phrase at most."""
_CHARS = range(3, 41)


def phrases(text: str) -> list[str]:
    """Runs of one to three words that are no function words, each once, in the order of the text."""
    found = (run for part in _BREAK.split(text) for run in _runs(part.split()))
    return [phrase for phrase in dict.fromkeys(found) if len(phrase) in _CHARS]


def _runs(words: list[str]) -> list[str]:
    runs: list[list[str]] = [[]]
    for word in words:
        if word.lower() in _FUNCTION_WORDS:
            runs.append([])
        else:
            runs[-1].append(word)
    return [" ".join(run) for run in runs if 0 < len(run) <= _WORDS]
