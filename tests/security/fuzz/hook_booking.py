"""What booking tools tell."""

import contextlib
import json
from collections.abc import Iterator

from pbx_bridge.bookings import _document
from pbx_bridge.core.booking import PRESETS, Booked, CalledOff, Reading, read
from tests.core.test_booking import CAL_COM_BOOKED, CALENDLY_BOOKED, OFFICE

ANY = Reading(phone=("*.*.phone", "phone", "a.*"), start=("start",), id=("id",))
READINGS = (*PRESETS.values(), ANY)


def check(data: bytes) -> None:
    """No document raises anything but ValueError; a booking has a real number and a short key."""
    with contextlib.suppress(ValueError):
        document = _document(data)
        for reading in READINGS:
            news = read(document, reading, source="tool", office=OFFICE)
            if isinstance(news, Booked | CalledOff):
                assert len(news.key) == 64
            if isinstance(news, Booked):
                assert news.number.startswith("+")
                assert news.number not in OFFICE.own_numbers


def seeds() -> Iterator[bytes]:
    yield json.dumps(CAL_COM_BOOKED).encode()
    yield json.dumps(CALENDLY_BOOKED).encode()
    yield json.dumps(CALENDLY_BOOKED | {"event": "invitee.canceled"}).encode()
    yield b'{"phone": "212 555 0143", "start": "2026-12-01T10:00:00+01:00", "id": 7}'
