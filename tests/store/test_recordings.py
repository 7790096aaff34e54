"""Messages that callers left: from the call that leaves one to staff who were told."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, insert

from pbx_bridge.core.call import Caller, Reason, Step, StepKind
from pbx_bridge.core.voicemail import RecordingState, Transcript
from pbx_bridge.store import calls, recordings
from pbx_bridge.store.db import Database
from pbx_bridge.store.recordings import RecordingRecord
from pbx_bridge.store.schema import contact, contact_number
from tests.store.examples import BOOT, CALLER, MISSED, NOON, PBX, minutes

LEFT = Step(NOON + minutes(0.4), StepKind.MESSAGE_LEFT, "102@default", "PJSIP/trunk-00000007")
CALL = replace(
    MISSED,
    reason=Reason.VOICEMAIL_MESSAGE,
    mailbox="102@default",
    steps=(MISSED.steps[0], LEFT, MISSED.steps[1]),
)
SOON = NOON + minutes(1)


def left(tx: Connection, call_id: str = "1.1", caller: str | None = CALLER) -> int:
    """Let a call leave a message; give the recording's id."""
    call = replace(CALL, call_id=call_id)
    row = calls.finish(tx, PBX, BOOT, call, caller)
    assert row is not None
    assert recordings.expect(tx, row, call, NOON)
    record = recordings.of_call(tx, row)
    assert record is not None
    return record.recording_id


async def only(db: Database) -> RecordingRecord:
    (record,) = await db.read(lambda tx: recordings.recent(tx, limit=9))
    return record


async def test_a_call_that_left_a_message_is_waited_for(db: Database) -> None:
    await db.run(left)
    record = await only(db)
    assert (record.state, record.due_at, record.tell_at) == (RecordingState.AWAITED, NOON, None)
    assert (record.mailbox, record.channel) == ("102@default", "PJSIP/trunk-00000007")
    assert (record.left_at, record.began, record.pbx) == (LEFT.at, NOON, PBX)
    assert (record.caller, record.number, record.line) == (CALLER, "5551234567", MISSED.line)
    assert await db.read(lambda tx: recordings.awaited(tx, NOON)) == [record]
    assert await db.read(lambda tx: recordings.awaited(tx, NOON - minutes(1))) == []
    assert await db.read(recordings.next_search) == NOON


async def test_once_is_enough_and_no_message_is_none(db: Database) -> None:
    def both(tx: Connection) -> list[bool]:
        row = calls.finish(tx, PBX, BOOT, CALL, CALLER)
        other = calls.finish(tx, PBX, BOOT, replace(MISSED, call_id="2.2"), CALLER)
        assert row is not None
        assert other is not None
        return [
            recordings.expect(tx, row, CALL, NOON),
            recordings.expect(tx, row, CALL, NOON),
            recordings.expect(tx, other, MISSED, NOON),
        ]

    assert await db.run(both) == [True, False, False]


async def test_found_without_a_transcriber_staff_are_told_at_once(db: Database) -> None:
    row = await db.run(left)
    await db.run(
        lambda tx: recordings.kept(
            tx, row, SOON, path="1.wav", seconds=12.0, tell_at=SOON, transcribe=False
        )
    )
    record = await only(db)
    assert (record.state, record.path, record.seconds) == (RecordingState.KEPT, "1.wav", 12)
    assert await db.read(lambda tx: recordings.untold(tx, SOON)) == [record]
    assert await db.read(lambda tx: recordings.unwritten(tx, SOON)) is None
    assert await db.read(recordings.paths) == {"1.wav"}
    await db.run(lambda tx: recordings.told(tx, row, SOON))
    assert await db.read(lambda tx: recordings.untold(tx, SOON)) == []
    assert await db.read(recordings.next_search) is None


async def test_a_transcript_makes_the_telling_due(db: Database) -> None:
    row = await db.run(left)
    latest = SOON + minutes(1)
    await db.run(
        lambda tx: recordings.kept(
            tx, row, SOON, path="1.wav", seconds=12.0, tell_at=latest, transcribe=True
        )
    )
    assert await db.read(recordings.next_writing) == SOON
    assert await db.read(recordings.next_search) == latest
    record = await db.read(lambda tx: recordings.unwritten(tx, SOON))
    assert record is not None
    lease = timedelta(seconds=90)
    await db.run(lambda tx: recordings.asking(tx, row, SOON, attempts=1, lease=lease))
    assert await db.read(lambda tx: recordings.unwritten(tx, SOON)) is None
    assert await db.read(recordings.next_writing) == SOON + lease  # should we die now
    then = SOON + timedelta(seconds=3)
    said = Transcript(" Call\nme \x1b[2J ", "en")
    await db.run(lambda tx: recordings.transcribed(tx, row, then, said))
    record = await only(db)
    assert (record.state, record.transcript) == (RecordingState.TRANSCRIBED, "Call me [2J")
    assert (record.language, record.tell_at, record.due_at) == ("en", then, None)


async def test_a_late_transcript_tells_nobody_again(db: Database) -> None:
    row = await db.run(left)

    def late(tx: Connection) -> None:
        recordings.kept(tx, row, SOON, path="1.wav", seconds=1, tell_at=SOON, transcribe=True)
        recordings.told(tx, row, SOON)
        recordings.transcribed(tx, row, SOON + minutes(9), Transcript("late"))

    await db.run(late)
    assert (await only(db)).tell_at is None


@pytest.mark.parametrize("again", [None, SOON + minutes(5)])
async def test_without_a_transcript_nobody_waits_for_one(db: Database, again: object) -> None:
    row = await db.run(left)
    latest = SOON + minutes(1)

    def fail(tx: Connection) -> None:
        recordings.kept(tx, row, SOON, path="1.wav", seconds=1, tell_at=latest, transcribe=True)
        recordings.not_transcribed(tx, row, SOON, problem="x" * 999, again_at=again)  # type: ignore[arg-type]

    await db.run(fail)
    record = await only(db)
    assert record.tell_at == (latest if again else SOON)
    assert record.due_at == again
    assert len(record.problem) == recordings.LONGEST_PROBLEM


async def test_a_message_that_is_not_there_is_told_too(db: Database) -> None:
    row = await db.run(left)
    again = SOON + minutes(1)
    for attempts, again_at in ((1, again), (2, None)):
        await db.run(
            lambda tx, attempts=attempts, again_at=again_at: recordings.not_found(  # type: ignore[misc]
                tx, row, SOON, attempts=attempts, problem="gone", again_at=again_at
            )
        )
        record = await only(db)
        assert (record.attempts, record.due_at) == (attempts, again_at)
        assert record.tell_at == (None if again_at else SOON)
    record = await only(db)
    assert (record.state, record.problem) == (RecordingState.MISSING, "gone")


async def test_one_that_could_not_be_copied_is_missing(db: Database) -> None:
    row = await db.run(left)
    await db.run(
        lambda tx: recordings.kept(
            tx, row, SOON, path="", seconds=900, tell_at=SOON + minutes(1), transcribe=True,
            problem="too large",
        )
    )  # fmt: skip
    record = await only(db)
    assert (record.state, record.tell_at) == (RecordingState.MISSING, SOON)
    assert (record.due_at, record.seconds) == (None, 900)


async def test_what_is_off_is_nobodys_business(db: Database) -> None:
    row = await db.run(left)
    await db.run(lambda tx: recordings.off(tx, row, SOON))
    assert (await only(db)).state is RecordingState.OFF
    assert await db.read(recordings.next_search) is None


async def test_a_contact_has_the_better_name(db: Database) -> None:
    def fill(tx: Connection) -> None:
        left(tx)
        new = {
            "kind": "known", "company": "", "tags": [], "language": "", "zone": "", "email": "",
            "owner": "", "notes": "", "edited": [], "created_at": NOON, "updated_at": NOON,
        }  # fmt: skip
        row = tx.execute(insert(contact).values(name="Ann Baker", **new)).inserted_primary_key
        assert row is not None
        tx.execute(insert(contact_number).values(number=CALLER, contact=row[0], label=""))

    await db.run(fill)
    assert (await only(db)).name == "Ann Baker"


async def test_who_withholds_the_number_is_not_named(db: Database) -> None:
    def fill(tx: Connection) -> None:
        call = replace(CALL, caller=Caller("5551234567", "Ann", withheld=True))
        row = calls.finish(tx, PBX, BOOT, call, CALLER)
        assert row is not None
        recordings.expect(tx, row, call, NOON)

    await db.run(fill)
    record = await only(db)
    assert (record.caller, record.name) == ("", "")
    assert record.number == "5551234567"  # to find the message by


async def test_it_is_part_of_what_is_known_of_the_call(db: Database) -> None:
    await db.run(left)
    record = await only(db)
    told = await db.read(lambda tx: calls.explanation(tx, record.call_row))
    assert told is not None
    assert told.recording == record
    assert await db.read(lambda tx: recordings.find(tx, [record.recording_id, 99])) == [record]
