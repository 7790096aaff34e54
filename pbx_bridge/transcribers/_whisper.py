"""The process that listens: faster-whisper with a model on this machine, one file, then its end.

A model takes hundreds of megabytes and all of a core; at the end of the process they are free
again. It reads one JSON object from its input and writes one to its output.
"""

import json
import os
import sys
from typing import Any, TextIO

#: Calls go first.
NICE = 10
LANGUAGE_LETTERS = 2


def listen(asked: dict[str, str]) -> dict[str, str]:
    """Put one file into writing: `text` and `language`, or else a `problem`."""
    try:
        from faster_whisper import WhisperModel  # noqa: PLC0415 - an extra, and a heavy one
    except ImportError:
        return {"problem": "faster-whisper is not installed: pip install 'pbx-bridge[transcribe]'"}
    try:
        model = WhisperModel(
            asked["model"], device="cpu", compute_type="int8", local_files_only=True
        )
        parts, heard = model.transcribe(
            asked["sound"],
            language=asked["language"] or None,
            initial_prompt=asked["prompt"] or None,
            vad_filter=True,  # of silence it makes words
            condition_on_previous_text=False,  # nor does it repeat itself
        )
        text = " ".join(part.text.strip() for part in parts)
    except Exception as error:  # noqa: BLE001 - whatever three libraries raise
        return {"problem": f"{type(error).__name__}: {error}"}
    language: Any = heard.language
    return {"text": text, "language": str(language)[:LANGUAGE_LETTERS]}


def main(asked: TextIO, answer: TextIO) -> None:
    """Do what is asked for."""
    os.nice(NICE)
    json.dump(listen(json.load(asked)), answer)


if __name__ == "__main__":
    main(sys.stdin, sys.stdout)
