"""What booking tools tell, read from the documents that they document."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.booking import (
    CAL_COM,
    CALENDLY,
    MOST_IN_TURN,
    Booked,
    CalledOff,
    News,
    Office,
    Reading,
    Unusable,
    at,
    is_path,
    key_of,
    read,
)

OFFICE = Office("US", frozenset({"+12125550100"}))
CALLER = "+12125550143"
#: From https://cal.com/docs/developing/guides/automation/webhooks, shortened, with a number.
CAL_COM_BOOKED: dict[str, Any] = {
    "triggerEvent": "BOOKING_CREATED",
    "createdAt": "2023-05-24T09:30:00.538Z",
    "payload": {
        "type": "60min",
        "startTime": "2023-05-25T09:30:00Z",
        "endTime": "2023-05-25T10:30:00Z",
        "organizer": {"id": 5, "name": "Pro Example", "email": "pro@example.com"},
        "responses": {
            "name": {"label": "your_name", "value": "John Doe"},
            "email": {"label": "email_address", "value": "john.doe@example.com"},
            "attendeePhoneNumber": {"label": "phone_number", "value": CALLER},
            "location": {
                "label": "location",
                "value": {"optionValue": "", "value": "inPerson"},
            },
        },
        "attendees": [{"email": "john.doe@example.com", "name": "John Doe"}],
        "uid": "bFJeNb2uX8ANpT3JL5EfXw",
        "bookingId": 91,
        "status": "ACCEPTED",
    },
}
#: As https://developer.calendly.com/api-docs describes the payload of invitee.created.
CALENDLY_BOOKED: dict[str, Any] = {
    "event": "invitee.created",
    "created_at": "2024-01-01T00:00:00.000000Z",
    "payload": {
        "uri": "https://api.calendly.com/scheduled_events/AAAAAAAAAAAAAAAA/invitees/BBBBBBBBBBBBBBBB",
        "email": "test@example.com",
        "name": "John Doe",
        "status": "active",
        "rescheduled": False,
        "text_reminder_number": "+1 212-555-0143",
        "questions_and_answers": [{"answer": "none", "position": 0, "question": "Anything else?"}],
        "scheduled_event": {
            "uri": "https://api.calendly.com/scheduled_events/AAAAAAAAAAAAAAAA",
            "start_time": "2024-01-03T15:00:00.000000Z",
            "location": {"type": "physical", "location": "Calendly Office"},
        },
    },
}


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(document)
    *outer, last = path.split(".")
    inner: Any = document
    for name in outer:
        inner = inner[name]
    inner[last] = value
    return document


def cal_com(path: str = "", value: Any = None) -> News | None:
    document = changed(CAL_COM_BOOKED, path, value) if path else CAL_COM_BOOKED
    return read(document, CAL_COM, source="cal.com", office=OFFICE)


def calendly(path: str = "", value: Any = None) -> News | None:
    document = changed(CALENDLY_BOOKED, path, value) if path else CALENDLY_BOOKED
    return read(document, CALENDLY, source="calendly", office=OFFICE)


def test_cal_com_tells_of_a_booking() -> None:
    key = key_of("cal.com", "bFJeNb2uX8ANpT3JL5EfXw")
    assert cal_com() == Booked(key, CALLER, datetime(2023, 5, 25, 9, 30, tzinfo=UTC))
    assert len(key) == 64


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("payload.attendees", [{"name": "John"}, {"phoneNumber": "(212) 555-0143"}]),
        ("payload.smsReminderNumber", CALLER),
        ("payload.responses.smsReminderNumber", {"value": CALLER}),
        ("payload.responses.phone", {"value": "212 555 0143"}),
        ("payload.responses.location", {"value": {"value": "phone", "optionValue": CALLER}}),
    ],
)
def test_cal_com_has_the_number_in_several_places(path: str, value: Any) -> None:
    document = changed(CAL_COM_BOOKED, "payload.responses.attendeePhoneNumber", {})
    found = read(changed(document, path, value), CAL_COM, source="cal.com", office=OFFICE)
    assert isinstance(found, Booked)
    assert found.number == CALLER


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("BOOKING_RESCHEDULED", Booked), ("BOOKING_CANCELLED", CalledOff),
        ("BOOKING_REJECTED", CalledOff), ("BOOKING_REQUESTED", type(None)),
        ("MEETING_ENDED", type(None)), ("PING", type(None)), (None, type(None)),
    ],
)  # fmt: skip
def test_other_news_of_cal_com(event: str | None, kind: type) -> None:
    assert isinstance(cal_com("triggerEvent", event), kind)


def test_calendly_tells_of_a_booking() -> None:
    key = key_of("calendly", CALENDLY_BOOKED["payload"]["uri"])
    assert calendly() == Booked(key, CALLER, datetime(2024, 1, 3, 15, tzinfo=UTC))


def test_calendly_without_a_text_reminder() -> None:
    silent = changed(CALENDLY_BOOKED, "payload.text_reminder_number", None)
    answers = [{"answer": "12 people"}, {"answer": "212 555 0143"}]

    def number(path: str, value: Any) -> str | None:
        document = changed(silent, path, value)
        found = read(document, CALENDLY, source="calendly", office=OFFICE)
        return found.number if isinstance(found, Booked) else None

    assert number("payload.questions_and_answers", answers) == CALLER
    where = "payload.scheduled_event.location"
    assert number(where, {"type": "outbound_call", "location": CALLER}) == CALLER
    # Whom the guest is to call is one of us.
    assert number(where, {"type": "inbound_call", "location": CALLER}) is None


def test_calendly_calls_off_and_moves() -> None:
    gone = changed(CALENDLY_BOOKED, "event", "invitee.canceled")
    key = key_of("calendly", CALENDLY_BOOKED["payload"]["uri"])
    assert read(gone, CALENDLY, source="calendly", office=OFFICE) == CalledOff(key)
    moved = changed(gone, "payload.rescheduled", value=True)
    assert read(moved, CALENDLY, source="calendly", office=OFFICE) is None
    nameless = changed(gone, "payload.uri", None)
    assert isinstance(read(nameless, CALENDLY, source="calendly", office=OFFICE), Unusable)


@pytest.mark.parametrize("number", [None, "", "none", 12, True, "+12125550100", "1" * 100, ["x"]])
def test_a_booking_without_a_callers_number_is_of_no_use(number: object) -> None:
    assert calendly("payload.text_reminder_number", number) == Unusable(
        "a booking without a telephone number"
    )


@pytest.mark.parametrize(
    "start", [None, "soon", "2024-01-03T15:00:00", 17, "0001-01-01T00:00:00+14:00", "9" * 99]
)
def test_a_time_that_nobody_can_read_is_unknown(start: object) -> None:
    found = calendly("payload.scheduled_event.start_time", start)
    assert isinstance(found, Booked)
    assert found.starts_at is None


OWN = Reading(phone=("customer.phone",), start=("start",), id=("ids.0",))


def test_any_tool_can_be_read_by_paths_of_ones_own() -> None:
    document = {"customer": {"phone": 12125550143}, "start": "2024-01-03 10:00-05:00", "ids": [7]}
    assert read(document, OWN, source="mine", office=OFFICE) == Booked(
        key_of("mine", "7"), CALLER, datetime(2024, 1, 3, 15, tzinfo=UTC)
    )


@pytest.mark.parametrize("start", ["2024-01-03T15:00Z", None])
def test_without_an_id_the_same_number_at_the_same_time_is_the_same(start: str | None) -> None:
    document = {"customer": {"phone": CALLER}, "start": start}
    one, other = (read(document, OWN, source="mine", office=OFFICE) for _ in range(2))
    assert one == other
    assert isinstance(one, Booked)
    later = read(document | {"start": "2024-01-04T15:00Z"}, OWN, source="mine", office=OFFICE)
    assert one != later


def test_ids_of_different_tools_are_different() -> None:
    assert key_of("a", "1") != key_of("b", "1")
    assert key_of("a", "\ud800")  # half a character in JSON


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", [1]), ("a.*", [1, [2, 3]]), ("a.c.0", [2]), ("a.c.9", []), ("a.c.*", [2, 3]),
        ("a.b.c", []), ("x", []), ("a.c.b", []), ("d.*[k=v].n", [7]), ("d.0[k=w].n", []),
        ("a.b[k=v]", []), ("a..b", []),
    ],
)  # fmt: skip
def test_paths(path: str, found: list[Any]) -> None:
    document = {"a": {"b": 1, "c": [2, 3]}, "d": [{"k": "v", "n": 7}, {"k": "x", "n": 8}]}
    assert list(at(document, path)) == found


def test_a_star_does_not_go_on_for_ever() -> None:
    assert len(list(at([[0] * 100] * 100, "*.*"))) == MOST_IN_TURN


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("a", True), ("a.b.0.*.c", True), ("a[type=x y].b", True), ("", False), ("a.", False),
        (".a", False), ("a[b].c", False), ("a[b=c", False),
    ],
)  # fmt: skip
def test_what_is_a_path(written: str, *, right: bool) -> None:
    assert is_path(written) is right


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON, st.sampled_from([CAL_COM, CALENDLY, OWN]))
def test_whatever_is_sent_is_read_or_of_no_use(document: Any, reading: Reading) -> None:
    found = read(document, reading, source="mine", office=OFFICE)
    assert found is None or isinstance(found, Booked | CalledOff | Unusable)
