"""A recording made by `record` is judged by `replay`, on any machine."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.sources.ami.fake import HANGUP, NEWCHANNEL, FakeAmi

Run = Callable[..., Result]
NEEDED = {"capture", "caller", "line", "disposition", "reason", "would_text", "why"}


@pytest.fixture
def capture(folder: Path) -> Path:
    path = folder / "bare.ami"
    path.write_text("Asterisk Call Manager/11.0.0\r\n" + NEWCHANNEL + HANGUP)
    (folder / "pbx-bridge.toml").unlink()
    return path


def test_what_is_recorded_can_be_replayed(command: Run, pbx: FakeAmi, folder: Path) -> None:
    assert pbx.port
    result = command("record", "monday", "--seconds", "1")
    assert result.exit_code == 0
    assert "pbx-bridge replay monday.ami" in result.stdout
    assert b"Newchannel" in (folder / "monday.ami").read_bytes()
    times = (folder / "monday.times.jsonl").read_text()
    assert {json.loads(line)["ev"] for line in times.splitlines()} >= {"connect", "data", "send"}
    assert "hunter2" not in times
    (call,) = map(json.loads, command("replay", "--json", "monday.ami").stdout.splitlines())
    assert call["caller"] == "+12125550142"


def test_a_recording_is_not_overwritten(command: Run, folder: Path) -> None:
    (folder / "monday.ami").write_text("precious")
    result = command("record", "monday", "--seconds", "1")
    assert (result.exit_code, result.stderr) == (1, "monday.ami: File exists\n")
    assert (folder / "monday.ami").read_text() == "precious"


def test_replay_needs_neither_configuration_nor_sidecar(command: Run, capture: Path) -> None:
    result = command("replay", "--json", str(capture))
    assert result.exit_code == 0
    (call,) = map(json.loads, result.stdout.splitlines())
    assert call.keys() >= NEEDED
    assert call["capture"] == str(capture)
    assert call["line"] == "+12125550100"
    assert call["disposition"] == "missed"
    assert isinstance(call["would_text"], bool)


def test_replay_for_people(command: Run, capture: Path) -> None:
    said = command("replay", str(capture)).stdout
    assert "+12125550142" in said
    assert "missed" in said


def test_a_capture_that_is_none_is_told(command: Run, folder: Path) -> None:
    assert command("replay", str(folder / "none.ami")).exit_code == 2
