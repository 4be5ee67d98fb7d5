"""Thought blocks never reach the reader, however the stream is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrec.models.think import ThinkFilter


def shown(pieces: list[str]) -> str:
    filtered = ThinkFilter()
    return "".join([*(filtered.feed(piece) for piece in pieces), filtered.rest()])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain words", "plain words"),
        ("<think>why</think>\n\nwords", "words"),
        ("<think></think>words", "words"),
        ("words <think>later</think>and more", "words and more"),
        ("<think>never closed", ""),
        ("a < b and <thin ice", "a < b and <thin ice"),
        ("ends with <thi", "ends with <thi"),
        ("stray </think> mark", "stray </think> mark"),
    ],
)
def test_any_cut_gives_the_same(text: str, expected: str) -> None:
    assert shown([text]) == expected
    assert shown(list(text)) == expected


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<th", "ink>", "a", " ", "</"]), max_size=12), st.integers(1, 5)
)
def test_pieces_do_not_matter(parts: list[str], step: int) -> None:
    text = "".join(parts)
    assert shown([text[i : i + step] for i in range(0, len(text), step)]) == shown([text])
