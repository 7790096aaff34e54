"""What is to be done once a transaction is committed: who is to be woken, what is to be told."""

from dataclasses import dataclass, field
from datetime import datetime

from pbx_bridge.core.announcement import Announcement


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for in a PBX's records: calls that ended since then.

    `until` is when the feed was restored, if this is all that can be known of the gap before.
    """

    pbx: str
    since: datetime
    until: datetime | None


@dataclass(slots=True)
class ToDo:
    """Gathered while a transaction is written."""

    queued: bool = False  #: a message waits for the sender
    planned: bool = False  #: a step of a follow-up waits
    raised: bool = False  #: an alert may wait for the staff, or a message for being fetched
    told: bool = False  #: other programs are to be told something
    searches: list[Search] = field(default_factory=list)
    announcements: list[Announcement] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)  #: who rings: their CRM may know them
