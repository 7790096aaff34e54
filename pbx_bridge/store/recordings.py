"""Messages that callers left: looked for at the PBX, kept beside the database, put into writing.

`due_at` is when to go on with one: to look for it while it is awaited, to ask for its transcript
while it is only kept. `tell_at` is when staff hear of it at last, with a transcript or without;
both are NULL where there is nothing more to do.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select

from pbx_bridge.core.call import Call, StepKind
from pbx_bridge.core.voicemail import RecordingState, Transcript, tidy
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import call, contact, contact_number
from pbx_bridge.store.schema import recording as table

#: Gone on with at a time.
BATCH = 50
LONGEST_PROBLEM = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRecord:
    """A message as it stands, and what the call tells about it."""

    recording_id: int
    call_row: int
    pbx: str
    began: datetime  #: the call
    caller: str  #: E.164, or as received; empty if withheld
    number: str  #: as received, also of a caller who withholds it from us
    name: str  #: the contact's, else as received
    line: str
    mailbox: str
    channel: str  #: that left it, as the PBX calls it; empty if nobody knows
    left_at: datetime
    path: str  #: of the copy, within our folder; empty if there is none
    seconds: float  #: 0 if nobody knows
    state: RecordingState
    transcript: str
    language: str
    attempts: int
    due_at: datetime | None
    tell_at: datetime | None
    problem: str


def expect(tx: Connection, call_row: int, ended: Call, now: datetime) -> bool:
    """Write down that a call left a message, if it did; False if not, or if that is known."""
    left = next((step for step in ended.steps if step.kind is StepKind.MESSAGE_LEFT), None)
    if left is None or of_call(tx, call_row) is not None:
        return False
    tx.execute(
        table.insert().values(
            call=call_row,
            mailbox=left.who or ended.mailbox,
            channel=left.detail,
            left_at=left.at,
            path="",
            seconds=0.0,
            state=RecordingState.AWAITED.value,
            transcript="",
            language="",
            attempts=0,
            due_at=now,
            tell_at=None,
            problem="",
            updated_at=now,
        )
    )
    return True


def awaited(tx: Connection, now: datetime) -> list[RecordingRecord]:
    """Give what is to be looked for now, the longest due first."""
    where = (table.c.state == RecordingState.AWAITED.value) & (table.c.due_at <= now)
    return _select(tx, where, table.c.due_at, table.c.id)


def untold(tx: Connection, now: datetime) -> list[RecordingRecord]:
    """Give what staff are to hear of now, whether or not there is a transcript."""
    return _select(tx, table.c.tell_at <= now, table.c.tell_at, table.c.id)


def unwritten(tx: Connection, now: datetime) -> RecordingRecord | None:
    """Give the message whose transcript is to be asked for next, if it is time to."""
    where = (table.c.state == RecordingState.KEPT.value) & (table.c.due_at <= now)
    found = _select(tx, where, table.c.due_at, table.c.id, limit=1)
    return found[0] if found else None


def next_search(tx: Connection) -> datetime | None:
    """Tell when there is more to look for, or to tell."""
    awaits = table.c.state == RecordingState.AWAITED.value
    times = [
        tx.execute(select(table.c.due_at).where(awaits & table.c.due_at.is_not(None))).scalars(),
        tx.execute(select(table.c.tell_at).where(table.c.tell_at.is_not(None))).scalars(),
    ]
    return min((at for found in times for at in found), default=None)


def next_writing(tx: Connection) -> datetime | None:
    """Tell when the next transcript is to be asked for."""
    waits = (table.c.state == RecordingState.KEPT.value) & table.c.due_at.is_not(None)
    found: datetime | None = tx.execute(
        select(table.c.due_at).where(waits).order_by(table.c.due_at).limit(1)
    ).scalar()
    return found


def off(tx: Connection, recording_id: int, now: datetime) -> None:
    """Look for it no more, and tell nobody: this PBX's voicemail is not ours to read."""
    _change(tx, recording_id, now, state=RecordingState.OFF.value, due_at=None)


def not_found(  # noqa: PLR0913 - the columns of one row
    tx: Connection, recording_id: int, now: datetime, *, attempts: int, problem: str,
    again_at: datetime | None,
) -> None:  # fmt: skip
    """Look again at `again_at`; None: give it up, and tell of it without."""
    values: dict[str, Any] = {"attempts": attempts, "problem": problem, "due_at": again_at}
    if again_at is None:
        values |= {"state": RecordingState.MISSING.value, "tell_at": now}
    _change(tx, recording_id, now, **values)


def kept(  # noqa: PLR0913 - the columns of one row
    tx: Connection, recording_id: int, now: datetime, *, path: str, seconds: float,
    tell_at: datetime, transcribe: bool, problem: str = "",
) -> None:  # fmt: skip
    """Write down that it was copied to `path` (empty: it could not be), and what comes next."""
    state = RecordingState.KEPT if path else RecordingState.MISSING
    _change(
        tx,
        recording_id,
        now,
        state=state.value,
        path=path,
        seconds=seconds,
        attempts=0,
        due_at=now if transcribe and path else None,
        tell_at=tell_at if path else now,
        problem=problem,
    )


def asking(
    tx: Connection, recording_id: int, now: datetime, *, attempts: int, lease: timedelta
) -> None:
    """Write down that its transcript is being asked for; should we die, again after `lease`."""
    _change(tx, recording_id, now, attempts=attempts, due_at=now + lease)


def transcribed(tx: Connection, recording_id: int, now: datetime, found: Transcript) -> None:
    """Write down what was said; staff hear of it at once, unless they have."""
    values: dict[str, Any] = {
        "state": RecordingState.TRANSCRIBED.value,
        "transcript": tidy(found.text),
        "language": found.language[:8],
        "due_at": None,
        "problem": "",
    }
    _change(tx, recording_id, now, **values)
    _hurry(tx, recording_id, now)


def not_transcribed(
    tx: Connection, recording_id: int, now: datetime, *, problem: str, again_at: datetime | None
) -> None:
    """Ask again at `again_at`; None: there will be no transcript, so staff need not wait."""
    _change(tx, recording_id, now, problem=problem, due_at=again_at)
    if again_at is None:
        _hurry(tx, recording_id, now)


def told(tx: Connection, recording_id: int, now: datetime) -> None:
    """Write down that staff are told."""
    _change(tx, recording_id, now, tell_at=None)


def of_call(tx: Connection, call_row: int) -> RecordingRecord | None:
    """Give the message that a call left, if it left one."""
    found = _select(tx, table.c.call == call_row, limit=1)
    return found[0] if found else None


def of_calls(tx: Connection, call_rows: Collection[int]) -> list[RecordingRecord]:
    """Give the messages that some calls left."""
    return _select(tx, table.c.call.in_(call_rows), table.c.id, limit=None)


def find(tx: Connection, ids: Iterable[int]) -> list[RecordingRecord]:
    """Give messages by their ids, in that order of theirs."""
    return _select(tx, table.c.id.in_(list(ids)), table.c.id, limit=None)


def recent(tx: Connection, *, limit: int) -> list[RecordingRecord]:
    """Give messages, the newest first."""
    return _select(tx, table.c.id.is_not(None), table.c.left_at.desc(), table.c.id.desc(),
                   limit=limit)  # fmt: skip


def paths(tx: Connection) -> frozenset[str]:
    """Name every copy that is still of use; all others in the folder are to be erased."""
    query = select(table.c.path).where(table.c.path != "")
    return frozenset(tx.execute(query).scalars())


def _hurry(tx: Connection, recording_id: int, now: datetime) -> None:
    waits = (table.c.id == recording_id) & (table.c.tell_at > now)
    tx.execute(table.update().where(waits).values(tell_at=now))


def _change(tx: Connection, recording_id: int, now: datetime, **values: Any) -> None:
    if "problem" in values:
        values["problem"] = values["problem"][:LONGEST_PROBLEM]
    changed = {"updated_at": now, **values}
    tx.execute(table.update().where(table.c.id == recording_id).values(changed))


def _select(
    tx: Connection, where: ColumnElement[bool], *order: Any, limit: int | None = BATCH
) -> list[RecordingRecord]:
    return [
        _record(row) for row in tx.execute(_joined().where(where).order_by(*order).limit(limit))
    ]


def _joined() -> Select[Any]:
    return select(
        table,
        call.c.pbx,
        call.c.began,
        call.c.line,
        call.c.caller_raw,
        call.c.caller_e164,
        call.c.caller_name,
        call.c.withheld,
        contact.c.name.label("contact_name"),
    ).select_from(
        table.join(call, call.c.id == table.c.call)
        .outerjoin(contact_number, contact_number.c.number == call.c.caller_e164)
        .outerjoin(contact, contact.c.id == contact_number.c.contact)
    )


def _record(row: Row[Any]) -> RecordingRecord:
    return RecordingRecord(
        recording_id=row.id,
        call_row=row.call,
        pbx=row.pbx,
        began=row.began,
        caller="" if row.withheld else row.caller_e164 or row.caller_raw,
        number=row.caller_raw,
        name="" if row.withheld else row.contact_name or row.caller_name,
        line=row.line,
        mailbox=row.mailbox,
        channel=row.channel,
        left_at=row.left_at,
        path=row.path,
        seconds=row.seconds,
        state=named(RecordingState, row.state),
        transcript=row.transcript,
        language=row.language,
        attempts=row.attempts,
        due_at=row.due_at,
        tell_at=row.tell_at,
        problem=row.problem,
    )
