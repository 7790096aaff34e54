"""Messages and replies by the API."""

from pbx_bridge.core.delivery import State
from tests.web.api.filled import HOSTILE, Api


async def test_messages_are_listed_newest_first_a_page_at_a_time(api: Api) -> None:
    everything = (await api.json("GET", "/messages?limit=200"))["items"]
    times = [one["created_at"] for one in everything]
    assert len(times) > 4
    assert times == sorted(times, reverse=True)
    first = await api.json("GET", "/messages?limit=2")
    second = await api.json("GET", "/messages", params={"limit": "2", "cursor": first["next"]})
    assert first["items"] + second["items"] == everything[:4]


async def test_only_some_messages(api: Api) -> None:
    everything = (await api.json("GET", "/messages?limit=200"))["items"]
    delivered = (await api.json("GET", "/messages?state=delivered"))["items"]
    assert {one["state"] for one in delivered} == {State.DELIVERED}
    to = everything[0]["to"]
    found = (await api.json("GET", "/messages", params={"to": to}))["items"]
    assert found == [one for one in everything if one["to"] == to]
    since = await api.json("GET", "/messages", params={"since": everything[1]["created_at"]})
    assert [one["id"] for one in since["items"]] == [one["id"] for one in everything[:2]]


async def test_one_message_with_attempts_and_receipts(api: Api) -> None:
    listed = (await api.json("GET", "/messages?state=delivered"))["items"][0]
    told = await api.json("GET", f"/messages/{listed['id']}")
    assert {name: told[name] for name in listed} == listed
    (attempt,) = told["attempt_list"]
    assert (attempt["kind"], attempt["outcome"]) == ("send", "accepted")
    (receipt,) = told["receipts"]
    assert receipt["state"] == "delivered"
    (reply,) = told["replies"]
    assert reply["from"] == told["to"]
    assert (await api.ask("GET", "/messages/99999")).status == 404


async def test_replies_as_they_were_written_and_understood(api: Api) -> None:
    told = (await api.json("GET", "/replies?limit=200"))["items"]
    assert {one["meaning"] for one in told} >= {"reply", "opt_out", "urgent"}
    assert HOSTILE in {one["body"] for one in told}
    one = told[-1]
    assert await api.json("GET", f"/replies/{one['id']}") == one
    mine = (await api.json("GET", "/replies", params={"sender": one["from"]}))["items"]
    assert one in mine
    assert len(mine) < len(told)
    assert (await api.ask("GET", "/replies/99999")).status == 404


async def test_replies_come_a_page_at_a_time(api: Api) -> None:
    everything = (await api.json("GET", "/replies?limit=200"))["items"]
    first = await api.json("GET", "/replies?limit=2")
    second = await api.json("GET", "/replies", params={"limit": "2", "cursor": first["next"]})
    assert first["items"] + second["items"] == everything[:4]
    since = everything[1]["received_at"]
    found = (await api.json("GET", "/replies", params={"since": since}))["items"]
    assert [one["id"] for one in found][:2] == [one["id"] for one in everything[:2]]
