"""The list on screen: what is folded, spread and explored, on catalogues whose answer is known."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llmrec.engine.arrange import EXPLORE_SLOTS, arrange
from llmrec.engine.catalogue import Catalogue

DAY = 86_400.0


def _axes(*places: int) -> np.ndarray:
    return np.eye(12, dtype=np.float32)[list(places)]


def test_the_same_story_is_folded_behind_its_best_telling() -> None:
    vectors = _axes(0, 1, 0, 2, 0)
    found = arrange(np.arange(5, dtype=np.int32), np.arange(5, 0, -1, dtype=np.float32), Catalogue(vectors), None)
    assert found.folded == {0: (2, 4)}
    assert set(found.rows.tolist()) == {0, 1, 3}


def test_alike_but_published_apart_is_not_the_same_story() -> None:
    vectors = _axes(0, 1, 2)
    vectors[1] = [0.9, np.sqrt(1 - 0.81), *[0] * 10]
    scores, rows = np.array([3, 2, 1], np.float32), np.arange(3, dtype=np.int32)
    same_day = Catalogue(vectors, np.array([0.0, DAY, 0.0]))
    assert arrange(rows, scores, same_day, None).folded == {0: (1,)}
    assert arrange(rows, scores, Catalogue(vectors, np.array([0.0, 9 * DAY, 0.0])), None).folded == {}


def test_variety_breaks_up_a_run_of_the_same_topic() -> None:
    rng = np.random.default_rng(0)
    vectors = np.concatenate([_axes(*[0] * 6), _axes(*[1] * 6)]) + 0.3 * rng.normal(size=(12, 12)).astype(np.float32)
    scores = np.concatenate([np.linspace(1.0, 0.95, 6), np.linspace(0.93, 0.5, 6)]).astype(np.float32)
    order = arrange(np.arange(12, dtype=np.int32), scores, Catalogue(vectors), None).rows
    assert order[0] == 0
    assert (order[:4] >= 6).any()


@given(st.integers(0, 300), st.integers(0, 2**32 - 1), st.booleans())
def test_no_row_is_lost_or_doubled(n: int, seed: int, explore: bool) -> None:
    rng = np.random.default_rng(seed)
    catalogue = Catalogue(rng.normal(size=(n, 5)).astype(np.float32).round(0))
    scores = -np.sort(-rng.normal(size=n)).astype(np.float32)
    noise = rng.normal(size=n) if explore else None
    found = arrange(np.arange(n, dtype=np.int32), scores, catalogue, noise)
    shown = found.rows.tolist() + [row for hidden in found.folded.values() for row in hidden]
    assert sorted(shown) == list(range(n))
    assert np.array_equal(found.scores, scores[found.rows])
    if found.explore:
        assert [found.rows[slot - 1] for slot in EXPLORE_SLOTS] == list(found.explore)
    again = arrange(np.arange(n, dtype=np.int32), scores, catalogue, noise)
    assert again.rows.tolist() == found.rows.tolist()
