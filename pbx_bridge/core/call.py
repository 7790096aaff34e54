"""What became of a call.

*Answered* is a connection to a person, nothing else: an IVR, an announcement, a queue or voicemail
puts a channel Up without anybody there. `pbx_bridge.core.tracker` judges by that one rule; the
`Reason` only names the way that the call took.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Disposition(StrEnum):
    ANSWERED = "answered"  #: the caller was connected to a person
    MISSED = "missed"  #: the call ended without that
    UNOBSERVED = "unobserved"  #: we cannot know; nothing is guessed, nobody is texted


class Reason(StrEnum):
    """How a call came to its disposition."""

    # answered
    PERSON = "answered"  #: a person spoke to the caller
    HANDLED = "handled_by_application"  #: fax, voice bot, callthrough: nobody needs to follow up
    LOST_IN_TRANSFER = "lost_in_transfer"  #: a person answered; the hand-over then died unanswered
    # missed
    RANG_NO_ANSWER = "rang_no_answer"  #: phones rang until the PBX gave up
    RANG_CANCELLED = "rang_cancelled"  #: the caller hung up while phones rang
    BUSY = "busy"
    UNAVAILABLE = "unavailable"  #: no phone could be reached
    VOICEMAIL_MESSAGE = "voicemail_message"  #: left a message
    VOICEMAIL_HANGUP = "voicemail_hangup"  #: reached voicemail, left no message
    QUEUE_ABANDONED = "queue_abandoned"  #: the caller gave up waiting
    QUEUE_UNSERVED = "queue_unserved"  #: timeout, empty or full queue
    IVR_ABANDONED = "ivr_abandoned"  #: hung up in a menu or announcement, before anything rang
    ANNOUNCEMENT_ONLY = "announcement_only"  #: heard an announcement, the PBX hung up
    PARKED = "parked"  #: parked by the dialplan, nobody took the call
    CONFERENCE_ALONE = "conference_alone"  #: waited alone in a conference
    REJECTED = "rejected"  #: the PBX refused the call (block list, dead end)
    # unobserved
    FEED_GAP = "feed_gap"  #: the connection to the PBX was down at some time in the call
    PBX_RESTARTED = "pbx_restarted"
    NEVER_ENDED = "never_ended"  #: its end was never reported


class HungUpBy(StrEnum):
    CALLER = "caller"
    PBX = "pbx"
    UNKNOWN = "unknown"


class StepKind(StrEnum):
    """A kind of evidence in a call's timeline."""

    ARRIVED = "arrived"
    RINGING = "ringing"
    RING_ENDED = "ring_ended"
    FORWARDED = "forwarded"
    PICKED_UP = "picked_up"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    HELD = "held"
    RESUMED = "resumed"
    APPLICATION = "application"
    QUEUE_JOINED = "queue_joined"
    QUEUE_LEFT = "queue_left"
    QUEUE_ABANDONED = "queue_abandoned"
    VOICEMAIL = "voicemail"
    MESSAGE_LEFT = "message_left"
    TRANSFERRED = "transferred"
    PARKED = "parked"
    CALLER_ID = "caller_id"
    STATUS = "status"
    HANGUP_REQUESTED = "hangup_requested"
    FEED_LOST = "feed_lost"
    FEED_RESTORED = "feed_restored"
    RECOVERED = "recovered"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of evidence. `who` is an endpoint, a queue, a mailbox; `detail` is free text."""

    at: datetime
    kind: StepKind
    who: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who rings, as the PBX says. All of it is the caller's own claim: hostile text."""

    number: str  #: as received; empty if none
    name: str
    withheld: bool  #: the caller forbade showing the number


@dataclass(frozen=True, slots=True)
class Rung:
    """A phone that was rung, and for how long in all."""

    endpoint: str
    seconds: float
    times: int
    status: str  #: of the last attempt


@dataclass(frozen=True, slots=True)
class QueueVisit:
    """The last queue that the caller waited in; `wait_seconds` is the sum over all visits."""

    queue: str
    position: int  #: at entry, 1 is next
    wait_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One inbound external call, judged. Also used, `ended` being None, while it still lives."""

    call_id: str  #: Uniqueid of the caller's channel; unique within one run of one PBX
    began: datetime
    ended: datetime | None
    disposition: Disposition
    reason: Reason
    caller: Caller
    line: str  #: the number called (DID), as the PBX says; empty if it does not
    trunk: str  #: endpoint through which the call came in
    answered_at: datetime | None
    answered_by: str  #: endpoint of the person
    hung_up_by: HungUpBy
    ring_seconds: float  #: time in which at least one phone rang
    rung: tuple[Rung, ...]
    queue: QueueVisit | None
    voicemail_seconds: float
    mailbox: str
    steps: tuple[Step, ...]
    source: str = "live"  #: `live`, or the record that told us: `cel`, `cdr`, `queue_log`


@dataclass(frozen=True, slots=True)
class CallBegan:
    call: Call


@dataclass(frozen=True, slots=True)
class CallAnswered:
    call: Call


@dataclass(frozen=True, slots=True)
class CallerWithheld:
    """It became known that the caller forbade showing the number."""

    call: Call


@dataclass(frozen=True, slots=True)
class VoicemailReached:
    """The caller is in voicemail now; whether a message comes of it is not known yet."""

    call: Call


@dataclass(frozen=True, slots=True)
class CallEnded:
    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundCall:
    """Somebody here, or the PBX, rings an outside number. Never texted; it may cancel a text."""

    call_id: str  #: Uniqueid of the outgoing trunk leg
    dialled: str  #: digits as dialled, with any outside-line prefix
    began: datetime
    answered_at: datetime | None = None
    ended: datetime | None = None


Observation = (
    CallBegan | CallerWithheld | CallAnswered | VoicemailReached | CallEnded | OutboundCall
)
"""What the tracker tells: an OutboundCall is told when it begins, is answered and ends."""
