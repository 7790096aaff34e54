"""Rows, when the clock was set: whatever waits, and what happened lately, moves with it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, func, or_, select

from pbx_bridge.core.jump import EvenTime, Jump
from pbx_bridge.store import schema
from pbx_bridge.store.schema import UtcTime
from pbx_bridge.store.schema import clock as table

#: These tell others, or prove, when something was: they stay as they were written.
EVIDENCE = {schema.audit, schema.consent, schema.event, schema.jump, table}
#: An appointment, not a time to wait for.
ARRANGED = {schema.booking.c.starts_at}
#: From these on records are searched, by the PBX's clock: that may have been set, too, or not.
UNSEEN_FROM = {schema.pbx.c.seen_at, schema.gap.c.began}

#: So many of the last jumps are kept: by these records are dated.
KEPT = 20

#: A sign of life may lie so far in the future, after a restore of the database.
AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Mark:
    """By what clock the rows were written: that of one start of one machine.

    `origin` is what it would have shown when the machine was started, if it was not set since.
    """

    boot: str
    origin: datetime


def catch_up(tx: Connection, current: Mark, now: datetime) -> tuple[Jump | None, int]:
    """Move what an earlier run left, if the clock was set meanwhile; tell how many rows that were.

    Across starts of the machine that shows only if it was set back: by how much at least.
    """
    jump = _meanwhile(tx, current, now)
    if jump is not None:
        return jump, follow(tx, jump, current)
    _remember(tx, current)
    return None, 0


def follow(tx: Connection, jump: Jump, current: Mark) -> int:
    """Move what waits, and what happened lately; give how many rows that were."""
    _remember(tx, current)
    kept = schema.jump
    tx.execute(kept.insert().values(at=jump.at, seconds=jump.by.total_seconds(), since=jump.since))
    newest = select(kept.c.id).order_by(kept.c.id.desc()).limit(KEPT)
    tx.execute(kept.delete().where(kept.c.id.not_in(newest)))
    return _move_all(tx, jump)


def forget(tx: Connection) -> None:
    """Drop those by which no record will be dated any more: all until now was seen or searched.

    A clock that was set back shows the same time again, so a jump is not kept for longer.
    """
    unseen = select(schema.gap.c.id).where(schema.gap.c.ended.is_(None)).exists()
    tx.execute(schema.jump.delete().where(~unseen))


def latest(tx: Connection) -> list[Jump]:
    """Give the jumps that are kept, the first first."""
    rows = tx.execute(select(schema.jump).order_by(schema.jump.c.id))
    return [Jump(at=row.at, by=timedelta(seconds=row.seconds), since=row.since) for row in rows]


def _meanwhile(tx: Connection, current: Mark, now: datetime) -> Jump | None:
    known = tx.execute(select(table)).first()
    if known is not None and current.boot and known.boot == current.boot:
        elapsed = now - current.origin
        even = EvenTime(known.origin, timedelta())
        by = even.jump(now, elapsed)
        return Jump(at=even.at(elapsed), by=by, since=known.origin) if by else None
    latest: datetime | None = tx.execute(select(func.max(schema.pbx.c.seen_at))).scalar_one()
    if latest is None or latest <= now + AHEAD:
        return None
    return Jump(at=latest, by=now - latest)


def _remember(tx: Connection, current: Mark) -> None:
    """Write down by what clock rows are written from now on."""
    values = {"boot": current.boot, "origin": current.origin}
    if tx.execute(table.update().values(values)).rowcount == 0:
        tx.execute(table.insert().values(id=1, **values))


def _move_all(tx: Connection, jump: Jump) -> int:
    return sum(
        _move_rows(tx, one, jump) for one in schema.metadata.sorted_tables if one not in EVIDENCE
    )


def _move_rows(tx: Connection, rows: Table, jump: Jump) -> int:
    times = [
        column
        for column in rows.columns
        if isinstance(column.type, UtcTime) and column not in ARRANGED
    ]
    if not times:
        return 0
    keys = list(rows.primary_key.columns)
    late = or_(*(column >= jump.horizon for column in times))
    changes = [
        {f"key_{key.name}": getattr(row, key.name) for key in keys} | values
        for row in tx.execute(select(*keys, *times).where(late))
        if (values := _moved(row, times, jump))
    ]
    if changes:
        this = [key == bindparam(f"key_{key.name}") for key in keys]
        tx.execute(
            rows.update().where(*this).values({c.name: bindparam(c.name) for c in times}), changes
        )
    return len(changes)


def _moved(row: Any, times: Iterable[Column[Any]], jump: Jump) -> dict[str, datetime | None]:
    """Give all times of a row, moved; nothing if none does."""
    known = {column.name: getattr(row, column.name) for column in times}
    if not jump.concerns([at for at in known.values() if at is not None]):
        return {}
    values = {
        column.name: None if at is None else _move(column, at, jump)
        for column in times
        for at in (known[column.name],)
    }
    return values if values != known else {}


def _move(column: Column[Any], at: datetime, jump: Jump) -> datetime:
    if column in UNSEEN_FROM and jump.by > timedelta():
        return at
    return jump.moved(at)
