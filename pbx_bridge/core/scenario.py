"""A missed call that somebody imagines, to see what would be done about it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pbx_bridge.core.call import (
    Call,
    Caller,
    Disposition,
    HungUpBy,
    QueueVisit,
    Reason,
    Rung,
    Step,
    StepKind,
)
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.saying import say

#: How long a call lasts about which nobody says so.
USUAL_LENGTH = timedelta(seconds=20)
#: A caller's calls lie within this if nobody says in how long.
USUAL_SPAN = timedelta(hours=1)
#: Reasons of calls in which phones ring until the end of it,
_RANG = frozenset({Reason.RANG_NO_ANSWER, Reason.RANG_CANCELLED})
#: of those which are about a queue,
_QUEUED = frozenset({Reason.QUEUE_ABANDONED, Reason.QUEUE_UNSERVED})
#: and of those which the caller ends.
_CALLER_ENDS = frozenset(
    {
        Reason.RANG_CANCELLED,
        Reason.QUEUE_ABANDONED,
        Reason.IVR_ABANDONED,
        Reason.VOICEMAIL_MESSAGE,
        Reason.VOICEMAIL_HANGUP,
    }
)
_AT_VOICEMAIL = frozenset({Reason.VOICEMAIL_MESSAGE, Reason.VOICEMAIL_HANGUP})
_ANSWERED = frozenset({Reason.PERSON, Reason.HANDLED, Reason.LOST_IN_TRANSFER})
_UNSEEN = frozenset({Reason.FEED_GAP, Reason.PBX_RESTARTED, Reason.NEVER_ENDED})
_MAIL = "caller@example.com"
_ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is imagined. What is left empty is as it usually is, or not so."""

    at: datetime  #: when the call comes in
    caller: CallerKind | None = None  #: None was not said
    number: str = ""  #: the caller's, in E.164; without it one of `country`
    country: str = ""  #: of the caller's number; without it the office's
    name: str = ""  #: as the caller ID or the contact has it
    tags: frozenset[str] = frozenset()
    email: bool = False  #: an address is known
    consented: bool = False  #: agreed to texts
    language: str = ""  #: of the contact, ISO 639-1
    crm_status: str = ""
    line: str = ""  #: as the PBX says it
    reason: Reason | None = None
    lasts: timedelta | None = None
    ring: timedelta | None = None
    wait: timedelta | None = None
    queue: str = ""
    extension: str = ""  #: that rang
    calls: int = 1  #: missed, of this caller, this one counted
    within: timedelta = USUAL_SPAN  #: in how long
    texted: timedelta | None = None  #: so long before this call we last texted the caller
    opted_out: bool = False  #: wrote STOP once

    @property
    def became(self) -> Reason:
        """How the call is missed. Who waits in a queue gives up, if nobody says otherwise."""
        if self.reason is not None:
            return self.reason
        waits = self.queue or self.wait is not None
        return Reason.QUEUE_ABANDONED if waits else Reason.RANG_NO_ANSWER

    @property
    def kind(self) -> CallerKind:
        """Who calls: if nobody says otherwise somebody new, unless a contact is described."""
        if self.caller is not None:
            return self.caller
        return CallerKind.KNOWN if self.is_contact else CallerKind.NEW

    @property
    def is_contact(self) -> bool:
        """Whether what is imagined of the caller can only be known of a contact."""
        known = self.caller in {CallerKind.CUSTOMER, CallerKind.STAFF, CallerKind.BLOCKED}
        return known or bool(self.tags or self.email or self.language)


def contradictions(imagined: Scenario) -> list[str]:
    """Say what cannot all be so."""
    found: list[str] = []
    if imagined.kind is CallerKind.NEW and imagined.is_contact:
        found.append(
            say(
                'a new caller is nobody you know: no tags, e-mail address or language; say "a '
                'known caller"'
            )
        )
    if imagined.kind is CallerKind.ANONYMOUS:
        told = (imagined.number, imagined.consented, imagined.crm_status, imagined.opted_out)
        if imagined.is_contact or imagined.texted is not None or any(told):
            found.append(say("of an anonymous caller nothing is known, and so no number either"))
        if imagined.calls > 1:
            found.append(say("nobody can tell how often an anonymous caller has called"))
    if imagined.calls > 1 and imagined.within / imagined.calls < _length(imagined):
        found.append(
            say(
                "{calls} calls of that length do not come one after the other", calls=imagined.calls
            )
        )
    if imagined.calls > 1 and _disposition(imagined.became) is not Disposition.MISSED:
        found.append(
            say("only missed calls are counted, and {became} is none", became=imagined.became)
        )
    return found


def calls(imagined: Scenario, number: str) -> list[Call]:
    """Give the caller's calls, the one that it is about last; `number` is the caller's.

    The earlier ones are like it, and come one after the other, as evenly as they can.
    """
    apart = imagined.within / imagined.calls
    return [
        _call(imagined, number, imagined.at - before * apart, before)
        for before in reversed(range(imagined.calls))
    ]


def contact(imagined: Scenario, number: str) -> Contact | None:
    """Give what the office knows of the caller, if it does."""
    if not imagined.is_contact:
        return None
    return Contact(
        name=imagined.name,
        kind=imagined.kind,
        tags=imagined.tags,
        language=imagined.language,
        email=_MAIL if imagined.email else "",
        numbers={number: ""},
    )


def entering_voicemail(call: Call) -> Call | None:
    """Give a call as it is when it enters voicemail; None if it does not."""
    if call.reason not in _AT_VOICEMAIL or call.ended is None:
        return None
    entered = call.began + timedelta(seconds=call.ring_seconds)
    return Call(
        call_id=call.call_id,
        began=call.began,
        ended=None,
        disposition=Disposition.MISSED,
        reason=Reason.VOICEMAIL_HANGUP,  # until a message is left
        caller=call.caller,
        line=call.line,
        trunk=call.trunk,
        answered_at=None,
        answered_by="",
        hung_up_by=HungUpBy.UNKNOWN,
        ring_seconds=call.ring_seconds,
        rung=call.rung,
        queue=call.queue,
        voicemail_seconds=0.0,
        mailbox=call.mailbox,
        steps=(*call.steps[:1], Step(entered, StepKind.VOICEMAIL, call.mailbox)),
    )


def _call(imagined: Scenario, number: str, began: datetime, before: int) -> Call:
    reason = imagined.became
    began = began.astimezone(UTC)
    lasts = imagined.lasts if imagined.lasts is not None else _length(imagined)
    ring = imagined.ring if imagined.ring is not None else lasts * (reason in _RANG)
    wait = imagined.wait if imagined.wait is not None else lasts * (reason in _QUEUED)
    lasts = _length(imagined)
    at_voicemail = reason in _AT_VOICEMAIL
    if at_voicemail:
        ring = imagined.ring if imagined.ring is not None else lasts / 2
    ended = began + lasts
    answered = reason is Reason.PERSON
    in_queue = imagined.queue or wait
    anonymous = imagined.kind is CallerKind.ANONYMOUS
    return Call(
        call_id=f"imagined-{before}",
        began=began,
        ended=ended,
        disposition=_disposition(reason),
        reason=reason,
        caller=Caller(_ANONYMOUS if anonymous else number, imagined.name, withheld=anonymous),
        line=imagined.line,
        trunk="",
        answered_at=ended if answered else None,
        answered_by=imagined.extension if answered else "",
        hung_up_by=HungUpBy.CALLER if reason in _CALLER_ENDS else HungUpBy.PBX,
        ring_seconds=ring.total_seconds(),
        rung=_rung(imagined, ring),
        queue=QueueVisit(imagined.queue, 1, wait.total_seconds()) if in_queue else None,
        voicemail_seconds=(lasts - ring).total_seconds() if at_voicemail else 0.0,
        mailbox=imagined.extension if at_voicemail else "",
        steps=(Step(began, StepKind.ARRIVED), Step(ended, StepKind.ENDED)),
    )


def _length(imagined: Scenario) -> timedelta:
    """Tell how long the call lasts: no shorter than phones ring and the caller waits."""
    said = (imagined.lasts, imagined.ring, imagined.wait)
    return max((length for length in said if length is not None), default=USUAL_LENGTH)


def _rung(imagined: Scenario, ring: timedelta) -> tuple[Rung, ...]:
    if not imagined.extension:
        return ()
    return (Rung(imagined.extension, ring.total_seconds(), 1, "NOANSWER"),)


def _disposition(reason: Reason) -> Disposition:
    if reason in _ANSWERED:
        return Disposition.ANSWERED
    return Disposition.UNOBSERVED if reason in _UNSEEN else Disposition.MISSED
