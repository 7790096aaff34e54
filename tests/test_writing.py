"""Texts that somebody here writes by hand, through a real outbox."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection

from pbx_bridge import writing
from pbx_bridge.core.delivery import Channel, Purpose, State, Step
from pbx_bridge.core.quiet import QuietHours
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.store import consents, outbox
from pbx_bridge.store import messages as stored
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.writing import NotAgain, Refused
from tests.core.test_policy import DAYTIME
from tests.store.examples import queue_message
from tests.test_followup import Office

CALLER = "+12125550142"
TOKYO, NEW_YORK = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "test.db") as database:
        yield database


@pytest.fixture
def office(db: Database) -> Office:
    return Office(db)


async def send(office: Office, body: str = "On our way", key: str = "k-1", to: str = CALLER) -> int:
    rules = office.followup.rules
    return await office.db.run(
        lambda tx: writing.send(tx, rules, to, body, office.now, key=key, by="ann")
    )


async def message(office: Office, message_id: int) -> MessageRecord:
    return await office.db.read(lambda tx: stored.existing(tx, message_id))


async def stop(office: Office) -> None:
    def write(tx: Connection) -> None:
        said = ConsentRecord(
            address=CALLER, at=office.now, kind=ConsentKind.OPT_OUT,
            source=ConsentSource.REPLY, detail="STOP", reply_row=None,
        )  # fmt: skip
        consents.record(tx, said)

    await office.db.run(write)


async def test_a_text_is_queued_with_who_wrote_it_and_goes_out(office: Office) -> None:
    one = await message(office, await send(office, "It\u2019s Ann.\r\nBack at 3 "))
    assert (one.to, one.body, one.author) == (CALLER, "It's Ann.\nBack at 3", "ann")
    assert (one.purpose, one.step, one.state) == (Purpose.WRITTEN, "written", State.QUEUED)
    assert (one.due_at, one.shadow, one.route) == (office.now, False, ("main",))
    (claimed,) = await office.claim(1)
    assert claimed.state is State.SENDING


async def test_the_same_form_twice_is_one_text(office: Office) -> None:
    first = await send(office)
    assert await send(office, "other words") == first
    assert [one.body for one in await office.queued()] == ["On our way"]
    assert await send(office, key="k-2") != first


async def test_who_said_stop_is_written_nothing_and_nothing_is_written_down(office: Office) -> None:
    await stop(office)
    with pytest.raises(Refused, match="no more texts") as refused:
        await send(office)
    assert refused.value.composed.objection is not None
    assert await office.queued() == []


@pytest.mark.parametrize(("body", "fault"), [("", "empty"), ("x" * 1601, "too_long")])
async def test_what_is_wrong_with_the_words_is_told(office: Office, body: str, fault: str) -> None:
    with pytest.raises(Refused, match=fault):
        await send(office, body)


async def test_a_stop_that_comes_meanwhile_counts(office: Office) -> None:
    written = await send(office)
    await stop(office)
    await office.claim(1)
    ended = await message(office, written)
    assert (ended.state, ended.code) == (State.CANCELLED, SkipReason.OPTED_OUT)


async def test_a_conversation_or_reply_does_not_end_it(office: Office) -> None:
    written = await send(office)
    office.is_answered("c9", number=CALLER)
    await office.judged()
    await office.claim(1)
    assert (await message(office, written)).state is State.SENDING


async def test_it_is_about_the_line_that_was_last_called(office: Office) -> None:
    await office.rings_out("c1", number=CALLER).judged()
    line = (await office.judged())[0].call.line
    assert line
    assert (await message(office, await send(office))).line == line


async def test_in_shadow_mode_it_is_written_down_and_not_sent(db: Database) -> None:
    office = Office(db, shadow=True)
    written = await send(office)
    await office.claim(1)
    assert (await message(office, written)).state is State.SHADOW


async def test_switched_off_meanwhile(office: Office) -> None:
    written = await send(office)
    office.followup.rules = replace(office.followup.rules, shadow=True)
    await office.claim(1)
    assert (await message(office, written)).state is State.CANCELLED


async def test_at_night_it_waits_unless_they_have_just_called(db: Database) -> None:
    quiet = QuietHours(DAYTIME.window, immediate_within=timedelta(hours=1))
    office = Office(db, quiet=quiet, zone=TOKYO)
    office.now = datetime(2026, 11, 23, 4, 0, tzinfo=NEW_YORK)  # where the number is
    first = await message(office, await send(office))
    assert first.due_at == office.now + timedelta(hours=5)
    assert (await office.claim(60))[0].state is State.QUEUED
    await office.rings_out("c1", number=CALLER).judged()
    second = await message(office, await send(office, key="k-2"))
    assert second.due_at == office.now


async def fail(office: Office, message_id: int, state: State = State.FAILED) -> None:
    def write(tx: Connection) -> None:
        (row,) = outbox.claim_due(tx, office.now, 1, lambda *_: None)
        assert row.message_id == message_id
        outbox._change(tx, row, Step(state, None, "no such number", "30005"), office.now)

    await office.db.run(write)


async def again(office: Office, message_id: int) -> int:
    rules = office.followup.rules
    return await office.db.run(
        lambda tx: writing.again(tx, rules, message_id, office.now, by="bob")
    )


async def test_a_failed_text_is_sent_again_as_one_of_its_own_and_once(office: Office) -> None:
    failed = await send(office)
    await fail(office, failed)
    repeated = await message(office, await again(office, failed))
    assert (repeated.body, repeated.state, repeated.author) == ("On our way", State.QUEUED, "bob")
    assert repeated.step == f"again-{failed}"
    assert (await message(office, failed)).state is State.FAILED
    with pytest.raises(NotAgain, match="already"):
        await again(office, failed)
    # It really goes out, as an attempt of its own.
    await office.claim(1)
    assert (await message(office, repeated.message_id)).attempts == 1


async def test_what_may_have_arrived_is_not_sent_again(office: Office) -> None:
    waiting = await send(office)
    with pytest.raises(NotAgain, match="queued"):
        await again(office, waiting)
    await fail(office, waiting, State.UNCERTAIN)
    with pytest.raises(NotAgain, match="uncertain"):
        await again(office, waiting)
    with pytest.raises(NotAgain, match="no message"):
        await again(office, 99)


async def test_a_mail_is_not_sent_again_as_a_text(office: Office) -> None:
    mail = await office.db.run(
        lambda tx: queue_message(
            tx, channel=Channel.EMAIL, to="a@example.com", due_at=office.now,
            expires_at=office.now + timedelta(hours=1),
        )
    )  # fmt: skip
    assert mail is not None
    await fail(office, mail)
    with pytest.raises(NotAgain):
        await again(office, mail)


async def test_sending_again_asks_anew(office: Office) -> None:
    failed = await send(office)
    await fail(office, failed)
    await stop(office)
    with pytest.raises(Refused):
        await again(office, failed)
