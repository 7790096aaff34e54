"""A file that goes with a message to the office's own people."""

from collections.abc import Iterable
from dataclasses import dataclass, field

#: Bytes in a second that even a slow line of an office carries.
SLOWEST_LINE = 200_000
#: What base64 makes of three bytes, with its line breaks.
_ENCODED = 4.2 / 3


@dataclass(frozen=True, slots=True)
class Attachment:
    """What to call it, and what is in it."""

    name: str  #: ours, never a stranger's: letters, digits, `-` and `.`
    kind: str  #: its MIME type, such as `audio/wav`
    content: bytes = field(repr=False)


def seconds_to_send(attachments: Iterable[Attachment]) -> float:
    """Tell how much longer a message may take for what goes with it, on a slow line."""
    return sum(len(one.content) for one in attachments) * _ENCODED / SLOWEST_LINE
