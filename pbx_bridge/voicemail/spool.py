"""The PBX's own folder of messages: `SPOOL/CONTEXT/MAILBOX/FOLDER/msgNNNN.{txt,wav,…}`.

app_voicemail moves the sound there before the `.txt`, and that complete, so where the one is, the
other is whole. Mailbox and context come from the dialplan, which may have taken them from a caller:
no name leads out of the spool, and no link in place of a file is followed.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pbx_bridge.core.voicemail import Mailbox
from pbx_bridge.voicemail import information
from pbx_bridge.voicemail.information import Information

#: By how much the clock of the PBX may differ from ours.
CLOCK = timedelta(seconds=60)
#: Without the name of its channel a message is known by its time alone, so by a better one.
CLOCK_ALONE = timedelta(seconds=15)
#: Read in one folder at most, the newest first.
MOST_READ = 200

#: What it is called by mail programs and transcribers; of several, the first is the best.
KINDS = {
    "wav": "audio/wav",
    "WAV": "audio/wav",  # GSM in a WAV file
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "gsm": "audio/gsm",
}
_INFORMATION = re.compile(r"msg\d{4,6}\.txt")
#: Folders of a mailbox that hold no messages: greetings, and what is just being written.
_NOT_FOLDERS = frozenset({"tmp", "temp", "unavail", "busy", "greet"})
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is known of a message: who left it where, between `began` (the call) and `left_at`."""

    mailboxes: tuple[Mailbox, ...]
    channel: str  #: empty if nobody knows
    number: str  #: the caller's, as the PBX gave it; empty if none
    began: datetime
    left_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """A message: its sound, in the best format that there is."""

    sound: Path
    information: Information

    @property
    def ending(self) -> str:
        return self.sound.suffix[1:]


def find(spool: Path, wanted: Wanted) -> Found | None:
    """Look for a message; None if it is not there (yet).

    Raises:
        OSError: the folder may not be read.

    """
    root = spool.resolve(strict=True)
    best: tuple[bool, datetime, Found] | None = None
    for mailbox in wanted.mailboxes:
        for place, told in _messages(root, mailbox, wanted.began - CLOCK):
            fits = _fits(told, wanted)
            if fits is None or (best is not None and (fits, told.began) <= best[:2]):
                continue
            sound = _sound(place)
            if sound is not None:
                best = (fits, told.began, Found(sound, told))
    return best[2] if best else None


def mailboxes_in(spool: Path) -> int:
    """Count the mailboxes that can be read.

    Raises:
        OSError: the folder may not be read, or one of its contexts; it names which.

    """
    places = [place for context in _folders(spool) for place in _folders(context)]
    for place in places:
        next(place.iterdir(), None)
    return len(places)


def _folders(place: Path) -> list[Path]:
    return sorted(found for found in place.iterdir() if found.is_dir())


def read_sound(sound: Path, largest: int) -> bytes | None:
    """Give what is in a file of a message; None if it has more than `largest` bytes.

    Raises:
        OSError: it is not there any more, is a link or no file, or may not be read.

    """
    with os.fdopen(_opened(sound), "rb") as file:
        content = file.read(largest + 1)
    return content if len(content) <= largest else None


def _fits(told: Information, wanted: Wanted) -> bool | None:
    """Tell whether it is the message: True by its channel, False by all else, None if it is not.

    The names of channels begin anew with every start of the PBX, so the time counts always.
    """
    by_channel = bool(wanted.channel) and told.channel == wanted.channel
    clock = CLOCK if by_channel else CLOCK_ALONE
    if not wanted.began - clock <= told.began <= wanted.left_at + clock:
        return None
    if by_channel:
        return True
    return False if information.is_from(told.caller_id, wanted.number) else None


def _messages(root: Path, mailbox: Mailbox, since: datetime) -> Iterator[tuple[Path, Information]]:
    """Give what is in a mailbox and was written since then, the newest first in each folder."""
    if not (_is_name(mailbox.context) and _is_name(mailbox.name)):
        return
    place = root / mailbox.context / mailbox.name
    # FreePBX has links from context to context, but none that leads out.
    if not place.resolve().is_relative_to(root) or not place.is_dir():
        return
    for folder in sorted(place.iterdir()):
        if folder.name in _NOT_FOLDERS or folder.is_symlink() or not folder.is_dir():
            continue
        for file in _newest(folder, since.timestamp()):
            with suppress(FileNotFoundError):  # renumbered meanwhile
                content = read_sound(file, information.LARGEST)
                told = information.read(content) if content is not None else None
                if told is not None:
                    yield file, told


def _newest(folder: Path, since: float) -> list[Path]:
    times: list[tuple[float, Path]] = []
    for entry in os.scandir(folder):
        if _INFORMATION.fullmatch(entry.name):
            with suppress(FileNotFoundError):
                times.append((entry.stat(follow_symlinks=False).st_mtime, Path(entry.path)))
    times.sort(reverse=True)
    return [file for at, file in times[:MOST_READ] if at >= since]


def _sound(information_file: Path) -> Path | None:
    files = (information_file.with_suffix(f".{ending}") for ending in KINDS)
    return next((file for file in files if _is_sound(file)), None)


def _is_sound(file: Path) -> bool:
    with suppress(FileNotFoundError):
        found = file.stat(follow_symlinks=False)
        return stat.S_ISREG(found.st_mode) and found.st_size > 0
    return False


def _opened(file: Path) -> int:
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(f"not a file: {file.name}")
    return descriptor


def _is_name(name: str) -> bool:
    """Tell whether it is one name of a folder, and not a way to another."""
    return (
        0 < len(name) <= _LONGEST_NAME
        and name not in {".", ".."}
        and name.isprintable()
        and "/" not in name
    )
