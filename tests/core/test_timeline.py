"""A call's steps as lanes, and where they are drawn."""

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.call import Step, StepKind
from pbx_bridge.core.timeline import (
    LEFT,
    MOST_LANES,
    NARROWEST,
    RIGHT,
    TICK_ROOM,
    WIDTH,
    Phase,
    Story,
    drawing,
    story,
)

from .scene import START, Scene

END = WIDTH - RIGHT


def after(at: datetime) -> float:
    return (at - START).total_seconds()


def told(scene: Scene) -> Story:
    (call,) = scene.ended
    return story(call.steps, call.began, call.ended or call.began)


def spans(of: Story, who: str = "") -> list[tuple[str, float, float]]:
    (lane,) = (lane for lane in of.lanes if lane.who == who)
    return [(span.phase.value, after(span.begins), after(span.ends)) for span in lane.spans]


def test_a_call_that_rings_is_answered_held_and_ends() -> None:
    s = Scene().arrives().wait(1).rings("p").rings("q").wait(4)
    s.dial_ends("q", "CANCEL").dial_ends("p", "ANSWER").up("p", "c").enters("b", "p", "c").wait(10)
    s.holds("p").wait(5).resumes("p").wait(10).caller_hangs_up().gone("p", "c")
    call = told(s)
    assert spans(call, "p") == [("ring", 1, 5), ("talk", 5, 30)]
    assert spans(call, "q") == [("ring", 1, 5)]
    assert spans(call) == [("talk", 5, 30), ("hold", 15, 20)]
    assert [step.kind for step in call.marks] == [
        StepKind.ARRIVED,
        StepKind.HANGUP_REQUESTED,
        StepKind.ENDED,
    ]
    (ring,) = call.lanes[2].spans
    assert (ring.who, ring.outcome) == ("q", "CANCEL")


def test_menu_queue_and_voicemail_follow_each_other() -> None:
    s = Scene().arrives().wait(1).up("c").wait(9)
    s.joins("sales").wait(20).quits("sales").wait(1).runs("VoiceMail", "101@default").wait(8)
    s.sets("VMSTATUS", "SUCCESS").caller_hangs_up().gone("c")
    call = told(s)
    assert spans(call) == [("menu", 1, 10), ("queue", 10, 30), ("voicemail", 31, 39)]
    assert StepKind.MESSAGE_LEFT in [step.kind for step in call.marks]


def test_what_was_not_seen_is_drawn_as_such() -> None:
    steps = [
        Step(START, StepKind.ARRIVED),
        Step(START + timedelta(seconds=5), StepKind.FEED_LOST),
        Step(START + timedelta(seconds=25), StepKind.FEED_RESTORED),
    ]
    call = story(steps, START, START + timedelta(seconds=30))
    assert spans(call) == [("unseen", 5, 25)]


def test_what_is_open_at_the_end_lasts_until_then_and_a_second_phone_answers_for_the_first() -> (
    None
):
    steps = [Step(START, StepKind.RINGING, "p"), Step(START, StepKind.CONNECTED, "q")]
    call = story(steps, START, START + timedelta(seconds=9))
    assert spans(call, "p") == [("ring", 0, 9)]
    assert spans(call, "q") == [("talk", 0, 9)]


def test_places_follow_time() -> None:
    steps = [
        Step(START, StepKind.ARRIVED),
        Step(START, StepKind.RINGING, "p"),
        Step(START + timedelta(seconds=50), StepKind.RING_ENDED, "p", "NOANSWER"),
        Step(START + timedelta(seconds=100), StepKind.ENDED),
    ]
    picture = drawing(story(steps, START, START + timedelta(seconds=100)))
    (bar,) = picture.bars
    assert (bar.x, bar.width) == (LEFT, (END - LEFT) / 2)
    assert [pin.x for pin in picture.pins] == [LEFT, END]
    assert [row.who for row in picture.rows] == ["", "p"]
    assert picture.rows[0].y < picture.rows[1].y < picture.height
    assert [tick.after.total_seconds() for tick in picture.ticks] == list(range(0, 101, 10))
    assert picture.cuts == ()


def test_a_long_talk_leaves_room_for_the_ringing_before_it() -> None:
    s = Scene().arrives().rings("p").wait(6).dial_ends("p", "ANSWER").up("p", "c")
    s.enters("b", "p", "c").wait(3600).caller_hangs_up().gone("p", "c")
    picture = drawing(told(s))
    ring = next(bar for bar in picture.bars if bar.span.phase is Phase.RING)
    assert ring.width > 40
    (cut,) = picture.cuts
    assert cut.length == timedelta(seconds=3600)
    *first, last = [tick.after.total_seconds() for tick in picture.ticks]
    assert all(after <= 6 for after in first)
    assert last == 3606


def test_an_instant_can_be_seen() -> None:
    steps = [Step(START, StepKind.RINGING, "p"), Step(START, StepKind.RING_ENDED, "p", "BUSY")]
    for length in (0, 600):
        picture = drawing(story(steps, START, START + timedelta(seconds=length)))
        (bar,) = picture.bars
        assert bar.width == NARROWEST


def test_a_crowd_of_phones_is_counted() -> None:
    steps = [Step(START, StepKind.RINGING, f"p{n}") for n in range(MOST_LANES + 3)]
    call = story(steps, START, START + timedelta(seconds=9))
    assert (len(call.lanes), call.more) == (MOST_LANES + 1, 3)


@given(
    st.lists(
        st.builds(
            Step,
            st.integers(-100, 100_000).map(lambda s: START + timedelta(seconds=s)),
            st.sampled_from(StepKind),
            st.sampled_from(["", "p", "q"]),
            st.sampled_from(["", "up", "NOANSWER"]),
        ),
        max_size=30,
    ),
    st.integers(-10, 100_000),
)
def test_whatever_is_told_is_drawn_within_the_picture(steps: list[Step], length: int) -> None:
    call = story(steps, START, START + timedelta(seconds=length))
    picture = drawing(call)
    for bar in picture.bars:
        assert LEFT <= bar.x <= END
        assert NARROWEST <= bar.width <= END - LEFT + NARROWEST
        assert 0 < bar.y < picture.height
    for pin in picture.pins:
        assert LEFT <= pin.x <= END
    places = [tick.x for tick in picture.ticks]
    assert places == sorted(places)
    assert all(later - x >= TICK_ROOM - 0.2 for x, later in pairwise(places))
