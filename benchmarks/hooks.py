"""Webhooks per second: signed delivery receipts of Twilio, on the disk before they are answered.

    python -m benchmarks.hooks [RECEIPTS]

The client is a process of its own, with 64 connections that stay open. Each receipt belongs to a
text that was accepted, is new, and changes its state; synchronous=FULL.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import structlog
from sqlalchemy import Connection
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from pbx_bridge.clock import utc_now
from pbx_bridge.config import defaults
from pbx_bridge.conversation import Conversation
from pbx_bridge.core.delivery import Accepted, State, Step
from pbx_bridge.gateways import twilio
from pbx_bridge.hooks import HookServer, HookSettings
from pbx_bridge.intake import Intake
from pbx_bridge.ports import Surroundings
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store import outbox
from pbx_bridge.store.db import Database

TOKEN = "t0ken"  # noqa: S105 - nobody's
PUBLIC = "https://pbx.example.com"
CONNECTIONS = 64


async def client(port: int, receipts: int) -> None:
    """Tell each receipt once; print how long each took."""
    waiting = iter([signed(n) for n in range(receipts)])
    took: list[float] = []
    refused = 0

    async def tell(http: aiohttp.ClientSession) -> None:
        nonlocal refused
        for path, fields, signature in waiting:
            began = time.perf_counter()
            async with http.post(
                f"http://127.0.0.1:{port}{path}",
                data=fields,
                headers={"X-Twilio-Signature": signature},
            ) as answer:
                refused += answer.status >= 300
            took.append(time.perf_counter() - began)

    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    began = time.perf_counter()
    async with aiohttp.ClientSession(connector=connector) as http:
        await asyncio.gather(*(tell(http) for _ in range(CONNECTIONS)))
    seconds = time.perf_counter() - began
    quantiles = statistics.quantiles([t * 1000 for t in took], n=100)
    print(
        f"{receipts / seconds:.0f} receipts/s, {CONNECTIONS} at a time: median"
        f" {quantiles[49]:.1f} ms, p99 {quantiles[98]:.1f}, max {max(took) * 1000:.1f};"
        f" told to come back: {refused}",
        flush=True,
    )


@asynccontextmanager
async def served(receipts: int, max_per_minute: int = 10**9) -> AsyncIterator[tuple[int, Database]]:
    """Serve webhooks to which so many receipts may come; give their port, and the database."""
    now = utc_now()

    def fill(tx: Connection) -> None:
        for n in range(receipts):
            message_id = outbox.insert(
                tx, call_row=None, step="test", key=f"key-{n}", to=f"+1212{2000000 + n:07d}",
                body="Hello", gateway="twilio", line="", created_at=now, due_at=now,
                expires_at=now.replace(year=2100), shadow=False,
            )  # fmt: skip
            assert message_id is not None
        for row in outbox.claim_due(tx, now, receipts, lambda *_: None):
            outbox.settle_attempt(
                tx, row.message_id, Step(State.ACCEPTED, None, ""),
                Accepted(f"SM{row.key.removeprefix('key-')}"), now=now, seconds=0.0,
            )  # fmt: skip

    settings = twilio.Settings.model_validate(
        {"account_sid": "AC" + "0" * 32, "auth_token": TOKEN, "from_number": "+15550001111"}
    )
    gateway = twilio.Gateway(
        settings, Surroundings(name="twilio", hook_url=f"{PUBLIC}/hooks/twilio")
    )
    with tempfile.TemporaryDirectory(dir=".") as folder:
        async with Database.open(Path(folder) / "bench.db") as db:
            await db.run(fill)
            conversation = Conversation(defaults(), lambda: "", lambda _: True, "USD")
            intake = Intake(db, conversation, now=utc_now, wake=lambda: None)
            hooks = HookSettings(
                listen="127.0.0.1", port=0, public_url=PUBLIC, max_per_minute=max_per_minute
            )
            async with HookServer(hooks, {"twilio": gateway}, intake.take).running() as server:
                yield server.port, db


async def serve(receipts: int) -> None:
    async with served(receipts) as (port, db):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.hooks", "--client", str(port), str(receipts)
        )
        await process.wait()
        print(f"delivered in the database: {await delivered(db)} of {receipts}")


async def delivered(db: Database) -> int:
    """Count the texts that are known to have arrived."""
    since = utc_now() - timedelta(days=1)
    traffic = await db.read(lambda tx: stored_messages.traffic(tx, since))
    return traffic["twilio"].delivered


def signed(n: int) -> tuple[str, dict[str, str], str]:
    """Give path, fields and signature of the receipt of a text."""
    path = f"/hooks/twilio/status?m=key-{n}"
    fields = {"MessageSid": f"SM{n}", "MessageStatus": "delivered"}
    return path, fields, RequestValidator(TOKEN).compute_signature(PUBLIC + path, fields)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    if sys.argv[1:2] == ["--client"]:
        asyncio.run(client(int(sys.argv[2]), int(sys.argv[3])))
    else:
        asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 3000))
