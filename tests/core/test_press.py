"""Keys pressed about texts, as the dialplan tells them."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.press import EVENT, Press, read


def raised(**changes: str) -> dict[str, str]:
    return {
        "Event": "UserEvent",
        "UserEvent": EVENT,
        "Call": "1764000000.12",
        "Number": b64encode(b"+12125551000").decode(),
        "Texts": "yes",
        "Key": "1",
        "Wording": "closed-2026",
    } | changes


def test_a_key_is_read() -> None:
    assert read(raised()) == Press(
        call_id="1764000000.12",
        number="+12125551000",
        key="1",
        agrees=True,
        wording="closed-2026",
    )
    refused = read(raised(Texts="no", Key="9"))
    assert refused is not None
    assert not refused.agrees


def test_other_events_are_others() -> None:
    assert read(raised(UserEvent="PbxBridgeMessage")) is None
    assert read({}) is None


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Call", ""),
        ("Call", "1764000000.12 "),
        ("Call", "a" * 151),
        ("Number", "no base64"),
        ("Number", "/w=="),  # no UTF-8
        ("Number", b64encode(b"1" * 201).decode()),
        ("Texts", "maybe"),
        ("Key", "12"),
        ("Wording", ""),
        ("Wording", "x" * 65),
        ("Wording", "a\u202eb"),
    ],
)
def test_what_the_snippet_does_not_write_is_told(header: str, value: str) -> None:
    with pytest.raises(ValueError, match=header):
        read(raised(**{header: value}))


@given(st.dictionaries(st.sampled_from(sorted(raised())), st.text(max_size=30)))
def test_nothing_but_the_wrong_header_is_ever_raised(changes: dict[str, str]) -> None:
    try:
        told = read(raised(**changes))
    except ValueError as wrong:
        assert str(wrong).split()[0] in raised()  # noqa: PT017 - what it says is the point
    else:
        assert told is None or told.key in set("0123456789*#")
