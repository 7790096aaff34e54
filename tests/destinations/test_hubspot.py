"""HubSpot: what is sent, what its answers mean, and what its search does not know yet."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from pbx_bridge.core.delivery import Accepted, Blame, Deferred, Rejected, Uncertain
from pbx_bridge.destinations.hubspot import SEARCH_LAG, Settings
from tests.destinations.hubspots import FakeHubSpot
from tests.destinations.office import CALLER, HOSTILE, TOKEN, body, missed_call, reply, text, told
from tests.gateways.fakes import Request


def refusing(status: int, category: str, **headers: str) -> bytes:
    return told(status, {"category": category, "message": "words", "correlationId": "x"}, **headers)


#: HTTP status and category of a write that was refused, and what follows.
#: developers.hubspot.com/docs/reference/api/other-resources/error-handling
WRITES: list[tuple[int, str, type, Any, str]] = [
    (400, "VALIDATION_ERROR", Rejected, Blame.MESSAGE, "VALIDATION_ERROR: words"),
    (401, "INVALID_AUTHENTICATION", Rejected, Blame.GATEWAY, "make a new service key"),
    (403, "MISSING_SCOPES", Rejected, Blame.GATEWAY, "crm.objects.contacts.write"),
    (404, "OBJECT_NOT_FOUND", Rejected, Blame.MESSAGE, "answered 404"),
    (409, "CONFLICT", Rejected, Blame.MESSAGE, "answered 409"),
    (423, "", Deferred, True, "answered 423"),
    (429, "RATE_LIMITS", Deferred, True, "RATE_LIMITS"),
    (477, "", Deferred, True, "answered 477"),
    (500, "INTERNAL", Uncertain, None, "answered 500"),
    (502, "", Uncertain, None, "answered 502"),
    (503, "", Deferred, True, "answered 503"),
    (504, "", Uncertain, None, "answered 504"),
    (521, "", Uncertain, None, "answered 521"),
    (301, "", Rejected, Blame.MESSAGE, "answered 301"),
]


@pytest.mark.parametrize(("status", "category", "kind", "how", "said"), WRITES)
async def test_what_a_refused_write_means(
    status: int, category: str, kind: type, how: Any, said: str
) -> None:
    fake = FakeHubSpot()
    fake.know(CALLER)
    fake.instead = lambda one: (
        refusing(status, category, Retry_After="7") if fake.is_write(one) else None
    )
    async with fake.connected() as crm:
        fake.clock.forward(minutes=2)
        result = await crm.deliver(missed_call())
    assert type(result) is kind
    assert said in getattr(result, "reason", "")
    assert getattr(result, "blame", getattr(result, "busy", None)) == how
    if isinstance(result, Deferred):
        assert result.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 429])
async def test_a_read_that_was_refused_for_now_is_done_later(status: int) -> None:
    fake = FakeHubSpot(instead=lambda _: refusing(status, ""))
    async with fake.connected() as crm:
        assert isinstance(await crm.deliver(missed_call()), Deferred)


async def test_a_call_as_hubspot_models_it() -> None:
    fake = FakeHubSpot()
    ann = fake.know(CALLER)
    async with fake.connected() as crm:
        fake.clock.forward(minutes=2)
        await crm.deliver(missed_call())
    (request,) = fake.writes()
    assert request.path == "/crm/v3/objects/calls"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    made = body(request)
    mark = made["properties"].pop("hs_call_body").rpartition("<br>")[2]
    assert mark.startswith("[pbx-bridge ")
    assert made == {
        "properties": {
            "hs_timestamp": "1795453158000",
            "hs_call_title": "Missed call on Sales",
            "hs_call_direction": "INBOUND",
            "hs_call_status": "NO_ANSWER",
            "hs_call_duration": "0",
            "hs_call_from_number": CALLER,
            "hs_call_to_number": "+12125550100",
        },
        "associations": [
            {
                "to": {"id": ann},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}],
            }
        ],
    }


async def test_a_text_is_a_communication() -> None:
    fake = FakeHubSpot()
    fake.know(CALLER)
    async with fake.connected(log_bodies=True) as crm:
        fake.clock.forward(minutes=2)
        await crm.deliver(text("delivered"))
        await crm.deliver(reply(body="<b>Yes</b>\nplease & thanks"))
    first, second = (body(one) for one in fake.writes())
    assert {one.path for one in fake.writes()} == {"/crm/v3/objects/communications"}
    for made in (first, second):
        assert made["properties"]["hs_communication_channel_type"] == "SMS"
        assert made["properties"]["hs_communication_logged_from"] == "CRM"
        assert made["associations"][0]["types"][0]["associationTypeId"] == 81
    assert "Text message sent" in first["properties"]["hs_communication_body"]
    # HubSpot shows it as HTML.
    said = "&lt;b&gt;Yes&lt;/b&gt;<br>please &amp; thanks"
    assert said in second["properties"]["hs_communication_body"]


async def test_hostile_text_is_no_html() -> None:
    fake = FakeHubSpot()
    async with fake.connected(create=True, log_bodies=True) as crm:
        fake.clock.forward(minutes=2)
        await crm.deliver(missed_call(caller_name=HOSTILE, line_name=HOSTILE, line="+1<script>"))
    (entry,) = fake.entries
    assert "<script" not in entry["properties"]["hs_call_body"]
    assert "hs_call_to_number" not in entry["properties"]


async def test_nothing_is_made_before_the_search_must_know_what_was_made_before() -> None:
    """A restart: what the last service made a moment ago cannot be found yet."""
    fake = FakeHubSpot(lag=timedelta(seconds=30))
    fake.know(CALLER)
    async with fake.connected() as crm:
        first = await crm.deliver(missed_call())
        assert isinstance(first, Deferred)
        assert first.busy
        assert first.retry_after == SEARCH_LAG
        assert fake.entries == []
        fake.clock.forward(seconds=61)
        assert isinstance(await crm.deliver(missed_call()), Accepted)
        assert isinstance(await crm.deliver(missed_call()), Accepted)  # it remembers
        assert isinstance(await crm.deliver(missed_call("call-2")), Accepted)  # and waits no more
    assert len(fake.entries) == 2


async def test_a_unique_property_needs_no_waiting() -> None:
    fake = FakeHubSpot(lag=timedelta(days=1), unique_property="pbx_id")
    fake.know(CALLER)
    async with fake.connected(unique_property="pbx_id") as crm:
        made = await crm.deliver(missed_call())
    async with fake.connected(unique_property="pbx_id") as crm:
        assert await crm.deliver(missed_call()) == made
    assert isinstance(made, Accepted)
    assert len(fake.entries) == 1


async def test_what_a_unique_property_refused_is_there() -> None:
    """It was made between our question and our request."""
    fake = FakeHubSpot(unique_property="pbx_id")
    fake.know(CALLER)
    asked = 0

    def late(request: Request) -> bytes | None:
        nonlocal asked
        asked += request.method == "GET"
        return told(404, {}) if request.method == "GET" and asked == 2 else None

    fake.instead = late
    async with fake.connected(unique_property="pbx_id") as crm:
        made = await crm.deliver(missed_call())
    async with fake.connected(unique_property="pbx_id") as crm:
        assert await crm.deliver(missed_call()) == made
    assert len(fake.writes()) == 2
    assert len(fake.entries) == 1


async def test_the_status_is_the_property_that_the_office_names() -> None:
    fake = FakeHubSpot()
    fake.know(CALLER)
    fake.people[0]["properties"]["vip_level"] = "Gold"
    async with fake.connected(status_field="vip_level") as crm:
        status = await crm.status(CALLER)
    assert status is not None
    assert status.status == "Gold"
    assert body(fake.requests[0])["properties"][-1] == "vip_level"


async def test_what_it_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx_bridge.destinations.hubspot.MOST_REMEMBERED", 3)
    fake = FakeHubSpot()
    fake.know(CALLER)
    async with fake.connected() as crm:
        fake.clock.forward(minutes=2)
        for count in range(9):
            await crm.deliver(missed_call(f"call-{count}"))
        assert len(crm._made) <= 4  # type: ignore[attr-defined]
        assert len(crm._tried) <= 3  # type: ignore[attr-defined]
    assert len(fake.entries) == 9


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status_field": "x'; --"}, "status_field"),
        ({"unique_property": "a/b"}, "unique_property"),
        ({"base_url": "https://api.hubapi.com/x"}, "base_url"),
        ({"phone_fields": []}, "phone_fields"),
        ({"phone_fields": ["a", "b", "c", "d"]}, "phone_fields"),
        ({"create": "yes"}, "create"),
        ({"tokn": "x"}, "tokn"),
        ({"token": {"env": "NOT_SET_ANYWHERE"}}, "token"),
    ],
)
def test_mistakes_in_the_settings(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"token": TOKEN} | changes)
    assert field in str(caught.value)
    assert TOKEN not in str(caught.value)
