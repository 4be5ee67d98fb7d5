"""Candidate texts: where sentences end, what p means, and what counts as grounded."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llmrec.engine import Item
from llmrec.engine.texts import own_words, probabilities, sentences, ungrounded


def test_sentences_end_where_a_reader_would_say() -> None:
    text = "Dr. J. S. Bach wrote it in 1.5 weeks, e.g. at night. It has four long parts! Does it last very long? Yes."
    assert sentences(text) == [
        "Dr. J. S. Bach wrote it in 1.5 weeks, e.g. at night.",
        "It has four long parts!",
        "Does it last very long?",
    ]


def test_an_item_without_text_offers_its_title() -> None:
    assert own_words(Item("a", "Only a title")) == [("Only a title", "title")]


def test_the_essays_second_case_chooses_the_text_that_agrees_most() -> None:
    # U = [.2, .5, .3] over D1 [.1, .6, .3], D2 [.3, .1, .6], D3 [.6, .3, .1] must choose D1.
    texts = np.array([[0.1, 0.6, 0.3], [0.3, 0.1, 0.6], [0.6, 0.3, 0.1]], np.float32)
    p = probabilities(texts, np.zeros(3, np.float32), np.array([0.2, 0.5, 0.3], np.float32))
    assert int(np.argmax(p)) == 0


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_probabilities_sum_to_one_and_follow_agreement(k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = rng.normal(size=(k, 8)).astype(np.float32)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    interest = rng.normal(size=8).astype(np.float32) * rng.uniform(0, 1000)
    p = probabilities(texts, np.zeros(8, np.float32), interest)
    assert np.isclose(p.sum(), 1, atol=1e-5)
    assert int(np.argmax(p)) == int(np.argmax(texts @ interest))


def test_names_and_numbers_must_come_from_the_item() -> None:
    source = "The lighthouse of Skagen was built in 1858 by Anders."
    assert ungrounded("It was built in 1858 at Skagen.", source) == []
    assert ungrounded("It was built in 1921 by Peter.", source) == ["1921", "Peter"]
