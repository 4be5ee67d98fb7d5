"""Unit rows of whatever numbers come."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from llmrec.models.vectors import unit


@given(arrays(np.float32, array_shapes(min_dims=1, max_dims=3), elements=st.floats(width=32)))
def test_every_row_has_length_one_or_is_zero(vectors: np.ndarray) -> None:  # type: ignore[type-arg]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        lengths = np.linalg.norm(unit(vectors).astype(np.float64), axis=-1)
    something = np.any(np.isfinite(vectors) & (vectors != 0), axis=-1)
    assert np.allclose(lengths, something, atol=1e-3)


def test_what_is_no_number_counts_as_zero_and_the_others_stay() -> None:
    rows = np.array([[3, 4, np.nan], [np.inf, 0, 2], [0, 0, 0], [np.nan, np.inf, -np.inf], [6, 0, 8]], np.float32)
    wanted = [[0.6, 0.8, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0], [0.6, 0, 0.8]]
    assert np.allclose(unit(rows), wanted)
