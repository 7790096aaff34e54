"""The machine that we are installed on: read its PBX's files, write ours, ask it about itself."""

import grp
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from posixpath import normpath

from pbx_bridge.core import layout
from pbx_bridge.core.asterisk_conf import Files

ROOT = Path("/")
#: Where the service's own things are when it is installed for the whole machine.
HOME = Path("/etc/pbx-bridge")
#: The group as which the service reads its configuration, where a package made one.
GROUP = "pbx-bridge"
#: The configuration that a package begins with; it knows nothing of the office.
PACKAGED = Path("/usr/share/pbx-bridge/pbx-bridge.toml")

#: Of what a PBX generates only the dialplan is larger, and that is not read.
_LARGEST = 8 << 20
_MOST_LINKS = 10
_RELOAD_PATIENCE = 15.0  #: seconds


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found of a PBX, and what could not be read of it."""

    layout: layout.Layout
    files: Files
    unreadable: tuple[str, ...]


def look(root: Path, folder: str | None) -> Seen | None:
    """Look for a PBX under `root`, or only at a configuration folder; None if there is none."""
    existing = {path for path in (*layout.SIGNS, *layout.MARKS) if _under(root, path).exists()}
    folder = normpath(folder) if folder else layout.folder_of(existing)
    if folder is None or not _under(root, folder).is_dir():
        return None
    texts: dict[str, str] = {}
    unreadable: list[str] = []
    for name in _configuration(root, folder):
        try:
            with _followed(root, name).open("rb") as file:
                texts[name] = file.read(_LARGEST).decode("utf-8", "replace")
        except FileNotFoundError:  # a link to nothing
            continue
        except OSError:
            unreadable.append(name)
    return Seen(layout.recognise(existing, texts, folder), texts, tuple(unreadable))


def _configuration(root: Path, folder: str) -> Iterator[str]:
    top = _under(root, folder)
    for place, _, names in os.walk(top):
        for name in sorted(names):
            if name.endswith(".conf") and not name.startswith("extensions"):
                yield str(ROOT / (Path(place) / name).relative_to(root))


def _under(root: Path, path: str) -> Path:
    return root / path.removeprefix("/")


def _followed(root: Path, name: str) -> Path:
    """Follow a link as it is meant on the PBX: FreePBX links into its web folder."""
    path = _under(root, name)
    for _ in range(_MOST_LINKS):
        if not path.is_symlink():
            break
        target = path.readlink()
        path = _under(root, str(target)) if target.is_absolute() else path.parent / target
    return path


def read(root: Path, name: str) -> str:
    """Give a file of the PBX whole, so that it can be written again; nothing if there is none.

    Raises:
        OSError: it cannot be read.

    """
    try:
        return _followed(root, name).read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""


def rewrite(root: Path, name: str, text: str, like: str) -> Path | None:
    """Write a file of the PBX, keeping its owner, rights and a copy of what it was.

    A new file is owned and protected as `like`. Gives the copy, None if there was no such file.

    Raises:
        OSError: it cannot be written.

    """
    path = _followed(root, name)
    model = path if path.exists() else _followed(root, like)
    copy = _copied(path) if path.exists() else None
    with _anew(path) as file:
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        _as(model, file)
    return copy


def is_untouched(path: Path) -> bool:
    """Whether a configuration is the one that the package came with."""
    return PACKAGED.exists() and PACKAGED.read_bytes() == path.read_bytes()


def keep(path: Path, text: str) -> Path | None:
    """Write our configuration: for its owner, and for the service's group where there is one.

    Gives the copy of what was there, None if nothing was.

    Raises:
        OSError: it cannot be written.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    copy = _copied(path) if path.exists() else None
    with _anew(path) as file:
        file.write_text(text, encoding="utf-8")
        with suppress(KeyError):  # there is no such group
            group = grp.getgrnam(GROUP).gr_gid
            if path.parent == HOME and os.geteuid() == 0:
                os.chown(file, -1, group)
                file.chmod(0o640)
    return copy


def keep_secret(path: Path, secret: str) -> None:
    """Write a secret for its owner only.

    Raises:
        OSError: it cannot be written.

    """
    if not path.parent.exists():
        path.parent.mkdir(parents=True, mode=0o700)
    with _anew(path) as file:
        file.write_text(secret + "\n", encoding="utf-8")


def _copied(path: Path) -> Path:
    copy = path.with_name(f"{path.name}.before-pbx-bridge")
    with _anew(copy) as file:
        file.write_bytes(path.read_bytes())
        _as(path, file)
    return copy


@contextmanager
def _anew(path: Path) -> Iterator[Path]:
    """Give a file beside the path, for its owner only, that takes its place once it is whole."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _as(model: Path, file: Path) -> None:
    stat = model.stat()
    if os.geteuid() == 0:
        os.chown(file, stat.st_uid, stat.st_gid)
    shutil.copystat(model, file)
    os.utime(file)  # Asterisk reads again only what is newer


def reload_manager(folder: str) -> str | None:
    """Have Asterisk read its manager accounts again; give what went wrong, None if nothing did."""
    program = shutil.which(
        "asterisk", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    )
    if program is None:
        return "there is no asterisk command here"
    command = [program, "-C", f"{folder}/asterisk.conf", "-rx", "manager reload"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command, capture_output=True, text=True, check=False, timeout=_RELOAD_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stdout + done.stderr).strip()


def time_zone(root: Path = ROOT) -> str | None:
    """Give this machine's time zone, by /etc/localtime or /etc/timezone."""
    with suppress(OSError):
        _, _, name = str((root / "etc/localtime").readlink()).partition("zoneinfo/")
        if name:
            return name
    with suppress(OSError):
        return (root / "etc/timezone").read_text(encoding="utf-8").strip() or None
    return None


def country_of(zone: str) -> str | None:
    """Give the country in which a time zone is; None for zones like UTC."""
    table = (resources("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return next((row[0] for row in rows if row[2] == zone), None)


def address_towards(host: str, port: int) -> str | None:
    """Give the address by which this machine reaches another; nothing is sent."""
    try:
        family, kind, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with closing(socket.socket(family, kind)) as probe:
            probe.connect(target)
            address: str = probe.getsockname()[0]
    except OSError:
        return None
    return address
