"""The start page: today in a sentence, who needs somebody, and whether all works."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import Accepted, Step
from pbx_bridge.core.delivery import State as MessageState
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.core.roles import Role
from pbx_bridge.core.routing import Circuit, Standing
from pbx_bridge.store import calls, outbox, replies, standings
from pbx_bridge.web.views.today import needing
from tests.core.test_policy import MISSED
from tests.store.examples import BOOT, CALLER, PBX, queue_message
from tests.store.test_followups import begin
from tests.web.site import CONFIG, Site, site
from tests.web.views.test_missed import fresh, shown

SENDING = (
    CONFIG
    + """
[texting]
enabled = true
gateways = ["console"]
[gateways.console]
type = "console"
[spending]
max_per_day = 0.02
"""
)


async def test_an_empty_day(page: Site) -> None:
    html = await shown(page, "/")
    assert (
        "0 calls missed, shadow mode: nobody is texted, 0 replied, 0 reached since, 0 wait" in html
    )
    assert "Nobody waits for a call" in html


async def test_a_day_in_a_sentence(tmp_path: Path) -> None:
    async with site(tmp_path, config=SENDING) as page:
        now = utc_now()

        def fill(tx: Connection) -> None:
            call = MISSED.__class__(
                **{f: getattr(MISSED, f) for f in MISSED.__dataclass_fields__}
                | {"call_id": "1", "began": now, "ended": now}
            )
            calls.finish(tx, PBX, BOOT, call, CALLER)
            follow_up = begin(tx, recipient=CALLER, now=now)
            message = queue_message(
                tx, follow_up=follow_up, created_at=now, due_at=now,
                expires_at=now + timedelta(hours=1), gateway="console",
            )  # fmt: skip
            assert message is not None
            outbox.claim_due(tx, now, 9, lambda *_: None)
            outbox.settle_attempt(
                tx, message, Step(MessageState.ACCEPTED, None, ""), Accepted("x"),
                now=now + timedelta(seconds=4), seconds=0.1,
            )  # fmt: skip
            replies.insert(
                tx, "console", Reply(gateway_ref="1", sender=CALLER, body="yes"),
                now=now + timedelta(seconds=5), sender_e164=CALLER, meaning=Meaning.REPLY,
                detail="", message_id=None, call_row=None,
            )  # fmt: skip

        await page.db.run(fill)
        await fresh(page, "+12125550142", n=7)
        html = await shown(page, "/")
        assert "1 call missed, 1 texted, 1 replied, 0 reached since, 1 waits" in html
        assert "within 4 sec" in html


async def test_what_does_not_work_is_told(tmp_path: Path) -> None:
    async with site(tmp_path, config=SENDING) as page:
        assert "takes texts" in await shown(page, "/")
        opened = Standing(circuit=Circuit.OPEN, reason="refuses our <b>credentials</b>")

        def fill(tx: Connection) -> None:
            standings.save(tx, "console", opened, utc_now())
            queue_message(
                tx, gateway="console", created_at=utc_now(), due_at=utc_now() - timedelta(hours=1),
                expires_at=utc_now() + timedelta(hours=1),
            )  # fmt: skip

        await page.db.run(fill)
        html = await shown(page, "/")
        assert "refuses our &lt;b&gt;credentials&lt;/b&gt;" in html
        assert "1 text waits" in html
        assert str(Decimal("0.02")) in html


async def test_our_script_gets_what_changes_alone(page: Site) -> None:
    part = await shown(page, "/", part=True)
    assert part.lstrip().startswith('<div id="now"')
    assert "<html" not in part


@pytest.mark.parametrize(
    ("role", "more", "calls", "leads_to"),
    [
        (Role.ADMIN, "", 0, "/bridge/setup"),
        (Role.ADMIN, "", 1, None),
        (Role.ADMIN, "[texting]\nenabled = true\n", 0, None),
        (Role.AGENT, "", 0, None),
        (Role.VIEWER, "", 0, None),
        (None, "", 0, "/bridge/login?next=/"),
    ],
)
async def test_a_new_installation_is_set_up_first(
    tmp_path: Path, role: Role | None, more: str, calls: int, leads_to: str | None
) -> None:
    async with site(tmp_path, config=CONFIG + more, base="/bridge") as made:
        for _ in range(calls):
            await fresh(made)
        browser = await made.client(role)
        answer = await browser.get("/bridge/", allow_redirects=False)
    assert answer.status == (200 if leads_to is None else 303)
    assert answer.headers.get("Location") == leads_to


async def test_every_role_may_see_it_and_who_is_not_logged_in_may_not(page: Site) -> None:
    await fresh(page)
    for role in Role:
        assert "Today" in await shown(page, "/", role)
    answer = await (await page.client(None)).get("/", allow_redirects=False)
    assert answer.status == 303


async def test_closing_here_comes_back_here(page: Site) -> None:
    task_id = await fresh(page)
    client = await page.client(Role.AGENT)
    answer = await client.post(f"/missed/{task_id}/close", data={"back": "/"})
    assert answer.url.path_qs == f"/?undo={task_id}"
    assert "Undo" in await answer.text()


async def test_what_is_overdue_comes_first(page: Site) -> None:
    late = await fresh(page, "+12125550101", 1, due_at=utc_now() - timedelta(hours=1))
    soon = await fresh(page, "+12125550102", 2)
    html = await shown(page, "/")
    assert html.index(f'id="row-{late}"') < html.index(f'id="row-{soon}"')
    assert needing([], []) == []
