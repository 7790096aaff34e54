"""Calls taken apart into what happened, in the order of time."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.call import CallAnswered, CallBegan, CallEnded, Disposition, OutboundCall
from pbx_bridge.core.unfolding import in_order
from tests.store.examples import ANSWERED, MISSED, NOON, minutes

LONGEST = timedelta(hours=4)


def test_a_missed_call_begins_and_ends() -> None:
    (began, ended) = in_order([MISSED], LONGEST)
    assert began == (MISSED.began, CallBegan(replace(MISSED, ended=None, steps=())))
    assert ended == (MISSED.ended, CallEnded(MISSED))


def test_an_answered_call_is_not_answered_when_it_begins() -> None:
    first, second, third = in_order([ANSWERED], LONGEST)
    assert isinstance(first[1], CallBegan)
    assert first[1].call.answered_at is None
    assert first[1].call.disposition is Disposition.MISSED
    assert isinstance(second[1], CallAnswered)
    assert (second[0], second[1].call.ended) == (ANSWERED.answered_at, None)
    assert third[1] == CallEnded(ANSWERED)


def test_a_call_without_an_end_has_begun() -> None:
    assert [type(what) for _, what in in_order([replace(MISSED, ended=None)], LONGEST)] == [
        CallBegan
    ]


def test_a_call_from_the_office_is_told_as_often_as_there_is_news() -> None:
    whole = OutboundCall(
        call_id="9", dialled="12125550142", began=NOON, answered_at=NOON + minutes(1),
        ended=NOON + minutes(2),
    )  # fmt: skip
    told = [what for _, what in in_order([whole], LONGEST)]
    assert told == [replace(whole, answered_at=None, ended=None), replace(whole, ended=None), whole]
    in_vain = replace(whole, answered_at=None, ended=None)
    assert [what for _, what in in_order([in_vain], LONGEST)] == [in_vain]


def test_one_call_begins_while_another_lasts() -> None:
    long = replace(MISSED, call_id="long", ended=NOON + minutes(50))
    short = replace(MISSED, call_id="short", began=NOON + minutes(5), ended=NOON + minutes(6))
    told = [
        (type(what).__name__, what.call.call_id)
        for _, what in in_order([short, long], LONGEST)
        if isinstance(what, CallBegan | CallEnded)
    ]
    assert told == [
        ("CallBegan", "long"), ("CallBegan", "short"), ("CallEnded", "short"),
        ("CallEnded", "long"),
    ]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 240)), max_size=40))
def test_whatever_the_calls_time_never_goes_back(calls: list[tuple[int, int]]) -> None:
    """As long as no call lasts longer than is said."""
    whole = [
        replace(MISSED, began=NOON + minutes(began), ended=NOON + minutes(began + lasted))
        for began, lasted in calls
    ]
    whole.sort(key=lambda call: call.ended or NOON)
    times = [at for at, _ in in_order(whole, LONGEST)]
    assert times == sorted(times)
    assert len(times) == 2 * len(calls)
