"""How anything gets into a CRM: find the person, make one if that is wanted, write it down once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Protocol

from pbx_bridge.core import number
from pbx_bridge.core.customer import CustomerStatus
from pbx_bridge.core.delivery import Accepted, SendResult
from pbx_bridge.core.happening import Happening
from pbx_bridge.core.text import clean
from pbx_bridge.destinations._activity import Activity, Kind, activity_of
from pbx_bridge.destinations._http import NotDone

#: Of a name or status that a CRM tells.
LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody in a CRM; `kind` is the CRM's own word for such records."""

    remote_id: str
    kind: str
    name: str = ""
    status: str = ""

    def as_status(self) -> CustomerStatus:
        return CustomerStatus(remote_id=self.remote_id, name=self.name, status=self.status)


class Book(Protocol):
    """What a connector can do with its CRM. All of it raises `NotDone` when it cannot."""

    async def person(self, e164: str) -> Person | None:
        """Find who has this number."""

    async def add(self, activity: Activity) -> Person:
        """Make a record of who called or wrote."""

    async def entry(self, activity: Activity, person: Person) -> str:
        """Give the id of the entry that there is already; empty if there is none."""

    async def write(self, activity: Activity, person: Person) -> str:
        """Make the entry and give its id."""


async def tell(
    book: Book, happening: Happening, zone: tzinfo, *, create: bool, bodies: bool
) -> SendResult:
    """Bring a happening into a CRM, however often it is told.

    Nobody is made of a text that we sent: the call or reply before it did that, or nobody was
    wanted. What nobody there is the subject of, is not written down.
    """
    activity = activity_of(happening, zone, bodies=bodies)
    if activity is None:
        return Accepted("")
    try:
        person = await book.person(activity.number)
        if person is None:
            if not create or activity.kind is Kind.TEXT_OUT:
                return Accepted("")
            person = await book.add(activity)
        return Accepted(await book.entry(activity, person) or await book.write(activity, person))
    except NotDone as stopped:
        return stopped.result


def spellings(e164: str) -> tuple[str, ...]:
    """Give the ways in which a CRM may have a number written."""
    parsed = number.parse(e164, "US")  # E.164 needs no country, but an argument
    return (e164,) if parsed is None else number.spellings(parsed)


def of_number(
    records: Iterable[Mapping[str, Any]], fields: Iterable[str], e164: str, country: str
) -> Mapping[str, Any] | None:
    """Give the first record that has the number, for searches find more than was asked for."""
    names = tuple(fields)
    for record in records:
        written = (record.get(name) for name in names)
        if any(isinstance(one, str) and number.normalise(one, country) == e164 for one in written):
            return record
    return None


def words(value: Any) -> str:
    """Give a text that a CRM told as one line of sensible length; empty if it told none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return " ".join(clean(str(value)).split())[:LONGEST]
