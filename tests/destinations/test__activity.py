"""What a CRM's timeline says of a happening."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.call import Reason
from pbx_bridge.core.delivery import Purpose, State
from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.destinations._activity import _REASONS, Kind, activity_of
from tests.destinations.office import CALLER, HOSTILE, NOON, missed_call, reply, text

ZONE = ZoneInfo("Europe/Berlin")
#: Ways in which a caller is not missed.
NOT_MISSED = {
    *(Reason.PERSON, Reason.HANDLED, Reason.REJECTED),
    *(Reason.FEED_GAP, Reason.PBX_RESTARTED, Reason.NEVER_ENDED),
}


def lines(happening: Happening, *, bodies: bool = False) -> list[str]:
    activity = activity_of(happening, ZONE, bodies=bodies)
    assert activity is not None
    return [activity.title, *activity.lines]


def test_a_missed_call() -> None:
    assert lines(missed_call()) == [
        "Missed call on Sales",
        "Reason: the caller gave up waiting in the queue",
        "Called: 2026-11-23 17:59 (Europe/Berlin)",
        "Line: Sales",
        "Phones rang for 18 s",
        "Waited for 38 s in the queue sales",
        "Caller ID: REYES BAKERY",
    ]


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_a_missed_call_has_its_words(reason: Reason) -> None:
    assert (reason in _REASONS) is (reason not in NOT_MISSED)


def test_what_nobody_knows_is_not_said() -> None:
    unknown = "line line_name reason ring_seconds queue queue_wait_seconds caller_name began"
    nothing: dict[str, Any] = dict.fromkeys(unknown.split())
    told = missed_call(**nothing)
    assert lines(told) == ["Missed call", "Called: 2026-11-23 18:00 (Europe/Berlin)"]


def test_a_voicemail_message_is_said() -> None:
    assert "Left a voicemail message" in lines(missed_call(voicemail_left=True))


def test_the_offices_own_name_for_a_caller_comes_first() -> None:
    for contact, name in (({"name": "Dana Reyes"}, "Dana Reyes"), ({}, "REYES BAKERY")):
        activity = activity_of(missed_call(contact=contact), ZONE, bodies=False)
        assert activity is not None
        assert activity.name == name


@pytest.mark.parametrize("state", State)
def test_texts_are_told_when_they_are_out_or_lost(state: State) -> None:
    told = {State.ACCEPTED, State.DELIVERED, State.UNDELIVERED, State.FAILED}
    activity = activity_of(text(state.value), ZONE, bodies=False)
    assert (activity is not None) is (state in told)


@pytest.mark.parametrize("purpose", Purpose)
def test_texts_to_staff_and_tests_are_nobody_elses_business(purpose: Purpose) -> None:
    activity = activity_of(text("delivered", purpose=purpose.value), ZONE, bodies=False)
    assert (activity is None) is (purpose in (Purpose.ALERT, Purpose.TEST))


def test_one_text_is_one_entry_and_another_is_another() -> None:
    def identity(*told: Any, **more: Any) -> str:
        activity = activity_of(text(*told, **more), ZONE, bodies=False)
        assert activity is not None
        return activity.identity

    assert identity("accepted") == identity("delivered", key="another")
    assert identity("failed") == identity("undelivered")
    assert identity("failed") != identity("delivered")
    assert identity("delivered") != identity("delivered", message=24)
    # A new database counts from 1 again.
    assert identity("delivered") != identity("delivered", created_at="2027-01-01T00:00:00.000Z")
    assert identity("delivered", created_at=None) != identity("accepted", created_at=None)


def test_words_are_told_only_if_wanted() -> None:
    for happening, said in ((reply(), "Can you come on Tuesday?"), (text("delivered"), "Miller")):
        assert not any(said in line for line in lines(happening))
        assert any(said in line for line in lines(happening, bodies=True))


def test_a_line_break_in_a_reply_is_kept() -> None:
    assert "one\ntwo" in lines(reply(body="one\ntwo"), bodies=True)


@given(
    st.sampled_from([*Happened]),
    st.dictionaries(
        st.sampled_from([*missed_call().data, *text("failed").data, *reply().data]),
        st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.text(), max_size=2),
    ),
    st.booleans(),
)
def test_whatever_stands_in_a_happening_nothing_breaks(
    kind: Happened,
    data: dict[str, Any],
    bodies: bool,  # noqa: FBT001 - drawn
) -> None:
    happening = Happening(key=HOSTILE, kind=kind, at=NOON, number=CALLER, data=data)
    activity = activity_of(happening, ZONE, bodies=bodies)
    if activity is not None:
        assert activity.kind in Kind
        assert activity.identity.isalnum()
        assert len(activity.title) <= 90
        assert len(activity.name) <= 80
        assert activity.at.tzinfo is not None
        assert "\x1b" not in activity.text
