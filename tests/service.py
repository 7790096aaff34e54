"""The service as a process, between a PBX and a gateway that stand for the outside."""

import asyncio
import csv
import io
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from pbx_bridge.clock import utc_now
from pbx_bridge.store import calls
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.calls import CallRecord
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord
from tests.gateways.fakes import ACCOUNT, TOKEN, FakeTwilio, Request, Told, answer
from tests.sources.ami.fake import FakeAmi, Headers, event
from tests.warm import Born, born

ROOT = Path(__file__).parent.parent
#: What the service waits for in an office is long; a test has no such time.
SHORT = {
    "followup.RECORDS_SETTLE": 0.1,
    "source.FIRST_WAIT": 0.05,
    "source._SAY_AGAIN": 0,
    "source.FIRST_WAIT_REFUSED": 0.05,
}
#: A machine that is busy with other tests is slow; nothing waits as long unless it fails.
PATIENCE = 60.0

_serials = count(1)


@dataclass(frozen=True)
class Line:
    """One inbound call on its way: a caller, and the phone that rings for it."""

    serial: int  #: from which all ids are made
    number: str

    @property
    def root(self) -> str:
        return f"{1764000000 + self.serial}.{self.serial * 2}"

    @property
    def leg(self) -> str:
        return f"{1764000000 + self.serial}.{self.serial * 2 + 1}"

    @property
    def trunk(self) -> str:
        return f"PJSIP/trunk-{self.serial * 2:08x}"

    @property
    def phone(self) -> str:
        return f"PJSIP/101-{self.serial * 2 + 1:08x}"

    def bridge(self) -> str:
        return f"bridge-{self.serial}"


@dataclass
class Pbx(FakeAmi):
    """An Asterisk with calls, of which it tells by AMI and writes down (CEL), whoever listens."""

    cel: Path | None = None
    alive: dict[str, Headers] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.answers["CoreShowChannels"] = lambda _, action: self._channels(action)
        self.answers["Login"] = lambda _, action: self._login(action)
        self._told: asyncio.StreamWriter | None = None

    def calls(self, like: Line | None = None, number: str = "") -> Line:
        """Let a caller ring, and so the phone; `like` another PBX's call, with the same ids.

        Without a `number` it is somebody who has never called.
        """
        serial = next(_serials)
        number = number or f"+1646{5550000 + serial}"
        line = Line(serial if like is None else like.serial, number)
        self._born(line, line.root, line.trunk, "from-trunk", "+12125550100", line.number, "4")
        self._born(line, line.leg, line.phone, "from-office", "s", "101", "5")
        self._tell(
            "DialBegin",
            Channel=line.trunk,
            Uniqueid=line.root,
            DestChannel=line.phone,
            DestUniqueid=line.leg,
            DialString="101",
        )
        return line

    def answers_it(self, line: Line) -> None:
        """Let somebody pick up the phone."""
        for channel_id, name in ((line.leg, line.phone), (line.root, line.trunk)):
            self.alive[channel_id]["ChannelState"] = "6"
            self._write(line, "ANSWER", channel_id, name)
            self._tell("Newstate", Channel=name, ChannelState="6", Uniqueid=channel_id)
            if channel_id == line.leg:
                self._dial_ends(line, "ANSWER")
        for channel_id, name in ((line.leg, line.phone), (line.root, line.trunk)):
            self.alive[channel_id]["BridgeId"] = line.bridge()
            extra = {"bridge_id": line.bridge(), "bridge_technology": "simple_bridge"}
            self._write(line, "BRIDGE_ENTER", channel_id, name, extra)
            self._tell(
                "BridgeEnter",
                BridgeUniqueid=line.bridge(),
                BridgeType="basic",
                BridgeTechnology="simple_bridge",
                Channel=name,
                ChannelState="6",
                Uniqueid=channel_id,
                Linkedid=line.root,
            )

    def ends(self, line: Line) -> None:
        """End a call, whether anybody spoke or not."""
        answered = self.alive[line.root]["ChannelState"] == "6"
        if not answered:
            self._dial_ends(line, "NOANSWER")
        status = "ANSWER" if answered else "NOANSWER"
        self._gone(line, line.leg, line.phone, "")
        self._tell(
            "VarSet", Channel=line.trunk, Variable="DIALSTATUS", Value=status, Uniqueid=line.root
        )
        self._gone(line, line.root, line.trunk, status)
        self._write(line, "LINKEDID_END", line.root, line.trunk)

    def misses(self) -> str:
        """Let a whole call go by that nobody answers; give the caller's number."""
        line = self.calls()
        self.ends(line)
        return line.number

    def _born(  # noqa: PLR0917 - the columns of a channel
        self, line: Line, channel_id: str, name: str, context: str, exten: str, number: str,
        state: str,
    ) -> None:  # fmt: skip
        self.alive[channel_id] = {
            "Channel": name,
            "ChannelState": state,
            "CallerIDNum": number,
            "CallerIDName": "",
            "Context": context,
            "Exten": exten,
            "Uniqueid": channel_id,
            "Linkedid": line.root,
        }
        self._write(line, "CHAN_START", channel_id, name)
        self._tell("Newchannel", **self.alive[channel_id])

    def _dial_ends(self, line: Line, status: str) -> None:
        self._tell(
            "DialEnd",
            Channel=line.trunk,
            Uniqueid=line.root,
            DestChannel=line.phone,
            DestUniqueid=line.leg,
            DialStatus=status,
        )

    def _gone(self, line: Line, channel_id: str, name: str, status: str) -> None:
        extra = {"hangupcause": 16, "hangupsource": "", "dialstatus": status}
        self._write(line, "HANGUP", channel_id, name, extra)
        self._write(line, "CHAN_END", channel_id, name)
        context = self.alive.pop(channel_id)["Context"]
        self._tell("Hangup", Channel=name, Context=context, Uniqueid=channel_id, Cause="16")

    def _tell(self, name: str, **headers: str) -> None:
        if self._told is not None and not self._told.is_closing():
            self._told.write(event(name, **headers).encode())

    def _login(self, action: Headers) -> str | None:
        said = FakeAmi.answer(self, action)
        if self.logged_in.is_set():
            self._told = self.writer  # before that Asterisk tells nothing
        return said

    def _channels(self, action: Headers) -> str | None:
        self.channels = list(self.alive.values())
        return FakeAmi.answer(self, action)

    def _write(
        self, line: Line, kind: str, channel_id: str, name: str, extra: Headers | Any = None
    ) -> None:
        """Write a row as asterisk-conf/cel_custom.conf has it."""
        if self.cel is None:
            return
        known = self.alive.get(channel_id, {})
        row = [""] * 20
        row[0], row[1] = kind, f"{utc_now().timestamp():.6f}"
        row[3] = line.number if channel_id == line.root else "101"
        row[7], row[8], row[9] = known.get("Exten", ""), known.get("Context", ""), name
        row[12], row[14], row[15] = "3", channel_id, line.root
        row[19] = json.dumps(extra) if extra else ""
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(row)
        with self.cel.open("a", encoding="utf-8") as file:
            file.write(text.getvalue())


class Watchable(Protocol):
    """What a configuration has to say of a PBX."""

    port: int
    secret: str
    cel: Path | None


@dataclass
class Plain:
    """A gateway that takes texts and can be asked nothing."""

    taken: Counter[str] = field(default_factory=Counter)

    def __call__(self, request: Request) -> bytes:
        self.taken[request.form()["To"]] += 1
        return answer(200)


class Service:
    """One run of the service, and what it logs."""

    def __init__(self, process: asyncio.subprocess.Process | Born) -> None:
        self._process = process
        self._news = asyncio.Event()
        self.log: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        while line := (await stream.readline()).decode():
            self.raw.append(line)
            if line.startswith("{"):
                self.log.append(json.loads(line))
            self._news.set()

    @property
    def runs(self) -> bool:
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def told(self, name: str, times: int = 1) -> dict[str, Any]:
        """Wait until it has logged an event so many times; give the last of these entries."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    self._news.clear()
                    found = [entry for entry in self.log if entry["event"] == name]
                    if len(found) >= times:
                        return found[times - 1]
                    assert not self._reading.done(), f"no {name!r}, it ended: {self.raw}"
                    waiting = asyncio.get_running_loop().create_task(self._news.wait())
                    await asyncio.wait(
                        [waiting, self._reading], return_when=asyncio.FIRST_COMPLETED
                    )
                    waiting.cancel()
        except TimeoutError:
            raise AssertionError(f"no {name!r}: {self.raw}") from None

    async def ended(self, seconds: float = PATIENCE) -> int:
        """Wait until it is gone; give its exit code."""
        async with asyncio.timeout(seconds):
            await self._reading
            return await self._process.wait()

    async def ends_within(self, seconds: float) -> bool:
        """Wait a moment for its end."""
        await asyncio.wait([self._reading], timeout=seconds)
        return self._reading.done()

    async def stops(self) -> int:
        """Stop it as systemd does; give its exit code."""
        self.signal(signal.SIGTERM)
        return await self.ended(10)

    async def close(self) -> None:
        if self.runs:
            self._process.kill()
        await self._reading
        await self._process.wait()


@dataclass
class Office:
    """A folder with configuration and database, and all that is around the service."""

    folder: Path
    pbx: Pbx
    server: Told
    services: list[Service] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "pbx-bridge.toml"

    def configure(self, **changes: str) -> None:
        """Write the configuration: [texting] and more; `texting` are lines for that table."""
        values = {
            "enabled": "true",
            "delay": '"0s"',
            "database": str(self.folder / "bridge.db"),
            "pbx": self.pbx_table("office", self.pbx),
            "gateway": self.twilio(),
            "texting": "",
            "more": "",
        } | changes
        self.config.write_text(
            f"""\
[office]
name = "Miller"
country = "US"
timezone = "America/New_York"
[texting]
enabled = {values["enabled"]}
delay = {values["delay"]}
max_per_hour = 10000
max_per_day = 10000
{values["texting"]}
[texting.limits]
# All calls are of strangers from one block of numbers.
per_block_per_hour = 10000
per_block_per_day = 10000
per_line_per_hour = 10000
strangers_per_hour = 10000
strangers_per_day = 10000
max_per_minute = 10000
[texting.burst]
enabled = false
[texting.quiet_hours]
# Tests run at any hour.
enabled = false
{values["pbx"]}
[gateways.test]
{values["gateway"]}
[database]
path = "{values["database"]}"
{values["more"]}
"""
        )

    @staticmethod
    def pbx_table(name: str, pbx: Watchable, secret: str | None = None) -> str:
        records = f'records = {{ cel_csv = "{pbx.cel}" }}\n' if pbx.cel else ""
        return (
            f'[[pbx]]\nname = "{name}"\nport = {pbx.port}\nusername = "bridge"\n'
            f'secret = "{secret or pbx.secret}"\n{records}'
        )

    def twilio(self) -> str:
        return (
            f'type = "twilio"\naccount_sid = "{ACCOUNT}"\nauth_token = "{TOKEN}"\n'
            f'from_number = "+15550001111"\nbase_url = "{self.server.url}"'
        )

    def plain(self) -> str:
        return f'type = "http"\nurl = "{self.server.url}"\nform = {{ To = "{{to}}" }}'

    async def start(self, **options: Any) -> Service:
        """Start the service; see `tests.service_process` for the options."""
        options["seconds"] = SHORT | options.get("seconds", {})
        service = Service(await born(str(self.config), json.dumps(options)))
        self.services.append(service)
        return service

    async def start_watching(self, **options: Any) -> Service:
        """Start the service and wait until it sees the PBX."""
        service = await self.start(**options)
        await service.told("pbx_up")
        return service

    async def run(
        self, module: str, *arguments: str, env: Mapping[str, str] | None = None
    ) -> Service:
        """Run a module; `env` comes on top of this process's environment."""
        service = Service(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *arguments),
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                limit=2**20,
            )
        )
        self.services.append(service)
        return service

    @property
    def texts(self) -> Counter[str]:
        """Count the texts at Twilio for each number."""
        assert isinstance(self.server.reply, FakeTwilio)
        return Counter(str(message["to"]) for message in self.server.reply.messages)

    async def messages(self) -> list[MessageRecord]:
        async with Database.read_only(self.folder / "bridge.db") as db:
            return await db.read(lambda tx: stored_messages.recent(tx, limit=9999))

    async def calls(self) -> list[CallRecord]:
        async with Database.read_only(self.folder / "bridge.db") as db:
            return await db.read(lambda tx: calls.recent(tx, limit=9999))


async def until(true: Callable[[], Awaitable[bool] | bool], seconds: float = PATIENCE) -> None:
    """Wait until something outside of this process is true."""
    async with asyncio.timeout(seconds):
        while True:
            answered = true()
            if answered if isinstance(answered, bool) else await answered:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def pbx(cel: Path | None = None, port: int = 0) -> AsyncIterator[Pbx]:
    """Open a PBX that listens."""
    fake = Pbx(cel=cel, port=port)
    server = await asyncio.start_server(fake.serve, "127.0.0.1", port)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        if fake.writer is not None:
            fake.writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def office(folder: Path, gateway: Any = None) -> AsyncIterator[Office]:
    """Open an office with one PBX and one gateway; what still runs of the service is killed."""
    reply = FakeTwilio() if gateway is None else gateway
    async with Told(reply).running() as server, pbx(folder / "cel.csv") as asterisk:
        place = Office(folder, asterisk, server)
        place.configure()
        try:
            yield place
        finally:
            for service in place.services:
                await service.close()
