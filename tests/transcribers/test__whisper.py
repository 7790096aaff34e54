"""What the listening process does with faster-whisper, which stands in for itself here.

With PBX_BRIDGE_WHISPER_MODEL (a folder) and faster-whisper installed the real one listens too.
"""

import io
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from pbx_bridge.transcribers import _whisper

ASKED = {"model": "/models/base", "sound": "/tmp/a.wav", "language": "en", "prompt": ""}


@dataclass
class Part:
    text: str


@dataclass
class Heard:
    language: str = "en"


class Model:
    """Has the signature of faster_whisper 1.2's WhisperModel, as far as it is used."""

    made: ClassVar[list[dict[str, Any]]] = []
    asked: ClassVar[list[dict[str, Any]]] = []

    def __init__(
        self, model_size_or_path: str, device: str, compute_type: str, *, local_files_only: bool
    ) -> None:
        self.made.append({"model": model_size_or_path, "offline": local_files_only})
        assert (device, compute_type) == ("cpu", "int8")
        if "missing" in model_size_or_path:
            raise RuntimeError("Unable to open file 'model.bin'")

    def transcribe(self, audio: str, **options: Any) -> tuple[list[Part], Heard]:
        self.asked.append({"audio": audio, **options})
        return [Part(" Please call me "), Part(" back.")], Heard()


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("faster_whisper")
    module.WhisperModel = Model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    Model.made.clear()
    Model.asked.clear()


@pytest.mark.usefixtures("_installed")
def test_what_was_said_in_parts_is_one_text() -> None:
    assert _whisper.listen(ASKED) == {"text": "Please call me back.", "language": "en"}
    assert Model.made == [{"model": "/models/base", "offline": True}]
    (asked,) = Model.asked
    assert (asked["audio"], asked["language"], asked["initial_prompt"]) == (
        "/tmp/a.wav",
        "en",
        None,
    )


@pytest.mark.usefixtures("_installed")
def test_a_model_that_cannot_be_loaded_is_a_problem() -> None:
    assert _whisper.listen(ASKED | {"model": "/missing"}) == {
        "problem": "RuntimeError: Unable to open file 'model.bin'"
    }


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    assert "pip install 'pbx-bridge[transcribe]'" in _whisper.listen(ASKED)["problem"]


@pytest.mark.usefixtures("_installed")
def test_it_reads_and_writes_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    nice: list[int] = []
    monkeypatch.setattr(os, "nice", nice.append)
    answer = io.StringIO()
    _whisper.main(io.StringIO(json.dumps(ASKED)), answer)
    assert json.loads(answer.getvalue())["text"] == "Please call me back."
    assert nice == [_whisper.NICE]


@pytest.mark.skipif("PBX_BRIDGE_WHISPER_MODEL" not in os.environ, reason="no model on this machine")
def test_a_real_model_listens_to_a_real_voice() -> None:
    sound = os.environ["PBX_BRIDGE_WHISPER_SOUND"]
    model = os.environ["PBX_BRIDGE_WHISPER_MODEL"]
    said = _whisper.listen(ASKED | {"model": model, "sound": str(Path(sound))})
    assert said["text"]
