"""The calls in progress as people want to see them: who, since when, and what happens to them.

It is looked up in what the tracker knows anyway, when somebody asks; nothing is kept for it.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from pbx_bridge.core.call import Caller, HungUpBy
from pbx_bridge.core.graph import Channel, Graph, endpoint_of
from pbx_bridge.core.journey import Journey, OpenLeg
from pbx_bridge.core.queues import Queues

#: The PBX is asked every minute what lives on it. Of what is in neither answer nor event for so
#: long people are told that it may be over.
HEARD_WITHIN = timedelta(minutes=3)
#: What is judged later than this is not "now" any more.
BEHIND = timedelta(seconds=5)


class Stage(StrEnum):
    """What happens to a call at this moment."""

    ARRIVED = "arrived"  #: nothing answers, nothing rings yet
    MENU = "menu"  #: a menu or an announcement
    RINGING = "ringing"
    QUEUE = "queue"
    TALKING = "talking"
    HOLD = "hold"
    PARKED = "parked"
    CONFERENCE = "conference"  #: alone in one
    VOICEMAIL = "voicemail"
    APPLICATION = "application"  #: fax, a voice bot, callthrough
    ENDING = "ending"  #: somebody hung up; the PBX has not told the end


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """One inbound call in progress."""

    call_id: str
    began: datetime
    caller: Caller
    line: str  #: as the PBX says
    trunk: str
    stage: Stage
    since: datetime  #: of this stage
    who: tuple[str, ...] = ()  #: the phones that ring, or those who speak or hold
    queue: str = ""
    place: int = 0  #: in the queue, 1 is next; 0 if it is not known
    mailbox: str = ""
    answered: bool = False  #: a person spoke to the caller at some time
    seen_whole: bool = True  #: nothing of it happened while the feed was down
    heard: datetime = field(compare=False)  #: when the PBX last said something of it

    def doubtful(self, now: datetime) -> bool:
        """Whether the PBX has been silent about it for so long that it may be over."""
        return now - self.heard > HEARD_WITHIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """How one PBX is seen."""

    pbx: str = ""
    whole: bool
    since: datetime | None = None  #: that it is lost; None if it never was whole
    problem: str = ""  #: why it is lost


@dataclass(frozen=True, slots=True)
class LiveOn:
    """A call and the PBX that it is on."""

    pbx: str
    call: LiveCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All calls in progress, the eldest first, and what is to be thought of that."""

    calls: tuple[LiveOn, ...]
    feeds: tuple[Feed, ...]
    as_of: datetime = field(compare=False)  #: until when all that was told is in it

    def behind(self, now: datetime) -> bool:
        """Whether what the PBXs tell is taken in too late for this to be the present."""
        return now - self.as_of > BEHIND

    @property
    def lost(self) -> tuple[Feed, ...]:
        """Give the PBXs that are not seen now."""
        return tuple(feed for feed in self.feeds if not feed.whole)


def live_call(journey: Journey, graph: Graph, queues: Queues) -> LiveCall:
    """Tell how a call stands that has not ended."""
    stage, since, who = _stage(journey, graph)
    in_queue = stage is Stage.QUEUE
    return LiveCall(
        call_id=journey.call_id,
        began=journey.began,
        caller=Caller(journey.number, journey.caller_name, journey.withheld),
        line=journey.line,
        trunk=journey.trunk,
        stage=stage,
        since=since or journey.last_step_at,
        who=who,
        queue=journey.queue if in_queue else "",
        place=queues.place(journey.queue_leg) if in_queue else 0,
        mailbox=journey.mailbox if stage is Stage.VOICEMAIL else "",
        answered=journey.answered_at is not None,
        seen_whole=journey.unseen is None,
        heard=journey.heard,
    )


_Found = tuple[Stage, datetime | None, tuple[str, ...]]


def _stage(journey: Journey, graph: Graph) -> _Found:
    """Find the stage: the first that fits, so the order is what matters most to people."""
    if journey.hung_up_by is not HungUpBy.UNKNOWN or journey.gone_at is not None:
        return Stage.ENDING, journey.left_at, ()
    root = graph.channels.get(journey.call_id)
    people = [] if root is None else [leg for leg in graph.connected(root) if leg.person]
    holder = graph.channels.get(journey.hold_leg)
    speaking = [leg for leg in people if leg is not root and leg is not holder]
    if speaking:
        return Stage.TALKING, journey.connected_at, tuple(map(_name, speaking))
    if holder is not None:
        return Stage.HOLD, journey.held_at, (_name(holder),)
    return _alone(journey, root)


def _alone(journey: Journey, root: Channel | None) -> _Found:  # noqa: PLR0911 - as above
    """Find the stage of a caller with whom nobody speaks."""
    rings = sorted((leg for leg in journey.open_legs.values() if not leg.local), key=_began)
    phones = tuple(dict.fromkeys(leg.endpoint for leg in rings))
    if journey.handled:
        return Stage.APPLICATION, None, ()
    if journey.recording:
        return Stage.VOICEMAIL, journey.voicemail_began, ()
    if journey.in_queue:
        return Stage.QUEUE, journey.queue_joined, phones
    if rings:
        return Stage.RINGING, rings[0].began, phones
    waits = root is not None and root.bridge is not None
    if waits and journey.parked:
        return Stage.PARKED, None, ()
    if waits and journey.conference:
        return Stage.CONFERENCE, None, ()
    return (Stage.MENU if journey.up else Stage.ARRIVED), None, ()


def _began(leg: OpenLeg) -> datetime:
    return leg.began


def _name(leg: Channel) -> str:
    """Name who is at the other end: a phone here, or the number that was dialled outside."""
    if leg.outbound is not None and leg.outbound.told.dialled:
        return leg.outbound.told.dialled
    return endpoint_of(leg.name)
