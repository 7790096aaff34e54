"""Whether to text: one row for each way to be told no, and the one way to be texted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge.core.call import Call, Caller, Disposition, HungUpBy, Reason
from pbx_bridge.core.number import parse
from pbx_bridge.core.policy import (
    CHECKS,
    Defer,
    Facts,
    LineRules,
    Moment,
    ReasonRule,
    Rules,
    Send,
    Skip,
    SkipReason,
    decide,
    explain,
    still_wanted,
)
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
    (SkipReason.SPOKEN_SINCE, facts(spoken_at=NOW)),
    (SkipReason.COOLING_DOWN, facts(last_text=NOW)),
    (SkipReason.HOURLY_CAP, facts(texts_last_hour=30)),
    (SkipReason.DAILY_CAP, facts(texts_last_day=200)),
]


@pytest.mark.parametrize(("reason", "given"), OBJECTIONS, ids=[str(r) for r, _ in OBJECTIONS])
def test_each_objection(reason: SkipReason, given: Facts) -> None:
    decision = decide(given)
    assert isinstance(decision, Skip)
    assert decision.reason is reason
    assert decision.detail


def test_every_reason_to_skip_is_tried() -> None:
    assert {reason for reason, _ in OBJECTIONS} == set(SkipReason)


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


class TestStillWanted:
    """The last look at the world before a text goes out."""

    def look(self, **more: Any) -> Skip | Defer | None:
        known: dict[str, Any] = {"to": "+12125550142", "spoken_at": None, "in_call": False}
        return still_wanted(rules=RULES, now=NOW, **(known | more))

    def test_yes(self) -> None:
        assert self.look() is None

    def test_spoken_meanwhile(self) -> None:
        objection = self.look(spoken_at=NOW)
        assert isinstance(objection, Skip)
        assert objection.reason is SkipReason.SPOKEN_SINCE

    def test_blocked_meanwhile(self) -> None:
        objection = self.look(to="+12125550666")
        assert isinstance(objection, Skip)
        assert objection.reason is SkipReason.BLOCKED

    def test_on_the_phone_now(self) -> None:
        objection = self.look(in_call=True)
        assert isinstance(objection, Defer)
        assert objection.until > NOW
