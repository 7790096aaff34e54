"""The unit and its drop-ins, as systemd's own tools judge them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.checkout import ROOT

UNITS = ROOT / "packaging" / "systemd"
NAME = "pbx-bridge.service"
DROP_INS = sorted(path.name for path in UNITS.glob("*.conf"))
#: Its program is not installed here, so that another one stands for it.
PROGRAM = "[Service]\nExecStart=\nExecStart=/bin/true\n"


def _installed(folder: Path, *drop_ins: str, more: str = "") -> Path:
    """Install the unit as an administrator does, with drop-ins."""
    system = folder / "etc" / "systemd" / "system"
    (system / f"{NAME}.d").mkdir(parents=True)
    shutil.copy(UNITS / NAME, system)
    for name in drop_ins:
        shutil.copy(UNITS / name, system / f"{NAME}.d")
    (system / f"{NAME}.d" / "zz-more.conf").write_text(PROGRAM + more)
    return system / NAME


def _analyzed(*arguments: str | Path) -> str:
    done = subprocess.run(  # noqa: S603
        ["systemd-analyze", "--no-pager", *map(str, arguments)],  # noqa: S607
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def _exposure(folder: Path, *drop_ins: str, more: str = "") -> float:
    _installed(folder, *drop_ins, more=more)
    said = _analyzed("security", "--offline=true", f"--root={folder}", NAME)
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert level is not None, said
    return float(level[1])


def test_the_unit_says_nothing_that_systemd_does_not_understand(tmp_path: Path) -> None:
    assert _analyzed("verify", _installed(tmp_path)) == ""


@pytest.mark.parametrize("name", DROP_INS)
def test_so_with_each_drop_in(name: str, tmp_path: Path) -> None:
    assert _analyzed("verify", _installed(tmp_path, name)) == ""


def test_a_mistake_would_be_told(tmp_path: Path) -> None:
    unit = _installed(tmp_path, more="ProtectEverything=yes\n")
    assert "Unknown key 'ProtectEverything'" in _analyzed("verify", unit)


@pytest.mark.parametrize(
    ("drop_ins", "most"),
    [
        ((), 1.1),
        (("addresses.conf",), 0.9),
        (("asterisk-files.conf",), 1.1),
        (("listening.conf",), 1.2),
    ],
)
def test_what_an_attacker_could_do_from_within(
    drop_ins: tuple[str, ...], most: float, tmp_path: Path
) -> None:
    assert _exposure(tmp_path, *drop_ins) <= most


def test_the_figure_is_of_the_unit_as_installed(tmp_path: Path) -> None:
    assert _exposure(tmp_path, more="SystemCallFilter=\nPrivateUsers=no\n") > 1.1


def test_the_watchdog_is_not_more_patient_than_the_docs_say() -> None:
    unit = (UNITS / NAME).read_text()
    page = (ROOT / "docs" / "systemd.md").read_text(encoding="utf-8")
    (seconds,) = re.findall(r"^WatchdogSec=(\d+)$", unit, re.MULTILINE)
    assert f"within {seconds} s" in page


def test_every_drop_in_is_explained() -> None:
    page = (ROOT / "docs" / "systemd.md").read_text(encoding="utf-8")
    assert [name for name in DROP_INS if f"`{name}`" not in page] == []
