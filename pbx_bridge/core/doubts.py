"""What is doubtful about an office's rules: allowed, but it can hardly be meant."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from pbx_bridge.core import sequence
from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.coverage import (
    Called,
    Claim,
    Lasted,
    OneOf,
    SomeOf,
    claims_of,
    covered,
    disagreeing,
)
from pbx_bridge.core.hours import Track
from pbx_bridge.core.rules import (
    NEVER_ASKED,
    USUAL_REASONS,
    Conditions,
    Rule,
    Span,
    VoicemailOutcome,
)


class DoubtKind(StrEnum):
    UNREACHABLE = "unreachable"  #: earlier rules match all that this one would
    CONTRADICTORY = "contradictory"  #: its conditions are never so together
    UNUSED = "unused"  #: a sequence that no rule names


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that is allowed, but can hardly be meant."""

    kind: DoubtKind
    where: tuple[str | int, ...]  #: `("rules", 2)`, `("sequences", "booking", "steps", 0)`
    text: str


def doubts(rules: Sequence[Rule], sequences: Mapping[str, sequence.Sequence]) -> Iterator[Doubt]:
    """Tell what is doubtful about rules, in the order in which they are asked, and sequences.

    Only what is so for certain is told. Built-in rules are there to be overtaken, so nothing is
    said of them.
    """
    asked = [rule.conditions for rule in rules]
    asked += [step.only for one in sequences.values() for step in one.steps]
    nevers = _nevers(asked)
    for index, rule in enumerate(rules):
        where: tuple[str | int, ...] = ("rules", index)
        if rule.built_in:
            continue
        if clash := _clash(rule.conditions, nevers):
            text = f'the rule "{rule.name}" never matches: {clash}'
            yield Doubt(DoubtKind.CONTRADICTORY, where, text)
        elif overtaken := _overtaken_by(rule, rules[:index], nevers):
            yield Doubt(DoubtKind.UNREACHABLE, where, _never_reached(rule, overtaken))
    named = {rule.sequence for rule in rules}
    for name, one in sequences.items():
        if name not in named:
            text = f'no rule uses the sequence "{name}"'
            yield Doubt(DoubtKind.UNUSED, ("sequences", name), text)
        for index, step in enumerate(one.steps):
            if clash := _clash(step.only, nevers):
                text = f'the step "{step.name}" of the sequence "{name}" never happens: {clash}'
                where = ("sequences", name, "steps", index)
                yield Doubt(DoubtKind.CONTRADICTORY, where, text)


def _clash(conditions: Conditions, nevers: Sequence["_Never"]) -> str:
    """Say why the conditions are never all so; nothing if they may be."""
    claims = claims_of(conditions)
    if fact := disagreeing(claims):
        return f"what it asks about {_ASKED_ABOUT.get(fact, fact)} excludes itself"

    def enough(some: Sequence[_Never]) -> bool:
        return covered(claims, [never.claims for never in some])

    if not enough(nevers):
        return ""
    return "; ".join(dict.fromkeys(never.because for never in _least(nevers, enough)))


def _overtaken_by(
    rule: Rule, earlier: Sequence[Rule], nevers: Sequence["_Never"]
) -> Sequence[Rule]:
    """Give earlier rules that match all that this one would, no more than it takes."""
    claims = claims_of(rule.conditions)
    life = [never.claims for never in nevers]

    def enough(some: Sequence[Rule]) -> bool:
        return covered(claims, [*(claims_of(one.conditions) for one in some), *life])

    for one in earlier:
        if enough([one]):
            return [one]
    return _least(earlier, enough) if enough(earlier) else ()


Item = TypeVar("Item")


def _least(items: Sequence[Item], enough: Callable[[Sequence[Item]], bool]) -> Sequence[Item]:
    """Leave out, from the last, whatever is not needed."""
    needed = list(items)
    for item in reversed(items):
        rest = [other for other in needed if other is not item]
        if enough(rest):
            needed = rest
    return needed


def _never_reached(rule: Rule, overtaken_by: Sequence[Rule]) -> str:
    names = [f'"{one.name}"' for one in overtaken_by]
    if len(names) == 1:
        return (
            f'the rule "{rule.name}" is never reached: {names[0]} stands before it and matches'
            " all that it would"
        )
    return (
        f'the rule "{rule.name}" is never reached: {", ".join(names[:-1])} and {names[-1]} stand'
        " before it and together match all that it would"
    )


@dataclass(frozen=True, slots=True)
class _Never:
    """Claims that are never all so at once, and why."""

    claims: tuple[Claim, ...]
    because: str


_ANONYMOUS = OneOf("callers", frozenset({CallerKind.ANONYMOUS}))
_STRANGER = OneOf("callers", frozenset({CallerKind.ANONYMOUS, CallerKind.NEW}))
_TO_VOICEMAIL = frozenset({Reason.VOICEMAIL_MESSAGE, Reason.VOICEMAIL_HANGUP})
_MISSED = USUAL_REASONS | {Reason.REJECTED, Reason.CONFERENCE_ALONE}
#: No phone rang, or the reason would be another (`core.journey`).
_NOTHING_RANG = frozenset(
    {Reason.IVR_ABANDONED, Reason.ANNOUNCEMENT_ONLY, Reason.PARKED, Reason.CONFERENCE_ALONE}
)
#: Nor was a queue entered; who was in one and reached nobody there has a reason of its own.
_NO_QUEUE = _NOTHING_RANG | {
    Reason.RANG_NO_ANSWER,
    Reason.RANG_CANCELLED,
    Reason.BUSY,
    Reason.UNAVAILABLE,
}
_ANY_TIME = Span(timedelta(microseconds=1), None)
_NONE = frozenset({""})
#: How facts are called that several conditions ask about, or that read badly.
_ASKED_ABOUT = {"tags": "tags and without_tags"}


def _nevers(conditions: Sequence[Conditions]) -> tuple[_Never, ...]:
    """List what never happens, in words that these conditions use."""
    tags = frozenset[str]().union(*(one.tags | one.without_tags for one in conditions))
    extensions = frozenset[str]().union(*(one.extensions for one in conditions))
    return (
        _Never(
            (OneOf("reasons", NEVER_ASKED),),
            "rules are not asked about calls that a person took or that nobody observed",
        ),
        _Never(
            (_STRANGER, SomeOf("tags", tags)),
            "new and anonymous callers are no contacts, so they have no tags",
        ),
        _Never(
            (_STRANGER, OneOf("has_email", frozenset({True}))),
            "new and anonymous callers are no contacts, so no e-mail address is known",
        ),
        _Never(
            (_ANONYMOUS, OneOf("consented", frozenset({True}))),
            "anonymous callers cannot agree to texts",
        ),
        _Never(
            (_ANONYMOUS, OneOf("countries", _NONE, so=False)),
            "anonymous callers have no number, so no country",
        ),
        _Never(
            (_ANONYMOUS, OneOf("crm_status", _NONE, so=False)),
            "anonymous callers are not found in a CRM",
        ),
        _Never(
            (_ANONYMOUS, Called("calls", 1, None)),
            "two calls of anonymous callers cannot be known to be the same caller's",
        ),
        _Never(
            (_outcome(VoicemailOutcome.LEFT), _missed_but(Reason.VOICEMAIL_MESSAGE)),
            "when a message was left the reason is voicemail_message",
        ),
        _Never(
            (_outcome(VoicemailOutcome.NOT_LEFT), _missed_but(Reason.VOICEMAIL_HANGUP)),
            "when voicemail was reached and no message left the reason is voicemail_hangup",
        ),
        _Never(
            (_outcome(VoicemailOutcome.NOT_REACHED), OneOf("reasons", _TO_VOICEMAIL)),
            "calls of this reason did reach voicemail",
        ),
        _Never(
            (
                OneOf("hours", frozenset({Track.PHONES_DOWN})),
                OneOf("reasons", frozenset({Reason.UNAVAILABLE}), so=False),
            ),
            "phones are known to be down only when the reason is unavailable",
        ),
        _Never(
            (OneOf("reasons", _NO_QUEUE), OneOf("queues", _NONE, so=False)),
            "calls of this reason were in no queue",
        ),
        _Never((OneOf("queues", _NONE), Lasted("wait", _ANY_TIME)), "callers wait only in a queue"),
        _Never(
            (OneOf("reasons", _NOTHING_RANG), Lasted("ring", _ANY_TIME)),
            "in calls of this reason no phone rings",
        ),
        _Never(
            (OneOf("reasons", _NOTHING_RANG), SomeOf("extensions", extensions)),
            "in calls of this reason no phone rings",
        ),
    )


def _outcome(outcome: VoicemailOutcome) -> OneOf:
    return OneOf("voicemail", frozenset({outcome}))


def _missed_but(reason: Reason) -> OneOf:
    return OneOf("reasons", _MISSED - {reason})
