"""Ways to put a message into writing: each takes a file of sound and gives a `Transcription`."""

from pathlib import Path
from typing import Protocol

from pbx_bridge.core.voicemail import Transcription


class Transcriber(Protocol):
    """Somebody who listens. Expected failures are results, not exceptions."""

    async def transcribe(self, sound: Path) -> Transcription:
        """Listen to a file once, without retries; takes `seconds` at most."""

    async def check(self) -> str:
        """Prove that it can be asked, without a recording; give one line for people.

        Raises:
            TranscriberProblem: with one line that says what to change.

        """

    @property
    def seconds(self) -> float:
        """How long one file may take."""


class TranscriberProblem(Exception):  # noqa: N818 - it is a problem report, not a program error
    """A transcriber cannot work as configured; the text says what to change."""
