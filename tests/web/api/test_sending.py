"""Texts by the API."""

from typing import Any

import pytest

from pbx_bridge.core.delivery import State
from pbx_bridge.core.roles import Role
from pbx_bridge.store.schema import message as table
from tests.web.api.filled import Api

TEXT = {"to": "(646) 555-0142", "body": "We can come tomorrow at nine."}


async def send(api: Api, key: str = "order-1", status: int = 201, **more: Any) -> Any:
    return await api.json(
        "POST", "/messages", status, json=TEXT | more, headers={"Idempotency-Key": key}
    )


async def written(api: Api) -> list[Any]:
    told = await api.json("GET", "/messages?state=queued")
    return [one for one in told["items"] if one["purpose"] == "written"]


async def test_a_text_is_queued_once(api: Api) -> None:
    told = await send(api)
    assert (told["to"], told["state"]) == ("+16465550142", "queued")
    assert told["purpose"] == "written"
    assert api.door.page.asked.queued == 1
    assert await send(api) == told
    assert (await send(api, key="order-2"))["id"] != told["id"]
    noted = [one for one in await api.door.audit() if one.action == "message.send"]
    assert noted[0].subject == "+16465550142"


async def test_a_key_is_for_one_text(api: Api) -> None:
    await send(api)
    told = await send(api, status=422, body="Another.")
    assert "take a new one for each" in told["detail"]


async def test_two_programs_may_use_the_same_key(api: Api) -> None:
    first = await send(api)
    headers = {"Idempotency-Key": "order-1"}
    other = await api.json("POST", "/messages", 201, role=Role.ADMIN, json=TEXT, headers=headers)
    assert other["id"] != first["id"]


async def test_a_key_is_needed(api: Api) -> None:
    told = await api.json("POST", "/messages", 400, json=TEXT)
    assert told["errors"][0]["where"] == "header.Idempotency-Key"


@pytest.mark.parametrize(
    ("changed", "status", "says"),
    [
        ({"to": "+12125550199"}, 409, "opted_out"),
        ({"to": "12"}, 422, "write it as +12125550143"),
        ({"body": "\u202e\x00"}, 422, "write a word"),
        ({"body": "\U0001f600" * 900}, 422, "at most 1600 characters"),
        ({"to": "+44 20 7946 0000"}, 422, ""),
    ],
)
async def test_what_may_not_go_is_refused(
    api: Api, changed: dict[str, str], status: int, says: str
) -> None:
    told = await send(api, status=status, **changed)
    assert says in told["detail"]
    assert await written(api) == []


async def test_how_a_text_would_go_out(api: Api) -> None:
    said = TEXT | {"body": "“Tomorrow” at nine…"}
    told = await api.json("POST", "/previews", role=Role.VIEWER, json=said)
    assert told["body"] == '"Tomorrow" at nine...'
    assert (told["segments"], told["encoding"], told["may_go"]) == (1, "GSM-7", True)
    told = await api.json("POST", "/previews", json=TEXT | {"to": "+12125550199"})
    assert (told["may_go"], told["reason"]) == (False, "opted_out")
    assert await written(api) == []


async def test_what_failed_is_sent_again_once(api: Api) -> None:
    row = (await send(api))["id"]
    told = await api.json("POST", f"/messages/{row}/again", 409)
    assert "only a text that failed" in told["detail"]
    failed = table.update().where(table.c.id == row).values(state=State.FAILED.value)
    await api.door.page.db.run(lambda tx: tx.execute(failed))
    again = await api.json("POST", f"/messages/{row}/again", 201)
    assert again["id"] != row
    assert again["body"] == TEXT["body"]
    assert (await api.ask("POST", f"/messages/{row}/again")).status == 409
    assert (await api.ask("POST", "/messages/9999/again")).status == 404
