"""Rules that can hardly be meant: found if they are so for certain, and never else."""

from datetime import UTC, datetime, time, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.doubts import Doubt, DoubtKind, doubts
from pbx_bridge.core.hours import Track
from pbx_bridge.core.rulebook import built_in_rules, built_in_sequences
from pbx_bridge.core.rules import (
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
from pbx_bridge.core.sequence import Action, OnBusinessDay, Sequence, SequenceStep

AT = datetime(2026, 11, 21, 19, 5, tzinfo=UTC)
LEFT, NOT_LEFT, NOT_REACHED = VoicemailOutcome


def some(*members: Any) -> frozenset[Any]:
    return frozenset(members)


def rule(name: str, **asked: Any) -> Rule:
    return Rule(name=name, conditions=Conditions(**asked), sequence="")


def found(*rules: Rule) -> list[Doubt]:
    return list(doubts((*rules, *built_in_rules()), {}))


def seconds(least: float | None, most: float | None = None) -> Span:
    ends = (None if end is None else timedelta(seconds=end) for end in (least, most))
    return Span(*ends)


NIGHT = some(Track.AFTER_HOURS, Track.WEEKEND, Track.HOLIDAY)

#: Rules in order, and what is said of the last of them.
OVERTAKEN: list[tuple[list[Rule], str]] = [
    ([rule("all"), rule("vips", tags=some("vip"))], '"all" stands before it and matches all'),
    (
        [rule("nights", hours=NIGHT), rule("weekends", hours=some(Track.WEEKEND), calls=2)],
        '"nights" stands before it and matches all',
    ),
    (
        [
            rule("open", hours=some(Track.IN_HOURS, Track.PHONES_DOWN)),
            rule("vips", tags=some("vip")),
            rule("closed", hours=NIGHT),
            rule("leads", crm_status=some("lead")),
        ],
        '"open" and "closed" stand before it and together match all',
    ),
    (
        [
            rule("new", callers=some(CallerKind.NEW)),
            rule("known", callers=some(CallerKind.KNOWN)),
            rule("customers", callers=some(CallerKind.CUSTOMER)),
            rule("usual", callers=USUAL_CALLERS),
        ],
        '"new", "known" and "customers" stand before it and together match all',
    ),
    (
        [
            rule("quick", wait=seconds(None, 20)),
            rule("slow", wait=seconds(20)),
            rule("ten", wait=seconds(10, 30)),
        ],
        '"quick" and "slow" stand before it and together match all',
    ),
    (
        [
            rule("often", calls=2, within=timedelta(hours=2)),
            rule("very often", calls=3, within=timedelta(hours=1)),
        ],
        '"often" stands before it and matches all',
    ),
    (
        [rule("tagged", tags=some("a", "b")), rule("b", tags=some("b"))],
        '"tagged" stands before it and matches all',
    ),
    (  # who has tags is no new or anonymous caller
        [
            rule("ours", callers=frozenset(CallerKind) - {CallerKind.NEW, CallerKind.ANONYMOUS}),
            rule("vips", tags=some("vip")),
        ],
        '"ours" stands before it and matches all',
    ),
    (  # a message left is a reason of its own
        [rule("messages", reasons=some(Reason.VOICEMAIL_MESSAGE)),
         rule("left", reasons=USUAL_REASONS, voicemail=some(LEFT))],
        '"messages" stands before it and matches all',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "said"), OVERTAKEN)
def test_a_rule_that_is_never_reached_is_told(rules: list[Rule], said: str) -> None:
    (doubt,) = found(*rules)
    assert doubt.kind is DoubtKind.UNREACHABLE
    assert doubt.where == ("rules", len(rules) - 1)
    assert doubt.text == f'the rule "{rules[-1].name}" is never reached: {said} that it would'


REACHED = [
    [rule("weekends", hours=some(Track.WEEKEND)), rule("nights", hours=NIGHT)],
    [rule("vips", tags=some("vip")), rule("others")],
    [rule("sales", lines=some("Sales")), rule("both", lines=some("Sales", "Service"))],
    [rule("en", languages=some("en")), rule("es", languages=some("es")), rule("rest")],
    [rule("more", calls=3), rule("two", calls=2)],
    [rule("lately", calls=2, within=timedelta(hours=1)), rule("ever", calls=2)],
    [rule("short", ring=seconds(None, 10)), rule("all of it", ring=seconds(None, 11))],
    [rule("a, not b", tags=some("a"), without_tags=some("b")), rule("a", tags=some("a"))],
    [
        rule("queue", queues=some("support"), wait=seconds(30)),
        rule("voicemail from a queue", reasons=some(Reason.VOICEMAIL_HANGUP), wait=seconds(10)),
    ],
    [rule("texts", consented=True), rule("new", callers=some(CallerKind.NEW))],
    [rule("sales", lines=some("Sales")), rule("night", hours=NIGHT)],
]


@pytest.mark.parametrize("rules", REACHED)
def test_a_rule_that_can_be_reached_is_left_alone(rules: list[Rule]) -> None:
    assert found(*rules) == []


CONTRADICTIONS = [
    (
        {"callers": some(CallerKind.ANONYMOUS, CallerKind.NEW), "tags": some("vip")},
        "new and anonymous callers are no contacts, so they have no tags",
    ),
    (
        {"callers": some(CallerKind.NEW), "has_email": True},
        "new and anonymous callers are no contacts, so no e-mail address is known",
    ),
    (
        {"callers": some(CallerKind.ANONYMOUS), "consented": True},
        "anonymous callers cannot agree to texts",
    ),
    (
        {"callers": some(CallerKind.ANONYMOUS), "countries": some("US")},
        "anonymous callers have no number, so no country",
    ),
    (
        {"callers": some(CallerKind.ANONYMOUS), "crm_status": some("lead")},
        "anonymous callers are not found in a CRM",
    ),
    (
        {"callers": some(CallerKind.ANONYMOUS), "calls": 2},
        "two calls of anonymous callers cannot be known to be the same caller's",
    ),
    (
        {"voicemail": some(LEFT), "reasons": some(Reason.BUSY, Reason.VOICEMAIL_HANGUP)},
        "when a message was left the reason is voicemail_message",
    ),
    (
        {"voicemail": some(NOT_LEFT), "reasons": some(Reason.VOICEMAIL_MESSAGE)},
        "when voicemail was reached and no message left the reason is voicemail_hangup",
    ),
    (
        {"voicemail": some(LEFT, NOT_LEFT), "reasons": some(Reason.BUSY)},
        (
            "when a message was left the reason is voicemail_message; when voicemail was reached"
            " and no message left the reason is voicemail_hangup"
        ),
    ),
    (
        {"voicemail": some(NOT_REACHED), "reasons": some(Reason.VOICEMAIL_HANGUP)},
        "calls of this reason did reach voicemail",
    ),
    (
        {"reasons": some(Reason.BUSY, Reason.RANG_NO_ANSWER), "hours": some(Track.PHONES_DOWN)},
        "phones are known to be down only when the reason is unavailable",
    ),
    (
        {"reasons": some(Reason.BUSY), "queues": some("support")},
        "calls of this reason were in no queue",
    ),
    (
        {"reasons": some(Reason.RANG_CANCELLED), "wait": seconds(30)},
        "calls of this reason were in no queue; callers wait only in a queue",
    ),
    (
        {"reasons": some(Reason.IVR_ABANDONED, Reason.PARKED), "ring": seconds(5)},
        "in calls of this reason no phone rings",
    ),
    (
        {"reasons": some(Reason.ANNOUNCEMENT_ONLY), "extensions": some("101")},
        "in calls of this reason no phone rings",
    ),
    (
        {"reasons": some(Reason.PERSON, Reason.FEED_GAP)},
        "rules are not asked about calls that a person took or that nobody observed",
    ),
    (
        {"tags": some("vip"), "without_tags": some("vip", "roof")},
        "what it asks about tags and without_tags excludes itself",
    ),
    ({"ring": seconds(30, 20)}, "what it asks about ring excludes itself"),
]


@pytest.mark.parametrize(("asked", "because"), CONTRADICTIONS, ids=[c[1] for c in CONTRADICTIONS])
def test_a_rule_that_never_matches_is_told(asked: dict[str, Any], because: str) -> None:
    (doubt,) = found(rule("odd", **asked))
    assert doubt == Doubt(
        DoubtKind.CONTRADICTORY, ("rules", 0), f'the rule "odd" never matches: {because}'
    )


NO_CONTRADICTIONS: list[dict[str, Any]] = [
    {"callers": some(CallerKind.NEW, CallerKind.KNOWN), "tags": some("vip")},
    {"callers": some(CallerKind.NEW), "without_tags": some("vip")},
    {"callers": some(CallerKind.NEW), "consented": True},
    {"callers": some(CallerKind.NEW), "calls": 2},
    {"callers": some(CallerKind.ANONYMOUS), "voicemail": some(LEFT)},
    {"callers": some(CallerKind.ANONYMOUS), "has_email": False},
    {"voicemail": some(LEFT), "reasons": some(Reason.VOICEMAIL_MESSAGE), "wait": seconds(30)},
    {"hours": some(Track.PHONES_DOWN), "reasons": some(Reason.UNAVAILABLE)},
    {"hours": some(Track.IN_HOURS), "reasons": some(Reason.UNAVAILABLE)},
    {"voicemail": some(LEFT), "reasons": some(Reason.LOST_IN_TRANSFER)},
    {"reasons": some(Reason.BUSY), "wait": seconds(None, 20)},
    {"reasons": some(Reason.REJECTED), "queues": some("support"), "ring": seconds(1)},
    {"reasons": some(Reason.PERSON, Reason.BUSY)},
]


@pytest.mark.parametrize("asked", NO_CONTRADICTIONS)
def test_what_can_be_so_is_left_alone(asked: dict[str, Any]) -> None:
    assert found(rule("fine", **asked)) == []


def test_a_contradictory_rule_is_not_also_called_unreachable() -> None:
    (doubt,) = found(rule("all"), rule("odd", ring=seconds(2, 1)))
    assert doubt.kind is DoubtKind.CONTRADICTORY


def test_built_in_rules_are_there_to_be_overtaken() -> None:
    assert found(rule("all")) == []
    assert found() == []


def test_a_sequence_that_no_rule_uses_is_told() -> None:
    booking = Sequence(name="booking", steps=())
    unused = list(doubts(built_in_rules(), {"booking": booking, **built_in_sequences()}))
    text = 'no rule uses the sequence "booking"'
    assert unused == [Doubt(DoubtKind.UNUSED, ("sequences", "booking"), text)]


def test_a_step_that_never_happens_is_told() -> None:
    def step(name: str, only: Conditions) -> SequenceStep:
        return SequenceStep(name=name, action=Action.TEXT, when=OnBusinessDay(time(9)), only=only)

    stranger = Conditions(callers=some(CallerKind.NEW), tags=some("vip"))
    steps = (step("text", Conditions(tags=some("vip"))), step("text-2", stranger))
    (doubt,) = doubts(built_in_rules(), {"default": Sequence(name="default", steps=steps)})
    assert doubt.where == ("sequences", "default", "steps", 1)
    assert doubt.text == (
        'the step "text-2" of the sequence "default" never happens: new and anonymous callers are'
        " no contacts, so they have no tags"
    )


# -- for any rules ------------------------------------------------------------------------------

REASONS = (
    *(Reason.BUSY, Reason.VOICEMAIL_MESSAGE, Reason.VOICEMAIL_HANGUP, Reason.QUEUE_ABANDONED),
    *(Reason.IVR_ABANDONED, Reason.HANDLED),
)


def outcomes(reason: Reason) -> list[VoicemailOutcome]:
    """Give what may have come of voicemail in a call of this reason."""
    only = {Reason.VOICEMAIL_MESSAGE: LEFT, Reason.VOICEMAIL_HANGUP: NOT_LEFT}
    if reason is Reason.HANDLED:
        return list(VoicemailOutcome)
    return [only.get(reason, NOT_REACHED)]


def tags_of(caller: CallerKind) -> list[frozenset[str]]:
    if caller in (CallerKind.NEW, CallerKind.ANONYMOUS):
        return [frozenset()]
    return [frozenset(), some("a"), some("b"), some("a", "b")]


#: Every situation there is, as far as the conditions below can tell them apart.
EVERY = [
    Situation(
        at=AT,
        reason=reason,
        line=frozenset(),
        track=track,
        caller=caller,
        voicemail=voicemail,
        tags=tags,
        has_email=has_email,
    )
    for reason, track, caller, has_email in product(
        REASONS, (Track.IN_HOURS, Track.WEEKEND), CallerKind, (True, False)
    )
    if not (has_email and caller in (CallerKind.NEW, CallerKind.ANONYMOUS))
    for voicemail in outcomes(reason)
    for tags in tags_of(caller)
]
#: Tracks and reasons that no situation above has are never named alone.
OTHER_TRACKS = frozenset(Track) - {Track.IN_HOURS, Track.WEEKEND}
OTHER_REASONS = frozenset(Reason) - set(REASONS)


def sets(*members: Any) -> st.SearchStrategy[frozenset[Any]]:
    return st.frozensets(st.sampled_from(members))


CONDITIONS = st.builds(
    Conditions,
    reasons=sets(*REASONS) | sets(*REASONS).map(lambda named: named | OTHER_REASONS),
    hours=st.sampled_from((frozenset(), some(Track.IN_HOURS), OTHER_TRACKS | {Track.WEEKEND})),
    callers=sets(*CallerKind),
    voicemail=sets(*VoicemailOutcome),
    tags=sets("a", "b"),
    without_tags=sets("a", "b"),
    has_email=st.sampled_from((None, None, True, False)),
)
RULES = st.lists(CONDITIONS, min_size=1, max_size=7).map(
    lambda books: [
        Rule(name=str(index), conditions=one, sequence="") for index, one in enumerate(books)
    ]
)


def first(rules: list[Rule], situation: Situation) -> str | None:
    last = ask(rules, situation)[-1]
    return None if last.failing else last.rule.name


@given(RULES)
@settings(max_examples=150, deadline=None)
def test_exactly_the_rules_that_never_come_first_are_told(rules: list[Rule]) -> None:
    told = {rules[int(doubt.where[1])].name for doubt in doubts(rules, {})}
    come_first = {first(rules, situation) for situation in EVERY}
    assert told.isdisjoint(come_first)
    # What is left to other tracks and reasons cannot be seen here, so it is not told either.
    elsewhere = {
        one.name
        for one in rules
        if not one.conditions.reasons or one.conditions.reasons & OTHER_REASONS
    }
    assert {one.name for one in rules} - come_first - elsewhere <= told


LENGTHS = st.integers(0, 60).map(lambda amount: timedelta(seconds=amount))
SPANS = st.builds(Span, st.none() | LENGTHS, st.none() | LENGTHS)
AMOUNTS = st.builds(
    Conditions,
    callers=sets(CallerKind.NEW, CallerKind.CUSTOMER),
    lines=sets("Sales", "Service"),
    queues=sets("support", "sales"),
    languages=sets("en", "es"),
    countries=sets("US", "CA"),
    calls=st.integers(1, 4),
    within=st.none() | st.integers(1, 5).map(lambda hours: timedelta(hours=hours)),
    wait=SPANS,
    ring=SPANS,
    consented=st.sampled_from((None, None, True, False)),
)
SITUATIONS = st.builds(
    Situation,
    at=st.just(AT),
    reason=st.sampled_from((Reason.QUEUE_ABANDONED, Reason.QUEUE_UNSERVED)),
    line=sets("Sales", "Service"),
    queue=st.sampled_from(("support", "sales", "other")),
    caller=st.sampled_from((CallerKind.NEW, CallerKind.CUSTOMER, CallerKind.KNOWN)),
    language=st.sampled_from(("en", "es", "fr")),
    country=st.sampled_from(("US", "CA", "MX")),
    wait=LENGTHS,
    ring=LENGTHS,
    missed_at=st.lists(st.integers(1, 400).map(lambda age: AT - timedelta(minutes=age))),
    consented=st.booleans(),
)


@given(
    st.lists(AMOUNTS, min_size=2, max_size=6),
    st.lists(SITUATIONS, min_size=1, max_size=20),
)
@settings(max_examples=200, deadline=None)
def test_a_rule_that_is_told_never_comes_first(
    books: list[Conditions], situations: list[Situation]
) -> None:
    rules = [Rule(name=str(n), conditions=one, sequence="") for n, one in enumerate(books)]
    told = {rules[int(doubt.where[1])].name for doubt in doubts(rules, {})}
    for situation in situations:
        assert first(rules, situation) not in told


def test_the_reasons_of_the_examples_are_of_every_sort() -> None:
    assert set(REASONS) & SILENT_REASONS
    assert not set(REASONS) & NEVER_ASKED
