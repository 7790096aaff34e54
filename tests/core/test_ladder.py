"""Whom to phone next: never two at once, never once it was taken, never when somebody sleeps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.ladder import (
    CallOver,
    Done,
    GiveUp,
    Ladder,
    LadderState,
    Leg,
    LegOutcome,
    Pattern,
    Person,
    Ring,
    Step,
    Wait,
    next_step,
    not_answered,
)

NIGHT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
PEOPLE = tuple(Person(name=name, phone=str(101 + n)) for n, name in enumerate(("Anna", "Ben")))
PATTERN = Pattern(people=PEOPLE, rounds=2)


def after(seconds: float) -> datetime:
    return NIGHT + timedelta(seconds=seconds)


def leg(
    place: int = 0,
    outcome: LegOutcome | None = LegOutcome.NO_ANSWER,
    *,
    round_: int = 0,
    placed: float = 0,
    answered: float | None = None,
    ended: float = 30,
) -> Leg:
    return Leg(
        round=round_,
        place=place,
        placed_at=after(placed),
        answered_at=None if answered is None else after(answered),
        ended_at=None if outcome is None else after(ended),
        outcome=outcome,
    )


def step(
    *legs: Leg,
    at: float,
    pattern: Pattern = PATTERN,
    state: LadderState = LadderState.RUNNING,
) -> Step:
    return next_step(Ladder(opened_at=NIGHT, legs=legs, state=state), pattern, after(at))


def test_the_first_is_rung_first_and_at_once() -> None:
    assert step(at=0) == Ring(0, 0, PEOPLE[0])


@pytest.mark.parametrize(
    "outcome",
    [
        LegOutcome.NO_ANSWER,
        LegOutcome.REFUSED,
        LegOutcome.PASSED,
        LegOutcome.NO_KEY,
        LegOutcome.LOST,
    ],
)
def test_whoever_does_not_take_it_is_followed_by_the_next(outcome: LegOutcome) -> None:
    assert step(leg(0, outcome), at=30) == Ring(0, 1, PEOPLE[1])


def test_while_somebody_is_rung_nobody_else_is() -> None:
    assert step(leg(0, None), at=20) == Wait(after(35), ringing=True)
    assert step(leg(0, None, answered=20), at=60) == Wait(after(90), ringing=True)


def test_a_call_of_which_nothing_more_is_heard_is_over_at_some_time() -> None:
    """The PBX ends it by then: ringing by the time-out, talking by the absolute one."""
    assert step(leg(0, None), at=35) == CallOver(LegOutcome.LOST)
    assert step(leg(0, None, answered=20), at=90) == CallOver(LegOutcome.NO_KEY)


def test_a_clock_that_was_set_back_makes_nobody_wait_for_hours() -> None:
    assert step(leg(0, None, placed=7200), at=0) == CallOver(LegOutcome.LOST)


def test_the_next_round_begins_after_a_pause_and_the_last_is_the_last() -> None:
    round_one = (leg(0), leg(1, placed=30, ended=60))
    assert step(*round_one, at=60) == Wait(after(180))
    assert step(*round_one, at=180) == Ring(1, 0, PEOPLE[0])
    all_rounds = (*round_one, leg(0, round_=1, ended=210), leg(1, round_=1, ended=240))
    assert step(*all_rounds, at=240) == GiveUp("nobody took it")


def test_a_pbx_that_cannot_be_told_is_tried_again_with_the_same_person() -> None:
    failed = leg(1, LegOutcome.NOT_PLACED, placed=30, ended=30)
    assert step(leg(0), failed, at=31) == Wait(after(45))
    assert step(leg(0), failed, at=45) == Ring(0, 1, PEOPLE[1])


def test_it_is_given_up_when_it_is_too_late_to_help() -> None:
    assert step(leg(0, LegOutcome.NOT_PLACED, ended=3600), at=3600) == GiveUp("its time was over")


def test_who_is_not_on_call_now_is_passed_over() -> None:
    asleep = replace(PEOPLE[0], there=lambda _at: False)
    assert step(at=0, pattern=replace(PATTERN, people=(asleep, PEOPLE[1]))) == Ring(0, 1, PEOPLE[1])
    nobody = replace(PATTERN, people=(asleep,))
    assert step(at=0, pattern=nobody) == GiveUp("nobody is on call at this hour")


@pytest.mark.parametrize("state", [one for one in LadderState if one is not LadderState.RUNNING])
def test_what_has_ended_stays_so(state: LadderState) -> None:
    assert step(leg(0), at=30, state=state) == Done()


def test_the_pbx_says_only_whether_it_rang_to_the_end() -> None:
    """Seen on Asterisk 16 and 22: busy, refused, not registered and unknown are all 0."""
    assert not_answered("3") is LegOutcome.NO_ANSWER
    assert not_answered("0") is not_answered("5") is LegOutcome.REFUSED


# -- whatever happens -----------------------------------------------------------------------

ENDS = st.sampled_from(
    [
        LegOutcome.NO_ANSWER,
        LegOutcome.REFUSED,
        LegOutcome.PASSED,
        LegOutcome.NO_KEY,
        LegOutcome.NOT_PLACED,
        None,  # nothing is heard: a crash, a lost connection
    ]
)


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    people = []
    for number in range(draw(st.integers(1, 4))):
        begins, lasts = draw(st.integers(0, 23)), draw(st.integers(0, 24))
        people.append(
            Person(
                name=f"P{number}",
                phone=str(number),
                there=lambda at, begins=begins, lasts=lasts: (at.hour - begins) % 24 < lasts,  # type: ignore[misc]
            )
        )
    return Pattern(
        people=people,
        rounds=draw(st.integers(1, 3)),
        pause=timedelta(seconds=draw(st.integers(0, 600))),
    )


@given(pattern=patterns(), data=st.data(), start=st.integers(0, 23))
def test_whatever_becomes_of_the_calls(pattern: Pattern, data: st.DataObject, start: int) -> None:
    now = NIGHT.replace(hour=start)
    ladder = Ladder(opened_at=now)
    takes_at = data.draw(st.integers(0, 40))
    for _ in range(1000):
        match next_step(ladder, pattern, now):
            case Ring(round_, place, person):
                assert all(one.outcome is not None for one in ladder.legs), "two are rung at once"
                assert ladder.state is LadderState.RUNNING
                assert person.there(now)
                assert round_ < pattern.rounds
                placed = Leg(round=round_, place=place, placed_at=now)
                before = [one for one in ladder.legs if one.outcome is not LegOutcome.NOT_PLACED]
                assert all((one.round, one.place) < (round_, place) for one in before)
                outcome = data.draw(ENDS)
                if len(ladder.legs) == takes_at:
                    outcome = LegOutcome.TOOK
                    ladder = replace(ladder, state=LadderState.TAKEN)
                if outcome is not None:
                    now += timedelta(seconds=data.draw(st.integers(0, 90)))
                    placed = replace(placed, outcome=outcome, ended_at=now)
                ladder = replace(ladder, legs=(*ladder.legs, placed))
            case Wait(until):
                assert until > now, "it would look again at once, for ever"
                now = until
            case CallOver(outcome):
                last = replace(ladder.legs[-1], outcome=outcome, ended_at=now)
                ladder = replace(ladder, legs=(*ladder.legs[:-1], last))
            case GiveUp():
                ladder = replace(ladder, state=LadderState.NOBODY)
            case Done():
                break
    else:
        raise AssertionError("it never ends")
    assert (ladder.state is LadderState.TAKEN) == any(
        one.outcome is LegOutcome.TOOK for one in ladder.legs
    )
    assert now - ladder.opened_at <= pattern.give_up + timedelta(minutes=15)
