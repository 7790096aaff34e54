"""From the caller's hang-up to the request at the gateway, on real calls with delay 0.

    python -m benchmarks.latency [--calls 200] [--rate 8] [--asterisk 22]

As root: a real Asterisk, the service as a process, SIPp callers who give up while a phone rings,
several at a time. A call's times are those of its CANCEL leaving SIPp, of its Hangup event being
readable on an AMI connection of our own (the PBX's share), and of the text's request at the
gateway (the rest is ours). All three are read from the same clock; SIPp's trace has microseconds
and is written right after the packet.
"""

import argparse
import asyncio
import re
import statistics
import time
from collections.abc import Sequence

from tests.e2e.asterisk import Asterisk
from tests.e2e.office import DIRECT
from tests.e2e.service import RunningService
from tests.e2e.sipp import NEVER, Sipp, SippRunner

#: The office texts only who waited for longer than `min_ring`, a second.
RING_MS = 1300
ACCOUNT = """\
[latency]
secret = latency
permit = 127.0.0.0/255.0.0.0
read = call
writetimeout = 10000
eventfilter = Event: Hangup[[:cntrl:]]
"""


class HangupClock(asyncio.Protocol):
    """Notes when each caller's Hangup event can be read."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"Action: Login\r\nUsername: latency\r\nSecret: latency\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        at = time.time()  # noqa: TID251 - compared with SIPp's wall-clock times
        *events, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for event in events:
            number = re.search(rb"\r\nCallerIDNum: (\+\d+)", event)
            if event.startswith(b"Event: Hangup") and b"\r\nChannel: PJSIP/trunk-" in event:
                assert number is not None
                self.at[number[1].decode()] = at


async def measure(version: str, numbers: Sequence[str], rate: int) -> None:
    asterisk = Asterisk(version)
    (asterisk.folder / "etc" / "manager.d" / "latency.conf").write_text(ACCOUNT, encoding="utf-8")
    sipp = SippRunner(asterisk.tree, asterisk.inside)
    service = RunningService(asterisk, delay="0s")
    try:
        await asterisk.start()
        await service.start()
        _, clock = await asyncio.get_running_loop().create_connection(
            HangupClock, asterisk.net.pbx, asterisk.ami_port
        )
        caller = await ring(sipp, asterisk, numbers, rate)
        assert await caller.wait(60 + len(numbers) / rate) == 0, caller.errors()
        async with asyncio.timeout(20):
            while len(service.gateway.texts) < len(numbers):  # noqa: ASYNC110 - not the hot path
                await asyncio.sleep(0.1)
        report(caller, clock, service)
    finally:
        await sipp.kill_all()
        await service.close()
        await asterisk.stop()


async def ring(sipp: SippRunner, asterisk: Asterisk, numbers: Sequence[str], rate: int) -> Sipp:
    """Let everybody call, and give up."""
    net = asterisk.net
    await sipp.start(
        "phone", net.phone("101"), calls=None,
        values={"user": "101", "ring_ms": NEVER, "talk_ms": NEVER, "keys": ""},
        options=["-timeout", "3600s"],
    )  # fmt: skip
    await asyncio.sleep(1)
    (sipp.folder / "numbers.csv").write_text("SEQUENTIAL\n" + "\n".join(numbers) + "\n")
    return await sipp.start(
        "caller", net.trunk, port=5080, remote=f"{net.pbx}:5060", calls=len(numbers),
        values={
            "from": f"<sip:[field0]@{net.trunk}>", "user": "[field0]", "to": DIRECT,
            "ring_ms": RING_MS, "talk_ms": NEVER, "speech": "", "keys": "", "headers": "",
        },
        options=[
            *("-inf", str(asterisk.inside / "sipp" / "numbers.csv"), "-r", str(rate)),
            *("-l", "500", "-timeout", "3600s"),
        ],
    )  # fmt: skip


def report(caller: Sipp, clock: HangupClock, service: RunningService) -> None:
    gave_up: dict[str, float] = {}
    for message in caller.sent("CANCEL"):
        number = re.search(r"(?m)^From: <sip:(\+\d+)@", message.text)
        assert number is not None
        gave_up.setdefault(number[1], message.at)
    texted = {text.to: text.at for text in service.gateway.texts}
    assert len(texted) == len(service.gateway.texts), "a caller was texted twice"
    for name, begins, ends in (
        ("CANCEL to request at the gateway", gave_up, texted),
        ("  the PBX: CANCEL to Hangup event", gave_up, clock.at),
        ("  we: Hangup event to request", clock.at, texted),
    ):
        taken = [(ends[number] - begins[number]) * 1000 for number in texted]
        quantiles = statistics.quantiles(taken, n=100)
        print(
            f"{name:35} median {quantiles[49]:6.2f} ms, p99 {quantiles[98]:6.2f}, "
            f"max {max(taken):6.2f} ({len(taken)} calls)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--rate", type=int, default=8, help="new calls a second")
    parser.add_argument("--asterisk", default="22", choices=["22", "16"])
    arguments = parser.parse_args()
    numbers = [f"+1212{5551000 + n:07d}" for n in range(arguments.calls)]
    asyncio.run(measure(arguments.asterisk, numbers, arguments.rate))


if __name__ == "__main__":
    main()
