"""The commands, and what an account of the PBX needs for them, on a real Asterisk."""

# ruff: noqa: ASYNC110 - polling is the trade of a test bed
from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from pbx_bridge.clock import utc_now
from pbx_bridge.config import load
from pbx_bridge.sources.ami.source import AmiSource

from .asterisk import ROOT, Asterisk
from .conftest import one_asterisk
from .office import DIRECT, GROUP, Call, Office
from .service import RunningService

TLS_PORT = 5039
READ = "read = system,call,agent,dialplan"
WRITE = "write = reporting"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    """One whose accounts may be changed without harm to the other rows."""
    async with one_asterisk(request) as server:
        yield server


async def accounts(office: Office, text: str) -> None:
    """Put accounts into the PBX's configuration, in place of those of the last test."""
    file = office.asterisk.folder / "etc" / "manager.d" / "tests.conf"
    file.write_text(text, encoding="utf-8")
    await office.ami(Action="Command", Command="manager reload")


def account(name: str, *, read: str = READ, write: str = WRITE) -> str:
    return (
        f"[{name}]\nsecret = change-me\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.0/255.0.0.0\n"
        f"{read}\n{write}\nwritetimeout = 10000\n"
    )


@contextlib.asynccontextmanager
async def configured(
    asterisk: Asterisk, pbx: Mapping[str, str] | None = None
) -> AsyncIterator[RunningService]:
    """A service with its configuration and a gateway; not started."""
    service = RunningService(asterisk, pbx=pbx)
    try:
        await service.configure()
        yield service
    finally:
        await service.close()


class Command:
    """`pbx-bridge` with arguments, in a folder of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, service: RunningService, *arguments: str) -> Command:
        # What a script starts in the background ignores Ctrl-C; these are to hear it all the same.
        process = await asyncio.create_subprocess_exec(
            *("env", "--default-signal=INT"),
            *(sys.executable, "-m", "pbx_bridge", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=service.folder,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        )
        return cls(process)

    async def end(self, code: int = 0) -> str:
        """Wait for its end; give what it printed."""
        async with asyncio.timeout(120):
            told, _ = await self.process.communicate()
        text = told.decode()
        assert self.process.returncode == code, text
        return text

    async def interrupted(self) -> str:
        """End it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return await self.end()


async def run(service: RunningService, *arguments: str, code: int = 0) -> str:
    return await (await Command.start(service, *arguments)).end(code)


async def check(service: RunningService, *, code: int) -> list[str]:
    """Give the lines of `check` that are wrong."""
    told = await run(service, "check", code=code)
    assert told.count("ok     configuration") == 1, told
    return [line for line in told.splitlines() if line.startswith("WRONG")]


async def logged_in(office: Office, start: int, username: str = "pbxbridge") -> int:
    """Wait for a login after the `start`th message; give where to look for the next one."""
    await office.control.wait_for(
        lambda m: m.get("Event") == "SuccessfulAuth" and m.get("AccountID") == username, start
    )
    # It then asks for the live channels; only what comes after that is as every call.
    await asyncio.sleep(0.3)
    return len(office.control.messages)


# ------------------------------------------------------------------ accounts


def account_shown() -> str:
    """Give the snippet for the PBX that the documentation shows."""
    text = (ROOT / "docs" / "connecting.md").read_text("utf-8")
    (snippet,) = re.findall(r"(?ms)^```ini\n(\[pbxbridge\]\n.*?)^```$", text)
    return str(snippet)


async def test_check_passes_with_the_account_of_the_office(office: Office) -> None:
    async with configured(office.asterisk) as service:
        told = await run(service, "check")
    words = [line.split()[0] for line in told.splitlines()]
    assert "WRONG" not in words
    assert words.count("ok") == 9, told
    assert "live channels can be asked for: 0 now" in told


async def test_the_account_of_the_documentation_suffices(office: Office) -> None:
    own = office.asterisk.folder / "etc" / "manager.d" / "pbxbridge.conf"
    of_the_office = own.read_text("utf-8")
    secret = re.findall(r"(?m)^secret = (\S+)$", account_shown())[0]
    service = RunningService(office.asterisk, pbx={"secret": f'"{secret}"'})
    try:
        own.write_text(account_shown(), encoding="utf-8")
        await office.ami(Action="Command", Command="manager reload")
        await service.configure()
        assert await check(service, code=0) == []
        await service.start()
        await office.phone("101")
        missed = await office.place(DIRECT)
        await missed.ended()
        assert await service.judged(missed) == ("missed", "rang_no_answer", True)
        await office.phone("102", ring=300)
        answered = await office.place(GROUP, talk=500)
        await answered.ended()
        assert await service.judged(answered) == ("answered", "answered", False)
        assert all(line["event"] != "pbx_permission" for line in service.log)
    finally:
        own.write_text(of_the_office, encoding="utf-8")
        await office.ami(Action="Command", Command="manager reload")
        await service.close()


@pytest.mark.parametrize(
    ("pbx", "says"),
    [
        pytest.param(
            {"secret": '"wrong"'},
            "refuses the login of 'pbxbridge' (Authentication failed): check username and secret",
            id="secret",
        ),
        pytest.param(
            {"username": '"nobody"'},
            "refuses the login of 'nobody' (Authentication failed): check username and secret",
            id="username",
        ),
        pytest.param(
            {"secret": '"wrong"', "auth": '"plain"'},
            "refuses the login of 'pbxbridge' (Authentication failed): check username and secret",
            id="secret_plain",
        ),
        pytest.param({"port": "5037"}, "nothing listens on {pbx}:5037: is Asterisk", id="port"),
        pytest.param(
            {"username": '"silent"'},
            "the account 'silent' may not ask for the live channels: add `write = reporting`",
            id="no_reporting",
        ),
        pytest.param(
            {"username": '"blind"'},
            "the account 'blind' gets no FullyBooted at login: add `system` to its read=",
            id="no_system",
        ),
        pytest.param(
            {"username": '"distant"'},
            "refuses the login of 'distant' (Authentication failed): check username and secret",
            id="address",
        ),
        pytest.param(
            {"tls": "true"}, "{pbx}:5038 does not speak TLS as expected", id="tls_on_plain"
        ),
    ],
)
async def test_check_says_what_is_wrong(office: Office, pbx: dict[str, str], says: str) -> None:
    away = account("distant").replace("permit = 127.0.0.0/255.0.0.0", "permit = 192.0.2.1")
    await accounts(
        office,
        account("silent", write="") + account("blind", read="read = call,agent,dialplan") + away,
    )
    async with configured(office.asterisk, pbx) as service:
        wrong = await check(service, code=1)
    assert len(wrong) == 1, wrong
    assert says.format(pbx=office.net.pbx) in wrong[0]


async def test_plain_login(office: Office) -> None:
    async with configured(office.asterisk, {"auth": '"plain"'}) as service:
        assert await check(service, code=0) == []


async def test_an_account_that_may_not_see_calls_is_reported(office: Office) -> None:
    """The service looks once a minute, so here its source is asked in a hurry."""
    await accounts(office, account("deaf", read="read = system,agent,dialplan"))
    async with configured(office.asterisk, {"username": '"deaf"'}) as service:
        (pbx,) = load(service.config).pbx
    access = replace(pbx.access(), audit_interval=timedelta(seconds=0.5))
    source = AmiSource(access, pbx.inbound(), now=utc_now, chance=lambda: 0.0)
    await office.phone("101")
    with structlog.testing.capture_logs() as log:
        start = len(office.control.messages)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(source.run(lambda _event: None))
            await logged_in(office, start, "deaf")
            call = await office.place(DIRECT)
            await call.ended()
            watching.cancel()
    problems = [line["problem"] for line in log if line["event"] == "pbx_permission"]
    assert len(problems) == 1, log
    assert "add `call` to read= of 'deaf' in manager.conf" in problems[0]


async def test_the_service_says_what_its_account_lacks(office: Office) -> None:
    """Without `reporting` and `system` it works on, and says so once each."""
    await accounts(office, account("poor", read="read = call,agent,dialplan", write=""))
    service = RunningService(office.asterisk, pbx={"username": '"poor"'})
    try:
        await service.start()
        await office.phone("101")
        call = await office.place(DIRECT)
        await call.ended()
        assert await service.judged(call) == ("missed", "rang_no_answer", True)
        async with asyncio.timeout(15):
            while len(told := _permissions(service)) < 2:
                await asyncio.sleep(0.1)
        assert any("add `write = reporting`" in problem for problem in told)
        assert any("add `system`" in problem for problem in told)
    finally:
        await service.close()


def _permissions(service: RunningService) -> list[str]:
    return [str(line["problem"]) for line in service.log if line["event"] == "pbx_permission"]


# ------------------------------------------------------------------ TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA of our own, and another that signed nothing."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ca", "other"):
        making = f"-newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {name}.key"
        openssl(folder, f"req -x509 {making} -out {name}.pem")
    return folder


def openssl(folder: Path, command: str) -> None:
    subprocess.run(  # noqa: S603
        ["/usr/bin/openssl", *command.split()], cwd=folder, check=True, capture_output=True
    )


async def speak_tls(office: Office, folder: Path, name: str) -> None:
    """Give the PBX a certificate for that address, signed by our CA."""
    asterisk = office.asterisk
    (folder / "names").write_text(f"subjectAltName = IP:{name}\n", encoding="utf-8")
    openssl(folder, "req -newkey rsa:2048 -nodes -subj /CN=pbx -keyout pbx.key -out pbx.csr")
    signing = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names"
    openssl(folder, f"x509 -req -in pbx.csr {signing} -out pbx.pem")
    etc = asterisk.folder / "etc"
    for file in ("pbx.pem", "pbx.key"):
        (etc / file).write_bytes((folder / file).read_bytes())
    conf = etc / "manager.conf"
    plain = re.sub(r"(?m)^tls.*\n", "", conf.read_text("utf-8"))
    tls = (
        f"tlsenable = yes\ntlsbindaddr = {asterisk.net.pbx}:{TLS_PORT}\n"
        f"tlscertfile = {asterisk.inside}/etc/pbx.pem\n"
        f"tlsprivatekey = {asterisk.inside}/etc/pbx.key\n"
    )
    conf.write_text(plain.replace("enabled = yes\n", f"enabled = yes\n{tls}"), encoding="utf-8")
    await office.ami(Action="Command", Command="manager reload")


async def test_tls(office: Office, certificates: Path) -> None:
    await speak_tls(office, certificates, office.net.pbx)
    tls = {"port": str(TLS_PORT), "tls": f'{{ ca = "{certificates}/ca.pem" }}'}
    service = RunningService(office.asterisk, pbx=tls)
    try:
        await service.configure()
        assert await check(service, code=0) == []
        await service.start()
        await office.phone("101")
        call = await office.place(DIRECT)
        await call.ended()
        assert await service.judged(call) == ("missed", "rang_no_answer", True)
    finally:
        await service.close()


@pytest.mark.parametrize(
    ("name", "tls", "says"),
    [
        ("", '{{ ca = "{folder}/other.pem" }}', "unable to get local issuer certificate"),
        ("", "true", "unable to get local issuer certificate"),
        ("127.9.9.9", '{{ ca = "{folder}/ca.pem" }}', "IP address mismatch"),
    ],
    ids=["wrong_ca", "unknown_ca", "wrong_name"],
)
async def test_tls_that_does_not_hold(
    office: Office, certificates: Path, name: str, tls: str, says: str
) -> None:
    await speak_tls(office, certificates, name or office.net.pbx)
    pbx = {"port": str(TLS_PORT), "tls": tls.format(folder=certificates)}
    async with configured(office.asterisk, pbx) as service:
        wrong = await check(service, code=1)
    assert len(wrong) == 1, wrong
    assert f":{TLS_PORT} shows a certificate that does not hold (" in wrong[0]
    assert says in wrong[0]
    assert "set tls.ca to the CA that signed it, and host to the name in it" in wrong[0]


# ------------------------------------------------------------------ seeing calls


async def test_probe_proposes_the_context_of_a_call(office: Office) -> None:
    nothing = {"inbound_contexts": "['^from-elsewhere$']", "trunks": "[]"}
    await office.phone("101")
    async with configured(office.asterisk, nothing) as service:
        start = len(office.control.messages)
        probe = await Command.start(service, "probe", "--seconds", "30")
        await logged_in(office, start)
        call = await office.place(DIRECT, ring=500)
        await call.ended()
        told = await probe.interrupted()
    (row,) = [line for line in told.splitlines() if call.number in line]
    assert re.search(rf"from-trunk .* trunk .* {re.escape(DIRECT)} .* no\b", row), told
    (proposal,) = re.findall(r"(?m)^ +(inbound_contexts = .*)$", told)
    (pattern,) = tomllib.loads(proposal)["inbound_contexts"]
    assert re.search(pattern, "from-trunk")
    assert not re.search(pattern, "from-office")

    async with configured(
        office.asterisk, {**nothing, "inbound_contexts": proposal.partition(" = ")[2]}
    ) as service:
        start = len(office.control.messages)
        probe = await Command.start(service, "probe", "--seconds", "30")
        await logged_in(office, start)
        again = await office.place(DIRECT, ring=500)
        await again.ended()
        told = await probe.interrupted()
    assert "calls from outside are recognised with the settings as they are" in told


async def test_a_recorded_call_replays_to_the_same_verdict(office: Office) -> None:
    """Twice at once, one of them with the numbers masked, while the service itself judges."""
    service = RunningService(office.asterisk)
    try:
        await service.start()
        start = len(office.control.messages)
        plain = await Command.start(service, "record", "plain")
        start = await logged_in(office, start)
        masked = await Command.start(service, "record", "masked", "--mask-numbers")
        await logged_in(office, start)
        await office.phone("101")
        missed = await office.place(DIRECT)
        await missed.ended()
        await office.phone("102", ring=500)
        answered = await office.place(GROUP, talk=800)
        await answered.ended()
        await plain.interrupted()
        await masked.interrupted()
        verdicts = [await service.judged(call) for call in (missed, answered)]
        assert verdicts == [
            ("missed", "rang_no_answer", True),
            ("answered", "answered", False),
        ]
        for name in ("plain", "masked"):
            assert await replayed(service, f"{name}.ami") == verdicts
            assert await replayed(service, f"{name}.ami", "-c", "pbx-bridge.toml") == verdicts
        files = [service.folder / name for name in ("masked.ami", "masked.times.jsonl")]
        assert_unnamed(files, [missed, answered])
    finally:
        await service.close()


async def replayed(service: RunningService, *arguments: str) -> list[tuple[str, str, bool]]:
    told = await run(service, "replay", "--json", *arguments)
    calls = [json.loads(line) for line in told.splitlines()]
    assert all(call["line"] for call in calls)
    return [(call["disposition"], call["reason"], call["would_text"]) for call in calls]


def assert_unnamed(files: list[Path], calls: list[Call]) -> None:
    for file in files:
        text = file.read_text("utf-8", "replace")
        assert text
        for call in calls:
            assert call.number[-10:] not in text, f"{call.number} is in {file.name}"
