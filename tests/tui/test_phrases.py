"""Numbers, times and changes in words; evidence; joined lists. Facts known by construction, and what always holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrec.engine import NEW, Batch, Change, Interest, Item, ItemId, Kind, Reason
from llmrec.tui import phrases
from llmrec.tui.evidence import gathered
from llmrec.tui.widgets import joins
from tests.tui.fake import DAY, NOW

HOUR = 3_600.0
finite = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.mark.parametrize(
    ("seconds", "short", "long"),
    [
        (0, "1 min", "just now"),
        (-5, "1 min", "just now"),
        (90, "1 min", "1 minute ago"),
        (2 * HOUR, "2 h", "2 hours ago"),
        (DAY, "1 d", "1 day ago"),
        (20 * DAY, "2 w", "2 weeks ago"),
        (70 * DAY, "2 mo", "2 months ago"),
        (800 * DAY, "2 y", "2 years ago"),
    ],
)
def test_lengths_of_time(seconds: float, short: str, long: str) -> None:
    assert phrases.span(seconds) == short
    assert phrases.ago(seconds) == long


@pytest.mark.parametrize(
    ("at", "words"), [(None, ""), (NOW + 99, "1 min"), (NOW - 3 * DAY, "3 d"), (788_918_400.0, "1995"), (-1e9, "1938")]
)
def test_age_of_what_was_published(at: float | None, words: str) -> None:
    assert phrases.when(at, NOW) == words


@pytest.mark.parametrize("at", [float("nan"), 1e20, -1e20, 4e12])
def test_no_time_is_too_strange_to_say(at: float) -> None:
    assert phrases.date(at)
    if at == at:
        assert isinstance(phrases.when(at, NOW), str)


@pytest.mark.parametrize(
    ("amount", "places", "words"),
    [(0.41, 2, "+.41"), (-0.04, 2, "−.04"), (1.2, 2, "+1.20"), (0.0086, 4, "+.0086"), (-12.5, 2, "−12.50")],
)
def test_amounts(amount: float, places: int, words: str) -> None:
    assert phrases.signed(amount, places) == words


@given(st.integers(-(2**31) + 1, NEW))
def test_a_rank_change_fits_its_column(places: int) -> None:
    assert 1 <= len(phrases.move(places)) <= 4


@given(finite, st.integers(0, 40))
def test_bars_fit(amount: float, width: int) -> None:
    assert len(phrases.bar(amount, width)) <= max(1, width)


@given(st.lists(finite, max_size=30), st.integers(0, 20))
def test_sparklines_have_their_width(values: list[float], width: int) -> None:
    assert len(phrases.sparkline(values, width)) == width


def test_facts_of_an_item_stand_in_one_line() -> None:
    item = Item(ItemId("a"), "A", source="harbour blog", tags=("sailing", "knots", "x"), published_at=NOW - 2 * HOUR)
    assert phrases.about(item, NOW) == "harbour blog · 2 h · sailing · knots"
    assert phrases.about(Item(ItemId("b"), "B"), NOW) == ""


def test_what_a_key_changed() -> None:
    like = Change(Kind.LIKE, ItemId("a"), "Tide tables", "sailing", 0.12, 4)
    assert phrases.changed(like) == 'liked "Tide tables": sailing +.12, 4 items moved up'
    assert phrases.changed(like, brief=True) == 'liked "Tide tables"'
    long = Change(Kind.LIKE, ItemId("a"), "Tide tables for those who sail the North Sea", "sailing", 0.12, 4)
    assert phrases.changed(long, room=60) == 'liked "Tide tables for…": sailing +.12, 4 items moved up'
    assert phrases.changed(long, room=9) == phrases.changed(long)  # it is cut anyway: as much of the title as ever
    undone = Change(Kind.SKIP, ItemId("a"), "Tide tables", moved_up=1, undone=True)
    assert phrases.changed(undone) == 'took back: skipped "Tide tables": 1 item moved up'
    steered = Change(Kind.LIKE, ItemId(""), "more sailing", "sailing")
    assert phrases.changed(steered) == "more sailing"


def test_the_difference_names_the_largest_climb_into_the_top_and_the_largest_fall_out_of_it() -> None:
    ids = [ItemId(f"i{k}") for k in range(20)]
    moves = np.zeros(20, np.int32)
    moves[2], moves[4], moves[15], moves[18], moves[19] = 9, 3, -12, -2, NEW
    batch = Batch(1, "me", ids, np.zeros(20, np.float32), moves)
    words = phrases.difference(batch, {id: f"T{id}" for id in ids})
    assert words == '2 rise, 2 sink · "Ti2" 12 → 3 · "Ti15" 4 → 16'
    still = Batch(2, "me", ids, np.zeros(20, np.float32), np.zeros(20, np.int32))
    assert phrases.difference(still, {}) == "no row moved"
    assert phrases.difference(Batch(3, "me", [], np.zeros(0, np.float32), np.zeros(0, np.int32)), {}) == "no row moved"


# Evidence.


def interest(name: str, *items: str) -> Interest:
    return Interest(name, (name, "x"), None, 0.5, 0.5, DAY, NOW, items=tuple(map(ItemId, items)))


def event(item: str, kind: Kind, amount: float, at: float = NOW - DAY) -> Reason:
    return Reason("likes", amount, ItemId(item), at, kind)


def test_evidence_is_put_together_by_interest() -> None:
    reasons = [
        event("a", Kind.LIKE, 0.4),
        event("a", Kind.LIKE, 0.1),  # the same event through another part
        event("b", Kind.LIKE, 0.3, NOW - 2 * DAY),
        event("b", Kind.OPEN, 0.05),
        event("z", Kind.DISLIKE, -0.2),
        Reason("length", 0.07),
        Reason("fresh", -0.01),
    ]
    found = gathered(reasons, [interest("sailing", "a", "b"), interest("trains", "c")], NOW)
    assert [(piece.words, round(piece.amount, 6)) for piece in found] == [
        ("sailing, x: 2 likes, 1 d ago", 0.85),
        ("1 dislike, 1 d ago", -0.2),
        ("longer than most", 0.07),
        ("no longer fresh", -0.01),
    ]
    assert [reason.amount for reason in found[0].events] == [0.5, 0.3, 0.05]


@given(
    st.lists(
        st.builds(
            Reason,
            st.sampled_from(["likes", "recent", "length"]),
            st.floats(-9, 9),
            st.none() | st.sampled_from([ItemId("a"), ItemId("b"), ItemId("c")]),
            st.none() | st.floats(0, NOW),
            st.none() | st.sampled_from(list(Kind)),
        ),
        max_size=20,
    )
)
def test_evidence_sums_to_the_score(reasons: list[Reason]) -> None:
    found = gathered(reasons, [interest("sailing", "a")], NOW)
    assert sum(piece.amount for piece in found) == pytest.approx(sum(reason.amount for reason in reasons), abs=1e-9)
    assert [abs(piece.amount) for piece in found] == sorted((abs(piece.amount) for piece in found), reverse=True)


# Joined lists.

paths = st.permutations(range(12)).map(lambda rows: list(enumerate(rows)))


@given(paths, st.integers(0, 14))
def test_upright_parts_of_joining_lines_never_share_a_cell(found: list[joins.Path], room: int) -> None:
    columns = joins.lanes(found, room)
    cells: set[tuple[int, int]] = set()
    for path, column in columns.items():
        if path[0] == path[1]:
            continue
        assert column < room
        upright = {(y, column) for y in range(min(path), max(path) + 1)}
        assert not upright & cells
        cells |= upright


@given(st.integers(0, 11), st.integers(0, 11), st.integers(1, 12))
def test_a_joining_line_leads_from_the_left_edge_to_the_right_edge(start: int, end: int, column: int) -> None:
    width = 14
    cells = joins.draw((start, end), column, width)
    y, x, steps = start, 0, 0
    came = joins.LEFT
    opposite = {joins.LEFT: joins.RIGHT, joins.RIGHT: joins.LEFT, joins.UP: joins.DOWN, joins.DOWN: joins.UP}
    move = {joins.LEFT: (0, -1), joins.RIGHT: (0, 1), joins.UP: (-1, 0), joins.DOWN: (1, 0)}
    while x < width:
        mask = cells[y, x]
        assert mask & came
        leave = mask & ~came
        y, x = y + move[leave][0], x + move[leave][1]
        came = opposite[leave]
        steps += 1
    assert y == end
    assert steps == len(cells)
