"""Opt-outs by the API."""

from tests.web.api.filled import HOSTILE, Api

SAID = {"number": "+12125550142", "evidence": "asked on the phone"}


async def test_the_list_a_page_at_a_time(api: Api) -> None:
    told = (await api.json("GET", "/opt-outs"))["items"]
    assert told[0] == told[0] | {"number": "+12125550199", "evidence": HOSTILE}
    first = await api.json("GET", "/opt-outs?limit=1")
    second = await api.json("GET", "/opt-outs", params={"limit": "1", "cursor": first["next"]})
    assert first["items"] + second["items"] == told[:2]


async def test_a_number_goes_on_the_list_and_off_with_evidence(api: Api) -> None:
    told = await api.json("POST", "/opt-outs", json=SAID)
    assert told["opted_out"]
    assert told["items"][0]["evidence"] == "asked on the phone (token agent)"
    again = await api.json("POST", "/opt-outs", json=SAID)
    assert again == told
    told = await api.json("POST", "/opt-ins", json=SAID | {"evidence": "changed her mind"})
    assert not told["opted_out"]
    assert [one["kind"] for one in told["items"]] == ["opt_out", "opt_in"]
    assert await api.json("GET", "/opt-outs/2125550142") == told
    assert "+12125550142" not in {
        one["number"] for one in (await api.json("GET", "/opt-outs"))["items"]
    }


async def test_what_waits_for_the_number_is_cancelled(api: Api) -> None:
    under_way = (await api.json("GET", "/follow-ups?open=true"))["items"]
    number = next(one["recipient"] for one in under_way if one["recipient"].startswith("+"))
    await api.json("POST", "/opt-outs", json=SAID | {"number": number})
    told = (await api.json("GET", "/follow-ups", params={"caller": number}))["items"]
    assert {one["state"] for one in told} == {"stopped"}
    assert told[0]["reason"] == "opted_out"
    assert "waiting" not in {step["state"] for one in told for step in one["steps"]}
    assert api.door.page.asked.told == 1


async def test_evidence_is_needed(api: Api) -> None:
    told = await api.json("POST", "/opt-outs", 400, json=SAID | {"evidence": " "})
    assert told["errors"][0]["where"] == "body.evidence"
    told = await api.json("GET", "/opt-outs/12", 422)
    assert told["errors"][0]["where"] == "path.number"
