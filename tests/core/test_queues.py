"""Who stands where in a queue."""

from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.queues import Queues


def places(queues: Queues, *channels: str) -> list[int]:
    return [queues.place(channel) for channel in channels]


def test_those_behind_move_up_when_somebody_leaves() -> None:
    queues = Queues()
    for place, caller in enumerate("abc", start=1):
        queues.join("sales", caller, place)
    queues.join("service", "x", 1)
    queues.leave("a")
    assert places(queues, "a", "b", "c", "x") == [0, 1, 2, 1]


def test_who_is_let_in_front_moves_the_others_back() -> None:
    queues = Queues()
    queues.join("sales", "a", 1)
    queues.join("sales", "b", 2)
    queues.join("sales", "vip", 1)
    assert places(queues, "vip", "a", "b") == [1, 2, 3]


def test_a_caller_waits_in_one_queue_at_a_time() -> None:
    queues = Queues()
    queues.join("sales", "a", 1)
    queues.join("sales", "b", 2)
    queues.join("service", "a", 1)
    assert places(queues, "a", "b") == [1, 1]
    assert queues.held == 2


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["", "s", "t"]), st.integers(-1, 5))
    )
)
def test_nothing_that_is_told_breaks_it_and_nothing_is_left(
    told: list[tuple[str, str, int]],
) -> None:
    queues = Queues()
    for channel, queue, place in told:
        if queue:
            queues.join(queue, channel, place)
        else:
            queues.leave(channel)
    for channel in "abcd":
        queues.leave(channel)
        assert queues.place(channel) == 0
    assert queues.held == 0
