"""A key by which a caller agreed to texts or refused them, as the PBX's dialplan tells it.

Raised as a UserEvent by asterisk-conf/snippets/consent.conf. Whoever may raise events on the PBX
can raise this one too, and a caller ID may be false: what is read here is a claim about a call, and
is held against that call before it counts.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

#: The name of the UserEvent.
EVENT = "PbxBridgeConsent"

_CALL = re.compile(r"[A-Za-z0-9._-]{1,150}")
_KEY = re.compile(r"[0-9*#]")
_WORDING = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63}")
_LONGEST_NUMBER = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """One key that a caller pressed when asked about texts."""

    call_id: str  #: Uniqueid of the caller's channel
    number: str  #: the caller ID that the dialplan saw: hostile text
    key: str
    agrees: bool  #: false: wants no texts
    wording: str  #: the office's label for what the caller was asked


def read(headers: Mapping[str, str]) -> Press | None:
    """Read a UserEvent; None if it is another one.

    Raises:
        ValueError: it cannot be read; the text says which header is wrong.

    """
    if headers.get("UserEvent") != EVENT:
        return None
    texts = headers.get("Texts", "")
    if texts not in {"yes", "no"}:
        raise ValueError("Texts is neither yes nor no")
    return Press(
        call_id=_fitting(headers, "Call", _CALL),
        number=_number(headers.get("Number", "")),
        key=_fitting(headers, "Key", _KEY),
        agrees=texts == "yes",
        wording=_fitting(headers, "Wording", _WORDING),
    )


def _fitting(headers: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str:
    value = headers.get(name, "")
    if not pattern.fullmatch(value):
        raise ValueError(f"{name} is missing, or not as the snippet writes it")
    return value


def _number(encoded: str) -> str:
    try:
        number = b64decode(encoded, validate=True).decode()
    except ValueError:
        raise ValueError("Number is no Base64 of a text") from None
    if len(number) > _LONGEST_NUMBER:
        raise ValueError("Number is longer than any caller ID")
    return number
