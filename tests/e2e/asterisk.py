"""A real Asterisk for the tests: an office of its own configuration, on loopback addresses.

Each instance takes a free network 127.0.N.0/24 (PBX on .1, trunk on .2, phones on .101-.106) and
a run folder inside the tree, so that several run side by side. Root is needed for chroot.
"""

# ruff: noqa: ASYNC109 - time limits are the trade of a test bed
from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .ami_recorder import AmiRecorder

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "asterisk-conf"
PHONES = ("101", "102", "103", "104", "105", "106")
UNREGISTERED = "106"  # a phone without a contact

# What the tests shorten in the small office's own files: file, setting, value.
SHORT_TIMES = (
    ("extensions.conf", "RING", "3"),
    ("extensions.conf", "RING_GROUP", "3"),
    ("extensions.conf", "RING_HUNT", "1"),
    ("extensions.conf", "RING_MOBILE", "9"),
    ("extensions.conf", "RING_FOLLOW", "10"),
    ("extensions.conf", "QUEUE_MAX", "3"),
    ("extensions.conf", "IVR_WAIT", "2"),
    ("extensions.conf", "PRESS1_WAIT", "2"),
    ("queues.conf", "timeout", "2"),
    ("queues.conf", "retry", "1"),
    ("res_parking.conf", "parkingtime", "2"),
    ("res_parking.conf", "comebackdialtime", "2"),
    ("features.conf", "atxfernoanswertimeout", "3"),
    ("features.conf", "atxferloopdelay", "1"),
    ("features.conf", "transferdigittimeout", "1"),
)


# What every start says about files and modules that the office does not have.
_AT_START = re.compile(
    r"loader\.c|config_options\.c|res_sorcery_config\.c|pbx_variables\.c|cdrel_custom"
)


class NoTestBed(Exception):  # noqa: N818 - a reason to skip, not an error
    """Why there is no Asterisk to test against."""


def find_tree(version: str) -> Path:
    """Make or find the chroot tree of that Asterisk version."""
    if os.geteuid() != 0:
        raise NoTestBed("the Asterisk tests need root (chroot): run pytest as root")
    script = ROOT / "scripts" / "asterisk-tree"
    done = subprocess.run(  # noqa: S603
        [script, version], stdout=subprocess.PIPE, text=True, check=False, timeout=900
    )
    if done.returncode != 0:
        raise NoTestBed(f"scripts/asterisk-tree {version} failed ({done.returncode})")
    return Path(done.stdout.strip())


class Network:
    """A free 127.0.N.0/24, held by a lock file while in use."""

    _lock: IO[str]

    def __init__(self) -> None:
        for number in itertools.chain(range(20, 240)):
            lock = Path(f"/tmp/pbx-bridge-net-{number}.lock").open("w", encoding="utf-8")  # noqa: SIM115
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            if all(self._free(f"127.0.{number}.{host}") for host in (1, 2, 101)):
                self._lock, self.number = lock, number
                return
            lock.close()
        raise NoTestBed("no free loopback network")

    @staticmethod
    def _free(address: str) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((address, 5060))
            except OSError:
                return False
        return True

    def release(self) -> None:
        self._lock.close()

    @property
    def pbx(self) -> str:
        return f"127.0.{self.number}.1"

    @property
    def trunk(self) -> str:
        return f"127.0.{self.number}.2"

    def phone(self, number: str) -> str:
        return f"127.0.{self.number}.{number}"

    def host(self, number: int) -> str:
        return f"127.0.{self.number}.{number}"


@dataclass(frozen=True)
class Place:
    """Where one Asterisk lives: its folder as it sees it, and its addresses."""

    inside: Path
    net: Network
    version: str


class Site:
    """A configuration: the small office of asterisk-conf/."""

    def install(self, etc: Path, place: Place) -> None:
        """Write everything into its /etc/asterisk."""
        shutil.copytree(CONF, etc, dirs_exist_ok=True)
        write(etc, common_files(place) | self._files(place))
        for name, setting, value in SHORT_TIMES:
            change(etc / name, setting, value)
        change(etc / "extensions.conf", "BOT", f"agi://{place.net.trunk}:4573/bot")

    def astdb(self) -> Mapping[str, str]:
        """Give what lies in its AstDB: `family/key` and value."""
        return {}

    @staticmethod
    def _files(place: Place) -> dict[str, str]:
        net = place.net
        return {
            "manager.conf": manager_general(place) + '#include "manager.d/*.conf"\n',
            "manager.d/recorder.conf": RECORDER,
            "pjsip_trunk.conf": f"""[trunk](trunk-line)
aors = trunk
{media(net)}
[trunk]
type = aor
contact = sip:{net.trunk}:5060

[trunk]
type = identify
endpoint = trunk
match = {net.trunk}
""",
            "pjsip_phones.conf": phones(net),
        }


#: Who may do everything: the tests' own account.
RECORDER = """[recorder]
secret = recorder
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.0/255.0.0.0
read = all
write = all
writetimeout = 10000
"""


def write(etc: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (etc / name).write_text(text, encoding="utf-8")


def change(file: Path, setting: str, value: str) -> None:
    """Change a setting of a file to suit the tests."""
    text, count = re.subn(
        rf"(?m)^{re.escape(setting)} = \S+", f"{setting} = {value}", file.read_text("utf-8")
    )
    if count == 0:
        raise ValueError(f"{file.name} has no setting {setting}")
    file.write_text(text, encoding="utf-8")


def media(net: Network) -> str:
    return f"media_address = {net.pbx}\nbind_rtp_to_media_address = yes\ndtmf_mode = info\n"


def phones(net: Network) -> str:
    return "".join(
        f"[{n}](phone)\naors = {n}\ncallerid = Phone {n} <{n}>\n{media(net)}\n[{n}]\ntype = aor\n"
        + ("" if n == UNREGISTERED else f"contact = sip:{n}@{net.phone(n)}:5060\n")
        + "\n"
        for n in PHONES
    )


def manager_general(place: Place) -> str:
    return f"""[general]
enabled = yes
bindaddr = {place.net.pbx}
port = {AMI_PORT}
"""


def common_files(place: Place) -> dict[str, str]:
    """What any site has: where things lie, and which addresses are its own."""
    here, net = place.inside, place.net
    return {
        "asterisk.conf": f"""[directories]
astetcdir => {here}/etc
astvarlibdir => {here}/lib
astdbdir => {here}/lib
astkeydir => {here}/lib
astspooldir => {here}/spool
astrundir => {here}/run
astlogdir => {here}/log
astdatadir => /usr/share/asterisk
astagidir => {here}/agi-bin

[options]
verbose = 3
""",
        "http.conf": f"""[general]
enabled = yes
bindaddr = {net.pbx}
bindport = {ARI_PORT}
""",
        "ari.conf": """[general]
enabled = yes

[reception]
type = user
password = reception
""",
        "pjsip_transport.conf": f"""[transport-udp]
type = transport
protocol = udp
bind = {net.pbx}:5060
""",
    }


AMI_PORT, ARI_PORT = 5038, 8088
SMALL_OFFICE = Site()


class Asterisk:
    """One Asterisk process in a tree, with the configuration of a site."""

    ami_port = AMI_PORT
    ari_port = ARI_PORT

    def __init__(self, version: str, site: Site = SMALL_OFFICE) -> None:
        self.version, self.site = version, site
        self.tree = find_tree(version)
        self.net = Network()
        self.inside = Path(f"/run/pbxb-{os.getpid()}-{self.net.number}")  # as seen in the tree
        self.folder = self.tree / self.inside.relative_to("/")
        self.log = self.folder / "log"
        self._process: asyncio.subprocess.Process | None = None
        self._left: list[Path] = []  # where it was before an upgrade
        self._configure()

    # ---------------------------------------------------------------- configuration

    def _configure(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in (
            "etc",
            "lib",
            "spool",
            "log/cdr-csv",
            "log/cel-custom",
            "run",
            "sipp",
            "agi-bin",
        ):
            (self.folder / name).mkdir(parents=True)
        self.site.install(self.folder / "etc", Place(self.inside, self.net, self.version))

    def set(self, name: str, setting: str, value: str) -> None:
        """Change a setting of the site's files to suit the tests."""
        change(self.folder / "etc" / name, setting, value)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def crash(self) -> str:
        """How it ended by itself, in words; empty while it runs, and if we ended it."""
        code = None if self._process is None else self._process.returncode
        if code is None:
            return ""
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return f"Asterisk {self.version} ended by itself, {how}"

    # ---------------------------------------------------------------- life

    async def start(self) -> None:
        """Start it and wait until it says over AMI that it has booted."""
        console = (self.log / "console.log").open("ab")
        self._process = await asyncio.create_subprocess_exec(
            *("chroot", str(self.tree), "asterisk", "-f", "-n"),
            *("-C", str(self.inside / "etc" / "asterisk.conf")),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )
        console.close()
        await self.wait_booted()
        await self._fill_astdb()

    async def wait_booted(self, timeout: float = 300) -> None:
        async with asyncio.timeout(timeout):
            while True:
                if self._process is None or self._process.returncode is not None:
                    raise RuntimeError("Asterisk ended at start:\n" + self.tail())
                try:
                    ami = await self.ami()
                except ConnectionError:
                    await asyncio.sleep(0.05)
                    continue
                try:
                    await ami.wait_event("FullyBooted", timeout=timeout)
                except ConnectionError:
                    continue
                finally:
                    await ami.close()
                return

    async def _fill_astdb(self) -> None:
        if not (entries := self.site.astdb()):
            return
        ami = await self.ami()
        for place, value in entries.items():
            family, _, key = place.partition("/")
            answer = await ami.action(Action="DBPut", Family=family, Key=key, Val=value)
            assert answer["Response"] == "Success", answer
        await ami.close()

    async def stop(self) -> None:
        """Stop it and remove everything it left."""
        await self._end(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)
        for link in self._left:
            link.unlink()
        self.net.release()

    async def kill(self) -> None:
        """As a crash or a power cut would."""
        await self._end(signal.SIGKILL)

    def send_signal(self, number: signal.Signals) -> None:
        """Stop it where it stands, or let it go on."""
        assert self._process is not None
        self._process.send_signal(number)

    async def restart(self) -> None:
        """`core restart now`: ends every call, then starts anew in the same process."""
        async with asyncio.timeout(20):
            ami = await self.ami()
            with contextlib.suppress(ConnectionError):  # it may end before it has answered
                await ami.action(Action="Command", Command="core restart now")
            await ami.closed.wait()
            await ami.close()
        await self.wait_booted()

    async def become(self, version: str) -> None:
        """Stop, and start as another version on the same ports and folders, as an upgrade does."""
        await self._end(signal.SIGTERM)
        tree = find_tree(version)
        here = self.folder
        there = tree / self.inside.relative_to("/")
        shutil.rmtree(there, ignore_errors=True)
        shutil.move(here, there)
        here.symlink_to(there)  # whoever reads its records finds them where they were
        self._left.append(here)
        self.version, self.tree, self.folder = version, tree, there
        self.log = there / "log"
        await self.start()

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(how)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()

    # ---------------------------------------------------------------- looking at it

    async def ami(self, user: str = "recorder", base: Path | None = None) -> AmiRecorder:
        """Open an AMI connection; `base` names the files to record it in."""
        etc = self.folder / "etc"
        conf = "\n".join(file.read_text("utf-8") for file in sorted(etc.rglob("manager*/*.conf")))
        conf += "\n".join(file.read_text("utf-8") for file in sorted(etc.glob("manager*.conf")))
        (secret,) = re.findall(rf"(?m)^\[{user}\]\nsecret = (\S+)", conf)
        return await AmiRecorder(self.net.pbx, self.ami_port, user, secret).connect(base)

    def tail(self, lines: int = 30) -> str:
        """Give the end of its logs, for a failing test."""
        found = []
        for name in ("console.log", "messages.log", "full.log"):
            file = self.log / name
            if file.exists():
                text = file.read_text("utf-8", "replace").splitlines()
                text = [line for line in text if not _AT_START.search(line)][-lines:]
                found.append(f"--- {name}\n" + "\n".join(text))
        return "\n".join(found)
