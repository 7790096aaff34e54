"""Where the parts of a picture go."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.charts import columns, lines, shade, share_of


def test_columns_stand_side_by_side_and_their_parts_upon_each_other() -> None:
    drawn = columns(["Mon", "Tue", "Wed"], [(2, 2), (0, 0), (1, 3)])
    frame = drawn.frame
    assert [(tick.value, tick.y) for tick in frame.ticks] == [
        (0, frame.bottom), (1, 164), (2, 113), (3, 62), (4, frame.top),
    ]  # fmt: skip
    assert [label.text for label in frame.labels] == ["Mon", "Tue", "Wed"]
    first, second, third, fourth = drawn.blocks
    assert (first.column, first.part, second.column, second.part) == (0, 0, 0, 1)
    assert first.y + first.height == frame.bottom
    assert second.y + second.height == first.y
    assert first.height == second.height == 103
    assert (third.column, fourth.column) == (2, 2)
    assert fourth.y == frame.top
    assert first.x + first.width < third.x


def test_nothing_at_all_has_a_frame_and_no_blocks() -> None:
    assert columns([], []).blocks == ()
    assert [tick.value for tick in columns(["Mon"], [(0,)]).frame.ticks] == [0, 1]
    assert lines([], []).series == ()


def test_a_line_is_broken_where_there_is_no_value() -> None:
    drawn = lines(["a", "b", "c", "d"], [[1.5, None, 3.0, 6.0], [None, None, None, None]])
    one, none = drawn.series
    assert [[point.column for point in piece] for piece in one] == [[0], [2, 3]]
    assert none == ()
    assert one[1][0].y > one[1][1].y == drawn.frame.top


@given(st.lists(st.lists(st.integers(0, 10_000), min_size=2, max_size=3), max_size=60))
def test_whatever_the_numbers_all_lies_in_the_frame(parts: list[list[int]]) -> None:
    drawn = columns([str(n) for n in range(len(parts))], parts)
    frame = drawn.frame
    for block in drawn.blocks:
        assert frame.left <= block.x + 1
        assert block.x + block.width <= frame.right + 1
        assert frame.top - 3 <= block.y
        assert block.y + block.height <= frame.bottom
        assert block.height >= 1
    assert len(drawn.blocks) == sum(value > 0 for column in parts for value in column)
    assert len(frame.labels) <= 11
    values = [tick.value for tick in frame.ticks]
    assert all(earlier < later for earlier, later in pairwise(values))
    assert values[-1] >= max(map(sum, parts), default=0)
    assert len(values) <= 7


@given(st.floats(1e-6, 1e9))
def test_the_scale_has_a_few_round_numbers(most: float) -> None:
    values = [tick.value for tick in lines(["a"], [[most]]).frame.ticks]
    assert 2 <= len(values) <= 7
    assert values[-1] >= most * (1 - 1e-9)


def test_the_longest_bar_has_the_whole_length_and_the_shortest_is_seen() -> None:
    assert share_of(10, 10, 200) == 200
    assert share_of(1, 10_000, 200) == 1
    assert share_of(0, 10, 200) == share_of(0, 0, 200) == 0


@pytest.mark.parametrize(
    ("count", "most", "dark"),
    [
        (0, 5, 0),
        (1, 60, 1),
        (10, 60, 1),
        (11, 60, 2),
        (59, 60, 6),
        (60, 60, 6),
        (1, 1, 6),
        (0, 0, 0),
    ],
)
def test_a_cell_is_the_darker_the_more(count: int, most: int, dark: int) -> None:
    assert shade(count, most) == dark


@given(st.integers(1, 1000).flatmap(lambda most: st.tuples(st.integers(1, most), st.just(most))))
def test_more_is_never_lighter(pair: tuple[int, int]) -> None:
    count, most = pair
    assert 1 <= shade(count, most) <= 6
    assert shade(count, most) >= shade(count - 1, most)
