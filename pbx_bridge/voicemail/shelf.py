"""Our own folder of recordings, beside the database: for nobody else, each of bounded size.

A copy is kept because a message may be deleted at the PBX before anybody could be told. What no
row of the database names any more is erased.
"""

import os
from collections.abc import Collection
from pathlib import Path

from pbx_bridge.core.attachment import Attachment
from pbx_bridge.store.recordings import RecordingRecord
from pbx_bridge.voicemail.spool import KINDS

#: Ten minutes of uncompressed telephone sound; Asterisk's own limit is mostly three.
LARGEST_KEPT = 10 * 1024 * 1024
#: Mail servers take ten megabytes nearly everywhere, and base64 makes a third more of it.
LARGEST_SENT = 7 * 1024 * 1024
FOLDER = "recordings"


class Shelf:
    """The folder beside a database."""

    def __init__(self, database: Path) -> None:
        self._folder = database.parent / FOLDER

    def keep(self, recording_id: int, ending: str, content: bytes) -> str:
        """Write a recording down for good; give its name here.

        Raises:
            OSError: it could not be written.

        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        name = f"{recording_id}.{ending}"
        half = self._folder / f"{name}.part"
        half.unlink(missing_ok=True)
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.rename(self._folder / name)
        return name

    def place(self, name: str) -> Path:
        """Give where a recording is."""
        return self._folder / name

    def sweep(self, wanted: Collection[str]) -> int:
        """Erase what is not `wanted`; give how many files that were.

        Raises:
            OSError: one could not be erased.

        """
        if not self._folder.is_dir():
            return 0
        others = [file for file in self._folder.iterdir() if file.name not in wanted]
        for file in others:
            file.unlink(missing_ok=True)
        return len(others)

    def attachments(self, records: Collection[RecordingRecord]) -> tuple[Attachment, ...]:
        """Read what can go with one message: what is too large together stays here."""
        found: list[Attachment] = []
        room = LARGEST_SENT
        for record in records:
            if not record.path:
                continue
            try:
                content = self.place(record.path).read_bytes()
            except OSError:  # erased meanwhile
                continue
            if len(content) <= room:
                room -= len(content)
                found.append(Attachment(_name(record), _kind(record.path), content))
        return tuple(found)


def _name(record: RecordingRecord) -> str:
    return f"voicemail-{record.recording_id}{Path(record.path).suffix.lower()}"


def _kind(path: str) -> str:
    return KINDS[Path(path).suffix[1:]]
