"""What the office's people are to be told: written down with what caused it, told afterwards.

`due_at` is when an alert is next told; NULL is never again. An alert that some channels could not
be told stays due for those: `problem` names them, one a line.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from pbx_bridge.core.alerting import Alert, AlertKind, Told
from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import alert as table

#: Read at a time; what is left comes with the next message.
BATCH = 500

_OPEN = table.c.due_at.is_not(None) & table.c.acknowledged_at.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord:
    """An alert as it stands."""

    alert_id: int
    at: datetime
    kind: AlertKind
    subject: str
    text: str
    urgent: bool
    times: int
    due_at: datetime | None
    told: int
    told_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    problems: Mapping[str, str]  #: by the name of the channel that was not told
    reply_row: int | None
    recording: int | None

    def as_alert(self) -> Alert:
        """Give what matters for telling it."""
        return Alert(
            alert_id=self.alert_id,
            at=self.at,
            kind=self.kind,
            subject=self.subject,
            text=self.text,
            urgent=self.urgent,
            times=self.times,
            due_at=self.due_at or self.at,
            told=self.told,
            recording=self.recording,
        )


def raise_alert(  # noqa: PLR0913 - the columns of one row
    tx: Connection,
    *,
    now: datetime,
    kind: AlertKind,
    subject: str,
    text: str,
    urgent: bool = False,
    reply_row: int | None = None,
    recording: int | None = None,
) -> int:
    """Write down what to tell; give its row id.

    One of the same kind and subject that nobody was told of yet takes it in instead, unless there
    is a recording to each.
    """
    waiting = tx.execute(
        select(table.c.id, table.c.times).where(
            table.c.kind == kind.value,
            table.c.subject == subject,
            table.c.told == 0,
            table.c.due_at.is_not(None),
        )
    ).first()
    if waiting is not None and not urgent and recording is None:
        changed = {"times": waiting.times + 1, "text": text}
        tx.execute(table.update().where(table.c.id == waiting.id).values(changed))
        row_id: int = waiting.id
        return row_id
    return _insert(
        tx,
        at=now,
        kind=kind.value,
        subject=subject,
        text=text,
        urgent=urgent,
        times=1,
        due_at=now,
        reply=reply_row,
        recording=recording,
    )


def reword(tx: Connection, recording: int, text: str) -> int:
    """Change what an alert about a recording says that nobody was told of yet; give how many."""
    still = (table.c.recording == recording) & (table.c.told == 0) & table.c.due_at.is_not(None)
    return tx.execute(table.update().where(still).values(text=text)).rowcount


def waiting(tx: Connection, *, urgent: bool) -> list[Alert]:
    """Give what is to be told, the longest due first: routine alerts once, urgent ones again."""
    where = _OPEN & (table.c.urgent == urgent)
    if not urgent:
        where &= table.c.told == 0
    return [record.as_alert() for record in _select(tx, where, table.c.due_at, table.c.id)]


def behind(tx: Connection) -> list[AlertRecord]:
    """Give routine alerts that were told, but not to every channel."""
    where = _OPEN & ~table.c.urgent & (table.c.told > 0)
    return _select(tx, where, table.c.due_at, table.c.id)


def history(tx: Connection, since: datetime) -> list[Told]:
    """Give what was told since then, each for the last time."""
    columns = (table.c.told_at, table.c.kind, table.c.subject, table.c.urgent, table.c.told)
    query = select(*columns).where(table.c.told_at >= since).order_by(table.c.told_at)
    return [
        Told(row.told_at, (named(AlertKind, row.kind), row.subject), row.urgent, row.told)
        for row in tx.execute(query)
    ]


def last_told(tx: Connection) -> datetime | None:
    """Give when anything was last told."""
    at: datetime | None = tx.execute(
        select(table.c.told_at)
        .where(table.c.told_at.is_not(None))
        .order_by(table.c.told_at.desc())
        .limit(1)
    ).scalar()
    return at


def told(
    tx: Connection,
    alerts: Iterable[Alert],
    *,
    at: datetime,
    next_at: Mapping[int, datetime | None],
    problems: Mapping[str, str],
) -> None:
    """Write down that alerts were told, and to which channels they were not.

    `at` is no other message's. `next_at` is when to tell again, by id. What was taken in while the
    message was on its way becomes an alert of its own: nobody has read that yet.
    """
    for seen in alerts:
        row = tx.execute(select(table).where(table.c.id == seen.alert_id)).first()
        if row is None:  # forgotten meanwhile
            continue
        if row.times > seen.times:
            _insert(
                tx,
                at=at,
                kind=row.kind,
                subject=row.subject,
                text=row.text,
                urgent=row.urgent,
                times=row.times - seen.times,
                due_at=at,
                reply=row.reply,
                recording=row.recording,
            )
        values = {
            "told": row.told + 1,
            "told_at": at,
            "times": seen.times,
            "text": seen.text,
            "due_at": None if row.acknowledged_at is not None else next_at[seen.alert_id],
            "problem": _written(problems),
        }
        tx.execute(table.update().where(table.c.id == seen.alert_id).values(values))


def told_late(tx: Connection, ids: Collection[int], channel: str, problem: str) -> None:
    """Write down that a channel was told of alerts later than others, or why not (again)."""
    for record in _select(tx, table.c.id.in_(ids), table.c.id, limit=len(ids)):
        problems = dict(record.problems)
        problems.pop(channel, None)
        if problem:
            problems[channel] = problem
        changed = {"problem": _written(problems)}
        tx.execute(table.update().where(table.c.id == record.alert_id).values(changed))


def put_off(tx: Connection, ids: Collection[int], due_at: datetime | None) -> None:
    """Let alerts that nobody took meanwhile be due again then, or never."""
    tx.execute(table.update().where(table.c.id.in_(ids) & _OPEN).values(due_at=due_at))


def find(tx: Connection, alert_id: int) -> AlertRecord | None:
    """Give an alert by its id."""
    found = _select(tx, table.c.id == alert_id, table.c.id, limit=1)
    return found[0] if found else None


def failed(
    tx: Connection,
    alerts: Iterable[Alert],
    *,
    problems: Mapping[str, str],
    due_at: datetime | None = None,
) -> None:
    """Write down why nobody could be told; `due_at` is when to try again, if that changes."""
    values: dict[str, Any] = {"problem": _written(problems)}
    if due_at is not None:
        values["due_at"] = due_at
    ids = [alert.alert_id for alert in alerts]
    tx.execute(table.update().where(table.c.id.in_(ids) & _OPEN).values(values))


def dismiss(tx: Connection, wanted: Collection[AlertKind]) -> int:
    """Tell nobody of alerts of other kinds; give how many there were."""
    unwanted = _OPEN & table.c.kind.not_in([kind.value for kind in wanted])
    return tx.execute(table.update().where(unwanted).values(due_at=None)).rowcount


def unwanted(tx: Connection, wanted: Collection[AlertKind]) -> bool:
    """Tell whether there are alerts of other kinds still to be told."""
    where = _OPEN & table.c.kind.not_in([kind.value for kind in wanted])
    return tx.execute(select(table.c.id).where(where).limit(1)).first() is not None


def acknowledge(tx: Connection, *, by: str, now: datetime, ids: Collection[int]) -> int:
    """Let somebody take alerts, which ends their telling; give how many were not taken yet."""
    return _acknowledge(tx, table.c.id.in_(ids), by, now)


def acknowledge_subject(
    tx: Connection, *, by: str, now: datetime, subject: str, kind: AlertKind | None = None
) -> int:
    """Let somebody take all alerts (of a kind) about a number, gateway or line; give how many."""
    which = table.c.subject == subject
    if kind is not None:
        which &= table.c.kind == kind.value
    return _acknowledge(tx, which, by, now)


def recent(tx: Connection, *, limit: int = 50, only_open: bool = False) -> list[AlertRecord]:
    """Give alerts, the newest first; `only_open`: those that nobody took."""
    where = table.c.acknowledged_at.is_(None) if only_open else table.c.id.is_not(None)
    return _select(tx, where, table.c.at.desc(), table.c.id.desc(), limit=limit)


def _acknowledge(tx: Connection, which: ColumnElement[bool], by: str, now: datetime) -> int:
    values = {"acknowledged_at": now, "acknowledged_by": by, "due_at": None}
    still = which & table.c.acknowledged_at.is_(None)
    return tx.execute(table.update().where(still).values(values)).rowcount


def _insert(tx: Connection, **values: Any) -> int:
    fresh = {"told": 0, "acknowledged_by": "", "problem": ""}
    row_id: int = tx.execute(
        table.insert().values(fresh | values).returning(table.c.id)
    ).scalar_one()
    return row_id


def _select(
    tx: Connection, where: ColumnElement[bool], *order: Any, limit: int = BATCH
) -> list[AlertRecord]:
    query = select(table).where(where).order_by(*order).limit(limit)
    return [_record(row) for row in tx.execute(query)]


def _record(row: Row[Any]) -> AlertRecord:
    return AlertRecord(
        alert_id=row.id,
        at=row.at,
        kind=named(AlertKind, row.kind),
        subject=row.subject,
        text=row.text,
        urgent=row.urgent,
        times=row.times,
        due_at=row.due_at,
        told=row.told,
        told_at=row.told_at,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        problems=_read(row.problem),
        reply_row=row.reply,
        recording=row.recording,
    )


def _written(problems: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {' '.join(why.split())}" for name, why in problems.items())


def _read(written: str) -> dict[str, str]:
    lines: Sequence[str] = written.splitlines()
    return {name: why for name, _, why in (line.partition(": ") for line in lines)}
