"""Words as BERT cuts them; the golden file checks the same through the whole encoder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrec.models.bert_words import MAX_WORD, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", ["hello", ",", "world", "!"]),
        ("don't stop", ["don", "'", "t", "stop"]),
        ("  tabs\tand\nlines ", ["tabs", "and", "lines"]),
        ("Crème BRÛLÉE", ["creme", "brulee"]),
        ("東京tower", ["東", "京", "tower"]),
        ("soft\u00adhyphen zero\u200bwidth", ["softhyphen", "zerowidth"]),
        ("nbsp\u00a0here em\u2014dash", ["nbsp", "here", "em", "\u2014", "dash"]),
        ("ΟΔΟΥΣ", ["οδουσ"]),
        ("next\u0085line", ["nextline"]),
        ("a\x00b\x1fc", ["abc"]),
        ("$5.00+tax", ["$", "5", ".", "00", "+", "tax"]),
        ("", []),
    ],
)
def test_cuts_like_the_original(text: str, expected: list[str]) -> None:
    assert words(text, limit=50) == expected


def test_case_and_accents_can_be_kept() -> None:
    assert words("Crème", limit=5, lowercase=False, strip_accents=False) == ["Crème"]


@given(st.text(max_size=200), st.integers(1, 20))
def test_never_more_words_than_asked_and_none_empty(text: str, limit: int) -> None:
    found = words(text, limit=limit)
    assert len(found) <= limit
    assert all(found)
    assert found == words(text, limit=1000)[:limit] or len(text) > limit * MAX_WORD


@given(st.text(alphabet=st.characters(max_codepoint=126), max_size=100))
def test_the_quick_way_for_ascii_cuts_alike(text: str) -> None:
    assert words(text + " \u00e9", limit=200)[:-1] == words(text, limit=200)
