"""Wheel and source distribution: the same bytes from one commit, whole, and installed for real."""

import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from pbx_bridge import __version__
from pbx_bridge.cli import COMMANDS
from tests.packaging.checkout import BIN, ROOT, Dist, build, export, run


def test_two_builds_of_one_commit_are_the_same_bytes(dist: Dist, tmp_path: Path) -> None:
    """In another folder, by a user with another umask, zone and language, from newer files."""
    copy = export(tmp_path / "another place" / "checkout")
    for path in copy.rglob("*"):
        os.utime(path, (1, 1234567890))
        path.chmod(0o700 if path.is_dir() or os.access(path, os.X_OK) else 0o600)
    again = build(
        copy, tmp_path / "out", umask=0o077, TZ="Pacific/Auckland", LC_ALL="C", LANG="tr_TR.UTF-8"
    )
    assert again.sdist.name == dist.sdist.name
    assert again.sdist.read_bytes() == dist.sdist.read_bytes()
    assert again.wheel.name == dist.wheel.name
    assert again.wheel.read_bytes() == dist.wheel.read_bytes()


def test_the_wheel_has_every_file_that_the_program_reads(dist: Dist) -> None:
    tracked = run("git", "-C", ROOT, "ls-files", "pbx_bridge").split()
    wheel = zipfile.ZipFile(dist.wheel)
    assert sorted(set(tracked) - set(wheel.namelist())) == []
    for name in ("pbx-bridge.example.toml", "asterisk-conf/manager.d/pbxbridge.conf"):
        inside = f"pbx_bridge/{Path(name).name}"
        assert wheel.read(inside) == (ROOT / name).read_bytes()


def test_the_wheel_has_its_licence_and_nothing_that_is_not_the_program(dist: Dist) -> None:
    info = f"pbx_bridge-{__version__}.dist-info"
    wheel = zipfile.ZipFile(dist.wheel)
    names = wheel.namelist()
    assert f"{info}/licenses/LICENSE" in names
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert f"\nVersion: {__version__}\n" in metadata
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "# pbx_bridge" in metadata  # the README
    assert {name.split("/")[0] for name in names} == {"pbx_bridge", info}
    assert [name for name in names if "/test" in name or name.endswith(".pyc")] == []


def test_the_source_distribution_has_what_the_wheel_is_built_from(dist: Dist) -> None:
    with tarfile.open(dist.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "CHANGELOG.md", "pbx-bridge.example.toml"} <= names
    assert not any(name.startswith(("tests/", ".venv/", "dist/")) for name in names)


@pytest.fixture(scope="module")
def installed(dist: Dist, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a clean environment with the wheel and its small extras."""
    venv = tmp_path_factory.mktemp("clean") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    pip, python = (BIN / "uv", "pip"), ("--python", venv / "bin" / "python")
    run(*pip, "install", "--quiet", *python, f"{dist.wheel}[smpp,contacts,calendar]")
    run(*pip, "check", *python)
    return venv / "bin"


@pytest.mark.usefixtures("elsewhere")
def test_installed_it_runs_from_there(installed: Path) -> None:
    where = run(installed / "python", "-c", "import pbx_bridge as p; print(p.__file__)").strip()
    assert Path(where).is_relative_to(installed.parent)
    _works(installed / "pbx-bridge")


@pytest.mark.usefixtures("elsewhere")
def test_every_command_of_the_installed_program_has_its_help(installed: Path) -> None:
    """In one process: each imports what its command needs."""
    shown = run(
        installed / "python", "-c",
        "import sys\n"
        "from pbx_bridge.cli import COMMANDS, main\n"
        "for command in COMMANDS:\n"
        "    main([command, '--help'], prog_name='pbx-bridge', standalone_mode=False)\n",
    )  # fmt: skip
    assert [command for command in COMMANDS if f"Usage: pbx-bridge {command}" not in shown] == []


def other_pythons() -> list[Path]:
    """Find what else there is from 3.11 on, as scripts/test-pythons does; one of each version."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    places = (*pyenv.glob("3.*/bin"), Path("/usr/local/bin"), Path("/usr/bin"))
    found = {
        path.name: path
        for place in places
        for path in place.glob("python3.[1-9][0-9]")
        if int(path.name.partition(".")[2]) >= 11
    }
    found.pop(f"python3.{sys.version_info.minor}", None)
    return [found[name] for name in sorted(found)]


@pytest.mark.parametrize("python", other_pythons(), ids=lambda path: path.name)
def test_it_runs_on_another_python(dist: Dist, elsewhere: Path, python: Path) -> None:
    """With every warning an error, so that what is deprecated shows."""
    run(BIN / "uv", "venv", "--quiet", "--python", python, elsewhere / "venv")
    inside = elsewhere / "venv" / "bin" / "python"
    run(BIN / "uv", "pip", "install", "--quiet", "--python", inside, dist.wheel)
    shown = run(inside, "-W", "error", "-m", "pbx_bridge", "demo", "--speed", "40")
    assert shown.count("texted: accepted") >= 3


def test_pipx_installs_replaces_and_removes_it(dist: Dist, older: Dist, elsewhere: Path) -> None:
    environment = os.environ | {
        "PIPX_HOME": str(elsewhere / "pipx"), "PIPX_BIN_DIR": str(elsewhere / "bin"),
        "PIPX_MAN_DIR": str(elsewhere / "man"), "PIPX_DEFAULT_PYTHON": sys.executable,
    }  # fmt: skip
    program = elsewhere / "bin" / "pbx-bridge"

    def pipx(*arguments: str | Path) -> str:
        return run(BIN / "python", "-m", "pipx", *arguments, env=environment)

    pipx("install", older.wheel)
    assert "0.0.9" in run(program, "--version")
    pipx("install", "--force", dist.wheel)
    _works(program)
    pipx("reinstall", "pbx-bridge")
    assert __version__ in run(program, "--version")
    pipx("uninstall", "pbx-bridge")
    assert not program.exists()


def test_uv_tool_installs_replaces_and_removes_it(dist: Dist, older: Dist, elsewhere: Path) -> None:
    environment = os.environ | {
        "UV_TOOL_DIR": str(elsewhere / "tools"), "UV_TOOL_BIN_DIR": str(elsewhere / "bin"),
        "UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON": sys.executable,
    }  # fmt: skip
    program = elsewhere / "bin" / "pbx-bridge"

    def tool(*arguments: str | Path) -> str:
        return run(BIN / "uv", "tool", *arguments, env=environment)

    tool("install", older.wheel)
    assert "0.0.9" in run(program, "--version")
    tool("install", dist.wheel)
    _works(program)
    tool("uninstall", "pbx-bridge")
    assert not program.exists()


def _works(program: Path) -> None:
    assert run(program, "--version").split()[-1] == __version__
    assert "pbx-bridge COMMAND --help" in run(program, "--help")
    assert run(program, "demo", "--speed", "40").count("texted: accepted") >= 3
