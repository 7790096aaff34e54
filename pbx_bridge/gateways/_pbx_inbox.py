"""What customers wrote, as the dialplan of asterisk-conf/snippets tells and keeps it.

AMI tells an event once, to who is connected. So the dialplan numbers each text, and keeps the last
hundred in the AstDB, where they are found by a service that was away. Values are Base64: no
customer's words can break out of them.
"""

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from pbx_bridge.core.reply import Reply

#: The name of the UserEvent that the snippets raise,
EVENT = "PbxBridgeMessage"
#: and the family under which they keep texts: `NUMBER ID FROM TO BODY`, the last three in Base64.
FAMILY = "pbxbridge-texts"

_FIELDS = 5
_SIP_USER = re.compile(r"sips?:([^@;>\s]+)@")


@dataclass(frozen=True, slots=True)
class Numbered:
    """A text that came in, by its number in the order of the PBX; 0 if it has none."""

    number: int
    reply: Reply


def raised(headers: Mapping[str, str]) -> Numbered | None:
    """Read the UserEvent; None if something is missing or is no Base64."""
    parts = (headers.get(name, "") for name in ("Id", "From", "To", "Body"))
    return _numbered(headers.get("No", ""), *parts)


def kept(items: Iterable[Mapping[str, str]]) -> list[Numbered]:
    """Read the answer to DBGetTree, oldest first; what is no text of ours is passed over."""
    values = (item.get("Val", "").split(" ") for item in items)
    found = (_numbered(*parts) for parts in values if len(parts) == _FIELDS)
    return sorted((one for one in found if one is not None), key=lambda one: one.number)


def since(texts: Iterable[Numbered], number: int) -> list[Numbered]:
    """Give those that came after the one of that number; all, if the PBX counts anew."""
    listed = list(texts)
    if listed and listed[-1].number < number:  # its AstDB was lost
        return listed
    return [one for one in listed if one.number > number]


def user_of(address: str) -> str:
    """Give the user part of a SIP address (`"Ann" <sip:+1…@…>`), or what is no such as it is."""
    found = _SIP_USER.search(address)
    user = unquote(found[1]) if found else address
    return user.strip()[:100]


def decoded(base64: str) -> str | None:
    """Give the text, or None if it is no Base64."""
    try:
        return b64decode(base64, validate=True).decode("utf-8", "replace")
    except ValueError:
        return None


def _numbered(no: str, ref: str, *base64: str) -> Numbered | None:
    sender, recipient, body = map(decoded, base64)
    if not ref or not sender or body is None:
        return None
    reply = Reply(
        gateway_ref=ref[:200],
        sender=user_of(sender),
        recipient=user_of(recipient or ""),
        body=body.replace("\r\n", "\n"),  # as SIP ends lines
    )
    return Numbered(int(no) if re.fullmatch("[0-9]{1,18}", no) else 0, reply)
