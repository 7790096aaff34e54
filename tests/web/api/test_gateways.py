"""Gateways by the API."""

from datetime import timedelta
from pathlib import Path

from pbx_bridge.core.roles import Role
from pbx_bridge.core.routing import Circuit, Standing
from pbx_bridge.store import standings
from tests.web.api.filled import Api
from tests.web.api.filled import api as serve


async def test_how_each_stands_and_what_may_be_spent(tmp_path: Path) -> None:
    section = "\n[spending]\nmax_per_day = 5\n"
    async with serve(tmp_path, section=section) as api:
        told = await api.json("GET", "/gateways", role=Role.VIEWER)
    assert (told["cap_day"], told["cap_month"], told["currency"]) == ("5", None, "USD")
    assert [one["name"] for one in told["items"]] == ["console"]
    assert told["items"][0]["circuit"] == "closed"


async def test_one_that_was_mended_is_used_again(api: Api) -> None:
    until = api.now + timedelta(minutes=10)
    broken = Standing(circuit=Circuit.OPEN, failures=5, until=until, reason="no credit")
    await api.door.page.db.run(lambda tx: standings.save(tx, "console", broken, api.now))
    (told,) = (await api.json("GET", "/gateways"))["items"]
    assert (told["circuit"], told["reason"]) == ("open", "no credit")
    path = "/gateways/console/close-circuit"
    assert (await api.ask("POST", path, role=Role.AGENT)).status == 403
    (told,) = (await api.json("POST", path, role=Role.ADMIN))["items"]
    assert told["circuit"] == "closed"
    assert api.door.page.asked.queued == 1
    assert (await api.ask("POST", "/gateways/no/close-circuit", role=Role.ADMIN)).status == 404
