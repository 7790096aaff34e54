"""Contacts by the API."""

from typing import Any

import pytest

from pbx_bridge.core.happening import Happened, Listeners
from pbx_bridge.core.roles import Role
from pbx_bridge.store import events
from tests.web.api.filled import Api

ANN = {
    "name": "Ann Baker",
    "kind": "customer",
    "tags": ["VIP", "roof"],
    "email": "Ann@Example.com",
    "numbers": {"(212) 555-0143": "mobile"},
}


async def test_they_are_listed_and_searched(api: Api) -> None:
    everything = (await api.json("GET", "/contacts?limit=200"))["items"]
    assert len(everything) > 5
    first = await api.json("GET", "/contacts?limit=3")
    second = await api.json("GET", "/contacts", params={"limit": "3", "cursor": first["next"]})
    assert first["items"] + second["items"] == everything[:6]
    found = (await api.json("GET", "/contacts?text=caller%203"))["items"]
    assert [one["name"] for one in found] == ["Caller 3"]
    (number,) = found[0]["numbers"]
    by_number = await api.json("GET", "/contacts", params={"text": number.removeprefix("+1")})
    assert by_number["items"] == found
    vips = (await api.json("GET", "/contacts?tag=VIP&limit=200"))["items"]
    assert vips == [one for one in everything if "vip" in one["tags"]]
    assert (await api.json("GET", "/contacts?tag=%2C"))["items"] == []


async def test_one_is_made_changed_and_forgotten(api: Api) -> None:
    endings = api.door.page.inside.endings
    endings.listeners = Listeners.among({"zapier": frozenset(Happened)})
    made = await api.json("POST", "/contacts", 201, json=ANN)
    assert made["numbers"] == {"+12125550143": "mobile"}
    assert made["tags"] == ["roof", "vip"]
    assert made["email"] == "ann@example.com"
    assert made["edited"]["name"] == "token agent"
    path = f"/contacts/{made['id']}"
    assert await api.json("GET", path) == made
    changed = await api.json("PUT", path, json=ANN | {"name": "Ann Cook", "tags": []})
    assert (changed["name"], changed["tags"]) == ("Ann Cook", [])
    gone = await api.ask("DELETE", path)
    assert (gone.status, await gone.read()) == (204, b"")
    assert (await api.ask("GET", path)).status == 404
    assert (await api.ask("DELETE", path)).status == 404
    assert (await api.ask("PUT", path, json=ANN)).status == 404
    happened = await api.door.page.db.read(lambda tx: events.recent(tx, limit=9))
    assert [one.happening.data["change"] for one in happened] == ["deleted", "changed", "created"]
    assert api.door.page.asked.told == 3
    done = [(one.action, one.subject) for one in await api.door.audit()]
    assert done == [
        ("contact.remove", str(made["id"])),
        ("contact.edit", str(made["id"])),
        ("contact.create", "Ann Baker"),
    ]


async def test_nobody_elses_change_is_lost(api: Api) -> None:
    path = f"/contacts/{(await api.json('POST', '/contacts', 201, json=ANN))['id']}"
    seen = (await api.ask("GET", path)).headers["ETag"]
    first = await api.ask("PUT", path, json=ANN | {"company": "A"}, headers={"If-Match": seen})
    assert first.status == 200
    second = await api.ask("PUT", path, json=ANN | {"company": "B"}, headers={"If-Match": seen})
    assert second.status == 412
    assert (await api.ask("DELETE", path, headers={"If-Match": seen})).status == 412
    assert (await api.json("GET", path))["company"] == "A"
    now = first.headers["ETag"]
    assert (await api.ask("DELETE", path, headers={"If-Match": now})).status == 204


@pytest.mark.parametrize(
    ("said", "where", "right"),
    [
        ({"name": "Ann"}, "body", "neither a number nor an e-mail address"),
        (ANN | {"numbers": {"12": ""}}, "body.numbers", "write it as +12125550143"),
        (ANN | {"email": "ann"}, "body.email", "such as ann@example.com"),
        (ANN | {"language": "klingon"}, "body.language", "two letters"),
        (ANN | {"zone": "New York"}, "body.zone", "such as America/New_York"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    api: Api, said: dict[str, Any], where: str, right: str
) -> None:
    told = await api.json("POST", "/contacts", 422, json=said)
    assert told["errors"][0]["where"] == where
    assert right in told["errors"][0]["problem"]


async def test_a_number_belongs_to_one_contact(api: Api) -> None:
    made = await api.json("POST", "/contacts", 201, json=ANN)
    told = await api.json("POST", "/contacts", 409, json=ANN)
    assert f"belongs to contact {made['id']}" in told["detail"]


async def test_what_contact_and_office_had_to_do_with_each_other(api: Api) -> None:
    replies = (await api.json("GET", "/replies?limit=200"))["items"]
    number = replies[0]["from"]
    (contact,) = (await api.json("GET", "/contacts", params={"text": number}))["items"]
    path = f"/contacts/{contact['id']}/history"
    told = await api.json("GET", path, role=Role.VIEWER)
    assert {one["caller"] for one in told["calls"]} == {number}
    assert told["messages"]
    assert replies[0] in told["replies"]
    assert told["last_written"]["direction"] in {"in", "out"}
    assert len((await api.json("GET", f"{path}?limit=1"))["messages"]) == 1
    assert (await api.ask("GET", "/contacts/9999/history")).status == 404
