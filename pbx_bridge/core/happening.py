"""What happened, as other programs are told it: webhooks, and the office's CRM.

Unlike an announcement (`core.announcement`) a happening is kept, delivered to each destination at
least once, and told again on demand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

JSON = str | int | float | bool | Sequence["JSON"] | Mapping[str, "JSON"] | None
"""What can be written as JSON."""


class Happened(StrEnum):
    """What kind of thing happened: the `type` of a webhook."""

    CALL_MISSED = "call.missed"
    MESSAGE_CHANGED = "message.changed"
    REPLY_RECEIVED = "reply.received"
    CONTACT_CHANGED = "contact.changed"
    TASK_OPENED = "task.opened"
    TASK_CLOSED = "task.closed"
    FOLLOW_UP_STOPPED = "follow_up.stopped"
    BOOKING_MADE = "booking.made"
    STEP_REACHED = "step.reached"  #: a webhook step of a sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened. `data` is as `core.payloads` makes it, whoever is told."""

    key: str  #: never given twice, at most 64 characters: by it receivers know what they had before
    kind: Happened
    at: datetime
    number: str  #: of the customer, in E.164; empty if there is none
    data: Mapping[str, JSON] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listeners:
    """The names of the destinations that want to hear of each kind."""

    by_kind: Mapping[Happened, tuple[str, ...]] = field(default_factory=dict)

    def of(self, kind: Happened) -> tuple[str, ...]:
        """Name the destinations to tell of such; often none."""
        return self.by_kind.get(kind, ())

    @classmethod
    def among(cls, wanted: Mapping[str, frozenset[Happened]]) -> "Listeners":
        """Give the listeners by what each destination wants."""
        return cls(
            {
                kind: names
                for kind in Happened
                if (names := tuple(name for name, kinds in wanted.items() if kind in kinds))
            }
        )


NOBODY_LISTENS = Listeners()
