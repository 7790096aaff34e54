"""Weeks that never were, in a database: everything the page shows is there."""

import random
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from pbx_bridge.clock import utc_now
from pbx_bridge.config import load
from pbx_bridge.core.delivery import State
from pbx_bridge.core.task import TaskState
from pbx_bridge.demo import days
from pbx_bridge.demo.office import Office
from pbx_bridge.demo.past import leave_message
from pbx_bridge.demo.people import people
from pbx_bridge.store import calls, contacts, messages, replies, tasks
from pbx_bridge.store.db import Database
from pbx_bridge.voicemail import information

NOW = datetime(2026, 11, 25, 20, 0, tzinfo=UTC)  # a Wednesday afternoon


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a week."""
    folder = tmp_path_factory.mktemp("past")
    async with Office.open(folder, now=utc_now) as office:
        zone = load(office.config).office.timezone
        chance = random.Random(6)  # noqa: S311 - made-up calls
        await office.remember(days.plan(NOW, zone, people(), chance, days=7), NOW)
        return office.database


async def test_calls_were_judged_texts_arrived_and_customers_wrote(past: Path) -> None:
    async with Database.read_only(past) as db:
        judged = await db.read(lambda tx: calls.recent(tx, limit=999))
        texts = await db.read(lambda tx: messages.recent(tx, limit=999))
        written = await db.read(lambda tx: replies.recent(tx, limit=999))
    assert len(judged) > 50
    assert {one.call.disposition for one in judged} == {"answered", "missed"}
    assert len({one.call.reason for one in judged}) >= 6
    assert all(one.call.ended is not None and one.call.ended <= NOW for one in judged)
    assert {State.DELIVERED, State.UNDELIVERED} <= {text.state for text in texts}
    assert written
    assert all(reply.message_id is not None for reply in written)


async def test_some_still_wait_and_colleagues_did_the_rest(past: Path) -> None:
    async with Database.read_only(past) as db:
        all_of_them = await db.read(lambda tx: tasks.recent(tx, limit=999))
    done = [task for task in all_of_them if task.state is TaskState.DONE]
    waiting = [task for task in all_of_them if task.is_open]
    assert len(done) > len(waiting) > 2
    assert any(task.owner or task.closed_by for task in all_of_them)


async def test_the_office_knows_its_customers(past: Path) -> None:
    async with Database.read_only(past) as db:
        known = await db.read(contacts.everyone)
    assert {person.known.name for person in people() if person.known} <= {
        one.contact.name for one in known
    }


async def test_what_a_caller_leaves_is_there_as_asterisk_leaves_it(tmp_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311 - made-up calls
    calls_of_a_week = days.plan(NOW, ZoneInfo("America/New_York"), people(), chance, days=7)
    call = next(call for call in calls_of_a_week if call.tale == "voicemail_message")
    leave_message(tmp_path, call)
    folder = tmp_path / "default" / "102" / "INBOX"
    told = information.read((folder / "msg0000.txt").read_bytes())
    assert told is not None
    assert information.is_from(told.caller_id, call.teller.number)
    assert (folder / "msg0000.wav").stat().st_size > 8000 * told.seconds
