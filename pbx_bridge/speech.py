"""Spoken summaries, by espeak-ng, in a folder from which the PBX plays them.

Without espeak-ng, or when it fails, recordings of the PBX are played instead.
What is spoken has a caller's words in it, so it goes in by standard input, never as an argument.
"""

import array
import asyncio
import sys
import wave
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import structlog

PROGRAM = "espeak-ng"
#: Samples a second of what Asterisk plays as `.wav`; 16 bits, one channel.
RATE = 8000
#: A summary takes a second. One that takes longer is done without.
PATIENCE_SECONDS = 10.0
#: Of what the program says: two minutes at 22050 samples a second.
MOST_OCTETS = 6_000_000
_PREFIX = "pbxbridge-"
_HEADER = 44  #: octets before the samples, in what espeak-ng writes

log = structlog.get_logger()


class SpeechProblem(Exception):  # noqa: N818 - it is a problem report, not a program error
    """Nothing can be spoken; the text says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """A folder, and how the PBX finds it."""

    folder: Path
    seen_as: str  #: the same folder, as the PBX has it
    voice: str = "en"

    async def render(self, name: str, text: str) -> str:
        """Have a text spoken; give the recording as the PBX finds it, or nothing if that failed."""
        try:
            said = await self._spoken(text)
            await asyncio.to_thread(self._keep, name, said)
        except (OSError, SpeechProblem) as problem:
            log.warning("nothing_spoken", problem=str(problem))
            return ""
        return f"{self.seen_as.rstrip('/')}/{_PREFIX}{name}"

    def forget(self, name: str) -> None:
        """Take a recording away."""
        with suppress(OSError):
            self._path(name).unlink()

    def forget_all(self) -> None:
        """Take away what an earlier run left."""
        with suppress(OSError):
            for path in self.folder.glob(f"{_PREFIX}*"):
                path.unlink()

    async def check(self) -> str:
        """Try it; give one line for people.

        Raises:
            SpeechProblem: with one line that says what to change.

        """
        try:
            said = await self._spoken("one two three")
            await asyncio.to_thread(self._keep, "check", said)
        except OSError as error:
            raise SpeechProblem(f"{self.folder}: {error.strerror or error}") from None
        self.forget("check")
        return f"{PROGRAM} speaks, into {self.folder}; that the PBX can read it shows in a call"

    async def _spoken(self, text: str) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                *(PROGRAM, "-v", self.voice, "-s", "140", "--stdin", "--stdout"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except FileNotFoundError:
            raise SpeechProblem(f"{PROGRAM} is not installed: apt-get install {PROGRAM}") from None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                said, _ = await process.communicate(text.encode())
        except TimeoutError:
            raise SpeechProblem(f"{PROGRAM} took longer than {PATIENCE_SECONDS:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode or not _HEADER < len(said) <= MOST_OCTETS:
            raise SpeechProblem(f"{PROGRAM} said nothing (exit code {process.returncode})")
        return said

    def _keep(self, name: str, said: bytes) -> None:
        """Write it as the PBX plays it; it is there whole, or not at all."""
        path, unfinished = self._path(name), self._path(name).with_suffix(".part")
        with unfinished.open("wb") as raw, wave.open(raw, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(for_telephone(said))
        unfinished.chmod(0o644)  # the PBX is another user
        unfinished.replace(path)

    def _path(self, name: str) -> Path:
        return self.folder / f"{_PREFIX}{name}.wav"


def for_telephone(said: bytes) -> bytes:
    """Give the samples of a WAV (16 bits, one channel) at the rate of a telephone.

    Each is the mean of those that it takes the place of, which keeps out what a telephone cannot
    say. In a stream the header's lengths are not to be believed; all after it are samples.
    """
    rate = int.from_bytes(said[24:28], "little")
    if said[:4] != b"RIFF" or not RATE <= rate <= 10 * RATE:
        raise SpeechProblem(f"{PROGRAM} wrote no WAV that is known")
    samples = array.array("h", said[_HEADER : len(said) - len(said) % 2])
    if sys.byteorder == "big":
        samples.byteswap()
    sums = list(accumulate(samples, initial=0))
    count = len(samples) * RATE // rate
    bounds = [n * rate // RATE for n in range(count + 1)]
    spoken = array.array(
        "h", ((sums[end] - sums[begin]) // (end - begin) for begin, end in pairwise(bounds))
    )
    if sys.byteorder == "big":
        spoken.byteswap()
    return spoken.tobytes()
