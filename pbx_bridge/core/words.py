"""What a text, a mail or a task about a missed call says."""

from pbx_bridge.core.acquaintance import greeting_name
from pbx_bridge.core.facts import Facts
from pbx_bridge.core.sequence import Action, SequenceStep
from pbx_bridge.core.text import LONGEST, fill, shorten
from pbx_bridge.core.variables import in_words, of_call

#: What steps for staff say that have no words of their own.
USUAL_FOR_STAFF = {
    Action.TASK: "Call {caller_name|the caller} back",
    Action.ALERT: "{caller_name|A caller} ({caller}) still waits for a call back",
    Action.WEBHOOK: "",
}


def text(facts: Facts, step: SequenceStep) -> str:
    """Fill the words of a step, or the usual ones, in the caller's language."""
    return shorten(_filled(facts, _template(facts, step)), LONGEST)


def mail(facts: Facts, step: SequenceStep) -> tuple[str, str]:
    """Give subject and body of a mail to the caller."""
    subject = _filled(facts, step.subject_in(facts.language))
    return " ".join(subject.split()), _filled(facts, _template(facts, step))


def for_staff(facts: Facts, step: SequenceStep) -> str:
    """Give what a task or an alert says, in the office's own language."""
    return " ".join(_filled(facts, step.words or USUAL_FOR_STAFF[step.action]).split())


def _template(facts: Facts, step: SequenceStep) -> str:
    code = facts.language
    if step.words:
        return step.words_in(code)
    usual = facts.rules.reasons.get(facts.call.reason)
    assert usual is not None  # noqa: S101 - without one nothing is done about the call
    return usual.template_in(code)


def _filled(facts: Facts, template: str) -> str:
    return fill(template, values(facts))


def values(facts: Facts) -> dict[str, str]:
    """Give what templates can say about a call."""
    rules, call, number = facts.rules, facts.call, facts.number
    line = rules.line(call.line)
    schedule = rules.hours.of(call.line)
    opens = in_words(schedule.next_open(facts.now), facts.now, schedule.zone, facts.language)
    said = of_call(
        call,
        number,
        line_name=line.name if line else "",
        office=rules.office,
        zone=rules.wording.zone,
        code=facts.language,
        known_as=greeting_name(facts.contact, call.caller.name),
        next_open=opens,
        calls=facts.calls,
    )
    return rules.wording.values() | said | {"office": rules.office}
