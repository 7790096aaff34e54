"""What PBX is on a machine, where our account belongs there, and what calls from outside look like.

Pure: `recognise` is given which paths exist and what the configuration files say. Where each PBX
keeps what was read in its own sources: FreePBX framework (amp_conf/astetc/manager.conf includes
manager_custom.conf) and core (functions.inc/drivers/PJSip.class.php writes pjsip.endpoint.conf),
IssabelPBX (framework/amp_conf/astetc/manager.conf, core/etc/pjsip.conf), Debian's asterisk package
(manager.d). VitalPBX's generator is closed; its own scripts write vitalpbx/manager__50-*.conf,
before version 3 in ombutel/.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address

from pbx_bridge.core.asterisk_conf import Files, includes, sections, truth
from pbx_bridge.core.endpoints import Endpoint, Proposal, endpoints, propose


class Kind(Enum):
    """The PBX, as its makers call it."""

    FREEPBX = "FreePBX"
    ISSABEL = "Issabel"
    VITALPBX = "VitalPBX"
    ASTERISK = "Asterisk"


#: Where Asterisk's configuration is: packages, and builds of one's own with another prefix.
FOLDERS = (
    "/etc/asterisk",
    "/usr/local/etc/asterisk",
    "/opt/asterisk/etc/asterisk",
    "/opt/asterisk/etc",
)

#: What a configuration folder has in it.
MARKS = tuple(
    f"{folder}/{name}" for folder in FOLDERS for name in ("asterisk.conf", "manager.conf")
)

#: By what a PBX is known; the first that matches. Issabel comes from FreePBX and has its files too.
_SIGNS = (
    (Kind.ISSABEL, ("/etc/issabel.conf", "/etc/issabelpbx.conf", "/etc/asterisk/issabelpbx.conf")),
    (Kind.VITALPBX, ("/etc/asterisk/vitalpbx", "/etc/asterisk/ombutel", "/usr/share/vitalpbx")),
    (
        Kind.FREEPBX,
        (
            *("/etc/freepbx.conf", "/etc/asterisk/freepbx.conf", "/etc/amportal.conf"),
            "/var/www/html/admin/bootstrap.php",
        ),
    ),
)
#: All paths whose existence says something.
SIGNS = tuple(path for _, paths in _SIGNS for path in paths)

_CUSTOM = "manager_custom.conf"
_VITAL = "manager__*.conf"
_DEBIAN = "*.conf"
_PORT = 5038
_HIGHEST_PORT = 65535
_PORT_NUMBER = re.compile(r"[0-9]{1,5}")
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Listening:
    """What manager.conf says of AMI itself."""

    enabled: bool
    address: str  #: where a program on the PBX reaches it
    everywhere: bool  #: whether it listens on every address of the machine
    port: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A PBX whose files are on this machine."""

    kind: Kind
    folder: str  #: of Asterisk's configuration
    account_file: str  #: where our account belongs
    listening: Listening
    endpoints: tuple[Endpoint, ...]
    proposal: Proposal
    doubts: tuple[str, ...]  #: what a person should know or put right, a sentence each


def folder_of(existing: Collection[str]) -> str | None:
    """Give the first of `FOLDERS` that has a configuration; `existing` are those of `MARKS`."""
    for folder in FOLDERS:
        if any(mark.rpartition("/")[0] == folder for mark in MARKS if mark in existing):
            return folder
    return None


def recognise(existing: Collection[str], files: Files, folder: str) -> Layout:
    """Tell what PBX this is; `files` are those of its configuration folder.

    `existing` are the paths among `SIGNS` that are there.
    """
    signs = ((kind, paths) for kind, paths in _SIGNS if any(path in existing for path in paths))
    kind = next((kind for kind, _ in signs), Kind.ASTERISK)
    found = endpoints(files, folder)
    listening = _listening(files, folder)
    return Layout(
        kind=kind,
        folder=folder,
        account_file=_account_file(files, folder, kind),
        listening=listening,
        endpoints=found,
        proposal=propose(found),
        doubts=(*_of_manager(files, folder, listening), *_of_calls(kind, found)),
    )


def _account_file(files: Files, folder: str, kind: Kind) -> str:
    included = includes(files, f"{folder}/manager.conf")
    if _CUSTOM in included or kind in {Kind.FREEPBX, Kind.ISSABEL}:
        return f"{folder}/{_CUSTOM}"
    for path in included:
        place, _, name = path.rpartition("/")
        whole = place if place.startswith("/") else f"{folder}/{place}".rstrip("/")
        if name == _VITAL:
            return f"{whole}/manager__60-pbxbridge.conf"
        if name == _DEBIAN:
            return f"{whole}/pbxbridge.conf"
    return f"{folder}/manager.conf"


def _listening(files: Files, folder: str) -> Listening:
    said: dict[str, str] = {}
    for section in sections(files, f"{folder}/manager.conf"):
        if section.name == "general":
            said |= dict(section.settings)
    address = said.get("bindaddr", "0.0.0.0")  # nosec B104 # noqa: S104 - Asterisk's default
    try:
        bound = ip_address(address)
    except ValueError:  # a name
        everywhere = False
    else:
        everywhere = bound.is_unspecified
    port = int(said["port"]) if _PORT_NUMBER.fullmatch(said.get("port", "")) else _PORT
    return Listening(
        enabled=truth(said.get("enabled", "no")),
        address="127.0.0.1" if everywhere else address,
        everywhere=everywhere,
        port=port if port <= _HIGHEST_PORT else _PORT,
    )


def _of_manager(files: Files, folder: str, listening: Listening) -> list[str]:
    path = f"{folder}/manager.conf"
    if path not in files:
        return [f"there is no {path}: AMI is off until there is one with enabled = yes"]
    found = []
    if not listening.enabled:
        found.append(f"AMI is off: put enabled = yes into [general] of {path}")
    if listening.everywhere:
        found.append(
            "AMI listens on every address of this machine (bindaddr = 0.0.0.0 or ::): see that no "
            f"firewall lets port {listening.port} in from outside, or set bindaddr = 127.0.0.1"
        )
    return found


def _of_calls(kind: Kind, found: Collection[Endpoint]) -> list[str]:
    doubts = []
    if kind is Kind.VITALPBX:
        doubts.append(
            "how VitalPBX names the contexts of its trunks was not tried on one: watch a call with "
            "`pbx-bridge probe`"
        )
    elif not any(each.is_line for each in found):
        doubts.append(
            "no trunk was found in its files: watch a call with `pbx-bridge probe` and put into "
            "[[pbx]] what it proposes"
        )
    if untold := [each.name for each in found if each.is_line is None]:
        named = ", ".join(untold[:_MOST_NAMED])
        more = f" and {rest} more" if (rest := len(untold) - _MOST_NAMED) > 0 else ""
        doubts.append(f"whether these are lines or phones, its files do not tell: {named}{more}")
    return doubts
