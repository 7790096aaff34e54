"""docker/production.yml: the service beside an Asterisk that is no container."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.asterisk import Asterisk, NoTestBed

from .compose import Composition, inspect, shown

CONFIG = """\
[office]
name = "Miller & Sons"
country = "US"
timezone = "America/New_York"

[[pbx]]
name = "office"
host = "{host}"
username = "pbxbridge"
secret = {{ file = "/etc/pbx-bridge/ami-secret" }}
"""
#: User and group of the service in its image.
SERVICE = 10001


@pytest_asyncio.fixture
async def pbx() -> AsyncIterator[Asterisk]:
    """An Asterisk of the machine itself, whose AMI listens on loopback."""
    try:
        asterisk = Asterisk("22")
    except NoTestBed as why:
        pytest.skip(str(why))
    try:
        await asterisk.start()
        yield asterisk
    finally:
        await asterisk.stop()


@pytest.mark.usefixtures("images")
async def test_it_watches_the_pbx_of_the_machine(pbx: Asterisk, tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "pbx-bridge.toml").write_text(CONFIG.format(host=pbx.net.pbx))
    snippet = (pbx.folder / "etc/manager.d/pbxbridge.conf").read_text()
    (etc / "ami-secret").write_text(re.findall(r"(?m)^secret = (\S+)", snippet)[0])
    for path, mode in ((etc, 0o750), *((file, 0o640) for file in etc.iterdir())):
        shutil.chown(path, group=SERVICE)
        path.chmod(mode)

    production = Composition(("docker/production.yml",), {**os.environ, "PBX_BRIDGE_ETC": str(etc)})
    try:
        production("up", "--detach", "--wait", timeout=600)
        production.awaited("pbx-bridge", "pbx_up", within=30)
        kept = inspect(production.container("pbx-bridge"))
        assert kept["State"]["Health"]["Status"] == "healthy"
        assert kept["HostConfig"]["ReadonlyRootfs"]
        assert kept["HostConfig"]["CapDrop"] == ["ALL"]
        for command in shown("docker compose -f docker/production.yml"):
            if command[0] == "exec":
                production("exec", "-T", *command[1:])
            elif command[0] == "kill":
                production(*command)
        production.awaited("pbx-bridge", "config_reloaded", within=30)
    finally:
        production("down", "--volumes", "--rmi", "local")
