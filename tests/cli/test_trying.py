"""`check` and `probe` against a manager interface of our own."""

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from tests.sources.ami.fake import FakeAmi

Run = Callable[..., Result]


def test_check_tells_what_is_right(command: Run, pbx: FakeAmi) -> None:
    result = command("check")
    said = result.stdout
    assert "ok     configuration: shadow mode: nothing is sent" in said
    assert f"ok     pbx office: login at 127.0.0.1:{pbx.port}" in said
    assert "ok     gateway console: texts are printed, not sent" in said
    assert result.exit_code == (1 if "WRONG" in said else 0)


def test_check_fails_with_what_is_wrong(command: Run, pbx: FakeAmi) -> None:
    pbx.secret = "another"
    result = command("check")
    assert result.exit_code == 1
    assert "WRONG  pbx office: " in result.stdout
    assert "check username and secret" in result.stdout


def test_check_for_programs(command: Run, pbx: FakeAmi) -> None:
    assert pbx.port
    found = [json.loads(line) for line in command("check", "--json").stdout.splitlines()]
    assert found[0] == {
        "good": True,
        "what": "configuration",
        "text": "shadow mode: nothing is sent",
    }


def test_probe_shows_a_call_and_that_it_is_recognised(command: Run, pbx: FakeAmi) -> None:
    assert pbx.port
    result = command("probe", "--seconds", "1")
    assert result.exit_code == 0
    assert "from-trunk  trunk     +12125550100  +12125550142  Ann   yes" in result.stdout
    assert "calls from outside are recognised" in result.stdout


def test_probe_proposes_what_would_recognise_the_call(
    command: Run, pbx: FakeAmi, folder: Path
) -> None:
    assert pbx.port
    config = folder / "pbx-bridge.toml"
    config.write_text(
        config.read_text().replace("[database]", "inbound_contexts = ['^x$']\n[database]")
    )
    result = command("probe", "--seconds", "1")
    assert "inbound_contexts = ['^from\\-trunk$']" in result.stdout


def test_probe_tells_why_it_cannot_connect(command: Run, pbx: FakeAmi) -> None:
    pbx.secret = "another"
    result = command("probe", "--seconds", "1")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"office: 127.0.0.1:{pbx.port} refuses the login")
