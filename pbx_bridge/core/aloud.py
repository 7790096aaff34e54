"""Rules and sequences, read aloud in plain English.

A rule is one sentence: when, who, which line, what they get, and if what. What is as it usually is
stays unsaid.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.hours import Track
from pbx_bridge.core.languages import LANGUAGES
from pbx_bridge.core.rules import (
    USUAL_CALLERS,
    USUAL_REASONS,
    Conditions,
    Rule,
    Span,
    VoicemailOutcome,
)
from pbx_bridge.core.sequence import Action, After, Sequence, SequenceStep

_HOURS = {
    Track.IN_HOURS: "in office hours",
    Track.AFTER_HOURS: "after hours",
    Track.WEEKEND: "at weekends",
    Track.HOLIDAY: "on holidays",
    Track.PHONES_DOWN: "when no phone can be reached",
}
_TIMES = {
    Track.IN_HOURS: "in office hours",
    Track.AFTER_HOURS: "after hours",
    Track.WEEKEND: "a weekend",
    Track.HOLIDAY: "a holiday",
    Track.PHONES_DOWN: "a time when no phone can be reached",
}
_CALLERS = {
    CallerKind.NEW: "new callers",
    CallerKind.KNOWN: "known callers",
    CallerKind.CUSTOMER: "customers",
    CallerKind.STAFF: "staff",
    CallerKind.BLOCKED: "blocked callers",
    CallerKind.ANONYMOUS: "anonymous callers",
}
_REASONS = {
    Reason.RANG_NO_ANSWER: "nobody picked up",
    Reason.RANG_CANCELLED: "they hung up while phones rang",
    Reason.BUSY: "all phones were busy",
    Reason.UNAVAILABLE: "no phone could be reached",
    Reason.VOICEMAIL_MESSAGE: "they left a message",
    Reason.VOICEMAIL_HANGUP: "they reached voicemail and left no message",
    Reason.QUEUE_ABANDONED: "they gave up waiting in a queue",
    Reason.QUEUE_UNSERVED: "a queue turned them away",
    Reason.IVR_ABANDONED: "they hung up in a menu",
    Reason.ANNOUNCEMENT_ONLY: "they heard only an announcement",
    Reason.PARKED: "they were parked and nobody took the call",
    Reason.CONFERENCE_ALONE: "they waited alone in a conference",
    Reason.REJECTED: "the PBX refused the call",
    Reason.LOST_IN_TRANSFER: "the call was lost in a transfer",
    Reason.HANDLED: "an application took the call",
    Reason.PERSON: "a person answered",
    Reason.FEED_GAP: "nobody observed the call",
    Reason.PBX_RESTARTED: "the PBX restarted",
    Reason.NEVER_ENDED: "the end of the call was not reported",
}
_VOICEMAIL = {
    VoicemailOutcome.LEFT: "left a message",
    VoicemailOutcome.NOT_LEFT: "heard the greeting of the voicemail and left no message",
    VoicemailOutcome.NOT_REACHED: "did not reach voicemail",
}
_ACTIONS = {
    Action.TEXT: "a text",
    Action.MAIL: "an e-mail",
    Action.ALERT: "an alert to staff",
    Action.TASK: "a task",
    Action.WEBHOOK: "a webhook",
}
_ORDINALS = {1: "next", 2: "2nd", 3: "3rd"}


def rule_aloud(rule: Rule, usual: frozenset[Reason] = USUAL_REASONS) -> str:
    """Read a rule as one sentence. `usual` are the reasons that go without saying."""
    asked = rule.conditions
    said = _and(_HOURS[one] for one in Track if one in asked.hours)
    who = _who(asked.callers) + (f" to {_or(sorted(asked.lines))}" if asked.lines else "")
    said += f", {who}" if said else who
    said += f" get the sequence {rule.sequence}" if rule.sequence else " get nothing"
    if clauses := _clauses(asked, usual):
        said += f" if {_and(clauses)}"
    if rule.because:
        said += f", because {rule.because}"
    return f"{said[:1].upper()}{said[1:]}{'' if said.endswith('.') else '.'}"


def conditions_aloud(asked: Conditions, usual: frozenset[Reason] = frozenset()) -> str:
    """Read the conditions of a step as they follow on "if"; empty if there are none.

    Its `hours` are about the time when it is due (`core.facts`).
    """
    clauses = []
    if asked.hours:
        clauses.append(f"it is then {_or(_TIMES[one] for one in Track if one in asked.hours)}")
    if asked.callers:
        clauses.append(f"they are {_who(asked.callers, 'or')}")
    if asked.lines:
        clauses.append(f"they called {_or(sorted(asked.lines))}")
    return _and([*clauses, *_clauses(asked, usual)])


def step_aloud(step: SequenceStep) -> str:
    """Read a step: when, under which conditions, what."""
    said = when_aloud(step)
    if only := conditions_aloud(step.only):
        said += f", only if {only}"
    if step.needs_consent:
        said += ", only with consent where the law asks for it"
    said += f": {_ACTIONS[step.action]}"
    if step.due_in is not None:
        said += f", due in {duration_aloud(step.due_in)}"
    if step.owner:
        said += f", for {step.owner}"
    if step.action is Action.WEBHOOK:
        return f'{said}: "{step.event}"'
    if step.subject:
        said += f' with the subject "{step.subject}"'
    return f'{said}: "{step.words}"' if step.words else f"{said}: the usual words"


def when_aloud(step: SequenceStep) -> str:
    """Read when a step is due."""
    if isinstance(step.when, After):
        delay = step.when.delay
        return f"{duration_aloud(delay)} after the call" if delay else "at once"
    days, at = step.when.days, f"{step.when.at.hour}:{step.when.at:%M}"
    day = f"{_ORDINALS.get(days, f'{days}th')} business day" if days else "the same business day"
    whose = "the caller's" if step.when.of_caller else "the office's"
    return f"{day} at {at}, by {whose} clock"


def sequence_aloud(sequence: Sequence) -> list[str]:
    """Read a sequence step by step."""
    return [step_aloud(step) for step in sequence.steps]


_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def duration_aloud(length: timedelta) -> str:
    """Read a length of time in whole seconds: `1 hour 30 minutes`."""
    rest, parts = int(length.total_seconds()), []
    for unit, seconds in _UNITS:
        amount, rest = divmod(rest, seconds)
        if amount:
            parts.append(f"{amount} {unit}" if amount == 1 else f"{amount} {unit}s")
    return " ".join(parts) or "0 seconds"


def _who(callers: frozenset[CallerKind], last: str = "and") -> str:
    if callers == USUAL_CALLERS:
        return "callers"
    if not callers:
        return "all callers"
    return _joined((_CALLERS[one] for one in CallerKind if one in callers), last)


def _clauses(asked: Conditions, usual: frozenset[Reason]) -> list[str]:
    """Say everything but hours, callers and lines, of callers who are "they"."""
    return [*_about_the_call(asked, usual), *_about_the_caller(asked)]


def _about_the_call(asked: Conditions, usual: frozenset[Reason]) -> Iterator[str]:
    if asked.reasons and asked.reasons != usual:
        yield _or(said for one, said in _REASONS.items() if one in asked.reasons)
    if asked.voicemail:
        yield f"they {_or(said for one, said in _VOICEMAIL.items() if one in asked.voicemail)}"
    if asked.queues:
        yield f"they were in the queue {_or(sorted(asked.queues))}"
    if wait := _span(asked.wait):
        yield f"they waited in queues for {wait}"
    if asked.extensions:
        yield f"extension {_or(sorted(asked.extensions))} rang"
    if ring := _span(asked.ring):
        yield f"phones rang for {ring}"
    if asked.calls > 1:
        within = f" within {duration_aloud(asked.within)}" if asked.within is not None else ""
        yield f"we missed at least {asked.calls} calls of theirs{within}"


def _about_the_caller(asked: Conditions) -> Iterator[str]:
    spoken = {LANGUAGES[one].name if one in LANGUAGES else one for one in asked.languages}
    for said, members in (
        ("they are tagged", asked.tags),
        ("they are not tagged", asked.without_tags),
        ("their status in the CRM is", asked.crm_status),
        ("they are written to in", spoken),
        ("their number is of", asked.countries),
    ):
        if members:
            yield f"{said} {_or(sorted(members))}"
    if asked.has_email is not None:
        yield f"{'an' if asked.has_email else 'no'} e-mail address is known"
    if asked.consented is not None:
        yield "they agreed to texts" if asked.consented else "they did not agree to texts"


def _span(span: Span) -> str:
    least = f"at least {duration_aloud(span.least)}" if span.least is not None else ""
    most = f"less than {duration_aloud(span.most)}" if span.most is not None else ""
    return " and ".join(part for part in (least, most) if part)


def _and(parts: Iterable[str]) -> str:
    return _joined(parts, "and")


def _or(parts: Iterable[str]) -> str:
    return _joined(parts, "or")


def _joined(parts: Iterable[str], last: str) -> str:
    *first, final = list(parts) or [""]
    return f"{', '.join(first)} {last} {final}" if first else final
