"""One service to a database: a lock that ends with the process that holds it, however it ends.

Commands write beside the service, a transaction at a time; they need no lock. Two services would
send every text twice, and a database that is being replaced must have none.

The file of the lock also has what the database surely has: the text that was last taken to be sent.
A database that does not know of it has lost what came after, and would send texts a second time.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pbx_bridge.store.problem import StoreProblem

#: What stands in the file is shorter, and written anew at its whole length each time.
_LENGTH = 160


class DatabaseInUse(StoreProblem):
    """A service, a migration or a restore works with the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A text that was taken to be sent, and how often it had been by then."""

    message: int  #: the id of its row
    attempts: int
    at: datetime
    optouts: int  #: the id of the newest entry of the list, 0 if there was none


class Held:
    """The lock while it is held, and what its file says."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        _, *lines = _content(descriptor)
        self.taken = _parsed(lines)  #: last, as far as is known
        self._write()

    def remember(self, taken: Taken | None) -> None:
        """Keep what was taken last, or that nothing is known of it.

        Not waited for until it is on the disk: it is for what happens to files, and a power failure
        only makes it older.

        Raises:
            OSError: it cannot be written.

        """
        self.taken = taken
        self._write()

    def _write(self) -> None:
        lines = [str(os.getpid())]
        if (taken := self.taken) is not None:
            lines.append(f"{taken.message} {taken.attempts} {taken.at.isoformat()} {taken.optouts}")
        os.pwrite(self._descriptor, "\n".join([*lines, ""]).ljust(_LENGTH).encode(), 0)


def _content(descriptor: int) -> list[str]:
    """Give the lines of the file: the process, and what it took last."""
    return os.pread(descriptor, _LENGTH, 0).decode("ascii", "replace").split("\n")


def _parsed(lines: list[str]) -> Taken | None:
    try:
        message, attempts, at, optouts = lines[0].split()
        return Taken(
            message=int(message),
            attempts=int(attempts),
            at=datetime.fromisoformat(at),
            optouts=int(optouts),
        )
    except (IndexError, ValueError):
        return None


@contextmanager
def held(path: Path) -> Iterator[Held]:
    """Hold the database for this process alone, by `flock` on a file beside it.

    The file stays: what counts is the lock on it, which the kernel ends with the process.

    Raises:
        DatabaseInUse: another process holds it.
        StoreProblem: the file cannot be made.

    """
    file = Path(f"{path.resolve()}.lock")
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreProblem(
            f"{file} cannot be written: {error.strerror}; may this user write into the folder?"
        ) from error
    try:
        belong_like(descriptor, path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _content(descriptor)[0].strip()
            raise DatabaseInUse(
                f"the database {path} is in use by the process {holder or '(unknown)'}: a service "
                "that runs, or a restore. Stop it first, such as by `systemctl stop pbx-bridge`; "
                "two would send every text twice"
            ) from error
        yield Held(descriptor)
    finally:
        os.close(descriptor)


def belong_like(descriptor: int, path: Path) -> None:
    """Give a file to whom the database belongs, if root made it: the service may be no root."""
    if os.geteuid() == 0:
        owner = (path if path.exists() else path.parent).stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
