"""Rules and steps as they are read to an owner: one plain sentence each."""

from datetime import time, timedelta
from typing import Any

import pytest

from pbx_bridge.core.aloud import (
    conditions_aloud,
    duration_aloud,
    rule_aloud,
    sequence_aloud,
    step_aloud,
)
from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.hours import Track
from pbx_bridge.core.rulebook import AT_ONCE, built_in_rules
from pbx_bridge.core.rules import (
    USUAL_CALLERS,
    USUAL_REASONS,
    Conditions,
    Rule,
    Span,
    VoicemailOutcome,
)
from pbx_bridge.core.sequence import Action, After, OnBusinessDay, Sequence, SequenceStep


def some(*members: Any) -> frozenset[Any]:
    return frozenset(members)


def seconds(least: float | None, most: float | None = None) -> Span:
    ends = (None if end is None else timedelta(seconds=end) for end in (least, most))
    return Span(*ends)


NIGHT = some(Track.AFTER_HOURS, Track.WEEKEND, Track.HOLIDAY)

SENTENCES: list[tuple[dict[str, Any], str]] = [
    (
        {"hours": NIGHT, "callers": some(CallerKind.NEW), "lines": some("Sales")},
        "After hours, at weekends and on holidays, new callers to Sales get the sequence booking.",
    ),
    ({}, "All callers get the sequence booking."),
    (
        {"callers": USUAL_CALLERS, "reasons": USUAL_REASONS},
        "Callers get the sequence booking.",
    ),
    (
        {"callers": some(CallerKind.STAFF, CallerKind.NEW, CallerKind.CUSTOMER)},
        "New callers, customers and staff get the sequence booking.",
    ),
    (
        {"callers": some(CallerKind.KNOWN, CallerKind.BLOCKED, CallerKind.ANONYMOUS)},
        "Known callers, blocked callers and anonymous callers get the sequence booking.",
    ),
    (
        {"hours": some(Track.IN_HOURS, Track.PHONES_DOWN), "lines": some("Sales", "Roofs")},
        (
            "In office hours and when no phone can be reached, all callers to Roofs or Sales get"
            " the sequence booking."
        ),
    ),
    (
        {"reasons": some(Reason.BUSY, Reason.RANG_NO_ANSWER)},
        (
            "All callers get the sequence booking if nobody picked up or all phones were busy."
        ),
    ),
    (
        {"voicemail": some(VoicemailOutcome.LEFT)},
        "All callers get the sequence booking if they left a message.",
    ),
    (
        {"voicemail": some(VoicemailOutcome.NOT_LEFT, VoicemailOutcome.NOT_REACHED)},
        (
            "All callers get the sequence booking if they heard the greeting of the voicemail and"
            " left no message or did not reach voicemail."
        ),
    ),
    (
        {"queues": some("support", "sales"), "wait": seconds(30)},
        (
            "All callers get the sequence booking if they were in the queue sales or support and"
            " they waited in queues for at least 30 seconds."
        ),
    ),
    (
        {"wait": seconds(None, 20)},
        "All callers get the sequence booking if they waited in queues for less than 20 seconds.",
    ),
    (
        {"extensions": some("101"), "ring": seconds(10, 60)},
        (
            "All callers get the sequence booking if extension 101 rang and phones rang for at"
            " least 10 seconds and less than 1 minute."
        ),
    ),
    (
        {"calls": 2, "within": timedelta(hours=1, minutes=30)},
        (
            "All callers get the sequence booking if we missed at least 2 calls of theirs within"
            " 1 hour 30 minutes."
        ),
    ),
    (
        {"calls": 3},
        "All callers get the sequence booking if we missed at least 3 calls of theirs.",
    ),
    (
        {"tags": some("vip"), "without_tags": some("roof", "supplier")},
        (
            "All callers get the sequence booking if they are tagged vip and they are not tagged"
            " roof or supplier."
        ),
    ),
    (
        {"crm_status": some("lead"), "languages": some("es", "pl"), "countries": some("MX")},
        (
            "All callers get the sequence booking if their status in the CRM is lead, they are"
            " written to in Spanish or pl and their number is of MX."
        ),
    ),
    (
        {"has_email": True, "consented": True},
        (
            "All callers get the sequence booking if an e-mail address is known and they agreed"
            " to texts."
        ),
    ),
    (
        {"has_email": False, "consented": False},
        (
            "All callers get the sequence booking if no e-mail address is known and they did not"
            " agree to texts."
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "sentence"), SENTENCES, ids=[s[1] for s in SENTENCES])
def test_a_rule_is_one_sentence(asked: dict[str, Any], sentence: str) -> None:
    rule = Rule(name="x", conditions=Conditions(**asked), sequence="booking")
    assert rule_aloud(rule) == sentence


def test_every_condition_is_said() -> None:
    assert {name for asked, _ in SENTENCES for name in asked} == set(
        Conditions.__dataclass_fields__
    )


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words(reason: Reason) -> None:
    rule = Rule(name="x", conditions=Conditions(reasons=some(reason)), sequence="booking")
    assert rule_aloud(rule).startswith("All callers get the sequence booking if ")


def test_reasons_that_are_usual_for_an_office_go_without_saying() -> None:
    usual = USUAL_REASONS | {Reason.REJECTED}
    rule = Rule(name="x", conditions=Conditions(reasons=usual), sequence="booking")
    assert rule_aloud(rule, usual) == "All callers get the sequence booking."
    assert "the PBX refused the call" in rule_aloud(rule)


def test_why_is_said() -> None:
    vips = Conditions(callers=USUAL_CALLERS, tags=some("vip"))
    rule = Rule(name="x", conditions=vips, sequence="", because="Ann calls them herself.")
    assert rule_aloud(rule) == (
        "Callers get nothing if they are tagged vip, because Ann calls them herself."
    )


def test_the_built_in_rules_read_well() -> None:
    assert [rule_aloud(rule) for rule in built_in_rules()] == [
        "Staff get nothing, because they are our own people.",
        "Blocked callers get nothing, because the office has blocked them.",
        "Anonymous callers get nothing, because there is no number to write to or to call back.",
        "All callers get the sequence voicemail if they left a message.",
        "All callers get the sequence default.",
        (
            "All callers get nothing, because such calls are followed up only where a rule names"
            " the reason."
        ),
    ]


STEPS: list[tuple[dict[str, Any], str]] = [
    ({"action": Action.TEXT}, "at once: a text: the usual words"),
    (
        {"action": Action.TEXT, "words": "Hi, {office} here."},
        'at once: a text: "Hi, {office} here."',
    ),
    (
        {
            "action": Action.TEXT,
            "when": OnBusinessDay(time(9, 30)),
            "needs_consent": True,
            "only": Conditions(callers=some(CallerKind.NEW, CallerKind.CUSTOMER)),
        },
        (
            "next business day at 9:30, by the caller's clock, only if they are new callers or"
            " customers, only with consent where the law asks for it: a text: the usual words"
        ),
    ),
    (
        {
            "action": Action.MAIL,
            "when": After(timedelta(minutes=60)),
            "words": "Hi",
            "subject": "Your call",
            "only": Conditions(has_email=True),
        },
        (
            "1 hour after the call, only if an e-mail address is known: an e-mail with the subject"
            ' "Your call": "Hi"'
        ),
    ),
    (
        {
            "action": Action.TASK,
            "when": OnBusinessDay(time(17), 0, of_caller=False),
            "due_in": timedelta(hours=2),
            "owner": "ann",
        },
        (
            "the same business day at 17:00, by the office's clock: a task, due in 2 hours, for"
            " ann: the usual words"
        ),
    ),
    (
        {
            "action": Action.ALERT,
            "when": OnBusinessDay(time(8, 5), 2, of_caller=False),
            "words": "Still there",
            "only": Conditions(hours=NIGHT, lines=some("Sales"), calls=2),
        },
        (
            "2nd business day at 8:05, by the office's clock, only if it is then after hours, a"
            " weekend or a holiday, they called Sales and we missed at least 2 calls of"
            ' theirs: an alert to staff: "Still there"'
        ),
    ),
    (
        {
            "action": Action.WEBHOOK,
            "when": OnBusinessDay(time(8), 4, of_caller=False),
            "event": "gave_up",
        },
        '4th business day at 8:00, by the office\'s clock: a webhook: "gave_up"',
    ),
]


@pytest.mark.parametrize(("known", "sentence"), STEPS, ids=[s[1][:60] for s in STEPS])
def test_a_step_tells_when_and_what(known: dict[str, Any], sentence: str) -> None:
    usual: dict[str, Any] = {"name": "x", "when": AT_ONCE}
    step = SequenceStep(**(usual | known))
    assert step_aloud(step) == sentence
    assert sequence_aloud(Sequence(name="y", steps=(step, step))) == [sentence, sentence]


def test_no_conditions_are_silent() -> None:
    assert conditions_aloud(Conditions()) == ""


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=90), "1 minute 30 seconds"),
        (timedelta(minutes=120), "2 hours"),
        (timedelta(days=2, hours=1), "2 days 1 hour"),
    ],
)
def test_a_length_of_time_is_spelled(length: timedelta, said: str) -> None:
    assert duration_aloud(length) == said
