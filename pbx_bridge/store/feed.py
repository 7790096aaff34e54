"""How the feed from each PBX stands, and when nothing was seen."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, or_, select

from pbx_bridge.store.reading import named
from pbx_bridge.store.schema import gap
from pbx_bridge.store.schema import pbx as table


class FeedState(StrEnum):
    WHOLE = "whole"  #: everything that happens is seen
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxRecord:
    """A PBX; `boot` names its present run, `seen_at` is when it last gave a sign of life."""

    name: str
    boot: str
    feed: FeedState
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time in which nothing was seen; it lasts while `ended` is None."""

    pbx: str
    began: datetime
    ended: datetime | None
    reason: str


def seen(tx: Connection, pbx: str, boot: str, feed: FeedState, at: datetime) -> None:
    """Write down how the feed stands. An empty `boot` leaves the known one."""
    values = {"feed": feed.value, "seen_at": at}
    if boot:
        values["boot"] = boot
    changed = tx.execute(table.update().where(table.c.name == pbx).values(values))
    if changed.rowcount == 0:
        tx.execute(table.insert().values(name=pbx, **{"boot": "", **values}))


def get(tx: Connection, pbx: str) -> PbxRecord | None:
    row = tx.execute(select(table).where(table.c.name == pbx)).first()
    if row is None:
        return None
    return PbxRecord(
        name=row.name, boot=row.boot, feed=named(FeedState, row.feed), seen_at=row.seen_at
    )


def gap_began(tx: Connection, pbx: str, at: datetime, reason: str) -> None:
    """Write down that nothing is seen from `at` on, unless a gap is open already."""
    if tx.execute(select(gap.c.id).where(gap.c.pbx == pbx, gap.c.ended.is_(None))).first() is None:
        tx.execute(gap.insert().values(pbx=pbx, began=at, reason=reason))


def open_gap(tx: Connection, pbx: str) -> datetime | None:
    """Give when the open gap began, None if there is none."""
    began: datetime | None = tx.execute(
        select(gap.c.began).where(gap.c.pbx == pbx, gap.c.ended.is_(None)).limit(1)
    ).scalar_one_or_none()
    return began


def gap_ended(tx: Connection, pbx: str, at: datetime) -> datetime | None:
    """End the open gap; give when it began, None if there was none."""
    began = open_gap(tx, pbx)
    tx.execute(gap.update().where(gap.c.pbx == pbx, gap.c.ended.is_(None)).values(ended=at))
    return began


def gaps(tx: Connection, pbx: str, since: datetime) -> list[Gap]:
    """Give the gaps that reach beyond `since`, oldest first."""
    query = (
        select(gap)
        .where(gap.c.pbx == pbx, or_(gap.c.ended.is_(None), gap.c.ended >= since))
        .order_by(gap.c.began)
    )
    return [
        Gap(pbx=row.pbx, began=row.began, ended=row.ended, reason=row.reason)
        for row in tx.execute(query)
    ]
