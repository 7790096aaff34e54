"""The burst breaker: what trips it, what it holds back, and how it comes back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pbx_bridge.core.burst import (
    LONGEST,
    PROBES,
    WINDOW,
    Breaker,
    BurstRules,
    Circuit,
    Evidence,
    hold,
    judge,
    usual,
)

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = BurstRules(
    floor=20,
    factor=5.0,
    strangers_floor=15,
    strangers_percent=90,
    undelivered_of=20,
    undelivered_percent=50,
    refusals=5,
    open_for=timedelta(minutes=15),
)
OPEN = Breaker(
    circuit=Circuit.OPEN,
    since=NOW,
    until=NOW + 15 * MINUTE,
    open_for=timedelta(minutes=15),
    why="why not",
)
TRYING = replace(OPEN, circuit=Circuit.HALF_OPEN, until=None)


def seen(**more: Any) -> Evidence:
    return replace(Evidence(stranger=True), **more)


@pytest.mark.parametrize(
    ("breaker", "evidence"),
    [
        (Breaker(), seen()),
        (Breaker(), seen(texts=19)),
        (Breaker(), seen(texts=14, strangers=14)),  # fifteen strangers, and nobody else
        (Breaker(), seen(texts=19, strangers=17)),  # 90 % with this one
        (Breaker(usual=8.0), seen(texts=39)),
        (Breaker(), seen(ended=19, undelivered=19)),
        (Breaker(), seen(ended=20, undelivered=10)),
        (Breaker(), seen(refusals=4)),
    ],
)
def test_what_does_not_trip_it(breaker: Breaker, evidence: Evidence) -> None:
    assert judge(breaker, evidence, RULES, NOW) == (breaker, "")


@pytest.mark.parametrize(
    ("breaker", "evidence", "why", "everybody"),
    [
        (Breaker(), seen(texts=20), "21 texts wanted within ten minutes, more than 20", False),
        (
            Breaker(usual=8.0),
            seen(texts=40),
            "41 texts wanted within ten minutes, more than 40",
            False,
        ),
        (
            Breaker(),
            seen(texts=15, strangers=15),
            "16 of 16 texts wanted within ten minutes are to strangers",
            False,
        ),
        (
            Breaker(),
            seen(texts=19, strangers=18),
            "19 of 20 texts wanted within ten minutes are to strangers",
            False,
        ),
        (
            Breaker(),
            seen(ended=20, undelivered=11),
            "11 of the last 20 texts did not arrive",
            True,
        ),
        (
            Breaker(),
            seen(refusals=5),
            "carriers refused 5 texts within an hour as spam or fraud",
            True,
        ),
    ],
)
def test_what_trips_it(breaker: Breaker, evidence: Evidence, why: str, *, everybody: bool) -> None:
    opened, objection = judge(breaker, evidence, RULES, NOW)
    assert opened.circuit is Circuit.OPEN
    assert (opened.why, opened.everybody) == (why, everybody)
    assert opened.until == NOW + timedelta(minutes=15)
    assert objection == f"held back until 15:15 UTC: {why}"


def test_a_burst_holds_back_strangers_only() -> None:
    """Else a forger could silence the office towards its own customers."""
    assert judge(OPEN, seen(), RULES, NOW)[1]
    assert not judge(OPEN, seen(stranger=False), RULES, NOW)[1]


def test_refusals_hold_back_everybody() -> None:
    assert judge(replace(OPEN, everybody=True), seen(stranger=False), RULES, NOW)[1]


def test_texts_held_back_were_wanted_all_the_same() -> None:
    """Other limits may keep the texts few while the calls go on."""
    breaker = Breaker()
    for n in range(20):
        breaker = hold(breaker, NOW + n * timedelta(seconds=10), stranger=False)
    later = NOW + 4 * MINUTE
    assert breaker.held_in_window(later) == (20, 0)
    assert judge(breaker, seen(), RULES, later)[0].circuit is Circuit.OPEN
    assert judge(breaker, seen(), RULES, NOW + WINDOW + 4 * MINUTE)[1] == ""


def test_what_was_held_back_long_ago_is_forgotten() -> None:
    breaker = Breaker()
    for n in range(1000):
        breaker = hold(breaker, NOW + n * MINUTE, stranger=True)
    assert len(breaker.held) <= 10
    assert breaker.held_in_window(NOW + 999 * MINUTE) == (10, 10)


def test_after_a_while_one_text_a_minute_is_tried() -> None:
    assert judge(OPEN, seen(), RULES, NOW + 14 * MINUTE)[1]
    trying, objection = judge(OPEN, seen(), RULES, NOW + 15 * MINUTE)
    assert (trying.circuit, objection) == (Circuit.HALF_OPEN, "")
    assert judge(trying, seen(minute=1), RULES, NOW + 15 * MINUTE)[1]
    assert not judge(trying, seen(), RULES, NOW + 16 * MINUTE)[1]


def test_three_good_ones_close_it() -> None:
    assert judge(TRYING, seen(good_probes=PROBES - 1), RULES, NOW)[0] == TRYING
    closed, objection = judge(TRYING, seen(good_probes=PROBES), RULES, NOW)
    assert (closed.circuit, closed.since, closed.why, objection) == (Circuit.CLOSED, NOW, "", "")


def test_while_the_burst_goes_on_it_does_not_close() -> None:
    assert judge(TRYING, seen(good_probes=9, texts=30), RULES, NOW)[0] == TRYING


def test_each_bad_one_opens_it_for_twice_as_long_up_to_four_hours() -> None:
    breaker, waits = TRYING, []
    for _ in range(6):
        breaker, objection = judge(breaker, seen(bad_probes=1, good_probes=9), RULES, NOW)
        assert breaker.everybody
        assert objection
        waits.append(breaker.open_for / MINUTE)
        breaker = replace(breaker, circuit=Circuit.HALF_OPEN)
    assert waits == [30, 60, 120, 240, 240, 240]
    assert timedelta(hours=4) == LONGEST


def test_the_next_time_begins_short_again() -> None:
    closed, _ = judge(replace(TRYING, open_for=LONGEST), seen(good_probes=3), RULES, NOW)
    assert judge(closed, seen(texts=20), RULES, NOW)[0].open_for == RULES.open_for


def test_what_is_usual_leaves_out_the_quiet_times() -> None:
    day = [NOW + n * timedelta(hours=1) for n in range(3)]
    busy = [NOW + timedelta(hours=5, seconds=n) for n in range(9)]
    assert usual(day + busy) == 12 / 4
    assert usual([]) == 0.0
