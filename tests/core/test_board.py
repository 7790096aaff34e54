"""What people see of a call in progress, stage by stage."""

from datetime import timedelta

from pbx_bridge.core import events as ev
from pbx_bridge.core.board import HEARD_WITHIN, Board, Feed, LiveCall, LiveOn, Stage
from pbx_bridge.core.call import StepKind

from .scene import START, Scene


def now_at(s: Scene) -> LiveCall:
    (call,) = s.tracker.board()
    return call


def test_a_call_that_rings_is_answered_held_and_ends() -> None:
    s = Scene().arrives()
    assert (now_at(s).stage, now_at(s).since) == (Stage.ARRIVED, START)
    s.wait(2).rings("p").rings("q")
    call = now_at(s)
    assert (call.stage, call.who, call.since) == (Stage.RINGING, ("p", "q"), s.now)
    assert (call.caller.number, call.caller.name, call.line) == (
        "+12125550142", "Ann", "+12125550100",
    )  # fmt: skip
    s.wait(5).dial_ends("q", "CANCEL").gone("q").dial_ends("p", "ANSWER").up("p", "c")
    s.enters("b", "p", "c")
    call = now_at(s)
    assert (call.stage, call.who, call.since) == (Stage.TALKING, ("p",), s.now)
    s.wait(9).holds("p")
    call = now_at(s)
    assert (call.stage, call.who, call.since) == (Stage.HOLD, ("p",), s.now)
    s.wait(3).resumes("p")
    assert now_at(s).stage is Stage.TALKING
    s.wait(3).caller_hangs_up()
    assert now_at(s).stage is Stage.ENDING
    s.gone("p", "c")
    assert s.tracker.board() == ()
    assert [step.kind for step in s.ended[0].steps if step.who == "p"][-2:] == [
        StepKind.HELD,
        StepKind.RESUMED,
    ]


def test_through_a_ring_group_only_the_phones_are_named() -> None:
    s = Scene().arrives().local("l1", "l2").rings("l1").rings("p", by="l2")
    assert now_at(s).who == ("p",)


def test_callers_in_a_queue_have_their_places_and_who_rings_for_them() -> None:
    s = Scene()
    for place, caller in enumerate(("c", "d"), start=1):
        s.arrives(caller).up(caller)
        s.feed(ev.QueueJoined(s.now, caller, "sales", place))
        s.wait(4)
    s.rings("p", by="c")
    first, second = s.tracker.board()
    assert (first.stage, first.queue, first.place, first.who) == (Stage.QUEUE, "sales", 1, ("p",))
    assert first.since == START
    assert (second.place, second.who) == (2, ())
    s.feed(ev.QueueLeft(s.now, "c", "sales"))
    first, second = s.tracker.board()
    assert (first.stage, first.queue) == (Stage.RINGING, "")
    assert second.place == 1


def test_from_a_menu_to_voicemail() -> None:
    s = Scene().arrives().up("c")
    assert now_at(s).stage is Stage.MENU
    s.wait(5).runs("VoiceMail", "101@default,u")
    call = now_at(s)
    assert (call.stage, call.mailbox, call.since) == (Stage.VOICEMAIL, "101@default", s.now)


def test_who_is_handed_on_waits_on_hold_until_the_next_one_speaks() -> None:
    s = Scene().arrives().rings("p").up("p", "c").enters("b", "p", "c").wait(5).holds("p")
    s.leaves("b", "p").enters("b2", "p")  # asks a colleague
    assert (now_at(s).stage, now_at(s).who) == (Stage.HOLD, ("p",))
    s.leg("q").up("q").enters("b", "q")
    assert (now_at(s).stage, now_at(s).who) == (Stage.TALKING, ("q",))


def test_who_comes_back_to_the_caller_speaks_again() -> None:
    s = Scene().arrives().rings("p").up("p", "c").enters("b", "p", "c").holds("p")
    s.leaves("b", "p").resumes("p").enters("b", "p")
    assert (now_at(s).stage, now_at(s).who) == (Stage.TALKING, ("p",))


def test_a_held_leg_that_vanishes_holds_nobody() -> None:
    s = Scene().arrives().rings("p").up("p", "c").enters("b", "p", "c").holds("p").gone("p")
    assert now_at(s).stage is not Stage.HOLD
    s.holds("nobody").resumes("nobody")  # a leg that was never heard of


def test_parked_and_alone_in_a_conference() -> None:
    s = Scene().arrives().up("c")
    s.feed(ev.Parked(s.now, "c", "701"))
    s.enters("lot", "c", holding=True)
    assert now_at(s).stage is Stage.PARKED
    s = Scene().arrives().up("c").enters("conf", "c", conference=True)
    assert now_at(s).stage is Stage.CONFERENCE


def test_a_fax_is_taken_by_its_application() -> None:
    s = Scene().arrives().up("c").runs("ReceiveFAX")
    assert now_at(s).stage is Stage.APPLICATION


def test_a_number_that_was_dialled_outside_is_named_by_its_digits() -> None:
    s = Scene().arrives().up("c")
    s.leg("t", name="PJSIP/trunk-t", linkedid="x", context="from-trunk")
    s.feed(ev.DialBegun(s.now, "", "t", "PJSIP/trunk-t", "12125550777@trunk"))
    s.up("t").enters("b", "t", "c")
    assert now_at(s).who == ("12125550777",)


def test_a_call_of_which_nothing_is_heard_is_doubtful_until_the_audit_has_seen_it() -> None:
    s = Scene().arrives().rings("p").up("p", "c").enters("b", "p", "c")
    assert now_at(s).heard == s.now
    s.wait(HEARD_WITHIN.total_seconds() + 1)
    assert now_at(s).doubtful(s.now)
    s.feed(ev.Audited(s.now, (s.live("c", bridge="b"), s.live("p", bridge="b"))))
    assert now_at(s).heard == s.now
    assert not now_at(s).doubtful(s.now)


def test_a_lost_feed_is_told_and_is_no_sign_of_life() -> None:
    s = Scene()
    assert s.tracker.feed == Feed(whole=False)  # nothing was seen yet
    s.feed(ev.FeedRestored(s.now, "boot", ()))
    assert s.tracker.feed == Feed(whole=True)
    s.arrives().rings("p").wait(60)
    s.feed(ev.FeedLost(s.now, "silent"))
    assert s.tracker.feed == Feed(whole=False, since=s.now, problem="silent")
    assert now_at(s).heard == START
    s.feed(ev.FeedRestored(s.now, "boot", (s.live("c", state=6),)))
    assert s.tracker.feed.whole
    assert not now_at(s).seen_whole


def test_a_new_run_of_the_pbx_begins_with_empty_queues() -> None:
    s = Scene()
    s.feed(ev.FeedRestored(s.now, "one", ()))
    s.arrives().feed(ev.QueueJoined(s.now, "c", "sales", 1))
    s.feed(ev.FeedRestored(s.now, "two", ()))
    assert (s.tracker.board(), s.tracker.held) == ((), 0)


def test_two_boards_are_the_same_if_only_time_has_passed() -> None:
    s = Scene().arrives()
    one = Board(calls=(LiveOn("office", now_at(s)),), feeds=(Feed(whole=True),), as_of=s.now)
    s.wait(60).feed(ev.Audited(s.now, (s.live("c"),)))
    other = Board(calls=(LiveOn("office", now_at(s)),), feeds=(Feed(whole=True),), as_of=s.now)
    assert one == other
    assert (one.behind(START + timedelta(seconds=6)), other.behind(s.now)) == (True, False)
    assert other.lost == ()
