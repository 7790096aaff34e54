"""SIPp as the outside world: callers on the trunk, phones on the desks."""

# ruff: noqa: ASYNC109, ASYNC110 - time limits and polling are the trade of a test bed
from __future__ import annotations

import asyncio
import csv
import itertools
import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

SCENARIOS = Path(__file__).parent / "scenarios"
NEVER = 600_000  # milliseconds: longer than any test

_HEADER = re.compile(
    r"^-{20,} (?P<when>\d{4}-\d\d-\d\d[ \tT]\d\d:\d\d:\d\d\.\d+).*\n"
    r"(?P<transport>\w+) message (?P<way>sent|received).*\n",
    re.MULTILINE,
)


@dataclass(frozen=True)
class SipMessage:
    """One message of SIPp's trace."""

    at: float  # epoch seconds
    sent: bool
    text: str

    @property
    def first(self) -> str:
        return self.text.split("\n", 1)[0].strip()

    @property
    def method(self) -> str:
        """INVITE, BYE ... of a request; '' of a response."""
        return "" if self.first.startswith("SIP/2.0") else self.first.split(" ", 1)[0]

    @property
    def status(self) -> int:
        """200 ... of a response; 0 of a request."""
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0") else 0

    def answers(self, method: str) -> bool:
        return bool(re.search(rf"(?m)^CSeq: *\d+ {method}\s*$", self.text))


@dataclass(frozen=True, slots=True)
class BriefMessage:
    """One line of SIPp's short trace."""

    at: float  # epoch seconds
    sent: bool
    call: int  # of this SIPp, from 1
    cseq: str  # `1 INVITE`
    first: str


@dataclass
class Sipp:
    """One running SIPp process."""

    name: str
    folder: Path  # as seen from outside the tree
    process: asyncio.subprocess.Process
    number: int
    _result: int | None = field(default=None)

    async def wait(self, timeout: float = 40) -> int:
        """Wait for its end and give its exit status."""
        try:
            async with asyncio.timeout(timeout):
                return await self.process.wait()
        except TimeoutError:
            await self.kill()
            raise TimeoutError(f"SIPp {self.name} did not end:\n{self.trace()[-3000:]}") from None

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()

    def briefly(self) -> list[BriefMessage]:
        """Give what a SIPp noted that was started with `brief`."""
        file = self.folder / f"{self.number}.messages"
        rows = csv.reader(file.read_text("utf-8", "replace").splitlines(), delimiter="\t")
        return [
            BriefMessage(
                at=float(row[2]),
                sent=row[3] == "S",
                call=int(row[4].split("-", 1)[0]),
                cseq=row[5].removeprefix("CSeq:").strip(),
                first=row[6].strip(),
            )
            for row in rows
            if len(row) > 6 and row[3] in {"S", "R"}
        ]

    def trace(self) -> str:
        file = self.folder / f"{self.number}.messages"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def errors(self) -> str:
        file = self.folder / f"{self.number}.errors"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def messages(self) -> list[SipMessage]:
        text = self.trace()
        found = list(_HEADER.finditer(text))
        ends = [match.start() for match in found[1:]] + [len(text)] * bool(found)
        return [
            SipMessage(
                datetime.fromisoformat(match["when"].replace("\t", " ") + "+00:00").timestamp(),
                match["way"] == "sent",
                text[match.end() : end].strip().replace("\r", ""),
            )
            for match, end in zip(found, ends, strict=True)
        ]

    def sent(self, method: str) -> list[SipMessage]:
        """Give the requests of that method that it sent."""
        return [m for m in self.messages() if m.sent and m.method == method]

    def received(self, method: str) -> list[SipMessage]:
        return [m for m in self.messages() if not m.sent and m.method == method]

    def rung_for(self, caller: str) -> bool:
        """The PBX rang this phone for that caller, in whatever form it writes the number.

        Not just `received("INVITE")`: a PBX repeats that of an earlier call for half a minute, also
        to whatever phone is at the address by then.
        """
        digits = caller[-10:]
        return any(digits in invite.text for invite in self.received("INVITE"))

    @property
    def answered(self) -> bool:
        """An INVITE was answered with 200 (by the PBX to a caller, by the user of a phone)."""
        return any(m.status == 200 and m.answers("INVITE") for m in self.messages())

    @property
    def final(self) -> int:
        """The last final status of an INVITE, 0 if there was none."""
        statuses = [m.status for m in self.messages() if m.status >= 200 and m.answers("INVITE")]
        return statuses[-1] if statuses else 0

    @property
    def hung_up_at(self) -> float | None:
        """When this side ended the call (its CANCEL or BYE), None if the other side did."""
        times = [m.at for m in self.messages() if m.sent and m.method in {"CANCEL", "BYE"}]
        return times[0] if times else None

    async def hangs_up(self, timeout: float = 15) -> None:
        """Wait until this side has ended a call."""
        async with asyncio.timeout(timeout):
            while self.hung_up_at is None:
                await asyncio.sleep(0.05)

    @property
    def ended_at(self) -> float:
        """When the call ended, whoever ended it."""
        own = self.hung_up_at
        return max(m.at for m in self.messages() if not m.sent) if own is None else own


class SippRunner:
    """Starts SIPp from a tree, keeps its files in the run folder, ends what is left over."""

    def __init__(self, tree: Path, inside: Path) -> None:
        self.tree, self.inside = tree, inside
        self.folder = tree / inside.relative_to("/") / "sipp"
        self.running: list[Sipp] = []
        self._numbers = itertools.count(1)

    async def start(
        self,
        scenario: str,
        address: str,
        *,
        port: int = 5060,
        remote: str = "",
        calls: int | None = 1,
        values: Mapping[str, object],
        options: Sequence[str] = (),
        brief: bool = False,
    ) -> Sipp:
        """Start one; `values` fill the {{places}} of the scenario; `calls` None: until killed.

        With `brief` it notes a line for each message, for many calls; see `Sipp.briefly`.
        """
        number = next(self._numbers)
        text = (SCENARIOS / f"{scenario}.xml").read_text("utf-8")
        for key, value in values.items():
            text = text.replace(
                "{{" + key + "}}", str(value or (1 if key.endswith("_ms") else value))
            )
        if left := set(
            re.findall(r"\{\{\w+\}\}", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL))
        ):
            raise ValueError(f"{scenario}: not filled in: {left}")
        (self.folder / f"{number}.xml").write_text(text, encoding="utf-8")
        files = str(self.inside / "sipp" / str(number))
        command = ["chroot", str(self.tree), "sipp", "-sf", f"{files}.xml"]
        command += ["-i", address, "-p", str(port), "-mi", address, "-nostdin", "-aa"]
        trace, kind = ("-trace_shortmsg", "short") if brief else ("-trace_msg", "")
        command += [trace, f"-{kind}message_file", f"{files}.messages"]
        command += [f"-{kind}message_overwrite", "true"]
        command += ["-trace_err", "-error_file", f"{files}.errors"]
        command += ["-mp", str(6000 + number % 1000 * 20), "-timeout", "120s"]
        command += [] if calls is None else ["-m", str(calls)]
        command += [*options, remote] if remote else options
        output = (self.folder / f"{number}.out").open("wb")
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "TZ": "UTC", "TERM": "dumb"},
        )
        output.close()
        sipp = Sipp(f"{number}:{scenario}@{address}", self.folder, process, number)
        self.running.append(sipp)
        return sipp

    async def kill_all(self) -> None:
        for sipp in self.running:
            await sipp.kill()
        self.running.clear()

    def report(self) -> str:
        """Say what every SIPp of this test said and heard, for a failing test."""
        return "\n".join(
            f"=== {sipp.name} (status {sipp.process.returncode})\n"
            + "\n".join(
                f"{m.at % 1000:8.3f} {'->' if m.sent else '<-'} {m.first}" for m in sipp.messages()
            )
            + ("\n" + sipp.errors()[:1500] if sipp.process.returncode else "")
            for sipp in self.running
        )
