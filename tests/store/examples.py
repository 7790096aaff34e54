"""Calls and messages to write down."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection

from pbx_bridge.core.call import (
    Call,
    Caller,
    Disposition,
    HungUpBy,
    QueueVisit,
    Reason,
    Rung,
    Step,
    StepKind,
)
from pbx_bridge.store import outbox
from pbx_bridge.store.db import Database

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CALLER = "+15551234567"
PBX = "office"
BOOT = "boot-1"


@cache
def empty_database() -> bytes:
    """Give a database that was only made: making one takes longer than most of what tests do."""

    async def make(path: Path) -> None:
        async with Database.open(path):
            pass

    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        with ThreadPoolExecutor(1) as elsewhere:  # a loop may run here already
            elsewhere.submit(asyncio.run, make(path)).result()
        return path.read_bytes()


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


MISSED = Call(
    call_id="1700000000.1",
    began=NOON,
    ended=NOON + minutes(0.5),
    disposition=Disposition.MISSED,
    reason=Reason.RANG_NO_ANSWER,
    caller=Caller("5551234567", "Zoë; DROP TABLE call", withheld=False),
    line="5559870000",
    trunk="PJSIP/trunk",
    answered_at=None,
    answered_by="",
    hung_up_by=HungUpBy.CALLER,
    ring_seconds=25.5,
    rung=(Rung("PJSIP/101", 25.5, 2, "NOANSWER"),),
    queue=QueueVisit("sales", 1, 12.25),
    voicemail_seconds=0.0,
    mailbox="",
    steps=(
        Step(NOON, StepKind.ARRIVED, "PJSIP/trunk"),
        Step(NOON + minutes(0.5), StepKind.ENDED, detail="cause 16"),
    ),
)
LIVE = replace(MISSED, ended=None, steps=())
ANSWERED = replace(
    MISSED,
    disposition=Disposition.ANSWERED,
    reason=Reason.PERSON,
    answered_at=NOON + minutes(0.2),
    answered_by="PJSIP/101",
)
UNOBSERVED = replace(MISSED, disposition=Disposition.UNOBSERVED, reason=Reason.FEED_GAP)


def queue_message(tx: Connection, **changes: Any) -> int | None:
    """Queue a message that is due at noon and expires half an hour later."""
    values: dict[str, Any] = {
        "call_row": None,
        "step": "first_text",
        "key": "key-1",
        "to": CALLER,
        "body": "Sorry we missed you",
        "gateway": "twilio",
        "line": "5559870000",
        "created_at": NOON,
        "due_at": NOON,
        "expires_at": NOON + minutes(30),
        "shadow": False,
    }
    return outbox.insert(tx, **(values | changes))
