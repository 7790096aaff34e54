"""Many calls at a time through a real Asterisk: every other one missed, all of different callers.

Both ends are counted by number: what SIPp saw of each call, and what arrived at the gateway.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.usage import Usage, usage

from .asterisk import Asterisk
from .office import DIRECT, EWA
from .service import RunningService
from .sipp import NEVER, BriefMessage, Sipp, SippRunner

#: Callers give up after so long; the office texts only who waited for longer than a second.
GIVE_UP_MS = 1300
#: Ewa's phone rings for so long before she answers, and callers then talk for so long.
RING_MS, TALK_MS = 300, 500
#: A machine that is busy with other tests is slow; nothing waits as long unless it fails.
PATIENCE = 300.0


def numbers(count: int, area: int) -> list[str]:
    """Give so many callers of one area code, spread over its exchanges as callers are."""
    return [f"+1{area}{2_000_000 + n * 7919 % 7_999_999:07d}" for n in range(count)]


@dataclass(frozen=True)
class Seen:
    """What SIPp saw of some calls."""

    answered: frozenset[str]  #: who spoke to somebody
    gave_up: dict[str, float]  #: who heard it ring and then gave up: when the CANCEL left
    again: int  #: requests sent again because no answer came in time


@dataclass
class Load:
    """A number of calls, and what came of them at both ends."""

    asterisk: Asterisk
    service: RunningService
    rate: float  #: new calls a second
    calls: int  #: half of them to be missed
    seen: Seen = field(init=False)
    took: float = field(init=False, default=0.0)  #: seconds from the first call to the last
    before: dict[str, Usage] = field(init=False)
    after: dict[str, Usage] = field(init=False)

    @property
    def made(self) -> int:
        """The calls of which it is known how they ended."""
        return len(self.seen.gave_up) + len(self.seen.answered)

    async def run(self) -> None:
        """Make the calls, and wait for their texts."""
        sipp = SippRunner(self.asterisk.tree, self.asterisk.inside)
        half = self.calls // 2
        missed, talked = numbers(half, 212), numbers(half, 213)
        try:
            for phone, rings in (("101", NEVER), ("105", RING_MS)):
                await sipp.start(
                    "phone", self.asterisk.net.phone(phone), calls=None, brief=True,
                    values={"user": phone, "ring_ms": rings, "talk_ms": NEVER, "keys": ""},
                    options=["-timeout", "7200s"],
                )  # fmt: skip
            await asyncio.sleep(1)
            self.before = self._usage()
            began = time.monotonic()
            callers = [
                await self._callers(sipp, missed, DIRECT, 5080, 20_000),
                await self._callers(sipp, talked, EWA, 5082, 40_000),
            ]
            for caller in callers:
                await caller.wait(self.calls / self.rate + PATIENCE)
            self.took = time.monotonic() - began
            # In threads: the gateway is in this process, and would answer nobody meanwhile.
            halves = [
                await asyncio.to_thread(_seen_by, caller, who)
                for caller, who in zip(callers, (missed, talked), strict=True)
            ]
            self.seen = Seen(
                halves[0].answered | halves[1].answered,
                halves[0].gave_up | halves[1].gave_up,
                halves[0].again + halves[1].again,
            )
            await self._texted(self.seen.gave_up)
            self.after = self._usage()
        finally:
            await sipp.kill_all()

    async def _callers(
        self, sipp: SippRunner, who: Sequence[str], line: str, port: int, media: int
    ) -> Sipp:
        name = f"callers-{port}.csv"
        (sipp.folder / name).write_text("SEQUENTIAL\n" + "\n".join(who) + "\n", encoding="utf-8")
        net = self.asterisk.net
        # Room for speech on many calls; SIPp 3.6, beside Asterisk 16, cannot be told of it.
        ports = ["-min_rtp_port", str(media), "-max_rtp_port", str(media + 9_998)]
        return await sipp.start(
            "caller", net.trunk, port=port, remote=f"{net.pbx}:5060", calls=len(who), brief=True,
            values={
                "from": f"<sip:[field0]@{net.trunk}>", "user": "[field0]", "to": line,
                "ring_ms": GIVE_UP_MS, "talk_ms": TALK_MS, "speech": "", "keys": "", "headers": "",
            },
            options=[
                *("-inf", str(self.asterisk.inside / "sipp" / name), "-timeout", "7200s"),
                # In tenths of a second, so that calls come evenly.
                *("-r", str(round(self.rate * 50)), "-rp", "100000"),
                *("-l", "2000"),
                *([] if self.asterisk.version == "16" else ports),
            ],
        )  # fmt: skip

    async def _texted(self, who: Iterable[str]) -> None:
        """Wait until everybody is texted whom nobody answered, and for what ought not to come."""
        left = set(who)
        gateway = self.service.gateway
        async with asyncio.timeout(PATIENCE):
            while left := left - {text.to for text in gateway.texts}:
                async with gateway.arrived:
                    await gateway.arrived.wait()
        await asyncio.sleep(2)  # what is sent twice, or to the wrong one, is sent by then

    def _usage(self) -> dict[str, Usage]:
        return {"service": usage(self.service.pid), "Asterisk": usage(self.asterisk.pid)}

    @property
    def texts(self) -> Counter[str]:
        """Count the texts at the gateway for each number."""
        return Counter(text.to for text in self.service.gateway.texts)

    def latencies(self) -> list[float]:
        """Give the seconds from each caller's hang-up to the request at the gateway."""
        at = {text.to: text.at for text in self.service.gateway.texts}
        return [at[number] - hung_up for number, hung_up in self.seen.gave_up.items()]

    def report(self) -> str:
        """Say in a few lines what came of it."""
        gave_up, answered, texts = self.seen.gave_up, self.seen.answered, self.texts
        made = f"{self.calls} calls at {self.rate:g}/s, made in {self.took:.1f} s"
        ended = f"{len(gave_up)} missed, {len(answered)} answered, {self.calls - self.made} neither"
        lines = [
            f"{made}, {self.seen.again} SIP requests sent again",
            f"{ended}; {texts.total()} texts to {len(texts)} numbers",
            f"hang-up to request at the gateway: {spread(self.latencies())}",
        ]
        for who, after in self.after.items():
            before, each = self.before[who], (after.cpu - self.before[who].cpu) / max(1, self.made)
            lines.append(
                f"{who}: {each * 1000:.2f} ms of a processor a call, RSS {before.rss:.1f} MB "
                f"before, {after.rss:.1f} after, {after.peak:.1f} at most"
            )
        return "\n".join(lines)


def _seen_by(sipp: Sipp, who: Sequence[str]) -> Seen:
    return seen(sipp.briefly(), who)


def spread(seconds: Sequence[float]) -> str:
    """Say how some times lie, in milliseconds."""
    each = sorted(1000 * s for s in seconds)
    p50, p99 = (each[max(0, math.ceil(len(each) * part) - 1)] for part in (0.5, 0.99))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f}, max {each[-1]:.1f}"


def seen(messages: Iterable[BriefMessage], who: Sequence[str]) -> Seen:
    """Tell what came of calls that were made by these, in this order.

    A call is in neither part that cannot be told from here: refused, or given up in the instant in
    which it was answered, or before the PBX had said anything.
    """
    rang: set[str] = set()
    answered: set[str] = set()
    gave_up: dict[str, float] = {}
    ended: set[str] = set()
    sent: set[tuple[int, str]] = set()
    again = 0
    for message in messages:
        number = who[message.call - 1]
        what = message.first.split()[:2]
        if message.sent and what[0] in {"INVITE", "CANCEL", "BYE"}:
            again += (message.call, what[0]) in sent
            sent.add((message.call, what[0]))
            if what[0] == "CANCEL":
                gave_up.setdefault(number, message.at)
        elif not message.sent and message.cseq.endswith("INVITE"):
            {"180": rang, "200": answered, "487": ended}.get(what[1], set()).add(number)
    return Seen(
        frozenset(answered - gave_up.keys()),
        {number: at for number, at in gave_up.items() if number in (rang & ended) - answered},
        again,
    )
