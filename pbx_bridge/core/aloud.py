"""Rules and sequences, read aloud in plain English.

A rule is one sentence: when, who, which line, what they get, and if what. What is as it usually is
stays unsaid.
"""

from collections.abc import Callable, Iterable, Iterator
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
from pbx_bridge.core.saying import Saying, joined, say, say_n, whole
from pbx_bridge.core.sequence import Action, After, Sequence, SequenceStep

_HOURS = {
    Track.IN_HOURS: say("in office hours"),
    Track.AFTER_HOURS: say("after hours"),
    Track.WEEKEND: say("at weekends"),
    Track.HOLIDAY: say("on holidays"),
    Track.PHONES_DOWN: say("when no phone can be reached"),
}
_TIMES = {
    Track.IN_HOURS: say("in office hours"),
    Track.AFTER_HOURS: say("after hours"),
    Track.WEEKEND: say("a weekend"),
    Track.HOLIDAY: say("a holiday"),
    Track.PHONES_DOWN: say("a time when no phone can be reached"),
}
_CALLERS = {
    CallerKind.NEW: say("new callers"),
    CallerKind.KNOWN: say("known callers"),
    CallerKind.CUSTOMER: say("customers"),
    CallerKind.STAFF: say("staff"),
    CallerKind.BLOCKED: say("blocked callers"),
    CallerKind.ANONYMOUS: say("anonymous callers"),
}
_REASONS = {
    Reason.RANG_NO_ANSWER: say("nobody picked up"),
    Reason.RANG_CANCELLED: say("they hung up while phones rang"),
    Reason.BUSY: say("all phones were busy"),
    Reason.UNAVAILABLE: say("no phone could be reached"),
    Reason.VOICEMAIL_MESSAGE: say("they left a message"),
    Reason.VOICEMAIL_HANGUP: say("they reached voicemail and left no message"),
    Reason.QUEUE_ABANDONED: say("they gave up waiting in a queue"),
    Reason.QUEUE_UNSERVED: say("a queue turned them away"),
    Reason.IVR_ABANDONED: say("they hung up in a menu"),
    Reason.ANNOUNCEMENT_ONLY: say("they heard only an announcement"),
    Reason.PARKED: say("they were parked and nobody took the call"),
    Reason.CONFERENCE_ALONE: say("they waited alone in a conference"),
    Reason.REJECTED: say("the PBX refused the call"),
    Reason.LOST_IN_TRANSFER: say("the call was lost in a transfer"),
    Reason.HANDLED: say("an application took the call"),
    Reason.PERSON: say("a person answered"),
    Reason.FEED_GAP: say("nobody observed the call"),
    Reason.PBX_RESTARTED: say("the PBX restarted"),
    Reason.NEVER_ENDED: say("the end of the call was not reported"),
}
_VOICEMAIL = {
    VoicemailOutcome.LEFT: say("left a message"),
    VoicemailOutcome.NOT_LEFT: say("heard the greeting of the voicemail and left no message"),
    VoicemailOutcome.NOT_REACHED: say("did not reach voicemail"),
}
_ACTIONS = {
    Action.TEXT: say("a text"),
    Action.MAIL: say("an e-mail"),
    Action.ALERT: say("an alert to staff"),
    Action.TASK: say("a task"),
    Action.WEBHOOK: say("a webhook"),
}


def rule_aloud(rule: Rule, usual: frozenset[Reason] = USUAL_REASONS) -> Saying:
    """Read a rule as one sentence. `usual` are the reasons that go without saying."""
    asked = rule.conditions
    said = _who_gets_what(rule)
    if clauses := _clauses(asked, usual):
        said = say("{said} if {conditions}", said=said, conditions=_and(clauses))
    if rule.because:
        said = say("{said}, because {because}", said=said, because=rule.because)
    return whole(said)


def _who_gets_what(rule: Rule) -> Saying:
    asked = rule.conditions
    hours = _and(_HOURS[one] for one in Track if one in asked.hours)
    who = _who(asked.callers)
    if asked.lines:
        who = say("{callers} to {lines}", callers=who, lines=_or(sorted(asked.lines)))
    match bool(hours), bool(rule.sequence):
        case True, True:
            return say(
                "{hours}, {callers} get the sequence {sequence}",
                hours=hours,
                callers=who,
                sequence=rule.sequence,
            )
        case True, False:
            return say("{hours}, {callers} get nothing", hours=hours, callers=who)
        case _, True:
            return say("{callers} get the sequence {sequence}", callers=who, sequence=rule.sequence)
        case _:
            return say("{callers} get nothing", callers=who)


def conditions_aloud(asked: Conditions, usual: frozenset[Reason] = frozenset()) -> Saying:
    """Read the conditions of a step as they follow on "if"; empty if there are none.

    Its `hours` are about the time when it is due (`core.facts`).
    """
    clauses: list[str] = []
    if asked.hours:
        times = _or(_TIMES[one] for one in Track if one in asked.hours)
        clauses.append(say("it is then {times}", times=times))
    if asked.callers:
        clauses.append(say("they are {callers}", callers=_who(asked.callers, _or)))
    if asked.lines:
        clauses.append(say("they called {lines}", lines=_or(sorted(asked.lines))))
    return _and([*clauses, *_clauses(asked, usual)])


def step_aloud(step: SequenceStep) -> Saying:
    """Read a step: when, under which conditions, what."""
    said = when_aloud(step)
    if only := conditions_aloud(step.only):
        said = say("{said}, only if {conditions}", said=said, conditions=only)
    if step.needs_consent:
        said = say("{said}, only with consent where the law asks for it", said=said)
    said = say("{said}: {action}", said=said, action=_ACTIONS[step.action])
    if step.due_in is not None:
        said = say("{said}, due in {time}", said=said, time=duration_aloud(step.due_in))
    if step.owner:
        said = say("{said}, for {owner}", said=said, owner=step.owner)
    if step.action is Action.WEBHOOK:
        return say('{said}: "{words}"', said=said, words=step.event)
    if step.subject:
        said = say('{said} with the subject "{words}"', said=said, words=step.subject)
    if step.words:
        return say('{said}: "{words}"', said=said, words=step.words)
    return say("{said}: the usual words", said=said)


def when_aloud(step: SequenceStep) -> Saying:
    """Read when a step is due."""
    if isinstance(step.when, After):
        delay = step.when.delay
        if not delay:
            return say("at once")
        return say("{time} after the call", time=duration_aloud(delay))
    at = f"{step.when.at.hour}:{step.when.at:%M}"
    day = _business_day(step.when.days)
    if step.when.of_caller:
        return say("{day} at {clock}, by the caller's clock", day=day, clock=at)
    return say("{day} at {clock}, by the office's clock", day=day, clock=at)


def _business_day(days: int) -> Saying:
    match days:
        case 0:
            return say("the same business day")
        case 1:
            return say("next business day")
        case 2:
            return say("2nd business day")
        case 3:
            return say("3rd business day")
        case _:
            return say("{days}th business day", days=days)


def sequence_aloud(sequence: Sequence) -> list[str]:
    """Read a sequence step by step."""
    return [step_aloud(step) for step in sequence.steps]


def duration_aloud(length: timedelta) -> Saying:
    """Read a length of time in whole seconds: `1 hour 30 minutes`."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = (
        (days, say_n("{n} day", "{n} days", days)),
        (hours, say_n("{n} hour", "{n} hours", hours)),
        (minutes, say_n("{n} minute", "{n} minutes", minutes)),
        (seconds, say_n("{n} second", "{n} seconds", seconds)),
    )
    said = [one for amount, one in parts if amount]
    return joined(said or [parts[-1][1]], " ")


def _and(parts: Iterable[str]) -> Saying:
    *first, last = list(parts) or [""]
    return say("{some} and {last}", some=joined(first, ", "), last=last) if first else _alone(last)


def _or(parts: Iterable[str]) -> Saying:
    *first, last = list(parts) or [""]
    return say("{some} or {last}", some=joined(first, ", "), last=last) if first else _alone(last)


def _alone(part: str) -> Saying:
    return joined([part], "")


def _who(callers: frozenset[CallerKind], among: Callable[[Iterable[str]], Saying] = _and) -> Saying:
    if callers == USUAL_CALLERS:
        return say("callers")
    if not callers:
        return say("all callers")
    return among(_CALLERS[one] for one in CallerKind if one in callers)


def _clauses(asked: Conditions, usual: frozenset[Reason]) -> list[Saying]:
    """Say everything but hours, callers and lines, of callers who are "they"."""
    return [*_about_the_call(asked, usual), *_about_the_caller(asked)]


def _about_the_call(asked: Conditions, usual: frozenset[Reason]) -> Iterator[Saying]:
    if asked.reasons and asked.reasons != usual:
        yield _or(said for one, said in _REASONS.items() if one in asked.reasons)
    if asked.voicemail:
        outcomes = _or(said for one, said in _VOICEMAIL.items() if one in asked.voicemail)
        yield say("they {did}", did=outcomes)
    if asked.queues:
        yield say("they were in the queue {queues}", queues=_or(sorted(asked.queues)))
    if wait := _span(asked.wait):
        yield say("they waited in queues for {time}", time=wait)
    if asked.extensions:
        yield say("extension {extensions} rang", extensions=_or(sorted(asked.extensions)))
    if ring := _span(asked.ring):
        yield say("phones rang for {time}", time=ring)
    if asked.calls > 1:
        if asked.within is None:
            yield say("we missed at least {calls} calls of theirs", calls=asked.calls)
        else:
            yield say(
                "we missed at least {calls} calls of theirs within {time}",
                calls=asked.calls,
                time=duration_aloud(asked.within),
            )


def _about_the_caller(asked: Conditions) -> Iterator[Saying]:
    if asked.tags:
        yield say("they are tagged {tags}", tags=_or(sorted(asked.tags)))
    if asked.without_tags:
        yield say("they are not tagged {tags}", tags=_or(sorted(asked.without_tags)))
    if asked.crm_status:
        yield say("their status in the CRM is {status}", status=_or(sorted(asked.crm_status)))
    if asked.languages:
        names = sorted(LANGUAGES[one].name if one in LANGUAGES else one for one in asked.languages)
        spoken = _or(say("{language}", language=name) for name in names)
        yield say("they are written to in {languages}", languages=spoken)
    if asked.countries:
        yield say("their number is of {countries}", countries=_or(sorted(asked.countries)))
    if asked.has_email is not None:
        yield _AN_ADDRESS if asked.has_email else _NO_ADDRESS
    if asked.consented is not None:
        yield _AGREED if asked.consented else _NOT_AGREED


_AN_ADDRESS = say("an e-mail address is known")
_NO_ADDRESS = say("no e-mail address is known")
_AGREED = say("they agreed to texts")
_NOT_AGREED = say("they did not agree to texts")


def _span(span: Span) -> Saying:
    bounds = []
    if span.least is not None:
        bounds.append(say("at least {time}", time=duration_aloud(span.least)))
    if span.most is not None:
        bounds.append(say("less than {time}", time=duration_aloud(span.most)))
    return _and(bounds)
