"""When what happened is told again, and when no more."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pbx_bridge.core.delivery import Accepted, Blame, Deferred, Rejected, SendResult, Uncertain
from pbx_bridge.core.redelivery import (
    OPEN,
    SOUND,
    DeliveryState,
    DestinationStanding,
    Fate,
    RedeliverySchedule,
    after_delivery,
    as_configured,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SCHEDULE = RedeliverySchedule()
DOWN = Deferred("it answered 502", code="502")
ODD = Rejected("it answered 422", "422")
SECONDS, MINUTES, HOURS = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours"))


def after(
    result: SendResult,
    standing: DestinationStanding = SOUND,
    *,
    attempts: int = 1,
    since: datetime = NOW,
    now: datetime = NOW,
    jitter: float = 0.0,
) -> Fate:
    return after_delivery(
        result,
        standing,
        attempts=attempts,
        since=since,
        now=now,
        schedule=SCHEDULE,
        jitter=jitter,
    )


def test_the_schedule_is_the_recommended_one() -> None:
    hours = [2, 5, 10, 14, 20, 24]
    waits = [5 * SECONDS, 5 * MINUTES, 30 * MINUTES, *(n * HOURS for n in hours)]
    assert [SCHEDULE.wait(n, 0.0) for n in range(1, 10)] == waits
    assert SCHEDULE.attempts == 10
    assert sum(waits, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    assert SCHEDULE.wait(99, 0.0) == 24 * HOURS
    assert SCHEDULE.wait(0, 0.0) == 5 * SECONDS


def test_a_wait_is_spread_so_that_not_all_come_back_together() -> None:
    assert SCHEDULE.wait(4, 0.5) == 2 * HOURS * 1.05
    assert 2 * HOURS < SCHEDULE.wait(4, 0.999) < 2.2 * HOURS


def test_what_was_taken_is_done_and_its_destination_sound() -> None:
    failing = DestinationStanding(
        failures=4, failing_since=NOW - HOURS, until=NOW, told=True, fingerprint="f", detail="502"
    )
    fate = after(Accepted(""), failing)
    assert fate.state is DeliveryState.DELIVERED
    assert fate.state not in OPEN
    assert fate.standing == DestinationStanding(fingerprint="f")


def test_a_destination_that_is_down_waits_longer_each_time_and_all_with_it() -> None:
    standing, now = SOUND, NOW
    for failures, wait in ((1, 5 * SECONDS), (2, 5 * MINUTES), (3, 30 * MINUTES)):
        fate = after(DOWN, standing, attempts=failures, now=now)
        standing = fate.standing
        assert (fate.state, fate.detail, fate.code) == (
            DeliveryState.WAITING, "it answered 502", "502",
        )  # fmt: skip
        assert (standing.failures, standing.until) == (failures, now + wait)
        assert fate.due_at == now  # as soon as the destination is back
        assert standing.failing_since == NOW
        now += wait


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        (2 * SECONDS, 5 * SECONDS),
        (90 * SECONDS, 90 * SECONDS),
        (999 * HOURS, 24 * HOURS),
    ],
)
def test_it_may_ask_for_more_time_but_not_for_ever(asked: timedelta, waited: timedelta) -> None:
    assert after(Deferred("429", asked)).standing.until == NOW + waited


def test_what_was_perhaps_told_is_told_again() -> None:
    fate = after(Uncertain("no answer within 15 s"), jitter=0.5)
    assert (fate.state, fate.code) == (DeliveryState.WAITING, "")
    assert fate.standing.until == NOW + 5 * SECONDS * 1.05


def test_one_that_is_refused_is_tried_on_its_own_and_holds_up_no_other() -> None:
    fate = after(ODD, attempts=2)
    assert (fate.state, fate.due_at) == (DeliveryState.REFUSED, NOW + 5 * MINUTES)
    assert (fate.standing.failures, fate.standing.until) == (0, None)
    assert fate.standing.failing_since == NOW  # if it takes nothing else, that is worth knowing
    assert fate.state in OPEN


def test_who_wants_nothing_more_is_left_alone_and_what_waits_is_kept() -> None:
    gone = Rejected("it answered 410", "410", Blame.GATEWAY)
    fate = after(gone, attempts=10, since=NOW - 99 * HOURS)
    assert fate.standing.disabled
    assert (fate.state, fate.detail, fate.code) == (
        DeliveryState.WAITING, "it answered 410", "410",
    )  # fmt: skip


@pytest.mark.parametrize("result", [DOWN, ODD, Uncertain("lost")])
def test_after_the_last_attempt_it_is_given_up(result: SendResult) -> None:
    assert after(result, attempts=9).state in OPEN
    fate = after(result, attempts=10)
    assert fate.state is DeliveryState.FAILED
    assert fate.detail.startswith("given up after 10 attempts: ")


def test_what_waited_for_three_days_is_given_up_at_the_next_failure() -> None:
    fate = after(DOWN, since=NOW - SCHEDULE.life)
    assert fate.state is DeliveryState.FAILED
    assert fate.detail == "given up after 1 attempt: it answered 502"
    assert after(DOWN, since=NOW - SCHEDULE.life + SECONDS).state is DeliveryState.WAITING


def test_with_a_destination_that_is_dead_for_three_days_all_old_ones_are_given_up() -> None:
    dead = replace(SOUND, failures=9, failing_since=NOW - SCHEDULE.life)
    assert after(DOWN, dead).too_old == NOW - SCHEDULE.life
    assert after(DOWN, replace(dead, failing_since=NOW - HOURS)).too_old is None
    assert after(ODD, dead).too_old is None  # it answers


def test_new_settings_begin_afresh() -> None:
    gone = DestinationStanding(disabled=True, failures=3, fingerprint="old")
    assert as_configured(gone, "old") is gone
    assert as_configured(gone, "new") == DestinationStanding(fingerprint="new")
    assert as_configured(replace(gone, fingerprint=""), "") == SOUND
