"""Before the first byte of a text goes to its gateway, the disk has the row that says so.

What the service asked of the kernel is written down by strace, and each send is looked up in that:
the write-ahead log was written with this text as `sending`, and then fdatasync of that log had
ended, before the request went out. Otherwise a power failure could send the text a second time.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.reliability.storm import PATIENCE, seed_of, storm
from tests.service import ROOT, SHORT, Service, until

_CALL = re.compile(r"^(\d+) +(\w+)\((\d+)<([^>]*)>(.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_TO = re.compile(r"[?&\"\\n]To=%2B(\d+)")


@dataclass
class Sends:
    """What of the sends in a trace had reached the disk before, and what had not."""

    synced: list[str] = field(default_factory=list)
    unsynced: list[str] = field(default_factory=list)


class Kernel:
    """What the kernel was asked for, line by line; `keys` are the texts' own, by recipient."""

    def __init__(self, keys: dict[str, str]) -> None:
        self.sends = Sends()
        self._keys = keys
        self._written: set[str] = set()  # as being sent, by key, and perhaps not on the disk
        self._safe: set[str] = set()
        self._syncing: dict[str, set[str]] = {}  # by thread: written before its wait began
        self._sending = {
            key: re.compile(re.escape(key) + r"(?:(?!first_text).)*?Zsending")
            for key in keys.values()
        }

    def reads(self, line: str) -> None:
        if (call := _CALL.match(line)) is not None:
            self._called(*call.groups())
        elif (resumed := _RESUMED.match(line)) is not None:
            thread, name, rest = resumed.groups()
            if name == "fdatasync":
                written = self._syncing.pop(thread, set())
                self._safe |= written if rest.endswith("= 0") else set()

    def _called(self, thread: str, name: str, _number: str, file: str, rest: str) -> None:
        if file.endswith("-wal") and name == "pwrite64":
            self._written |= {
                key for key, row in self._sending.items() if key in rest and row.search(rest)
            }
        elif file.endswith("-wal") and name == "fdatasync":
            if rest.endswith("= 0"):
                self._safe |= self._written
            else:
                self._syncing[thread] = set(self._written)
        elif name in {"sendto", "sendmsg", "write", "writev"} and "POST /" in rest[:40]:
            (to,) = {f"+{number}" for number in _TO.findall(rest)}
            of = self.sends.synced if self._keys[to] in self._safe else self.sends.unsynced
            of.append(to)


def sends(trace: list[str], keys: dict[str, str]) -> Sends:
    """Look up each send of a trace."""
    kernel = Kernel(keys)
    for line in trace:
        kernel.reads(line)
    return kernel.sends


@pytest.mark.parametrize("asks", [True, False], ids=["twilio", "http"])
async def test_no_text_leaves_before_its_row_is_on_the_disk(
    tmp_path: Path, *, nightly: bool, asks: bool
) -> None:
    strace = shutil.which("strace")
    assert strace, "scripts/test-servers installs it"
    trace = tmp_path / "trace"
    wanted = 500 if nightly else 15
    async with storm(tmp_path, seed_of(nightly=nightly), per_second=4, asks=asks) as going:
        process = await asyncio.create_subprocess_exec(
            *(strace, "-f", "-y", "-s", "8000", "-o", str(trace)),
            *("-e", "trace=pwrite64,fdatasync,fsync,sendto,sendmsg,write,writev"),
            *(sys.executable, "-m", "tests.service_process", str(going.office.config)),
            json.dumps({"seconds": SHORT}),
            cwd=ROOT,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=2**20,
        )
        service = Service(process)
        going.office.services.append(service)
        async with going.callers.calling():
            await until(
                lambda: (
                    sum(entry["event"] == "message_accepted" for entry in service.log) >= wanted
                    or not service.runs
                ),
                PATIENCE * (10 if nightly else 1),
            )
        # strace is the parent, and ends with the service.
        os.kill(
            int(going.database.with_name("bridge.db.lock").read_text().split()[0]), signal.SIGTERM
        )
        assert await service.ended(PATIENCE) == 0
        with closing(sqlite3.connect(going.database)) as db:
            keys = dict(db.execute("SELECT recipient, key FROM message").fetchall())
    lines = trace.read_text(errors="replace").splitlines()
    found = sends(lines, keys)
    print(f"{len(found.synced)} sends after fdatasync, {len(found.unsynced)} before")  # noqa: T201
    assert found.unsynced == []
    assert len(found.synced) >= wanted
    # Without the waits for the disk the same trace would not do.
    forgotten = sends([line for line in lines if "fdatasync" not in line], keys)
    assert len(forgotten.unsynced) == len(found.synced)
