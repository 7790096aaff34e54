"""Spoken summaries, by the real espeak-ng (scripts/test-servers installs it)."""

import array
import asyncio
import math
import struct
import wave
from itertools import pairwise
from pathlib import Path

import pytest

from pbx_bridge import speech
from pbx_bridge.speech import RATE, Speech, SpeechProblem, for_telephone


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def spoken(folder: Path) -> Speech:
    return Speech(folder=folder, seen_as="/seen/")


def wav(samples: list[int], rate: int = 22050) -> bytes:
    """Write a WAV as espeak-ng does into a pipe: its lengths are not known yet."""
    header = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 0, b"WAVE", b"fmt ", 16, 1, 1, rate, 0, 2, 16)
    return header + b"data\x00\xf0\xff\x7f" + array.array("h", samples).tobytes()


async def test_a_summary_is_spoken_as_the_pbx_plays_it(folder: Path) -> None:
    path = await spoken(folder).render("f00d", "This is urgent. The cellar is full of water.")
    assert path == "/seen/pbxbridge-f00d"
    (file,) = folder.iterdir()
    assert file.name == "pbxbridge-f00d.wav"
    assert file.stat().st_mode & 0o777 == 0o644
    with wave.open(str(file)) as said:
        assert (said.getframerate(), said.getnchannels(), said.getsampwidth()) == (RATE, 1, 2)
        assert 1 < said.getnframes() / RATE < 10
        loudest = max(map(abs, array.array("h", said.readframes(said.getnframes()))))
    assert loudest > 1000, "it is not silent"


@pytest.mark.parametrize(
    "hostile", ["-w /etc/x", "$(touch x); `touch y`", "--version", "<speak>hi</speak>", "\0\n\r"]
)
async def test_what_is_spoken_is_no_argument_and_no_command(folder: Path, hostile: str) -> None:
    assert await spoken(folder).render("f00d", f"{hostile} and some words")
    assert [file.name for file in folder.iterdir()] == ["pbxbridge-f00d.wav"]


async def test_without_the_program_recordings_are_played(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "PROGRAM", "no-such-program")
    assert await spoken(folder).render("f00d", "words") == ""
    with pytest.raises(SpeechProblem, match="is not installed: apt-get install"):
        await spoken(folder).check()


async def test_a_folder_that_is_not_there_is_told(folder: Path) -> None:
    away = spoken(folder / "away")
    assert await away.render("f00d", "words") == ""
    with pytest.raises(SpeechProblem, match="away: No such file"):
        await away.check()


async def test_a_program_that_hangs_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = folder / "hangs"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(speech, "PROGRAM", str(hanging))
    monkeypatch.setattr(speech, "PATIENCE_SECONDS", 0.2)
    async with asyncio.timeout(20):
        assert await spoken(folder).render("f00d", "words") == ""


async def test_it_can_be_tried_and_leaves_nothing(folder: Path) -> None:
    said = await spoken(folder).check()
    assert said.startswith("espeak-ng speaks, into ")
    assert list(folder.iterdir()) == []


async def test_recordings_are_taken_away(folder: Path) -> None:
    ours = spoken(folder)
    await ours.render("one", "words")
    await ours.render("two", "words")
    (folder / "msg0000.wav").write_bytes(b"somebody else's")
    ours.forget("one")
    ours.forget("one")
    assert {file.name for file in folder.iterdir()} == {"pbxbridge-two.wav", "msg0000.wav"}
    ours.forget_all()
    assert [file.name for file in folder.iterdir()] == ["msg0000.wav"]


def test_a_tone_stays_a_tone() -> None:
    second = [round(8000 * math.sin(2 * math.pi * 440 * n / 22050)) for n in range(22050)]
    said = array.array("h", for_telephone(wav(second)))
    assert len(said) == RATE
    rises = sum(before < 0 <= after for before, after in pairwise(said))
    assert abs(rises - 440) <= 1
    assert 7000 < max(said) <= 8000


@pytest.mark.parametrize("said", [b"", b"RIFF", wav([1], rate=0), wav([1], rate=4000), b"x" * 99])
def test_what_is_no_wav_is_not_played(said: bytes) -> None:
    with pytest.raises(SpeechProblem):
        for_telephone(said)
