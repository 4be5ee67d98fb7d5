"""The one cleaner: nothing that steers a terminal gets through, and real text is left alone."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrec.models.clean import clean

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=[]), max_size=200)


@given(ANY_TEXT, st.booleans(), st.integers(0, 50))
def test_whatever_comes_the_result_is_safe(text: str, multiline: bool, limit: int) -> None:
    safe = clean(text, multiline=multiline, limit=limit)
    assert len(safe) <= limit
    assert clean(safe, multiline=multiline, limit=limit) == safe
    safe.encode("utf-8")
    for char in safe:
        assert char == "\n" if unicodedata.category(char) == "Cc" else True
        assert multiline or char != "\n"
        assert not 0x202A <= ord(char) <= 0x202E
        assert not 0x2066 <= ord(char) <= 0x2069
        assert not 0xE0000 <= ord(char) <= 0xE0FFF


@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        ("\x1b]52;c;aGk=\x07x", "]52;c;aGk=x"),
        ("\x9b2Jx", "2Jx"),
        ("a\u202eb\u2066c", "abc"),
        ("a\u200bb\ufeff", "ab"),
        ("\ud800x", "x"),
        ("e\u0301\u0301\u0301\u0301\u0301", "é\u0301\u0301"),
        ("a\r\nb\tc", "a b c"),
        ("tag\U000e0041", "tag"),
        ("a\u200db", "ab"),
    ],
)
def test_known_attacks(hostile: str, safe: str) -> None:
    assert clean(hostile) == safe


@pytest.mark.parametrize(
    "text", ["naïve café", "日本語のタイトル", "👩‍👩‍👧 family", "❤️ heart", "[b]not markup[/b]", "10 € – 20 %"]
)
def test_real_text_is_left_alone(text: str) -> None:
    assert clean(text) == text


def test_line_breaks_stay_where_asked_for() -> None:
    assert clean("a\r\n\r\n\r\n\r\nb", multiline=True) == "a\n\nb"
