"""A database with real calls in it, and all that came of them; and the API on it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import Connection, func

from pbx_bridge import config, recording
from pbx_bridge.conversation import Conversation
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.delivery import Accepted, Receipt, State, Step
from pbx_bridge.core.follow_up import Planned
from pbx_bridge.core.limits import NO_LIMITS
from pbx_bridge.core.reply import Reply
from pbx_bridge.core.roles import Role
from pbx_bridge.core.sequence import Action
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.replay import _Replay
from pbx_bridge.store import calls, consents, contacts, followups, outbox, tasks
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.calls import CallRecord
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.schema import call as call_table
from pbx_bridge.store.schema import message as message_table
from tests.real_calls import RECORDINGS
from tests.web.door import Door, door

#: What no program should take for anything but text.
HOSTILE = '<script>alert(1)</script>\u202egnp.exe\x00\x1b[31m"\\\u2028' + "й" * 50
#: One recording of each kind of call is enough.
_EVERY = 5


@cache
def filled() -> bytes:
    """Give a database in which recorded calls were judged, answered, and answered to."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "filled.db"
        with ThreadPoolExecutor(1) as elsewhere:  # a loop may run here already
            elsewhere.submit(asyncio.run, _fill(path)).result()
        return path.read_bytes()


async def _fill(path: Path) -> None:
    rules = replace(config.defaults(), shadow=False, min_conversation=timedelta(), limits=NO_LIMITS)
    async with Database.open(path) as db:
        for n, real in enumerate(RECORDINGS[::_EVERY]):
            await _Replay(db, rules, Inbound()).run(list(recording.read(real.path)))
            await db.run(lambda tx, n=n: _rename(tx, n))  # type: ignore[misc]
        await db.run(_answer)
        await db.run(_know)


def _rename(tx: Connection, n: int) -> None:
    """Make room for the keys of the next recording, which are the same."""
    key = message_table.c.key
    renamed = func.replace(key, "replay-", f"{n}-")
    tx.execute(message_table.update().where(key.startswith("replay-")).values(key=renamed))


def _answer(tx: Connection) -> None:
    """Let a gateway take the texts, tell of them, and bring what customers write."""
    keys = count(1)
    rules = replace(config.defaults(), shadow=False)
    conversation = Conversation(rules, lambda: f"answer-{next(keys)}", lambda _: False, "USD")
    words = ["Yes please", "STOP", "URGENT: water everywhere", HOSTILE]
    for n, message in enumerate(stored_messages.recent(tx, limit=99)):
        if message.state is not State.SENDING:
            continue
        at = message.due_at + timedelta(seconds=2)
        step = Step(State.ACCEPTED, None, "")
        outbox.settle_attempt(tx, message.message_id, step, Accepted(f"SM{n}"), now=at, seconds=0.4)
        receipt = Receipt(state=State.DELIVERED, gateway_ref=f"SM{n}")
        conversation.take(tx, message.gateway, [receipt], at)
        reply = Reply(gateway_ref=f"MO{n}", sender=message.to, body=words[n % len(words)])
        conversation.take(tx, message.gateway, [reply], at + timedelta(minutes=1))


def _know(tx: Connection) -> None:
    """Know some of the callers, one by a hostile name; another wants no texts."""
    found = calls.recent(tx, limit=99)
    now = found[0].call.began
    numbers = sorted({one.caller_e164 for one in found if one.caller_e164})
    for n, number in enumerate(numbers):
        contact = Contact(
            name=HOSTILE if n == 0 else f"Caller {n}",
            kind=CallerKind.CUSTOMER,
            tags=frozenset({"vip"} if n % 2 else ()),
            numbers={number: "mobile"},
        )
        contacts.create(tx, contact, by="anna", now=now)
    _follow_up(tx, found[0], "+12125550177")
    tx.execute(
        call_table.update().where(call_table.c.id == found[0].row_id).values(caller_name=HOSTILE)
    )
    said = ConsentRecord(
        address="+12125550199",
        at=now,
        kind=ConsentKind.OPT_OUT,
        source=ConsentSource.OFFICE,
        detail=HOSTILE,
        reply_row=None,
    )
    consents.record(tx, said)


def _follow_up(tx: Connection, about: CallRecord, number: str) -> None:
    """Have something under way for a caller: the recordings are all done with."""
    step = Planned(
        name="text-2",
        action=Action.TEXT,
        due_at=about.call.began + timedelta(days=1),
        expires_at=about.call.began + timedelta(days=2),
    )
    row = followups.begin(
        tx,
        call_row=about.row_id,
        recipient=number,
        line=about.call.line,
        rule="after hours",
        sequence="default",
        calls=1,
        now=about.call.began + timedelta(minutes=1),
        held_out=False,
        steps=(step,),
    )
    tasks.open_task(
        tx,
        follow_up=row,
        call_row=about.row_id,
        recipient=number,
        name="Zo\u00eb",
        line=about.call.line,
        title="Call Zo\u00eb back",
        now=about.call.began + timedelta(minutes=1),
        due_at=about.call.began + timedelta(hours=2),
        expires_at=about.call.began + timedelta(days=7),
    )


@dataclass
class Api:
    """The API behind its real guard, and a token for each role."""

    door: Door
    client: TestClient[web.Request, web.Application]
    tokens: Mapping[Role, str]

    async def ask(
        self, method: str, path: str, role: Role | None = Role.AGENT, **more: Any
    ) -> ClientResponse:
        """Ask for a path below /api/v1 with a token of that role; None: without any."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.tokens[role]}"}
        headers |= more.pop("headers", {})
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **more)

    async def json(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        """Ask, and read the answer; its status is to be this."""
        answer = await self.ask(method, path, **more)
        told = await answer.json(content_type=None)
        assert answer.status == status, told
        return told

    @property
    def now(self) -> datetime:
        at: datetime = self.door.watch()
        return at


@asynccontextmanager
async def api(folder: Path, *, section: str = "", base: str = "") -> AsyncIterator[Api]:
    """Serve the API on a database of real calls."""
    (folder / "pbx-bridge.db").write_bytes(filled())
    async with door(folder, web_section=section, base=base) as opened:
        tokens = {role: await opened.token(role, role.value) for role in Role}
        client = TestClient(TestServer(opened.page.server.application()))
        await client.start_server()
        opened.page.clients.append(client)
        yield Api(opened, client, tokens)
