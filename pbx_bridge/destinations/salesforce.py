"""Salesforce: contacts and leads by number, missed calls and texts as completed Tasks.

Sources, all of developer.salesforce.com/docs: atlas.en-us.api_rest (Query, sObject Rows by External
ID, Status Codes and Error Responses), atlas.en-us.soql_sosl (Quoted String Escape Sequences),
object-reference (Task, Contact, Lead).

A Task is asked for by its `CallObject`, a text of 255 characters that can be filtered by and that
SOQL, unlike SOSL, sees at once. With `external_id_field` it is written by an upsert instead, which
cannot make two whatever happens.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from pbx_bridge import ports
from pbx_bridge.destinations._activity import Activity, Kind
from pbx_bridge.destinations._book import Connector, Person, of_number, spellings, words
from pbx_bridge.destinations._http import Answer, Api, Vendor, nonsense
from pbx_bridge.destinations._oauth import Tokens
from pbx_bridge.destinations._settings import Common, FieldName, FieldPath, Place
from pbx_bridge.secret import Secret

__all__ = ["Destination", "Settings"]

LEAD_PHONES = ("Phone", "MobilePhone")
#: A lead has to be of some company; this is what Salesforce's own imports write.
NO_COMPANY = "[not provided]"
LONGEST_SUBJECT = 255


class Settings(Common):
    type: Literal["salesforce"] = "salesforce"
    login_url: Place = Field(
        default="https://login.salesforce.com",
        description="where to log in; your My Domain, or https://test.salesforce.com",
        examples=["https://miller.my.salesforce.com"],
    )
    client_id: str = Field(
        pattern=r"^[A-Za-z0-9._]{1,300}$",
        description="the consumer key of the external client app",
        examples=["3MVG9…"],
    )
    client_secret: Secret = Field(
        description="its consumer secret",
        examples=['{ file = "/etc/pbx-bridge/salesforce-secret" }'],
    )
    refresh_token: Secret | None = Field(
        default=None,
        description="of the user to act as; without it the app's own user (client credentials)",
        examples=['{ file = "/etc/pbx-bridge/salesforce-refresh-token" }'],
    )
    leads: bool = Field(
        default=True,
        strict=True,
        description="whether to look among leads too, and to make leads of unknown callers",
        examples=[True],
    )
    status_field: FieldPath = Field(
        default="Account.Type",
        description="the contact's field that is the customer's status; a lead's is always Lead",
        examples=["Account.Rating"],
    )
    phone_fields: tuple[FieldName, ...] = Field(
        default=("Phone", "MobilePhone", "HomePhone", "OtherPhone"),
        min_length=1,
        max_length=8,
        description="the contact's fields in which the number may be",
        examples=[["Phone", "MobilePhone"]],
    )
    external_id_field: FieldName | None = Field(
        default=None,
        description="a text field of activities marked as External ID",
        examples=["PBX_Bridge_Id__c"],
    )
    task_status: str = Field(
        default="Completed",
        pattern=r"^[^\x00-\x1f]{1,255}$",
        description="the status of a task that is done",
        examples=["Completed"],
    )
    api_version: str = Field(
        default="v62.0",
        pattern=r"^v[1-9][0-9]\.0$",
        description="the version of the API",
        examples=["v62.0"],
    )


class Destination(Connector):
    """One Salesforce org, as one user of it."""

    def __init__(self, settings: Settings, around: ports.Surroundings = ports.ALONE) -> None:
        form: dict[str, str | Secret] = {
            "grant_type": "client_credentials",
            "client_id": settings.client_id,
            "client_secret": settings.client_secret,
        }
        if settings.refresh_token is not None:
            form |= {"grant_type": "refresh_token", "refresh_token": settings.refresh_token}
        access = Tokens(
            VENDOR,
            f"{settings.login_url}/services/oauth2/token",
            form,
            scheme="Bearer",
            place=lambda answer: instance(answer, settings.login_url),
            timeout=settings.timeout,
            now=around.now,
            busy=frozenset({"server_error", "temporarily_unavailable"}),
        )
        super().__init__(settings, around, Api(VENDOR, access, settings.timeout))
        self.settings = settings

    async def seen(self) -> str:
        of_contacts = ", ".join((self.settings.status_field, *self.settings.phone_fields))
        of_tasks = self.settings.external_id_field or "CallObject"
        await self._query(f"SELECT Id, {of_contacts} FROM Contact LIMIT 1")  # nosec B608 # noqa: S608 - fields are checked names
        if self.settings.leads:
            await self._query("SELECT Id FROM Lead LIMIT 1")
        await self._query(f"SELECT Id, {of_tasks} FROM Task LIMIT 1")  # nosec B608 # noqa: S608 - same
        return "contacts, leads and tasks" if self.settings.leads else "contacts and tasks"

    async def person(self, e164: str) -> Person | None:
        status_field = self.settings.status_field
        phones = self.settings.phone_fields
        asked = soql("Contact", ("Name", status_field), phones, e164)
        match = self._match(await self._query(asked), phones, e164)
        if match is not None:
            status = words(_at(match, status_field))
            return Person(
                remote_id=words(match.get("Id")),
                kind="Contact",
                name=words(match.get("Name")),
                status=status,
            )
        if not self.settings.leads:
            return None
        asked = soql("Lead", ("Name",), LEAD_PHONES, e164, "IsConverted = false")
        match = self._match(await self._query(asked), LEAD_PHONES, e164)
        if match is None:
            return None
        return Person(
            remote_id=words(match.get("Id")),
            kind="Lead",
            name=words(match.get("Name")),
            status="Lead",
        )

    async def add(self, activity: Activity) -> Person:
        kind = "Lead" if self.settings.leads else "Contact"
        fields = {"LastName": activity.name or activity.number, "Phone": activity.number}
        if kind == "Lead":
            fields["Company"] = NO_COMPANY
        answer = await self._api.ask(
            "POST",
            self._path(f"sobjects/{kind}"),
            body=fields,
            # Whom we did not find by number may still be like somebody by name.
            headers={"Sforce-Duplicate-Rule-Header": "allowSave=true"},
            writes=True,
        )
        return Person(remote_id=_id(answer), kind=kind, name=activity.name)

    async def entry(self, activity: Activity, person: Person) -> str:  # noqa: ARG002 - Book
        if self.settings.external_id_field is not None:
            return ""  # the upsert sees to it
        asked = f"SELECT Id FROM Task WHERE CallObject = {quoted(activity.mark)} LIMIT 1"  # nosec B608 # noqa: S608 - SOQL, quoted
        records = await self._query(asked)
        return words(records[0].get("Id")) if records else ""

    async def write(self, activity: Activity, person: Person) -> str:
        fields = task(activity, person, self.settings, self._around)
        external_id = self.settings.external_id_field
        if external_id is None:
            answer = await self._api.ask(
                "POST", self._path("sobjects/Task"), body=fields, writes=True
            )
            return _id(answer)
        where = self._path(f"sobjects/Task/{external_id}/{activity.identity}")
        # As it cannot make two, what became of it is of no matter.
        answer = await self._api.ask("PATCH", where, body=fields)
        return "" if answer.document is None else _id(answer)

    def _match(
        self, records: list[Mapping[str, Any]], phones: Iterable[str], e164: str
    ) -> Mapping[str, Any] | None:
        known = [record for record in records if words(record.get("Id"))]
        return of_number(known, phones, e164, self._around.country)

    async def _query(self, asked: str) -> list[Mapping[str, Any]]:
        answer = await self._api.ask("GET", self._path("query"), query={"q": asked})
        records = answer.document.get("records") if isinstance(answer.document, dict) else None
        if not isinstance(records, list):
            raise nonsense(VENDOR, writes=False)
        return [record for record in records if isinstance(record, dict)]

    def _path(self, what: str) -> str:
        return f"/services/data/{self.settings.api_version}/{what}"


def soql(kind: str, fields: Iterable[str], phones: Iterable[str], e164: str, also: str = "") -> str:
    """Ask for whoever has the number in one of the fields, however it is written; the eldest first.

    SOQL compares text letter by letter.
    """
    phones = tuple(phones)
    written = ", ".join(map(quoted, spellings(e164)))
    having = " OR ".join(f"{phone} IN ({written})" for phone in phones)
    condition = f"({having}) AND {also}" if also else having
    chosen = ", ".join(("Id", *fields, *phones))
    return f"SELECT {chosen} FROM {kind} WHERE {condition} ORDER BY CreatedDate LIMIT 50"  # nosec B608 # noqa: S608 - SOQL, quoted


def quoted(text: str) -> str:
    r"""Write a string of SOQL: within quotes \ and ' stand after a \."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def task(
    activity: Activity, person: Person, settings: Settings, around: ports.Surroundings
) -> dict[str, Any]:
    """Write the fields of a task."""
    fields: dict[str, Any] = {
        "Subject": activity.title[:LONGEST_SUBJECT],
        "Description": activity.text,
        "WhoId": person.remote_id,
        "Status": settings.task_status,
        "ActivityDate": activity.at.astimezone(around.zone).date().isoformat(),
        "CallObject": activity.mark,
        "TaskSubtype": "Task",
    }
    if activity.kind is Kind.MISSED_CALL:
        fields |= {
            "TaskSubtype": "Call",
            "CallType": "Inbound",
            "CallDurationInSeconds": 0,
            "CallDisposition": "Missed",
        }
    return fields


def instance(answer: Mapping[str, Any], login_url: str) -> str:
    """Give the org's own address.

    Raises:
        ValueError: none that may be told our token.

    """
    found = answer.get("instance_url")
    place = urlsplit(found if isinstance(found, str) else "")
    host = place.hostname or ""
    login = urlsplit(login_url)
    own = (place.scheme, place.netloc) == (login.scheme, login.netloc)
    if not own and (place.scheme != "https" or not host.endswith(".salesforce.com")):
        raise ValueError("Salesforce named no instance_url of salesforce.com")
    return f"{place.scheme}://{place.netloc}"


def _at(record: Mapping[str, Any], path: str) -> Any:
    found: Any = record
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _id(answer: Answer) -> str:
    made = words(answer.document.get("id")) if isinstance(answer.document, dict) else ""
    if not made:
        raise nonsense(VENDOR, writes=True)
    return made


def _told(document: Any) -> tuple[str, str]:
    """Read `[{"errorCode": …, "message": …}]`."""
    first = document[0] if isinstance(document, list) and document else None
    if not isinstance(first, dict):
        return "", ""
    return words(first.get("errorCode")), words(first.get("message"))


VENDOR = Vendor(
    name="Salesforce",
    told=_told,
    unauthorised="see that client_id, client_secret and refresh_token are those of one app, and"
    " that its user was not locked out",
    forbidden="the app needs the scopes api and refresh_token, its user the permission API Enabled"
    " and access to contacts, leads and tasks",
    busy=frozenset(
        {"REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT"}
    ),
)
