"""What Asterisk writes beside a voicemail message: `msgNNNN.txt` of app_voicemail (16 and 22).

The number in the name means nothing: messages are renumbered whenever an earlier one is deleted,
and moved to another folder once they were heard. The file says which message it is.

Extension, channel and caller ID can have a stranger's characters in them, and stand in the middle.
A line break there would forge the lines after it, or seem to: so what is written before them counts
where it stands first, and what is written after them where it stands last.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pbx_bridge.core.text import clean

#: The file has some three hundred bytes; a caller's name may be long, but not that long.
LARGEST = 8192

_DIGITS = re.compile(r"\d+")
#: Fewer digits are an extension, or nobody's.
_FEWEST_DIGITS = 4
#: What is compared of two numbers: one may have its country code, the other not.
_COMPARED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Information:
    """One message, by its file. `began` is when its recording began, by the clock of the PBX."""

    mailbox: str
    channel: str
    caller_id: str = field(repr=False)
    began: datetime
    seconds: int


def read(content: bytes) -> Information | None:
    """Read such a file; None if it is not complete, or of another kind."""
    lines = [
        line.partition("=")
        for line in content[:LARGEST].decode(errors="replace").split("\n")
        if "=" in line
    ]
    first = {name: value.strip() for name, _, value in reversed(lines)}
    last = {name: value.strip() for name, _, value in lines}
    began, seconds = last.get("origtime", ""), last.get("duration", "")
    if not (_is_number(began) and _is_number(seconds)):
        return None  # `duration` is written last of all
    return Information(
        mailbox=clean(first.get("origmailbox", "")),
        channel=clean(first.get("callerchan", "")),
        caller_id=first.get("callerid", ""),
        began=datetime.fromtimestamp(int(began), UTC),
        seconds=int(seconds),
    )


def is_from(caller_id: str, number: str) -> bool:
    """Tell whether a caller ID (`"Ann" <+1212…>`) has that number in it; no number is in any."""
    wanted = "".join(_DIGITS.findall(number))
    if len(wanted) < _FEWEST_DIGITS:
        return True
    written = "".join(_DIGITS.findall(caller_id.rpartition("<")[2]))
    return written[-_COMPARED:] == wanted[-_COMPARED:]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10  # noqa: PLR2004 - until 2286
