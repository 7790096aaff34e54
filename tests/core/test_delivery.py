"""What may become of a message."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.delivery import (
    TRANSITIONS,
    Absent,
    Accepted,
    AskSchedule,
    Capabilities,
    Deferred,
    Found,
    ImpossibleTransition,
    LookupResult,
    Receipt,
    Rejected,
    RetrySchedule,
    SendResult,
    State,
    Step,
    Uncertain,
    after_attempt,
    after_lookup,
    after_receipt,
    moved,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HALF_PAST = NOON + timedelta(minutes=30)
SCHEDULE = RetrySchedule()
ASKING = AskSchedule()
DUMB = Capabilities()
IDEMPOTENT = Capabilities(idempotent=True)
ASKABLE = Capabilities(can_lookup=True)


def sent(
    result: SendResult,
    *,
    attempts: int = 1,
    now: datetime = NOON,
    jitter: float = 0.5,
    capabilities: Capabilities = ASKABLE,
) -> Step:
    return after_attempt(
        result,
        attempts=attempts,
        now=now,
        expires_at=HALF_PAST,
        schedule=SCHEDULE,
        asking=ASKING,
        jitter=jitter,
        capabilities=capabilities,
    )


def asked(result: LookupResult, *, done: int = 0, attempts: int = 1, now: datetime = NOON) -> Step:
    return after_lookup(
        result,
        lookups_done=done,
        attempts=attempts,
        now=now,
        expires_at=HALF_PAST,
        schedule=SCHEDULE,
        asking=ASKING,
    )


@pytest.mark.parametrize("old", State)
@pytest.mark.parametrize("new", State)
def test_only_the_transitions_of_the_law_are_possible(old: State, new: State) -> None:
    if new in TRANSITIONS[old]:
        assert moved(old, new) is new
    else:
        with pytest.raises(ImpossibleTransition, match=f"from {old} to {new}"):
            moved(old, new)


def test_every_state_has_its_law() -> None:
    assert set(TRANSITIONS) == set(State)
    assert not any(state in after for state, after in TRANSITIONS.items())


def test_an_accepted_message_is_done() -> None:
    assert sent(Accepted("SM1")) == Step(State.ACCEPTED, None, "")


def test_a_refused_message_is_never_sent_again() -> None:
    assert sent(Rejected("opted out", "21610")) == Step(State.FAILED, None, "opted out", "21610")


def test_what_did_not_go_out_is_tried_again_later() -> None:
    step = sent(Deferred("no connection"))
    assert step == Step(State.QUEUED, NOON + SCHEDULE.base / 2, "no connection")


def test_a_gateway_may_ask_for_more_time_up_to_an_hour() -> None:
    def step(wait: timedelta) -> Step:
        return after_attempt(
            Deferred("busy", wait),
            attempts=1,
            now=NOON,
            expires_at=NOON + timedelta(days=9),
            schedule=SCHEDULE,
            asking=ASKING,
            jitter=0.5,
            capabilities=DUMB,
        )

    assert step(timedelta(minutes=5)).next_at == NOON + timedelta(minutes=5)
    assert step(timedelta(days=5)).next_at == NOON + timedelta(hours=1)
    assert step(timedelta(seconds=-5)).next_at == NOON + SCHEDULE.base / 2


def test_it_is_not_tried_beyond_its_life_nor_for_ever() -> None:
    assert sent(Deferred("busy", timedelta(minutes=50))).next_at == HALF_PAST
    step = sent(Deferred("busy", code="429"), attempts=SCHEDULE.max_attempts)
    assert (step.state, step.next_at, step.code) == (State.FAILED, None, "429")
    assert step.detail == f"given up after {SCHEDULE.max_attempts} attempts: busy"


def test_the_fate_of_a_message_is_asked_where_one_can_ask() -> None:
    step = sent(Uncertain("timeout"), capabilities=ASKABLE)
    assert step == Step(State.UNCERTAIN, NOON + timedelta(seconds=60), "timeout")
    both = Capabilities(idempotent=True, can_lookup=True)
    assert sent(Uncertain("timeout"), capabilities=both) == step


def test_an_idempotent_gateway_is_sent_the_same_again() -> None:
    step = sent(Uncertain("timeout"), capabilities=IDEMPOTENT)
    assert (step.state, step.next_at) == (State.QUEUED, NOON + SCHEDULE.base / 2)
    assert step.detail == "perhaps sent, safe to repeat: timeout"


@pytest.mark.parametrize(
    ("capabilities", "attempts", "now"),
    [
        (DUMB, 1, NOON),
        (IDEMPOTENT, SCHEDULE.max_attempts, NOON),
        (IDEMPOTENT, 1, HALF_PAST),
    ],
)
def test_else_it_stays_uncertain_for_good(
    capabilities: Capabilities, attempts: int, now: datetime
) -> None:
    step = sent(Uncertain("timeout"), capabilities=capabilities, attempts=attempts, now=now)
    assert step == Step(State.UNCERTAIN, None, "timeout")


def test_a_message_that_the_gateway_knows_was_accepted() -> None:
    assert asked(Found("SM1"), now=HALF_PAST).state is State.ACCEPTED


def test_only_three_answers_mean_that_it_never_arrived() -> None:
    first = asked(Absent(), done=0)
    assert (first.state, first.next_at) == (State.UNCERTAIN, NOON + timedelta(seconds=30))
    second = asked(Absent(), done=1)
    assert (second.state, second.next_at) == (State.UNCERTAIN, NOON + timedelta(seconds=120))
    third = asked(Absent(), done=2)
    assert (third.state, third.next_at) == (State.QUEUED, NOON)


def test_what_never_arrived_is_not_sent_too_late_or_too_often() -> None:
    assert asked(Absent(), done=2, now=HALF_PAST).state is State.EXPIRED
    assert asked(Absent(), done=2, attempts=SCHEDULE.max_attempts).state is State.FAILED


def test_a_gateway_that_cannot_be_asked_now_is_asked_later_for_a_day() -> None:
    step = asked(Deferred("no connection"))
    assert (step.state, step.next_at) == (State.UNCERTAIN, NOON + timedelta(seconds=60))
    patient = asked(Deferred("busy", timedelta(minutes=9)))
    assert patient.next_at == NOON + timedelta(minutes=9)
    much_later = HALF_PAST + timedelta(hours=24)
    assert asked(Deferred("no connection"), now=much_later).next_at is None


jitters = st.floats(0, 1, exclude_max=True)
durations = st.timedeltas(timedelta(days=-2), timedelta(days=400))
words = st.text(max_size=5)
send_results: st.SearchStrategy[SendResult] = st.one_of(
    st.builds(Accepted, words),
    st.builds(Rejected, words, words),
    st.builds(Deferred, words, st.none() | durations, words),
    st.builds(Uncertain, words),
)
lookup_results: st.SearchStrategy[LookupResult] = st.one_of(
    st.builds(Found, words),
    st.builds(Absent),
    st.builds(Deferred, words, st.none() | durations, words),
)
schedules = st.builds(
    RetrySchedule,
    base=st.timedeltas(timedelta(0), timedelta(hours=1)),
    factor=st.floats(1, 100),
    cap=st.timedeltas(timedelta(0), timedelta(hours=1)),
    max_attempts=st.integers(1, 99),
)


@given(schedules, st.integers(1, 10_000), jitters)
def test_a_wait_is_never_longer_than_the_cap(
    schedule: RetrySchedule, attempts: int, jitter: float
) -> None:
    assert timedelta(0) <= schedule.wait(attempts, jitter) <= schedule.cap
    assert schedule.wait(attempts, 0.0) == timedelta(0)


@given(schedules, st.integers(1, 50), jitters)
def test_a_later_wait_is_never_bounded_more_tightly(
    schedule: RetrySchedule, attempts: int, jitter: float
) -> None:
    assert schedule.wait(attempts, jitter) <= schedule.wait(attempts + 1, jitter)


@given(
    send_results,
    st.integers(1, 200),
    durations,
    schedules,
    jitters,
    st.builds(Capabilities, idempotent=st.booleans(), can_lookup=st.booleans()),
)
def test_every_answer_leads_to_a_lawful_state_and_a_finite_number_of_sends(  # noqa: PLR0917
    result: SendResult,
    attempts: int,
    age: timedelta,
    schedule: RetrySchedule,
    jitter: float,
    capabilities: Capabilities,
) -> None:
    now = HALF_PAST + age
    step = after_attempt(
        result,
        attempts=attempts,
        now=now,
        expires_at=HALF_PAST,
        schedule=schedule,
        asking=ASKING,
        jitter=jitter,
        capabilities=capabilities,
    )
    moved(State.SENDING, step.state)
    if step.state is State.QUEUED:
        assert attempts < schedule.max_attempts
        assert step.next_at is not None
        assert step.next_at <= HALF_PAST
        certain = isinstance(result, Deferred)
        assert certain or capabilities.idempotent
    elif step.state is not State.UNCERTAIN:
        assert step.next_at is None
    if isinstance(result, Uncertain):
        assert step.state in (State.UNCERTAIN, State.QUEUED)
        assert (
            step.state is State.UNCERTAIN and step.next_at is not None
        ) == capabilities.can_lookup


@given(lookup_results, st.integers(0, 2), st.integers(1, 200), durations, schedules)
def test_asking_leads_to_a_lawful_state(
    result: LookupResult, done: int, attempts: int, age: timedelta, schedule: RetrySchedule
) -> None:
    now = HALF_PAST + age
    step = after_lookup(
        result,
        lookups_done=done,
        attempts=attempts,
        now=now,
        expires_at=HALF_PAST,
        schedule=schedule,
        asking=ASKING,
    )
    if step.state is not State.UNCERTAIN:
        moved(State.UNCERTAIN, step.state)
    if step.state is State.QUEUED:
        assert isinstance(result, Absent)
        assert done == 2
        assert attempts < schedule.max_attempts
        assert now < HALF_PAST
    if step.state is State.UNCERTAIN and step.next_at is not None:
        assert step.next_at > now


# -- receipts -------------------------------------------------------------------------------

RECEIPTS = st.lists(
    st.sampled_from([State.ACCEPTED, State.UNDELIVERED, State.DELIVERED]), max_size=8
)


def told(state: State, receipts: list[State]) -> State:
    for receipt in receipts:
        state = after_receipt(state, Receipt(state=receipt, gateway_ref="SM1"))
    return state


@given(st.sampled_from(sorted(set(State) - {State.SHADOW})), RECEIPTS, st.randoms())
def test_receipts_in_any_order_and_number_lead_to_the_same_end(
    before: State, receipts: list[State], random: Random
) -> None:
    shuffled = [*receipts, *receipts]
    random.shuffle(shuffled)
    end = told(before, receipts)
    assert told(before, shuffled) == end
    order = [State.ACCEPTED, State.UNDELIVERED, State.DELIVERED]
    known = [*receipts, *([before] if before in order else [])]
    assert end == (max(known, key=order.index) if known else before)


def test_a_message_that_never_went_out_has_no_receipts() -> None:
    assert told(State.SHADOW, [State.DELIVERED]) is State.SHADOW


@pytest.mark.parametrize(
    "nonsense", [{"state": State.QUEUED, "key": "k"}, {"state": State.DELIVERED}]
)
def test_a_receipt_names_a_message_and_what_became_of_it(nonsense: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="receipt"):
        Receipt(**nonsense)
