"""Who is a line from outside and who a phone, by the PBX's own configuration.

Read are chan_pjsip (sections and pjsip_wizard.conf), chan_sip, chan_iax2 and chan_dahdi. What
speaks for a line: it is known by its address (`type = identify` with a `match`; FreePBX gives
phones one without), we log in to it (`outbound_auth`, a registration), its host is no extension's,
it is a port of an FXO card or of digital telephony. What speaks for a phone: its context is one
that FreePBX and VitalPBX give to phones, it registers here (an AOR without a contact,
`host = dynamic`), it is called like an extension. Who shows neither is not guessed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pbx_bridge.core.asterisk_conf import Files, Section, sections
from pbx_bridge.core.tracker import INBOUND_CONTEXTS, Inbound

#: Contexts of phones: FreePBX's, and VitalPBX's classes of service, which tenants prefix.
_PHONES = re.compile(r"(from-internal|(T\d+_)?cos-).*")
#: Of callers whom no other endpoint matches (res_pjsip_endpoint_identifier_anonymous, iax.conf).
_STRANGERS = frozenset({"anonymous", "guest"})
_EXTENSION = re.compile(r"\d{2,6}")
#: VitalPBX numbers its trunks: trk-132-in.
_NUMBERED = re.compile(r"trk-\d+-in")
#: What a context may be called for us to propose it.
_PLAIN = re.compile(r"[\w.+-]{1,79}", re.ASCII)
#: Signalling of DAHDI towards phones (a port signals as what it is not); the rest are lines.
_DAHDI_PHONES = ("fxo_", "auto_fxo")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One that calls can come from."""

    name: str  #: as in PJSIP/NAME-00000001
    context: str  #: of the dialplan in which its calls begin; empty if the files do not say
    is_line: bool | None  #: whether its calls come from outside; None if the files do not tell


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the service has to be told to know calls from outside on this PBX."""

    contexts: tuple[str, ...] = ()  #: patterns, empty if the built-in ones do
    trunks: tuple[str, ...] = ()  #: endpoints that share their context with phones


def endpoints(files: Files, folder: str) -> tuple[Endpoint, ...]:
    """Find those of a configuration folder, each once."""
    found: dict[str, Endpoint] = {}
    for each in (
        *_pjsip(sections(files, f"{folder}/pjsip.conf")),
        *_wizard(sections(files, f"{folder}/pjsip_wizard.conf")),
        *_peers(sections(files, f"{folder}/sip.conf")),
        *_peers(sections(files, f"{folder}/iax.conf")),
        *_dahdi(sections(files, f"{folder}/chan_dahdi.conf")),
    ):
        if each.name not in _STRANGERS:
            found.setdefault(each.name, each)
    return tuple(found.values())


def propose(found: Iterable[Endpoint]) -> Proposal:
    """Tell which settings recognise the calls of all lines, and of no phone."""
    known = Inbound().matcher()
    every = list(found)
    of_phones = {each.context for each in every if each.is_line is False}
    lines = [each for each in every if each.is_line and each.context]
    shared = [
        each.name for each in lines if each.context in of_phones and _PLAIN.fullmatch(each.name)
    ]  # DAHDI's channels have no name of their own
    new = {
        _pattern(each.context): None
        for each in lines
        if each.context not in of_phones
        and not known(each.context)
        and _PLAIN.fullmatch(each.context)
    }
    others = INBOUND_CONTEXTS if any(known(each.context) for each in lines) else ()
    return Proposal(
        contexts=(*others, *sorted(new)) if new else (), trunks=tuple(sorted(set(shared)))
    )


def _pattern(context: str) -> str:
    if _NUMBERED.fullmatch(context):
        return r"^trk-\d+-in$"  # the next trunk too
    escaped = context.replace(".", r"\.").replace("+", r"\+")  # a `-` needs none
    return f"^{escaped}$"


def _pjsip(found: list[Section]) -> Iterator[Endpoint]:
    lines = {
        one.get("endpoint")
        for one in found
        if one.get("type") == "registration" or (one.get("type") == "identify" and one.get("match"))
    }
    aors = {one.name: one for one in found if one.get("type") == "aor"}
    for one in found:
        if one.get("type") == "endpoint":
            is_line = one.name in lines or bool(one.get("outbound_auth"))
            registers = any(
                name.strip() in aors and not aors[name.strip()].get("contact")
                for name in one.get("aors").split(",")
            )
            context = one.get("context", "default")
            yield Endpoint(one.name, context, _told(one.name, context, registers, is_line=is_line))


def _wizard(found: list[Section]) -> Iterator[Endpoint]:
    for one in found:
        if one.get("type") == "wizard":
            is_line = any(
                one.get(key) == "yes" for key in ("sends_registrations", "sends_auth")
            ) or bool(one.get("remote_hosts"))
            context = one.get("endpoint/context", "default")
            registers = one.get("accepts_registrations") == "yes"
            if registers:  # their phones may have an address as well
                is_line = False
            yield Endpoint(one.name, context, _told(one.name, context, registers, is_line=is_line))


def _peers(found: list[Section]) -> Iterator[Endpoint]:
    general: Mapping[str, str] = {}
    for one in found:
        if one.name == "general":
            general = {**general, **dict(one.settings)}
    hosts = set(_where_we_register(found))
    for one in found:
        if one.get("type") in {"peer", "user", "friend"}:
            host = one.get("host")
            is_line = host not in {"", "dynamic"} and (
                host in hosts or not _EXTENSION.fullmatch(one.name)
            )
            context = one.get("context", general.get("context", "default"))
            told = _told(one.name, context, host == "dynamic", is_line=is_line)
            yield Endpoint(one.name, context, told)


def _where_we_register(found: list[Section]) -> Iterator[str]:
    """Give the hosts of `register => user:secret@host:port/extension`."""
    for one in found:
        if one.name == "general":
            for value in one.every("register"):
                _, _, host = value.rpartition("@")
                yield re.split("[:/~]", host)[0]


def _dahdi(found: list[Section]) -> Iterator[Endpoint]:
    """Give the channels; one has the settings that stand before its `channel =>`."""
    for one in found:
        now: dict[str, str] = {"context": "default"}
        for key, value in one.settings:
            if key == "channel":
                is_line = not now.get("signalling", "").startswith(_DAHDI_PHONES)
                yield Endpoint(f"DAHDI/{value}", now["context"], is_line)
            else:
                now[key] = value


def _told(name: str, context: str, registers: bool, *, is_line: bool) -> bool | None:  # noqa: FBT001
    if _PHONES.fullmatch(context):
        return False
    if is_line:
        return True
    return False if registers or _EXTENSION.fullmatch(name) else None
