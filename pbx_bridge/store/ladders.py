"""Ladders: because of which urgent alert those on call are phoned, each call, and what came of it.

One of a caller runs at a time. A call is written down before the PBX is told to place it: after a
crash it may have been placed, and counts as under way until its time is over.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, select

from pbx_bridge.core.call import Disposition
from pbx_bridge.core.ladder import Ladder, LadderState, Leg, LegOutcome
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import alert, call, contact_number, crm_contact, outbound_call
from pbx_bridge.store.schema import ladder as table
from pbx_bridge.store.schema import ladder_leg as legs

#: Ladders that run at one time are few; more than so many are read with the next look.
BATCH = 100
_RUNNING = table.c.state == LadderState.RUNNING.value


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRecord:
    """One call to one person as it stands."""

    row_id: int
    token: str  #: its name in the PBX, and a secret: who knows it could say that it was taken
    person: str
    detail: str
    leg: Leg


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderRecord:
    """A ladder as it stands."""

    row_id: int
    alert_id: int
    number: str  #: the caller's, E.164
    line: str
    wrote: bool  #: the caller wrote that it is urgent; else called again
    call_row: int | None
    taken_by: str
    ended_at: datetime | None
    detail: str
    ladder: Ladder
    legs: tuple[LegRecord, ...]

    @property
    def under_way(self) -> LegRecord | None:
        """Give the call that is under way."""
        last = self.legs[-1] if self.legs else None
        return last if last is not None and last.leg.outcome is None else None


def open_ladder(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    *,
    alert_id: int,
    number: str,
    line: str,
    wrote: bool,
    call_row: int | None,
    now: datetime,
) -> int:
    """Have those on call phoned; give the row id."""
    row_id: int = tx.execute(
        table.insert()
        .values(
            alert=alert_id,
            number=number,
            line=line,
            wrote=wrote,
            call=call_row,
            opened_at=now,
            state=LadderState.RUNNING.value,
            taken_by="",
            detail="",
        )
        .returning(table.c.id)
    ).scalar_one()
    return row_id


def running(tx: Connection) -> list[LadderRecord]:
    """Give those that run, the oldest first."""
    return _select(tx, _RUNNING, table.c.id, limit=BATCH)


def get(tx: Connection, ladder_id: int) -> LadderRecord | None:
    found = _select(tx, table.c.id == ladder_id, table.c.id, limit=1)
    return found[0] if found else None


def recent(tx: Connection, *, limit: int = 50) -> list[LadderRecord]:
    """Give ladders, the newest first."""
    return _select(tx, table.c.id.is_not(None), table.c.id.desc(), limit=limit)


def of_call(tx: Connection, call_row: int) -> list[LadderRecord]:
    """Give what was done because of a call, the oldest first."""
    return _select(tx, table.c.call == call_row, table.c.id, limit=BATCH)


def of_alerts(tx: Connection, ids: Iterable[int]) -> dict[int, LadderRecord]:
    """Give what was done because of alerts, by their ids."""
    wanted = list(ids)
    found = _select(tx, table.c.alert.in_(wanted), table.c.id, limit=len(wanted))
    return {record.alert_id: record for record in found}


def opened_since(tx: Connection, since: datetime, number: str | None = None) -> int:
    """Count those that were opened since then, for a caller or for all."""
    where = table.c.opened_at >= since
    if number is not None:
        where &= table.c.number == number
    count: int = tx.execute(select(func.count()).select_from(table).where(where)).scalar_one()
    return count


def runs_for(tx: Connection, number: str) -> bool:
    """Tell whether those on call are being phoned because of this caller."""
    query = select(table.c.id).where(_RUNNING, table.c.number == number).limit(1)
    return tx.execute(query).first() is not None


def place(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    ladder_id: int,
    *,
    round_: int,
    place: int,
    person: str,
    token: str,
    now: datetime,
) -> LegRecord:
    """Write down that somebody is about to be rung."""
    leg = Leg(round=round_, place=place, placed_at=now)
    row_id: int = tx.execute(
        legs.insert()
        .values(
            ladder=ladder_id,
            round=round_,
            place=place,
            person=person,
            token=token,
            placed_at=now,
            outcome="",
            detail="",
        )
        .returning(legs.c.id)
    ).scalar_one()
    return LegRecord(row_id=row_id, token=token, person=person, detail="", leg=leg)


def answered(tx: Connection, leg_id: int, at: datetime) -> None:
    """Write down that somebody, or a machine, answered."""
    first = (legs.c.id == leg_id) & legs.c.answered_at.is_(None)
    tx.execute(legs.update().where(first).values(answered_at=at))


def leg_over(
    tx: Connection, leg_id: int, outcome: LegOutcome, at: datetime, detail: str = ""
) -> bool:
    """Write down what became of a call; tell if that was not known. A late "took" is kept."""
    still = legs.c.id == leg_id
    if outcome is LegOutcome.TOOK:
        still &= legs.c.outcome != LegOutcome.TOOK.value
    else:
        still &= legs.c.outcome == ""
    values = {"outcome": outcome.value, "ended_at": at, "detail": detail}
    return tx.execute(legs.update().where(still).values(values)).rowcount > 0


def end(  # noqa: PLR0913 - what there is to write down
    tx: Connection,
    ladder_id: int,
    state: LadderState,
    at: datetime,
    *,
    by: str = "",
    detail: str = "",
) -> bool:
    """End a ladder; tell if it ran. A call that is still under way is followed no more."""
    under_way = (legs.c.ladder == ladder_id) & (legs.c.outcome == "")
    lost = {"outcome": LegOutcome.LOST.value, "ended_at": at}
    tx.execute(legs.update().where(under_way).values(lost))
    values = {"state": state.value, "taken_by": by, "ended_at": at, "detail": detail}
    still = (table.c.id == ladder_id) & _RUNNING
    return tx.execute(table.update().where(still).values(values)).rowcount > 0


def taken_otherwise(tx: Connection, record: LadderRecord) -> str | None:
    """Tell who took the alert by other means, if somebody did; it may have no name."""
    row = tx.execute(
        select(alert.c.acknowledged_at, alert.c.acknowledged_by).where(
            alert.c.id == record.alert_id
        )
    ).first()
    if row is None or row.acknowledged_at is None:
        return None
    by: str = row.acknowledged_by
    return by


def spoken_since(
    tx: Connection, number: str, national: str, since: datetime, long_enough: timedelta
) -> datetime | None:
    """Tell when somebody here spoke to the caller since then: they rang again, or were rung."""
    inbound: datetime | None = tx.execute(
        select(func.min(call.c.answered_at)).where(
            call.c.caller_e164 == number,
            call.c.answered_at >= since,
            call.c.disposition == Disposition.ANSWERED.value,
        )
    ).scalar()
    if inbound is not None:
        return inbound
    rows = tx.execute(
        select(outbound_call.c.answered_at, outbound_call.c.ended).where(
            outbound_call.c.began >= since,
            outbound_call.c.dialled.endswith(national),
            outbound_call.c.answered_at.is_not(None),
            outbound_call.c.ended.is_not(None),
        )
    )
    return next(
        (row.answered_at for row in rows if row.ended - row.answered_at >= long_enough), None
    )


def is_known(tx: Connection, number: str) -> bool:
    """Tell whether the office knows the caller: a contact, a CRM's, or somebody we spoke to."""
    query = select(
        exists().where(contact_number.c.number == number)
        | exists().where(crm_contact.c.number == number)
        | exists().where(call.c.caller_e164 == number, call.c.answered_at.is_not(None))
    )
    return bool(tx.execute(query).scalar_one())


def _select(
    tx: Connection, where: ColumnElement[bool], *order: Any, limit: int
) -> list[LadderRecord]:
    rows = list(tx.execute(select(table).where(where).order_by(*order).limit(limit)))
    placed: dict[int, list[LegRecord]] = {row.id: [] for row in rows}
    for row in tx.execute(select(legs).where(legs.c.ladder.in_(list(placed))).order_by(legs.c.id)):
        placed[row.ladder].append(_leg(row))
    return [_record(row, tuple(placed[row.id])) for row in rows]


def _record(row: Row[Any], placed: tuple[LegRecord, ...]) -> LadderRecord:
    return LadderRecord(
        row_id=row.id,
        alert_id=row.alert,
        number=row.number,
        line=row.line,
        wrote=row.wrote,
        call_row=row.call,
        taken_by=row.taken_by,
        ended_at=row.ended_at,
        detail=row.detail,
        ladder=Ladder(
            opened_at=row.opened_at,
            state=named(LadderState, row.state),
            legs=tuple(record.leg for record in placed),
        ),
        legs=placed,
    )


def _leg(row: Row[Any]) -> LegRecord:
    return LegRecord(
        row_id=row.id,
        token=row.token,
        person=row.person,
        detail=row.detail,
        leg=Leg(
            round=row.round,
            place=row.place,
            placed_at=row.placed_at,
            answered_at=row.answered_at,
            ended_at=row.ended_at,
            outcome=named(LegOutcome, row.outcome) if row.outcome else None,
        ),
    )
