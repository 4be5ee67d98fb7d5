"""Words and the joint space, against slow definitions."""

from collections import Counter

import numpy as np
import pytest

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.spaces import leading_topics
from llmrec.engine.vectors import top_k, unit
from llmrec.engine.words import WordIndex, count_words

TEXTS = ["red apple pie", "apple tree garden", "garden tools shed", "red tools", "", "zebra"]


def dense(words: WordIndex) -> np.ndarray:
    table = np.zeros((words.n, len(words.vocabulary)), np.float32)
    for row in range(words.n):
        terms, data = words.row(row)
        table[row, terms] = data
    return table


def test_words_are_unit_tf_idf_rows() -> None:
    words = WordIndex(TEXTS)
    table = dense(words)
    assert set(words.vocabulary) == {"red", "apple", "garden", "tools"}
    assert np.allclose(np.linalg.norm(table, axis=1), [1, 1, 1, 1, 0, 0])
    for row in range(6):
        assert np.allclose(words.similarity(row), table @ table[row], atol=1e-6)
        assert words.between(row, 1) == pytest.approx(float(table[row] @ table[1]), abs=1e-6)


def test_sparse_products_are_those_of_the_table() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{i}" for i in rng.integers(0, 40, rng.integers(0, 9))) for _ in range(300)]
    words = WordIndex(texts)
    table = dense(words)
    a = rng.normal(size=(table.shape[1], 5)).astype(np.float32)
    b = rng.normal(size=(300, 5)).astype(np.float32)
    assert np.allclose(words.times(a), table @ a, atol=1e-4)
    assert np.allclose(words.transposed_times(b), table.T @ b, atol=1e-4)
    some = np.array([7, 3, 250])
    assert np.allclose(dense(words.taken(some)), table[some])
    topics = leading_topics(words, 8)
    best = np.linalg.svd(table)[1][:8]
    assert np.linalg.norm(table @ topics) == pytest.approx(np.linalg.norm(best), rel=0.02)


def test_new_items_join_without_moving_the_old() -> None:
    rng = np.random.default_rng(1)
    vectors = unit(rng.normal(size=(100, 8)).astype(np.float32))
    texts = [f"w{i % 7} w{i % 11}" for i in range(100)]
    grown = Catalogue(vectors[:90], texts=texts[:90])
    before = grown.joint.rows.copy()
    grown.extend(vectors[90:], texts=texts[90:])
    assert grown.joint.rows.shape[0] == len(grown) == 100
    assert np.array_equal(grown.joint.rows[:90], before)
    assert np.any(grown.joint.rows[90:])


def test_likeness_is_the_cosine_of_the_rows() -> None:
    rng = np.random.default_rng(2)
    catalogue = Catalogue(rng.normal(size=(50, 6)).astype(np.float32), texts=[f"w{i % 5}" for i in range(50)])
    joint = catalogue.joint
    white, plain = joint.likeness(joint.probes(joint.rows[[4]]))[:, 0]
    rows = joint.rows
    assert np.allclose(plain, unit(rows) @ unit(rows)[4], atol=1e-5)
    scaled = unit((rows / np.sqrt(joint.space.variance)).astype(np.float32))
    assert np.allclose(white, scaled @ scaled[4], atol=1e-5)


def test_top_k_orders_ties_by_row() -> None:
    assert top_k(np.array([1, 3, 3, 0, 3], np.float32), 2).tolist() == [1, 2]
    assert top_k(np.array([], np.float32), 5).tolist() == []
    assert top_k(np.array([2, 1], np.float32), 9).tolist() == [0, 1]


def test_words_counted_page_by_page_are_those_of_all_texts() -> None:
    rng = np.random.default_rng(3)
    texts = [" ".join(f"w{i}" for i in rng.integers(0, 40, 6)) for _ in range(90)]
    found = Counter[str]()
    for page in (texts[:50], texts[50:]):
        count_words(found, page)
    whole, counted = WordIndex(texts), WordIndex.counted(found, len(texts))
    assert list(counted.vocabulary.items()) == list(whole.vocabulary.items())
    for a, b in zip(counted.of(counted.read(texts)).rows, whole.rows, strict=True):
        assert np.allclose(a, b)
