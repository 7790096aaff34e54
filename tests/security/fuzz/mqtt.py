"""Payloads on a modem's topics, as every preset reads them."""

from collections.abc import Iterator

from pbx_bridge.gateways._mapping import LONGEST_ID, PRESETS, document_in
from pbx_bridge.gateways.mqtt import Settings
from tests.gateways.test__mapping import preset
from tests.security.fuzz import _news, _texts

SETTINGS: tuple[Settings, ...] = tuple(map(preset, PRESETS))


def check(data: bytes) -> None:
    """No payload raises anything but ValueError; what is read of it can be kept and shown."""
    try:
        document = document_in(data)
    except ValueError:
        return
    for settings in SETTINGS:
        assert settings.result is not None
        assert settings.received is not None
        try:
            outcome = settings.result.read(document)
        except ValueError:
            outcome = None
        if outcome is not None:
            assert 0 < len(outcome.token) <= LONGEST_ID
            _texts.is_one_line(outcome.words)
        try:
            reply = settings.received.read(document)
        except ValueError:
            continue
        _news.are_news([reply])
        reply.body.encode()
        reply.sender.encode()


def seeds() -> Iterator[bytes]:
    yield b'{"result": "error : no", "number": "+1555", "text": "x", "id": "7", "error": "y"}'
    yield b'{"status": "success", "recipient": "+1555", "message": "x"}'
    yield b'{"datetime": "2026-11-24T10:00:00Z", "number": "+15551234567", "text": "\\ud83d"}'
    yield b'{"id": 1, "from": "+15551234567", "text": "Yes", "time": "2026-11-24T10:00:00+01:00"}'
    yield b'[{"phone": "1", "content": "a", "date": "2026-11-24 10:00:00"}, 1e999, NaN]'
