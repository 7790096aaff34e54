"""A real mosquitto on a loopback port of its own: started, stopped and killed by the tests.

It keeps everything on every change, as docs/gateways/mqtt.md advises.
"""

import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

PROGRAM = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PASSWD = shutil.which("mosquitto_passwd")
OPENSSL = shutil.which("openssl")

needs_mosquitto = pytest.mark.skipif(
    None in (PROGRAM, PASSWD, OPENSSL),
    reason="NOT TESTED AGAINST A REAL BROKER: apt-get install mosquitto openssl",
)


@dataclass
class Mosquitto:
    """A broker, as an async context manager; between `kill` and `start` its files stay."""

    folder: Path
    user: tuple[str, str] | None = None  #: name and password; None lets anybody in
    others: Sequence[tuple[str, str]] = ()  #: more users
    acl: Sequence[str] = ()
    tls: bool = False
    options: Sequence[str] = ()  #: more lines for its configuration
    port: int = 0
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)
    _reading: "asyncio.Task[None] | None" = field(default=None, repr=False)
    log: list[str] = field(default_factory=list, repr=False)

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    async def __aenter__(self) -> Self:
        self.folder.mkdir(exist_ok=True)
        self.port = self.port or _free_port()
        if self.tls:
            certificates(self.folder)
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start, and return when it listens."""
        assert self._process is None
        assert PROGRAM is not None
        path = self.folder / "mosquitto.conf"
        path.write_text("\n".join(self._configuration()) + "\n", encoding="utf-8")
        self._process = await asyncio.create_subprocess_exec(
            PROGRAM, "-c", str(path), stderr=asyncio.subprocess.PIPE
        )
        up = asyncio.Event()
        self._reading = asyncio.get_running_loop().create_task(self._read(self._process, up))
        async with asyncio.timeout(10):
            await up.wait()
        assert self._process.returncode is None, "\n".join(self.log)
        # A SIGTERM between that line and its loop would be forgotten.
        seen = len(self.log)
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await self.logged("New connection from", since=seen)
        writer.close()
        await writer.wait_closed()

    async def _read(self, process: asyncio.subprocess.Process, up: asyncio.Event) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self.log.append(line.decode(errors="replace").rstrip())
            if self.log[-1].endswith("running"):
                up.set()
        up.set()  # ended; the one who waits looks

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End it as a power failure does: it can save nothing."""
        await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(how)
        try:
            async with asyncio.timeout(10):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            if self._reading is not None:
                await self._reading

    async def logged(self, text: str, *, since: int = 0) -> None:
        """Wait until a line with this text stands in the log."""
        async with asyncio.timeout(10):
            while not any(text in line for line in self.log[since:]):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)

    def _configuration(self) -> list[str]:
        lines = [
            f"listener {self.port} 127.0.0.1",
            "log_type all",
            "log_dest stderr",
            "persistence true",
            f"persistence_location {self.folder}/",
            "autosave_on_changes true",
            "autosave_interval 1",
            "max_queued_messages 0",
            f"allow_anonymous {'true' if self.user is None else 'false'}",
        ]
        if os.getuid() == 0:  # else it becomes `mosquitto`, who may not write here
            lines.append("user root")
        if self.user is not None:
            lines.append(f"password_file {self._password_file(self.user, *self.others)}")
        if self.acl:
            acl = self.folder / "acl"
            acl.write_text("\n".join(self.acl) + "\n", encoding="utf-8")
            acl.chmod(0o600)
            lines.append(f"acl_file {acl}")
        if self.tls:
            lines += [f"certfile {self.folder}/broker.pem", f"keyfile {self.folder}/broker.key"]
        return [*lines, *self.options]

    def _password_file(self, *users: tuple[str, str]) -> Path:
        path = self.folder / "passwords"
        path.write_text("", encoding="utf-8")
        path.chmod(0o600)
        assert PASSWD is not None
        for name, password in users:
            _run(PASSWD, "-b", str(path), name, password)
        return path


def certificates(folder: Path) -> None:
    """Make a certificate authority (ca.pem), and a certificate by it for `localhost`."""
    key = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    ca = (folder / "ca.pem", folder / "ca.key")
    _openssl(
        "req", "-x509", *key, "-subj", "/CN=test CA", "-out", ca[0], "-keyout", ca[1],
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    _openssl(
        "req", *key[:3], "-subj", "/CN=localhost",
        "-out", folder / "broker.csr", "-keyout", folder / "broker.key",
    )  # fmt: skip
    names = folder / "names"
    names.write_text("subjectAltName=DNS:localhost\nauthorityKeyIdentifier=keyid\n")
    _openssl(
        "x509", "-req", "-days", "2", "-in", folder / "broker.csr", "-CA", ca[0], "-CAkey", ca[1],
        "-CAcreateserial", "-extfile", names, "-out", folder / "broker.pem",
    )  # fmt: skip


def _openssl(*arguments: str | Path) -> None:
    assert OPENSSL is not None
    _run(OPENSSL, *map(str, arguments))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own words


def _free_port() -> int:
    """Give a port below those that connections take, so that a restart finds it free."""
    for port in random.SystemRandom().sample(range(20_000, 30_000), 50):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")
