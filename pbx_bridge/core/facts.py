"""All that a decision about a missed call may depend on, and what rules are asked with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from pbx_bridge.core import acquaintance
from pbx_bridge.core.call import Call, Reason
from pbx_bridge.core.contact import NOBODY, CallerKind, Contact
from pbx_bridge.core.follow_up import text_at_once
from pbx_bridge.core.hours import Track
from pbx_bridge.core.limits import NOTHING_COUNTED, NOTHING_SPENT, Counts, Spent
from pbx_bridge.core.number import Number
from pbx_bridge.core.office import Moment, ReasonRule, Rules
from pbx_bridge.core.rules import Asked, Situation, VoicemailOutcome, ask
from pbx_bridge.core.sequence import Sequence as Plan
from pbx_bridge.core.sequence import SequenceStep

_VOICEMAIL = {
    Reason.VOICEMAIL_MESSAGE: VoicemailOutcome.LEFT,
    Reason.VOICEMAIL_HANGUP: VoicemailOutcome.NOT_LEFT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a decision may depend on, gathered in one transaction.

    What stands in the groups below is looked up only when the checks before have let a call pass.
    """

    call: Call
    now: datetime
    rules: Rules
    moment: Moment
    number: Number | None  #: the caller's, if it is one
    decided_at_voicemail: bool = False  #: this call was decided on when it entered voicemail
    step: SequenceStep | None = (
        None  #: of a sequence, that is due now; None: the call has ended now
    )

    # for ABOUT_THE_CALLER
    contact: Contact | None = None
    crm_status: str = ""
    missed_at: Sequence[datetime] = ()  #: this caller's missed calls before this one
    calls: int = 1  #: missed, that the follow-up is about, with this one
    consented: bool = False  #: asked for texts, wrote to us, or is a customer
    asked: tuple[Asked, ...] | None = None  #: the rules, once they were asked
    held_out: bool = False  #: is not to be written to, to learn what difference that makes
    opted_out_at: datetime | None = None
    muted_until: datetime | None = None
    muted_why: str = ""
    known_untextable: str = ""  #: why, as a gateway once said
    spoken_at: datetime | None = None  #: with this caller, since this call began
    replied_at: datetime | None = None  #: wrote to us, since this call began
    booked_at: datetime | None = None  #: booked an appointment, since this call began
    last_text: datetime | None = None  #: to this caller about this line, within the cool-down
    stranger: bool = False  #: was never answered, never wrote, was not rung from here
    zones: Sequence[tzinfo] = ()  #: in which the caller may be; without any none is known

    # for LIMITS, and the caps of one number
    counts: Counts = NOTHING_COUNTED
    spent: Spent = NOTHING_SPENT
    burst: str = ""  #: why the burst breaker holds back this text; empty if it does not

    @property
    def who(self) -> Contact:
        """What the office knows of the caller, if anything."""
        return self.contact or NOBODY

    @property
    def rule(self) -> ReasonRule | None:
        return self.rules.reasons.get(self.call.reason)

    @property
    def wanted(self) -> bool:
        """Whether anything is done about calls that were missed in this way."""
        text = self.rule is not None and self.rule.text
        return text or self.call.reason in self.rules.named_reasons

    @property
    def ended(self) -> datetime:
        """When the call ended; of one that is just now in voicemail that is now."""
        return self.call.ended or self.now

    @property
    def ruling(self) -> tuple[Asked, ...]:
        """The rules that were asked, the last of which matches, if any does."""
        if self.asked is not None:
            return self.asked
        return tuple(ask(self.rules.rulebook, situation(self)))

    @property
    def sequence(self) -> Plan | None:
        """What the rules say is to be done; None is nothing."""
        ruling = self.ruling
        if not ruling or ruling[-1].failing:
            return None
        return self.rules.sequences.get(ruling[-1].rule.sequence)

    @property
    def texting(self) -> SequenceStep | None:
        """The text that this is about: the step that is due, or the one at once."""
        if self.step is not None:
            return self.step
        return None if self.sequence is None else text_at_once(self.sequence)

    @property
    def language(self) -> str:
        """In which the caller is written to: the contact's, the line's, the country's."""
        line = self.rules.line(self.call.line)
        region = self.number.region if self.number else ""
        return self.who.language or self.rules.wording.language_for(
            line.language if line else "", region
        )

    @property
    def track(self) -> Track:
        """In what sort of time the call came; for a step, what sort of time it is now."""
        schedule = self.rules.hours.of(self.call.line)
        if self.step is not None:
            return schedule.track(self.now)
        down = self.call.reason is Reason.UNAVAILABLE
        return schedule.track(self.call.began, phones_down=down)


def situation(facts: Facts) -> Situation:
    """Give what rules can ask about a call."""
    call, number = facts.call, facts.number
    line = facts.rules.line(call.line)
    anonymous = caller_kind(facts) is CallerKind.ANONYMOUS  # and so nothing is known of them
    names = {call.line, facts.rules.e164(call.line), line.name if line else ""}
    return Situation(
        at=facts.ended,
        reason=call.reason,
        line=frozenset(names - {""}),
        queue=call.queue.queue if call.queue else "",
        extensions=frozenset(rung.endpoint for rung in call.rung),
        track=facts.track,
        caller=caller_kind(facts),
        tags=facts.who.tags,
        language=facts.language,
        country=number.region if number and not anonymous else "",
        wait=timedelta(seconds=call.queue.wait_seconds if call.queue else 0),
        ring=timedelta(seconds=call.ring_seconds),
        voicemail=_VOICEMAIL.get(call.reason, VoicemailOutcome.NOT_REACHED),
        missed_at=facts.missed_at,
        has_email=bool(facts.who.email),
        consented=facts.consented,
        crm_status=facts.crm_status,
    )


def caller_kind(facts: Facts) -> CallerKind:
    """Tell what kind of caller it is."""
    return acquaintance.caller_kind(
        facts.contact,
        withheld=facts.call.caller.withheld,
        stranger=facts.stranger,
        has_number=facts.number is not None,
    )
