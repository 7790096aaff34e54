"""The calls that are imagined."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pbx_bridge.core.call import Call, Disposition, HungUpBy, QueueVisit, Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.scenario import Scenario, calls, contact, contradictions, entering_voicemail

NUMBER = "+12125550142"
AT = datetime(2026, 11, 28, 19, 5, tzinfo=UTC)


def imagined(**given: Any) -> Scenario:
    return Scenario(**{"at": AT, **given})


def last(**given: Any) -> Call:
    return calls(imagined(**given), NUMBER)[-1]


def seconds(amount: float) -> timedelta:
    return timedelta(seconds=amount)


def test_of_nothing_said_comes_a_call_that_rings_out() -> None:
    call = last()
    assert call.reason is Reason.RANG_NO_ANSWER
    assert (call.began, call.ended, call.ring_seconds) == (AT, AT + seconds(20), 20.0)
    assert (call.caller.number, call.caller.withheld) == (NUMBER, False)
    assert (call.queue, call.rung, call.hung_up_by) == (None, (), HungUpBy.PBX)


@pytest.mark.parametrize(
    ("given", "reason", "lasts", "ring", "wait"),
    [
        ({"queue": "support"}, Reason.QUEUE_ABANDONED, 20, 0, 20),
        ({"wait": seconds(50)}, Reason.QUEUE_ABANDONED, 50, 0, 50),
        ({"wait": seconds(50), "lasts": seconds(70)}, Reason.QUEUE_ABANDONED, 70, 0, 50),
        ({"reason": Reason.BUSY, "lasts": seconds(3)}, Reason.BUSY, 3, 0, 0),
        ({"ring": seconds(30)}, Reason.RANG_NO_ANSWER, 30, 30, 0),
        ({"ring": seconds(30), "lasts": seconds(5)}, Reason.RANG_NO_ANSWER, 30, 30, 0),
        ({"lasts": seconds(5), "reason": Reason.RANG_CANCELLED}, Reason.RANG_CANCELLED, 5, 5, 0),
        ({"reason": Reason.VOICEMAIL_MESSAGE}, Reason.VOICEMAIL_MESSAGE, 20, 10, 0),
        (
            {"reason": Reason.VOICEMAIL_HANGUP, "ring": seconds(15), "lasts": seconds(40)},
            Reason.VOICEMAIL_HANGUP, 40, 15, 0,
        ),
    ],
)  # fmt: skip
def test_how_long_it_takes(
    given: dict[str, Any], reason: Reason, lasts: float, ring: float, wait: float
) -> None:
    call = last(**given)
    assert call.reason is reason
    assert call.ended == AT + seconds(lasts)
    assert call.ring_seconds == ring
    assert (call.queue.wait_seconds if call.queue else 0) == wait


def test_what_is_said_is_in_the_call() -> None:
    call = last(queue="support", extension="101", line="8001", name="ANN", lasts=seconds(9))
    assert call.queue == QueueVisit("support", 1, 9.0)
    assert [rung.endpoint for rung in call.rung] == ["101"]
    assert (call.line, call.caller.name) == ("8001", "ANN")


@pytest.mark.parametrize(
    ("reason", "disposition"),
    [
        (Reason.BUSY, Disposition.MISSED),
        (Reason.PERSON, Disposition.ANSWERED),
        (Reason.HANDLED, Disposition.ANSWERED),
        (Reason.FEED_GAP, Disposition.UNOBSERVED),
    ],
)
def test_a_reason_has_its_disposition(reason: Reason, disposition: Disposition) -> None:
    call = last(reason=reason)
    assert call.disposition is disposition
    assert (call.answered_at is not None) == (reason is Reason.PERSON)


def test_an_anonymous_caller_shows_no_number() -> None:
    call = last(caller=CallerKind.ANONYMOUS)
    assert (call.caller.number, call.caller.withheld) == ("anonymous", True)


def test_earlier_calls_come_evenly_within_their_span() -> None:
    every = calls(imagined(calls=3, within=timedelta(hours=1)), NUMBER)
    assert [AT - call.began for call in every] == [seconds(2400), seconds(1200), seconds(0)]
    assert len({call.call_id for call in every}) == 3


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, None),
        ({"caller": CallerKind.NEW}, None),
        ({"caller": CallerKind.KNOWN}, None),
        ({"caller": CallerKind.CUSTOMER}, CallerKind.CUSTOMER),
        ({"caller": CallerKind.STAFF}, CallerKind.STAFF),
        ({"tags": frozenset({"vip"})}, CallerKind.KNOWN),
        ({"email": True}, CallerKind.KNOWN),
        ({"language": "es"}, CallerKind.KNOWN),
    ],
)
def test_who_is_described_as_a_contact_is_one(
    given: dict[str, Any], kind: CallerKind | None
) -> None:
    found = contact(imagined(**given), NUMBER)
    assert (None if found is None else found.kind) == kind
    if found is not None:
        assert bool(found.email) == given.get("email", False)
        assert set(found.numbers) == {NUMBER}


def test_a_call_that_goes_to_voicemail_is_seen_there_first() -> None:
    entered = entering_voicemail(last(reason=Reason.VOICEMAIL_MESSAGE, ring=seconds(15)))
    assert entered is not None
    assert (entered.ended, entered.reason) == (None, Reason.VOICEMAIL_HANGUP)
    assert entered.steps[-1].at == AT + seconds(15)
    assert entering_voicemail(last()) is None
    assert entering_voicemail(entered) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, ""),
        ({"caller": CallerKind.NEW, "tags": frozenset({"vip"})}, "nobody you know"),
        ({"caller": CallerKind.ANONYMOUS, "number": NUMBER}, "nothing is known"),
        ({"caller": CallerKind.ANONYMOUS, "consented": True}, "nothing is known"),
        ({"caller": CallerKind.ANONYMOUS, "email": True}, "nothing is known"),
        ({"caller": CallerKind.ANONYMOUS, "crm_status": "lead"}, "nothing is known"),
        ({"caller": CallerKind.ANONYMOUS, "calls": 2}, "nobody can tell"),
        ({"caller": CallerKind.ANONYMOUS}, ""),
        ({"reason": Reason.PERSON, "calls": 2}, "only missed calls"),
        ({"reason": Reason.BUSY, "calls": 2}, ""),
        ({"calls": 3, "within": seconds(50)}, "one after the other"),
        ({"calls": 3, "within": seconds(60)}, ""),
    ],
)
def test_what_cannot_be_is_told(given: dict[str, Any], said: str) -> None:
    found = contradictions(imagined(**given))
    assert bool(found) == bool(said)
    assert said in "".join(found)
