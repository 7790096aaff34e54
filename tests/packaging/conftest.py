"""Builds of this checkout, once for all tests that look at them."""

import os
import shutil
from pathlib import Path

import pytest

from tests.packaging.checkout import BIN, OLDER, ROOT, Dist, build, commit_time, export, run
from tests.packaging.debian import Machine, tree

#: What the Debian package is built for here; scripts/build-deb takes any release.
SUITE = "bookworm"


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Dist:
    """What is built from this checkout."""
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def older_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same program under an older version's number, to upgrade from."""
    return export(tmp_path_factory.mktemp("older"), version=OLDER)


@pytest.fixture(scope="session")
def older(older_checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Dist:
    return build(older_checkout, tmp_path_factory.mktemp("older-dist"))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder outside of the checkout to work in, with nothing in the environment about it."""
    monkeypatch.chdir(tmp_path)
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "PBX_BRIDGE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the Debian package of this checkout, new.deb."""
    if os.geteuid() != 0:
        if os.environ.get("PBX_BRIDGE_WITHOUT_PACKAGES") == "1":
            pytest.skip("PBX_BRIDGE_WITHOUT_PACKAGES=1 asked for that")
        pytest.fail("needs root, to build and install packages in trees of their own")
    folder = tmp_path_factory.mktemp("packages")
    _package(ROOT, folder, "new.deb")
    return folder


@pytest.fixture(scope="session")
def both_packages(packages: Path, older_checkout: Path) -> Path:
    """The same folder with an older one, old.deb."""
    _package(older_checkout, packages, "old.deb")
    return packages


@pytest.fixture
def machine(packages: Path, tmp_path: Path) -> Machine:
    """A fresh Debian, with the package in /packages."""
    return Machine(tree(SUITE), tmp_path, packages)


def _package(source: Path, to: Path, name: str) -> None:
    environment = os.environ | {"SOURCE_DATE_EPOCH": commit_time()}
    built = run(source / "scripts" / "build-deb", BIN, SUITE, to / "built", env=environment)
    shutil.move(built.splitlines()[-1], to / name)
