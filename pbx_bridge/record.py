"""Capture a live AMI stream into a recording, with the same eyes as the service."""

import asyncio
import random
from pathlib import Path

from pbx_bridge.clock import utc_now
from pbx_bridge.core.events import CallEvent
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.recording import NumberMask, Recorder
from pbx_bridge.sources.ami.source import AmiAccess, AmiSource


class Capture:
    """A recording under way: what it has so far, for whoever watches it."""

    def __init__(self, access: AmiAccess, inbound: Inbound, path: Path, *, mask: bool) -> None:
        self._recorder = Recorder(path, now=utc_now, mask=NumberMask() if mask else None)
        self._source = AmiSource(
            access, inbound, now=utc_now, chance=random.random, tap=self._recorder
        )
        self.events = 0  #: those that say something about a call

    @property
    def bytes(self) -> int:
        return self._recorder.bytes_written

    @property
    def problem(self) -> str:
        """Why nothing comes, empty while the connection is up."""
        return self._source.problem

    async def run(self, seconds: float | None) -> None:
        """Capture for so long, or until cancelled; a lost connection is taken up again.

        Raises:
            RecordingProblem: the files cannot be written, or exist.

        """
        with self._recorder:
            try:
                async with asyncio.timeout(seconds):
                    await self._source.run(self._count)
            except TimeoutError:
                pass

    def _count(self, _event: CallEvent) -> None:
        self.events += 1
