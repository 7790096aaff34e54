"""What came of a simulation, for people and for programs."""

from datetime import datetime, timedelta, tzinfo

from pbx_bridge.cli.tables import print_line
from pbx_bridge.core.aloud import duration_aloud
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.rehearsal import Outcome
from pbx_bridge.core.sequence import Action
from pbx_bridge.gateways.console import bubble
from pbx_bridge.objects.simulation import Money
from pbx_bridge.simulate import RuleTold, Simulation, Text

_WHO = {
    CallerKind.NEW: "a new caller",
    CallerKind.KNOWN: "a known caller",
    CallerKind.CUSTOMER: "a customer",
    CallerKind.STAFF: "one of your own people",
    CallerKind.BLOCKED: "a blocked caller",
    CallerKind.ANONYMOUS: "an anonymous caller",
}
_TRACKS = {
    "in_hours": "in office hours",
    "after_hours": "after hours",
    "weekend": "at the weekend",
    "holiday": "on a holiday",
    "phones_down": "no phone can be reached",
}
#: What stops what is still to come (docs/rules.md).
STOPPED_BY = (
    "Stopped at once by: a conversation with the caller, a reply, STOP, a booking, the task closed."
)


def print_simulation(found: Simulation, money: Money) -> None:
    """Print what would come of a call."""
    _print_call(found)
    _print_rules(found)
    _print_checks(found)
    _print_text(found, money)
    _print_steps(found)


def _print_call(found: Simulation) -> None:
    call, who, zone = found.call, found.facts.who, found.office_zone
    lasted = timedelta(seconds=round((found.facts.ended - call.began).total_seconds()))
    line = found.facts.rules.line(call.line)
    name = f"{line.name} " if line is not None and line.name else ""
    facts = {
        "caller": f"{_WHO[found.caller]}, {call.caller.number}",
        "contact": ", ".join(filter(None, (who.name, who.email, *sorted(who.tags)))),
        "line": f"{name}{call.line}" if call.line else "none that is named",
        "when": f"{_clock(call.began, zone)} {zone}, {_TRACKS[found.facts.track.value]}",
        "became": f"{call.disposition}, {call.reason}, after {duration_aloud(lasted)}",
        "queue": ""
        if call.queue is None
        else f"{call.queue.queue or 'some queue'}, waited {call.queue.wait_seconds:.0f} s",
        "language": found.facts.language,
    }
    for what, fact in facts.items():
        if fact:
            print_line(f"  {what + ':':10}{fact}")


def _print_rules(found: Simulation) -> None:
    print_line("")
    print_line("The rules, of which the first that matches wins")
    for number, told in enumerate(found.rules, start=1):
        mark = " (built in)" if told.rule.built_in else ""
        print_line(f"{number:>3}. {told.rule.name}{mark}: {_rule_said(told)}")
        for reason in told.unmet:
            print_line(f"       {reason}")


def _rule_said(told: RuleTold) -> str:
    if not told.asked:
        return "not asked"
    if not told.matches:
        return "no"
    rule = told.rule
    outcome = f"the sequence {rule.sequence}" if rule.sequence else "nothing"
    return f"YES, {outcome}" + (f", because {rule.because}" if rule.because else "")


def _print_checks(found: Simulation) -> None:
    print_line("")
    objection = found.verdicts[-1].objection
    passed = len(found.verdicts) - (objection is not None)
    if objection is None:
        print_line(f"May the caller be texted? Yes: none of the {passed} checks objects.")
    else:
        print_line(
            f"May the caller be texted? No, by the check {found.verdicts[-1].check}:"
            f" {objection.detail} ({passed} before it let it pass)."
        )


def _print_text(found: Simulation, money: Money) -> None:
    text = found.text
    if text is None:
        return
    print_line("")
    shadow = ", but in shadow mode nothing is sent" if found.shadow else ""
    note = f", {text.note}" if text.note else ""
    print_line(f"The text, {_both(text.due_at, found)}{note}{shadow}")
    for line in bubble(text.to, text.body).splitlines():
        print_line(line)
    print_line(f"  {_counted(text, money)}")


def _counted(text: Text, money: Money) -> str:
    parts = text.counted.parts
    segments = "1 segment" if parts == 1 else f"{parts} segments"
    price = money.spell(text.price) if text.price else "no price known"
    return f"{len(text.body)} characters, {text.counted.encoding}, {segments}, {price}"


def _print_steps(found: Simulation) -> None:
    print_line("")
    if not found.follows:
        print_line("Nothing else is done about the call.")
        return
    if found.joins is not None:
        since = _clock(found.joins, found.office_zone)
        print_line(
            f"It joins the follow-up that goes on since {since}, as call {found.facts.calls}."
        )
    if found.refilled:
        print_line("The text that waits already says now:")
        for line in bubble(found.call.caller.number, found.refilled).splitlines():
            print_line(line)
    if found.replaces:
        print_line(f"It ends the sequence {found.replaces}, and what waits of it.")
    if not found.steps:
        print_line(f"Nothing follows, by the sequence {found.sequence}.")
        return
    print_line(f"What follows, by the sequence {found.sequence}")
    for one in found.steps:
        print_line(f"  {one.step.name:<9}{_both(one.due_at, found)}: {_done(one, found)}")
        print_line(f"           {_what(one, found)}")
    print_line(STOPPED_BY)


def _done(one: Outcome, found: Simulation) -> str:
    if one.objection is not None:
        return f"no: {'; '.join(one.unmet) or one.objection.detail}"
    if one.goes_at is not None and one.goes_at > one.due_at:
        return f"at {_both(one.goes_at, found)}: it is night before that"
    return "yes"


def _what(one: Outcome, found: Simulation) -> str:
    said = {
        Action.TEXT: "text",
        Action.MAIL: f'e-mail "{one.subject}"',
        Action.ALERT: "alert to staff",
        Action.TASK: "task",
        Action.WEBHOOK: f'webhook "{one.step.event}"',
    }[one.step.action]
    if one.owner:
        said += f" for {one.owner}"
    if one.task_due_at is not None:
        said += f", due {_clock(one.task_due_at, found.office_zone)}"
    return f"{said}: {one.said}" if one.said else said


def _clock(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%a %Y-%m-%d %H:%M:%S}"


def _both(at: datetime, found: Simulation) -> str:
    """Write a time by the office's clock, and by the caller's where that shows another."""
    here = _clock(at, found.office_zone)
    there = dict.fromkeys(_clock(at, zone) for zone in found.caller_zones)
    others = [shown for shown in there if shown != here]
    if not others:
        return here
    return f"{here} ({' or '.join(shown[4:] for shown in others[:2])} there)"
