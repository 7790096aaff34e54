"""What was read of a record, and what such a record cannot tell."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

#: Contexts and endpoints that are remembered to name them to who has no inbound call.
_MOST_NAMES = 200


class Kind(StrEnum):
    CEL = "channel events (CEL)"
    CDR = "call detail records (CDR)"
    QUEUE_LOG = "queue log"
    RECORDING = "recording"


#: What a record cannot tell, for people, a sentence a line.
_BLIND_TO = {
    Kind.CEL: """\
it does not tell who withheld the number, nor whether a message was left in voicemail""",
    Kind.CDR: """\
it does not see who spoke to whom: a colleague who only heard who calls counts as an answer
of conferences, parking and programs that answered, the outcome is unknown
it does not tell who gave up from whom the PBX sent away, nor who left a message
by default it has no row of a caller who hung up before a phone rang
channel events (CEL) would tell all that""",
    Kind.QUEUE_LOG: """\
it only has callers who stood in a queue, and not the number that they called
it does not tell what became of those whom the queue sent elsewhere
it does not tell of calls from the office: who was called back is unknown""",
    Kind.RECORDING: "it does not tell what happened while nothing was recorded",
}


def blind_to(kind: Kind) -> list[str]:
    """Say what a record cannot tell."""
    return _BLIND_TO[kind].splitlines()


@dataclass(slots=True, kw_only=True)
class Account:
    """What was read of one record."""

    kind: Kind
    place: str
    rows: int = 0
    damaged: int = 0
    first: datetime | None = None
    last: datetime | None = None
    #: Where calls began, and how often.
    contexts: Counter[str] = field(default_factory=Counter)
    endpoints: Counter[str] = field(default_factory=Counter)

    def saw(self, at: datetime) -> None:
        self.rows += 1
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)

    def saw_beginning(self, context: str, endpoint: str) -> None:
        for names, name in ((self.contexts, context), (self.endpoints, endpoint)):
            if name in names or len(names) < _MOST_NAMES:
                names[name] += 1
