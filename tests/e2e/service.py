"""The real service as a process beside the real Asterisk, and a gateway that keeps what it gets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.core.delivery import State
from pbx_bridge.store import calls, feed
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.calls import CallRecord
from pbx_bridge.store.db import Database
from pbx_bridge.store.feed import Gap

from .asterisk import ROOT, Asterisk
from .office import Call

T = TypeVar("T")
WAITING = {State.QUEUED, State.SENDING}

CONFIG = """\
[office]
name = "Miller & Sons"
country = "US"
timezone = "America/New_York"
own_numbers = ["+16465550100"]

[texting]
enabled = true
delay = "{delay}"
max_per_hour = {most}
max_per_day = {most}
template = "{template}"

# Hundreds of calls in a few minutes, all of strangers from one block of numbers to few lines.
[texting.limits]
per_number_per_day = {most}
per_number_per_week = {most}
per_block_per_hour = {most}
per_block_per_day = {most}
per_line_per_hour = {most}
strangers_per_hour = {most}
strangers_per_day = {most}
max_per_minute = {most}

[texting.burst]
floor = {most}
strangers_floor = {most}

[texting.quiet_hours]
# Tests run at any hour, and some texts are about calls that were recovered minutes later.
enabled = false

[recovery]
# Conversations last a second or two here.
min_conversation = "{min_conversation}"

[[pbx]]
{pbx}

[pbx.records]
{records}
timezone = "UTC"

{voicemail}
[gateways.test]
{gateway}

[database]
path = "{folder}/pbx-bridge.db"

[logging]
level = "debug"
format = "json"

{more}
"""

TEMPLATE = "{office}: sorry that we missed your call to {line}. Reply STOP to opt out."
#: Settings of [gateways.test] unless a test has others, as TOML has them.
GATEWAY = """\
type = "http"
url = "http://127.0.0.1:{port}/send"
json = {{ to = "{{to}}", text = "{{text}}", key = "{{key}}" }}
id_path = "id"
idempotency_header = "Idempotency-Key"
"""

#: Settings of [[pbx]], as TOML has them.
PBX = {
    "name": '"office"',
    "username": '"pbxbridge"',
    "secret": '"change-me"',
    "inbound_contexts": "['^from-trunk$']",
    "trunks": '["trunk"]',
    "answered_applications": '["ReceiveFAX", "AGI"]',
}
#: Where the PBX writes down what happened, below its log folder.
RECORDS = {
    "cel_csv": "cel-custom/Master.csv",
    "cdr_csv": "cdr-csv/Master.csv",
    "queue_log": "queue_log",
}


@dataclass(frozen=True)
class Text:
    """What arrived at the gateway, and when (epoch seconds, at the end of the request's head)."""

    to: str
    text: str
    key: str
    at: float


class SmsServer:
    """An SMS gateway that takes everything and keeps it."""

    def __init__(self) -> None:
        self.texts: list[Text] = []
        self.arrived = asyncio.Condition()
        self.port = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/send", self._send)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _send(self, request: web.Request) -> web.Response:
        at = time.time()  # noqa: TID251 - compared with SIPp's wall-clock times
        told = await request.json()
        self.texts.append(Text(told["to"], told["text"], told["key"], at))
        async with self.arrived:
            self.arrived.notify_all()
        return web.json_response({"id": f"sms-{len(self.texts)}"})


class RunningService:
    """`pbx-bridge run` against one Asterisk.

    `records` are those of `RECORDS` that it may read; `pbx` are settings of [[pbx]] that differ
    from `PBX` (None leaves one out), and `gateway` those of its gateway if that is another, as TOML
    has them. With `voicemail` it may read the PBX's messages; `more` are tables at the end of its
    configuration.
    `seconds` shortens its waits, as `tests.service_process` has them; `most` are the texts that its
    guards let pass.
    """

    def __init__(
        self,
        asterisk: Asterisk,
        *,
        delay: str = "1s",
        template: str = TEMPLATE,
        min_conversation: str = "0s",
        records: Collection[str] = tuple(RECORDS),
        pbx: Mapping[str, str | None] | None = None,
        gateway: Mapping[str, str] | None = None,
        voicemail: bool = False,
        more: str = "",
        seconds: Mapping[str, float] | None = None,
        most: int = 10_000,
    ) -> None:
        self.asterisk, self.delay = asterisk, delay
        self._template, self._min_conversation = template, min_conversation
        self._seconds, self._most = seconds, most
        self.die_at = ""  #: the checkpoint at which it kills itself, from the next start on
        self._voicemail, self._more = voicemail, more
        self._gateway = _toml(gateway or {})
        self._records_read = records
        settings: dict[str, str | None] = {
            **PBX,
            "host": f'"{asterisk.net.pbx}"',
            "port": str(asterisk.ami_port),
            **(pbx or {}),
        }
        self._pbx = {name: value for name, value in settings.items() if value is not None}
        self.folder = Path(tempfile.mkdtemp(prefix="pbx-bridge-e2e-"))
        self.gateway = SmsServer()
        self.log: list[dict[str, object]] = []
        self._said = asyncio.Condition()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._unknown: list[str] = []

    @property
    def database(self) -> Path:
        return self.folder / "pbx-bridge.db"

    @property
    def config(self) -> Path:
        return self.folder / "pbx-bridge.toml"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    # -- life -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start it, and wait until it watches."""
        await self.configure()
        seen = len(self.log)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *self._command()),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read(self._process))  # noqa: TID251 - awaited in end
        await self.said("pbx_up", since=seen, timeout=300)

    def _command(self) -> list[str]:
        if self._seconds is None:
            return ["pbx_bridge", "run", "-c", str(self.config)]
        options = json.dumps({"seconds": self._seconds, "die_at": self.die_at})
        return ["tests.service_process", str(self.config), options]

    async def configure(self) -> None:
        """Write its configuration, and have the gateway there that it names."""
        if not self.gateway.port:
            await self.gateway.start()
        records = {
            name: f'"{self.asterisk.log / file}"'
            for name, file in RECORDS.items()
            if name in self._records_read
        }
        self.config.write_text(
            CONFIG.format(
                delay=self.delay,
                most=self._most,
                template=self._template,
                min_conversation=self._min_conversation,
                pbx=_toml(self._pbx),
                records=_toml(records),
                voicemail=self._voicemail_table(),
                gateway=self._gateway or GATEWAY.format(port=self.gateway.port),
                folder=self.folder,
                more=self._more,
            )
        )

    def _voicemail_table(self) -> str:
        place = self.asterisk.folder / "spool" / "voicemail"
        return f'[pbx.voicemail]\nspool = "{place}"\n' if self._voicemail else ""

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it; give its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(how)
        async with asyncio.timeout(15):
            code = await process.wait()
        if self._reading is not None:
            await self._reading
        return code

    async def died(self) -> None:
        """Wait until it has killed itself."""
        async with asyncio.timeout(30):
            assert self._process is not None
            await self._process.wait()
        self._process = None
        if self._reading is not None:
            await self._reading

    async def close(self) -> None:
        """End it, and see that nothing was judged which is no call from outside."""
        try:
            code = await self.end()
            assert code == 0, self.report()
            for number in self._unknown:
                assert await self._records(number) == [], f"{number} was taken for a caller"
        finally:
            await self.gateway.stop()
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for raw in process.stdout:
            try:
                line = json.loads(raw)
            except ValueError:
                line = {"event": "not_json", "text": raw.decode("utf-8", "replace")}
            self.log.append(line)
            async with self._said:
                self._said.notify_all()
        async with self._said:
            self._said.notify_all()

    async def said(self, event: str, *, since: int = 0, timeout: float = 30) -> dict[str, object]:  # noqa: ASYNC109
        """Wait for a line of its log."""

        def found() -> dict[str, object] | None:
            return next((line for line in self.log[since:] if line["event"] == event), None)

        await self._until(lambda: found() is not None, f"it never said {event}", timeout)
        line = found()
        assert line is not None
        return line

    async def watches(self) -> None:
        """Wait until it is back at a PBX that was away."""

        def back() -> bool:
            told = [line["event"] for line in self.log if line["event"] in {"pbx_up", "pbx_down"}]
            return told[-1:] == ["pbx_up"]

        await self._until(back, "it does not watch", 60)

    def report(self, lines: int = 40) -> str:
        """The end of its log, for a failing test."""
        return "--- service\n" + "\n".join(json.dumps(line) for line in self.log[-lines:])

    async def _until(self, true: Callable[[], bool], otherwise: str, timeout: float) -> None:  # noqa: ASYNC109
        try:
            async with asyncio.timeout(timeout), self._said:
                while not true():
                    if self._process is not None and self._process.returncode is not None:
                        raise AssertionError("it ended by itself\n" + self.report())
                    await self._said.wait()
        except TimeoutError:
            raise AssertionError(f"{otherwise}\n{self.report()}") from None

    # -- what it judged ---------------------------------------------------------------------

    async def judged(self, call: Call) -> tuple[str, str, bool]:
        """Wait for the verdict on the call: disposition, reason, whether a text went out."""
        earlier = [c for c in call.office.calls if c.number == call.number]
        nth = earlier.index(call) if call in earlier else 0
        record = await self._settled(call, nth)
        assert record.decision is not None
        texted = record.message_state is State.ACCEPTED
        if texted:
            assert record.message_id is not None
            await self._arrived_once(record.message_id)
        return record.call.disposition.value, record.call.reason.value, texted

    async def knows_nothing_of(self, call: Call) -> bool:
        """No inbound call from that number was judged; looked at once more when all is over."""
        self._unknown.append(call.number)
        return await self._records(call.number) == []

    async def searched(self, *, since: int) -> None:
        """Wait until it has looked into the PBX's records after a gap, and judged what it found.

        `since` is how long its log was before.
        """
        await self.said("records_read", since=since)
        async with asyncio.timeout(10):
            while any(gap.ended is None for gap in await self.gaps()):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.05)

    async def gaps(self) -> list[Gap]:
        """Give the times in which it did not watch."""
        ever = datetime.fromtimestamp(0, UTC)
        async with Database.read_only(self.database) as db:
            return await db.read(lambda tx: feed.gaps(tx, "office", ever))

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Look into its database."""
        async with Database.read_only(self.database) as db:
            return await db.read(query)

    async def records_of(self, call: Call) -> list[CallRecord]:
        """Give what it wrote down of the calls from that number, the oldest first."""
        return await self._records(call.number)

    def texts_to(self, call: Call) -> list[Text]:
        """Give what arrived at the gateway for that caller."""
        return [text for text in self.gateway.texts if text.to == call.number]

    async def _settled(self, call: Call, nth: int, timeout: float = 40) -> CallRecord:  # noqa: ASYNC109
        """Wait until the call is judged and its text, if any, is on its way or dropped."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    # Not every change says so in the log, so look without a word now and then.
                    async with self._said:
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._said.wait(), 0.2)
                    records = [
                        record
                        for record in await self._records(call.number)
                        if record.call.began.timestamp()
                        >= int(call.office.opened_at)  # a CDR's seconds
                    ]
                    if len(records) > nth:
                        record = records[nth]
                        waiting = record.message_state in WAITING
                        if record.call.ended and record.decision and not waiting:
                            return record
        except TimeoutError:
            raise AssertionError(f"no verdict on {call.number}\n{self.report()}") from None

    async def _records(self, number: str) -> list[CallRecord]:
        """Give the calls of that caller, the oldest first."""
        async with Database.read_only(self.database) as db:
            found = await db.read(lambda tx: calls.recent(tx, limit=1000, caller=number))
        return found[::-1]

    async def _arrived_once(self, message_id: int) -> None:
        async with Database.read_only(self.database) as db:
            message = await db.read(lambda tx: stored_messages.get(tx, message_id))
        assert message is not None
        arrived = [text for text in self.gateway.texts if text.key == message.key]
        assert len(arrived) == 1, f"the text arrived {len(arrived)} times"
        assert arrived[0].to == message.to


def _toml(settings: Mapping[str, str]) -> str:
    return "\n".join(f"{key} = {value}" for key, value in settings.items())
