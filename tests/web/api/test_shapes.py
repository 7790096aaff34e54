"""What people and programs write, read strictly."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pbx_bridge.web.api.shapes import FIRST, LAST, Count, Flag, Instant, Whole

INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_is_read_as_it_was_written(at: datetime) -> None:
    assert INSTANT.validate_python(at.isoformat()) == at


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-28T17:05:00Z", datetime(2026, 11, 28, 17, 5, tzinfo=UTC)),
        ("2026-11-28t17:05:00.1234567z", datetime(2026, 11, 28, 17, 5, 0, 123456, UTC)),
        ("2026-11-28T17:05:00-05:00", datetime(2026, 11, 28, 22, 5, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("0001-01-01T00:00:00+23:59", FIRST),
        ("0000-01-01T00:00:00Z", FIRST),
        ("9999-12-31T23:59:59-23:59", LAST),
        (
            "2026-11-28T17:05:00+05:30",
            datetime(2026, 11, 28, 17, 5, tzinfo=timezone(timedelta(hours=5.5))),
        ),
    ],
)
def test_instants_of_rfc_3339(written: str, at: datetime) -> None:
    assert INSTANT.validate_python(written) == at


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-28",
        "2026-11-28T17:05:00",
        "1764349500",
        "2026-02-30T00:00:00Z",
        "now",
        5,
        None,
        "٢٠٢٦-11-28T17:05:00Z",
    ],
)
def test_no_instants(written: object) -> None:
    with pytest.raises(ValidationError, match="such as 2026-11-28T17:05:00Z"):
        INSTANT.validate_python(written)


@pytest.mark.parametrize("written", ["1.0", " 1", "1_000", "٣", "", "+1", "9" * 21, True])
def test_no_counts(written: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Count).validate_python(written)


def test_a_whole_number_may_be_written_as_json_has_it() -> None:
    whole: TypeAdapter[int] = TypeAdapter(Whole)
    assert whole.validate_json("17.0", strict=True) == 17
    for other in ("17.5", '"17"', "true", "1e400"):
        with pytest.raises(ValidationError):
            whole.validate_json(other, strict=True)


def test_yes_and_no_are_written_one_way() -> None:
    flag: TypeAdapter[bool] = TypeAdapter(Flag)
    assert flag.validate_python("true")
    assert not flag.validate_python("false")
    for other in ("1", "yes", "True", ""):
        with pytest.raises(ValidationError):
            flag.validate_python(other)
