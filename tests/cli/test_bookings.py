"""`booked`: somebody here says that a caller booked."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge.core.delivery import State
from pbx_bridge.store import bookings, tasks
from pbx_bridge.store import messages as stored_messages
from tests.store.examples import NOON, queue_message

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]
CALLER = "+12125550143"


@pytest.fixture(autouse=True)
def _missed(write: Write) -> None:
    def fill(tx: Connection) -> None:
        queue_message(tx, to=CALLER)
        tasks.open_task(
            tx, follow_up=None, call_row=None, recipient=CALLER, name="", line="", title="",
            now=NOON, due_at=None, expires_at=NOON + timedelta(days=7),
        )  # fmt: skip

    write(fill)


def test_a_booking_closes_the_task_and_leaves_the_caller_alone(command: Run, write: Write) -> None:
    said = command(
        "booked", "(212) 555-0143", "--at", "2026-11-24 09:00", "--by", "ann", "--note", "boiler"
    )
    assert said.output == "+12125550143 booked, ann says; task 1 is closed\n"

    def look(tx: Connection) -> None:
        found = bookings.last(tx, CALLER, NOON - timedelta(days=9999))
        assert found is not None
        assert (found.source, found.detail) == ("ann", "boiler")
        assert found.starts_at == datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
        (message,) = stored_messages.recent(tx, limit=5)
        assert (message.state, message.code) == (State.CANCELLED, "booked")

    write(look)


def test_a_booking_without_a_time(command: Run) -> None:
    assert command("booked", CALLER, "--by", "ann").output.startswith("+12125550143 booked")
    assert command("booked", CALLER, "--by", "ann").output == "+12125550143 booked, ann says\n"
    assert command("booked", CALLER, "--at", "2026-11-24T09:00+01:00").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("12",), "'12' is no number of US; write it as +1 212 555 0143\n"),
        ((CALLER, "--at", "soon"), "'soon' is no time; write it as 2026-11-24 09:00\n"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], said: str, command: Run) -> None:
    result = command("booked", *arguments)
    assert (result.exit_code, result.stderr) == (2, said)
