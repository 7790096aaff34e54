"""A busy office made of recorded real calls, each of a caller of its own, told over a real AMI.

The recordings keep their own pace, or are played many times as fast; what is true of each call
stands beside it. Irrelevant events can be told in between, as many as the other side takes.
"""

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from benchmarks.stream import renamed
from pbx_bridge import recording
from pbx_bridge.clock import utc_now
from pbx_bridge.core.call import Disposition
from pbx_bridge.core.events import CallEvent
from pbx_bridge.sources.ami.frames import FrameReader
from pbx_bridge.sources.ami.translate import translate
from pbx_bridge.store import calls as stored_calls
from pbx_bridge.store.db import Database
from tests.e2e.service import SmsServer
from tests.real_calls import FOLDER, RECORDINGS, RealCalls
from tests.service import Office, Service, office
from tests.sources.ami.fake import FakeAmi, Headers
from tests.usage import Usage, usage

_END = b"\r\n\r\n"
#: A machine that is busy with other tests is slow; nothing waits as long unless it fails.
PATIENCE = 300.0
#: Calls a second of an office that has a thousand in an hour.
THOUSAND_AN_HOUR = 1000 / 3600
#: Events that tell of what is alive.
_OF_CHANNELS = (b"Newchannel", b"Newstate", b"Hangup", b"BridgeEnter", b"BridgeLeave")
#: No event of these names is of any use to us.
_IRRELEVANT = (b"Event: RTCP", b"Event: DeviceState", b"Event: Cdr", b"Event: CEL")
MORE = """\
[recovery]
min_conversation = "0s"
[logging]
level = "warning"
"""
PBX = """\
[[pbx]]
name = "office"
port = {port}
username = "bridge"
secret = "{secret}"
"""
GATEWAY = """\
type = "http"
url = "http://127.0.0.1:{port}/send"
json = {{ to = "{{to}}", text = "{{text}}", key = "{{key}}" }}
id_path = "id"
"""


@dataclass(frozen=True)
class Recorded:
    """One recorded inbound call."""

    name: str
    caller: str  #: its ten digits
    answered: bool
    messages: tuple[tuple[float, bytes], ...]  #: seconds from the first one, and what was told
    hangup: int  #: which of them ends the caller's channel


@dataclass
class Played:
    """A call that is played."""

    number: str
    of: Recorded
    messages: Sequence[bytes]
    hung_up_at: float = 0.0  #: epoch seconds, when the last event of the caller's channel left


@cache
def recorded(folder: str = "22") -> tuple[Recorded, ...]:
    """Give the recordings of a single call with a number, which is texted unless it is answered."""
    found = []
    for calls in RECORDINGS:
        told = calls.truth
        if calls.path.parent != FOLDER / folder or calls.settings is not None or len(told) != 1:
            continue
        (truth,) = told
        if truth.texted is (truth.disposition == "missed") and truth.caller.startswith("+1"):
            found.append(_recorded(calls, truth.caller[2:], answered=not truth.texted))
    assert len(found) > 20
    return tuple(found)


def _recorded(calls: RealCalls, caller: str, *, answered: bool) -> Recorded:
    messages: list[tuple[float, bytes]] = []
    root, hangup, rest = b"", -1, b""
    first: float | None = None
    for moment in recording.read(calls.path):
        *parts, rest = (rest + moment.data).split(_END)
        for part in parts:
            if not part.startswith(b"Event: ") or part.startswith(b"Event: FullyBooted"):
                continue
            at = moment.at.timestamp()
            first = at if first is None else first
            number = b"\r\nCallerIDNum: +1" + caller.encode()
            if not root and part.startswith(b"Event: Newchannel") and number in part:
                root = b"\r\nUniqueid: " + part.split(b"\r\nUniqueid: ")[1].split(b"\r\n")[0]
            if root and part.startswith(b"Event: Hangup\r") and root + b"\r\n" in part + b"\r\n":
                hangup = len(messages)
            messages.append((at - first, part))
    assert hangup >= 0, calls.name
    return Recorded(calls.name, caller, answered, tuple(messages), hangup)


def of_somebody(of: Recorded, serial: int, caller: int | None = None) -> tuple[str, list[bytes]]:
    """Give the number and the events of a call like a recorded one, with ids of its own.

    It is of the somebody who has that number in a long row of callers; without one, of a new one.
    """
    n = serial if caller is None else caller
    ours = f"{212 + n % 7}{2_000_000 + n * 7919 % 7_999_999:07d}"
    text = _END.join(message for _, message in of.messages)
    text = text.replace(of.caller.encode(), ours.encode())
    return f"+1{ours}", renamed(text.split(_END), serial)


def told(of: Recorded, serial: int, caller: int | None = None) -> Iterator[CallEvent]:
    """Give what a tracker gets of such a call."""
    _, messages = of_somebody(of, serial, caller)
    for frame in FrameReader().feed(_END.join([*messages, b""])):
        event = translate(frame, utc_now())
        if event is not None:
            yield event


@cache
def irrelevant(size: int = 65_536) -> tuple[bytes, int]:
    """Give about so many bytes of events that are of no use to us, and how many these are."""
    found = [
        part + _END
        for path in sorted((FOLDER / "22" / "read-all").glob("*.ami"))
        for part in path.read_bytes().split(_END)
        if part.startswith(_IRRELEVANT)
        or (part.startswith(b"Event: VarSet") and b"\r\nVariable: SIP" in part)
        or (part.startswith(b"Event: Newexten") and b"\r\nApplication: Dial" in part)
    ]
    block, events = b"", 0
    while len(block) < size:
        block += found[events % len(found)]
        events += 1
    return block, events


@dataclass
class Switchboard(FakeAmi):
    """An Asterisk that tells what it is given, and knows what is alive by that."""

    alive: dict[str, Headers] = field(default_factory=dict)
    told: int = 0  #: events

    def __post_init__(self) -> None:
        self.answers["CoreShowChannels"] = lambda _, action: self._list(action)

    def tell(self, message: bytes) -> None:
        """Write one event."""
        assert self.writer is not None
        self.writer.write(message + _END)
        self.told += 1
        if message[7 : message.find(b"\r\n", 7)] in _OF_CHANNELS:
            self._take(_headers(message))

    async def tell_irrelevant(self) -> None:
        """Write events of no use for ever, as fast as the other side takes them."""
        block, events = irrelevant()
        while True:
            assert self.writer is not None
            self.writer.write(block)
            self.told += events
            await self.writer.drain()
            await asyncio.sleep(0)  # a drain that need not wait lets nobody else run

    def _take(self, headers: Headers) -> None:
        name, known = headers["Event"], self.alive.get(headers["Uniqueid"], {})
        if name == "Newchannel":
            self.alive[headers["Uniqueid"]] = headers | {"BridgeId": ""}
        elif name == "Hangup":
            self.alive.pop(headers["Uniqueid"], None)
        elif name == "Newstate":
            known["ChannelState"] = headers["ChannelState"]
        elif name == "BridgeEnter":
            known["BridgeId"] = headers["BridgeUniqueid"]
        else:
            known["BridgeId"] = ""

    def _list(self, action: Headers) -> str | None:
        wanted = ("Channel", "ChannelState", "CallerIDNum", "CallerIDName", "Context", "Exten",
                  "Uniqueid", "Linkedid", "BridgeId")  # fmt: skip
        self.channels = [{name: one[name] for name in wanted} for one in self.alive.values()]
        return FakeAmi.answer(self, action)


def _headers(message: bytes) -> Headers:
    return dict(line.split(": ", 1) for line in message.decode().split("\r\n") if ": " in line)


@dataclass
class Busy:
    """The real service between a switchboard and a gateway that keeps what arrives."""

    office: Office
    board: Switchboard
    gateway: SmsServer
    calls: list[Played] = field(default_factory=list)
    _serials: Iterator[int] = field(default_factory=count)

    @property
    def service(self) -> Service:
        return self.office.services[-1]

    def usage(self) -> Usage:
        return usage(self.service.pid)

    def call(self, of: Recorded) -> Played:
        """Give a call like a recorded one, of somebody who never called before."""
        serial = next(self._serials)
        number, messages = of_somebody(of, serial)
        played = Played(number, of, messages)
        self.calls.append(played)
        return played

    def tell(self, call: Played, n: int) -> None:
        """Tell the nth event of a call."""
        if n == call.of.hangup:
            call.hung_up_at = time.time()  # noqa: TID251 - compared with the gateway's time
        self.board.tell(call.messages[n])

    async def play(self, calls: int, *, rate: float, speed: float = 1.0) -> None:
        """Play so many calls, `rate` of them beginning in a second, each `speed` times as fast."""
        some = recorded()
        due: list[tuple[float, int, int, Played]] = []
        began, begun = time.monotonic(), 0
        while due or begun < calls:
            next_call = began + begun / rate if begun < calls else float("inf")
            if not due or next_call <= due[0][0]:
                call = self.call(some[begun % len(some)])
                begun += 1
                heapq.heappush(due, (next_call, begun, 0, call))
                continue
            at, serial, n, call = heapq.heappop(due)
            wait = at - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            self.tell(call, n)
            assert self.board.writer is not None
            await self.board.writer.drain()
            if n + 1 < len(call.messages):
                then = at + (call.of.messages[n + 1][0] - call.of.messages[n][0]) / speed
                heapq.heappush(due, (then, serial, n + 1, call))

    async def hold(self, calls: int) -> None:
        """Let so many calls come, and tell all of them but how they end."""
        some = recorded()
        for n in range(calls):
            call = self.call(some[n % len(some)])
            for told in range(call.of.hangup):
                self.tell(call, told)
            assert self.board.writer is not None
            await self.board.writer.drain()

    async def let_go(self) -> None:
        """Tell how the calls that are held end."""
        for call in self.calls:
            for told in range(call.of.hangup, len(call.messages)):
                self.tell(call, told)
            assert self.board.writer is not None
            await self.board.writer.drain()

    async def judged(self) -> dict[str | None, Disposition]:
        """Wait until all calls are judged and written down; give what they were, by number."""

        def look(tx: Connection) -> dict[str | None, Disposition] | None:
            if stored_calls.still_open(tx, "office"):
                return None
            found = stored_calls.recent(tx, limit=len(self.calls) + 1)
            if len(found) < len(self.calls):
                return None
            return {record.caller_e164: record.call.disposition for record in found}

        async with (
            asyncio.timeout(PATIENCE),
            Database.read_only(self.office.folder / "bridge.db") as db,
        ):
            while (found := await db.read(look)) is None:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.5)
        return found

    def truth(self) -> dict[str | None, Disposition]:
        """Give what the calls were."""
        return {
            call.number: Disposition.ANSWERED if call.of.answered else Disposition.MISSED
            for call in self.calls
        }

    async def texted(self) -> None:
        """Wait until everybody is texted whom nobody answered."""
        wanted = {call.number for call in self.calls if not call.of.answered}
        with suppress(TimeoutError):  # who is missing is for the one who counts
            async with asyncio.timeout(PATIENCE):
                while wanted - {text.to for text in self.gateway.texts}:
                    async with self.gateway.arrived:
                        await self.gateway.arrived.wait()

    def latencies(self) -> list[float]:
        """Give the seconds from each hang-up event's leaving to the request at the gateway."""
        at = {text.to: text.at for text in self.gateway.texts}
        return [at[call.number] - call.hung_up_at for call in self.calls if call.number in at]

    def wrong(self) -> dict[str, Any]:
        """Tell what is not as it ought to be, by number; empty if all is."""
        arrived = [text.to for text in self.gateway.texts]
        of = {call.number: call.of.name for call in self.calls}
        missed = {call.number for call in self.calls if not call.of.answered}
        found = {
            "not texted": sorted(of[number] for number in missed - set(arrived)),
            "texted in vain": sorted(of.get(number, "?") for number in set(arrived) - missed),
            "texts too many": len(arrived) - len(set(arrived)),
        }
        return {what: which for what, which in found.items() if which}


@asynccontextmanager
async def busy(folder: Path, *, more: str = "", real: bool = False) -> AsyncIterator[Busy]:
    """Open the office; with `real` its service waits as long as in a real one."""
    gateway = SmsServer()
    await gateway.start()
    board = Switchboard()
    server = await asyncio.start_server(board.serve, "127.0.0.1", 0)
    board.port = server.sockets[0].getsockname()[1]
    try:
        async with office(folder) as place:
            place.configure(
                texting='min_ring = "0s"',
                pbx=PBX.format(port=board.port, secret=board.secret),
                gateway=GATEWAY.format(port=gateway.port),
                more=MORE + more,
            )
            text = place.config.read_text(encoding="utf-8").replace("= 10000\n", "= 1000000\n")
            place.config.write_text(text, encoding="utf-8")
            if real:
                await place.run("pbx_bridge", "run", "-c", str(place.config))
            else:
                await place.start()
            await asyncio.wait_for(board.resynchronised.wait(), PATIENCE)
            yield Busy(place, board, gateway)
    finally:
        server.close()
        if board.writer is not None:
            board.writer.transport.abort()
        await gateway.stop()
