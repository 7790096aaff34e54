"""Calls, their timeline and what was decided about them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, func, or_, select

from pbx_bridge.core.call import (
    Call,
    Caller,
    Disposition,
    HungUpBy,
    OutboundCall,
    QueueVisit,
    Reason,
    Rung,
    Step,
    StepKind,
)
from pbx_bridge.core.delivery import State
from pbx_bridge.store import consents, followups, ladders, receipts, recordings, replies
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.consents import ConsentRecord
from pbx_bridge.store.followups import FollowUpRecord, StepRecord
from pbx_bridge.store.ladders import LadderRecord
from pbx_bridge.store.paging import Mark, before
from pbx_bridge.store.reading import named, reading
from pbx_bridge.store.receipts import ReceiptRecord
from pbx_bridge.store.recordings import RecordingRecord
from pbx_bridge.store.replies import ReplyRecord
from pbx_bridge.store.schema import call as table
from pbx_bridge.store.schema import contact, contact_number, decision, message, outbound_call
from pbx_bridge.store.schema import step as timeline

#: A call that seems to live for longer is one whose end was missed.
LONGEST_LIVE_CALL = timedelta(hours=4)
#: SQLite's row ids are 64 bit; a longer run of digits is no row id.
ROW_ID_DIGITS = 18


# Statements that a finished call needs are made once: making one anew costs SQLAlchemy a tenth of a
# millisecond, and half of one for a whole row, many times what SQLite takes to run it.
_INSERT = table.insert().returning(table.c.id)
_UPDATE = table.update().where(table.c.id == bindparam("row"))
_INSERT_STEP = timeline.insert()
_FORGET_STEPS = timeline.delete().where(timeline.c.call == bindparam("row"))
_INSERT_DECISION = decision.insert()
_KNOWN = select(table.c.id, table.c.ended, table.c.disposition).where(
    table.c.pbx == bindparam("pbx"),
    table.c.boot == bindparam("boot"),
    table.c.call_id == bindparam("call_id"),
)
_DECIDED = (
    select(decision.c.id)
    .where(decision.c.call == bindparam("row"), decision.c.moment == bindparam("moment"))
    .limit(1)
)
_DIALLED = outbound_call.c.dialled.endswith(bindparam("dialled"))
_SPOKE_HERE = select(func.max(table.c.answered_at)).where(
    table.c.caller_e164 == bindparam("e164"),
    table.c.answered_at >= bindparam("since"),
    table.c.id != bindparam("except_row"),
)
_SPOKE_THERE = select(outbound_call.c.answered_at, outbound_call.c.ended).where(
    outbound_call.c.answered_at >= bindparam("since"), _DIALLED
)
_LIVE_HERE = (
    select(table.c.id)
    .where(
        table.c.caller_e164 == bindparam("e164"),
        table.c.ended.is_(None),
        table.c.began >= bindparam("earliest"),
        table.c.id != bindparam("except_row"),
    )
    .limit(1)
)
_LIVE_THERE = (
    select(outbound_call.c.id)
    .where(
        outbound_call.c.ended.is_(None), outbound_call.c.began >= bindparam("earliest"), _DIALLED
    )
    .limit(1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """A judgement: `outcome` is `text`, `shadow` or `skip`, `rule` the check that decided."""

    at: datetime
    moment: str
    outcome: str
    rule: str
    detail: str
    checks: tuple[tuple[str, str, str], ...]  #: (check, verdict, detail); empty in listings
    matched_rule: str = ""  #: of the office's rules; empty if none was asked
    sequence: str = ""  #: that it asks for
    track: str = ""  #: in what sort of time the call came, see `core.hours.Track`


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """A call as it stands. While it lives `call.ended` is None, its disposition means nothing."""

    row_id: int
    pbx: str
    boot: str
    call: Call  #: without its steps
    caller_e164: str | None
    decision: DecisionRecord | None  #: the last one
    message_id: int | None  #: the last one
    message_state: State | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that is known about one call."""

    record: CallRecord
    steps: tuple[Step, ...]
    decisions: tuple[DecisionRecord, ...]
    messages: tuple[stored_messages.MessageRecord, ...]
    attempts: tuple[stored_messages.AttemptRecord, ...]
    receipts: tuple[ReceiptRecord, ...]  #: what the gateways told about them later
    replies: tuple[ReplyRecord, ...]  #: what the caller wrote to them
    follow_ups: tuple[tuple[FollowUpRecord, tuple[StepRecord, ...]], ...] = ()  #: that it began
    recording: RecordingRecord | None  #: of the message that the caller left
    consents: tuple[ConsentRecord, ...] = ()  #: what the caller said of texts by keys
    ladders: tuple[LadderRecord, ...] = ()  #: whom the PBX phoned because of it


def begin(tx: Connection, pbx: str, boot: str, call: Call, caller_e164: str | None) -> int:
    """Write down a call that begins, unless it is known; give its row id."""
    row_id = _row_id(tx, pbx, boot, call.call_id)
    if row_id is not None:
        return row_id
    return _insert(tx, pbx, boot, call, caller_e164)


def answered(tx: Connection, row_id: int, call: Call) -> None:
    """Write down that a person answered, while the call lives."""
    changed = {
        "answered_at": call.answered_at,
        "answered_by": call.answered_by,
        "disposition": call.disposition.value,
        "reason": call.reason.value,
    }
    tx.execute(_UPDATE, {"row": row_id, **changed})


def withheld(tx: Connection, row_id: int) -> None:
    """Write down that the caller forbade showing the number."""
    tx.execute(table.update().where(table.c.id == row_id).values(withheld=True))


def finish(tx: Connection, pbx: str, boot: str, call: Call, caller_e164: str | None) -> int | None:
    """Write down a finished call with its steps; give its row id.

    None if it already stands judged, so that nobody decides about it twice. What could not be
    observed gives way to what was found out about it later.
    """
    which = {"pbx": pbx, "boot": boot, "call_id": call.call_id}
    known = tx.execute(_KNOWN, which).first()
    if known is None:
        row_id = _insert(tx, pbx, boot, call, caller_e164)
    else:
        if known.ended is not None and (
            known.disposition != Disposition.UNOBSERVED
            or call.disposition is Disposition.UNOBSERVED
        ):
            return None
        row_id = known.id
        tx.execute(_UPDATE, {"row": row_id, **_columns(call, caller_e164)})
    tx.execute(_FORGET_STEPS, {"row": row_id})
    if call.steps:
        tx.execute(
            _INSERT_STEP,
            [
                {
                    "call": row_id,
                    "n": n,
                    "at": step.at,
                    "kind": step.kind.value,
                    "who": step.who,
                    "detail": step.detail,
                }
                for n, step in enumerate(call.steps)
            ],
        )
    return row_id


def trunks(tx: Connection, pbx: str, since: datetime) -> list[str]:
    """Name the endpoints through which calls came in to a PBX since then."""
    query = select(table.c.trunk).where(table.c.pbx == pbx, table.c.began >= since).distinct()
    return sorted(trunk for trunk in tx.execute(query).scalars() if trunk)


def still_open(tx: Connection, pbx: str) -> list[CallRecord]:
    """Give the calls of a PBX whose end nobody wrote down, oldest first."""
    query = _records().where(table.c.pbx == pbx, table.c.ended.is_(None))
    return [_record(row) for row in tx.execute(query.order_by(table.c.began, table.c.id))]


def save_decision(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    row_id: int,
    *,
    at: datetime,
    moment: str,
    outcome: str,
    rule: str,
    detail: str,
    checks: Sequence[tuple[str, str, str]],
    matched_rule: str = "",
    sequence: str = "",
    track: str = "",
) -> None:
    """Write down a judgement; `checks` are (check, verdict, detail) in the order of judgement."""
    tx.execute(
        _INSERT_DECISION,
        {
            "call": row_id,
            "at": at,
            "moment": moment,
            "outcome": outcome,
            "rule": rule,
            "detail": detail,
            "checks": [list(check) for check in checks],
            "matched_rule": matched_rule,
            "sequence": sequence,
            "track": track,
        },
    )


def was_decided(tx: Connection, row_id: int, moment: str) -> bool:
    """Tell whether a call was decided on at that moment."""
    return tx.execute(_DECIDED, {"row": row_id, "moment": moment}).first() is not None


def upsert_outbound(tx: Connection, pbx: str, boot: str, outbound: OutboundCall) -> OutboundCall:
    """Write down what is known now about an outbound call; give it as it stands.

    What was known is not forgotten: a later run of the service did not see its beginning.
    """
    where = and_(
        outbound_call.c.pbx == pbx,
        outbound_call.c.boot == boot,
        outbound_call.c.call_id == outbound.call_id,
    )
    known = tx.execute(select(outbound_call).where(where)).first()
    stands = outbound
    if known is not None:
        stands = OutboundCall(
            call_id=outbound.call_id,
            began=known.began,
            dialled=known.dialled or outbound.dialled,
            answered_at=known.answered_at or outbound.answered_at,
            ended=outbound.ended or known.ended,
        )
    told = {
        "dialled": stands.dialled,
        "answered_at": stands.answered_at,
        "ended": stands.ended,
    }
    if known is None:
        which = {"pbx": pbx, "boot": boot, "call_id": outbound.call_id}
        tx.execute(outbound_call.insert().values(began=outbound.began, **which, **told))
    else:
        tx.execute(outbound_call.update().where(where).values(told))
    return stands


def close_open_outbound(tx: Connection, pbx: str, now: datetime, live: Collection[str] = ()) -> int:
    """End the outbound calls whose end was not seen; give how many. Those in `live` go on."""
    return tx.execute(
        outbound_call.update()
        .where(
            outbound_call.c.pbx == pbx,
            outbound_call.c.ended.is_(None),
            outbound_call.c.call_id.not_in(live),
        )
        .values(ended=now)
    ).rowcount


def spoken_since(  # noqa: PLR0913 - whose, since when, and what counts
    tx: Connection,
    e164: str,
    national_significant_number: str,
    since: datetime,
    except_row: int | None = None,
    *,
    now: datetime | None = None,
    long_enough: timedelta = timedelta(),
) -> datetime | None:
    """Give when somebody here last began to speak with that number, at or after `since`.

    That is a call of theirs which a person answered, or a call to them which was answered, and
    lasted at least `long_enough`, by `now` if it still does: machines answer too. What was dialled
    is compared by its end: before it stand outside-line prefix and country code.
    """
    here = {"e164": e164, "since": since, "except_row": -1 if except_row is None else except_row}
    there = {"since": since, "dialled": national_significant_number}
    times = [tx.execute(_SPOKE_HERE, here).scalar_one()]
    if national_significant_number.isdigit():  # every number ends with nothing, or with a %
        times += [
            row.answered_at
            for row in tx.execute(_SPOKE_THERE, there)
            if spoke(row.answered_at, row.ended or now, long_enough)
        ]
    return max((at for at in times if at is not None), default=None)


def spoke(answered_at: datetime | None, until: datetime | None, long_enough: timedelta) -> bool:
    """Tell whether a call to somebody was a conversation; without an end one that still lasts."""
    if answered_at is None:
        return False
    return until is None or until - answered_at >= long_enough


def in_call(
    tx: Connection,
    e164: str,
    national_significant_number: str,
    now: datetime,
    except_row: int | None = None,
) -> bool:
    """Tell whether that number rings, waits or speaks here now, in either direction."""
    earliest = now - LONGEST_LIVE_CALL
    here = {
        "e164": e164,
        "earliest": earliest,
        "except_row": -1 if except_row is None else except_row,
    }
    if tx.execute(_LIVE_HERE, here).first() is not None:
        return True
    if not national_significant_number.isdigit():
        return False
    there = {"earliest": earliest, "dialled": national_significant_number}
    return tx.execute(_LIVE_THERE, there).first() is not None


def recent(  # noqa: PLR0913 - the filters of a listing
    tx: Connection,
    *,
    limit: int,
    since: datetime | None = None,
    until: datetime | None = None,
    caller: str | None = None,
    text: str | None = None,
    line: str | None = None,
    disposition: Disposition | None = None,
    reason: Reason | None = None,
    mark: Mark | None = None,
) -> list[CallRecord]:
    """Give the newest calls first, from below `mark` on, that began from `since` to before `until`.

    `caller` is a number in E.164 or as the PBX gave it; `text` what somebody typed to find a
    caller: some digits of the number, or part of the name as the caller or the office has it.
    """
    conditions: list[ColumnElement[bool]] = []
    if since is not None:
        conditions.append(table.c.began >= since)
    if until is not None:
        conditions.append(table.c.began < until)
    if text is not None:
        conditions.append(_about(text))
    if caller is not None:
        as_given = table.c.caller_raw == caller
        if caller.startswith("+"):  # as the PBX gave it, it was read: then an index leads there
            as_given &= table.c.caller_e164.is_(None)
        conditions.append(or_(table.c.caller_e164 == caller, as_given))
    if line is not None:
        conditions.append(table.c.line == line)
    if disposition is not None:
        conditions.append(table.c.disposition == disposition.value)
        conditions.append(table.c.ended.is_not(None))
    if reason is not None:
        conditions.append(table.c.reason == reason.value)
        conditions.append(table.c.ended.is_not(None))
    query = _records().where(*conditions).order_by(table.c.began.desc(), table.c.id.desc())
    query = before(query, table.c.began, table.c.id, mark)
    return [_record(row) for row in tx.execute(query.limit(limit))]


def lines(tx: Connection, among: int = 1000) -> list[str]:
    """Name the lines, as the PBX says them, that the newest calls came in by."""
    newest = select(table.c.line).order_by(table.c.began.desc()).limit(among).subquery()
    return sorted(line for line in tx.execute(select(newest.c.line).distinct()).scalars() if line)


def _about(text: str) -> ColumnElement[bool]:
    """Look for a caller by what somebody typed."""
    digits = "".join(letter for letter in text if letter.isascii() and letter.isdigit())
    if digits and not any(letter.isalpha() for letter in text):
        # 0171 stands for what E.164 writes as +49171.
        local = digits.lstrip("0") or digits
        return or_(table.c.caller_e164.contains(local), table.c.caller_raw.contains(digits))
    known = (
        select(contact_number.c.number)
        .join(contact, contact.c.id == contact_number.c.contact)
        .where(
            or_(
                contact.c.name.icontains(text, autoescape=True),
                contact.c.company.icontains(text, autoescape=True),
            )
        )
    )
    return or_(table.c.caller_name.icontains(text, autoescape=True), table.c.caller_e164.in_(known))


def pbx_of(tx: Connection, row_id: int) -> str:
    """Name the PBX that a call came through."""
    return str(tx.execute(select(table.c.pbx).where(table.c.id == row_id)).scalar_one())


def of_numbers(tx: Connection, numbers: Sequence[str], *, limit: int) -> list[CallRecord]:
    """Give the newest calls from some numbers first, each in E.164."""
    query = _records().where(table.c.caller_e164.in_(numbers))
    query = query.order_by(table.c.began.desc(), table.c.id.desc()).limit(limit)
    return [_record(row) for row in tx.execute(query)]


def of_rows(tx: Connection, row_ids: Collection[int]) -> list[CallRecord]:
    """Give some calls."""
    return [_record(row) for row in tx.execute(_records().where(table.c.id.in_(row_ids)))]


def find(tx: Connection, ref: int | str) -> CallRecord | None:
    """Find a call by its row id or its Uniqueid; of several PBXs or boots the newest."""
    text = str(ref)
    is_row_id = text.isascii() and text.isdigit() and len(text) <= ROW_ID_DIGITS
    if is_row_id:
        row = tx.execute(_records().where(table.c.id == int(text))).first()
        if row is not None:
            return _record(row)
    query = _records().where(table.c.call_id == text).order_by(table.c.began.desc()).limit(1)
    row = tx.execute(query).first()
    return None if row is None else _record(row)


def latest(tx: Connection, pbx: str, call_id: str) -> CallRecord | None:
    """Find a call of one PBX by its Uniqueid; after a restart the same may come again."""
    query = _records().where(table.c.pbx == pbx, table.c.call_id == call_id)
    row = tx.execute(query.order_by(table.c.began.desc(), table.c.id.desc()).limit(1)).first()
    return None if row is None else _record(row)


def explanation(tx: Connection, row_id: int) -> Explanation | None:
    """Give all that is known about a call; None if there is no such row."""
    row = tx.execute(_records().where(table.c.id == row_id)).first()
    if row is None:
        return None
    steps = tx.execute(select(timeline).where(timeline.c.call == row_id).order_by(timeline.c.n))
    decisions = tx.execute(
        select(decision).where(decision.c.call == row_id).order_by(decision.c.id)
    )
    messages = stored_messages.of_call(tx, row_id)
    ids = [record.message_id for record in messages]
    return Explanation(
        record=_record(row),
        steps=tuple(
            Step(at=step.at, kind=named(StepKind, step.kind), who=step.who, detail=step.detail)
            for step in steps
        ),
        decisions=tuple(
            DecisionRecord(
                at=made.at,
                moment=made.moment,
                outcome=made.outcome,
                rule=made.rule,
                detail=made.detail,
                checks=_checks(made.checks),
                matched_rule=made.matched_rule,
                sequence=made.sequence,
                track=made.track,
            )
            for made in decisions
        ),
        messages=tuple(messages),
        attempts=tuple(stored_messages.attempts_of(tx, ids)),
        receipts=tuple(receipts.of_messages(tx, ids)),
        replies=tuple(replies.of_messages(tx, ids)),
        ladders=tuple(ladders.of_call(tx, row_id)),
        follow_ups=tuple(
            (one, tuple(followups.steps_of(tx, one.row_id)))
            for one in followups.of_call(tx, row_id)
        ),
        recording=recordings.of_call(tx, row_id),
        consents=tuple(consents.of_call(tx, row_id)),
    )


def _row_id(tx: Connection, pbx: str, boot: str, call_id: str) -> int | None:
    found = tx.execute(_KNOWN, {"pbx": pbx, "boot": boot, "call_id": call_id}).first()
    return None if found is None else found.id


def _insert(tx: Connection, pbx: str, boot: str, call: Call, caller_e164: str | None) -> int:
    which = {"pbx": pbx, "boot": boot, "call_id": call.call_id}
    row_id: int = tx.execute(_INSERT, which | _columns(call, caller_e164)).scalar_one()
    return row_id


def _columns(call: Call, caller_e164: str | None) -> dict[str, Any]:
    return {
        "began": call.began,
        "answered_at": call.answered_at,
        "ended": call.ended,
        "disposition": call.disposition.value,
        "reason": call.reason.value,
        "caller_raw": call.caller.number,
        "caller_e164": caller_e164,
        "caller_name": call.caller.name,
        "withheld": call.caller.withheld,
        "line": call.line,
        "trunk": call.trunk,
        "answered_by": call.answered_by,
        "hung_up_by": call.hung_up_by.value,
        "ring_seconds": call.ring_seconds,
        "voicemail_seconds": call.voicemail_seconds,
        "mailbox": call.mailbox,
        "queue": call.queue.queue if call.queue else None,
        "queue_position": call.queue.position if call.queue else None,
        "queue_wait_seconds": call.queue.wait_seconds if call.queue else None,
        "rung": [[rung.endpoint, rung.seconds, rung.times, rung.status] for rung in call.rung],
        "source": call.source,
    }


def _records() -> Select[Any]:
    """Select calls with their last decision and message, so that a listing is one query."""
    last_decision = (
        select(func.max(decision.c.id))
        .where(decision.c.call == table.c.id)
        .correlate(table)
        .scalar_subquery()
    )
    last_message = (
        select(func.max(message.c.id))
        .where(message.c.call == table.c.id)
        .correlate(table)
        .scalar_subquery()
    )
    return (
        select(
            table,
            decision.c.id.label("decision_id"),
            decision.c.at.label("decided_at"),
            decision.c.moment,
            decision.c.outcome,
            decision.c.rule,
            decision.c.detail.label("decision_detail"),
            message.c.id.label("message_id"),
            message.c.state.label("message_state"),
        )
        .outerjoin(decision, decision.c.id == last_decision)
        .outerjoin(message, message.c.id == last_message)
    )


def _record(row: Row[Any]) -> CallRecord:
    queue = None
    if row.queue is not None:
        queue = QueueVisit(row.queue, row.queue_position, row.queue_wait_seconds)
    made = None
    if row.decision_id is not None:
        made = DecisionRecord(
            at=row.decided_at,
            moment=row.moment,
            outcome=row.outcome,
            rule=row.rule,
            detail=row.decision_detail,
            checks=(),
        )
    return CallRecord(
        row_id=row.id,
        pbx=row.pbx,
        boot=row.boot,
        call=Call(
            call_id=row.call_id,
            began=row.began,
            ended=row.ended,
            disposition=named(Disposition, row.disposition),
            reason=named(Reason, row.reason),
            caller=Caller(row.caller_raw, row.caller_name, row.withheld),
            line=row.line,
            trunk=row.trunk,
            answered_at=row.answered_at,
            answered_by=row.answered_by,
            hung_up_by=named(HungUpBy, row.hung_up_by),
            ring_seconds=row.ring_seconds,
            rung=_rung(row.rung),
            queue=queue,
            voicemail_seconds=row.voicemail_seconds,
            mailbox=row.mailbox,
            steps=(),
            source=row.source,
        ),
        caller_e164=row.caller_e164,
        decision=made,
        message_id=row.message_id,
        message_state=None if row.message_state is None else named(State, row.message_state),
    )


def _checks(stored: Any) -> tuple[tuple[str, str, str], ...]:
    with reading("the checks of a decision", stored):
        return tuple((check, verdict, detail) for check, verdict, detail in stored)


def _rung(stored: Any) -> tuple[Rung, ...]:
    with reading("what was rung", stored):
        return tuple(Rung(*rung) for rung in stored)
