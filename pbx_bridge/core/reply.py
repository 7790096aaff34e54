"""What a customer writes back, and what it means: STOP, START, HELP, URGENT or anything else."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Meaning(StrEnum):
    """What a reply asks for; `REPLY` is anything else, for people to read."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "help"
    URGENT = "urgent"
    REPLY = "reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A message from a customer (mobile originated), as a gateway brings it. All hostile text."""

    gateway_ref: str  #: the gateway's id, the same when it tells twice; never empty
    sender: str  #: as the gateway has it: a number, a short code, a name
    body: str = field(repr=False)
    recipient: str = ""  #: the number of ours that was written to, if the gateway says
    sent_at: datetime | None = None  #: by the gateway's clock
    #: What the gateway itself has already done and answered (Twilio's OptOutType); None: nothing.
    handled: Meaning | None = None
