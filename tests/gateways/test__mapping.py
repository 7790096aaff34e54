"""What modems' programs say, understood as the presets have it; the rest is tried in test_mqtt."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.reply import Reply
from pbx_bridge.gateways._mapping import (
    PRESETS,
    Fate,
    Outcome,
    document_in,
    token_of,
    with_preset,
)
from pbx_bridge.gateways.mqtt import Settings
from tests.gateways.fakes import message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NAMES = ["id", "number", "text", "status", "result", "error", "from", "time", "message", "sender"]


def preset(name: str) -> Settings:
    return Settings.model_validate({"preset": name})


def test_every_preset_is_whole() -> None:
    assert PRESETS == ("gammu", "hilink", "native", "sms2mqtt")
    for name in PRESETS:
        settings = preset(name)
        assert settings.result is not None
        assert settings.received is not None
        assert settings.presence is not None


@pytest.mark.parametrize(
    ("name", "said", "fate"),
    [
        # as in the README and the sources of each
        ("sms2mqtt", {"result": "success", "number": "+1555", "text": "x"}, Fate.ACCEPTED),
        ("sms2mqtt", {"result": "error : no", "number": "+1555", "text": "x"}, Fate.REJECTED),
        ("gammu", {"status": "success", "number": "+1555", "text": "x"}, Fate.ACCEPTED),
        ("gammu", {"status": "error", "number": "+1555", "text": "x"}, Fate.REJECTED),
        ("gammu", {"status": "ready", "message": "SMS Gateway ready"}, None),
        ("gammu", {"status": "missing_fields", "message": "Please fill in"}, None),
        ("hilink", {"status": "success", "recipient": "+1555", "message": "x"}, Fate.ACCEPTED),
        ("hilink", {"status": "failure", "recipient": "+1555", "message": "x"}, None),
        ("hilink", {"status": "sent", "number": "+1555", "message": "x"}, Fate.ACCEPTED),
    ],
)
def test_results_are_understood(name: str, said: dict[str, str], fate: Fate | None) -> None:
    result = preset(name).result
    assert result is not None
    outcome = result.read(said)
    if fate is None:
        assert outcome is None
    else:
        assert outcome is not None
        assert (outcome.fate, outcome.token) == (fate, token_of("1555", "x"))


def test_the_id_is_enough_where_there_is_one() -> None:
    result = preset("native").result
    assert result is not None
    assert result.read({"id": 7, "status": "accepted"}) == Outcome("7", Fate.ACCEPTED, "")
    with pytest.raises(ValueError, match="does not say of which text"):
        result.read({"status": "accepted", "number": "+1555", "text": "x"})


def test_a_reply_has_the_same_reference_each_time_and_no_other_has_it() -> None:
    received = preset("gammu").received
    assert received is not None
    said = {"Date": "2026-11-23 13:30:00", "Number": "+1555", "Text": "x", "timestamp": "1"}
    again = said | {"timestamp": "2", "Locations": [3]}
    assert received.read(said).gateway_ref == received.read(again).gateway_ref
    others = [{"Date": "2026-11-23 13:30:01"}, {"Number": "+1556"}, {"Text": "y"}]
    refs = {received.read(said | other).gateway_ref for other in [{}, *others]}
    assert len(refs) == 4


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "yesterday", "2026-11-23 13:30", ""])
def test_a_time_that_is_none_is_left_out(time: str) -> None:
    received = preset("native").received
    assert received is not None
    reply = received.read({"id": "1", "from": "+1555", "text": "x", "time": time})
    assert reply.sent_at is None


def test_a_payload_has_what_the_modem_needs() -> None:
    asked = message(body='a "quoted" text')
    payload = json.loads(preset("native").send.encoded(asked))
    assert payload == {
        "id": "key-1",
        "to": "+15551234567",
        "text": 'a "quoted" text',
        "expires": asked.expires_at.isoformat(timespec="seconds"),
    }


def test_a_part_of_a_preset_can_be_changed_or_taken_away() -> None:
    merged = with_preset(
        {"preset": "sms2mqtt", "prefix": "sms", "presence": False, "result": {"topic": "done"}}
    )
    assert merged["prefix"] == "sms"
    assert merged["presence"] is None
    assert merged["result"]["topic"] == "done"
    assert merged["result"]["accepted"] == "^success$"
    assert with_preset("nonsense") == "nonsense"


@given(JSON | st.dictionaries(st.sampled_from(NAMES), JSON))
def test_nothing_breaks_the_reading(document: object) -> None:
    for name in PRESETS:
        settings = preset(name)
        assert settings.result is not None
        assert settings.received is not None
        with contextlib.suppress(ValueError):
            settings.result.read(document)
        try:
            reply = settings.received.read(document)
        except ValueError:
            continue
        assert isinstance(reply, Reply)
        assert reply.gateway_ref
        (reply.sender + reply.body + reply.gateway_ref).encode()


@given(st.binary(max_size=50))
def test_any_bytes_are_json_or_a_value_error(payload: bytes) -> None:
    with contextlib.suppress(ValueError):
        document_in(payload)


@given(st.text(), st.text())
def test_any_text_and_number_have_a_token(number: str, text: str) -> None:
    assert len(token_of(number, text)) == 32
