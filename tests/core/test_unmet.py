"""Why a condition does not hold: what is so, and what was asked for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.hours import Track
from pbx_bridge.core.rules import Conditions, Situation, Span, VoicemailOutcome
from pbx_bridge.core.unmet import unmet

AT = datetime(2026, 11, 28, 19, 5, tzinfo=UTC)
SITUATION = Situation(
    at=AT, reason=Reason.BUSY, line=frozenset({"Sales", "8001"}), language="en", country="US"
)
HOUR = timedelta(hours=1)


def some(*members: Any) -> frozenset[Any]:
    return frozenset(members)


@pytest.mark.parametrize(
    ("asked", "so", "said"),
    [
        (
            {"reasons": some(Reason.PARKED)},
            {},
            "all phones were busy (asked: they were parked and nobody took the call)",
        ),
        ({"lines": some("Roofs")}, {}, "they called 8001, Sales (asked: they called Roofs)"),
        (
            {"lines": some("Roofs")},
            {"line": some()},
            "they called a line without a name (asked: they called Roofs)",
        ),
        (
            {"queues": some("a")},
            {},
            "they were in no queue (asked: they were in the queue a)",
        ),
        (
            {"queues": some("a")},
            {"queue": "b"},
            "they were in the queue b (asked: they were in the queue a)",
        ),
        (
            {"extensions": some("1")},
            {},
            "no extension that is known rang (asked: extension 1 rang)",
        ),
        (
            {"hours": some(Track.WEEKEND)},
            {},
            "it is then in office hours (asked: it is then a weekend)",
        ),
        (
            {"callers": some(CallerKind.CUSTOMER)},
            {},
            "they are new callers (asked: they are customers)",
        ),
        (
            {"tags": some("vip")},
            {"tags": some("a", "b")},
            "they are tagged a, b (asked: they are tagged vip)",
        ),
        (
            {"without_tags": some("a")},
            {"tags": some("a")},
            "they are tagged a (asked: they are not tagged a)",
        ),
        (
            {"languages": some("es")},
            {},
            "they are written to in English (asked: they are written to in Spanish)",
        ),
        (
            {"countries": some("GB")},
            {"country": ""},
            "their number is of no country (asked: their number is of GB)",
        ),
        (
            {"voicemail": some(VoicemailOutcome.LEFT)},
            {},
            "they did not reach voicemail (asked: they left a message)",
        ),
        (
            {"crm_status": some("lead")},
            {},
            "their status in the CRM is not known (asked: their status in the CRM is lead)",
        ),
        (
            {"calls": 3, "within": HOUR},
            {"missed_at": (AT - HOUR,)},
            (
                "we missed 2 calls of theirs, however long ago"
                " (asked: we missed at least 3 calls of theirs within 1 hour)"
            ),
        ),
        (
            {"calls": 2},
            {},
            (
                "we missed 1 call of theirs, however long ago"
                " (asked: we missed at least 2 calls of theirs)"
            ),
        ),
        (
            {"wait": Span(HOUR)},
            {},
            (
                "they waited in queues for 0 seconds (asked: they waited in queues for at least"
                " 1 hour)"
            ),
        ),
        (
            {"ring": Span(HOUR)},
            {},
            "phones rang for 0 seconds (asked: phones rang for at least 1 hour)",
        ),
        (
            {"has_email": True},
            {},
            "no e-mail address is known (asked: an e-mail address is known)",
        ),
        (
            {"consented": True},
            {},
            "they did not agree to texts (asked: they agreed to texts)",
        ),
    ],
)
def test_it_says_what_is_so_and_what_was_asked(
    asked: dict[str, Any], so: dict[str, Any], said: str
) -> None:
    conditions, situation = Conditions(**asked), replace(SITUATION, **so)
    (name,) = conditions.failing(situation)
    assert unmet(conditions, name, situation) == said
