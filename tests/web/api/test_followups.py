"""Follow-ups by the API."""

from tests.web.api.filled import Api


async def test_they_are_listed_with_their_steps(api: Api) -> None:
    everything = (await api.json("GET", "/follow-ups?limit=200"))["items"]
    assert len(everything) > 5
    assert {step["action"] for one in everything for step in one["steps"]} >= {"task", "text"}
    first = await api.json("GET", "/follow-ups?limit=2")
    second = await api.json("GET", "/follow-ups", params={"limit": "2", "cursor": first["next"]})
    assert first["items"] + second["items"] == everything[:4]
    told = await api.json("GET", "/follow-ups?caller=12", status=422)
    assert told["errors"][0]["where"] == "query.caller"


async def test_what_is_under_way_for_a_caller_is_stopped(api: Api) -> None:
    open_ones = (await api.json("GET", "/follow-ups?open=true"))["items"]
    one = next(found for found in open_ones if found["recipient"].startswith("+"))
    told = await api.json("POST", "/follow-ups/stop", json={"number": one["recipient"]})
    assert one["follow_up"] in told["follow_ups"]
    told = await api.json("POST", "/follow-ups/stop", 409, json={"number": one["recipient"]})
    assert told["detail"] == f"nothing is under way for {one['recipient']}"
    tasks = (await api.json("GET", "/tasks?state=open&limit=200"))["items"]
    assert one["recipient"] in {task["number"] for task in tasks}
