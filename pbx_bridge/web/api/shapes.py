"""What requests and answers are made of: strict about what is asked, complete in what is given."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

#: The largest row id of SQLite.
LARGEST_ID = 2**63 - 1
#: Rows on a page.
USUAL_LIMIT, LARGEST_LIMIT = 50, 200

#: The first and last instant that there is.
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)


class Asked(BaseModel):
    """What somebody sends; every value is the sender's claim."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Given(BaseModel):
    """What is answered; every field is always there."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)


def _instant(value: Any) -> Any:
    """Read an instant as RFC 3339 has it; what is beyond the calendar becomes its first or last."""
    if not isinstance(value, str):
        raise ValueError(_NO_TIME)  # noqa: TRY004 - pydantic tells it as a mistake
    found = _RFC3339.fullmatch(value)
    if found is None:
        raise ValueError(_NO_TIME)
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    offset = timedelta()
    if found[8]:
        offset = timedelta(hours=int(found[9]), minutes=int(found[10])) * (
            -1 if found[8] == "-" else 1
        )
    fraction = int((found[7] or "0")[:6].ljust(6, "0"))
    if year == 0:
        return FIRST
    try:
        # A leap second is the end of the one before.
        at = datetime(year, month, day, hour, minute, min(second, 59), fraction, timezone(offset))
    except ValueError:
        raise ValueError(_NO_TIME) from None
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return FIRST if year == 1 else LAST


_NO_TIME = "a time with its zone is wanted, such as 2026-11-28T17:05:00Z"

Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-11-28T17:05:00Z"]},
        mode="validation",
    ),
]
"""An instant that somebody sends, in UTC once it is read."""


def _flag(value: Any) -> Any:
    """Read yes or no in a query as JSON writes it, and no other way."""
    if value not in {"true", "false"}:
        raise ValueError("true or false is wanted")
    return value == "true"


def _count(value: Any) -> Any:
    """Read a whole number in a query or path as people write it."""
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,20}", value, re.ASCII):
        raise ValueError("a whole number is wanted")
    return int(value)


def _whole(value: Any) -> Any:
    """Take 17.0 for 17, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number in a body."""
# The bounds stand before the validator: pydantic then tells them in the schema.
WholeId = Annotated[int, Field(ge=1, le=LARGEST_ID), BeforeValidator(_whole)]
"""A row's id in a body."""
Flag = Annotated[bool, BeforeValidator(_flag)]
Count = Annotated[int, BeforeValidator(_count)]

Line = Annotated[str, Field(min_length=1, max_length=200)]
"""A word or a few, to look for."""


class Empty(Asked):
    """Nothing is asked for."""


class PageAsked(Asked):
    """Which page of a listing."""

    limit: Count = Field(
        default=USUAL_LIMIT, ge=1, le=LARGEST_LIMIT, description="rows on a page, at most"
    )
    cursor: str | None = Field(
        default=None,
        max_length=200,
        description="`next` of the page before; leave it out for the first page",
    )


class Row(Asked):
    """Which row."""

    id: Count = Field(ge=1, le=LARGEST_ID, description="the row's id", examples=[17])
