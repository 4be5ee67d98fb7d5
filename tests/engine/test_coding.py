"""Codes made page by page, anew or from what there was, are the same."""

import numpy as np
from conftest import finished
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrec.engine.catalogue import Catalogue
from llmrec.engine.codes import Codes
from llmrec.engine.coding import fitted, grown, still_fitted
from llmrec.engine.vectors import unit

RNG = np.random.default_rng(0)
VECTORS = unit(RNG.normal(size=(90, 12)).astype(np.float32))
VECTORS[::10] = 0
TEXTS = [" ".join(f"w{word}" for word in RNG.integers(0, 30, RNG.integers(0, 9))) for _ in range(90)]


def pages(size: int, n: int = 90) -> list[list[str]]:
    return [TEXTS[start : min(start + size, n)] for start in range(0, n, size)]


OLD = finished(fitted(VECTORS, lambda: pages(40)))


def same(codes: Codes, other: Codes) -> bool:
    a, b = codes.arrays(), other.arrays()
    return a.keys() == b.keys() and all(np.allclose(a[name], b[name]) for name in a if name != "fitted")


@settings(max_examples=40, deadline=None)
@given(stale=st.lists(st.booleans(), min_size=90, max_size=90), size=st.integers(1, 100))
def test_encoding_any_of_the_items_again_changes_nothing(stale: list[bool], size: int) -> None:
    assert same(finished(grown(OLD, VECTORS, np.array(stale), lambda: pages(size))), OLD)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 90), size=st.integers(1, 100))
def test_items_that_come_later_are_encoded_as_if_they_had_been_there(n: int, size: int) -> None:
    first = finished(grown(OLD, VECTORS[:n], np.zeros(n, np.bool_), lambda: pages(size, n)))
    assert same(finished(grown(first, VECTORS, np.arange(90) >= n, lambda: pages(size))), OLD)


def test_a_row_is_read_back_as_good_as_exact() -> None:
    exact = Catalogue(VECTORS, texts=TEXTS).joint
    white = exact.rows / np.sqrt(OLD.space.variance) * exact.inverse_lengths[0, :, None]
    assert np.all(np.abs(OLD.white(np.arange(90)) - white) <= OLD.scale / 400)
    assert np.allclose(OLD.rows(np.arange(90)), exact.rows, atol=1e-3)


def test_codes_outlive_a_file() -> None:
    assert same(Codes.of(OLD.arrays()), OLD)


def test_what_is_fitted_on_is_counted() -> None:
    assert int(OLD.fitted) == np.count_nonzero(VECTORS.any(axis=1)) == 81
    changed = np.zeros(100, np.bool_)
    changed[[1, 10, 95]] = True  # the second had no vector, the third is new
    assert still_fitted(OLD, changed) == 80


def test_progress_goes_on_to_the_end() -> None:
    for work in (fitted(VECTORS, lambda: pages(7)), grown(OLD, VECTORS, np.ones(90, np.bool_), lambda: pages(7))):
        done = [progress.done for progress in work]
        assert done == sorted(done)
        assert done[-1] == 90
