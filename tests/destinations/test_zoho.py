"""Zoho CRM: what is sent, and what its answers mean."""

from typing import Any

import pytest
from pydantic import ValidationError

from pbx_bridge.core.delivery import Accepted, Blame, Deferred, Rejected, Uncertain
from pbx_bridge.destinations import zoho
from pbx_bridge.destinations.zoho import CENTRES, Settings, coql
from tests.destinations.office import (
    CALLER,
    SECRET,
    TOKEN,
    body,
    missed_call,
    reply,
    strings,
    text,
    told,
)
from tests.destinations.zohos import FakeZoho


def refusing(status: int, code: str, *, in_data: bool = False) -> bytes:
    wrong = {"code": code, "message": "words", "status": "error", "details": {"api_name": "F"}}
    return told(status, {"data": [wrong]} if in_data else wrong)


#: HTTP status, code, and whether that is in `data`, of a refused write; and what follows.
#: github.com/zoho/crm-oas, v8.0/record: the responses of createRecords
WRITES: list[tuple[int, str, bool, type, Any, str]] = [
    (200, "INVALID_DATA", True, Rejected, Blame.MESSAGE, "INVALID_DATA: words: F"),
    (202, "DUPLICATE_DATA", True, Rejected, Blame.MESSAGE, "DUPLICATE_DATA"),
    (207, "INVALID_DATA", True, Rejected, Blame.MESSAGE, "INVALID_DATA: words: F"),
    (400, "MANDATORY_NOT_FOUND", True, Rejected, Blame.MESSAGE, "MANDATORY_NOT_FOUND: words: F"),
    (400, "INVALID_MODULE", False, Rejected, Blame.MESSAGE, "INVALID_MODULE"),
    (400, "LIMIT_EXCEEDED", False, Deferred, True, "LIMIT_EXCEEDED"),
    (401, "INVALID_TOKEN", False, Rejected, Blame.GATEWAY, "refresh_token"),
    (401, "OAUTH_SCOPE_MISMATCH", False, Rejected, Blame.GATEWAY, "ZohoCRM.coql.READ"),
    (403, "NO_PERMISSION", True, Rejected, Blame.GATEWAY, "ZohoCRM.modules.ALL"),
    (404, "INVALID_URL_PATTERN", False, Rejected, Blame.MESSAGE, "answered 404"),
    (429, "TOO_MANY_REQUESTS", False, Deferred, True, "TOO_MANY_REQUESTS"),
    (500, "INTERNAL_ERROR", False, Uncertain, None, "answered 500"),
    (503, "", False, Deferred, True, "answered 503"),
]


@pytest.mark.parametrize(("status", "code", "in_data", "kind", "how", "said"), WRITES)
async def test_what_a_refused_write_means(  # noqa: PLR0917 - a row of the table
    status: int,
    code: str,
    in_data: bool,  # noqa: FBT001 - a row of the table
    kind: type,
    how: Any,
    said: str,
) -> None:
    fake = FakeZoho()
    fake.know(CALLER)
    fake.instead = lambda one: (
        refusing(status, code, in_data=in_data) if fake.is_write(one) else None
    )
    async with fake.connected() as crm:
        result = await crm.deliver(missed_call())
    assert type(result) is kind
    assert said in getattr(result, "reason", "")
    assert getattr(result, "blame", getattr(result, "busy", None)) == how


async def test_a_missing_scope_is_not_asked_for_again() -> None:
    """Another token of the same refresh token would lack it too."""
    fake = FakeZoho()
    fake.instead = lambda one: (
        refusing(401, "OAUTH_SCOPE_MISMATCH") if one.path.endswith("/coql") else None
    )
    async with fake.connected() as crm:
        assert isinstance(await crm.deliver(missed_call()), Rejected)
    assert fake.tokens == 1


async def test_a_call_as_zoho_models_it() -> None:
    fake = FakeZoho()
    ann = fake.know(CALLER)
    async with fake.connected() as crm:
        await crm.deliver(missed_call())
    (request,) = fake.writes()
    assert request.path == "/crm/v8/Calls"
    assert request.headers["authorization"] == f"Zoho-oauthtoken {TOKEN}-1"
    (made,) = body(request)["data"]
    assert made.pop("Subject").startswith("Missed call on Sales [pbx-bridge ")
    assert "Line: Sales" in made.pop("Description")
    assert made == {
        "Call_Type": "Missed",
        "Call_Start_Time": "2026-11-23T16:59:18+00:00",
        "Call_Duration": "00:00",
        "Who_Id": {"id": ann},
    }


async def test_a_text_is_a_note() -> None:
    fake = FakeZoho()
    ann = fake.know(CALLER)
    async with fake.connected(log_bodies=True) as crm:
        await crm.deliver(text("delivered"))
        await crm.deliver(reply())
    first, second = (body(one)["data"][0] for one in fake.writes())
    assert first["Note_Title"].startswith("Text message sent [pbx-bridge ")
    assert first["Parent_Id"] == {"module": {"api_name": "Contacts"}, "id": ann}
    assert "Sorry we missed your call" in first["Note_Content"]
    assert "Can you come on Tuesday?" in second["Note_Content"]


async def test_a_lead_has_its_calls_and_notes_too() -> None:
    fake = FakeZoho()
    async with fake.connected(create=True, leads=True) as crm:
        await crm.deliver(missed_call(caller_name="LEE"))
        await crm.deliver(reply())
        status = await crm.status(CALLER)
    assert status is not None
    assert (status.name, status.status) == ("LEE", "Lead")
    person, call, note = (body(one)["data"][0] for one in fake.writes())
    assert person == {"Last_Name": "LEE", "Phone": CALLER}
    assert (call["What_Id"], call["$se_module"]) == ({"id": status.remote_id}, "Leads")
    assert note["Parent_Id"]["module"]["api_name"] == "Leads"


async def test_a_duplicate_of_another_field_is_a_refusal() -> None:
    fake = FakeZoho()
    fake.know(CALLER)
    wrong = {"code": "DUPLICATE_DATA", "details": {"api_name": "Other", "id": "7"}}
    fake.instead = lambda one: told(400, {"data": [wrong]}) if fake.is_write(one) else None
    async with fake.connected(unique_field="PBX_Id") as crm:
        assert isinstance(await crm.deliver(missed_call()), Rejected)
        wrong["details"] = {"api_name": "PBX_Id", "id": "7"}
        assert await crm.deliver(missed_call()) == Accepted("7")


async def test_too_many_tokens_are_a_matter_of_time() -> None:
    """zoho.com/accounts/protocol/oauth: ten in ten minutes."""
    fake = FakeZoho()
    words = "You have made too many requests continuously. Please try again after some time."
    fake.instead = lambda _: told(400, {"error": "Access Denied", "error_description": words})
    async with fake.connected() as crm:
        result = await crm.deliver(missed_call())
    assert isinstance(result, Deferred)
    assert result.busy


def test_every_data_centre_has_its_own_places() -> None:
    centres = Settings.model_fields["data_centre"].annotation
    assert set(CENTRES) == set(centres.__args__)  # type: ignore[union-attr]
    for accounts, api in CENTRES.values():
        assert accounts.startswith("https://accounts.zoho")
        assert api.startswith("https://www.zohoapis.")
    given = {"client_id": "1000.A", "client_secret": SECRET, "refresh_token": SECRET}
    settings = Settings.model_validate(given | {"data_centre": "eu"})
    access = zoho.Destination(settings)._api._access
    assert str(access._url) == "https://accounts.zoho.eu/oauth/v2/token"  # type: ignore[attr-defined]
    assert access._place({"api_domain": "https://evil.example"}) == "https://www.zohoapis.eu"  # type: ignore[attr-defined]


def test_conditions_come_in_pairs() -> None:
    asked = coql("Contacts", ("Full_Name",), ("A", "B", "C"), CALLER)
    assert asked.startswith("select id, Full_Name, A, B, C from Contacts where ((A in ('")
    assert asked.count("(") - asked.count(")") == 0
    assert len(strings(asked)) < 50 * 3  # COQL takes fifty in one list


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status_field": "a, b"}, "status_field"),
        ({"unique_field": "x'"}, "unique_field"),
        ({"phone_fields": ["Phone or id"]}, "phone_fields"),
        ({"data_centre": "uk"}, "data_centre"),
        ({"client_id": "3MVG9"}, "client_id"),
        ({"api_url": "zohoapis.com"}, "api_url"),
    ],
)
def test_mistakes_in_the_settings(changes: dict[str, Any], field: str) -> None:
    good = {"client_id": "1000.A", "client_secret": SECRET, "refresh_token": "1000." + SECRET}
    Settings.model_validate(good)
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(good | changes)
    assert field in str(caught.value)
    assert SECRET not in str(caught.value)
