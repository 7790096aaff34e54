"""Tasks by the API."""

from datetime import timedelta
from typing import Any

import pytest

from pbx_bridge.core.happening import Happened, Listeners
from pbx_bridge.store import events
from tests.web.api.filled import Api


async def the_first(api: Api, state: str = "open") -> dict[str, Any]:
    task: dict[str, Any] = (await api.json("GET", f"/tasks?state={state}"))["items"][0]
    return task


async def test_they_are_listed_newest_first(api: Api) -> None:
    told = await api.json("GET", "/tasks?limit=200")
    times = [one["created_at"] for one in told["items"]]
    assert len(times) > 5
    assert times == sorted(times, reverse=True)
    assert await api.json("GET", "/tasks?state=expired&owner=ann") == {"items": [], "next": None}


async def test_one_page_follows_the_other(api: Api) -> None:
    everything = (await api.json("GET", "/tasks?limit=200"))["items"]
    first = await api.json("GET", "/tasks?limit=3")
    second = await api.json("GET", "/tasks", params={"limit": "3", "cursor": first["next"]})
    assert first["items"] + second["items"] == everything[:6]


async def test_one_is_claimed_and_left(api: Api) -> None:
    task = await the_first(api)
    path = f"/tasks/{task['id']}"
    assert (await api.json("POST", f"{path}/claim"))["owner"] == "token agent"
    assert (await api.json("POST", f"{path}/claim", json={"owner": " ann "}))["owner"] == "ann"
    assert [one["id"] for one in (await api.json("GET", "/tasks?owner=ann"))["items"]] == [
        task["id"]
    ]
    assert (await api.json("POST", f"{path}/leave"))["owner"] == ""
    assert (await api.json("GET", path))["owner"] == ""


async def test_one_is_put_off_to_a_time_to_come(api: Api) -> None:
    path = f"/tasks/{(await the_first(api))['id']}/snooze"
    until = (api.now + timedelta(hours=1)).isoformat()
    told = await api.json("POST", path, json={"until": until})
    assert told["snoozed_until"].startswith(until[:19])
    assert not told["overdue"]
    past = (api.now - timedelta(hours=1)).isoformat()
    told = await api.json("POST", path, 422, json={"until": past})
    assert told["errors"][0]["where"] == "body.until"


async def test_closing_one_ends_the_follow_up_and_is_told(api: Api) -> None:
    endings = api.door.page.inside.endings
    endings.listeners = Listeners.among({"zapier": frozenset(Happened)})
    task = await the_first(api)
    path = f"/tasks/{task['id']}"
    told = await api.json("POST", f"{path}/close", json={"note": "called from the car"})
    assert (told["state"], told["closed_how"], told["closed_by"]) == (
        "done",
        "by_hand",
        "token agent",
    )
    assert told["notes"].endswith("token agent: called from the car")
    assert api.door.page.asked.told == 1
    number = task["number"]
    open_ones = await api.json("GET", "/follow-ups", params={"caller": number, "open": "true"})
    assert open_ones["items"] == []
    happened = await api.door.page.db.read(lambda tx: events.recent(tx, limit=9))
    assert {"task.closed", "follow_up.stopped"} <= {str(one.happening.kind) for one in happened}


async def test_what_has_ended_is_not_closed_again_but_reopened(api: Api) -> None:
    path = f"/tasks/{(await the_first(api))['id']}"
    await api.json("POST", f"{path}/close")
    for action in ("close", "claim", "leave"):
        told = await api.json("POST", f"{path}/{action}", 409)
        assert "is done; this can be done to one that is open" in told["detail"]
    assert (await api.json("POST", f"{path}/reopen"))["state"] == "open"
    told = await api.json("POST", f"{path}/reopen", 409)
    assert "this can be done to one that has ended" in told["detail"]


async def test_a_note_is_added(api: Api) -> None:
    path = f"/tasks/{(await the_first(api))['id']}/notes"
    told = await api.json("POST", path, json={"note": "not at home"})
    assert told["notes"].endswith("token agent: not at home")
    await api.json("POST", path, 400, json={"note": "  "})


@pytest.mark.parametrize("action", ["claim", "leave", "close", "reopen"])
async def test_there_is_no_such_task(api: Api, action: str) -> None:
    told = await api.json("POST", f"/tasks/99999/{action}", 404)
    assert "there is no task 99999" in told["detail"]
    assert (await api.ask("GET", "/tasks/99999")).status == 404
    assert await api.door.audit() == []


async def test_a_caller_has_one_open_task(api: Api) -> None:
    task = await the_first(api)
    await api.json("POST", f"/tasks/{task['id']}/close")
    from pbx_bridge.store import tasks  # noqa: PLC0415 - only here

    await api.door.page.db.run(
        lambda tx: tasks.open_task(
            tx, follow_up=None, call_row=None, recipient=task["number"], name="", line="",
            title="", now=api.now, due_at=None, expires_at=api.now + timedelta(days=1),
        )
    )  # fmt: skip
    told = await api.json("POST", f"/tasks/{task['id']}/reopen", 409)
    assert f"is open for {task['number']}" in told["detail"]
