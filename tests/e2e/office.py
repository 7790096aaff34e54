"""The office under test: callers, phones and mobiles that do what a row of the catalogue says."""

# ruff: noqa: ASYNC109, ASYNC110, PLR0917 - time limits and polling are the trade of a test bed
from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .ami_recorder import AmiRecorder, Message, epoch
from .asterisk import Asterisk
from .sipp import NEVER, Sipp, SippRunner

# The office's numbers (asterisk-conf/extensions.conf).
DIRECT = "+16465550101"
WITH_VOICEMAIL = "+16465550102"
EWA = "+16465550105"
UNREGISTERED = "+16465550106"
UNREGISTERED_VOICEMAIL = "+16465550107"
GROUP = "+16465550110"
GROUP_LOCAL = "+16465550111"
GROUP_MAILBOX = "+16465550112"
HUNT = "+16465550113"
FOLLOW_DIAL = "+16465550114"
FOLLOW_APP = "+16465550115"
FORWARD = "+16465550116"
MOBILES = "+16465550117"
QUEUE_SUPPORT = "+16465550120"
QUEUE_SALES = "+16465550121"
QUEUE_OVERFLOW = "+16465550122"
QUEUE_VOICEMAIL = "+16465550123"
QUEUE_LOCAL = "+16465550124"
QUEUE_NIGHTS = "+16465550125"
QUEUE_CLAIMS = "+16465550126"
QUEUE_SECOND = "+16465550127"
QUEUE_AGENTS = "+16465550128"
IVR = "+16465550130"
ANNOUNCE = "+16465550131"
EARLY_MEDIA = "+16465550132"
CLOSED = "+16465550133"
AFTER_HOURS = "+16465550134"
MAILBOX_OPERATOR = "+16465550135"
BLOCKED = "+16465550136"
CONFERENCE = "+16465550137"
PARK_FIRST = "+16465550138"
FAX = "+16465550139"
BOT = "+16465550140"
ECHO = "+16465550141"
SCREENED = "+16465550142"
RINGBACK_ONLY = "+16465550143"
AFTER_HOURS_EARLY = "+16465550144"
CALLTHROUGH = "+16465550145"
APPLICATION = "+16465550146"
PAGE = "+16465550147"
CLOSED_CONSENT = "+16465550160"
QUEUE_CONSENT = "+16465550161"
QUEUE_MISSED_FIRST = "+16465550162"
LAST_COLLEAGUE = "+16465550163"
WE_WILL_TEXT = "+16465550164"
PREFIXED = "+16465550150"
NOBODY = "+16465550199"  # not in the dialplan

Keys = Sequence[tuple[int, str]]  # (milliseconds to wait, digit), one after the other

_numbers = itertools.count(1000)


def fresh_number() -> str:
    """A caller that no other test of this run has."""
    return f"+1212555{next(_numbers)}"


ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'


def withheld(number: str) -> str:
    """Tell the office's trunk, which is trusted, what the person called must not see."""
    return f"P-Asserted-Identity: <sip:{number}@carrier.example>\nPrivacy: id\n"


def press(keys: Keys, cseq_from: int, start: str) -> str:
    """SIPp's steps for pressing digits (SIP INFO) in a call, ready for a hang-up between them."""
    steps = []
    for number, (wait, digit) in enumerate(keys):
        steps.append(f"""
  <recv request="BYE" timeout="{wait}" ontimeout="key{number}" next="bye_received"/>
  <label id="key{number}"/>
  <send retrans="500"><![CDATA[

INFO [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
{start}
Call-ID: [call_id]
CSeq: {cseq_from + number} INFO
Max-Forwards: 70
Content-Type: application/dtmf-relay
Content-Length: [len]

Signal={digit}
Duration=160
]]></send>
  <recv response="200"/>""")
    return "".join(steps)


_CALLER_START = (
    "From: {{from}};tag=[pid]c[call_number]\n"
    "To: <sip:{{to}}@[remote_ip]:[remote_port]>[peer_tag_param]"
)
_PHONE_START = "From: [$me];tag=[pid]p[call_number]\nTo: [$pbx]"
_SPEECH = '<nop><action><exec rtp_stream="{file},-1,0"/></action></nop>'


@dataclass
class Call:
    """One call that somebody placed, seen from that side."""

    office: Office
    sipp: Sipp
    number: str  # who called
    did: str
    placed_at: float

    async def ended(self, timeout: float = 30) -> None:
        """Wait until the caller's side is over and the PBX has no channel left."""
        status = await self.sipp.wait(timeout)
        assert status == 0, f"SIPp {self.sipp.name} ended with {status}"
        await self.office.quiet()

    @property
    def answered(self) -> bool:
        """The PBX answered (which says nothing of a person)."""
        return self.sipp.answered

    @property
    def final(self) -> int:
        return self.sipp.final

    @property
    def hung_up_by_caller(self) -> bool:
        return self.sipp.hung_up_at is not None

    @property
    def ended_at(self) -> float:
        return self.sipp.ended_at


class Office:
    """Makes calls happen in one Asterisk."""

    def __init__(self, asterisk: Asterisk, control: AmiRecorder) -> None:
        self.asterisk, self.control = asterisk, control
        self.net = asterisk.net
        self.sipp = SippRunner(asterisk.tree, asterisk.inside)
        self.calls: list[Call] = []
        self.opened_at = epoch()
        self._ports = itertools.count(5080, 2)
        self._bots: list[asyncio.Server] = []
        self.truth_file: Path | None = None  # set when the row is being captured
        self.expectations: list[dict[str, object]] = []
        speech = self.sipp.folder / "speech.ulaw"
        if not speech.exists():  # thirty seconds of a hum, as loud as speech
            speech.write_bytes(bytes([0x10] * 10 + [0x90] * 10) * 12_000)
        self._speech = str(asterisk.inside / "sipp" / "speech.ulaw")

    # ---------------------------------------------------------------- callers

    async def place(
        self,
        did: str,
        *,
        caller: str | None = None,
        ring: int = NEVER,
        talk: int = NEVER,
        keys: Keys = (),
        speaks: bool = False,
        sender: str | None = None,
        headers: str = "",
        trunk: int = 2,
    ) -> Call:
        """A call from outside: gives up after `ring` ms, once answered hangs up after `talk` ms.

        `trunk` is the host of the office's network that the call comes from.
        """
        number = fresh_number() if caller is None else caller
        return await self._call(
            self.net.host(trunk), number, did, ring, talk, keys, speaks=speaks,
            sender=sender or f"<sip:{number}@{self.net.host(trunk)}>", headers=headers,
        )  # fmt: skip

    async def dial(
        self, phone: str, number: str, *, ring: int = NEVER, talk: int = NEVER, keys: Keys = ()
    ) -> Call:
        """A call from one of the office's phones."""
        return await self._call(
            self.net.phone(phone), phone, number, ring, talk, keys, speaks=False,
            sender=f"<sip:{phone}@{self.net.pbx}>", headers="",
        )  # fmt: skip

    async def _call(
        self, address: str, number: str, to: str, ring: int, talk: int, keys: Keys, *,
        speaks: bool, sender: str, headers: str,
    ) -> Call:  # fmt: skip
        sipp = await self.sipp.start(
            "caller",
            address,
            port=next(self._ports),
            remote=f"{self.net.pbx}:5060",
            values={
                "speech": _SPEECH.format(file=self._speech) if speaks else "",
                "keys": press(keys, 20, _CALLER_START),
                "from": sender,
                "to": to,
                "user": number,
                "ring_ms": ring,
                "talk_ms": talk,
                "headers": headers,
            },
        )
        call = Call(self, sipp, number, to, epoch())
        self.calls.append(call)
        return call

    # ---------------------------------------------------------------- phones and mobiles

    async def phone(
        self, number: str, *, ring: int = NEVER, talk: int = NEVER, keys: Keys = ()
    ) -> Sipp:
        """A desk phone, answered after `ring` ms of ringing, hung up after `talk` ms."""
        return await self._phone("phone", number, ring_ms=ring, talk_ms=talk,
                                 keys=press(keys, 20, _PHONE_START))  # fmt: skip

    async def phone_refuses(
        self, number: str, status: str, *, ring: int = 200, to: str = "nobody"
    ) -> Sipp:
        """A desk phone that refuses: `486 Busy Here`, `302 Moved Temporarily` to another ..."""
        return await self._phone("phone_refuses", number, ring_ms=ring, status=status,
                                 contact=f"{to}@{self.net.pbx}")  # fmt: skip

    async def phone_transfers(
        self, number: str, to: str, *, ring: int = 300, talk: int = 800
    ) -> Sipp:
        """A desk phone that answers and then transfers the caller blind."""
        return await self._phone("phone_transfers", number, ring_ms=ring, talk_ms=talk,
                                 refer_to=f"{to}@{self.net.pbx}")  # fmt: skip

    async def mobile(self, *, ring: int = NEVER, talk: int = NEVER, keys: Keys = ()) -> Sipp:
        """Whoever the office calls through the trunk."""
        return await self._uas("phone", self.net.trunk, user="mobile", ring_ms=ring, talk_ms=talk,
                               keys=press(keys, 20, _PHONE_START))  # fmt: skip

    async def sms_phone(self, status: str = "202 Accepted") -> Sipp:
        """Whoever takes the texts that the office sends through the trunk."""
        return await self._uas("sms_phone", self.net.trunk, status=status)

    async def text(self, to: str, body: str, sender: str, *, status: int = 202) -> None:
        """A text from outside, by SIP MESSAGE, which the PBX has to answer so."""
        sipp = await self.sipp.start(
            "sms",
            self.net.trunk,
            port=next(self._ports),
            remote=f"{self.net.pbx}:5060",
            values={"from": sender, "to": to, "body": body, "status": status},
        )
        assert await sipp.wait() == 0, sipp.trace()

    async def _phone(self, scenario: str, number: str, **values: object) -> Sipp:
        return await self._uas(scenario, self.net.phone(number), user=number, **values)

    async def _uas(self, scenario: str, address: str, **values: object) -> Sipp:
        sipp = await self.sipp.start(scenario, address, calls=None, values=values)
        async with asyncio.timeout(5):
            while not _listening(address):
                await asyncio.sleep(0.01)
        return sipp

    async def bot(self) -> None:
        """Put a voice bot (FastAGI) on the line, which talks for two seconds."""

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await reader.readuntil(b"\n\n")
                writer.write(b"EXEC Wait 2\n")
                await reader.readline()
            writer.close()

        self._bots.append(await asyncio.start_server(talk, self.net.trunk, 4573))

    # ---------------------------------------------------------------- the PBX itself

    async def ami(self, **headers: str) -> Message:
        """Act with all rights, as a panel or an administrator would."""
        answer = await self.control.action(**headers)
        assert answer.get("Response") in {"Success", "Follows", "Goodbye"}, answer
        return answer

    async def happened(self, event: str, timeout: float = 10, **headers: str) -> Message:
        """Wait for an event of this test (for timing a recipe, not for judging)."""
        return await self.control.wait_for(
            lambda m: (
                m.get("Event") == event
                and all(m.get(key, "").startswith(value) for key, value in headers.items())
            ),
            timeout=timeout,
        )

    def seen(self, number: str) -> Call:
        """Stand in for a call that no SIPp placed, by the number that it is about."""
        return Call(self, self.sipp.running[-1], number, "", epoch())

    async def quiet(self, timeout: float = 20) -> None:
        """Wait until no channel is left but the one that handles texts, which stays."""
        async with asyncio.timeout(timeout):
            while True:
                start = len(self.control.messages)
                await self.ami(Action="CoreShowChannels")
                await self.control.wait_event("CoreShowChannelsComplete", start)
                listed = [
                    m["Channel"]
                    for m in self.control.messages[start:]
                    if m.get("Event") == "CoreShowChannel"
                ]
                if all(channel.startswith("Message/") for channel in listed):
                    return
                await asyncio.sleep(0.05)

    def expect(self, call: Call, disposition: str, reason: str, *, texted: bool) -> None:
        """Note what the service is expected to say of a call (kept beside a capture)."""
        self.expectations.append(
            {
                "caller": call.number,
                "did": call.did,
                "disposition": disposition,
                "reason": reason,
                "texted": texted,
                "placed_at": call.placed_at,
                "ended_at": call.ended_at,
                "ended_by": "caller" if call.hung_up_by_caller else "pbx",
            }
        )

    async def close(self) -> None:
        for bot in self._bots:
            bot.close()
        await self.sipp.kill_all()
        with contextlib.suppress(TimeoutError, ConnectionError):  # the latter if the PBX crashed
            await self.control.action(Action="Hangup", Channel="/.*/")  # after a failed test
            await self.quiet(5)


def _listening(address: str) -> bool:
    """Somebody has a UDP socket bound to `address`:5060."""
    packed = bytes(map(int, address.split(".")))[::-1].hex().upper()
    with open("/proc/net/udp", encoding="ascii") as table:  # noqa: PTH123
        return f"{packed}:{5060:04X}" in table.read()
