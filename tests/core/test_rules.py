"""What rules can ask, condition by condition, and which of several wins."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.hours import Track
from pbx_bridge.core.rules import (
    ALWAYS,
    NEVER_ASKED,
    SILENT_REASONS,
    USUAL_CALLERS,
    USUAL_REASONS,
    Conditions,
    Rule,
    Situation,
    Span,
    VoicemailOutcome,
    ask,
)

AT = datetime(2026, 11, 21, 19, 5, tzinfo=UTC)
#: A new caller, on the sales line, on a Saturday afternoon, gives up after 20 s in a queue.
SATURDAY = Situation(
    at=AT,
    reason=Reason.QUEUE_ABANDONED,
    line=frozenset({"0100", "+12125550100", "Sales"}),
    queue="support",
    extensions=frozenset({"101", "102"}),
    track=Track.WEEKEND,
    caller=CallerKind.NEW,
    language="en",
    country="US",
    wait=timedelta(seconds=20),
    ring=timedelta(seconds=12),
)
ANN = replace(
    SATURDAY,
    caller=CallerKind.CUSTOMER,
    tags=frozenset({"vip", "roof"}),
    has_email=True,
    consented=True,
    crm_status="lead",
    missed_at=(AT - timedelta(minutes=50), AT - timedelta(days=2)),
)


def some(*members: Any) -> frozenset[Any]:
    return frozenset(members)


def seconds(least: float | None, most: float | None) -> Span:
    ends = (None if end is None else timedelta(seconds=end) for end in (least, most))
    return Span(*ends)


MANUAL: list[tuple[Situation, dict[str, Any], bool]] = [
    # one condition, and whether it holds
    (SATURDAY, {}, True),
    (SATURDAY, {"reasons": some(Reason.BUSY, Reason.QUEUE_ABANDONED)}, True),
    (SATURDAY, {"reasons": some(Reason.BUSY)}, False),
    (SATURDAY, {"lines": some("Sales")}, True),
    (SATURDAY, {"lines": some("+12125550100")}, True),
    (SATURDAY, {"lines": some("0100", "0177")}, True),
    (SATURDAY, {"lines": some("Service")}, False),
    (SATURDAY, {"queues": some("support")}, True),
    (SATURDAY, {"queues": some("sales")}, False),
    (SATURDAY, {"extensions": some("102", "103")}, True),
    (SATURDAY, {"extensions": some("103")}, False),
    (SATURDAY, {"hours": some(Track.WEEKEND, Track.HOLIDAY)}, True),
    (SATURDAY, {"hours": some(Track.AFTER_HOURS)}, False),
    (SATURDAY, {"callers": some(CallerKind.NEW)}, True),
    (SATURDAY, {"callers": some(CallerKind.KNOWN, CallerKind.CUSTOMER)}, False),
    (SATURDAY, {"tags": some("vip")}, False),
    (ANN, {"tags": some("vip", "gold")}, True),
    (ANN, {"tags": some("gold")}, False),
    (SATURDAY, {"without_tags": some("vip")}, True),
    (ANN, {"without_tags": some("gold", "roof")}, False),
    (SATURDAY, {"languages": some("en", "es")}, True),
    (SATURDAY, {"languages": some("es")}, False),
    (SATURDAY, {"countries": some("US")}, True),
    (SATURDAY, {"countries": some("CA")}, False),
    (SATURDAY, {"voicemail": some(VoicemailOutcome.NOT_REACHED)}, True),
    (SATURDAY, {"voicemail": some(VoicemailOutcome.LEFT, VoicemailOutcome.NOT_LEFT)}, False),
    (ANN, {"crm_status": some("lead", "customer")}, True),
    (SATURDAY, {"crm_status": some("lead")}, False),
    (SATURDAY, {"calls": 2}, False),
    (ANN, {"calls": 2}, True),
    (ANN, {"calls": 3}, True),  # however long ago
    (ANN, {"calls": 4}, False),
    (ANN, {"calls": 2, "within": timedelta(minutes=50)}, True),
    (ANN, {"calls": 2, "within": timedelta(minutes=49)}, False),
    (ANN, {"calls": 3, "within": timedelta(hours=1)}, False),
    (SATURDAY, {"wait": seconds(20, None)}, True),
    (SATURDAY, {"wait": seconds(20.5, None)}, False),
    (SATURDAY, {"wait": seconds(None, 20)}, False),  # up to, but not
    (SATURDAY, {"wait": seconds(10, 30)}, True),
    (SATURDAY, {"ring": seconds(None, 15)}, True),
    (SATURDAY, {"ring": seconds(15, None)}, False),
    (ANN, {"has_email": True}, True),
    (ANN, {"has_email": False}, False),
    (SATURDAY, {"has_email": False}, True),
    (ANN, {"consented": True}, True),
    (SATURDAY, {"consented": True}, False),
    (SATURDAY, {"consented": False}, True),
]


def name_of(row: tuple[Situation, dict[str, Any], bool]) -> str:
    """Name a row, in whatever order a set gives its members: xdist compares the names."""
    _, asked, so = row
    values = [sorted(map(str, v)) if isinstance(v, frozenset) else v for v in asked.values()]
    return f"{dict(zip(asked, values, strict=True))} {so}"


@pytest.mark.parametrize(("situation", "asked", "so"), MANUAL, ids=[*map(name_of, MANUAL)])
def test_a_condition_is_so_or_not(situation: Situation, asked: dict[str, Any], *, so: bool) -> None:
    conditions = Conditions(**asked)
    assert conditions.hold(situation) is so
    failing = conditions.failing(situation)
    assert (failing == ()) is so
    assert set(failing) <= set(asked)


def test_the_manual_tells_of_every_condition() -> None:
    told = {name for _, asked, _ in MANUAL for name in asked}
    assert told == set(Conditions.__dataclass_fields__)


def test_all_conditions_must_be_so_and_each_that_is_not_is_named() -> None:
    asked = Conditions(
        hours=some(Track.WEEKEND), callers=some(CallerKind.CUSTOMER), tags=some("vip"), calls=2
    )
    assert asked.failing(SATURDAY) == ("callers", "tags", "calls")
    assert asked.hold(ANN)


FIRST = Rule(name="vips", conditions=Conditions(tags=some("vip")), sequence="", because="Ann does")
SECOND = Rule(name="weekend", conditions=Conditions(hours=some(Track.WEEKEND)), sequence="booking")
LAST = Rule(name="the rest", sequence="default")


@pytest.mark.parametrize(
    ("situation", "names", "failing"),
    [
        (ANN, ["vips"], [()]),
        (SATURDAY, ["vips", "weekend"], [("tags",), ()]),
        (
            replace(SATURDAY, track=Track.IN_HOURS),
            ["vips", "weekend", "the rest"],
            [("tags",), ("hours",), ()],
        ),
    ],
)
def test_the_first_rule_that_matches_wins(
    situation: Situation, names: list[str], failing: list[tuple[str, ...]]
) -> None:
    asked = ask((FIRST, SECOND, LAST), situation)
    assert [one.rule.name for one in asked] == names
    assert [one.failing for one in asked] == failing


def test_where_no_rule_matches_all_were_asked() -> None:
    asked = ask((FIRST,), SATURDAY)
    assert [one.failing for one in asked] == [("tags",)]
    assert ask((), SATURDAY) == []


def test_nothing_asked_is_always_so() -> None:
    assert ALWAYS.hold(SATURDAY)
    assert ALWAYS.hold(ANN)


def test_every_reason_is_usual_or_silent_or_never_asked_about() -> None:
    parts = (USUAL_REASONS, SILENT_REASONS, NEVER_ASKED)
    assert sum(map(len, parts)) == len(Reason)
    assert USUAL_REASONS.union(*parts) == frozenset(Reason)
    assert Reason.VOICEMAIL_MESSAGE in USUAL_REASONS


def test_nobody_is_a_usual_caller_who_must_not_be_texted() -> None:
    assert set(CallerKind) - USUAL_CALLERS == {
        CallerKind.STAFF,
        CallerKind.BLOCKED,
        CallerKind.ANONYMOUS,
    }
