"""The catalogue of flows, told event by event: each ends in one verdict, and leaves nothing."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from pbx_bridge.core import call_back, jump, number
from pbx_bridge.core import events as ev
from pbx_bridge.core.call import (
    Call,
    CallAnswered,
    CallBegan,
    CallEnded,
    HungUpBy,
    Observation,
    OutboundCall,
    StepKind,
    VoicemailReached,
)
from pbx_bridge.core.events import ChannelState
from pbx_bridge.core.journey import MAX_AGE
from pbx_bridge.core.tracker import (
    HANGUP_PATIENCE,
    VOICEMAIL_PATIENCE,
    CallTracker,
    Inbound,
)

from .scene import START, Scene


def rang_out(s: Scene) -> None:
    s.arrives().rings("p").wait(20).dial_ends("p").gone("p").pbx_hangs_up().gone("c")


def cancelled(s: Scene) -> None:
    s.arrives().rings("p").wait(8).caller_hangs_up().dial_ends("p", "CANCEL").gone("p", "c")


def person_answers(s: Scene) -> None:
    s.arrives().rings("p").up("p").dial_ends("p", "ANSWER").up("c").enters("b", "p", "c")
    s.wait(30).leaves("b", "c", "p").gone("p", "c")


def busy(s: Scene) -> None:
    s.arrives().rings("p").dial_ends("p", "BUSY").gone("p").wait(5).caller_hangs_up().gone("c")


def unregistered(s: Scene) -> None:
    s.arrives().sets("DIALSTATUS", "CHANUNAVAIL").pbx_hangs_up().gone("c")


def congestion(s: Scene) -> None:
    s.arrives().rings("p").dial_ends("p", "CONGESTION").gone("p").pbx_hangs_up().gone("c")


def ring_group_nobody(s: Scene) -> None:
    s.arrives().rings("p").rings("q").wait(20).dial_ends("p").dial_ends("q").gone("p", "q")
    s.pbx_hangs_up().gone("c")


def ring_group_one(s: Scene) -> None:
    s.arrives().rings("p").rings("q").up("p").dial_ends("p", "ANSWER").dial_ends("q", "CANCEL")
    s.gone("q").up("c").enters("b", "p", "c").leaves("b", "p", "c").gone("p", "c")


def hunt_last_answers(s: Scene) -> None:
    s.arrives().rings("p").wait(10).dial_ends("p").gone("p").rings("q").up("q")
    s.dial_ends("q", "ANSWER").up("c").enters("b", "q", "c").gone("q", "c")


def through_local_pair(s: Scene) -> None:
    s.arrives().local("l1", "l2").rings("l1").rings("p", by="l2").up("p", "l2", "l1", "c")
    s.enters("b2", "p", "l2").enters("b1", "l1", "c").gone("p", "l2", "l1", "c")


def members_voicemail_answers(s: Scene) -> None:
    """The Local leg is Up and bridged with the caller, but behind it there is a machine."""
    s.arrives().local("l1", "l2").rings("l1").up("l2", "l1").runs("VoiceMail", "101@default", "l2")
    s.dial_ends("l1", "ANSWER").up("c").enters("b1", "l1", "c").wait(5).caller_hangs_up()
    s.gone("l2", "l1", "c")


def members_voicemail_takes_a_message(s: Scene) -> None:
    """The leg on which the message is stored outlives the caller."""
    s.arrives().local("l1", "l2").rings("l1").up("l2", "l1").runs("VoiceMail", "101@default", "l2")
    s.dial_ends("l1", "ANSWER").up("c").enters("b1", "l1", "c").wait(5).caller_hangs_up()
    s.leaves("b1", "c").gone("c").gone("l1")
    s.feed(ev.MessageRecorded(s.now, "l2", "101@default"))
    s.sets("VMSTATUS", "SUCCESS", "l2").gone("l2")


def press_1_refused(s: Scene) -> None:
    """The callee is Up and asked; the caller is never bridged."""
    s.arrives().rings("p").up("p").wait(5).dial_ends("p", "CONTINUE").gone("p").pbx_hangs_up()
    s.gone("c")


def unanswered_attended_transfer_target(s: Scene) -> None:
    """Local;1 is in a bridge with the caller and Ringing; nobody stands behind it."""
    s.arrives().local("l1", "l2").enters("b", "l1", "c", state=ChannelState.RINGING)
    s.rings("p", by="l2").wait(5).gone("p", "l1", "l2").pbx_hangs_up().gone("c")


def queue_answered(s: Scene) -> None:
    s.arrives().up("c")
    s.feed(ev.QueueJoined(s.now, "c", "support", 1))
    s.rings("p").up("p").dial_ends("p", "ANSWER")
    s.feed(ev.QueueLeft(s.now, "c", "support"))
    s.enters("b", "p", "c").gone("p", "c")


def queue_abandoned(s: Scene) -> None:
    s.arrives().up("c")
    s.feed(ev.QueueJoined(s.now, "c", "support", 3))
    s.rings("p").wait(30).dial_ends("p").dial_ends("p", "CANCEL").gone("p").caller_hangs_up()
    s.feed(ev.QueueAbandoned(s.now, "c", "support", 2))
    s.feed(ev.QueueLeft(s.now, "c", "support"))
    s.gone("c")


def queue_timeout(s: Scene) -> None:
    """QueueCallerAbandon comes on timeout too: only the caller's own hang-up is giving up."""
    s.arrives().up("c")
    s.feed(ev.QueueJoined(s.now, "c", "support", 1))
    s.wait(30)
    s.feed(ev.QueueAbandoned(s.now, "c", "support", 1))
    s.feed(ev.QueueLeft(s.now, "c", "support"))
    s.sets("QUEUESTATUS", "TIMEOUT").pbx_hangs_up().gone("c")


def queue_timeout_then_answered(s: Scene) -> None:
    s.arrives().up("c")
    s.feed(ev.QueueJoined(s.now, "c", "support", 1))
    s.wait(30)
    s.feed(ev.QueueAbandoned(s.now, "c", "support", 1))
    s.feed(ev.QueueLeft(s.now, "c", "support"))
    s.rings("p").up("p").dial_ends("p", "ANSWER").enters("b", "p", "c").gone("p", "c")


def joinempty(s: Scene) -> None:
    s.arrives().up("c").sets("QUEUESTATUS", "JOINEMPTY").pbx_hangs_up().gone("c")


def agent_answers_caller_gone_in_announcement(s: Scene) -> None:
    s.arrives().up("c")
    s.feed(ev.QueueJoined(s.now, "c", "support", 1))
    s.rings("p").up("p").dial_ends("p", "ANSWER").caller_hangs_up().gone("p", "c")


def voicemail_message(s: Scene) -> None:
    s.arrives().rings("p").wait(20).dial_ends("p").gone("p").runs("VoiceMail", "101@default,u")
    s.up("c").wait(12)
    s.feed(ev.MessageRecorded(s.now, "c", "101@default"))
    s.sets("VMSTATUS", "SUCCESS").caller_hangs_up().gone("c")


def voicemail_hangup(s: Scene) -> None:
    s.arrives().runs("VoiceMail", "101@default,u").up("c").wait(3).caller_hangs_up()
    s.sets("VMSTATUS", "FAILED").gone("c")


def voicemail_then_operator(s: Scene) -> None:
    s.arrives().runs("VoiceMail", "101").up("c").wait(3).sets("VMSTATUS", "USEREXIT")
    s.rings("p").up("p").dial_ends("p", "ANSWER").enters("b", "p", "c").gone("p", "c")


def ivr_abandoned(s: Scene) -> None:
    s.arrives().up("c").wait(6).caller_hangs_up().gone("c")


def announcement(s: Scene) -> None:
    s.arrives().up("c").wait(6).pbx_hangs_up().gone("c")


def rejected(s: Scene) -> None:
    s.arrives().pbx_hangs_up().gone("c")


def blocked_by_the_pbx(s: Scene) -> None:
    s.arrives().up("c").wait(3).pbx_hangs_up().gone("c", context="app-blacklist-check")


def forwarded_302_answered(s: Scene) -> None:
    s.arrives().rings("p").dial_ends("p", "CANCEL", forward="104").gone("p")
    s.local("l1", "l2").rings("l1").rings("q", by="l2").up("q", "l2", "l1", "c")
    s.enters("b2", "q", "l2").enters("b1", "l1", "c").gone("q", "l2", "l1", "c")


def blind_transfer_unanswered(s: Scene) -> None:
    s.arrives().rings("p").up("p").dial_ends("p", "ANSWER").up("c").enters("b", "p", "c").wait(10)
    s.transferred("p", blind=True)
    s.leaves("b", "p", "c").gone("p").rings("q").wait(20).dial_ends("q").gone("q")
    s.pbx_hangs_up().gone("c")


def blind_transfer_answered(s: Scene) -> None:
    s.arrives().rings("p").up("p").dial_ends("p", "ANSWER").up("c").enters("b", "p", "c").wait(10)
    s.transferred("p", blind=True)
    s.leaves("b", "p", "c").gone("p").rings("q").up("q").dial_ends("q", "ANSWER")
    s.enters("b2", "q", "c").gone("q", "c")


def attended_transfer(s: Scene) -> None:
    s.arrives().rings("p").up("p").dial_ends("p", "ANSWER").up("c").enters("b", "p", "c").wait(10)
    s.leg("p2", linkedid="p2", state=ChannelState.RING).rings("q", by="p2", linkedid="p2")
    s.up("q", "p2").enters("b2", "q", "p2").leaves("b", "c").enters("b2", "c")
    s.transferred("p", "p2", bridges=("b", "b2"), to="PJSIP/q-q", blind=False)
    s.gone("p", "p2").wait(20).gone("q", "c")


def blonde_transfer_never_answered(s: Scene) -> None:
    s.arrives().rings("p").up("p").dial_ends("p", "ANSWER").up("c").enters("b", "p", "c").wait(10)
    s.leg("p2", linkedid="p2", state=ChannelState.RING).local("l1", "l2")
    s.leaves("b", "p").enters("b", "l1", state=ChannelState.RINGING)
    s.transferred("p", "p2", bridges=("b", ""), to="", blind=False)
    s.gone("p", "p2").rings("q", by="l2").wait(20).dial_ends("q").gone("q", "l1", "l2")
    s.pbx_hangs_up().gone("c")


def picked_up(s: Scene) -> None:
    s.arrives().rings("p").leg("k", linkedid="k", state=ChannelState.RING).wait(5)
    s.feed(ev.PickedUp(s.now, "k", "p"))
    s.up("k").dial_ends("k", "ANSWER").up("c").enters("b", "k", "c").gone("p").gone("k", "c")


def parked_and_retrieved(s: Scene) -> None:
    s.arrives().up("c")
    s.feed(ev.Parked(s.now, "c", "701"))
    s.enters("park", "c", holding=True).wait(20).leaves("park", "c")
    s.leg("q", linkedid="q", state=ChannelState.UP).enters("b", "q", "c").gone("q", "c")


def parked_by_dialplan(s: Scene) -> None:
    s.arrives().up("c")
    s.feed(ev.Parked(s.now, "c", "701"))
    s.enters("park", "c", holding=True).wait(60).leaves("park", "c").pbx_hangs_up().gone("c")


def parked_with_another(s: Scene) -> None:
    """Two in a holding bridge do not hear each other."""
    s.leg("z", linkedid="z", state=ChannelState.UP).enters("park", "z", holding=True)
    parked_by_dialplan(s)
    s.gone("z")


def conference_alone(s: Scene) -> None:
    s.arrives().up("c").enters("conf", "c", conference=True)
    s.leg("ann", name="CBAnn/conf-0001;2", linkedid="c", state=ChannelState.UP)
    s.enters("conf", "ann", conference=True).wait(30).caller_hangs_up().gone("ann", "c")


def conference_joined(s: Scene) -> None:
    s.arrives().up("c").enters("conf", "c", conference=True)
    s.leg("q", linkedid="q", state=ChannelState.UP).enters("conf", "q", conference=True)
    s.gone("q").caller_hangs_up().gone("c")


def fax(s: Scene) -> None:
    s.arrives().up("c").runs("ReceiveFAX", "/tmp/x.tif").wait(30).caller_hangs_up().gone("c")


def callthrough(s: Scene) -> None:
    s.arrives().up("c").runs("DISA", "4711,from-office").wait(30).caller_hangs_up().gone("c")


def never_bridged_though_everything_is_up(s: Scene) -> None:
    s.arrives().rings("p").up("p", "c").dial_ends("p", "ANSWER").wait(1).caller_hangs_up()
    s.gone("p", "c")


CATALOGUE: list[tuple[Callable[[Scene], None], str, str]] = [
    (rang_out, "missed", "rang_no_answer"),
    (cancelled, "missed", "rang_cancelled"),
    (person_answers, "answered", "answered"),
    (busy, "missed", "busy"),
    (unregistered, "missed", "unavailable"),
    (congestion, "missed", "unavailable"),
    (ring_group_nobody, "missed", "rang_no_answer"),
    (ring_group_one, "answered", "answered"),
    (hunt_last_answers, "answered", "answered"),
    (through_local_pair, "answered", "answered"),
    (members_voicemail_answers, "missed", "voicemail_hangup"),
    (members_voicemail_takes_a_message, "missed", "voicemail_message"),
    (press_1_refused, "missed", "rang_no_answer"),
    (unanswered_attended_transfer_target, "missed", "rejected"),
    (queue_answered, "answered", "answered"),
    (queue_abandoned, "missed", "queue_abandoned"),
    (queue_timeout, "missed", "queue_unserved"),
    (queue_timeout_then_answered, "answered", "answered"),
    (joinempty, "missed", "queue_unserved"),
    (agent_answers_caller_gone_in_announcement, "missed", "queue_abandoned"),
    (voicemail_message, "missed", "voicemail_message"),
    (voicemail_hangup, "missed", "voicemail_hangup"),
    (voicemail_then_operator, "answered", "answered"),
    (ivr_abandoned, "missed", "ivr_abandoned"),
    (announcement, "missed", "announcement_only"),
    (rejected, "missed", "rejected"),
    (blocked_by_the_pbx, "missed", "rejected"),
    (forwarded_302_answered, "answered", "answered"),
    (blind_transfer_unanswered, "answered", "lost_in_transfer"),
    (blind_transfer_answered, "answered", "answered"),
    (attended_transfer, "answered", "answered"),
    (blonde_transfer_never_answered, "answered", "lost_in_transfer"),
    (picked_up, "answered", "answered"),
    (parked_and_retrieved, "answered", "answered"),
    (parked_by_dialplan, "missed", "parked"),
    (parked_with_another, "missed", "parked"),
    (conference_alone, "missed", "conference_alone"),
    (conference_joined, "answered", "answered"),
    (fax, "answered", "handled_by_application"),
    (callthrough, "answered", "handled_by_application"),
    (never_bridged_though_everything_is_up, "missed", "rang_no_answer"),
]


@pytest.mark.parametrize(
    ("flow", "disposition", "reason"), CATALOGUE, ids=[flow.__name__ for flow, _, _ in CATALOGUE]
)
def test_flow(flow: Callable[[Scene], None], disposition: str, reason: str) -> None:
    scene = Scene()
    flow(scene)
    assert scene.verdict == (disposition, reason)
    assert scene.tracker.held == 0, "a call that is over leaves nothing behind"


@pytest.mark.parametrize(
    ("flow", "channel"),
    [(voicemail_message, "PJSIP/trunk-c"), (members_voicemail_takes_a_message, "Local/x@y-l1l2;2")],
)
def test_a_message_has_the_name_of_the_channel_that_left_it(
    flow: Callable[[Scene], None], channel: str
) -> None:
    """By that name the PBX's own file about the message says whose it is."""
    scene = Scene()
    flow(scene)
    (call,) = scene.ended
    (left,) = [step for step in call.steps if step.kind is StepKind.MESSAGE_LEFT]
    assert (left.who, left.detail) == ("101@default", channel)


@pytest.mark.parametrize(
    ("application", "variable", "success", "failures"),
    [
        ("AGI", "AGISTATUS", "SUCCESS", ["FAILURE", "NOTFOUND"]),
        ("Stasis", "STASISSTATUS", "SUCCESS", ["FAILED"]),
    ],
)
def test_an_application_that_is_away_is_no_answer(
    application: str, variable: str, success: str, failures: list[str]
) -> None:
    inbound = Inbound(answered_applications=frozenset({application}))
    for status in ["", success]:
        scene = Scene(inbound)
        scene.arrives().up("c").runs(application).sets(variable, status).pbx_hangs_up().gone("c")
        assert scene.verdict == ("answered", "handled_by_application")
    for status in failures:
        scene = Scene(inbound)
        scene.arrives().up("c").runs(application).sets(variable, status).pbx_hangs_up().gone("c")
        assert scene.verdict == ("missed", "announcement_only")
    other = Scene()  # in which it does not count
    other.arrives().up("c").runs(application).sets(variable, success).pbx_hangs_up().gone("c")
    assert other.verdict == ("missed", "announcement_only")


def test_an_application_that_is_away_takes_back_no_other_answer() -> None:
    scene = Scene(Inbound(answered_applications=frozenset({"AGI"})))
    scene.arrives().up("c").runs("AGI", "bot").sets("AGISTATUS", "SUCCESS")
    scene.runs("AGI", "diary").sets("AGISTATUS", "FAILURE").pbx_hangs_up().gone("c")
    assert scene.verdict == ("answered", "handled_by_application")


class Recording(Scene):
    """Keeps the events that it feeds."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[ev.CallEvent] = []

    def feed(self, event: ev.CallEvent) -> None:
        self.events.append(event)
        super().feed(event)


def cuts() -> list[tuple[Callable[[Scene], None], int]]:
    """Name every place at which the feed of every flow can be cut."""
    places = []
    for flow, _, _ in CATALOGUE:
        whole = Recording()
        flow(whole)
        places += [(flow, n) for n in range(len(whole.events))]
    return places


@pytest.mark.parametrize("by", [timedelta(hours=1), -timedelta(days=1)])
@pytest.mark.parametrize(("flow", "cut"), cuts(), ids=lambda x: getattr(x, "__name__", x))
def test_a_clock_that_is_set_in_the_middle_of_a_call_changes_nothing_but_its_times(
    flow: Callable[[Scene], None], cut: int, by: timedelta
) -> None:
    whole, after = Recording(), Scene()
    flow(whole)
    for event in whole.events[:cut]:
        after.feed(event)
    told = after.told
    after.told = []
    after.tracker.clock_set(by)
    deadline = after.tracker.next_deadline()
    assert deadline is None or deadline > whole.events[max(0, cut - 1)].at + by
    for event in whole.events[cut:]:
        after.feed(jump.moved(event, by))
    assert after.tracker.held == 0

    def ended(told: Iterable[Observation]) -> list[Call]:
        return [one.call for one in told if isinstance(one, CallEnded)]

    assert ended(after.told) == [
        replace(jump.moved(call, by), steps=tuple(jump.moved(step, by) for step in call.steps))
        for call in ended(whole.told)[len(ended(told)) :]
    ]


@pytest.mark.parametrize(("flow", "cut"), cuts(), ids=lambda x: getattr(x, "__name__", x))
def test_a_gap_never_turns_an_answered_call_into_a_missed_one(
    flow: Callable[[Scene], None], cut: int
) -> None:
    """Cut the feed at an event; the rest of the call, its end included, is not seen."""
    whole = Recording()
    flow(whole)
    scene = Scene()
    scene.feed(ev.FeedRestored(START, "boot 1", None))
    for event in whole.events[:cut]:
        scene.feed(event)
    seen = len(scene.ended)
    scene.feed(ev.FeedLost(whole.now, "cut"))
    scene.feed(ev.FeedRestored(whole.now + timedelta(seconds=20), "boot 1", ()))
    its_end_was_seen = any(
        isinstance(event, ev.ChannelHungUp) and event.channel_id == "c"
        for event in whole.events[:cut]
    )
    assert its_end_was_seen or all(call.disposition != "missed" for call in scene.ended[seen:])
    assert scene.tracker.held == 0


def test_the_call_tells_who_was_rung_and_for_how_long() -> None:
    scene = Scene()
    scene.arrives().rings("p").rings("q").wait(5).dial_ends("q", "BUSY").gone("q")
    scene.wait(10).dial_ends("p").gone("p").pbx_hangs_up().gone("c")
    (call,) = scene.ended
    assert [(r.endpoint, r.seconds, r.times, r.status) for r in call.rung] == [
        ("p", 15.0, 1, "NOANSWER"),
        ("q", 5.0, 1, "BUSY"),
    ]
    assert call.ring_seconds == 15.0
    assert call.line == "+12125550100"
    assert call.trunk == "trunk"
    assert call.hung_up_by is HungUpBy.PBX


def test_the_call_tells_queue_position_and_wait() -> None:
    scene = Scene()
    queue_abandoned(scene)
    (call,) = scene.ended
    assert call.queue is not None
    assert (call.queue.queue, call.queue.position, call.queue.wait_seconds) == ("support", 3, 30.0)


def test_voicemail_is_told_at_once_and_its_seconds_at_the_end() -> None:
    scene = Scene()
    scene.arrives().wait(1).runs("VoiceMail", "101@default,u")
    (reached,) = [told for told in scene.told if isinstance(told, VoicemailReached)]
    assert reached.call.ended is None
    scene.up("c").wait(12)
    scene.feed(ev.MessageRecorded(scene.now, "c", "101@default"))
    scene.caller_hangs_up().gone("c")
    (call,) = scene.ended
    assert (call.voicemail_seconds, call.mailbox) == (12.0, "101@default")


def test_beginning_and_answer_are_told_as_they_happen() -> None:
    scene = Scene()
    person_answers(scene)
    assert [type(told) for told in scene.told[:2]] == [CallBegan, CallAnswered]


def test_a_hangup_that_handlers_delay_does_not_delay_the_verdict() -> None:
    scene = Scene()
    scene.arrives().rings("p").wait(5).caller_hangs_up()
    assert scene.tracker.next_deadline() == scene.now + HANGUP_PATIENCE
    scene.told += scene.tracker.expire(scene.now + HANGUP_PATIENCE)
    assert scene.verdict == ("missed", "rang_cancelled")
    scene.wait(30).gone("p", "c")
    assert len(scene.ended) == 1
    assert scene.tracker.held == 0


@pytest.mark.parametrize("seconds", [6, 30])
def test_a_call_ends_when_the_caller_hangs_up_however_long_handlers_take(seconds: float) -> None:
    scene = Scene()
    scene.arrives().rings("p").wait(5).caller_hangs_up()
    left = scene.now
    scene.told += scene.tracker.expire(left + min(timedelta(seconds=seconds), HANGUP_PATIENCE))
    scene.dial_ends("p", "CANCEL").wait(seconds).gone("p", "c")
    (call,) = scene.ended
    assert call.ended == left


def test_a_program_that_a_hangup_handler_runs_takes_no_call() -> None:
    """FreePBX runs AGI programs on every channel that ends."""
    scene = Scene(Inbound(answered_applications=frozenset({"AGI"})))
    scene.arrives().rings("p").wait(5).dial_ends("p").gone("p")
    scene.pbx_hangs_up().runs("AGI", "missedcallnotify.php").gone("c")
    assert scene.verdict == ("missed", "rang_no_answer")


@pytest.mark.parametrize("context", ["app-blackhole", "macro-hangupcall"])
def test_terminate_call_is_no_refusal_of_a_caller_whom_nobody_answered(context: str) -> None:
    """FreePBX ends ring groups, queues and announcements in the same place."""
    scene = Scene()
    scene.arrives().rings("p").wait(15).dial_ends("p").gone("p")
    scene.pbx_hangs_up().gone("c", context=context)
    assert scene.verdict == ("missed", "rang_no_answer")
    scene = Scene()
    scene.arrives().sets("DIALSTATUS", "CHANUNAVAIL").pbx_hangs_up().gone("c", context=context)
    assert scene.verdict == ("missed", "unavailable")
    scene = Scene()
    scene.arrives().up("c", context="app-announcement-1", exten="s").wait(5)
    scene.pbx_hangs_up().gone("c", context=context)
    assert scene.verdict == ("missed", "announcement_only")


def test_a_route_that_terminates_the_call_refuses_the_caller() -> None:
    scene = Scene()
    scene.arrives().pbx_hangs_up().gone("c", context="app-blackhole")
    assert scene.verdict == ("missed", "rejected")
    scene = Scene()
    scene.arrives().up("c", context="app-blackhole", exten="ring").wait(9)
    scene.caller_hangs_up().gone("c", context="app-blackhole")
    assert scene.verdict == ("missed", "rejected")


@pytest.mark.parametrize("context", ["app-blacklist-check", "app-allowlist-check"])
def test_where_the_call_was_ended_counts_though_an_h_extension_leads_elsewhere(
    context: str,
) -> None:
    scene = Scene()
    scene.arrives(context="from-pstn").up("c", context=context, exten="s").wait(3)
    scene.pbx_hangs_up(context=context).gone("c", context="macro-hangupcall")
    assert scene.verdict == ("missed", "rejected")
    scene = Scene()
    scene.arrives(context="from-pstn").up("c", context=context, exten="s").wait(3)
    scene.caller_hangs_up(context=context).gone("c", context="macro-hangupcall")
    assert scene.verdict == ("missed", "rejected")


def test_whom_the_allowlist_does_not_know_and_terminates_is_rejected() -> None:
    """FreePBX answers there, and then goes to Terminate Call."""
    scene = Scene()
    scene.arrives(context="from-pstn").up("c", context="app-allowlist-check", exten="s").wait(1)
    scene.pbx_hangs_up(context="app-blackhole").gone("c", context="app-blackhole")
    assert scene.verdict == ("missed", "rejected")


def test_a_number_without_an_inbound_route_of_freepbx_is_rejected() -> None:
    """Its ext-did-catchall is included, so that the context does not show."""
    scene = Scene()
    scene.arrives(context="from-pstn").sets("__FROM_DID", "2125550100")
    scene.up("c", context="from-pstn", exten="s").wait(4)
    scene.pbx_hangs_up().gone("c", context="macro-hangupcall")
    assert scene.verdict == ("missed", "rejected")


def test_a_menu_where_calls_begin_is_no_missing_route() -> None:
    """A plain dialplan may answer at `s` of the very context; only FreePBX sets FROM_DID."""
    scene = Scene()
    scene.arrives(context="from-trunk").up("c", context="from-trunk", exten="s").wait(4)
    scene.pbx_hangs_up().gone("c")
    assert scene.verdict == ("missed", "announcement_only")


def test_the_next_deadline_is_the_earliest_though_it_came_later() -> None:
    scene = Scene()
    scene.arrives("slow").caller_hangs_up("slow")
    scene.arrives().local("l1", "l2").rings("l1").up("l2", "l1", "c")
    scene.runs("VoiceMail", "101", "l2").wait(1).caller_hangs_up().gone("c")
    assert scene.tracker.next_deadline() == scene.now + VOICEMAIL_PATIENCE


def test_a_call_that_never_ends_is_given_up() -> None:
    scene = Scene()
    scene.arrives()
    assert scene.tracker.next_deadline() == START + MAX_AGE
    scene.told += scene.tracker.expire(START + MAX_AGE)
    assert scene.verdict == ("unobserved", "never_ended")


@pytest.mark.parametrize(
    "not_inbound",
    [
        lambda s: s.arrives(context="from-internal"),
        lambda s: s.arrives(state=ChannelState.DOWN, exten="s"),  # an outgoing trunk leg
        lambda s: s.leg("l", name="Local/100@from-trunk-1;2", linkedid="l", context="from-trunk"),
        lambda s: s.leg("p", linkedid="c", context="from-trunk", state=ChannelState.RING),
    ],
    ids=["internal", "outgoing-leg", "local", "requested-by-another"],
)
def test_what_is_not_an_inbound_call(not_inbound: Callable[[Scene], Scene]) -> None:
    scene = Scene()
    not_inbound(scene)
    assert scene.told == []


def test_an_inbound_call_born_down_begins_when_it_rings() -> None:
    scene = Scene()
    scene.arrives(state=ChannelState.DOWN)
    scene.feed(ev.StateChanged(scene.now, "c", ChannelState.RING))
    scene.pbx_hangs_up().gone("c")
    assert scene.verdict == ("missed", "rejected")


def test_a_trunk_is_inbound_in_any_context() -> None:
    for named in ("trunk", "PJSIP/trunk"):
        scene = Scene(Inbound(trunks=frozenset({named})))
        scene.arrives(context="my-own")
        assert len(scene.told) == 1


def test_the_line_comes_from_from_did_where_the_extension_says_nothing() -> None:
    scene = Scene()
    scene.arrives(exten="s").sets("__FROM_DID", "+12125550100").pbx_hangs_up().gone("c")
    assert scene.ended[0].line == "+12125550100"


def test_the_carriers_number_stands_though_the_dialplan_rewrites_it() -> None:
    scene = Scene()
    scene.arrives(number="+12125550142")
    scene.feed(ev.CallerIdChanged(scene.now, "c", "2125550142", "Ann Lee", None))
    scene.pbx_hangs_up().gone("c")
    caller = scene.ended[0].caller
    assert (caller.number, caller.name) == ("+12125550142", "Ann Lee")


def test_a_number_that_comes_late_is_taken() -> None:
    scene = Scene()
    scene.arrives(number="")
    scene.feed(ev.CallerIdChanged(scene.now, "c", "2125550142", "", None))
    scene.pbx_hangs_up().gone("c")
    assert scene.ended[0].caller.number == "2125550142"


@pytest.mark.parametrize(
    "event",
    [
        ev.CallerIdChanged(START, "c", "2125550142", "", withheld=True),
        ev.PresentationKnown(START, "c", withheld=True),
        ev.VariableSet(START, "c", "__CALLINGNUMPRES_SV", "prohib_not_screened"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_withheld_number_stays_withheld(event: ev.CallEvent) -> None:
    scene = Scene()
    scene.arrives()
    scene.feed(event)
    scene.feed(ev.CallerIdChanged(scene.now, "c", "2125550142", "", withheld=False))
    scene.pbx_hangs_up().gone("c")
    assert scene.ended[0].caller.withheld


def test_a_call_back_from_a_desk_phone_is_told_as_it_goes() -> None:
    scene = Scene()
    scene.leg("p", linkedid="p", state=ChannelState.RING, exten="92125550142")
    scene.leg("t", name="PJSIP/trunk-t", linkedid="p", context="from-trunk")
    scene.feed(ev.DialBegun(scene.now, "p", "t", "PJSIP/trunk-t", "+12125550142@trunk"))
    scene.wait(5).up("t", "p").enters("b", "t", "p").wait(60).gone("t", "p")
    outbound = [told for told in scene.told if isinstance(told, OutboundCall)]
    assert [bool(o.answered_at) for o in outbound] == [False, True, True]
    assert outbound[-1].dialled == "12125550142"
    assert outbound[-1].ended == scene.now
    assert scene.ended == []


def test_an_unanswered_call_back_is_not_an_answer() -> None:
    scene = Scene()
    scene.leg("p", linkedid="p", state=ChannelState.RING)
    scene.leg("t", name="PJSIP/trunk-t", linkedid="p", context="from-trunk")
    scene.feed(ev.DialBegun(scene.now, "p", "t", "PJSIP/trunk-t", "+12125550142@trunk"))
    scene.wait(5).gone("t", "p")
    outbound = [told for told in scene.told if isinstance(told, OutboundCall)]
    assert [o.answered_at for o in outbound] == [None, None]


@pytest.mark.parametrize("after_a_gap", [False, True])
def test_a_call_that_we_place_to_staff_is_nobodys(*, after_a_gap: bool) -> None:
    """Neither a missed call nor a call back, even if the number is a customer's too."""
    ours = f"{ev.OWN_CHANNELS}f00d"
    scene = Scene()
    if after_a_gap:
        scene.names |= {ours: "Local/2125550142@from-internal-1;1", "t": "PJSIP/trunk-t"}
        scene.names[f"{ours}2"] = "PJSIP/trunk-u"
        legs = tuple(
            replace(scene.live(leg, linkedid=linkedid), context="from-trunk")
            for leg, linkedid in ((ours, ours), ("t", ours), (f"{ours}2", f"{ours}2"))
        )
        scene.feed(ev.FeedRestored(scene.now, "boot", legs))
    else:
        scene.leg(ours, name="Local/2125550142@from-internal-1;1", linkedid=ours)
        scene.leg("t", name="PJSIP/trunk-t", linkedid=ours, context="from-trunk")
        scene.feed(ev.DialBegun(scene.now, f"{ours};2", "t", "PJSIP/trunk-t", "+12125550142@trunk"))
        scene.leg(f"{ours}2", name="PJSIP/trunk-u", linkedid=f"{ours}2", context="from-trunk")
    scene.wait(5).up("t", f"{ours}2").wait(60).gone("t", f"{ours}2", ours)
    assert [told for told in scene.told if isinstance(told, OutboundCall)] == []
    assert scene.ended == []


@pytest.mark.parametrize("after_a_gap", [False, True])
def test_of_a_call_back_only_the_leg_to_the_customer_is_a_call(*, after_a_gap: bool) -> None:
    """Not that to the colleague, be it a mobile behind the same trunk."""
    customer = number.parse("+12125550142", "US")
    assert customer is not None
    ours = call_back.tag(customer, "f00d")
    scene = Scene()
    if after_a_gap:
        scene.names |= {ours: "PJSIP/trunk-o", "m": "PJSIP/trunk-m", "t": "PJSIP/trunk-t"}
        legs = tuple(
            replace(scene.live(leg, linkedid=ours), context="from-trunk", number=dialled)
            for leg, dialled in ((ours, "+12125550142"), ("m", "2125550199"), ("t", "12125550142"))
        )
        scene.feed(ev.FeedRestored(scene.now, "boot", legs))
    else:
        scene.leg(ours, name="PJSIP/trunk-o", linkedid=ours, context="from-trunk")
        scene.feed(ev.DialBegun(scene.now, "", ours, "PJSIP/trunk-o", "2125550142@trunk"))
        scene.up(ours)
        for leg, dialled in (("m", "2125550199"), ("t", "12125550142")):
            scene.leg(leg, name=f"PJSIP/trunk-{leg}", linkedid=ours, context="from-trunk")
            dial = f"{dialled}@trunk"
            scene.feed(ev.DialBegun(scene.now, ours, leg, f"PJSIP/trunk-{leg}", dial))
    scene.up("m", "t").enters("b", "m", ours, "t").wait(60).gone("m", "t", ours)
    outbound = [told for told in scene.told if isinstance(told, OutboundCall)]
    assert {one.call_id for one in outbound} == {"t"}
    assert outbound[-1].answered_at is not None
    assert outbound[-1].ended == scene.now
    assert scene.ended == []


class TestGaps:
    """AMI has no replay; what was not seen is not invented."""

    def lost(self, scene: Scene, seconds: float = 20) -> None:
        scene.feed(ev.FeedRestored(START, "boot 1", None))
        scene.told.clear()
        scene.feed(ev.FeedLost(scene.now, "cut"))
        scene.wait(seconds)

    def ringing(self) -> Scene:
        scene = Scene()
        scene.tracker.receive(ev.FeedRestored(START, "boot 1", ()))
        scene.arrives().rings("p").wait(3)
        scene.feed(ev.FeedLost(scene.now, "cut"))
        scene.wait(20)
        return scene

    def restored(self, scene: Scene, *live: ev.LiveChannel, boot: str = "boot 1") -> None:
        scene.feed(ev.FeedRestored(scene.now, boot, live))

    def test_ended_in_the_gap(self) -> None:
        scene = self.ringing()
        self.restored(scene)
        assert scene.verdict == ("unobserved", "feed_gap")

    def test_still_ringing_was_not_answered(self) -> None:
        scene = self.ringing()
        self.restored(
            scene,
            scene.live("c", state=ChannelState.RING),
            scene.live("p", state=ChannelState.RINGING),
        )
        scene.dial_ends("p").gone("p").pbx_hangs_up().gone("c")
        assert scene.verdict == ("missed", "rang_no_answer")

    def test_answered_in_the_gap_and_still_talking(self) -> None:
        scene = self.ringing()
        self.restored(scene, scene.live("c", bridge="b"), scene.live("p", bridge="b"))
        scene.gone("p", "c")
        assert scene.verdict == ("answered", "answered")

    def test_up_but_alone_may_have_been_answered(self) -> None:
        scene = self.ringing()
        self.restored(scene, scene.live("c"))
        scene.caller_hangs_up().gone("c")
        assert scene.verdict == ("unobserved", "feed_gap")

    def test_up_but_alone_and_answered_afterwards(self) -> None:
        scene = self.ringing()
        self.restored(scene, scene.live("c"))
        scene.rings("q").up("q").enters("b", "q", "c").gone("q", "c")
        assert scene.verdict == ("answered", "answered")

    def test_the_pbx_restarted(self) -> None:
        scene = self.ringing()
        self.restored(scene, boot="boot 2")
        assert scene.verdict == ("unobserved", "pbx_restarted")
        assert scene.tracker.held == 0

    def test_answered_before_a_restart_stays_answered(self) -> None:
        scene = Scene()
        scene.tracker.receive(ev.FeedRestored(START, "boot 1", ()))
        scene.arrives().rings("p").up("p", "c").enters("b", "p", "c")
        scene.feed(ev.FeedLost(scene.now, "cut"))
        self.restored(scene, boot="boot 2")
        assert scene.verdict == ("answered", "answered")

    def test_nothing_can_be_asked(self) -> None:
        scene = self.ringing()
        scene.feed(ev.FeedRestored(scene.now, "", None))
        scene.dial_ends("p").gone("p").pbx_hangs_up().gone("c")
        assert scene.verdict == ("unobserved", "feed_gap")

    def test_a_call_found_ringing_is_judged(self) -> None:
        scene = Scene()
        scene.names["c"] = "PJSIP/trunk-c"
        live = ev.LiveChannel(
            "c", "c", "PJSIP/trunk-c", ChannelState.RING, "from-trunk", "+12125550100",
            "+12125550142", "", "", holding=False, conference=False,
        )  # fmt: skip
        scene.feed(ev.FeedRestored(START, "boot 1", (live,)))
        scene.wait(20).pbx_hangs_up().gone("c")
        assert scene.verdict == ("missed", "rejected")

    def test_a_call_found_ringing_began_when_the_pbx_says(self) -> None:
        """Who rang before we looked has waited for as long, however soon they give up then."""
        scene = Scene()
        scene.names["c"] = "PJSIP/trunk-c"
        live = ev.LiveChannel(
            "c", "c", "PJSIP/trunk-c", ChannelState.RING, "from-trunk", "+12125550100",
            "+12125550142", "", "", holding=False, conference=False, age=timedelta(seconds=20),
        )  # fmt: skip
        scene.feed(ev.FeedRestored(START, "boot 1", (live,)))
        scene.wait(0.5).caller_hangs_up().gone("c")
        (call,) = scene.ended
        assert call.disposition.value == "missed"
        assert call.began == START - timedelta(seconds=20)

    def test_a_call_found_up_is_not_judged(self) -> None:
        scene = Scene()
        live = ev.LiveChannel(
            "c", "c", "PJSIP/trunk-c", ChannelState.UP, "from-trunk", "+12125550100",
            "+12125550142", "", "", holding=False, conference=False,
        )  # fmt: skip
        scene.feed(ev.FeedRestored(START, "boot 1", (live,)))
        scene.wait(20).pbx_hangs_up().gone("c")
        assert scene.verdict == ("unobserved", "feed_gap")

    def test_a_call_found_deep_in_the_dialplan_is_known_by_its_trunk(self) -> None:
        scene = Scene()
        scene.tracker = CallTracker(Inbound(), trunks=["trunk"])
        scene.names["c"] = "PJSIP/trunk-c"
        live = scene.live("c", state=ChannelState.RING)
        assert live.context == "macro-dial"
        scene.feed(ev.FeedRestored(START, "boot 1", (live,)))
        scene.wait(20).caller_hangs_up().gone("c")
        assert scene.verdict[0] == "missed"

    def test_a_birth_behind_the_snapshot_clears_the_doubt(self) -> None:
        """The snapshot shows the call Up; its Newchannel comes after it, so all of it is seen."""
        scene = Scene()
        live = ev.LiveChannel(
            "c", "c", "PJSIP/trunk-c", ChannelState.UP, "from-trunk", "h", "2125550142", "", "",
            holding=False, conference=False,
        )  # fmt: skip
        scene.feed(ev.FeedRestored(START, "boot 1", (live,)))
        scene.arrives().up("c").wait(20).pbx_hangs_up().gone("c")
        assert scene.verdict == ("missed", "announcement_only")
        assert scene.ended[0].line == "+12125550100"

    def test_a_call_from_here_that_is_found_live_is_known_again(self) -> None:
        """On the trunk leg the caller ID is the number that was dialled, its root is the desk's."""
        scene = self.calls_back(number="912125550142")
        found = self.outbound(scene)
        assert (found.call_id, found.dialled, found.began) == ("t", "912125550142", START)
        scene.wait(5).up("t", "desk").enters("b", "t", "desk").wait(30).gone("t", "desk")
        assert self.outbound(scene).answered_at == START + timedelta(seconds=5)
        assert self.outbound(scene).ended == scene.now
        assert scene.tracker.held == 0

    def test_one_that_is_found_answered_was_answered_by_then(self) -> None:
        scene = self.calls_back(state=ChannelState.UP, bridge="b")
        assert self.outbound(scene).answered_at == START

    def test_what_it_dials_may_be_told_behind_the_snapshot(self) -> None:
        scene = self.calls_back(number="")
        assert self.outbound(scene).dialled == ""
        scene.feed(ev.DialBegun(scene.now, "desk", "t", "PJSIP/trunk-t", "+12125550142@trunk"))
        assert self.outbound(scene).dialled == "12125550142"

    def test_a_trunk_leg_that_serves_a_caller_is_no_call_from_here(self) -> None:
        """A mobile that rings for the caller, whom the snapshot shows after it."""
        scene = Scene()
        scene.names |= {"c": "PJSIP/trunk-c", "m": "PJSIP/trunk-m"}
        mobile = replace(scene.live("m", state=ChannelState.RINGING), context="from-trunk")
        caller = replace(scene.live("c", state=ChannelState.RING), context="from-trunk")
        self.restored(scene, mobile, caller)
        assert [told for told in scene.told if isinstance(told, OutboundCall)] == []

    @staticmethod
    def calls_back(
        *, number: str = "2125550142", state: int = ChannelState.RINGING, bridge: str = ""
    ) -> Scene:
        """Find a call from a desk to the trunk live, at the start of the watch."""
        scene = Scene()
        scene.names |= {"desk": "PJSIP/101-desk", "t": "PJSIP/trunk-t"}
        desk = replace(
            scene.live("desk", state=state, bridge=bridge, linkedid="desk"), context="from-office"
        )
        out = replace(
            scene.live("t", state=state, bridge=bridge, linkedid="desk"),
            context="from-trunk",
            number=number,
        )
        scene.feed(ev.FeedRestored(START, "boot 1", (out, desk)))
        return scene

    @staticmethod
    def outbound(scene: Scene) -> OutboundCall:
        """Give the last that was told of it."""
        return [told for told in scene.told if isinstance(told, OutboundCall)][-1]

    def test_a_lost_hangup_is_found_by_two_audits(self) -> None:
        scene = Scene()
        scene.arrives()
        scene.feed(ev.Audited(scene.now, ()))
        assert scene.ended == []
        scene.feed(ev.Audited(scene.now, ()))
        assert scene.verdict == ("unobserved", "never_ended")
        assert scene.tracker.held == 0


def members_voicemail_is_slow(s: Scene) -> None:
    s.arrives().local("l1", "l2").rings("l1").up("l2", "l1").runs("VoiceMail", "101@default", "l2")
    s.enters("b1", "l1", "c").wait(5).caller_hangs_up().leaves("b1", "c").gone("c")


def test_voicemail_that_outlives_all_patience_ends_no_call_twice() -> None:
    s = Scene()
    members_voicemail_is_slow(s)
    assert s.ended == []
    s.wait(20)
    s.told += s.tracker.expire(s.now)
    assert s.verdict == ("missed", "voicemail_hangup")
    s.gone("l1", "l2")
    assert s.verdict == ("missed", "voicemail_hangup")
    assert s.tracker.held == 0


def test_voicemail_that_outlives_a_gap_ends_no_call_twice() -> None:
    s = Scene()
    members_voicemail_is_slow(s)
    s.feed(ev.FeedLost(s.now, "a test"))
    s.feed(ev.FeedRestored(s.now, "", (s.live("l1"), s.live("l2"))))
    s.gone("l1", "l2")
    assert s.verdict == ("missed", "voicemail_hangup")
    assert s.tracker.held == 0


def test_whom_a_caller_met_before_the_snapshot_and_lost_again_cannot_be_known() -> None:
    """The events of the time in which the PBX is asked come after its answer, which is newer."""
    s = Scene()
    s.names["c"] = "PJSIP/trunk-c"
    asked = s.now
    s.wait(1).feed(ev.FeedRestored(s.now, "", (s.live("c", bridge="conference"),)))
    s.now = asked
    s.arrives().up("c").enters("conference", "c", conference=True)
    s.wait(5).caller_hangs_up().leaves("conference", "c").gone("c")
    assert s.verdict == ("unobserved", "feed_gap")


def test_a_menu_that_answered_before_the_snapshot_met_nobody() -> None:
    s = Scene()
    s.names["c"] = "PJSIP/trunk-c"
    asked = s.now
    s.wait(1).feed(ev.FeedRestored(s.now, "", (s.live("c"),)))
    s.now = asked
    s.arrives().up("c").wait(5).caller_hangs_up().gone("c")
    assert s.verdict == ("missed", "ivr_abandoned")
