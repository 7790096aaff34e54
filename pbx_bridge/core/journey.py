"""One inbound call while it lives: evidence gathers, and at the end a reason has a name.

Nothing here decides whether a call was answered; `tracker` tells that by the rule in `graph`.
"""

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta

from pbx_bridge.core import jump
from pbx_bridge.core.call import (
    Call,
    Caller,
    Disposition,
    HungUpBy,
    OutboundCall,
    QueueVisit,
    Reason,
    Rung,
    Step,
    StepKind,
)

#: A timeline is for people: a call that rings agents for hours does not fill the disk.
_MAX_STEPS = 100
_ALWAYS_KEPT = frozenset(
    {
        StepKind.CONNECTED,
        StepKind.MESSAGE_LEFT,
        StepKind.FEED_LOST,
        StepKind.RECOVERED,
        StepKind.HANGUP_REQUESTED,
        StepKind.ENDED,
    }
)
_MAX_ENDPOINTS = 64
_OTHERS = "others"

_NOBODY_THERE = frozenset({"CHANUNAVAIL", "CONGESTION"})
_RANG = frozenset({"NOANSWER", "CANCEL"})
_CALLEE_REFUSES = frozenset({"DONTCALL", "TORTURE"})


@dataclass(slots=True)
class _Ringing:
    seconds: float = 0.0
    times: int = 0
    status: str = ""


@dataclass(slots=True)
class OpenLeg:
    """A leg that rings."""

    endpoint: str
    began: datetime
    local: bool


@dataclass(slots=True)
class Outbound:
    """An outgoing trunk leg; `told` is the latest that the outside knows of it."""

    told: OutboundCall


@dataclass(slots=True, kw_only=True)
class Journey:
    """The mutable record behind a `Call`."""

    call_id: str
    began: datetime
    number: str
    caller_name: str
    line: str
    trunk: str
    withheld: bool = False
    up: bool = False  #: something answered, not necessarily a person
    answered_at: datetime | None = None
    answered_by: str = ""
    connected_at: datetime | None = None  #: to whoever it is connected with now, or was last
    hold_leg: str = ""  #: the leg of whoever has the caller on hold
    held_at: datetime | None = None
    seeking: Reason | None = None  #: after an answer: handed on, nobody has taken it since
    handled: int = 0  #: applications that took the call and count as an answer
    unseen: Reason | None = None  #: something may have happened that we did not see
    hung_up_by: HungUpBy = HungUpBy.UNKNOWN
    left_at: datetime | None = None  #: the caller hung up; hang-up handlers may run on
    cancelled_ringing: bool = False
    left_waiting: bool = False  #: the caller hung up inside a queue
    in_queue: bool = False
    queue: str = ""
    queue_leg: str = ""
    queue_position: int = 0
    queue_joined: datetime | None = None
    queue_seconds: float = 0.0
    queue_unserved: bool = False
    voicemail: bool = False
    voicemail_leg: str = ""
    voicemail_began: datetime | None = None
    voicemail_seconds: float = 0.0
    mailbox: str = ""
    message_left: bool = False
    gone_at: datetime | None = None  #: the caller has hung up, and a message is being stored
    parked: bool = False
    conference: bool = False
    from_did: bool = False  #: the dialplan keeps the number called in FROM_DID, as FreePBX does
    greeted: bool = False  #: what answered was not there to refuse the caller
    unrouted: bool = False  #: no inbound route knows the number called
    refused: bool = False  #: the call ended where the office puts those whom it does not want
    dial_status: str = ""  #: DIALSTATUS, the only trace of a phone that could not be reached
    phone_statuses: set[str] | None = None
    local_statuses: set[str] | None = None
    ring_began: datetime | None = None
    ring_seconds: float = 0.0
    rung: dict[str, _Ringing] | None = None
    open_legs: dict[str, OpenLeg] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    heard: datetime = field(init=False)  #: when the PBX last said something of it

    def __post_init__(self) -> None:
        self.heard = self.began

    @property
    def last_step_at(self) -> datetime:
        return self.steps[-1].at if self.steps else self.began

    def note(self, at: datetime, kind: StepKind, who: str = "", detail: str = "") -> None:
        if kind is not StepKind.FEED_LOST:
            self.heard = at
        if len(self.steps) < _MAX_STEPS or kind in _ALWAYS_KEPT:
            self.steps.append(Step(at, kind, who, detail))

    def clock_set(self, by: timedelta) -> None:
        """Go by the clock as it was set."""
        for one in fields(self):
            if isinstance(value := getattr(self, one.name), datetime):
                setattr(self, one.name, value + by)
        for leg in self.open_legs.values():
            leg.began += by
        self.steps = [jump.moved(step, by) for step in self.steps]

    def ring(self, at: datetime, leg_id: str, endpoint: str, *, local: bool) -> None:
        if leg_id in self.open_legs:
            return
        self.open_legs[leg_id] = OpenLeg(endpoint, at, local)
        if local:
            return
        if self.ring_began is None:
            self.ring_began = at
        self._ringing(endpoint).times += 1
        self.note(at, StepKind.RINGING, endpoint)

    def ring_ended(self, at: datetime, leg_id: str, status: str, forward: str = "") -> None:
        leg = self.open_legs.pop(leg_id, None)
        if leg is None:  # a second DialEnd for one leg, as queues send it, or a picker's
            return
        if not forward:
            if leg.local:
                self.local_statuses = (self.local_statuses or set()) | {status}
            else:
                self.phone_statuses = (self.phone_statuses or set()) | {status}
        if leg.local:
            return
        ringing = self._ringing(leg.endpoint)
        ringing.seconds += (at - leg.began).total_seconds()
        ringing.status = status
        if self.ring_began is not None and all(leg.local for leg in self.open_legs.values()):
            self.ring_seconds += (at - self.ring_began).total_seconds()
            self.ring_began = None
        if forward:
            self.note(at, StepKind.FORWARDED, leg.endpoint, forward)
        else:
            self.note(at, StepKind.RING_ENDED, leg.endpoint, status)

    def queue_left(self, at: datetime) -> None:
        if self.queue_joined is not None:
            self.queue_seconds += (at - self.queue_joined).total_seconds()
        self.queue_joined = None
        self.in_queue = False

    @property
    def recording(self) -> bool:
        """Whether voicemail still runs."""
        return self.voicemail_began is not None

    def voicemail_left(self, at: datetime) -> None:
        if self.voicemail_began is not None:
            self.voicemail_seconds += (at - self.voicemail_began).total_seconds()
        self.voicemail_began = None

    def hang_up_requested(self, at: datetime, by: HungUpBy) -> bool:
        """Take note of who ended the call; only the first request counts. True if it did."""
        if self.hung_up_by is not HungUpBy.UNKNOWN:
            return False
        self.hung_up_by = by
        if by is HungUpBy.CALLER:
            self.left_at = at
            self.cancelled_ringing = bool(self.open_legs)
            self.left_waiting = self.in_queue
        self.note(at, StepKind.HANGUP_REQUESTED, by.value)
        return True

    def hold(self, at: datetime, leg_id: str, endpoint: str) -> None:
        """Take note that somebody has put the caller on hold."""
        self.hold_leg, self.held_at = leg_id, at
        self.note(at, StepKind.HELD, endpoint)

    def resume(self, at: datetime, endpoint: str) -> None:
        """Take note that whoever had the caller on hold is back."""
        self.hold_leg, self.held_at = "", None
        self.note(at, StepKind.RESUMED, endpoint)

    def end(self, at: datetime) -> None:
        for leg_id in list(self.open_legs):
            self.ring_ended(at, leg_id, "CANCEL")
        self.queue_left(at)
        self.voicemail_left(at)

    def judged(self, ended: datetime | None) -> Call:
        """Give the call as it stands; with `ended` it is final."""
        disposition, reason = self._verdict()
        return Call(
            call_id=self.call_id,
            began=self.began,
            ended=ended,
            disposition=disposition,
            reason=reason,
            caller=Caller(self.number, self.caller_name, self.withheld),
            line=self.line,
            trunk=self.trunk,
            answered_at=self.answered_at,
            answered_by=self.answered_by,
            hung_up_by=self.hung_up_by,
            ring_seconds=self.ring_seconds,
            rung=tuple(
                Rung(endpoint, r.seconds, r.times, r.status)
                for endpoint, r in (self.rung or {}).items()
            ),
            queue=QueueVisit(self.queue, self.queue_position, self.queue_seconds)
            if self.queue
            else None,
            voicemail_seconds=self.voicemail_seconds,
            mailbox=self.mailbox,
            steps=tuple(self.steps),
        )

    def _ringing(self, endpoint: str) -> _Ringing:
        if self.rung is None:
            self.rung = {}
        if endpoint not in self.rung and len(self.rung) >= _MAX_ENDPOINTS:
            endpoint = _OTHERS
        return self.rung.setdefault(endpoint, _Ringing())

    def _verdict(self) -> tuple[Disposition, Reason]:
        if self.answered_at is not None:
            return Disposition.ANSWERED, self.seeking or Reason.PERSON
        if self.handled:
            return Disposition.ANSWERED, Reason.HANDLED
        if self.unseen is not None:
            return Disposition.UNOBSERVED, self.unseen
        return Disposition.MISSED, self._way()

    def _way(self) -> Reason:  # noqa: C901, PLR0911 - one line a way, in order of how much it explains
        """Name the way of a call that no person answered: the first that fits."""
        if self.message_left:
            return Reason.VOICEMAIL_MESSAGE
        if self.voicemail:
            return Reason.VOICEMAIL_HANGUP
        if self.left_waiting:
            return Reason.QUEUE_ABANDONED
        if self.queue_unserved or self.queue:
            return Reason.QUEUE_UNSERVED
        if self.cancelled_ringing:
            return Reason.RANG_CANCELLED
        if self.phone_statuses or self.local_statuses or self.rung:
            return self._way_of_dialling()
        if (way := self._way_of_unseen_dialling()) is not None:
            return way
        if self.parked:
            return Reason.PARKED
        if self.conference:
            return Reason.CONFERENCE_ALONE
        if self.refused or self.unrouted:
            return Reason.REJECTED
        if self.hung_up_by is HungUpBy.CALLER:
            return Reason.IVR_ABANDONED
        return Reason.ANNOUNCEMENT_ONLY if self.up else Reason.REJECTED

    def _way_of_unseen_dialling(self) -> Reason | None:
        """Go by DIALSTATUS: no phone could be reached, or they rang before we looked."""
        if self.dial_status in _NOBODY_THERE:
            return Reason.UNAVAILABLE
        if self.dial_status == "BUSY":
            return Reason.BUSY
        if self.dial_status in _RANG:
            by_caller = self.hung_up_by is HungUpBy.CALLER
            return Reason.RANG_CANCELLED if by_caller else Reason.RANG_NO_ANSWER
        return None

    def _way_of_dialling(self) -> Reason:
        statuses = self.phone_statuses or self.local_statuses or set()
        if statuses & _CALLEE_REFUSES:
            return Reason.REJECTED
        if statuses and statuses <= _NOBODY_THERE:
            return Reason.UNAVAILABLE
        if statuses and statuses <= _NOBODY_THERE | {"BUSY"}:
            return Reason.BUSY
        if not self.rung and self.dial_status in _NOBODY_THERE:
            return Reason.UNAVAILABLE  # Local legs began, but behind them no phone did
        return Reason.RANG_NO_ANSWER


#: A journey whose end was never reported is given up after this long.
MAX_AGE = timedelta(hours=24)
