"""What an SMSC delivers: texts in parts, receipts in words and options."""

import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

from pbx_bridge.gateways import smpp
from pbx_bridge.gateways._smpp import Session
from tests.security.fuzz import _news

_GATEWAY = smpp.Gateway(
    smpp.Settings.model_validate(
        {
            "type": "smpp",
            "host": "smsc.example.com",
            "system_id": "x",
            "password": "x",
            "source": "+12125550100",
        }
    )
)


def check(data: bytes) -> None:
    """The body of a deliver_sm is news, nothing, or refused as damaged."""
    session = cast("Any", SimpleNamespace())
    try:
        delivery = Session._delivery(session, 1, data)
    except (ValueError, IndexError, struct.error):
        return  # answered with a generic_nack by `_take`
    news = _GATEWAY._read(delivery)
    if news is not None:
        _news.are_news([news])


def seeds() -> Iterator[bytes]:
    yield deliver(b"Yes please")
    yield deliver("Grüße 😀".encode("utf-16-be"), coding=8)
    yield deliver(b"\x05\x00\x03\x07\x02\x01part", esm=0x40)
    yield deliver(b"\x06\x08\x04\x00\x07\x02\x01part", esm=0x40)
    yield deliver(b"id:1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:", esm=4)
    yield deliver(b"id:1 stat:UNDELIV err:00B", esm=4, options=b"\x00\x1e\x00\x03id\0")
    yield deliver(b"", options=b"\x04\x24\x00\x05hello")
    yield deliver(b"", esm=4, options=b"\x00\x1e\x00\x05id-7\0\x04\x27\x00\x01\x05")


def deliver(text: bytes, *, esm: int = 0, coding: int = 0, options: bytes = b"") -> bytes:
    """Write the body of a deliver_sm (SMPP 3.4, 4.6.1)."""
    return (
        b"\0\x01\x01+15551234567\0\x01\x01+12125550100\0"
        + bytes([esm, 0, 0, 0, 0, 0, 0, coding, 0, len(text)])
        + text
        + options
    )
