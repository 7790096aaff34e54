"""How anything gets into a CRM: find the person, make one if that is wanted, write it down once."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pbx_bridge import ports
from pbx_bridge.core import number
from pbx_bridge.core.customer import CustomerStatus
from pbx_bridge.core.delivery import Accepted, SendResult
from pbx_bridge.core.happening import Happening
from pbx_bridge.core.text import clean
from pbx_bridge.destinations._activity import KINDS, Activity, Kind, activity_of
from pbx_bridge.destinations._http import Api, NotDone
from pbx_bridge.destinations._settings import Common
from pbx_bridge.ports import DestinationProblem

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


class Connector(ports.Crm, ABC):
    """One CRM, by what it alone can do: five methods, which raise `NotDone` when they cannot."""

    kinds = KINDS

    def __init__(self, settings: Common, around: ports.Surroundings, api: Api) -> None:
        self._common = settings
        self._around = around
        self._api = api

    @abstractmethod
    async def person(self, e164: str) -> Person | None:
        """Find who has this number."""

    @abstractmethod
    async def add(self, activity: Activity) -> Person:
        """Make a record of who called or wrote."""

    @abstractmethod
    async def entry(self, activity: Activity, person: Person) -> str:
        """Give the id of the entry that there is already; empty if there is none."""

    @abstractmethod
    async def write(self, activity: Activity, person: Person) -> str:
        """Make the entry and give its id."""

    @abstractmethod
    async def seen(self) -> str:
        """Read one of each kind that is needed, and tell what could be read."""

    async def __aenter__(self) -> Self:
        self._api.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._api.close()

    async def deliver(self, happening: Happening) -> SendResult:
        """Bring a happening into the CRM, however often it is told.

        Nobody is made of a text that we sent: the call or reply before it did that, or nobody was
        wanted. What nobody there is the subject of, is not written down.
        """
        activity = activity_of(happening, self._around.zone, bodies=self._common.log_bodies)
        if activity is None:
            return Accepted("")
        try:
            person = await self.person(activity.number)
            if person is None:
                if not self._common.create or activity.kind is Kind.TEXT_OUT:
                    return Accepted("")
                person = await self.add(activity)
            there = await self.entry(activity, person)
            return Accepted(there or await self.write(activity, person))
        except NotDone as stopped:
            return stopped.result

    async def status(self, number: str) -> CustomerStatus | None:
        try:
            person = await self.person(number)
        except NotDone as stopped:
            raise DestinationProblem(stopped.result.reason) from None
        return None if person is None else person.as_status()

    async def check(self) -> str:
        """Read only: that we may write shows when something is written."""
        try:
            seen = await self.seen()
        except NotDone as stopped:
            raise DestinationProblem(stopped.result.reason) from None
        return f"{self._api.vendor.name} shows us {seen}; that we may write shows with the first"


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
