"""A model on this machine: nothing leaves it. An extra: `pip install 'pbx-bridge[transcribe]'`."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pbx_bridge.core.text import clean
from pbx_bridge.core.voicemail import Later, Refused, Transcript, Transcription
from pbx_bridge.transcribers import Transcriber, TranscriberProblem

#: What a folder with a model for CTranslate2 has in it.
MODEL_FILES = ("config.json", "model.bin")
_PROCESS = (sys.executable, "-m", "pbx_bridge.transcribers._whisper")
#: It uses what is there, and fetches nothing.
_OFFLINE = {"HF_HUB_OFFLINE": "1"}
LONGEST_REASON = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Which model, and what to expect."""

    model: Path  #: a folder
    language: str = ""  #: ISO 639-1; empty: the model is to find out
    prompt: str = ""  #: words that may come up, such as names
    seconds: float = 60.0


class Local(Transcriber):
    """Listens in a process of its own for each file, which ends with it."""

    def __init__(self, settings: Settings, environment: Mapping[str, str] = os.environ) -> None:
        self._settings = settings
        self._environment = {**environment, **_OFFLINE}

    @property
    def seconds(self) -> float:
        return self._settings.seconds

    async def transcribe(self, sound: Path) -> Transcription:
        asked = {
            "model": str(self._settings.model),
            "sound": str(sound),
            "language": self._settings.language,
            "prompt": self._settings.prompt,
        }
        process = await asyncio.create_subprocess_exec(
            *_PROCESS,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )
        try:
            async with asyncio.timeout(self._settings.seconds):
                said, complained = await process.communicate(json.dumps(asked).encode())
        except TimeoutError:
            return Later(f"the model took more than {self._settings.seconds:g} s")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return _read(process.returncode, said, complained)

    async def check(self) -> str:
        """Look whether program and model are there; nothing is loaded."""
        if find_spec("faster_whisper") is None:
            raise TranscriberProblem(
                "faster-whisper is not installed: pip install 'pbx-bridge[transcribe]'"
            )
        missing = [name for name in MODEL_FILES if not (self._settings.model / name).is_file()]
        if missing:
            raise TranscriberProblem(
                f"{self._settings.model} has no model for faster-whisper: no"
                f" {' and no '.join(missing)} is in it"
            )
        return f"is in {self._settings.model}"


def _read(code: int | None, said: bytes, complained: bytes) -> Transcription:
    try:
        answer: Any = json.loads(said)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):  # it crashed, or was killed for want of memory
        lines = clean(complained.decode(errors="replace")).strip().split("\n")
        return Later(f"the model's process ended with {code}: {lines[-1][:LONGEST_REASON]}")
    if "problem" in answer:
        return Refused(f"the model: {' '.join(clean(answer['problem']).split())[:LONGEST_REASON]}")
    return Transcript(answer["text"], answer["language"])
