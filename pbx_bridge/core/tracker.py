"""Events in, calls judged: the heart of the service.

One `CallTracker` watches one PBX. An inbound external call is keyed by the Uniqueid of its root
channel, never by Linkedid (it changes at every bridge) nor by channel name (it changes at a
masquerade). Time comes in with the events; `next_deadline` says when to call `expire`.

Total by design: no sequence of events, however damaged, raises. What was not seen is not invented:
a call that was live while the feed was down ends as UNOBSERVED unless it proves otherwise.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from pbx_bridge.core import call_back, jump, number
from pbx_bridge.core import events as ev
from pbx_bridge.core.board import Feed, LiveCall, live_call
from pbx_bridge.core.call import (
    CallAnswered,
    CallBegan,
    CallEnded,
    CallerWithheld,
    HungUpBy,
    Observation,
    OutboundCall,
    Reason,
    StepKind,
    VoicemailReached,
)
from pbx_bridge.core.events import ChannelState
from pbx_bridge.core.graph import Channel, Graph, endpoint_of
from pbx_bridge.core.journey import MAX_AGE, Journey, Outbound
from pbx_bridge.core.queues import Queues

#: A caller who hung up is gone, though hang-up handlers in the dialplan may delay the Hangup event.
HANGUP_PATIENCE = timedelta(seconds=10)

#: The voicemail of a group's member runs on a Local leg and outlives the caller a little.
VOICEMAIL_PATIENCE = timedelta(seconds=3)

#: A channel that two snapshots in a row do not show is gone; one could have been just too early.
_ABSENCES_TO_BE_GONE = 2

#: Variables in which an application says that it did not take the call: its program was away.
_REFUSALS = {
    "AGISTATUS": ("AGI", frozenset({"FAILURE", "NOTFOUND"})),
    "STASISSTATUS": ("Stasis", frozenset({"FAILED"})),
}

_VOICEMAIL = frozenset({"VoiceMail", "MinivmGreet", "MinivmRecord"})
_NO_EXTEN = frozenset({"", "s"})
_BORN_INBOUND = frozenset({ChannelState.RING, ChannelState.PRE_RING})
_WITHHELD_BEFORE_REWRITE = frozenset({"CALLINGNUMPRES_SV", "CALLINGPRES_SV"})


#: Contexts in which FreePBX, and what descends from it, lets calls from outside begin.
INBOUND_CONTEXTS = (r"^from-(pstn|trunk|digital|analog|dahdi|zaptel|did)\b.*",)
#: Where FreePBX puts callers whom the office does not want.
IGNORED_CONTEXTS = ("^app-(black|allow)list", "^ext-did-catchall$", "^bad-dest")
#: FreePBX's "Terminate Call". An inbound route that leads there refuses the caller; but groups,
#: queues, menus and announcements end there too, when all else has failed.
_DEAD_END = re.compile("^app-blackhole")
#: Applications that do for the caller what the caller came for.
ANSWERED_APPLICATIONS = frozenset({"ReceiveFAX", "DISA"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """How to tell an inbound external call on this PBX, and what counts as an answer besides."""

    contexts: tuple[str, ...] = INBOUND_CONTEXTS
    #: Endpoints (`trunk` or `PJSIP/trunk`) whose calls are inbound in any context.
    trunks: frozenset[str] = frozenset()
    ignored_contexts: tuple[str, ...] = IGNORED_CONTEXTS
    answered_applications: frozenset[str] = ANSWERED_APPLICATIONS

    def matcher(self) -> Callable[[str], bool]:
        return _matcher(self.contexts)

    def refuser(self) -> Callable[[str], bool]:
        return _matcher(self.ignored_contexts)


def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    compiled = [re.compile(pattern) for pattern in patterns]

    @cache
    def matches(context: str) -> bool:
        return any(pattern.search(context) for pattern in compiled)

    return matches


def _to_staff(leg: ev.ChannelCreated | ev.LiveChannel) -> bool:
    """Tell whether this service has the PBX place a leg to somebody of the office."""
    if leg.linkedid.startswith(ev.OWN_CHANNELS):
        return True
    return leg.channel_id == leg.linkedid and call_back.ending(leg.linkedid) is not None


def _to_outside(linkedid: str, dialled: str) -> bool:
    """Tell whether a trunk leg rings somebody outside: of a call back only that to the customer.

    A colleague's mobile, through which the call back goes, may be a customer's number too.
    """
    return call_back.ending(linkedid) is None or call_back.leads_to_customer(linkedid, dialled)


class CallTracker:
    """The live calls of one PBX.

    Feed it with `receive`, ask `next_deadline`, call `expire` when that has come.
    """

    def __init__(self, inbound: Inbound, trunks: Iterable[str] = ()) -> None:
        """Begin with nothing live; `trunks` are endpoints that inbound calls came through before.

        By those a call is known again that was in progress before we looked, when its place in the
        dialplan no longer tells where it came from.
        """
        self._inbound = inbound
        self._is_inbound = inbound.matcher()
        self._is_refused = inbound.refuser()
        self._graph = Graph()
        self._journeys: dict[str, Journey] = {}  # the eldest first
        self._overdue: dict[str, datetime] = {}
        self._seen_trunks: set[str] = set(trunks)
        self._boot = ""
        self._queues = Queues()
        self._lost: Feed | None = Feed(whole=False)
        self._restored_at: datetime | None = None  #: what is older was known to the snapshot
        self._told: list[Observation] = []
        self._handlers: dict[type, Callable[..., None]] = {
            ev.ChannelCreated: self._created,
            ev.StateChanged: self._state_changed,
            ev.CallerIdChanged: self._caller_id,
            ev.PresentationKnown: self._presentation,
            ev.ApplicationStarted: self._application,
            ev.VariableSet: self._variable,
            ev.LocalPaired: self._paired,
            ev.DialBegun: self._dial_begun,
            ev.DialEnded: self._dial_ended,
            ev.BridgeEntered: self._bridge_entered,
            ev.BridgeLeft: self._bridge_left,
            ev.QueueJoined: self._queue_joined,
            ev.QueueLeft: self._queue_left,
            ev.QueueAbandoned: self._queue_abandoned,
            ev.MessageRecorded: self._message_recorded,
            ev.Transferred: self._transferred,
            ev.Parked: self._parked,
            ev.HoldChanged: self._hold_changed,
            ev.PickedUp: self._picked_up,
            ev.HangupRequested: self._hangup_requested,
            ev.ChannelHungUp: self._hung_up,
            ev.FeedLost: self._feed_lost,
            ev.FeedRestored: self._feed_restored,
            ev.Audited: self._audited,
        }

    @property
    def boot(self) -> str:
        """The run of the PBX that the live calls belong to."""
        return self._boot

    @property
    def live(self) -> int:
        """Count the calls in progress."""
        return len(self._journeys)

    @property
    def held(self) -> int:
        """Count all that is remembered: calls, channels and bridges. Zero when nothing lives."""
        graph = self._graph
        return len(self._journeys) + len(graph.channels) + len(graph.bridges) + self._queues.held

    def board(self) -> tuple[LiveCall, ...]:
        """Show the calls in progress, the eldest first."""
        return tuple(
            live_call(journey, self._graph, self._queues) for journey in self._journeys.values()
        )

    @property
    def feed(self) -> Feed:
        """How the PBX is seen, by what was told of it."""
        return self._lost or Feed(whole=True)

    def receive(self, event: ev.CallEvent) -> list[Observation]:
        """Take one event, tell what follows from it."""
        self._handlers[type(event)](event)
        if not self._told:
            return []
        told, self._told = self._told, []
        return told

    def next_deadline(self) -> datetime | None:
        """Say when `expire` has something to do, None if never."""
        overdue = min(self._overdue.values(), default=None)  # few: those just hung up
        eldest = next(iter(self._journeys.values()), None)
        if eldest is None:
            return overdue
        too_old = eldest.began + MAX_AGE
        return too_old if overdue is None else min(overdue, too_old)

    def expire(self, now: datetime) -> list[Observation]:
        """Finish calls whose Hangup is overdue."""
        for call_id in [c for c, deadline in self._overdue.items() if deadline <= now]:
            self._finish(self._journeys[call_id], now)
        for journey in [j for j in self._journeys.values() if j.began + MAX_AGE <= now]:
            journey.unseen = Reason.NEVER_ENDED
            self._finish(journey, now)
        told, self._told = self._told, []
        return told

    def clock_set(self, by: timedelta) -> None:
        """Go by the clock as it was set: what is yet to be told is told by that."""
        journeys = {id(journey): journey for journey in self._journeys.values()}
        for channel in self._graph.channels.values():
            if channel.journey is not None:
                journeys[id(channel.journey)] = channel.journey
            if channel.outbound is not None:
                channel.outbound.told = jump.moved(channel.outbound.told, by)
        for journey in journeys.values():
            journey.clock_set(by)
        self._overdue = {call_id: at + by for call_id, at in self._overdue.items()}
        if self._restored_at is not None:
            self._restored_at += by
        if self._lost is not None:
            self._lost = jump.moved(self._lost, by)

    def abandon(self, now: datetime, reason: Reason) -> list[Observation]:
        """Give up all live calls, as when the watch itself ends."""
        for journey in list(self._journeys.values()):
            journey.unseen = reason
            self._finish(journey, now)
        self._graph, self._queues = Graph(), Queues()
        told, self._told = self._told, []
        return told

    # -- channels ---------------------------------------------------------------------------

    def _created(self, event: ev.ChannelCreated) -> None:
        channel = self._graph.channels.get(event.channel_id)
        if channel is None:
            channel = Channel(event.channel_id, event.name, event.state)
            self._graph.channels[event.channel_id] = channel
            self._pair_by_name(channel)
        elif channel.journey is not None and channel.journey.call_id == event.channel_id:
            # Its birth waited behind the snapshot that showed it: so all of its life is seen.
            channel.journey.unseen = None
            channel.journey.number = event.number
            channel.journey.line = "" if event.exten in _NO_EXTEN else event.exten
            return
        channel.root = event.channel_id == event.linkedid and not channel.local
        channel.linkedid = event.linkedid
        channel.external = not _to_staff(event) and self._from_outside(event.name, event.context)
        if not (channel.root and channel.external):
            return
        channel.journey = Journey(
            call_id=event.channel_id,
            began=event.at,
            number=event.number,
            caller_name=event.caller_name,
            line="" if event.exten in _NO_EXTEN else event.exten,
            trunk=endpoint_of(event.name),
        )
        if event.state in _BORN_INBOUND:
            self._begin(channel.journey)

    def _state_changed(self, event: ev.StateChanged) -> None:
        channel = self._graph.channels.get(event.channel_id)
        if channel is None:
            return
        channel.state = event.state
        journey = channel.journey
        if journey is not None and journey.call_id == channel.channel_id:
            if event.state == ChannelState.UP and not journey.up:
                journey.up = True
                journey.greeted = not (
                    _DEAD_END.search(event.context) or self._is_refused(event.context)
                )
                # FreePBX says "not in service" in the context where the call began, at the
                # extension that no route has which knows the number called (ext-did-catchall).
                journey.unrouted = (
                    journey.from_did and event.exten == "s" and self._is_inbound(event.context)
                )
                journey.note(event.at, StepKind.STATUS, detail="up")
            if event.state == ChannelState.RING and not channel.dialled:
                self._begin(journey)  # chan_sip and analog: born Down, rings a moment later
        if event.state == ChannelState.UP and channel.bridge is not None:
            self._look_around(channel, event.at)

    def _hung_up(self, event: ev.ChannelHungUp) -> None:
        channel = self._graph.channels.get(event.channel_id)
        if channel is None:
            return
        journey = channel.journey
        if journey is not None and journey.call_id == channel.channel_id:
            if journey.call_id in self._journeys:
                self._refuse(journey, event.context)
                self._root_gone(journey, event.at)
        elif journey is not None:
            journey.ring_ended(event.at, channel.channel_id, "HANGUP")
            if journey.gone_at is not None and journey.voicemail_leg == channel.channel_id:
                self._finish(journey, event.at)
        self._outbound_ended(channel, event.at)
        self._remove(channel)

    def _root_gone(self, journey: Journey, at: datetime) -> None:
        """End the call, unless a message of the caller is still being stored on another leg."""
        leg = journey.voicemail_leg
        if journey.recording and leg != journey.call_id and leg in self._graph.channels:
            journey.gone_at = at
            self._overdue[journey.call_id] = at + VOICEMAIL_PATIENCE
        else:
            self._finish(journey, at)

    def _hangup_requested(self, event: ev.HangupRequested) -> None:
        journey = self._root_journey(event.channel_id)
        if journey is None:
            return
        # By the Hangup event an `h` extension may have led the channel elsewhere.
        self._refuse(journey, event.context)
        by = HungUpBy.CALLER if event.by_far_end else HungUpBy.PBX
        if journey.hang_up_requested(event.at, by) and event.by_far_end:
            self._overdue[journey.call_id] = event.at + HANGUP_PATIENCE

    def _refuse(self, journey: Journey, context: str) -> None:
        """Take note of a place in the dialplan where a call ends, if it is one for the unwanted."""
        if self._is_refused(context) or (not journey.greeted and _DEAD_END.search(context)):
            journey.refused = True

    def _paired(self, event: ev.LocalPaired) -> None:
        one = self._graph.channels.get(event.channel_id)
        other = self._graph.channels.get(event.other_id)
        if one is None or other is None:
            return
        self._graph.pair(one, other)
        one.journey = other.journey = one.journey or other.journey
        if one.bridge is not None:
            self._look_around(one, event.at)

    def _pair_by_name(self, channel: Channel) -> None:
        """Pair Local halves by name: a damaged or filtered feed may lack the LocalBridge event."""
        if not channel.local or channel.name[-2:] not in (";1", ";2"):
            return
        twin = channel.name[:-1] + ("2" if channel.name[-1] == "1" else "1")
        # The halves are created one after the other, so the twin is among the youngest.
        for other in reversed(self._graph.channels.values()):
            if other.name == twin:
                self._graph.pair(channel, other)
                channel.journey = other.journey
                return
            if other is not channel and not other.local:
                return

    def _pair_all_by_name(self) -> None:
        halves = {c.name: c for c in self._graph.channels.values() if c.local}
        for name, one in halves.items():
            if name.endswith(";1") and (other := halves.get(name[:-1] + "2")) is not None:
                self._graph.pair(one, other)

    # -- who calls, which line --------------------------------------------------------------

    def _caller_id(self, event: ev.CallerIdChanged) -> None:
        journey = self._root_journey(event.channel_id)
        if journey is None:
            return
        if event.withheld:
            self._withhold(journey, event.at)
        # The carrier's own number, as first seen, is what a text can go to: the dialplan rewrites
        # it for its phones. A name may be looked up late.
        if number.is_nobody(journey.number) and not number.is_nobody(event.number):
            journey.number = event.number
        if event.caller_name:
            journey.caller_name = event.caller_name

    def _presentation(self, event: ev.PresentationKnown) -> None:
        journey = self._root_journey(event.channel_id)
        if journey is not None and event.withheld:
            self._withhold(journey, event.at)

    def _withhold(self, journey: Journey, at: datetime) -> None:
        # A latch: dialplans set the presentation to "allowed" for their own phones later on.
        if not journey.withheld:
            journey.withheld = True
            journey.note(at, StepKind.CALLER_ID, detail="withheld")
            if journey.call_id in self._journeys:  # at once: a crash must not forget it
                self._told.append(CallerWithheld(journey.judged(None)))

    def _variable(self, event: ev.VariableSet) -> None:  # noqa: C901 - one branch a variable
        channel = self._graph.channels.get(event.channel_id)
        if channel is None or channel.journey is None:
            return
        journey, name, value = channel.journey, event.name.lstrip("_"), event.value
        mine = journey.call_id == event.channel_id
        if name == "FROM_DID":
            if mine and value not in _NO_EXTEN:
                journey.from_did = True
                journey.line = journey.line or value
        elif name in _WITHHELD_BEFORE_REWRITE:
            if mine and value.startswith("prohib"):
                self._withhold(journey, event.at)
        elif name == "VMSTATUS":
            if value == "SUCCESS":
                self._message(journey, event, "")
            journey.voicemail_left(event.at)
        elif name == "DIALSTATUS":
            if value:
                journey.dial_status = value
        elif name == "QUEUESTATUS" and value and value != "CONTINUE":
            journey.queue_unserved = True
            journey.note(event.at, StepKind.STATUS, journey.queue, f"queue {value}")
        elif name in _REFUSALS:
            application, refusals = _REFUSALS[name]
            if value in refusals and application in self._inbound.answered_applications:
                journey.handled = max(0, journey.handled - 1)
                journey.note(event.at, StepKind.STATUS, application, f"{application} {value}")

    # -- what happens to the call -----------------------------------------------------------

    def _application(self, event: ev.ApplicationStarted) -> None:
        channel = self._graph.channels.get(event.channel_id)
        if channel is None or channel.journey is None:
            return
        journey = channel.journey
        if event.application in _VOICEMAIL:
            self._seek(journey)
            journey.voicemail = True
            journey.voicemail_leg = event.channel_id
            journey.voicemail_began = journey.voicemail_began or event.at
            journey.mailbox = journey.mailbox or event.data.partition(",")[0]
            journey.note(event.at, StepKind.VOICEMAIL, journey.mailbox)
            if journey.call_id in self._journeys:
                self._told.append(VoicemailReached(journey.judged(None)))
        elif event.application in self._inbound.answered_applications:
            if journey.hung_up_by is not HungUpBy.UNKNOWN:
                return  # a hang-up handler looks something up: the caller is gone
            journey.handled += 1
            journey.note(event.at, StepKind.APPLICATION, event.application)
        elif event.application == "Queue":
            self._seek(journey)

    def _dial_begun(self, event: ev.DialBegun) -> None:
        leg = self._graph.channels.get(event.dest_id)
        if leg is None:
            return
        leg.dialled = True
        caller = self._graph.channels.get(event.channel_id)
        journey = caller.journey if caller is not None else None
        if leg.journey is not None and leg.journey.call_id == leg.channel_id:
            leg.journey = None  # we rang it, so it was never an inbound call
        if journey is not None and journey.call_id in self._journeys:
            leg.journey = journey
            if leg.pair is not None:
                leg.pair.journey = journey
            if caller is not None and caller.channel_id == journey.call_id:
                self._seek(journey)
            journey.ring(event.at, leg.channel_id, endpoint_of(leg.name), local=leg.local)
        elif leg.external and (leg.outbound is None or not leg.outbound.told.dialled):
            dialled = number.dialled_digits(event.dial_string)
            if dialled and _to_outside(leg.linkedid, dialled):
                leg.outbound = Outbound(
                    OutboundCall(call_id=leg.channel_id, dialled=dialled, began=event.at)
                )
                self._told.append(leg.outbound.told)

    def _dial_ended(self, event: ev.DialEnded) -> None:
        leg = self._graph.channels.get(event.dest_id)
        if leg is not None and leg.journey is not None:
            leg.journey.ring_ended(event.at, event.dest_id, event.status, event.forward)

    def _queue_joined(self, event: ev.QueueJoined) -> None:
        if event.channel_id in self._graph.channels:
            self._queues.join(event.queue, event.channel_id, event.position)
        journey = self._journey_of(event.channel_id)
        if journey is None:
            return
        self._seek(journey)
        journey.queue, journey.queue_position = event.queue, event.position
        journey.queue_joined, journey.in_queue = event.at, True
        journey.queue_leg = event.channel_id
        journey.note(event.at, StepKind.QUEUE_JOINED, event.queue, str(event.position))

    def _queue_left(self, event: ev.QueueLeft) -> None:
        self._queues.leave(event.channel_id)
        journey = self._journey_of(event.channel_id)
        if journey is not None and journey.in_queue:
            journey.queue_left(event.at)
            journey.note(event.at, StepKind.QUEUE_LEFT, event.queue)

    def _queue_abandoned(self, event: ev.QueueAbandoned) -> None:
        journey = self._journey_of(event.channel_id)
        if journey is not None:
            journey.note(event.at, StepKind.QUEUE_ABANDONED, event.queue, str(event.position))

    def _message_recorded(self, event: ev.MessageRecorded) -> None:
        journey = self._journey_of(event.channel_id)
        if journey is not None:
            self._message(journey, event, event.mailbox)

    def _message(
        self, journey: Journey, event: ev.MessageRecorded | ev.VariableSet, mailbox: str
    ) -> None:
        journey.voicemail = True
        journey.mailbox = mailbox or journey.mailbox
        if not journey.message_left:
            journey.message_left = True
            channel = self._graph.channels.get(event.channel_id)
            # By that name the PBX knows whose recording it is.
            name = channel.name if channel is not None else ""
            journey.note(event.at, StepKind.MESSAGE_LEFT, journey.mailbox, name)

    def _parked(self, event: ev.Parked) -> None:
        journey = self._journey_of(event.channel_id)
        if journey is not None:
            journey.parked = True
            self._seek(journey)
            journey.note(event.at, StepKind.PARKED, event.space)

    def _hold_changed(self, event: ev.HoldChanged) -> None:
        holder = self._graph.channels.get(event.channel_id)
        if holder is None:
            return
        endpoint = endpoint_of(holder.name)
        if event.holds:
            for leg in self._graph.connected(holder):
                journey = self._root_journey(leg.channel_id)
                if journey is not None and leg is not holder:
                    journey.hold(event.at, holder.channel_id, endpoint)
            return
        # Whoever comes back may be elsewhere at this moment, asking a colleague.
        for journey in self._journeys.values():
            if journey.hold_leg == holder.channel_id:
                journey.resume(event.at, endpoint)

    def _picked_up(self, event: ev.PickedUp) -> None:
        journey = self._journey_of(event.target_id)
        picker = self._graph.channels.get(event.channel_id)
        if journey is not None and picker is not None:
            journey.note(event.at, StepKind.PICKED_UP, endpoint_of(picker.name))

    # -- the one rule -----------------------------------------------------------------------

    def _bridge_entered(self, event: ev.BridgeEntered) -> None:
        channel = self._graph.channels.get(event.channel_id)
        if channel is None:
            # Its birth was before our time, or lost. It may still be the person who answers.
            channel = Channel(event.channel_id, event.name, event.state)
            self._graph.channels[event.channel_id] = channel
            self._pair_by_name(channel)
        channel.state = event.state
        self._graph.enter(
            channel, event.bridge_id, holding=event.holding, conference=event.conference
        )
        if event.conference and channel.journey is not None:
            channel.journey.conference = True
        self._look_around(channel, event.at)
        if self._restored_at is not None and event.at < self._restored_at:
            # Of those whom the caller met there, the snapshot only knows who stayed.
            journey = self._root_journey(event.channel_id)
            if journey is not None:
                journey.unseen = Reason.FEED_GAP

    def _bridge_left(self, event: ev.BridgeLeft) -> None:
        channel = self._graph.channels.get(event.channel_id)
        if channel is None or channel.bridge is None:
            return
        if channel.bridge.bridge_id != event.bridge_id:
            return
        self._graph.leave(channel)
        journey = channel.journey
        if (
            journey is not None
            and journey.answered_at is not None
            and journey.call_id == event.channel_id
        ):
            journey.note(event.at, StepKind.DISCONNECTED)

    def _look_around(self, channel: Channel, at: datetime) -> None:
        """Apply the rule to everybody whose media reaches `channel`."""
        reached = self._graph.connected(channel)
        people = [leg for leg in reached if leg.person]
        if not people or len(reached) < 2:  # noqa: PLR2004 - it takes two to talk
            return
        for leg in reached:
            other = people[0] if people[0] is not leg else people[-1]
            if other is leg:
                continue
            if leg.journey is not None and leg.journey.call_id == leg.channel_id:
                self._connected(leg.journey, other, at)
            elif leg.outbound is not None and leg.person:
                self._outbound_answered(leg.outbound, at)

    def _connected(self, journey: Journey, other: Channel, at: datetime) -> None:
        if journey.call_id not in self._journeys:
            return
        if journey.answered_at is not None and journey.seeking is None:
            return
        journey.seeking = None
        journey.connected_at = at
        journey.note(at, StepKind.CONNECTED, endpoint_of(other.name))
        if journey.answered_at is None:  # a latch: nothing that follows takes it back
            journey.answered_at = at
            journey.answered_by = endpoint_of(other.name)
            self._told.append(CallAnswered(journey.judged(None)))

    @staticmethod
    def _seek(journey: Journey) -> None:
        """After an answer, the caller is handed on: from now on nobody is there again."""
        if journey.answered_at is not None:
            journey.seeking = Reason.LOST_IN_TRANSFER

    def _transferred(self, event: ev.Transferred) -> None:
        for journey in self._handed_on(event):
            journey.note(
                event.at,
                StepKind.TRANSFERRED,
                event.target,
                "blind" if event.blind else "attended",
            )
            root = self._graph.channels.get(journey.call_id)
            with_them = self._graph.connected(root) if root is not None else []
            remaining = any(
                leg.person and leg is not root and leg.channel_id not in event.transferers
                for leg in with_them
            )
            if event.blind or not remaining:
                self._seek(journey)

    def _handed_on(self, event: ev.Transferred) -> list[Journey]:
        ids = {event.transferee_id}
        for bridge_id in event.bridges:
            bridge = self._graph.bridges.get(bridge_id)
            if bridge is not None and not event.blind:
                ids.update(member.channel_id for member in bridge.members)
        return [journey for i in sorted(ids) if (journey := self._root_journey(i)) is not None]

    # -- outbound calls ---------------------------------------------------------------------

    def _outbound_answered(self, outbound: Outbound, at: datetime) -> None:
        if outbound.told.answered_at is None:
            outbound.told = replace(outbound.told, answered_at=at)
            self._told.append(outbound.told)

    def _outbound_ended(self, channel: Channel, at: datetime) -> None:
        if channel.outbound is not None:
            self._told.append(replace(channel.outbound.told, ended=at))
            channel.outbound = None

    # -- beginning and end ------------------------------------------------------------------

    def _from_outside(self, name: str, context: str) -> bool:
        trunks = self._inbound.trunks
        return self._is_inbound(context) or (
            bool(trunks) and (endpoint_of(name) in trunks or name.rpartition("-")[0] in trunks)
        )

    def _root_journey(self, channel_id: str) -> Journey | None:
        return self._journeys.get(channel_id)

    def _journey_of(self, channel_id: str) -> Journey | None:
        """Find the live call that a leg serves."""
        channel = self._graph.channels.get(channel_id)
        if channel is None or channel.journey is None:
            return None
        return channel.journey if channel.journey.call_id in self._journeys else None

    def _begin(self, journey: Journey) -> None:
        if journey.call_id in self._journeys or journey.steps:
            return
        self._journeys[journey.call_id] = journey
        self._seen_trunks.add(journey.trunk)
        journey.note(journey.began, StepKind.ARRIVED, journey.trunk, journey.line)
        self._told.append(CallBegan(journey.judged(None)))

    def _finish(self, journey: Journey, at: datetime) -> None:
        if self._journeys.pop(journey.call_id, None) is None:
            return  # given up before; a voicemail leg of it outlived even that
        # Programs that the dialplan runs at the end (FreePBX: a CRM, the module for missed calls)
        # hold up the Hangup event. Without this a caller who left at once seems to have waited.
        at = journey.gone_at or at
        ended = journey.left_at or at
        journey.end(ended)
        journey.note(at, StepKind.ENDED, journey.hung_up_by.value)
        self._overdue.pop(journey.call_id, None)
        self._told.append(CallEnded(journey.judged(ended)))

    # -- gaps in the feed -------------------------------------------------------------------

    def _feed_lost(self, event: ev.FeedLost) -> None:
        self._lost = Feed(whole=False, since=event.at, problem=event.reason)
        for journey in self._journeys.values():
            journey.note(event.at, StepKind.FEED_LOST, detail=event.reason)

    def _feed_restored(self, event: ev.FeedRestored) -> None:
        restarted = bool(self._boot and event.boot and event.boot != self._boot)
        if restarted:
            self._forget_all(event.at)
        self._boot = event.boot or self._boot
        self._lost = None
        if event.channels is None:
            for journey in self._journeys.values():
                journey.unseen = Reason.FEED_GAP
            return
        self._restored_at = event.at
        for journey in [j for j in self._journeys.values() if j.gone_at is not None]:
            self._finish(journey, event.at)
        alive = {live.channel_id for live in event.channels}
        for channel in list(self._graph.channels.values()):
            if channel.channel_id not in alive:
                self._vanished(channel, event.at, Reason.FEED_GAP)
        self._adopt_all(event.channels, event.at)
        self._pair_all_by_name()
        for channel in self._graph.channels.values():
            if channel.bridge is not None:
                self._look_around(channel, event.at)

    def _adopt_all(self, channels: Sequence[ev.LiveChannel], at: datetime) -> None:
        unknown = [live for live in channels if live.channel_id not in self._graph.channels]
        for live in channels:
            self._adopt(live, at)
        for live in unknown:  # by now it is known which of them serve a caller
            self._adopt_outbound(live, at)

    def _adopt(self, live: ev.LiveChannel, at: datetime) -> None:
        """Take a channel as a snapshot shows it."""
        channel = self._graph.channels.get(live.channel_id)
        if channel is None:
            channel = Channel(live.channel_id, live.name, live.state)
            channel.root = live.channel_id == live.linkedid and not channel.local
            channel.linkedid = live.linkedid
            channel.external = not _to_staff(live) and (
                self._from_outside(live.name, live.context)
                or endpoint_of(live.name) in self._seen_trunks
            )
            self._graph.channels[live.channel_id] = channel
            if (
                channel.root
                and channel.external
                and live.state in (*_BORN_INBOUND, ChannelState.UP)
            ):
                channel.journey = Journey(
                    call_id=live.channel_id,
                    began=at - live.age,
                    number=live.number,
                    caller_name=live.caller_name,
                    line="" if live.exten in _NO_EXTEN else live.exten,
                    trunk=endpoint_of(live.name),
                )
                self._begin(channel.journey)
        channel.state = live.state
        self._graph.leave(channel)
        if live.bridge_id:
            self._graph.enter(
                channel, live.bridge_id, holding=live.holding, conference=live.conference
            )
        journey = self._root_journey(live.channel_id)
        if journey is None:
            return
        journey.note(at, StepKind.FEED_RESTORED)
        # Nobody can have spoken to a caller whose channel never came Up; of one that is Up
        # we cannot tell who answered it while we looked away.
        if live.state == ChannelState.UP:
            journey.up = True
            journey.unseen = Reason.FEED_GAP

    def _adopt_outbound(self, live: ev.LiveChannel, at: datetime) -> None:
        """Take a trunk leg that no caller asked for as somebody's call from here.

        On such a leg the PBX has the number that was dialled as caller ID.
        """
        channel = self._graph.channels[live.channel_id]
        if channel.root or not channel.external or live.linkedid in self._journeys:
            return
        dialled = number.dialled_digits(live.number)
        if not _to_outside(live.linkedid, dialled):
            return
        told = OutboundCall(call_id=live.channel_id, dialled=dialled, began=at)
        channel.outbound = Outbound(told)
        self._told.append(told)

    def _vanished(self, channel: Channel, at: datetime, reason: Reason) -> None:
        journey = self._root_journey(channel.channel_id)
        if journey is not None:
            journey.unseen = reason
            self._finish(journey, at)
        elif channel.journey is not None:
            channel.journey.ring_ended(at, channel.channel_id, "UNSEEN")
        self._outbound_ended(channel, at)
        self._remove(channel)

    def _remove(self, channel: Channel) -> None:
        self._graph.remove(channel)
        self._queues.leave(channel.channel_id)

    def _forget_all(self, at: datetime) -> None:
        for channel in list(self._graph.channels.values()):
            self._vanished(channel, at, Reason.PBX_RESTARTED)
        for journey in list(self._journeys.values()):
            journey.unseen = Reason.PBX_RESTARTED
            self._finish(journey, at)
        self._graph, self._queues = Graph(), Queues()

    def _audited(self, event: ev.Audited) -> None:
        alive = {live.channel_id for live in event.channels}
        for channel_id in alive & self._journeys.keys():
            self._journeys[channel_id].heard = event.at
        for channel in list(self._graph.channels.values()):
            channel.absences = 0 if channel.channel_id in alive else channel.absences + 1
            if channel.absences >= _ABSENCES_TO_BE_GONE:
                self._vanished(channel, event.at, Reason.NEVER_ENDED)
