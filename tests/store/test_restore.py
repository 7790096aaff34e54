"""What is put back is whole, sends nothing twice, and forgets nobody who said STOP."""

import asyncio
import signal
import sqlite3
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from pbx_bridge.core.delivery import State
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.core.roles import Role
from pbx_bridge.store import (
    accounts,
    backup,
    consents,
    correspondents,
    feed,
    followups,
    lock,
    messages,
    outbox,
    replies,
    restore,
    tokens,
)  # fmt: skip
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.feed import FeedState
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.store.schema import alert, message, written
from tests.store import schemas
from tests.store.examples import CALLER, NOON, PBX, minutes, queue_message
from tests.store.test_followups import begin

LATER = NOON + timedelta(hours=5)
OTHER = "+15557654321"
KILLED = """
import os, sys
from pathlib import Path
from pbx_bridge.clock import utc_now
from pbx_bridge.store import restore
copy, path, point = sys.argv[1:]
restore.restore(
    Path(copy), Path(path), utc_now(),
    checkpoint=lambda name: os.kill(os.getpid(), 9) if name == point else None,
)
"""


def _opt_out(tx: Connection, address: str) -> None:
    told = ConsentRecord(
        address=address, at=NOON, kind=ConsentKind.OPT_OUT, source=ConsentSource.REPLY,
        detail="STOP", reply_row=None,
    )  # fmt: skip
    consents.record(tx, told)


def _at_work(tx: Connection) -> None:
    feed.seen(tx, PBX, "boot", FeedState.WHOLE, NOON)
    queue_message(tx, key="sending")
    outbox.claim_due(tx, NOON, 9, lambda *_: None)
    queue_message(tx, key="queued", step="another", due_at=NOON + minutes(1))
    queue_message(tx, key="asked", step="third")
    asked = message.c.key == "asked"
    tx.execute(message.update().where(asked).values(state="uncertain", ask_at=NOON))
    begin(tx, 10)
    _opt_out(tx, CALLER)


def _told_since(tx: Connection) -> None:
    outbox_row = messages.recent(tx, limit=1)[0]
    replies.insert(
        tx, "modem", Reply(gateway_ref="1", sender=OTHER, body="STOP"), now=NOON,
        sender_e164=OTHER, meaning=Meaning.OPT_OUT, detail="",
        message_id=outbox_row.message_id, call_row=None,
    )  # fmt: skip
    _opt_out(tx, OTHER)


async def _backed_up(path: Path) -> Path:
    async with Database.open(path) as db:
        await db.run(_at_work)
        backup.copy(path, path.with_name("copy.db"))
    return path.with_name("copy.db")


async def test_nothing_that_waited_is_sent_and_each_says_why(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    copy = await _backed_up(path)
    done = restore.restore(copy, path, LATER)
    assert (done.cancelled, done.doubtful, done.stopped) == (1, 2, 1)
    async with Database.open(path) as db:
        found = {one.key: one for one in await db.read(lambda tx: messages.recent(tx, limit=9))}
        assert {key: one.state for key, one in found.items()} == {
            "sending": State.UNCERTAIN, "queued": State.CANCELLED, "asked": State.UNCERTAIN,
        }  # fmt: skip
        for one in found.values():
            assert "restored from a backup of 2026-11-23 12:00 UTC" in one.detail
        far = LATER + timedelta(days=1000)
        assert await db.run(lambda tx: outbox.claim_due(tx, far, 9, lambda *_: None)) == []
        assert await db.read(outbox.next_due) is None
        assert await db.read(followups.next_step_or_message) is None
        (stopped,) = await db.read(lambda tx: followups.recent(tx, limit=9))
        assert (stopped.state, stopped.reason) == ("stopped", "restored")
        text = await db.read(lambda tx: tx.execute(select(alert.c.text)).scalars().all())
        assert "put back from a backup of 2026-11-23 12:00 UTC" in text[-1]


async def test_calls_since_the_backup_are_not_looked_up(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    restore.restore(await _backed_up(path), path, LATER)
    async with Database.open(path) as db:
        known = await db.read(lambda tx: feed.get(tx, PBX))
        assert known is not None
        assert known.seen_at >= LATER + restore.UNSEEN_MARGIN
        (unseen,) = await db.read(lambda tx: feed.gaps(tx, PBX, NOON))
        assert (unseen.began, unseen.ended) == (NOON, LATER)
        assert unseen.reason.startswith("restored from a backup")


async def test_who_said_stop_since_the_backup_is_not_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    copy = await _backed_up(path)

    async with Database.open(path) as db:
        await db.run(_told_since)
    done = restore.restore(copy, path, LATER)
    assert (done.optouts, done.replies, done.unread) == (1, 1, "")
    assert done.aside is not None
    async with Database.open(path) as db:
        assert await db.read(lambda tx: consents.opted_out(tx, OTHER)) is not None
        assert await db.read(
            lambda tx: replies.is_known(
                tx, "modem", Reply(gateway_ref="1", sender=OTHER, body="STOP")
            )
        )
    async with Database.read_only(done.aside) as aside:  # all that stood there
        assert await aside.read(lambda tx: consents.opted_out(tx, OTHER)) is not None


@pytest.mark.parametrize("revision", schemas.revisions())
async def test_a_backup_of_an_earlier_version_is_migrated(revision: str, tmp_path: Path) -> None:
    copy, path = tmp_path / "copy.db", tmp_path / "pbx.db"
    schemas.load(copy, revision)
    before = copy.read_bytes()
    done = restore.restore(copy, path, LATER)
    assert (done.cancelled, done.aside) == (1, None)
    assert copy.read_bytes() == before
    async with Database.open(path) as db:
        assert await db.read(outbox.next_due) is None


@pytest.mark.parametrize(
    "harm",
    [
        "consent SET at = '2026-11-2^'",
        "consent SET kind = 'opt_oat'",
        "reply SET meaning = 'opt_oat'",
        "reply SET body = CAST(body AS BLOB)",
        "correspondent SET updated_at = 'then'",
        "web_user SET role = 'bdmin'",
        "web_user SET password = CAST(x'FF' AS TEXT)",
        "web_token SET revoked_at = 'never'",
    ],
)
async def test_what_is_damaged_in_what_stood_there_does_not_come_along(
    harm: str, tmp_path: Path
) -> None:
    path = tmp_path / "pbx.db"

    def at_first(tx: Connection) -> None:
        accounts.add(tx, name="ada", role=Role.ADMIN, now=NOON)
        tokens.make(tx, name="crm", token="t", role=Role.VIEWER, created_by="ada", now=NOON)

    async with Database.open(path) as db:
        await db.run(at_first)
    copy = await _backed_up(path)
    async with Database.open(path) as db:
        await db.run(_told_since)
        await db.run(lambda tx: correspondents.untextable(tx, OTHER, "a landline", NOON))
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute(f"UPDATE {harm}").rowcount > 0
        raw.commit()
    done = restore.restore(copy, path, LATER)
    assert done.unread
    async with Database.open(path) as db:
        assert await db.read(lambda tx: consents.opted_out(tx, OTHER)) is None
        assert [one.role for one in await db.read(accounts.everybody)] == [Role.ADMIN]
        text = await db.read(lambda tx: tx.execute(select(alert.c.text)).scalars().all())
        assert "opt-outs since then are LOST" in text[-1]


async def test_a_damaged_database_is_replaced_and_its_log_with_it(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    copy = await _backed_up(path)
    path.write_bytes(b"SQLite format 3\0" + b"?" * 5000)
    Path(f"{path}-wal").write_bytes(b"old")
    done = restore.restore(copy, path, LATER)
    assert done.unread
    assert done.aside is not None
    assert done.aside.read_bytes().endswith(b"???")
    assert Path(f"{done.aside}-wal").exists()
    async with Database.open(path) as db:
        assert len(await db.read(lambda tx: messages.recent(tx, limit=9))) == 3
        assert path.stat().st_mode & 0o777 == 0o600


async def test_while_a_service_runs_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    copy = await _backed_up(path)
    async with Database.open(path, alone=True):
        with pytest.raises(lock.DatabaseInUse, match="Stop it first"):
            restore.restore(copy, path, LATER)


async def test_what_is_no_backup_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    copy = await _backed_up(path)
    before = path.read_bytes()
    strange = tmp_path / "strange.db"
    with closing(sqlite3.connect(strange)) as file:
        file.execute("CREATE TABLE cdr (id)")
    newer = tmp_path / "newer.db"
    newer.write_bytes(copy.read_bytes())
    with closing(sqlite3.connect(newer)) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
        file.commit()
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"junk" * 2000)
    for file_, problem in (
        (strange, "another program"),
        (newer, "newer version"),
        (junk, "damaged"),
        (tmp_path / "none.db", "no file"),
        (path, "itself"),
    ):
        with pytest.raises(StoreProblem, match=problem):
            restore.restore(file_, path, LATER)
    assert path.read_bytes() == before


@pytest.mark.parametrize("point", ["copied", "made_safe", "linked", "cleared", "replaced"])
async def test_killed_at_any_point_one_of_the_two_stands_there(point: str, tmp_path: Path) -> None:
    path = tmp_path / "pbx.db"
    copy = await _backed_up(path)
    async with Database.open(path) as db:
        await db.run(lambda tx: _opt_out(tx, OTHER))

    died = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED, str(copy), str(path), point)
    )
    assert await died.wait() == -signal.SIGKILL
    backup.verified(path)
    async with Database.open(path) as db:
        found = await db.read(lambda tx: messages.recent(tx, limit=9))
        cancelled = any(one.state is State.CANCELLED for one in found)
        assert cancelled == (point == "replaced")
        assert await db.read(lambda tx: consents.opted_out(tx, OTHER)) is not None
    done = restore.restore(copy, path, LATER)  # and it can be done again
    assert done.unread == ""
    assert [file for file in tmp_path.iterdir() if "restoring" in file.name] == []


async def test_nobody_is_logged_in_by_what_was_copied(tmp_path: Path) -> None:
    """Who was logged out since would be logged in again, and a used link would hold once more."""
    path, copy = tmp_path / "pbx.db", tmp_path / "copy.db"
    schemas.load(copy, schemas.revisions()[-1])
    restore.restore(copy, path, LATER)
    with closing(sqlite3.connect(path)) as file:
        for table, left in (("web_user", 1), ("web_session", 0), ("web_invite", 0)):
            (count,) = file.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
            assert count == left, table


async def test_who_was_kept_out_since_the_backup_stays_out(tmp_path: Path) -> None:
    path, copy = tmp_path / "pbx.db", tmp_path / "copy.db"
    for made in (path, copy):
        schemas.load(made, schemas.revisions()[-1])
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE web_user SET password = 'newer', role = 'viewer'")
        file.execute("UPDATE web_user SET disabled_at = ?", (written(NOON),))
        file.execute("UPDATE web_token SET revoked_at = ?", (written(NOON),))
        file.commit()
    restore.restore(copy, path, LATER)
    with closing(sqlite3.connect(path)) as file:
        user = file.execute("SELECT password, role, disabled_at FROM web_user").fetchall()
        assert user == [("newer", "viewer", written(NOON))]
        assert file.execute("SELECT revoked_at FROM web_token").fetchall() == [(written(NOON),)]
