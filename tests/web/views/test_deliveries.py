"""Deliveries on the page: gateways, messages, what to do; cancelled and mended for real."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from pbx_bridge.clock import utc_now
from pbx_bridge.core.advice import FOR_CIRCUIT
from pbx_bridge.core.delivery import Accepted, Rejected, State
from pbx_bridge.core.roles import Role
from pbx_bridge.core.routing import Circuit, Standing
from pbx_bridge.store import consents, messages, outbox, standings
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.schema import message
from tests.store.examples import CALLER, NOON, minutes, queue_message
from tests.store.test_deliveries import sent
from tests.web.site import CONFIG, CSRF, Site, site
from tests.web.views.test_contacts import HOSTILE, done, send, text

GATEWAYS = """
[texting]
gateways = ["twilio", "modem"]

[spending]
currency = "USD"
max_per_day = 1
max_per_month = 100

[gateways.twilio]
type = "console"

[gateways.modem]
type = "console"
"""


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, config=CONFIG + GATEWAYS) as made:
        yield made


async def message_(page: Site, row: int) -> messages.MessageRecord:
    return await page.db.read(lambda tx: messages.existing(tx, row))


def card(said: str, gateway: str) -> str:
    article = rf'<article class="card" aria-label="{gateway}">.*?</article>'
    found = re.search(article, said, re.DOTALL)
    assert found is not None
    return found[0]


async def test_how_gateways_stand(page: Site) -> None:
    now = utc_now()

    def fill(tx: Connection) -> None:
        sent(tx, "a", Accepted("SM1"), 1)
        sent(tx, "b", Rejected(HOSTILE, "401"), 2)
        queue_message(tx, key="c", step="c", due_at=now - minutes(7), expires_at=now + minutes(9))
        tx.execute(update(message).where(message.c.key == "a").values(
            created_at=now, cost_micros=850_000, priced_by="gateway"))  # fmt: skip
        standings.save(
            tx, "twilio",
            Standing(circuit=Circuit.OPEN, until=now + minutes(5), reason="wrong password"), now,
        )  # fmt: skip

    await page.db.run(fill)
    said = await text(page, "/deliveries", Role.ADMIN)
    twilio, modem = card(said, "twilio"), card(said, "modem")
    assert "not used" in twilio
    assert "wrong password" in twilio
    assert "1 taken, 0 delivered, 0 failed" in twilio
    assert "$0.85" in twilio
    assert "the oldest due" in twilio
    assert "It was mended: use it again now" in twilio
    assert "&lt;script&gt;" in twilio
    assert ">used<" in modem
    assert "none lately" in modem
    assert "over 80 % of the limit" in card(said, "Spending")
    assert 'hx-trigger="sse:gateways, sse:messages"' in said
    assert "It was mended" not in await text(page, "/deliveries")
    for path in ("/deliveries", "/deliveries?show=all", "/deliveries/messages/2"):
        said = await text(page, path, Role.ADMIN)
        assert "<script>alert" not in said
        assert "\u202e" not in said


async def test_a_mended_gateway_is_used_again(page: Site) -> None:
    def fill(tx: Connection) -> int:
        standings.save(tx, "twilio", Standing(circuit=Circuit.OPEN, reason="x"), NOON)
        later = utc_now() + minutes(30)
        row = queue_message(tx, due_at=later, expires_at=later + minutes(30))
        assert row is not None
        tx.execute(update(message).values(code=FOR_CIRCUIT))
        return row

    row = await page.db.run(fill)
    said = await text(page, "/deliveries")
    assert "It goes as soon as the gateway is used again" in said
    form = {"csrf": CSRF, "gateway": "twilio"}
    for role in (Role.VIEWER, Role.AGENT):
        assert (await send(page, "/deliveries/gateways/use", form, role))[0] == 403
    status, where = await send(page, "/deliveries/gateways/use", form, Role.ADMIN)
    assert (status, where) == (303, "/deliveries")
    assert (await page.db.read(standings.everyone))["twilio"].circuit is Circuit.CLOSED
    assert (await message_(page, row)).due_at <= utc_now()
    assert page.asked.queued == 1
    assert await done(page) == [("admin", "gateway.use", "twilio", "")]
    form["gateway"] = "nobody"
    assert (await send(page, "/deliveries/gateways/use", form, Role.ADMIN))[0] == 404


async def test_messages_by_what_became_of_them(page: Site) -> None:
    def fill(tx: Connection) -> None:
        for n in range(30):
            sent(tx, f"k{n}", Rejected(f"reason {n:02}"), n)
        queue_message(tx, key="w", step="w", to="+12125550199")

    assert "Nothing waits" in await text(page, "/deliveries")
    await page.db.run(fill)
    said = await text(page, "/deliveries")
    assert "Waiting (1)" in said
    assert "Failed (30)" in said
    assert "+1 212-555-0199" in said
    said = await text(page, "/deliveries?show=failed")
    assert "reason 29" in said
    assert "reason 04" not in said
    assert "The gateway refused this one" in said
    found = re.search(r'rel="next" href="([^"]+)"', said)
    assert found is not None
    second = await text(page, found[1].replace("&amp;", "&"))
    assert "reason 04" in second
    assert "reason 05" not in second
    assert "Nothing is uncertain" in await text(page, "/deliveries?show=uncertain")
    await text(page, "/deliveries?show=everything", status=404)
    for before in ("x", "2026-11-23~x", "~", "0001-01-01~1"):
        answer = await (await page.client(Role.VIEWER)).get(f"/deliveries?before={before}")
        assert answer.status in {200, 400}


async def test_one_message_with_every_request(page: Site) -> None:
    row = await page.db.run(lambda tx: sent(tx, "a", Rejected("no such number", "21211"), 1))
    said = await text(page, f"/deliveries/messages/{row}")
    assert "refused for good" in said
    assert "no such number" in said
    assert "21211" not in said  # the provider's own words are for who mends it
    said = await text(page, f"/deliveries/messages/{row}", Role.ADMIN)
    assert "21211" in said
    assert "Provider" in said
    await text(page, "/deliveries/messages/4711", status=404)


async def test_a_waiting_message_is_cancelled(page: Site) -> None:
    row = await page.db.run(queue_message)
    assert row is not None
    path = f"/deliveries/messages/{row}"
    assert "Cancel it" in await text(page, path, Role.AGENT)
    assert "Cancel it" not in await text(page, path, Role.VIEWER)
    assert (await send(page, f"{path}/cancel", {"csrf": CSRF}, Role.VIEWER))[0] == 403
    status, where = await send(page, f"{path}/cancel", {"csrf": CSRF})
    assert (status, where) == (303, path)
    assert (await message_(page, row)).state is State.CANCELLED
    assert await page.db.run(lambda tx: outbox.claim_due(tx, NOON, 9, lambda *_: None)) == []
    assert await done(page) == [("agent", "message.cancel", CALLER, f"message {row}")]
    said = await text(page, path, Role.AGENT)
    assert "cancelled by agent" in said
    assert "Cancel it" not in said
    await send(page, f"{path}/cancel", {"csrf": CSRF})
    assert len(await done(page)) == 1


async def test_a_failed_text_is_really_sent_again(page: Site) -> None:
    row = await page.db.run(
        lambda tx: sent(tx, "a", Rejected("busy there", "30003"), 1, to="+12125550142")
    )
    path = f"/deliveries/messages/{row}"
    assert "Send it again" in await text(page, path, Role.AGENT)
    assert "Send it again" not in await text(page, path, Role.VIEWER)
    assert (await send(page, f"{path}/again", {"csrf": CSRF}, Role.VIEWER))[0] == 403
    status, where = await send(page, f"{path}/again", {"csrf": CSRF})
    assert status == 303
    assert where != path
    made = int(where.removeprefix("/deliveries/messages/"))
    again = await message_(page, made)
    before = await message_(page, row)
    assert before.state is State.FAILED  # it stays what it was
    assert (again.state, again.to, again.body) == (State.QUEUED, before.to, before.body)
    assert page.asked.queued == 1
    assert await done(page) == [
        ("agent", "message.again", "+12125550142", f"message {row} as {made}")
    ]
    assert "Send it again" not in await text(page, path, Role.AGENT)
    assert (await send(page, f"{path}/again", {"csrf": CSRF}))[1] == path  # only once
    assert len(await done(page)) == 1


async def test_who_wants_no_texts_gets_none_again(page: Site) -> None:
    def fill(tx: Connection) -> int:
        given = ConsentRecord(
            address=CALLER, at=NOON, kind=ConsentKind.OPT_OUT, source=ConsentSource.REPLY,
            detail="STOP", reply_row=None,
        )  # fmt: skip
        consents.record(tx, given)
        return sent(tx, "a", Rejected("blocked"), 1)

    row = await page.db.run(fill)
    assert "Only they can change that" in await text(page, f"/deliveries/messages/{row}")
    where = (await send(page, f"/deliveries/messages/{row}/again", {"csrf": CSRF}))[1]
    assert where == f"/deliveries/messages/{row}"
    assert page.asked.queued == 0
    assert await done(page) == []
