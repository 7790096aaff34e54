"""Whether to text: one row for each way to be told no, and the one way to be texted."""

import re
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge.core.call import Call, Caller, Disposition, HungUpBy, Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.facts import Facts
from pbx_bridge.core.limits import Budget, Counts, Limits, Spent
from pbx_bridge.core.number import parse
from pbx_bridge.core.office import LineRules, Moment, ReasonRule, Rules
from pbx_bridge.core.policy import (
    ABOUT_THE_CALL,
    ABOUT_THE_CALLER,
    CHECKS,
    LIMITS,
    Decision,
    Send,
    conclude,
    decide,
    explain,
)
from pbx_bridge.core.pricing import PriceList
from pbx_bridge.core.quiet import QuietHours, Window
from pbx_bridge.core.rules import Conditions, Rule
from pbx_bridge.core.sequence import Action, After, Sequence, SequenceStep
from pbx_bridge.core.skip import Skip, SkipReason
from pbx_bridge.core.wording import Wording

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

RULES = Rules(
    office="Miller & Sons",
    country="US",
    allowed_countries=frozenset({"US"}),
    own_numbers=frozenset({"+12125550100"}),
    blocked_numbers=frozenset({"+12125550666"}),
    route=("main",),
    last_resort=None,
    lines={},
    shadow=False,
    cooldown=timedelta(hours=4),
    expires_after=timedelta(minutes=30),
    min_ring=timedelta(seconds=2),
    max_per_hour=30,
    max_per_day=200,
    reasons={
        reason: ReasonRule(
            text=reason is not Reason.REJECTED,
            template="{office} missed {caller} on {line}",
            delay=timedelta(seconds=20),
        )
        for reason in Reason
        if reason not in {Reason.PERSON, Reason.LOST_IN_TRANSFER}
    },
)

MISSED = Call(
    call_id="1764000000.1",
    began=NOW - timedelta(seconds=30),
    ended=NOW,
    disposition=Disposition.MISSED,
    reason=Reason.RANG_NO_ANSWER,
    caller=Caller("+12125550142", "Ann", withheld=False),
    line="+12125550100",
    trunk="trunk",
    answered_at=None,
    answered_by="",
    hung_up_by=HungUpBy.PBX,
    ring_seconds=20.0,
    rung=(),
    queue=None,
    voicemail_seconds=0.0,
    mailbox="",
    steps=(),
)


def facts(call: dict[str, Any] | None = None, number: str = "", **more: Any) -> Facts:
    changed = dict(call or {})
    if number:
        changed["caller"] = Caller(number, "", withheld=False)
    judged = replace(MISSED, **changed)
    base = Facts(
        call=judged,
        now=NOW,
        rules=RULES,
        moment=Moment.CALL_ENDED,
        number=parse(judged.caller.number, "US"),
    )
    return replace(base, **more)


def test_a_missed_caller_is_texted() -> None:
    assert decide(facts()) == Send(
        to="+12125550142",
        body="Miller & Sons missed +12125550142 on +12125550100",
        due_at=NOW + timedelta(seconds=20),
        expires_at=NOW + timedelta(minutes=30),
        region="US",
        stranger=False,
    )


def body(template: str, call: dict[str, Any] | None = None, **more: Any) -> str:
    rule = replace(RULES.reasons[Reason.RANG_NO_ANSWER], template=template)
    rules = replace(RULES, reasons={Reason.RANG_NO_ANSWER: rule}, **more)
    decision = decide(facts(call, rules=rules))
    assert isinstance(decision, Send)
    return decision.body


def test_a_text_says_what_is_known_of_the_call() -> None:
    said = body(
        "{caller_name|there} {line_name|us} {day} {time} {office_number|-} {hours} {booking_link|}",
        {"caller": Caller("+12125550142", "BAKER ANN", withheld=False)},
        lines={"+12125550100": LineRules(name="Sales", route=())},
        wording=Wording(
            office_number="+12125550100",
            variables={"hours": "{office}"},
            zone=ZoneInfo("America/New_York"),
        ),
    )
    assert said == "Baker Ann Sales Monday 3:59 am +12125550100 {office} "


def test_what_is_not_known_has_its_fallback() -> None:
    nobody = {"caller": Caller("+12125550142", "WIRELESS CALLER", withheld=False), "line": ""}
    said = body("{caller_name|there} {line} {line_name|us} {office_number|-}", nobody)
    assert said == "there Miller & Sons us -"


def test_the_language_is_the_lines_or_the_regions_or_the_offices() -> None:
    rule = replace(
        RULES.reasons[Reason.RANG_NO_ANSWER],
        template="Hello {day}",
        translations={"es": "Hola {day}", "fr": "Bonjour {day}"},
    )
    rules = replace(RULES, reasons={Reason.RANG_NO_ANSWER: rule})
    mexican = replace(rules, wording=Wording(by_region={"US": "es"}))
    french = replace(mexican, lines={"+12125550100": LineRules(name="", route=(), language="fr")})
    said = [decide(facts(rules=one)) for one in (rules, mexican, french)]
    assert [send.body for send in said if isinstance(send, Send)] == [
        "Hello Monday",
        "Hola lunes",
        "Bonjour lundi",
    ]


def test_a_text_is_never_longer_than_a_gateway_takes() -> None:
    said = body("{hours}", wording=Wording(variables={"hours": "word " * 1000}))
    assert len(said) <= 1600
    assert said.endswith("word...")


AT_VOICEMAIL = replace(
    RULES,
    reasons={
        Reason.VOICEMAIL_HANGUP: replace(
            RULES.reasons[Reason.VOICEMAIL_HANGUP], act_on=Moment.VOICEMAIL_ENTERED
        )
    },
)

NEW_YORK = ZoneInfo("America/New_York")  #: where it is four in the morning, NOW
LONDON = ZoneInfo("Europe/London")  #: where it is nine
#: Texts from nine to eight; who has just called is answered at no other hour.
DAYTIME = QuietHours(Window(time(9), time(20)), immediate_within=None)
AT_NIGHT = replace(RULES, quiet=DAYTIME)
WITH_LIMITS = replace(
    RULES,
    allowed_countries=frozenset({"US", "PR"}),
    limits=Limits(
        per_number_per_day=2,
        per_number_per_week=4,
        per_block_per_hour=3,
        per_block_per_day=10,
        per_line_per_hour=20,
        per_region_per_day=5,
        strangers_per_hour=15,
        strangers_per_day=100,
        stranger_min_ring=timedelta(seconds=4),
        max_per_minute=12,
    ),
    budget=Budget(per_day=100_000, per_month=1_000_000),
    prices={"main": PriceList(7900, {"PR": 20_000})},
)


def counted(number: str = "", *, stranger: bool = False, **counts: int) -> Facts:
    """Give what is known of a caller, one of the counts being what it is."""
    return facts(number=number, rules=WITH_LIMITS, stranger=stranger, counts=Counts(**counts))


TEXT = SequenceStep(name="text", action=Action.TEXT, when=After(timedelta()))
FOR_CUSTOMERS = Rule(
    name="customers",
    conditions=Conditions(callers=frozenset({CallerKind.CUSTOMER})),
    sequence="default",
)


def ruled(*rules: Rule) -> Rules:
    return replace(RULES, rulebook=rules)


def sequenced(*steps: SequenceStep) -> Rules:
    return replace(RULES, sequences={"default": Sequence(name="default", steps=steps)})


OBJECTIONS: list[tuple[SkipReason, Facts]] = [
    (
        SkipReason.UNOBSERVED,
        facts({"disposition": Disposition.UNOBSERVED, "reason": Reason.FEED_GAP}),
    ),
    (SkipReason.ANSWERED, facts({"disposition": Disposition.ANSWERED, "reason": Reason.PERSON})),
    (
        SkipReason.ANSWERED,
        facts({"disposition": Disposition.ANSWERED, "reason": Reason.LOST_IN_TRANSFER}),
    ),
    (SkipReason.REASON_OFF, facts({"reason": Reason.REJECTED})),
    (
        SkipReason.OTHER_MOMENT,
        facts({"reason": Reason.VOICEMAIL_HANGUP}, moment=Moment.VOICEMAIL_ENTERED),
    ),
    (
        SkipReason.OTHER_MOMENT,
        facts({"reason": Reason.VOICEMAIL_HANGUP}, rules=AT_VOICEMAIL, decided_at_voicemail=True),
    ),
    (SkipReason.WITHHELD, facts({"caller": Caller("+12125550142", "", withheld=True)})),
    (SkipReason.NO_NUMBER, facts(number="anonymous")),
    (SkipReason.NOT_A_NUMBER, facts(number="101")),
    (SkipReason.OWN_NUMBER, facts(number="+12125550100")),
    (SkipReason.BLOCKED, facts(number="+12125550666")),
    (SkipReason.NUMBER_TYPE, facts(number="+18005550199")),
    (SkipReason.COUNTRY, facts(number="+18762101234")),
    (
        SkipReason.TOO_SHORT,
        facts({"reason": Reason.RANG_CANCELLED, "began": NOW - timedelta(seconds=1)}),
    ),
    (SkipReason.TOO_LATE, facts(now=NOW + timedelta(minutes=30))),
    (SkipReason.OPTED_OUT, facts(opted_out_at=NOW - timedelta(days=400))),
    (SkipReason.MUTED, facts(muted_until=NOW + timedelta(hours=1), muted_why="a machine")),
    (SkipReason.KNOWN_UNTEXTABLE, facts(known_untextable="a landline")),
    (SkipReason.SPOKEN_SINCE, facts(spoken_at=NOW)),
    (SkipReason.REPLIED, facts(replied_at=NOW)),
    (SkipReason.BOOKED, facts(booked_at=NOW)),
    (SkipReason.RULE, facts(rules=ruled(Rule(name="staff", sequence="", because="ours")))),
    (SkipReason.RULE, facts(rules=ruled(Rule(name="unsaid", sequence="")))),
    (SkipReason.RULE, facts(rules=ruled())),
    (SkipReason.RULE, facts(rules=ruled(FOR_CUSTOMERS), stranger=True)),
    (SkipReason.NOT_CONFIGURED, facts(rules=ruled(Rule(name="a", sequence="gone")))),
    (
        SkipReason.SEQUENCE,
        facts(
            rules=sequenced(SequenceStep(name="task", action=Action.TASK, when=After(timedelta())))
        ),
    ),
    (SkipReason.CONDITIONS, facts(rules=sequenced(replace(TEXT, only=Conditions(has_email=True))))),
    (SkipReason.NO_CONSENT, facts(rules=sequenced(replace(TEXT, needs_consent=True)))),
    (SkipReason.HELD_OUT, facts(held_out=True)),
    (SkipReason.COOLING_DOWN, facts(last_text=NOW)),
    (
        SkipReason.STRANGER_TOO_SHORT,
        facts(
            {"reason": Reason.RANG_CANCELLED, "began": NOW - timedelta(seconds=3)},
            rules=WITH_LIMITS,
            stranger=True,
        ),
    ),
    (SkipReason.QUIET_HOURS, facts(rules=AT_NIGHT, zones=(NEW_YORK,))),
    (SkipReason.QUIET_HOURS, facts(rules=AT_NIGHT, zones=())),
    (SkipReason.NUMBER_DAILY_CAP, counted(number_day=2)),
    (SkipReason.NUMBER_WEEKLY_CAP, counted(number_week=4)),
    (SkipReason.BURST, facts(burst="21 texts wanted within ten minutes")),
    (SkipReason.BLOCK_HOURLY_CAP, counted(block_hour=3)),
    (SkipReason.BLOCK_DAILY_CAP, counted(block_day=10)),
    (SkipReason.STRANGERS_HOURLY_CAP, counted(strangers_hour=15, stranger=True)),
    (SkipReason.STRANGERS_DAILY_CAP, counted(strangers_day=100, stranger=True)),
    (SkipReason.LINE_CAP, counted(line_hour=20)),
    (SkipReason.REGION_CAP, counted(region_day=5, number="+17875551234")),
    (SkipReason.MINUTE_CAP, counted(minute=12)),
    (SkipReason.HOURLY_CAP, counted(hour=30)),
    (SkipReason.DAILY_CAP, counted(day=200)),
    (SkipReason.DAILY_SPENDING, facts(rules=WITH_LIMITS, spent=Spent(day=95_000))),
    (SkipReason.MONTHLY_SPENDING, facts(rules=WITH_LIMITS, spent=Spent(month=1_000_000))),
]


@pytest.mark.parametrize(("reason", "given"), OBJECTIONS, ids=[str(r) for r, _ in OBJECTIONS])
def test_each_objection(reason: SkipReason, given: Facts) -> None:
    decision = decide(given)
    assert isinstance(decision, Skip)
    assert decision.reason is reason
    assert decision.detail


#: These no check gives: they end a follow-up or a step of it.
OF_FOLLOW_UPS = {
    SkipReason.TASK_CLOSED,
    SkipReason.SUPERSEDED,
    SkipReason.BY_HAND,
    SkipReason.RESTORED,
    SkipReason.NO_ADDRESS,
}


def test_every_reason_to_skip_is_tried() -> None:
    assert {reason for reason, _ in OBJECTIONS} == set(SkipReason) - OF_FOLLOW_UPS


def test_every_objection_is_documented() -> None:
    """docs/guards.md has a row for each, and for nothing else."""
    guide = (Path(__file__).parents[2] / "docs" / "guards.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE) == [
        check.__name__ for check in CHECKS
    ]
    told = {name for row in re.findall(r"^\|.*\|$", guide, re.MULTILINE)
            for name in re.findall(r"`(\w+)`", row)}  # fmt: skip
    assert {str(reason) for reason in SkipReason} <= told


def test_just_below_each_limit_the_caller_is_texted() -> None:
    below = Counts(
        number_day=1, number_week=3, block_hour=2, block_day=9, line_hour=19, region_day=4,
        strangers_hour=14, strangers_day=99, minute=11, hour=29, day=199,
    )  # fmt: skip
    for number in ("+12125550142", "+17875551234"):
        known = facts(number=number, rules=WITH_LIMITS, stranger=True, counts=below)
        assert isinstance(decide(replace(known, spent=Spent(day=80_000, month=980_000))), Send)


def test_a_limit_of_nothing_is_none() -> None:
    many = Counts(
        number_day=99, number_week=99, block_hour=99, block_day=99, line_hour=99, region_day=99,
        strangers_hour=99, strangers_day=99, minute=99,
    )  # fmt: skip
    assert isinstance(decide(facts(counts=many, stranger=True, spent=Spent(day=10**12))), Send)


def test_the_caps_of_strangers_and_of_foreign_regions_hold_for_nobody_else() -> None:
    assert isinstance(decide(counted(strangers_hour=15, strangers_day=100)), Send)
    assert isinstance(decide(counted(region_day=5)), Send)


def test_a_text_must_be_paid_for_out_of_what_is_left() -> None:
    """A second segment, or a dearer country, may be what is too much."""
    nearly = Spent(day=92_000)
    assert isinstance(decide(facts(rules=WITH_LIMITS, spent=nearly)), Send)
    assert is_skipped(decide(facts(rules=WITH_LIMITS, spent=nearly, number="+17875551234")))
    long = {r: replace(rule, template="x" * 161) for r, rule in RULES.reasons.items()}
    assert is_skipped(decide(facts(rules=replace(WITH_LIMITS, reasons=long), spent=nearly)))


def test_a_text_of_unknown_price_goes_until_the_limit_is_reached() -> None:
    unpriced = replace(WITH_LIMITS, prices={})
    assert isinstance(decide(facts(rules=unpriced, spent=Spent(day=99_999))), Send)
    assert is_skipped(decide(facts(rules=unpriced, spent=Spent(day=100_000))))
    nothing_to_spend = replace(unpriced, budget=Budget(per_day=0))
    assert isinstance(decide(facts(rules=nothing_to_spend)), Send), "a modem costs nothing"
    assert is_skipped(decide(facts(rules=replace(WITH_LIMITS, budget=Budget(per_day=0)))))


def is_skipped(decision: Decision) -> bool:
    return isinstance(decision, Skip)


def test_the_number_that_was_called_is_our_own_too() -> None:
    decision = decide(facts({"line": "(212) 555-0188"}, number="+12125550188"))
    assert isinstance(decision, Skip)
    assert decision.reason is SkipReason.OWN_NUMBER


class TestQuietHours:
    """It is four in the morning in New York."""

    def test_who_has_just_called_may_be_answered(self) -> None:
        quiet = replace(DAYTIME, immediate_within=timedelta(minutes=2))
        at_once = replace(AT_NIGHT, quiet=quiet)
        decision = decide(facts(rules=at_once, zones=(NEW_YORK,)))
        assert isinstance(decision, Send)
        assert decision.due_at == NOW + timedelta(seconds=20)
        found_late = facts(rules=at_once, zones=(NEW_YORK,), now=NOW + timedelta(minutes=3))
        assert is_skipped(decide(found_late)), "it was found in the records, minutes later"

    def test_a_text_that_can_wait_for_morning_does(self) -> None:
        patient = replace(AT_NIGHT, expires_after=timedelta(hours=12))
        decision = decide(facts(rules=patient, zones=(NEW_YORK,)))
        assert isinstance(decision, Send)
        assert decision.due_at == NOW + timedelta(hours=5)
        assert decision.note

    def test_it_must_be_a_good_hour_in_every_zone(self) -> None:
        assert isinstance(decide(facts(rules=AT_NIGHT, zones=(LONDON,))), Send)
        assert is_skipped(decide(facts(rules=AT_NIGHT, zones=(LONDON, NEW_YORK))))

    def test_what_time_it_is_there_is_told(self) -> None:
        decision = decide(facts(rules=AT_NIGHT, zones=(NEW_YORK, LONDON, NEW_YORK)))
        assert isinstance(decision, Skip)
        assert decision.detail == "it is 04:00 to 09:00 there"


def test_stage_after_stage_is_judged_as_all_at_once() -> None:
    """The ledger looks up what each stage needs only when the one before let the call pass."""
    for _, given in OBJECTIONS:
        verdicts = explain(given, ABOUT_THE_CALL)
        for stage in (ABOUT_THE_CALLER, LIMITS):
            if verdicts[-1].objection is None:
                verdicts += explain(given, stage)
        assert verdicts == explain(given)
        assert conclude(given, verdicts) == decide(given)


def test_explain_tells_every_check_up_to_the_one_that_objects() -> None:
    verdicts = explain(facts(number="+12125550666"))
    assert [v.check for v in verdicts] == [c.__name__ for c in CHECKS[: len(verdicts)]]
    assert [v.objection is None for v in verdicts] == [True] * (len(verdicts) - 1) + [False]
    assert len(explain(facts())) == len(CHECKS)


def test_a_reason_of_answered_calls_can_be_switched_on() -> None:
    lost = {"disposition": Disposition.ANSWERED, "reason": Reason.LOST_IN_TRANSFER}
    rule = ReasonRule(text=True, template="Sorry", delay=timedelta(0))
    rules = replace(RULES, reasons={Reason.LOST_IN_TRANSFER: rule})
    assert isinstance(decide(facts(lost, rules=rules)), Send)


def test_the_rule_decides_on_which_sight_of_voicemail_to_act() -> None:
    entered = facts(
        {"reason": Reason.VOICEMAIL_HANGUP, "ended": None},
        rules=AT_VOICEMAIL,
        moment=Moment.VOICEMAIL_ENTERED,
    )
    assert isinstance(decide(entered), Send)
    unseen_at_entry = facts({"reason": Reason.VOICEMAIL_HANGUP}, rules=AT_VOICEMAIL)
    assert isinstance(decide(unseen_at_entry), Send)


def test_no_country_list_means_every_country() -> None:
    anywhere = replace(RULES, allowed_countries=frozenset())
    assert isinstance(decide(facts(number="+447911123456", rules=anywhere)), Send)


def test_the_pbx_ending_a_call_at_once_is_no_wrong_number() -> None:
    assert isinstance(decide(facts({"began": NOW, "reason": Reason.UNAVAILABLE})), Send)
