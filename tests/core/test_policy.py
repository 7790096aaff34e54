"""Whether to text: one row for each way to be told no, and the one way to be texted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pbx_bridge.core.call import Call, Caller, Disposition, HungUpBy, Reason
from pbx_bridge.core.number import parse
from pbx_bridge.core.policy import (
    CHECKS,
    Defer,
    Facts,
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
