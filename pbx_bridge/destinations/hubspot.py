"""HubSpot: contacts by number, missed calls as Calls, texts as Communications of the channel SMS.

Sources, all of developers.hubspot.com/docs: api/crm/search, api/crm/contacts, api/crm/calls,
api/crm/communications, reference/api/other-resources/error-handling; and HubSpot's OpenAPI
descriptions (tests/destinations/data/README.md).

HubSpot's search knows a new record only after "a few moments" (api/crm/search), and creates have no
idempotency key. So nothing is made again, or at all after a start, before `SEARCH_LAG` is over.
With `unique_property` an entry is asked for by that, which is exact at once.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from html import escape
from typing import Any, Literal, Self

from pydantic import Field

from pbx_bridge import ports
from pbx_bridge.core import number
from pbx_bridge.core.delivery import Deferred, Rejected
from pbx_bridge.destinations._activity import Activity, Kind
from pbx_bridge.destinations._book import Connector, Person, of_number, spellings, words
from pbx_bridge.destinations._http import Api, NotDone, Vendor, nonsense
from pbx_bridge.destinations._oauth import Fixed
from pbx_bridge.destinations._settings import Common, FieldName, Place
from pbx_bridge.gateways._number import E164
from pbx_bridge.secret import Secret

__all__ = ["Destination", "Settings"]

SEARCH_LAG = timedelta(seconds=60)
#: Attempts to remember: more than there are in `SEARCH_LAG`.
MOST_REMEMBERED = 1000
#: The numbers of "call to contact" and "communication to contact" (guides/api/crm/associations).
CALL_TO_CONTACT, COMMUNICATION_TO_CONTACT = 194, 81
#: "HubSpot only uses the area code and local number" in these (api/crm/search).
NATIONAL_FIELDS = (
    "hs_searchable_calculated_phone_number",
    "hs_searchable_calculated_mobile_number",
)


class Settings(Common):
    type: Literal["hubspot"] = "hubspot"
    token: Secret = Field(
        description="a service key, or the access token of a private app",
        examples=['{ file = "/etc/pbx-bridge/hubspot-token" }'],
    )
    status_field: FieldName = Field(
        default="lifecyclestage",
        description="the contact's property that is the customer's status",
        examples=["lifecyclestage"],
    )
    phone_fields: tuple[FieldName, ...] = Field(
        default=("phone", "mobilephone"),
        min_length=1,
        max_length=3,  # a search has five alternatives, and HubSpot's own fields take two
        description="the contact's properties in which the number may be",
        examples=[["phone", "mobilephone"]],
    )
    unique_property: FieldName | None = Field(
        default=None,
        description="a property of calls and communications that takes no value twice",
        examples=["pbx_bridge_id"],
    )
    base_url: Place = "https://api.hubapi.com"


class Destination(Connector):
    """One HubSpot account."""

    def __init__(self, settings: Settings, around: ports.Surroundings = ports.ALONE) -> None:
        access = Fixed(settings.base_url, settings.token)
        super().__init__(settings, around, Api(VENDOR, access, settings.timeout))
        self.settings = settings
        self._begun: datetime = around.now()
        self._tried: dict[str, datetime] = {}  #: when the making of what was attempted
        self._made: dict[str, str] = {}  #: ids of what was made, which searches may not find yet

    async def __aenter__(self) -> Self:
        self._begun = self._around.now()
        return await super().__aenter__()

    async def seen(self) -> str:
        unique = self.settings.unique_property
        found = await self._search("contacts", {"limit": 1})
        for kind in ("calls", "communications"):
            await self._search(kind, {"limit": 1})
            if unique is not None:  # 404: it takes no value twice, and has not this one
                await self._by_property(kind, "none")
        total = found.get("total")
        return f"{total if isinstance(total, int) else 'the'} contacts, calls and texts"

    async def person(self, e164: str) -> Person | None:
        found = await self._search("contacts", contact_search(e164, self.settings))
        records = [
            {"id": record.get("id"), **record["properties"]}
            for record in found["results"]
            if isinstance(record, dict) and isinstance(record.get("properties"), dict)
        ]
        match = of_number(records, self.settings.phone_fields, e164, self._around.country)
        if match is not None and (remote_id := words(match["id"])):
            name = " ".join(filter(None, (words(match.get(n)) for n in ("firstname", "lastname"))))
            status = words(match.get(self.settings.status_field))
            return Person(remote_id=remote_id, kind="contacts", name=name, status=status)
        if made := self._made.get(e164):
            return Person(remote_id=made, kind="contacts")
        return None

    async def add(self, activity: Activity) -> Person:
        properties = {"phone": activity.number}
        if activity.name:
            properties["firstname"] = activity.name
        self._attempt(activity.number)
        made = await self._create("contacts", {"properties": properties})
        self._made[activity.number] = made
        return Person(remote_id=made, kind="contacts", name=activity.name)

    async def entry(self, activity: Activity, person: Person) -> str:  # noqa: ARG002 - Book
        if made := self._made.get(activity.identity):
            return made
        kind, body_field = _kind(activity)
        if self.settings.unique_property is not None:
            return await self._by_property(kind, activity.identity)
        found = await self._search(kind, entry_search(activity, body_field))
        for record in found["results"]:
            properties = record.get("properties") if isinstance(record, dict) else None
            if isinstance(properties, dict) and activity.mark in str(properties.get(body_field)):
                return words(record.get("id"))
        return ""

    async def write(self, activity: Activity, person: Person) -> str:
        kind, _ = _kind(activity)
        body = entry_body(activity, person, self.settings.unique_property)
        if self.settings.unique_property is None:
            self._attempt(activity.identity)
        try:
            made = await self._create(kind, body)
        except NotDone as stopped:
            # Perhaps it was not taken because it is there already.
            known = isinstance(stopped.result, Rejected) and self.settings.unique_property
            if known and (there := await self._by_property(kind, activity.identity)):
                return there
            raise
        self._made[activity.identity] = made
        return made

    def _attempt(self, what: str) -> None:
        """Begin to make something, unless a search could not know yet that it is there.

        Raises:
            NotDone: later.

        """
        now = self._around.now()
        since = self._tried.get(what, self._begun)
        if timedelta() <= now - since < SEARCH_LAG:
            reason = "waits until HubSpot's search must know what was written last"
            raise NotDone(Deferred(reason, SEARCH_LAG - (now - since), busy=True))
        for remembered in (self._tried, self._made):
            while len(remembered) >= MOST_REMEMBERED:
                del remembered[next(iter(remembered))]
        self._tried[what] = now

    async def _search(self, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self._api.ask("POST", f"/crm/v3/objects/{kind}/search", body=body)
        document = answer.document
        if not isinstance(document, dict) or not isinstance(document.get("results"), list):
            raise nonsense(VENDOR, writes=False)
        return document

    async def _create(self, kind: str, body: Mapping[str, Any]) -> str:
        answer = await self._api.ask("POST", f"/crm/v3/objects/{kind}", body=body, writes=True)
        document = answer.document if isinstance(answer.document, dict) else {}
        # The guides say `id`, the OpenAPI description `createdResourceId`.
        if not (made := words(document.get("id")) or words(document.get("createdResourceId"))):
            raise nonsense(VENDOR, writes=True)
        return made

    async def _by_property(self, kind: str, value: str) -> str:
        """Give the id of the record whose unique property has this value; empty if none has."""
        answer = await self._api.ask(
            "GET",
            f"/crm/v3/objects/{kind}/{value}",
            query={"idProperty": self.settings.unique_property or ""},
            also=(404,),
        )
        document = answer.document
        if answer.status != 404 and isinstance(document, dict):  # noqa: PLR2004 - Not Found
            return words(document.get("id"))
        return ""


def contact_search(e164: str, settings: Settings) -> dict[str, Any]:
    """Ask for whoever has the number: as HubSpot normalises it, or as it is written there."""
    parsed = number.parse(e164, "US")
    national = parsed.national if parsed is not None else e164
    alternatives: list[dict[str, Any]] = [
        {"propertyName": name, "operator": "EQ", "value": national} for name in NATIONAL_FIELDS
    ]
    written = list(spellings(e164))
    alternatives += [
        {"propertyName": name, "operator": "IN", "values": written}
        for name in settings.phone_fields
    ]
    return {
        "filterGroups": [{"filters": [one]} for one in alternatives],
        "properties": ["firstname", "lastname", *settings.phone_fields, settings.status_field],
        "limit": 50,
    }


def entry_search(activity: Activity, body_field: str) -> dict[str, Any]:
    """Ask for what is of the same instant; the mark in it is looked for here."""
    at = str(round(activity.at.timestamp() * 1000))
    return {
        "filterGroups": [
            {"filters": [{"propertyName": "hs_timestamp", "operator": "EQ", "value": at}]}
        ],
        "properties": [body_field],
        "limit": 100,
    }


def entry_body(activity: Activity, person: Person, unique_property: str | None) -> dict[str, Any]:
    """Write the request that makes an entry on a contact's timeline."""
    # HubSpot shows bodies as HTML.
    html = "<br>".join(map(escape, (activity.title, *activity.lines, activity.mark)))
    properties = {"hs_timestamp": str(round(activity.at.timestamp() * 1000))}
    if activity.kind is Kind.MISSED_CALL:
        properties |= {
            "hs_call_title": activity.title,
            "hs_call_body": html.replace("\n", "<br>"),
            "hs_call_direction": "INBOUND",
            "hs_call_status": "NO_ANSWER",
            "hs_call_duration": "0",
            "hs_call_from_number": activity.number,
        }
        if E164.fullmatch(activity.line):
            properties["hs_call_to_number"] = activity.line
    else:
        properties |= {
            "hs_communication_channel_type": "SMS",
            "hs_communication_logged_from": "CRM",
            "hs_communication_body": html.replace("\n", "<br>"),
        }
    if unique_property is not None:
        properties[unique_property] = activity.identity
    link = CALL_TO_CONTACT if activity.kind is Kind.MISSED_CALL else COMMUNICATION_TO_CONTACT
    return {
        "properties": properties,
        "associations": [
            {
                "to": {"id": person.remote_id},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": link}],
            }
        ],
    }


def _kind(activity: Activity) -> tuple[str, str]:
    if activity.kind is Kind.MISSED_CALL:
        return "calls", "hs_call_body"
    return "communications", "hs_communication_body"


def _told(document: Any) -> tuple[str, str]:
    """Read `{"category": …, "message": …}`."""
    if not isinstance(document, dict):
        return "", ""
    return words(document.get("category")), words(document.get("message"))


VENDOR = Vendor(
    name="HubSpot",
    told=_told,
    unauthorised="make a new service key there (Development > Keys) and give it as token",
    forbidden="the key needs the scopes crm.objects.contacts.read and crm.objects.contacts.write",
    busy=frozenset({"RATE_LIMITS"}),
    # 423: locked by a large import; 477: the account moves to another data centre.
    busy_statuses=frozenset({423, 429, 477, 503}),
)
