"""What is alive, what does its work, and what only a restart helps."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from pbx_bridge.core.liveness import (
    DATABASE_MAY_TAKE,
    DUE_MAY_WAIT,
    LOCK_IS_NORMAL,
    LOOP_MAY_BE_LATE,
    LOOP_MAY_LAG,
    REQUEST_MAY_TAKE,
    Facts,
    OutboxFacts,
    PbxFacts,
    Phase,
    Pulse,
    State,
    WriterFacts,
    judge,
)

NOW = 1_000_000.0
WELL = Facts(
    phase=Phase.RUNNING,
    mode="live",
    pbxs=[PbxFacts("office", "", NOW + 10)],
    outbox=OutboxFacts(due=NOW + 60, claimed_at=NOW - 5),
)


def _ago(limit: timedelta, more: float = 0.0) -> float:
    return NOW - limit.total_seconds() - more


def _outbox(**changes: float | None) -> Facts:
    return replace(WELL, outbox=replace(WELL.outbox, **changes))  # type: ignore[arg-type]


def _sick(facts: Facts) -> dict[str, State]:
    return {one.what: one.state for one in judge(facts, NOW).findings if one.state is not State.OK}


def test_all_is_well() -> None:
    verdict = judge(WELL, NOW)
    assert (verdict.alive, verdict.works) == (True, True)
    assert [(one.what, one.text) for one in verdict.findings] == [
        ("service", "live"),
        ("loop", "answers at once"),
        ("database", "writes"),
        ("pbx office", "connected"),
        ("calls", "all events judged"),
        ("outbox", "0 wait, 0 are being sent"),
    ]


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        (replace(WELL, lag=LOOP_MAY_LAG.total_seconds() + 0.1), "loop"),
        (replace(WELL, writer=WriterFacts(_ago(DATABASE_MAY_TAKE, 1))), "database"),
        (replace(WELL, reading_since=_ago(DATABASE_MAY_TAKE, 1)), "database"),
        (replace(WELL, pbxs=[PbxFacts("office", "", _ago(LOOP_MAY_BE_LATE, 1))]), "pbx office"),
        (replace(WELL, pbxs=[PbxFacts("office", "down", _ago(LOOP_MAY_BE_LATE, 1))]), "pbx office"),
        (replace(WELL, ended=["followup"]), "task followup"),
        (_outbox(due=_ago(LOOP_MAY_BE_LATE, 1)), "outbox"),
        (_outbox(oldest_request=_ago(REQUEST_MAY_TAKE, 1)), "outbox"),
        (
            _outbox(waiting=1, due_since=_ago(DUE_MAY_WAIT, 1), claimed_at=_ago(DUE_MAY_WAIT, 9)),
            "outbox",
        ),
    ],
)
def test_what_hangs_is_restarted(facts: Facts, what: str) -> None:
    assert _sick(facts) == {what: State.HUNG}
    assert not judge(facts, NOW).alive
    assert not judge(facts, NOW).works


@pytest.mark.parametrize(
    "facts",
    [
        replace(WELL, lag=LOOP_MAY_LAG.total_seconds()),
        replace(WELL, writer=WriterFacts(_ago(DATABASE_MAY_TAKE))),
        replace(WELL, reading_since=_ago(DATABASE_MAY_TAKE)),
        replace(WELL, pbxs=[PbxFacts("office", "", _ago(LOOP_MAY_BE_LATE))]),
        _outbox(due=_ago(LOOP_MAY_BE_LATE)),
        _outbox(due=math.inf),  # it waits for the database, which is judged by itself
        _outbox(oldest_request=_ago(REQUEST_MAY_TAKE)),
        # A long queue behind a gateway that takes one a second: it moves.
        _outbox(waiting=500, due_since=_ago(DUE_MAY_WAIT, 999), claimed_at=NOW - 9),
        # It was asleep, and this became due a moment ago.
        _outbox(waiting=1, due_since=NOW - 9, claimed_at=_ago(DUE_MAY_WAIT, 999)),
    ],
)
def test_what_is_only_slow_is_well(facts: Facts) -> None:
    assert _sick(facts) == {}


def test_a_pbx_that_is_down_is_waited_for() -> None:
    facts = replace(WELL, pbxs=[*WELL.pbxs, PbxFacts("branch", "no route", NOW + 900)])
    verdict = judge(facts, NOW)
    assert _sick(facts) == {"pbx branch": State.WAITS}
    assert (verdict.alive, verdict.works) == (True, True)
    assert verdict.summary().startswith("pbx branch: reconnecting: no route; service: live; ")


@pytest.mark.parametrize(
    ("writer", "text"),
    [
        (WriterFacts(refused="the disk is full"), "the disk is full"),
        (WriterFacts(_ago(LOCK_IS_NORMAL, 99), _ago(LOCK_IS_NORMAL, 1)), "locked by another"),
    ],
)
def test_a_database_that_refuses_is_no_reason_to_restart_but_is_told(
    writer: WriterFacts, text: str
) -> None:
    stuck = OutboxFacts(waiting=9, due_since=_ago(DUE_MAY_WAIT, 99), claimed_at=0)
    facts = replace(WELL, writer=writer, outbox=stuck)
    verdict = judge(facts, NOW)
    assert _sick(facts) == {"database": State.WRONG}
    assert (verdict.alive, verdict.works) == (True, False)
    assert text in verdict.summary()


def test_a_lock_of_a_moment_is_no_trouble() -> None:
    facts = replace(WELL, writer=WriterFacts(NOW - 9, _ago(LOCK_IS_NORMAL)))
    assert _sick(facts) == {"database": State.WAITS}
    assert judge(facts, NOW).works


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.STOPPING])
def test_before_and_after_its_life_nobody_promises_anything(phase: Phase) -> None:
    facts = replace(
        WELL,
        phase=phase,
        ended=["sender"],
        writer=WriterFacts(_ago(DATABASE_MAY_TAKE, 9)),
        outbox=OutboxFacts(due=0),
    )
    verdict = judge(facts, NOW)
    assert _sick(facts) == {"service": State.WRONG}
    assert (verdict.alive, verdict.works) == (True, False)
    assert verdict.findings[0].text == phase.value


def test_a_loop_promises_when_it_is_back() -> None:
    pulse = Pulse(lambda: NOW)
    assert pulse.due == math.inf
    pulse.back_in(timedelta(seconds=7))
    assert pulse.due == NOW + 7
    pulse.back_in(timedelta(seconds=-7))
    assert pulse.due == NOW
    pulse.waits()
    assert pulse.due == math.inf
