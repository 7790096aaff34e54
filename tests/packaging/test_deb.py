"""The Debian package in a fresh Debian: installed, upgraded, removed, purged."""

import re

import pytest

from pbx_bridge import __version__
from tests.packaging.checkout import OLDER
from tests.packaging.debian import Machine

CONFIG = "/etc/pbx-bridge/pbx-bridge.toml"
INIT = (
    'pbx-bridge init --yes --office "Our office" --country US --timezone America/New_York'
    " --host 127.0.0.1"
)
NUMBER = "+12125551234"
DATA = "/var/lib/pbx-bridge"


@pytest.mark.usefixtures("both_packages")
def test_it_is_installed_upgraded_removed_and_purged(machine: Machine) -> None:
    before = everything(machine)
    machine.run("apt-get update -q")
    machine.run("apt-get install -y --no-install-recommends /packages/old.deb")
    assert OLDER in machine.run("pbx-bridge --version")
    machine.run(INIT)
    looks_right(machine)
    works_as_its_service(machine)

    # What the office made of it.
    machine.run(
        f"""sed -i 's/^name = "Our office"/name = "Miller"/' {CONFIG}
        chmod 600 {CONFIG}; chown pbx-bridge {CONFIG}
        stat -c '%a %U' /etc/pbx-bridge/credentials/ami-secret"""
    )
    machine.as_service(f"pbx-bridge optouts add {NUMBER} --because asked --config {CONFIG}")
    config = machine.run(f"stat -c '%a %U' {CONFIG}; cat {CONFIG}")

    upgrade = machine.run("apt-get install -y /packages/new.deb")
    assert "Setting up pbx-bridge" in upgrade
    assert __version__ in machine.run("pbx-bridge --version")
    assert machine.run(f"stat -c '%a %U' {CONFIG}; cat {CONFIG}") == config
    assert "Miller" in config
    assert NUMBER in machine.as_service(f"pbx-bridge optouts list --config {CONFIG}")
    works_as_its_service(machine)
    assert OLDER not in machine.run("ls /usr/lib/pbx-bridge/lib/python3.*/site-packages")

    machine.run("apt-get remove -y pbx-bridge")
    assert machine.try_to("command -v pbx-bridge").returncode != 0
    kept = machine.run(f"sha256sum {DATA}/*.db")
    assert machine.run(f"stat -c '%a %U' {CONFIG}; cat {CONFIG}") == config

    # Back again, and a configuration that was taken away on purpose does not come back.
    machine.run(f"rm {CONFIG}; apt-get install -y /packages/new.deb")
    assert machine.try_to(f"test -e {CONFIG}").returncode != 0
    assert machine.run(f"sha256sum {DATA}/*.db") == kept

    machine.run("apt-get purge -y pbx-bridge")
    left = {path for path in everything(machine) - before if "pbx-bridge" in path}
    assert left == set()
    # The user stays, as Debian's policy has it; nobody can log in with it.
    assert machine.run("getent passwd pbx-bridge").rstrip().endswith("/usr/sbin/nologin")


def looks_right(machine: Machine) -> None:
    """Look at files, their owners and modes, and what Debian's tools say of them."""
    assert machine.run("dpkg --verify pbx-bridge") == ""
    assert machine.run("readlink -f /usr/bin/pbx-bridge").strip() == (
        "/usr/lib/pbx-bridge/bin/pbx-bridge"
    )
    modes = machine.run(
        f"stat -c '%n %a %U:%G' /etc/pbx-bridge /etc/pbx-bridge/credentials {CONFIG} {DATA}"
    )
    assert modes.splitlines() == [
        "/etc/pbx-bridge 750 root:pbx-bridge",
        "/etc/pbx-bridge/credentials 700 root:root",
        f"{CONFIG} 640 root:pbx-bridge",
        f"{DATA} 700 pbx-bridge:pbx-bridge",
    ]
    # Nothing of the place where it was built, nothing that others may write.
    assert (
        machine.run("grep -rIl /build/ /usr/lib/pbx-bridge/bin /usr/lib/pbx-bridge/*.cfg || :")
        == ""
    )
    assert machine.run("find /usr/lib/pbx-bridge ! -type l -perm /022") == ""
    assert machine.run("find /usr/lib/pbx-bridge ! -user root") == ""
    account = machine.run("getent passwd pbx-bridge").strip().split(":")
    assert account[5:] == [DATA, "/usr/sbin/nologin"]
    assert int(account[2]) < 1000
    machine.run("systemd-analyze verify pbx-bridge.service")
    # Not a conffile: dpkg never asks about it.
    assert machine.run("dpkg-query -W -f '${Conffiles}' pbx-bridge").strip() == ""
    # No network, no compiler, no pip is needed for it.
    depends = machine.run("dpkg-query -W -f '${Depends}' pbx-bridge")
    assert re.search(r"python3 \(>= 3\.\d+~\), python3 \(<< 3\.\d+~\)", depends)
    assert machine.try_to("command -v gcc pip3").returncode != 0


def works_as_its_service(machine: Machine) -> None:
    """Run it as the service does: another user, nothing in the environment."""
    assert machine.as_service("pbx-bridge demo --speed 40").count("texted: accepted") >= 3
    checked = machine.as_service(f"pbx-bridge check --config {CONFIG} || :")
    # There is no PBX in the tree; all the rest is right.
    wrong = re.findall(r"^WRONG\s+(\w+)", checked, re.MULTILINE)
    assert wrong == ["pbx"], checked
    assert re.search(r"^ok\s+database", checked, re.MULTILINE), checked


def everything(machine: Machine) -> set[str]:
    """List all files of the machine that are not the system's own business."""
    places = [
        "/proc",
        "/dev",
        "/run",
        "/packages",
        "/var/lib/dpkg",
        "/var/lib/apt",
        "/var/cache",
        "/var/log",
    ]
    but = " -o ".join(f"-path {place}" for place in places)
    listed = machine.run(f"find / -xdev \\( {but} \\) -prune -o -print")
    return set(listed.splitlines())
