"""Whose message is whose, wherever the PBX has put it by now, and no way out of its folder."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_bridge.core.voicemail import Mailbox
from pbx_bridge.voicemail import spool as spool_module
from pbx_bridge.voicemail.spool import Wanted, find, mailboxes_in, read_sound
from tests.voicemail.messages import AT, CALLER, HERE, SOUND, copy_of, leave

WANTED = Wanted(
    mailboxes=(Mailbox("102"),),
    channel="PJSIP/trunk-00000000",
    number=CALLER,
    began=AT - timedelta(seconds=5),
    left_at=AT + timedelta(seconds=4),
)
BY_TIME = replace(WANTED, channel="")


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    (tmp_path / "voicemail").mkdir()
    return tmp_path / "voicemail"


@pytest.mark.parametrize(("version", "origtime"), [("22", 1795543470), ("16", 1795543487)])
def test_a_message_that_asterisk_left(version: str, origtime: int, tmp_path: Path) -> None:
    at = datetime.fromtimestamp(origtime, UTC)
    wanted = replace(WANTED, began=at - seconds(4), left_at=at + seconds(4))
    found = find(copy_of(version, tmp_path), wanted)
    assert found is not None
    assert found.sound.read_bytes()[:4] == b"RIFF"
    assert (found.ending, found.information.seconds) == ("wav", 3)


def test_the_best_format_is_taken(spool: Path) -> None:
    sounds = {file.suffix[1:]: file.read_bytes() for file in (HERE / "wav49").glob("msg0000.[!t]*")}
    assert set(sounds) == {"WAV", "gsm"}
    leave(spool, sounds=sounds)
    found = find(spool, WANTED)
    assert found is not None
    assert found.ending == "WAV"
    leave(spool, sounds={"wav": SOUND})
    found = find(spool, WANTED)
    assert found is not None
    assert found.ending == "wav"


@pytest.mark.parametrize("folder", ["INBOX", "Old", "Urgent", "Family", "Deleted"])
def test_it_is_found_in_whatever_folder(folder: str, spool: Path) -> None:
    leave(spool, folder=folder, modified=AT + timedelta(hours=1))
    assert find(spool, WANTED) is not None


def test_the_number_of_a_message_means_nothing(spool: Path) -> None:
    leave(spool, number=0, channel="PJSIP/trunk-00000007", caller_id="+12125551999")
    leave(spool, number=1)
    found = find(spool, WANTED)
    assert found is not None
    assert found.sound.name == "msg0001.wav"
    for file in found.sound.parent.glob("msg0000.*"):
        file.unlink()
    for file in found.sound.parent.glob("msg0001.*"):  # as Asterisk closes the gap
        file.rename(file.with_name(file.name.replace("1", "0")))
    found = find(spool, WANTED)
    assert found is not None
    assert found.sound.name == "msg0000.wav"


def test_a_channel_says_more_than_time_and_number(spool: Path) -> None:
    leave(spool, number=0)
    leave(spool, number=1, channel="PJSIP/trunk-00000009", began=AT + seconds(2))
    found = find(spool, WANTED)
    assert found is not None
    assert found.sound.name == "msg0000.wav"


def test_without_a_channel_the_last_one_of_that_caller_is_meant(spool: Path) -> None:
    leave(spool, number=0, began=AT - seconds(4))
    leave(spool, number=1, began=AT)
    leave(spool, number=2, began=AT + seconds(1), caller_id="+12125551999")
    found = find(spool, BY_TIME)
    assert found is not None
    assert found.sound.name == "msg0001.wav"


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ({"began": AT - seconds(90)}, WANTED),  # an earlier run of the PBX had that channel too
        ({"began": AT + seconds(90)}, WANTED),
        ({"began": AT - seconds(30)}, BY_TIME),
        ({"caller_id": "+12125551999"}, BY_TIME),
        ({"caller_id": "+12125551999", "channel": "PJSIP/trunk-00000001"}, WANTED),
        ({"mailbox": "default/103"}, WANTED),
        ({"mailbox": "sales/102"}, WANTED),
        ({"seconds": None}, WANTED),  # not complete
        ({"sounds": {}}, WANTED),
        ({"sounds": {"wav": b""}}, WANTED),
        ({"sounds": {"txt2": b"x"}}, WANTED),
        ({"folder": "tmp"}, WANTED),
        ({"modified": AT - timedelta(days=2)}, WANTED),
    ],
)
def test_what_is_not_it(message: dict[str, object], wanted: Wanted, spool: Path) -> None:
    leave(spool, **message)  # type: ignore[arg-type]
    assert find(spool, wanted) is None


def test_a_copy_for_another_mailbox_is_found_in_the_first(spool: Path) -> None:
    leave(spool, mailbox="default/101")
    leave(spool, mailbox="default/102")
    found = find(spool, replace(WANTED, mailboxes=(Mailbox("101"), Mailbox("102"))))
    assert found is not None
    assert found.sound.parts[-3] == "101"


def test_only_so_many_are_read(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "MOST_READ", 3)
    leave(spool, number=0)
    for number in range(1, 4):
        leave(spool, number=number, channel="x", caller_id="+12125551999", began=AT + seconds(1))
    assert find(spool, WANTED) is None


# -- no way out ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mailbox",
    [
        Mailbox("../../outside", "default"),
        Mailbox("outside", "../.."),
        Mailbox("..", "default"),
        Mailbox(".", "default"),
        Mailbox("/etc", "default"),
        Mailbox("a\0b", "default"),
        Mailbox("x" * 81, "default"),
        Mailbox("link", "default"),
    ],
)
def test_no_name_of_a_mailbox_leads_out(mailbox: Mailbox, spool: Path) -> None:
    leave(spool.parent, mailbox="outside/102")
    leave(spool.parent, mailbox="outside", folder="INBOX")
    (spool / "default").mkdir(parents=True)
    (spool / "default" / "link").symlink_to(spool.parent / "outside")
    assert find(spool, replace(WANTED, mailboxes=(mailbox,))) is None


@settings(max_examples=50)
@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_it_is_called(tmp_path_factory: pytest.TempPathFactory, a: str, b: str) -> None:
    spool = tmp_path_factory.mktemp("any") / "voicemail"
    leave(spool, mailbox="default/102")
    leave(spool.parent, mailbox="other/102")
    found = find(spool, replace(WANTED, mailboxes=(Mailbox(a, b),)))
    assert found is None or found.sound.is_relative_to(spool)


def test_a_link_within_the_spool_is_followed_as_freepbx_has_them(spool: Path) -> None:
    leave(spool)
    (spool / "device").symlink_to(spool / "default")
    assert find(spool, replace(WANTED, mailboxes=(Mailbox("102", "device"),))) is not None


def test_a_link_in_place_of_a_sound_is_no_sound(spool: Path, tmp_path: Path) -> None:
    (tmp_path / "shadow").write_text("root:x:0")
    told = leave(spool, sounds={})
    told.with_suffix(".wav").symlink_to(tmp_path / "shadow")
    assert find(spool, WANTED) is None
    with pytest.raises(OSError, match="symbolic link"):
        read_sound(told.with_suffix(".wav"), 100)


def test_a_pipe_in_place_of_a_sound_holds_up_nothing(spool: Path) -> None:
    told = leave(spool, sounds={})
    os.mkfifo(told.with_suffix(".wav"))
    assert find(spool, WANTED) is None
    with pytest.raises(FileNotFoundError, match="not a file"):
        read_sound(told.with_suffix(".wav"), 100)


def test_a_sound_has_so_many_bytes_at_most(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"12345")
    assert read_sound(tmp_path / "a.wav", 5) == b"12345"
    assert read_sound(tmp_path / "a.wav", 4) is None


# -- may it be read? ----------------------------------------------------------------------


def test_mailboxes_are_counted(tmp_path: Path) -> None:
    assert mailboxes_in(copy_of("22", tmp_path)) == 2


def test_a_spool_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    for look in (mailboxes_in, lambda spool: find(spool, WANTED)):
        with pytest.raises(FileNotFoundError) as error:
            look(tmp_path / "nowhere")
        assert "nowhere" in error.value.filename
