"""The only reader of the wall clock. Everything else is handed `now` as an argument."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Give the current time, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the one place
