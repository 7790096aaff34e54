"""The moment to stop: what may have changed between a decision and the moment it is due."""

from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest

from pbx_bridge.core.later import (
    ENDS,
    LOOK_AGAIN,
    LaterFacts,
    answer_allowed,
    held,
    over,
    still_wanted,
)
from pbx_bridge.core.limits import Spent
from pbx_bridge.core.quiet import QuietHours, Window
from pbx_bridge.core.skip import Defer, Skip, SkipReason
from tests.core.test_policy import AT_NIGHT, DAYTIME, LONDON, NEW_YORK, NOW, RULES, WITH_LIMITS


def later(**more: Any) -> LaterFacts:
    base = LaterFacts(
        to="+12125550142",
        rules=RULES,
        now=NOW,
        queued_at=NOW - timedelta(seconds=20),
        expires_at=NOW + timedelta(minutes=30),
        zones=(LONDON,),
    )
    return replace(base, **more)


LATER: list[tuple[SkipReason, LaterFacts]] = [
    (SkipReason.OPTED_OUT, later(opted_out_at=NOW)),
    (SkipReason.MUTED, later(muted_until=NOW + timedelta(hours=1), muted_why="a machine")),
    (SkipReason.KNOWN_UNTEXTABLE, later(known_untextable="a landline")),
    (SkipReason.SPOKEN_SINCE, later(spoken_at=NOW)),
    (SkipReason.REPLIED, later(replied_at=NOW)),
    (SkipReason.BOOKED, later(booked_at=NOW)),
    (SkipReason.BLOCKED, later(to="+12125550666")),
    (SkipReason.DAILY_SPENDING, later(rules=WITH_LIMITS, spent=Spent(day=95_000), price=7900)),
    (SkipReason.MONTHLY_SPENDING, later(rules=WITH_LIMITS, spent=Spent(month=1_000_000))),
    (SkipReason.QUIET_HOURS, later(rules=AT_NIGHT, zones=(NEW_YORK,))),
    (SkipReason.QUIET_HOURS, later(rules=AT_NIGHT, zones=())),
]


class TestStillWanted:
    """The last look at the world before a text goes out."""

    def test_yes(self) -> None:
        assert still_wanted(later()) is None
        assert still_wanted(later(rules=WITH_LIMITS)) is None
        assert still_wanted(later(rules=AT_NIGHT)) is None
        assert still_wanted(later(muted_until=NOW)) is None, "it is over"

    @pytest.mark.parametrize(("reason", "given"), LATER, ids=[str(r) for r, _ in LATER])
    def test_each_objection(self, reason: SkipReason, given: LaterFacts) -> None:
        objection = still_wanted(given)
        assert isinstance(objection, Skip)
        assert objection.reason is reason
        assert objection.detail

    def test_on_the_phone_now(self) -> None:
        objection = still_wanted(later(in_call=True))
        assert isinstance(objection, Defer)
        assert objection.until > NOW

    def test_it_waits_for_morning_if_it_can(self) -> None:
        objection = still_wanted(
            later(rules=AT_NIGHT, zones=(NEW_YORK,), expires_at=NOW + timedelta(hours=12))
        )
        assert isinstance(objection, Defer)
        assert objection.until == NOW + timedelta(hours=5)

    def test_an_immediate_answer_is_late_after_its_time(self) -> None:
        quiet = replace(DAYTIME, immediate_within=timedelta(minutes=2))
        rules = replace(RULES, quiet=quiet)
        assert still_wanted(later(rules=rules, zones=(NEW_YORK,))) is None
        tried_for_long = NOW - timedelta(minutes=3)
        objection = still_wanted(later(rules=rules, zones=(NEW_YORK,), queued_at=tried_for_long))
        assert isinstance(objection, Skip)


class TestHours:
    def test_what_comes_later_is_no_answer_to_the_call(self) -> None:
        """However short a time ago it was queued."""
        lately = later(rules=replace(RULES, quiet=AT_ONCE), zones=(NEW_YORK,))
        assert still_wanted(lately) is None
        objection = still_wanted(replace(lately, answers_call=False))
        assert isinstance(objection, Skip)
        assert objection.reason is SkipReason.QUIET_HOURS

    def test_a_mail_wakes_nobody(self) -> None:
        assert still_wanted(later(rules=AT_NIGHT, zones=(NEW_YORK,), wakes=False)) is None


#: Whoever has just called is answered at any hour.
AT_ONCE = QuietHours(Window(time(9), time(20)), immediate_within=timedelta(minutes=2))


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({}, None),
        ({"opted_out_at": NOW, "muted_until": NOW, "known_untextable": "a landline"}, None),
        ({"spoken_at": NOW}, SkipReason.SPOKEN_SINCE),
        ({"replied_at": NOW}, SkipReason.REPLIED),
        ({"booked_at": NOW}, SkipReason.BOOKED),
    ],
)
def test_what_is_over_and_what_only_bars_writing(
    known: dict[str, Any], reason: SkipReason | None
) -> None:
    """Staff are still told, and have their task, about somebody who wants no texts."""
    objection = over(later(**known))
    assert (None if objection is None else objection.reason) is reason
    assert reason is None or reason in ENDS


@pytest.mark.parametrize(("reason", "given"), LATER, ids=[str(r) for r, _ in LATER])
def test_who_said_that_it_is_urgent_is_answered_at_any_hour(
    reason: SkipReason, given: LaterFacts
) -> None:
    """That they wrote or were spoken to is no reason against it; that they said STOP is."""
    objection = answer_allowed(given)
    bars = reason not in {*ENDS, SkipReason.QUIET_HOURS}
    assert (None if objection is None else objection.reason) == (reason if bars else None)


def test_what_is_due_is_held_while_the_caller_is_on_the_line() -> None:
    assert held(later()) is None
    assert held(later(in_call=True)) == Defer(
        NOW + LOOK_AGAIN, "the caller is on the phone with us now"
    )
