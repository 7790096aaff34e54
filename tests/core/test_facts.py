"""What rules can ask about a call, and where each answer comes from."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge.core.call import Caller, QueueVisit, Reason, Rung
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.facts import Facts, caller_kind, situation
from pbx_bridge.core.hours import Hours, Schedule, Track
from pbx_bridge.core.office import LineRules
from pbx_bridge.core.rules import Rule, VoicemailOutcome
from pbx_bridge.core.sequence import TEXT_NOW, Action, After, SequenceStep
from pbx_bridge.core.wording import Wording
from tests.core.test_policy import NOW, RULES, facts

LINES = {
    "+12125550100": LineRules(name="Sales", route=("main",), language="es"),
    "info": LineRules(name="", route=("main",)),
}
NEW_YORK = ZoneInfo("America/New_York")
#: NOW is Monday, four in the morning.
NINE_TO_FIVE = Hours(office=Schedule(zone=NEW_YORK, hours="Mo-Fr 09:00-17:00"))
EARLY = Hours(office=Schedule(zone=NEW_YORK, hours="Mo-Fr 03:00-17:00"))


def asked(call: dict[str, Any] | None = None, number: str = "", **more: Any) -> Any:
    rules = replace(RULES, lines=LINES, **more.pop("rules", {}))
    return situation(facts(call, number, rules=rules, **more))


def test_a_line_has_all_its_names() -> None:
    assert asked().line == {"+12125550100", "Sales"}
    assert asked({"line": "2125550100"}).line == {"2125550100", "+12125550100", "Sales"}
    assert asked({"line": "info"}).line == {"info"}
    assert asked({"line": ""}).line == frozenset()


def test_what_the_call_tells() -> None:
    told = asked(
        {
            "reason": Reason.QUEUE_ABANDONED,
            "queue": QueueVisit("support", 2, 45.5),
            "ring_seconds": 12.0,
            "rung": (Rung("PJSIP/101", 12.0, 1, "NOANSWER"), Rung("PJSIP/102", 5.0, 1, "BUSY")),
        }
    )
    assert (told.queue, told.wait) == ("support", timedelta(seconds=45.5))
    assert (told.ring, told.extensions) == (timedelta(seconds=12), {"PJSIP/101", "PJSIP/102"})
    assert (told.at, told.country) == (NOW, "US")
    assert asked(number="anonymous").country == ""
    assert asked().queue == ""


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.VOICEMAIL_MESSAGE, VoicemailOutcome.LEFT),
        (Reason.VOICEMAIL_HANGUP, VoicemailOutcome.NOT_LEFT),
        (Reason.BUSY, VoicemailOutcome.NOT_REACHED),
    ],
)
def test_what_came_of_voicemail(reason: Reason, expected: VoicemailOutcome) -> None:
    assert asked({"reason": reason}).voicemail is expected


@pytest.mark.parametrize(
    ("contact", "line", "expected"),
    [
        (None, "", "en"),
        (None, "+12125550100", "es"),
        (Contact(language="fr"), "+12125550100", "fr"),
        (Contact(), "+12125550100", "es"),
    ],
)
def test_the_contacts_language_goes_before_the_lines(
    contact: Contact | None, line: str, expected: str
) -> None:
    assert asked({"line": line}, contact=contact).language == expected


def test_the_language_of_a_country() -> None:
    wording = Wording(by_region={"MX": "es"})
    assert asked({"line": ""}, "+525512345678", rules={"wording": wording}).language == "es"


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"stranger": True}, CallerKind.NEW),
        ({"stranger": False}, CallerKind.KNOWN),
        ({"contact": Contact(), "stranger": True}, CallerKind.KNOWN),
        ({"contact": Contact(kind=CallerKind.CUSTOMER), "stranger": True}, CallerKind.CUSTOMER),
        ({"contact": Contact(kind=CallerKind.STAFF)}, CallerKind.STAFF),
        ({"number": "anonymous"}, CallerKind.ANONYMOUS),
        ({"call": {"caller": Caller("+12125550142", "", withheld=True)}}, CallerKind.ANONYMOUS),
    ],
)
def test_who_calls(known: dict[str, Any], expected: CallerKind) -> None:
    assert caller_kind(facts(**known)) is expected


def test_what_the_office_knows() -> None:
    told = asked(
        contact=Contact(tags=frozenset({"vip"}), email="ann@example.com"),
        crm_status="lead",
        consented=True,
        missed_at=(NOW,),
    )
    assert told.tags == {"vip"}
    assert (told.has_email, told.consented, told.crm_status) == (True, True, "lead")
    assert told.missed_at == (NOW,)


@pytest.mark.parametrize(
    ("hours", "reason", "expected"),
    [
        (NINE_TO_FIVE, Reason.RANG_NO_ANSWER, Track.AFTER_HOURS),
        (EARLY, Reason.RANG_NO_ANSWER, Track.IN_HOURS),
        (EARLY, Reason.UNAVAILABLE, Track.PHONES_DOWN),
        (NINE_TO_FIVE, Reason.UNAVAILABLE, Track.AFTER_HOURS),
    ],
)
def test_in_what_sort_of_time_it_came(hours: Hours, reason: Reason, expected: Track) -> None:
    assert asked({"reason": reason}, rules={"hours": hours}).track is expected


def test_a_step_is_asked_about_its_own_time() -> None:
    later = facts(
        rules=replace(RULES, hours=NINE_TO_FIVE),
        now=NOW + timedelta(hours=6),
        step=SequenceStep(name="x", action=Action.ALERT, when=After(timedelta(hours=6))),
    )
    assert later.track is Track.IN_HOURS


def test_the_rules_are_asked_once() -> None:
    known = facts()
    assert known.ruling[-1].rule == RULES.rulebook[-1]
    assert replace(known, asked=()).ruling == ()
    assert known.sequence is TEXT_NOW or known.sequence == TEXT_NOW
    assert replace(known, asked=()).sequence is None


def test_what_a_text_is_about() -> None:
    assert facts().texting == TEXT_NOW.steps[0]
    step = SequenceStep(name="x", action=Action.TEXT, when=After(timedelta(hours=6)))
    assert facts(step=step).texting == step
    nothing = replace(RULES, rulebook=(Rule(name="no", sequence=""),))
    assert facts(rules=nothing).texting is None


@pytest.mark.parametrize(
    ("named", "reason", "expected"),
    [
        (frozenset(), Reason.RANG_NO_ANSWER, True),
        (frozenset(), Reason.REJECTED, False),
        (frozenset({Reason.REJECTED}), Reason.REJECTED, True),
        (frozenset({Reason.REJECTED}), Reason.PERSON, False),
    ],
)
def test_a_rule_that_names_a_reason_wants_it(
    named: frozenset[Reason], reason: Reason, *, expected: bool
) -> None:
    known: Facts = facts({"reason": reason}, rules=replace(RULES, named_reasons=named))
    assert known.wanted is expected
