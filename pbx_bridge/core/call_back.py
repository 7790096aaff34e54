"""Calling a customer back in one click: the PBX rings a colleague first, and then the customer.

Pure: events of the PBX go in, how far the call is comes out. All legs of such a call have one
Linkedid, which says the digits with which the customer's number ends: by these the leg to the
customer is known among the others, also after a restart of ours. The others lead to the colleague.

What was not seen is not invented: a call of which nothing is heard any more counts as lost, and
is never placed again.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pbx_bridge.core import events as ev
from pbx_bridge.core import jump
from pbx_bridge.core.events import CallEvent, ChannelState
from pbx_bridge.core.number import Number, dialled_digits, uncallable

#: What the Uniqueid of a call back's first leg begins with, and so the Linkedid of all its legs.
CHANNELS = "pbxbridge-callback-"

#: Longer than the phone rings, until the news that it does no more has to be here.
GRACE = timedelta(seconds=10)
#: The news that it failed may be here before the news why: they come on two connections.
SETTLES = timedelta(seconds=2)
#: An outbound route that plays an announcement, and tries one trunk after another, takes no longer.
LONGEST_DIALLING = timedelta(minutes=10)
LONGEST_TALK = timedelta(hours=12)
#: Audits in a row that do not show it: one could have been just too early.
_ABSENCES_TO_BE_GONE = 2


class CallBackState(StrEnum):
    """How far a call back is."""

    WANTED = "wanted"  #: written down; the PBX is being told
    COLLEAGUE_RINGS = "colleague_rings"
    CUSTOMER_RINGS = "customer_rings"
    TALKING = "talking"
    ENDED = "ended"


class CallBackOutcome(StrEnum):
    """What became of it."""

    TALKED = "talked"
    COLLEAGUE_NO_ANSWER = "colleague_no_answer"
    COLLEAGUE_BUSY = "colleague_busy"
    COLLEAGUE_REFUSED = "colleague_refused"
    COLLEAGUE_UNREACHABLE = "colleague_unreachable"
    COLLEAGUE_HUNG_UP = "colleague_hung_up"  #: before the customer answered
    CUSTOMER_NO_ANSWER = "customer_no_answer"
    CUSTOMER_BUSY = "customer_busy"
    CUSTOMER_REFUSED = "customer_refused"
    CUSTOMER_UNREACHABLE = "customer_unreachable"
    NOT_PERMITTED = "not_permitted"  #: the account may place no calls
    NOT_PLACED = "not_placed"  #: the PBX said no
    PBX_UNREACHABLE = "pbx_unreachable"  #: certainly nothing rang
    LOST = "lost"  #: nothing more was heard of it: perhaps it rang


class Refusal(StrEnum):
    """Why nobody is rung."""

    NOT_CONFIGURED = "not_configured"
    NO_EXTENSION = "no_extension"  #: the user's profile has none, or one that is no number
    NO_NUMBER = "no_number"  #: a withheld one, or none of a numbering plan
    UNKNOWN_NUMBER = "unknown_number"  #: no task, contact or call has it
    OWN_NUMBER = "own_number"
    COUNTRY = "country"  #: outside `allowed_countries`
    COSTLY = "costly"  #: premium-rate, satellite and the like
    CUSTOMER_BUSY = "customer_busy"  #: somebody is calling them just now
    COLLEAGUE_BUSY = "colleague_busy"  #: a call of this colleague is under way
    KEY_REUSED = "key_reused"  #: the same form was sent for another call


def tag(number: Number, token: str) -> str:
    """Name a call back to a number: the Uniqueid of its first leg."""
    return f"{CHANNELS}{number.national}-{token}"


def ending(linkedid: str) -> str | None:
    """Give the digits with which a customer's number ends, by a leg; None if it is no call back."""
    if not linkedid.startswith(CHANNELS):
        return None
    return linkedid.removeprefix(CHANNELS).partition("-")[0]


def leads_to_customer(linkedid: str, dialled: str) -> bool:
    """Tell whether that leg of a call back, where this was dialled, is the one to the customer."""
    digits = ending(linkedid)
    return bool(digits) and dialled.endswith(digits or "")


def forbidden(
    number: Number, *, allowed: Collection[str], own: Collection[str]
) -> tuple[Refusal, str] | None:
    """Say why nobody is to call a number, if there is a reason; and a word or two about it.

    `allowed` are countries by their ISO codes; none: all of them.
    """
    if number.e164 in own:
        return Refusal.OWN_NUMBER, ""
    if kind := uncallable(number):
        return Refusal.COSTLY, kind
    if allowed and number.region not in allowed:
        return Refusal.COUNTRY, number.region
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a call back is; all times aware."""

    wanted_at: datetime
    state: CallBackState = CallBackState.WANTED
    answered_at: datetime | None = None  #: by the colleague
    rang_at: datetime | None = None  #: when the customer was rung first
    talking_at: datetime | None = None
    ended_at: datetime | None = None
    #: Known a little before the end, while the colleague still hears the busy tone.
    outcome: CallBackOutcome | None = None
    detail: str = ""  #: the PBX's own words, or what is not sure

    @property
    def under_way(self) -> bool:
        return self.state is not CallBackState.ENDED

    @property
    def talked(self) -> timedelta | None:
        """Give for how long they spoke; None if they did not, or are speaking."""
        if self.talking_at is None or self.ended_at is None:
            return None
        return max(timedelta(), self.ended_at - self.talking_at)

    def ended(self, outcome: CallBackOutcome, at: datetime, detail: str = "") -> "Progress":
        return replace(self, state=CallBackState.ENDED, outcome=outcome, ended_at=at, detail=detail)


#: OriginateResponse's Reason of a phone that rang until the time was over, and of a busy one.
_RANG, _BUSY = "3", "5"

#: Q.850 causes of a leg that ended unanswered (Asterisk's include/asterisk/causes.h).
_CAUSE_BUSY = frozenset({17})
_CAUSE_REFUSED = frozenset({21})
_CAUSE_UNREACHABLE = frozenset({1, 2, 3, 20, 22, 27, 28, 34, 38, 41, 42, 44, 58, 66, 88, 127})

_CUSTOMER = {
    "BUSY": CallBackOutcome.CUSTOMER_BUSY,
    "NOANSWER": CallBackOutcome.CUSTOMER_NO_ANSWER,
    "CANCEL": CallBackOutcome.COLLEAGUE_HUNG_UP,
    "CHANUNAVAIL": CallBackOutcome.CUSTOMER_UNREACHABLE,
    "CONGESTION": CallBackOutcome.CUSTOMER_UNREACHABLE,
}
_COLLEAGUE = {
    "BUSY": CallBackOutcome.COLLEAGUE_BUSY,
    "NOANSWER": CallBackOutcome.COLLEAGUE_NO_ANSWER,
    "CHANUNAVAIL": CallBackOutcome.COLLEAGUE_UNREACHABLE,
    "CONGESTION": CallBackOutcome.COLLEAGUE_UNREACHABLE,
}
_CUSTOMER_BY_COLLEAGUE = {
    CallBackOutcome.COLLEAGUE_BUSY: CallBackOutcome.CUSTOMER_BUSY,
    CallBackOutcome.COLLEAGUE_REFUSED: CallBackOutcome.CUSTOMER_REFUSED,
    CallBackOutcome.COLLEAGUE_UNREACHABLE: CallBackOutcome.CUSTOMER_UNREACHABLE,
}
_END_UNSEEN = "its end was not seen"


class Following:
    """One call back while it lives: what the PBX tells of it goes in.

    `ring` is how long the colleague's phone rings. Each method tells whether `progress` changed.
    """

    def __init__(self, name: str, progress: Progress, ring: timedelta) -> None:
        self.name = name  #: see `tag`
        self.progress = progress
        self._ring = ring
        self._legs: dict[str, str] = {}  # alive, with their names
        self._customer = ""  # the leg to the customer
        self._colleague: CallBackOutcome | None = None  # what kept the colleague from answering
        self._failed_at: datetime | None = None
        self._absences = 0

    def clock_set(self, by: timedelta) -> None:
        """Go by the clock as it was set."""
        self.progress = jump.moved(self.progress, by)
        if self._failed_at is not None:
            self._failed_at += by

    def due(self) -> datetime:
        """Give when it is over at last, whatever is heard or not."""
        now = self.progress
        if now.state is CallBackState.TALKING:
            return (now.talking_at or now.wanted_at) + LONGEST_TALK
        if self._failed_at is not None:
            return self._failed_at + SETTLES
        if now.answered_at is not None:
            return (now.rang_at or now.answered_at) + LONGEST_DIALLING
        return now.wanted_at + self._ring + GRACE

    def expire(self, now: datetime) -> bool:
        """Take it for over if its time is."""
        if not self.progress.under_way or now < self.due():
            return False
        if self.progress.state is CallBackState.TALKING:
            return self._end(CallBackOutcome.TALKED, now, _END_UNSEEN)
        if self._failed_at is not None:
            return self._end(self._colleague or CallBackOutcome.COLLEAGUE_UNREACHABLE, now)
        return self._end(self.progress.outcome or CallBackOutcome.LOST, now)

    # -- what the PBX answers ---------------------------------------------------------------

    def placed(self) -> bool:
        """Take that the PBX has begun to ring."""
        if self.progress.state is not CallBackState.WANTED:
            return False
        return self._become(state=CallBackState.COLLEAGUE_RINGS)

    def unplaced(self, outcome: CallBackOutcome, at: datetime, detail: str) -> bool:
        """Take that nothing rings, and why."""
        return self.progress.under_way and self._end(outcome, at, detail)

    def unsure(self, detail: str) -> bool:
        """Take that the PBX was told, and did not answer: perhaps it rings."""
        if self.progress.state is not CallBackState.WANTED:
            return False
        return self._become(detail=detail)

    def responded(self, *, answered: bool, reason: str, at: datetime) -> bool:
        """Take the PBX's word on whether the colleague answered (OriginateResponse)."""
        if not self.progress.under_way or self.progress.answered_at is not None:
            return False
        if answered:
            return self._answered(at)
        if reason == _RANG:
            return self._end(CallBackOutcome.COLLEAGUE_NO_ANSWER, at)
        if reason == _BUSY:
            return self._end(CallBackOutcome.COLLEAGUE_BUSY, at)
        self._failed_at = at  # why is told by its legs, if there were any
        return False

    # -- what happens -----------------------------------------------------------------------

    def take(self, event: CallEvent) -> bool:  # noqa: PLR0911 - one an event
        """Take an event of the PBX."""
        if not self.progress.under_way:
            return False
        match event:
            case ev.ChannelCreated():
                return self._created(event)
            case ev.StateChanged(at, channel_id, ChannelState.UP) if channel_id == self.name:
                return self.progress.answered_at is None and self._answered(at)
            case ev.DialBegun():
                return self._dial_begun(event)
            case ev.DialEnded():
                return self._dial_ended(event)
            case ev.BridgeEntered(at, channel_id) if channel_id == self._customer != "":
                return not event.holding and self._talks(at)
            case ev.ChannelHungUp():
                return self._hung_up(event)
            case _:
                return False

    def adopt(self, channels: Iterable[ev.LiveChannel], at: datetime) -> bool:
        """Go by what lives on the PBX now, after a time in which we did not look."""
        if not self.progress.under_way:
            return False
        mine = [live for live in channels if live.linkedid == self.name]
        if not mine:
            return self._vanished(at)
        before = self.progress
        self._legs = {live.channel_id: live.name for live in mine}
        self.placed()
        for live in mine:
            if live.channel_id == self.name:
                if live.state == ChannelState.UP:
                    self._answered(at)
            # On such a leg the PBX has the number that was dialled as caller ID.
            elif not _is_local(live.name) and leads_to_customer(
                self.name, dialled_digits(live.number)
            ):
                self._rings_customer(live.channel_id, at)
                if live.state == ChannelState.UP and live.bridge_id and not live.holding:
                    self._talks(at)
        return self.progress != before

    def audited(self, channels: Iterable[ev.LiveChannel], at: datetime) -> bool:
        """Compare with what lives on the PBX while we look: an event may have been lost."""
        if not self.progress.under_way or not self._legs:
            return False
        lives = any(live.channel_id in self._legs for live in channels)
        self._absences = 0 if lives else self._absences + 1
        return self._absences >= _ABSENCES_TO_BE_GONE and self._vanished(at)

    def _vanished(self, at: datetime) -> bool:
        if self.progress.state is CallBackState.TALKING:
            return self._end(CallBackOutcome.TALKED, at, _END_UNSEEN)
        return self._end(self.progress.outcome or CallBackOutcome.LOST, at)

    def _created(self, event: ev.ChannelCreated) -> bool:
        if event.linkedid != self.name:
            return False
        self._legs[event.channel_id] = event.name
        return self.placed()

    def _dial_begun(self, event: ev.DialBegun) -> bool:
        if event.dest_id not in self._legs or _is_local(event.dest_name):
            return False
        if not leads_to_customer(self.name, dialled_digits(event.dial_string)):
            return False
        return self._rings_customer(event.dest_id, event.at)

    def _dial_ended(self, event: ev.DialEnded) -> bool:
        if event.dest_id == self._customer != "":
            outcome = _CUSTOMER.get(event.status)
            return outcome is not None and self._become(outcome=outcome)
        if event.dest_id in self._legs and not _is_local(self._legs[event.dest_id]):
            self._colleague = self._colleague or _COLLEAGUE.get(event.status)
        return False

    def _hung_up(self, event: ev.ChannelHungUp) -> bool:
        name = self._legs.pop(event.channel_id, None)
        if name is None:
            return False
        changed = False
        if event.channel_id == self._customer:
            if self.progress.state is CallBackState.TALKING:
                return self._end(CallBackOutcome.TALKED, event.at)
            changed = self._customer_gone(event.cause)
        elif self.progress.answered_at is None and not _is_local(name):
            self._colleague = _by_cause(event.cause) or self._colleague
        if event.channel_id != self.name or self.progress.state is CallBackState.TALKING:
            return changed
        return self._first_leg_gone(event)

    def _first_leg_gone(self, event: ev.ChannelHungUp) -> bool:
        now = self.progress
        if now.answered_at is None:
            outcome = self._colleague or _by_cause(event.cause)
            return self._end(outcome or CallBackOutcome.COLLEAGUE_NO_ANSWER, event.at)
        if self._customer in self._legs:
            if now.outcome is None:
                return self._end(CallBackOutcome.COLLEAGUE_HUNG_UP, event.at)
            self._customer_gone(event.cause)  # it has the cause of the leg whose news comes next
        if self.progress.outcome is not None:
            return self._end(self.progress.outcome, event.at)
        # No route led to the customer, or what it led to said nothing.
        return self._end(CallBackOutcome.CUSTOMER_UNREACHABLE, event.at)

    def _customer_gone(self, cause: int) -> bool:
        """Take why the customer did not answer: a leg's cause says more than what dialling did."""
        if self.progress.outcome is CallBackOutcome.COLLEAGUE_HUNG_UP:
            return False
        told = _by_cause(cause)
        outcome = None if told is None else _CUSTOMER_BY_COLLEAGUE[told]
        return outcome is not None and self._become(outcome=outcome)

    # -- changes ----------------------------------------------------------------------------

    def _answered(self, at: datetime) -> bool:
        return self._become(answered_at=self.progress.answered_at or at, detail="")

    def _rings_customer(self, leg: str, at: datetime) -> bool:
        """Take that the customer is rung, perhaps through another trunk than before."""
        if self.progress.state is CallBackState.TALKING:
            return False
        self._customer = leg
        return self._become(
            state=CallBackState.CUSTOMER_RINGS,
            answered_at=self.progress.answered_at or at,
            rang_at=self.progress.rang_at or at,
            outcome=None,
            detail="",
        )

    def _talks(self, at: datetime) -> bool:
        if self.progress.state is CallBackState.TALKING:
            return False
        return self._become(
            state=CallBackState.TALKING,
            talking_at=self.progress.talking_at or at,
            outcome=None,
        )

    def _end(self, outcome: CallBackOutcome, at: datetime, detail: str = "") -> bool:
        self.progress = self.progress.ended(outcome, at, detail or self.progress.detail)
        return True

    def _become(self, **changes: object) -> bool:
        before, self.progress = self.progress, replace(self.progress, **changes)  # type: ignore[arg-type]
        return self.progress != before


def _is_local(name: str) -> bool:
    return name.startswith("Local/")


def _by_cause(cause: int) -> CallBackOutcome | None:
    if cause in _CAUSE_BUSY:
        return CallBackOutcome.COLLEAGUE_BUSY
    if cause in _CAUSE_REFUSED:
        return CallBackOutcome.COLLEAGUE_REFUSED
    if cause in _CAUSE_UNREACHABLE:
        return CallBackOutcome.COLLEAGUE_UNREACHABLE
    return None
