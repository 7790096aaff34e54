"""Our own copies: for nobody else, whole, and gone when they are forgotten."""

from dataclasses import replace
from pathlib import Path

import pytest

from pbx_bridge.core.voicemail import RecordingState
from pbx_bridge.store.recordings import RecordingRecord
from pbx_bridge.voicemail import shelf as shelf_module
from pbx_bridge.voicemail.shelf import Shelf
from tests.voicemail.messages import AT

RECORD = RecordingRecord(
    recording_id=7, call_row=1, pbx="office", began=AT, caller="", number="", name="", line="",
    mailbox="102@default", channel="", left_at=AT, path="7.wav", seconds=3.0,
    state=RecordingState.KEPT, transcript="", language="", attempts=0, due_at=None, tell_at=None,
    problem="",
)  # fmt: skip


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "bridge.db")


def test_a_copy_is_for_nobody_else(shelf: Shelf, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir(mode=0o755)
    (folder / "7.wav.part").write_text("from a crash")
    assert shelf.keep(7, "wav", b"sound") == "7.wav"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert shelf.place("7.wav").stat().st_mode & 0o777 == 0o600
    assert shelf.keep(7, "wav", b"again") == "7.wav"
    assert [file.name for file in folder.iterdir()] == ["7.wav"]


def test_what_is_forgotten_is_erased(shelf: Shelf) -> None:
    assert shelf.sweep({"1.wav"}) == 0
    for number in (1, 2, 3):
        shelf.keep(number, "wav", b"sound")
    assert shelf.sweep({"1.wav", "9.wav"}) == 2
    assert shelf.place("1.wav").exists()


def test_what_goes_with_a_message(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.keep(7, "WAV", b"sound")
    shelf.keep(8, "gsm", b"longer sound")
    shelf.keep(9, "wav", b"s")
    records = [
        replace(RECORD, path="7.WAV"),
        replace(RECORD, recording_id=8, path="8.gsm"),
        replace(RECORD, recording_id=9, path="9.wav"),
        replace(RECORD, recording_id=10, path=""),
        replace(RECORD, recording_id=11, path="11.wav"),  # erased meanwhile
    ]
    found = shelf.attachments(records)
    assert [(a.name, a.kind) for a in found] == [
        ("voicemail-7.wav", "audio/wav"),
        ("voicemail-8.gsm", "audio/gsm"),
        ("voicemail-9.wav", "audio/wav"),
    ]
    assert found[0].content == b"sound"
    monkeypatch.setattr(shelf_module, "LARGEST_SENT", 8)
    assert [a.name for a in shelf.attachments(records)] == ["voicemail-7.wav", "voicemail-9.wav"]
