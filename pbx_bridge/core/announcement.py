"""What the service tells other programs in the house as it happens (home automation, a display)."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMissed:
    at: datetime  #: when it ended
    call: int  #: as `pbx-bridge calls` numbers it
    caller: str  #: E.164; else what the PBX says
    caller_name: str
    line: str
    reason: str
    texted: bool  #: a text is queued


@dataclass(frozen=True, slots=True, kw_only=True)
class TextChanged:
    at: datetime
    message: int
    call: int | None
    to: str
    state: str  #: `core.delivery.State`
    gateway: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyArrived:
    at: datetime
    reply: int
    sender: str
    meaning: str  #: `core.reply.Meaning`
    body: str
    call: int | None


Announcement = CallMissed | TextChanged | ReplyArrived
