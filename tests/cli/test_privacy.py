"""`export` and `erase` as they are typed."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from pbx_bridge.core.number import parse, spellings
from tests.store import schemas

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _office(folder: Path) -> None:
    schemas.load(folder / "bridge.db", schemas.revisions()[-1])
    (folder / "recordings").mkdir()
    (folder / "recordings" / "1.wav").write_bytes(b"RIFF")


def test_all_about_a_number_is_handed_out(command: Run, folder: Path) -> None:
    result = command("export", "(212) 555-0143", "out.zip")
    assert result.exit_code == 0, result.output
    assert (folder / "out.zip").stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(folder / "out.zip") as archive:
        told = json.loads(archive.read("data.json"))
        text = archive.read("readable.txt").decode()
    assert told["tables"]["contact"][0]["notes"] == "has a dog"
    assert told["tables"]["message"][0]["body"].startswith("Sorry that we missed you")
    assert [len(told["tables"][name]) for name in ("call", "reply", "consent", "event")] == [1] * 4
    assert "CRMs that know the number: hubspot" in told["told"]
    assert "STOP please" in text
    assert "cannot be made" in command("export", schemas.NUMBER, "out.zip").stderr


def test_what_is_erased_is_in_no_byte_of_the_files(command: Run, folder: Path) -> None:
    figures = command("figures", "--json").output
    assert command("backup").exit_code == 0
    assert command("erase", schemas.NUMBER, typed="n\n").exit_code == 1
    written = b""
    for number in (schemas.NUMBER, schemas.OTHER):
        result = command("erase", number, "--yes")
        assert result.exit_code == 0, result.output
        assert "by-hand.db" in result.output  # the backup still has it
        parsed = parse(number, "US")
        assert parsed is not None
        written = (folder / "bridge.db").read_bytes()
        log = folder / "bridge.db-wal"
        written += log.read_bytes() if log.exists() else b""
        found = [form for form in spellings(parsed) if form.encode() in written]
        assert found == []
        assert "webhooks and CRMs" in result.output or number == schemas.OTHER
    for words in ("O'Hara", "has a dog", "STOP please", "call me back"):
        assert words.encode() not in written
    assert not (folder / "recordings" / "msg0000.wav").exists()
    assert command("figures", "--json").output == figures
    for listing in ("calls", "messages", "replies", "optouts list", "followups", "tasks", "alerts"):
        assert command(*listing.split()).exit_code == 0, listing
    assert "kept when all else was erased" in command("optouts", "list").output


def test_what_is_no_number_is_told(command: Run) -> None:
    assert "is no number of US" in command("erase", "12").stderr
