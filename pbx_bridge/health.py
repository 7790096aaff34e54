"""How another process learns how the service stands: over a socket beside the database.

Not a file: one that was written before the service hung, or before the disk was full, would still
say that all is well, or would have to be compared with clocks. A socket of a dead service refuses,
one of a hung service does not answer, and a full disk is nothing to it.

Nothing heavy is imported here: containers ask every half minute.
"""

import asyncio
import errno
import json
import os
import socket
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from pbx_bridge.core.liveness import Finding, State, Verdict

#: Where the database is if the configuration does not say.
DATABASE = Path("/var/lib/pbx-bridge/pbx-bridge.db")
#: A service that does not answer in this time answers nobody else in time either.
PATIENCE_S = 5.0
#: A verdict is a few hundred bytes.
LARGEST = 2**20
#: What the path of a socket may be long, with the zero at its end (unix(7)).
_LONGEST_PATH = 107


class NotFound(Exception):  # noqa: N818 - names the fact
    """The configuration does not tell where the database is; the text says why."""


class Unanswered(Exception):  # noqa: N818 - names the fact
    """Nobody said how the service stands; the text says what that means."""

    #: That somebody is there, and does not answer.
    hangs = False


class Hangs(Unanswered):
    """The service runs, and does not answer."""

    hangs = True


def socket_of(database: Path) -> Path:
    """Name the socket of the service with this database."""
    return database.with_name(f"{database.name}.sock")


def database_of(config: Path) -> Path:
    """Find out from a configuration where the database is, and read nothing else of it.

    The secrets in it may be unreadable here, and the rest of it wrong.

    Raises:
        NotFound: it cannot be read.

    """
    try:
        tables: dict[str, Any] = tomllib.loads(config.read_bytes().decode())
    except OSError as error:
        raise NotFound(f"{config} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # Not chained: what stands there may be a secret.
        raise NotFound(f"{config} is not TOML; `pbx-bridge check` says where") from None
    section = tables.get("database", {})
    written = section.get("path", str(DATABASE)) if isinstance(section, dict) else None
    if not isinstance(written, str):
        raise NotFound(f"{config}: [database] path is not a text")
    return config.parent.absolute() / Path(written).expanduser()


@asynccontextmanager
async def answering(path: Path, verdict: Callable[[], Verdict]) -> AsyncIterator[None]:
    """Tell whoever connects how the service stands; only this user and root may.

    Raises:
        OSError: the socket cannot be made, or another service answers there.

    """
    way, made = _listening(path)

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_written(verdict()))
        with suppress(OSError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, sock=way)
    try:
        yield
    finally:
        server.close()
        _forget(path, made)


def ask(path: Path) -> Verdict:
    """Ask the service how it stands.

    Raises:
        Unanswered: it does not run, cannot be asked, or (`Hangs`) does not answer.

    """
    said = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as way:
            way.settimeout(PATIENCE_S)
            with _reachable(path) as name:
                way.connect(name)
            while len(said) < LARGEST and (part := way.recv(65536)):
                said += part
    except (FileNotFoundError, ConnectionRefusedError):
        raise Unanswered("it does not run: nobody answers at " + str(path)) from None
    except (TimeoutError, BlockingIOError):
        raise Hangs(f"it hangs: no answer within {PATIENCE_S:g} s") from None
    except OSError as error:
        raise Unanswered(f"it cannot be asked: {path}: {error.strerror}") from error
    try:
        return _read(said)
    except (ValueError, KeyError, TypeError):
        raise Unanswered(f"what answers at {path} is not the service, or just ended") from None


def _listening(path: Path) -> tuple[socket.socket, int]:
    """Make the socket; give it with the inode of its name."""
    way = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with _reachable(path) as name:
            _make_room(name)
            os.fchmod(way.fileno(), 0o600)  # Linux gives the name the mode of the socket
            way.bind(name)
        way.listen()
        return way, path.stat().st_ino
    except BaseException:
        way.close()
        raise


def _make_room(name: str) -> None:
    """Take away the socket of a service that is no more."""
    if _is_answered(name):
        raise FileExistsError(errno.EEXIST, "another service answers there")
    Path(name).unlink(missing_ok=True)


def _forget(path: Path, made: int) -> None:
    """Take away our socket, unless another service has put its own there by now."""
    with suppress(OSError):
        if path.stat().st_ino == made:
            path.unlink()


def _is_answered(name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as way:
        way.settimeout(PATIENCE_S)
        try:
            way.connect(name)
        except OSError:
            return False
        return True


@contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """Give a name for the path that is short enough for a socket."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _written(verdict: Verdict) -> bytes:
    return json.dumps([[one.what, one.state.value, one.text] for one in verdict.findings]).encode()


def _read(said: bytes) -> Verdict:
    return Verdict(
        tuple(Finding(str(what), State(state), str(text)) for what, state, text in json.loads(said))
    )
