"""Salesforce: what is sent, and what its answers mean."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pbx_bridge.core.delivery import Accepted, Blame, Deferred, Rejected, Uncertain
from pbx_bridge.destinations.salesforce import Settings, instance, quoted
from tests.destinations.office import CALLER, SECRET, body, missed_call, strings, text, told
from tests.destinations.salesforces import API, FakeSalesforce
from tests.gateways.fakes import Request


def refusing(status: int, code: str) -> bytes:
    return told(status, [{"errorCode": code, "message": "words"}])


#: HTTP status and error code of a write that was refused, and what follows.
#: developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
WRITES: list[tuple[int, str, type, Any, str]] = [
    (300, "", Rejected, Blame.MESSAGE, "answered 300"),
    (400, "REQUIRED_FIELD_MISSING", Rejected, Blame.MESSAGE, "REQUIRED_FIELD_MISSING: words"),
    (400, "UNABLE_TO_LOCK_ROW", Deferred, True, "UNABLE_TO_LOCK_ROW"),
    (401, "INVALID_SESSION_ID", Rejected, Blame.GATEWAY, "client_secret"),
    (403, "INSUFFICIENT_ACCESS", Rejected, Blame.GATEWAY, "API Enabled"),
    (403, "REQUEST_LIMIT_EXCEEDED", Deferred, True, "REQUEST_LIMIT_EXCEEDED"),
    (404, "NOT_FOUND", Rejected, Blame.MESSAGE, "answered 404"),
    (405, "", Rejected, Blame.MESSAGE, "answered 405"),
    (409, "", Rejected, Blame.MESSAGE, "answered 409"),
    (429, "", Deferred, True, "answered 429"),
    (500, "UNKNOWN_EXCEPTION", Uncertain, None, "answered 500"),
    (502, "", Uncertain, None, "answered 502"),
    (503, "SERVER_UNAVAILABLE", Deferred, True, "answered 503"),
]


@pytest.mark.parametrize(("status", "code", "kind", "how", "said"), WRITES)
async def test_what_a_refused_write_means(
    status: int, code: str, kind: type, how: Any, said: str
) -> None:
    fake = FakeSalesforce()
    fake.know(CALLER)
    fake.instead = lambda one: refusing(status, code) if fake.is_write(one) else None
    async with fake.connected() as crm:
        result = await crm.deliver(missed_call())
    assert type(result) is kind
    assert said in getattr(result, "reason", "")
    assert getattr(result, "blame", getattr(result, "busy", None)) == how


async def test_an_upsert_that_broke_is_just_done_again() -> None:
    fake = FakeSalesforce()
    fake.know(CALLER)
    fake.after = lambda one: told(500) if one.method == "PATCH" else None
    async with fake.connected(external_id_field="PBX_Id__c") as crm:
        assert isinstance(await crm.deliver(missed_call()), Deferred)
        fake.after = lambda one: told(204) if one.method == "PATCH" else None
        assert await crm.deliver(missed_call()) == Accepted("")  # as older versions answer
    (entry,) = fake.entries
    assert fake.writes()[0].path == f"{API}/sobjects/Task/PBX_Id__c/{entry['PBX_Id__c']}"


async def test_a_call_as_salesforce_models_it() -> None:
    fake = FakeSalesforce()
    ann = fake.know(CALLER)
    async with fake.connected() as crm:
        await crm.deliver(missed_call())
    (request,) = fake.writes()
    assert request.path == f"{API}/sobjects/Task"
    made = body(request)
    assert made.pop("Description").endswith(made["CallObject"])
    assert made.pop("CallObject").startswith("[pbx-bridge ")
    assert made == {
        "Subject": "Missed call on Sales",
        "WhoId": ann,
        "Status": "Completed",
        "ActivityDate": "2026-11-23",
        "TaskSubtype": "Call",
        "CallType": "Inbound",
        "CallDurationInSeconds": 0,
        "CallDisposition": "Missed",
    }


async def test_a_text_is_a_plain_task() -> None:
    fake = FakeSalesforce()
    fake.know(CALLER)
    async with fake.connected(task_status="Erledigt") as crm:
        await crm.deliver(text("delivered"))
    (entry,) = fake.entries
    assert (entry["Subject"], entry["TaskSubtype"]) == ("Text message sent", "Task")
    assert entry["Status"] == "Erledigt"
    assert "CallType" not in entry


@pytest.mark.parametrize(("leads", "kind"), [(True, "Lead"), (False, "Contact")])
async def test_strangers_become_leads_or_contacts(leads: bool, kind: str) -> None:  # noqa: FBT001
    fake = FakeSalesforce()
    async with fake.connected(create=True, leads=leads) as crm:
        await crm.deliver(missed_call(caller_name="LEE"))
        status = await crm.status(CALLER)
    assert status is not None
    assert status.status == ("Lead" if leads else "")
    made = body(fake.writes()[0])
    assert made.pop("Company", "") == ("[not provided]" if leads else "")
    assert made == {"LastName": "LEE", "Phone": CALLER}
    assert fake.writes()[0].path == f"{API}/sobjects/{kind}"
    assert fake.writes()[0].headers["sforce-duplicate-rule-header"] == "allowSave=true"
    assert any("Lead" in one.query().get("q", "") for one in fake.requests) is leads


async def test_the_app_may_act_as_its_own_user() -> None:
    fake = FakeSalesforce()

    def give(request: Request) -> bytes | None:
        if request.path != "/services/oauth2/token":
            return None
        form = request.form()
        assert form == {
            "grant_type": "client_credentials",
            "client_id": "3MVG9.app",
            "client_secret": SECRET,
        }
        return told(200, {"access_token": "mine", "instance_url": fake.url})

    fake.instead = give
    async with fake.connected(refresh_token=None) as crm:
        await crm.deliver(missed_call())
    assert fake.requests[1].headers["authorization"] == "Bearer mine"


@pytest.mark.parametrize(
    ("named", "login", "place"),
    [
        ("https://miller.my.salesforce.com", "https://login.salesforce.com", "as named"),
        ("https://MILLER.my.salesforce.com/x", "https://login.salesforce.com", "in small letters"),
        ("http://127.0.0.1:80", "http://127.0.0.1:80", "as named"),
        ("http://miller.my.salesforce.com", "https://login.salesforce.com", None),
        ("https://evil.example", "https://login.salesforce.com", None),
        ("https://evilsalesforce.com", "https://login.salesforce.com", None),
        ("https://a.salesforce.com@evil.example", "https://login.salesforce.com", None),
        ("https://evil.example/.salesforce.com", "https://login.salesforce.com", None),
        (None, "https://login.salesforce.com", None),
    ],
)
def test_tokens_are_told_to_salesforce_only(named: Any, login: str, place: str | None) -> None:
    if place is None:
        with pytest.raises(ValueError, match=r"no instance_url of salesforce\.com"):
            instance({"instance_url": named}, login)
    else:
        assert instance({"instance_url": named}, login).lower().startswith("http")


async def test_a_token_for_elsewhere_is_not_used() -> None:
    fake = FakeSalesforce()
    fake.instead = lambda one: (
        told(200, {"access_token": "x", "instance_url": "https://evil.example"})
        if one.path.endswith("/token")
        else None
    )
    async with fake.connected() as crm:
        result = await crm.deliver(missed_call())
    assert isinstance(result, Rejected)
    assert result.blame is Blame.GATEWAY
    assert len(fake.requests) == 1


@given(st.text())
def test_no_text_breaks_out_of_a_string(hostile: str) -> None:
    assert strings(f"x = {quoted(hostile)} AND y") == [hostile]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status_field": "Account.Type, (SELECT Id FROM Tasks)"}, "status_field"),
        ({"status_field": "a.b.c"}, "status_field"),
        ({"external_id_field": "x/../y"}, "external_id_field"),
        ({"phone_fields": ["Phone OR Id"]}, "phone_fields"),
        ({"api_version": "62"}, "api_version"),
        ({"login_url": "login.salesforce.com"}, "login_url"),
        ({"client_id": "a b"}, "client_id"),
    ],
)
def test_mistakes_in_the_settings(changes: dict[str, Any], field: str) -> None:
    good = {"client_id": "3MVG9", "client_secret": SECRET}
    Settings.model_validate(good)
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(good | changes)
    assert field in str(caught.value)
    assert SECRET not in str(caught.value)
