"""Webhooks and CRMs on the page: how they stand, and telling them again."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from pbx_bridge.clock import utc_now
from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.core.redelivery import DeliveryState, DestinationStanding, Fate
from pbx_bridge.core.roles import Role
from pbx_bridge.store import events
from tests.web.site import CONFIG, CSRF, Site, site
from tests.web.views.test_contacts import HOSTILE, done, send, text

WEBHOOK = """
[[webhooks]]
name = "zapier"
url = "https://hooks.zapier.example/hooks/1"
secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
"""
PATH = "/deliveries/webhooks"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, config=CONFIG + WEBHOOK) as made:
        yield made


def told(tx: Connection, n: int, state: DeliveryState, *, to: str = "zapier") -> int:
    """Write down something that happened, and what came of telling it."""
    now = utc_now()
    happening = Happening(
        key=f"event-{n}", kind=Happened.CALL_MISSED, at=now, number="+12125550143", data={}
    )
    events.record(tx, happening, [to], now)
    (one,) = events.claim_due(tx, now, 1, timedelta(minutes=1), among=[to])
    failing = DestinationStanding(failing_since=now, detail=HOSTILE, disabled=True)
    good = state is DeliveryState.DELIVERED
    standing = DestinationStanding() if good else failing
    fate = Fate(
        state=state, due_at=now, standing=standing, detail="" if good else HOSTILE, code="410"
    )
    events.settle(tx, one.delivery_id, fate, now)
    events.save_standing(tx, to, DestinationStanding(), now)
    if not good:
        events.save_standing(tx, to, failing, now)
    return one.delivery_id


async def state(page: Site, delivery: int) -> DeliveryState:
    found = await page.db.read(lambda tx: events.recent(tx, limit=100))
    return next(one.state for one in found if one.delivery_id == delivery)


async def test_how_they_stand_and_what_they_were_told(page: Site) -> None:
    said = await text(page, PATH)
    assert "zapier" in said
    assert "hooks.zapier.example" in said
    assert "hooks/1" not in said  # its path is a secret
    assert "Nothing was to be told" in said
    await page.db.run(lambda tx: told(tx, 1, DeliveryState.FAILED))
    said = await text(page, PATH, Role.ADMIN)
    assert "switched off" in said
    assert "mend its address, token or secret" in said
    assert "call.missed" in said
    assert "given up" in said
    assert "<code><bdi>410</bdi></code>" in said
    assert "<script>alert" not in said
    assert "\u202e" not in said
    assert "410" not in await text(page, PATH)


async def test_one_thing_is_told_again(page: Site) -> None:
    delivery = await page.db.run(lambda tx: told(tx, 1, DeliveryState.FAILED))
    path = f"{PATH}/{delivery}/again"
    for role in (Role.VIEWER, Role.AGENT):
        assert (await send(page, path, {"csrf": CSRF}, role))[0] == 403
    status, where = await send(page, path, {"csrf": CSRF}, Role.ADMIN)
    assert (status, where) == (303, f"{PATH}?to=zapier")
    assert await state(page, delivery) is DeliveryState.WAITING
    claimed = await page.db.run(
        lambda tx: events.claim_due(tx, utc_now(), 9, timedelta(minutes=1), among=["zapier"])
    )
    assert [one.delivery_id for one in claimed] == [delivery]
    assert page.asked.told == 1
    assert await done(page) == [("admin", "delivery.again", "zapier", "event-1")]
    await send(page, path, {"csrf": CSRF}, Role.ADMIN)  # it waits already
    assert len(await done(page)) == 1


async def test_all_that_was_given_up_is_told_again(page: Site) -> None:
    def fill(tx: Connection) -> tuple[int, int]:
        return told(tx, 1, DeliveryState.DELIVERED), told(tx, 2, DeliveryState.FAILED)

    good, bad = await page.db.run(fill)
    form = {"csrf": CSRF, "to": "zapier"}
    assert (await send(page, f"{PATH}/failed", form, Role.AGENT))[0] == 403
    status, _ = await send(page, f"{PATH}/failed", form, Role.ADMIN)
    assert status == 303
    assert await state(page, good) is DeliveryState.DELIVERED
    assert await state(page, bad) is DeliveryState.WAITING
    assert await done(page) == [("admin", "delivery.replay", "zapier", "1 that had failed")]
    form["to"] = "nobody"
    assert (await send(page, f"{PATH}/failed", form, Role.ADMIN))[0] == 404


async def test_the_list_is_filtered_and_paged(page: Site) -> None:
    def fill(tx: Connection) -> None:
        for n in range(30):
            told(tx, n, DeliveryState.DELIVERED)
        told(tx, 99, DeliveryState.FAILED)

    await page.db.run(fill)
    said = await text(page, f"{PATH}?state=failed&to=zapier")
    assert said.count("call.missed") == 1
    said = await text(page, PATH)
    assert said.count("<td>call.missed</td>") == 25
    found = re.search(r'rel="next" href="([^"]+)"', said)
    assert found is not None
    second = await text(page, found[1].replace("&amp;", "&"))
    assert second.count("<td>call.missed</td>") == 6
    await text(page, f"{PATH}?before=x", status=400)
    await text(page, f"{PATH}?state=x")
