"""Put a backup in the place of the database, without anything being sent twice.

What waited when the backup was made may have been done since, and nobody can tell from the backup:
it is cancelled, and says why. Calls from then until the restore are not looked up in the PBX's
records: who was missed may have been texted. What must not be lost is taken over from the database
that is replaced, if it can still be read: who wants no texts, and what customers wrote.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Table, func, select, text
from sqlalchemy.exc import DBAPIError

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.delivery import State
from pbx_bridge.core.follow_up import FollowUpState, PlannedState
from pbx_bridge.core.saying import say
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.store import accounts, backup, consents, db, lock, replies
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.backup import Content, Progress, Why
from pbx_bridge.store.migrate import known_revisions, upgrade
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.store.schema import (
    clock,
    consent,
    correspondent,
    follow_up,
    gap,
    message,
    pbx,
    planned_step,
    reply,
    task,
    web_invite,
    web_session,
    web_token,
    web_user,
)

#: Recovery looks back by two minutes (`ledger.WATERMARK_MARGIN`); so far back nothing is looked up.
UNSEEN_MARGIN = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did."""

    as_of: datetime  #: the last that the backup knows of
    content: Content
    aside: Path | None = None  #: the database that was replaced; None if there was none
    cancelled: int = 0  #: texts that waited
    doubtful: int = 0  #: texts that were perhaps sent, of which that stays so
    stopped: int = 0  #: follow-ups
    optouts: int = 0  #: entries of the list taken over from the database that was replaced
    replies: int = 0  #: likewise
    unread: str = ""  #: why nothing could be taken over


def looked_at(file: Path) -> Content:
    """Make sure that a file is a whole backup that this version can open.

    Raises:
        StoreProblem: it is none; the text says what it is.

    """
    if not file.is_file():
        raise StoreProblem(f"there is no file {file}")
    content = backup.verified(file)
    if not content.revision:
        raise StoreProblem(f"{file} is a database of another program, or an empty one")
    if content.revision not in known_revisions():
        raise StoreProblem(
            f"{file} was written by a newer version of pbx-bridge (tables of {content.revision}): "
            "install that version, then restore"
        )
    return content


def restore(
    file: Path,
    path: Path,
    now: datetime,
    *,
    told: Progress = lambda _done, _total: None,
    checkpoint: Callable[[str], None] = lambda _name: None,
) -> Restored:
    """Put the backup `file` in the place of the database `path`; no service may run.

    Until the last step the database is as it was; that step is one rename. `checkpoint` is told the
    points at which a crash would matter, for tests.

    Raises:
        DatabaseInUse: a service runs.
        StoreProblem: the file is no backup of ours, or of a newer version; there is no room.

    """
    if path.exists() and file.exists() and file.samefile(path):
        raise StoreProblem(f"{file} is the database itself")
    looked_at(file)
    backup.make_folder(path.parent)
    with lock.held(path) as hold:
        fresh = path.with_name(f".{path.name}.restoring")
        _remove(fresh)
        try:
            backup.copy(file, fresh, told=told, pause=timedelta())
            content = looked_at(fresh)
            checkpoint("copied")
            done = _made_safe(fresh, path, now, content)
            checkpoint("made_safe")
            aside = _put_in_place(fresh, path, now, checkpoint, readable=not done.unread)
            hold.remember(None)  # the database that is there now knows nothing of it, and need not
        finally:
            _remove(fresh)
    return replace(done, aside=aside)


def _made_safe(fresh: Path, path: Path, now: datetime, content: Content) -> Restored:
    """Migrate the copy, settle what waited in it, and take over what must not be lost."""
    engine = db.writing_engine(fresh)
    try:
        with engine.begin() as tx:
            upgrade(tx, fresh, path.parent)
            as_of = _last_sign(tx) or datetime.fromtimestamp(fresh.stat().st_mtime, UTC)
            done = _settle(tx, now, Restored(as_of=as_of, content=content))
        if path.exists():
            try:
                with engine.begin() as tx:
                    done = _take_over(tx, path, done)
            except (StoreProblem, sqlite3.Error, DBAPIError) as error:
                done = replace(done, unread=str(error))
        else:
            done = replace(done, unread="there was none")
        with engine.begin() as tx:
            _tell(tx, now, done)
    finally:
        engine.dispose()
    with closing(sqlite3.connect(fresh)) as last:
        last.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        last.execute("PRAGMA journal_mode = DELETE")  # one file; the service turns it on again
    backup.verified(fresh)
    return done


def _settle(tx: Connection, now: datetime, done: Restored) -> Restored:
    """Cancel what waits, and have the time since the backup stand as not seen."""
    reason, why = (
        SkipReason.RESTORED.value,
        say("restored from a backup of {at}", at=_written(done.as_of)),
    )
    queued = tx.execute(
        message.update()
        .where(message.c.state == State.QUEUED.value)
        .values(
            state=State.CANCELLED.value,
            code=reason,
            detail=say("{why}: whether it was sent since is not known", why=why),
            updated_at=now,
        )
    ).rowcount
    doubtful = tx.execute(
        message.update()
        .where(
            message.c.state.in_([State.SENDING.value, State.UNCERTAIN.value]),
            (message.c.state == State.SENDING.value) | message.c.ask_at.is_not(None),
        )
        .values(
            state=State.UNCERTAIN.value,
            ask_at=None,
            code=reason,
            detail=say("{why}: perhaps sent, and not asked after any more", why=why),
            updated_at=now,
        )
    ).rowcount
    detail = say("{why}: what was still to come may have been done since", why=why)
    tx.execute(
        planned_step.update()
        .where(planned_step.c.state == PlannedState.WAITING.value)
        .values(state=PlannedState.CANCELLED.value, reason=reason, detail=detail, updated_at=now)
    )
    stopped = tx.execute(
        follow_up.update()
        .where(follow_up.c.state == FollowUpState.OPEN.value)
        .values(
            state=FollowUpState.STOPPED.value,
            stopped_at=now,
            reason=reason,
            detail=detail,
            updated_at=now,
        )
    ).rowcount
    tx.execute(
        task.update()
        .where(task.c.closed_at.is_(None))
        .values(
            note=func.trim(task.c.note + f" [{why}: perhaps done since]"),
            updated_at=now,
        )
    )
    # Who was logged out since would be logged in again, and a link that was used would hold.
    tx.execute(web_session.delete())
    tx.execute(web_invite.delete())
    _unseen_until(tx, now, why)
    return replace(done, cancelled=queued, doubtful=doubtful, stopped=stopped)


def _unseen_until(tx: Connection, now: datetime, why: str) -> None:
    """Have the time since the backup stand as not seen, and not be looked up in the records."""
    tx.execute(gap.update().where(gap.c.ended.is_(None)).values(ended=now))
    for row in tx.execute(select(pbx.c.name, pbx.c.seen_at)).all():
        if row.seen_at < now:
            tx.execute(gap.insert().values(pbx=row.name, began=row.seen_at, ended=now, reason=why))
    tx.execute(pbx.update().values(seen_at=now + UNSEEN_MARGIN))
    tx.execute(clock.delete())  # by this one it counts from here on


def _last_sign(tx: Connection) -> datetime | None:
    at: datetime | None = tx.execute(select(func.max(pbx.c.seen_at))).scalar_one()
    return at


def _take_over(tx: Connection, path: Path, done: Restored) -> Restored:
    """Take opt-outs, replies and what was learned of numbers from the database to be replaced."""
    source = db.reading_connection(path)
    with closing(source):
        source.row_factory = sqlite3.Row
        source.execute("BEGIN")
        revision = source.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        if revision not in known_revisions():
            raise StoreProblem(f"it is of a newer version (tables of {revision})")
        tables = {row[0] for row in source.execute("SELECT name FROM sqlite_schema")}
        if consent.name not in tables:
            return done
        came = _rows_not_there(tx, source, reply, ("gateway", "gateway_ref"), ("message", "call"))
        stops = _rows_not_there(tx, source, consent, ("address", "at", "kind"), ("reply", "call"))
        _rows_not_there(tx, source, correspondent, ("address",), ())
        if web_user.name in tables:
            _access_as_it_was(tx, source)
    # It came past the types of the columns: what is damaged in it must not stay.
    for row_id in came:
        replies.get(tx, row_id)
    for row_id in stops:
        consents.of_rows(tx, [row_id])
    for table in (correspondent, web_user, web_token):
        tx.execute(select(table)).all()
    accounts.everybody(tx)
    return replace(done, optouts=len(stops), replies=len(came))


def _access_as_it_was(tx: Connection, source: sqlite3.Connection) -> None:
    """Have passwords, roles and what was withdrawn since the backup stand as before the restore."""
    for row in source.execute("SELECT name, password, role, disabled_at FROM web_user"):
        tx.execute(
            text(
                "UPDATE web_user SET password = :password, role = :role, disabled_at = :disabled_at"
                " WHERE name = :name"
            ),
            dict(row),
        )
    for row in source.execute("SELECT token, revoked_at FROM web_token"):
        tx.execute(
            text("UPDATE web_token SET revoked_at = :revoked_at WHERE token = :token"), dict(row)
        )


def _rows_not_there(
    tx: Connection,
    source: sqlite3.Connection,
    table: Table,
    same: tuple[str, ...],
    without: tuple[str, ...],
) -> list[int]:
    """Copy rows that the backup has not, in order; `same` names one, `without` is left out.

    Gives the ids that they have now.
    """
    there = {
        row[0]
        for row in source.execute(f'SELECT name FROM pragma_table_info("{table.name}")')  # nosec B608 # noqa: S608 - our own name
    }
    columns = [
        column.name
        for column in table.columns
        if column.name in there and column.name not in without and column.name != "id"
    ]
    keys = text(f"SELECT {', '.join(same)} FROM {table.name}")  # nosec B608 # noqa: S608 - our own names
    known = {tuple(row) for row in tx.execute(keys)}
    found = source.execute(
        f"SELECT {', '.join(columns)} FROM {table.name} ORDER BY rowid"  # nosec B608 # noqa: S608 - our own names
    ).fetchall()
    new = [row for row in found if tuple(row[name] for name in same) not in known]
    insert = (
        f"INSERT INTO {table.name} ({', '.join(columns)}) "  # nosec B608 # noqa: S608 - our own names
        f"VALUES ({', '.join(f':{name}' for name in columns)})"
    )
    return [tx.execute(text(insert), dict(row)).lastrowid for row in new]


def _tell(tx: Connection, now: datetime, done: Restored) -> None:
    """Leave an alert: whoever did not restore it must know what the list of calls lacks."""
    lost = (
        "opt-outs since then are LOST: add those that you know of, `pbx-bridge optouts add`"
        if done.unread
        else f"{done.optouts} opt-outs were taken over from the database that was replaced"
    )
    raise_alert(
        tx,
        now=now,
        kind=AlertKind.BACKUP,
        subject="restore",
        text=f"the database was put back from a backup of {_written(done.as_of)}. Calls from then "
        f"until {_written(now)} are not in it, and nobody is texted about them. {done.cancelled} "
        f"texts that waited and {done.stopped} follow-ups were cancelled, because they may have "
        f"been done since; {lost}",
    )


def _written(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _put_in_place(
    fresh: Path,
    path: Path,
    now: datetime,
    checkpoint: Callable[[str], None],
    *,
    readable: bool,
) -> Path | None:
    """Exchange the files: one that stood there stays beside, with all that its log has."""
    aside = None
    if path.exists():
        if readable:  # else its log is of use to whoever mends it, and SQLite might drop that
            with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as replaced:
                # Its log must not be taken for one of the new file.
                replaced.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        aside = _free_name(path, now)
        aside.hardlink_to(path)
        backup.sync_folder(path.parent)
        checkpoint("linked")
    for suffix in ("-wal", "-shm"):
        stale = Path(f"{path}{suffix}")
        if stale.exists():
            if aside is None:
                stale.unlink()
            else:
                stale.rename(f"{aside}{suffix}")
    backup.sync_folder(path.parent)
    checkpoint("cleared")
    fresh.replace(path)
    checkpoint("replaced")
    backup.sync_folder(path.parent)
    return aside


def _free_name(path: Path, now: datetime) -> Path:
    try:
        with closing(db.reading_connection(path)) as file:
            revision = file.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    except sqlite3.Error:
        revision = "unreadable"
    at = now
    while (aside := path.with_name(backup.name(path, at, revision, Why.REPLACED))).exists():
        at += timedelta(seconds=1)
    return aside


def _remove(fresh: Path) -> None:
    for name in (fresh, Path(f"{fresh}-wal"), Path(f"{fresh}-shm"), Path(f"{fresh}-journal")):
        with suppress(FileNotFoundError):
            name.unlink()
