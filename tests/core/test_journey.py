"""What is kept of one call: bounded, in order, and each second counted once."""

from datetime import datetime, timedelta

import pytest

from pbx_bridge.core import journey as module
from pbx_bridge.core.call import HungUpBy, Reason, StepKind
from pbx_bridge.core.journey import Journey

from .scene import START


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.fixture
def journey() -> Journey:
    return Journey(
        call_id="c", began=START, number="+12125550142", caller_name="Ann", line="100", trunk="t"
    )


def test_phones_that_ring_together_ring_once(journey: Journey) -> None:
    journey.ring(at(0), "p", "101", local=False)
    journey.ring(at(5), "q", "102", local=False)
    journey.ring_ended(at(8), "p", "NOANSWER")
    journey.ring_ended(at(12), "q", "CANCEL")
    call = journey.judged(at(20))
    assert call.ring_seconds == 12
    assert [(rung.endpoint, rung.seconds, rung.status) for rung in call.rung] == [
        ("101", 8, "NOANSWER"),
        ("102", 7, "CANCEL"),
    ]


def test_pauses_between_phones_are_no_ringing(journey: Journey) -> None:
    journey.ring(at(0), "p", "101", local=False)
    journey.ring_ended(at(5), "p", "NOANSWER")
    journey.ring(at(60), "p2", "101", local=False)
    journey.ring_ended(at(65), "p2", "BUSY")
    call = journey.judged(at(70))
    assert call.ring_seconds == 10
    (rung,) = call.rung
    assert (rung.times, rung.seconds, rung.status) == (2, 10, "BUSY")


def test_a_local_channel_is_no_phone_that_rings(journey: Journey) -> None:
    journey.ring(at(0), "l", "Local/x", local=True)
    journey.ring_ended(at(5), "l", "NOANSWER")
    call = journey.judged(at(6))
    assert (call.rung, call.ring_seconds) == ((), 0)
    assert call.reason is Reason.RANG_NO_ANSWER


def test_a_second_end_of_a_leg_counts_for_nothing(journey: Journey) -> None:
    journey.ring(at(0), "p", "101", local=False)
    journey.ring_ended(at(5), "p", "NOANSWER")
    journey.ring_ended(at(9), "p", "BUSY")
    assert journey.judged(at(9)).rung[0].status == "NOANSWER"


def test_a_second_beginning_of_a_leg_counts_for_nothing(journey: Journey) -> None:
    journey.ring(at(0), "p", "101", local=False)
    journey.ring(at(5), "p", "101", local=False)
    journey.ring_ended(at(6), "p", "NOANSWER")
    assert journey.judged(at(6)).rung[0].times == 1


def test_the_end_of_a_call_ends_all_that_is_open(journey: Journey) -> None:
    journey.ring(at(0), "p", "101", local=False)
    journey.queue, journey.queue_joined, journey.in_queue = "support", at(0), True
    journey.voicemail_began = at(4)
    journey.end(at(10))
    call = journey.judged(at(10))
    assert call.queue is not None
    assert (call.ring_seconds, call.queue.wait_seconds, call.voicemail_seconds) == (10, 10, 6)
    assert call.rung[0].status == "CANCEL"


def test_waits_in_several_queues_add_up(journey: Journey) -> None:
    for start, end in ((0, 10), (20, 25)):
        journey.queue, journey.queue_joined, journey.in_queue = f"q{start}", at(start), True
        journey.queue_left(at(end))
    call = journey.judged(at(30))
    assert call.queue is not None
    assert (call.queue.queue, call.queue.wait_seconds) == ("q20", 15)


def test_only_the_first_to_hang_up_hung_up(journey: Journey) -> None:
    assert journey.hang_up_requested(at(0), HungUpBy.PBX)
    assert not journey.hang_up_requested(at(1), HungUpBy.CALLER)
    assert journey.judged(at(1)).hung_up_by is HungUpBy.PBX


def test_a_timeline_does_not_grow_for_ever_but_keeps_what_counts(journey: Journey) -> None:
    for n in range(1000):
        journey.ring(at(n), f"p{n}", "101", local=False)
        journey.ring_ended(at(n), f"p{n}", "NOANSWER")
    journey.note(at(1000), StepKind.CONNECTED, "101")
    journey.note(at(1001), StepKind.ENDED)
    steps = journey.judged(at(1001)).steps
    assert len(steps) == module._MAX_STEPS + 2
    assert [step.kind for step in steps[-2:]] == [StepKind.CONNECTED, StepKind.ENDED]
    assert journey.judged(at(1001)).rung[0].times == 1000


def test_phones_beyond_all_measure_are_counted_together(journey: Journey) -> None:
    for n in range(200):
        journey.ring(at(0), f"p{n}", f"phone-{n}", local=False)
        journey.ring_ended(at(1), f"p{n}", "NOANSWER")
    rung = journey.judged(at(2)).rung
    assert len(rung) == module._MAX_ENDPOINTS + 1
    assert (rung[-1].endpoint, rung[-1].times) == ("others", 200 - module._MAX_ENDPOINTS)
