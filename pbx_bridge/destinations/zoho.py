"""Zoho CRM: contacts and leads by number, missed calls as Calls, texts as Notes.

Sources: Zoho's OpenAPI descriptions (github.com/zoho/crm-oas, v8.0: coql, record, notes), and
zoho.com/crm/developer/docs/api/v8 (COQL, Insert Records, Notes, Refresh Access Token, Multi DC).

Asked for in COQL, which reads the records themselves; the search API reads an index that lags. An
entry has its mark in its title. With `unique_field` Zoho itself takes no missed call twice.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

from pydantic import Field

from pbx_bridge import ports
from pbx_bridge.core.delivery import Deferred, Rejected
from pbx_bridge.destinations._activity import Activity, Kind
from pbx_bridge.destinations._book import Connector, Person, of_number, spellings, words
from pbx_bridge.destinations._http import Answer, Api, NotDone, Vendor, nonsense
from pbx_bridge.destinations._oauth import Tokens
from pbx_bridge.destinations._settings import Common, FieldName, FieldPath, Place
from pbx_bridge.secret import Secret

__all__ = ["Destination", "Settings"]

#: Where accounts and APIs of each data centre are (api/v8/multi-dc).
CENTRES = {
    "us": ("https://accounts.zoho.com", "https://www.zohoapis.com"),
    "eu": ("https://accounts.zoho.eu", "https://www.zohoapis.eu"),
    "in": ("https://accounts.zoho.in", "https://www.zohoapis.in"),
    "au": ("https://accounts.zoho.com.au", "https://www.zohoapis.com.au"),
    "jp": ("https://accounts.zoho.jp", "https://www.zohoapis.jp"),
    "cn": ("https://accounts.zoho.com.cn", "https://www.zohoapis.com.cn"),
    "ca": ("https://accounts.zohocloud.ca", "https://www.zohoapis.ca"),
    "sa": ("https://accounts.zoho.sa", "https://www.zohoapis.sa"),
}
LEAD_PHONES = ("Phone", "Mobile")
LONGEST_NOTE = 60_000
#: Zoho may keep the start of a call to the minute.
ABOUT = timedelta(minutes=1)


class Settings(Common):
    type: Literal["zoho"] = "zoho"
    data_centre: Literal["us", "eu", "in", "au", "jp", "cn", "ca", "sa"] = Field(
        default="us", description="where the account is", examples=["eu"]
    )
    client_id: str = Field(
        pattern=r"^1000\.[A-Za-z0-9]{1,100}$",
        description="of the Self Client",
        examples=["1000.ABC…"],
    )
    client_secret: Secret = Field(
        description="of the Self Client", examples=['{ file = "/etc/pbx-bridge/zoho-secret" }']
    )
    refresh_token: Secret = Field(
        description="made of the Self Client's code",
        examples=['{ file = "/etc/pbx-bridge/zoho-refresh-token" }'],
    )
    leads: bool = Field(
        default=False,
        strict=True,
        description="whether to look among leads too, and to make leads of unknown callers",
        examples=[False],
    )
    status_field: FieldPath = Field(
        default="Account_Name.Account_Type",
        description="the contact's field that is the customer's status; a lead's is always Lead",
        examples=["Customer_Status"],
    )
    phone_fields: tuple[FieldName, ...] = Field(
        default=("Phone", "Mobile", "Home_Phone", "Other_Phone"),
        min_length=1,
        max_length=8,
        description="the contact's fields in which the number may be",
        examples=[["Phone", "Mobile"]],
    )
    unique_field: FieldName | None = Field(
        default=None,
        description="a field of calls that does not allow duplicate values",
        examples=["PBX_Bridge_Id"],
    )
    accounts_url: Place | None = Field(
        default=None,
        description="where tokens are given, if not by data_centre",
        examples=["https://accounts.zoho.eu"],
    )
    api_url: Place | None = Field(
        default=None,
        description="where the API is, if not by data_centre",
        examples=["https://www.zohoapis.eu"],
    )


class Destination(Connector):
    """One organisation in Zoho CRM, as one user of it."""

    def __init__(self, settings: Settings, around: ports.Surroundings = ports.ALONE) -> None:
        accounts, api = CENTRES[settings.data_centre]
        place = settings.api_url or api
        access = Tokens(
            VENDOR,
            f"{settings.accounts_url or accounts}/oauth/v2/token",
            {
                "grant_type": "refresh_token",
                "client_id": settings.client_id,
                "client_secret": settings.client_secret,
                "refresh_token": settings.refresh_token,
            },
            scheme="Zoho-oauthtoken",
            place=lambda _: place,
            timeout=settings.timeout,
            now=around.now,
            busy=frozenset({"Access Denied"}),  # too many tokens in ten minutes
        )
        super().__init__(settings, around, Api(VENDOR, access, settings.timeout))
        self.settings = settings

    async def seen(self) -> str:
        fields = ", ".join(("id", self.settings.status_field, *self.settings.phone_fields))
        unique = self.settings.unique_field or "id"
        await self._query(f"select {fields} from Contacts where id is not null limit 1")  # nosec B608 # noqa: S608 - fields are checked names
        if self.settings.leads:
            await self._query("select id from Leads where id is not null limit 1")
        await self._query(f"select {unique} from Calls where id is not null limit 1")  # nosec B608 # noqa: S608 - same
        return "contacts, leads and calls" if self.settings.leads else "contacts and calls"

    async def person(self, e164: str) -> Person | None:
        status_field = self.settings.status_field
        phones = self.settings.phone_fields
        asked = coql("Contacts", ("Full_Name", status_field), phones, e164)
        if (match := self._match(await self._query(asked), phones, e164)) is not None:
            return Person(
                remote_id=words(match.get("id")),
                kind="Contacts",
                name=words(match.get("Full_Name")),
                status=words(match.get(status_field)),
            )
        if not self.settings.leads:
            return None
        asked = coql("Leads", ("Full_Name",), LEAD_PHONES, e164)
        if (match := self._match(await self._query(asked), LEAD_PHONES, e164)) is not None:
            return Person(
                remote_id=words(match.get("id")),
                kind="Leads",
                name=words(match.get("Full_Name")),
                status="Lead",
            )
        return None

    async def add(self, activity: Activity) -> Person:
        kind = "Leads" if self.settings.leads else "Contacts"
        fields = {"Last_Name": activity.name or activity.number, "Phone": activity.number}
        return Person(remote_id=await self._create(kind, fields), kind=kind, name=activity.name)

    async def entry(self, activity: Activity, person: Person) -> str:
        if activity.kind is Kind.MISSED_CALL:
            if self.settings.unique_field is not None:
                return ""  # Zoho sees to it
            records, title = await self._query(calls_about(activity.at)), "Subject"
        else:
            records, title = await self._notes(person), "Note_Title"
        for record in records:
            if activity.mark in str(record.get(title)):
                return words(record.get("id"))
        return ""

    async def write(self, activity: Activity, person: Person) -> str:
        if activity.kind is Kind.MISSED_CALL:
            return await self._create("Calls", call(activity, person, self.settings.unique_field))
        return await self._create("Notes", note(activity, person))

    def _match(
        self, records: list[Mapping[str, Any]], phones: Iterable[str], e164: str
    ) -> Mapping[str, Any] | None:
        known = [record for record in records if words(record.get("id"))]
        return of_number(known, phones, e164, self._around.country)

    async def _query(self, asked: str) -> list[Mapping[str, Any]]:
        answer = await self._api.ask("POST", "/crm/v8/coql", body={"select_query": asked})
        return _records(answer)

    async def _notes(self, person: Person) -> list[Mapping[str, Any]]:
        answer = await self._api.ask(
            "GET",
            f"/crm/v8/{person.kind}/{quote(person.remote_id, safe='')}/Notes",
            query={
                "fields": "id,Note_Title",
                "sort_by": "Created_Time",
                "sort_order": "desc",
                "per_page": "200",
            },
        )
        return _records(answer)

    async def _create(self, module: str, fields: Mapping[str, Any]) -> str:
        """Make a record and give its id; of one that is there already, that one's."""
        answer = await self._api.ask(
            "POST", f"/crm/v8/{module}", body={"data": [fields]}, writes=True, also=(400,)
        )
        outcome = _outcome(answer)
        details = outcome.get("details")
        made = words(details.get("id")) if isinstance(details, dict) else ""
        code, unique = words(outcome.get("code")), self.settings.unique_field
        if code == "SUCCESS" and made:
            return made
        if code == "DUPLICATE_DATA" and made and module == "Calls" and _field(outcome) == unique:
            return made
        if answer.status != 400 and code in ("", "SUCCESS"):  # noqa: PLR2004 - Bad Request
            raise nonsense(VENDOR, writes=True)
        raise NotDone(_refused(*_told(answer.document)))


def coql(kind: str, fields: Iterable[str], phones: Iterable[str], e164: str) -> str:
    """Ask for whoever has the number in one of the fields, however it is written; the eldest first.

    COQL takes conditions in pairs only, each in brackets of its own.
    """
    phones = tuple(phones)
    written = ", ".join(f"'{one}'" for one in spellings(e164))
    having = ""
    for phone in phones:
        one = f"{phone} in ({written})"
        having = f"({having} or {one})" if having else one
    chosen = ", ".join(("id", *fields, *phones))
    return f"select {chosen} from {kind} where {having} order by id asc limit 50"  # nosec B608 # noqa: S608 - COQL, quoted


def calls_about(at: datetime) -> str:
    """Ask for the calls of an instant; the mark in their subjects is looked for here."""
    begin, end = written(at - ABOUT), written(at + ABOUT)
    return (
        "select id, Subject from Calls"  # nosec B608 # noqa: S608 - times of ours
        f" where Call_Start_Time between '{begin}' and '{end}' limit 200"
    )


def written(at: datetime) -> str:
    """Write an instant as Zoho does: `2026-11-23T15:04:05+00:00`."""
    return at.astimezone(UTC).replace(microsecond=0).isoformat()


def call(activity: Activity, person: Person, unique_field: str | None) -> dict[str, Any]:
    """Write the fields of a missed call."""
    fields: dict[str, Any] = {
        "Subject": f"{activity.title} {activity.mark}",
        "Call_Type": "Missed",
        "Call_Start_Time": written(activity.at),
        "Call_Duration": "00:00",
        "Description": activity.text,
    }
    if person.kind == "Contacts":
        fields["Who_Id"] = {"id": person.remote_id}
    else:
        fields |= {"What_Id": {"id": person.remote_id}, "$se_module": person.kind}
    if unique_field is not None:
        fields[unique_field] = activity.identity
    return fields


def note(activity: Activity, person: Person) -> dict[str, Any]:
    """Write the fields of a note about a text."""
    return {
        "Note_Title": f"{activity.title} {activity.mark}",
        "Note_Content": "\n".join((f"At {written(activity.at)}", *activity.lines))[:LONGEST_NOTE],
        "Parent_Id": {"module": {"api_name": person.kind}, "id": person.remote_id},
    }


def _records(answer: Answer) -> list[Mapping[str, Any]]:
    if answer.status == 204:  # noqa: PLR2004 - No Content: there are none
        return []
    records = answer.document.get("data") if isinstance(answer.document, dict) else None
    if not isinstance(records, list):
        raise nonsense(VENDOR, writes=False)
    return [record for record in records if isinstance(record, dict)]


def _outcome(answer: Answer) -> Mapping[str, Any]:
    """Give what became of the one record that was sent."""
    document = answer.document
    records = document.get("data") if isinstance(document, dict) else None
    first = records[0] if isinstance(records, list) and records else document
    return first if isinstance(first, dict) else {}


def _refused(code: str, said: str) -> Rejected | Deferred:
    reason = f"Zoho CRM did not take it ({code}: {said})"
    if code in VENDOR.busy:
        return Deferred(reason, code=code, busy=True)
    return Rejected(reason, code)


def _field(outcome: Mapping[str, Any]) -> str:
    """Name the field that an outcome is about."""
    details = outcome.get("details")
    return words(details.get("api_name")) if isinstance(details, dict) else ""


def _told(document: Any) -> tuple[str, str]:
    """Read `{"code": …, "message": …}`, or the same in a list named `data`."""
    records = document.get("data") if isinstance(document, dict) else None
    first = records[0] if isinstance(records, list) and records else document
    if not isinstance(first, dict):
        return "", ""
    said = filter(None, (words(first.get("message")), _field(first)))
    return words(first.get("code")), ": ".join(said)


VENDOR = Vendor(
    name="Zoho CRM",
    told=_told,
    unauthorised="make a new code in the Self Client, and a new refresh_token of it",
    forbidden="the token needs the scopes ZohoCRM.modules.ALL and ZohoCRM.coql.READ",
    busy=frozenset({"TOO_MANY_REQUESTS", "API_LIMIT_EXCEEDED", "LIMIT_EXCEEDED"}),
    forbidden_codes=frozenset({"OAUTH_SCOPE_MISMATCH", "NO_PERMISSION", "AUTHORIZATION_FAILED"}),
)
