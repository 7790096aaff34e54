"""What stands in a row is read as what it means, or told as damage."""

from datetime import UTC, datetime

import pytest

from pbx_bridge.core.delivery import State
from pbx_bridge.store import reading
from pbx_bridge.store.problem import DamagedValue


def test_what_we_write_is_read() -> None:
    noon = datetime(2026, 11, 23, 12, 0, 0, 500_000, tzinfo=UTC)
    assert reading.instant("2026-11-23T12:00:00.500000Z") == noon
    assert reading.named(State, "queued") is State.QUEUED
    assert reading.from_json('{"a": [1]}') == {"a": [1]}
    row = (1, 0.5, "text", None)
    assert reading.no_blobs(None, row) is row


@pytest.mark.parametrize("written", ["2026-11-23T12:00:00.5^0000Z", "2026-11-23T12:00:00.5000009"])
def test_what_is_no_time_is_damage(written: str) -> None:
    with pytest.raises(DamagedValue, match=r"^'2026-11-23T12.*' stands in it for a time$"):
        reading.instant(written)


def test_a_name_that_nothing_has_is_damage() -> None:
    with pytest.raises(DamagedValue, match=r"^'qveued' stands in it for a State$"):
        reading.named(State, "qveued")


def test_what_is_no_json_is_damage() -> None:
    with pytest.raises(DamagedValue, match="for JSON"):
        reading.from_json('{"a": [1}')


def test_a_blob_is_damage() -> None:
    with pytest.raises(DamagedValue, match=r"^b'text' stands in it for text or a number$"):
        reading.no_blobs(None, (1, b"text"))


def test_little_is_told_of_what_cannot_be_read_and_nothing_breaks_the_line() -> None:
    with pytest.raises(DamagedValue) as told:
        reading.named(State, "\x1b[2J\n" + "secret" * 99)
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 80
    assert "…" in str(told.value)


def test_our_own_mistakes_are_none() -> None:
    with pytest.raises(AttributeError), reading.reading("a thing", "x"):
        "x".nothing  # type: ignore[attr-defined]  # noqa: B018 - a mistake
