"""Rules and simulations by the API."""

from pathlib import Path

import pytest

from pbx_bridge.core.roles import Role
from tests.web.api.filled import Api
from tests.web.api.filled import api as serve

RULE = """
[[rules]]
name = "new callers, sales line"
lines = ["Sales"]
callers = ["new"]
wait = "20s.."
then = "nothing"

[[lines]]
name = "Sales"
number = "+12125550100"
"""


async def test_as_they_are_asked_and_read_aloud(tmp_path: Path) -> None:
    async with serve(tmp_path, section=RULE) as api:
        told = await api.json("GET", "/rules", role=Role.VIEWER)
    first = told["rules"][0]
    assert (first["name"], first["built_in"]) == ("new callers, sales line", False)
    assert first["conditions"]["lines"] == ["Sales"]
    assert first["conditions"]["callers"] == ["new"]
    assert first["conditions"]["wait"] == {"least": 20.0, "most": None}
    assert "New callers to Sales" in first["sentence"]
    assert told["rules"][-1]["built_in"]
    assert told["sequences"][0]["steps"]
    assert told["shadow"]


async def test_what_would_be_done_about_a_call(api: Api) -> None:
    words = "a new caller, Saturday 14:05, abandoned after 20 s"
    told = await api.json("POST", "/simulate", role=Role.VIEWER, json={"words": words})
    assert told["call"]["caller_kind"] == "new"
    assert told["text"]["body"].startswith("Hello, this is Miller & Sons.")
    assert told["text"]["segments"] == 1
    assert any(one["matches"] for one in told["rules"])
    assert all(one["passes"] for one in told["checks"])
    assert await api.json("POST", "/simulate", json={})


async def test_what_would_be_done_about_somebody_real(api: Api) -> None:
    told = await api.json("POST", "/simulate", json={"number": "+12125550199"})
    assert told["text"] is None
    assert told["checks"][-1]["reason"] == "opted_out"


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ({"words": "purple monkey"}, 'not understood: "purple monkey"'),
        ({"number": "12"}, "such as +12125550142"),
    ],
)
async def test_what_is_not_understood_is_told(api: Api, said: dict[str, str], right: str) -> None:
    told = await api.json("POST", "/simulate", 422, json=said)
    assert right in told["detail"]
