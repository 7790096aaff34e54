"""What all commands have in common."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

from pbx_bridge import __version__
from pbx_bridge.cli import COMMANDS, main

Run = Callable[..., Result]
LISTING = ("calls", "messages")


def test_every_command_is_listed_with_what_it_does(command: Run) -> None:
    said = command("--help").output
    for name, (_, about) in COMMANDS.items():
        assert name in said
        assert about.split()[0] in said


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_teaches(name: str, command: Run) -> None:
    result = command(name, "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.output or "Signals:" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_called_as_it_is_listed(name: str) -> None:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    assert found.name == name


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'pydantic', 'sqlalchemy', 'aiohttp', 'twilio', 'phonenumbers', 'rich'}"
    code = (
        "import sys; from pbx_bridge.cli import main; main(['--help'], standalone_mode=False);"
        f"print('imported', sorted({heavy} & sys.modules.keys()))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.endswith("imported []\n")


def test_the_module_can_be_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pbx_bridge", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"pbx-bridge, version {__version__}\n"


@pytest.mark.parametrize("name", [*LISTING, "check", "run", "probe"])
def test_a_bad_configuration_is_reported_with_exit_code_2(
    name: str, command: Run, folder: Path
) -> None:
    (folder / "pbx-bridge.toml").write_text('[office]\nname = "Miller"\ncuntry = "US"\n')
    result = command(name)
    assert result.exit_code == 2
    assert 'pbx-bridge.toml:3: office.cuntry: unknown key; did you mean "country"?' in result.stderr
    assert len(result.stderr.splitlines()) == 4
    assert result.stdout == ""


def test_without_any_configuration_it_is_said_where_one_is_looked_for(
    command: Run, folder: Path
) -> None:
    (folder / "pbx-bridge.toml").unlink()
    result = command("calls")
    assert result.exit_code == 2
    assert "neither pbx-bridge.toml nor /etc/pbx-bridge/pbx-bridge.toml" in result.stderr


def test_a_configuration_can_be_named(
    command: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = folder / "other.toml"
    assert f"{elsewhere}: no such file" in command("calls", "--config", str(elsewhere)).stderr
    monkeypatch.setenv("PBX_BRIDGE_CONFIG", str(elsewhere))
    assert f"{elsewhere}: no such file" in command("calls").stderr


@pytest.mark.parametrize("name", LISTING)
def test_before_the_first_run_there_is_nothing_to_list(name: str, command: Run) -> None:
    result = command(name)
    assert result.exit_code == 1
    assert "has the service run yet?" in result.stderr


def test_an_unknown_pbx_is_named_with_those_there_are(command: Run) -> None:
    result = command("probe", "--pbx", "offize")
    assert result.exit_code == 2
    assert result.stderr == "no PBX 'offize'; configured: office\n"
