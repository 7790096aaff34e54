"""A process of its own for each file: heard, given up, killed; the loop goes on meanwhile."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from pbx_bridge.core.voicemail import Later, Refused, Transcript, Transcription
from pbx_bridge.transcribers import TranscriberProblem
from pbx_bridge.transcribers import local as module
from pbx_bridge.transcribers.local import Local, Settings

#: Stands for faster-whisper in the process; `{does}` is what happens when it listens.
PROGRAM = """\
import os, sys, time
class Part: text = "Please call me back."
class Heard: language = "en"
class WhisperModel:
    def __init__(self, *a, **k): pass
    def transcribe(self, sound, **options):
        assert os.environ["HF_HUB_OFFLINE"] == "1"
        {does}
        return [Part], Heard
"""


def listening(folder: Path, does: str = "pass", seconds: float = 20) -> Local:
    (folder / "faster_whisper.py").write_text(PROGRAM.format(does=does))
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    settings = Settings(model=folder / "model", language="en", seconds=seconds)
    return Local(settings, {**os.environ, "PYTHONPATH": path})


async def hear(transcriber: Local, folder: Path) -> Transcription:
    return await transcriber.transcribe(folder / "a.wav")


async def test_a_message_is_put_into_writing(tmp_path: Path) -> None:
    assert await hear(listening(tmp_path), tmp_path) == Transcript("Please call me back.", "en")


async def test_the_loop_goes_on_meanwhile(tmp_path: Path) -> None:
    transcriber = listening(tmp_path, "time.sleep(0.5)")
    hearing = asyncio.ensure_future(hear(transcriber, tmp_path))  # noqa: TID251 - awaited below
    turns = 0
    while not hearing.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 20
    assert isinstance(await hearing, Transcript)


@pytest.mark.parametrize(
    ("does", "result"),
    [
        ("raise MemoryError('no room')", Refused("the model: MemoryError: no room")),
        ("raise ValueError('a\\x1b[31m\\nb')", Refused("the model: ValueError: a[31m b")),
    ],
)
async def test_what_the_model_refuses(does: str, result: Refused, tmp_path: Path) -> None:
    assert await hear(listening(tmp_path, does), tmp_path) == result


async def test_a_process_that_dies_is_started_again_later(tmp_path: Path) -> None:
    result = await hear(listening(tmp_path, "os.kill(os.getpid(), 9)"), tmp_path)
    assert result == Later("the model's process ended with -9: ")
    result = await hear(listening(tmp_path, "sys.exit('too bad')"), tmp_path)
    assert result == Later("the model's process ended with 1: too bad")


@pytest.mark.parametrize("cancelled", [False, True])
async def test_one_that_takes_too_long_is_killed(cancelled: bool, tmp_path: Path) -> None:  # noqa: FBT001
    mark = tmp_path / "pid"
    does = f"open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    transcriber = listening(tmp_path, does, seconds=60 if cancelled else 2)
    hearing = asyncio.ensure_future(hear(transcriber, tmp_path))  # noqa: TID251 - awaited below
    if cancelled:
        async with asyncio.timeout(10):
            while not (mark.exists() and mark.read_text()):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.01)
        hearing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hearing
    else:
        assert await hearing == Later("the model took more than 2 s")
    if mark.exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.read_text()), 0)


async def test_check_looks_for_program_and_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcriber = listening(tmp_path)
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(TranscriberProblem, match="pip install"):
        await transcriber.check()
    monkeypatch.setattr(module, "find_spec", lambda _: object())
    with pytest.raises(TranscriberProblem, match=r"no config\.json and no model\.bin is in it"):
        await transcriber.check()
    (tmp_path / "model").mkdir()
    for name in module.MODEL_FILES:
        (tmp_path / "model" / name).touch()
    assert await transcriber.check() == f"is in {tmp_path / 'model'}"
    assert transcriber.seconds == 20
