"""The button by which a customer is called back, and what it shows until the call has ended."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from sqlalchemy import Connection

from pbx_bridge.call_back import Refused
from pbx_bridge.core.call_back import CallBackOutcome, CallBackState, Progress, Refusal
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.roles import Role
from pbx_bridge.sources.ami.on_demand import OnDemandPbx
from pbx_bridge.store import audit, call_backs, consents, contacts
from pbx_bridge.store.audit import Wanted
from pbx_bridge.store.call_backs import CallBackRecord
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get
from tests.sources.ami.fake import FakeAmi
from tests.sources.ami.test_on_demand import access
from tests.store.examples import NOON
from tests.web.site import CONFIG, Site, site

CUSTOMER, OTHER = "+12125550143", "+12125550166"
HOSTILE = "<script>alert(1)</script>\u202egnp.exe"
WITH_CALL_BACK = CONFIG.replace(
    'secret = "x"\n',
    'secret = "x"\ncontrol = { username = "actor", secret = "y" }\n[pbx.call_back]\n',
)
HTMX = {"HX-Request": "true"}
Client = TestClient[web.Request, web.Application]


async def button(visit: Visit) -> web.Response:
    """Show the button as other views do."""
    return visit.part("call_back_state.html", number=CUSTOMER, task=7, record=None, refused=None)


async def words(visit: Visit) -> web.Response:
    """Say every state, outcome and refusal."""
    record = await visit.inside.db.read(lambda tx: call_backs.recent(tx, limit=1))
    said = [visit.part("call_back_state.html", number=CUSTOMER, task=None, record=shown,
                       refused=None) for shown in every(record[0])]  # fmt: skip
    said += [visit.part("call_back_state.html", number=CUSTOMER, task=None, record=None,
                        refused=Refused(why, HOSTILE, record[0]))
             for why in Refusal]  # fmt: skip
    return web.json_response([one.text for one in said])


def every(record: CallBackRecord) -> list[CallBackRecord]:
    """Give the call back in every state, and with every outcome."""
    now = record.progress
    states = [replace(now, state=state) for state in CallBackState if state != "ended"]
    states += [replace(now, detail="no answer"),
               replace(now, state=CallBackState.COLLEAGUE_RINGS, answered_at=NOON)]  # fmt: skip
    at = NOON + timedelta(seconds=125)
    talked: Progress = replace(now, talking_at=NOON)
    ended = [talked.ended(outcome, at) for outcome in CallBackOutcome]
    ended += [talked.ended(CallBackOutcome.TALKED, at, "its end was not seen"),
              now.ended(CallBackOutcome.NOT_PLACED, at, HOSTILE)]  # fmt: skip
    return [replace(record, progress=one) for one in (*states, *ended)]


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Site]:
    control = OnDemandPbx(access(FakeAmi()))
    routes = (get("/button", button), get("/words", words))
    async with site(
        tmp_path, config=WITH_CALL_BACK, more=routes, controls={"office": control}
    ) as made:
        await made.db.run(known)
        yield made


def known(tx: Connection) -> None:
    for number in (CUSTOMER, OTHER):
        contacts.create(tx, Contact(name=HOSTILE, numbers={number: ""}), by="x", now=NOON)


def fields(html: str) -> dict[str, str]:
    """Give what the form in a page sends."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html))


async def shown(client: Client, path: str = "/button") -> str:
    answer = await client.get(path)
    assert answer.status == 200
    return await answer.text()


async def press(client: Client, sent: dict[str, str], **headers: str) -> tuple[int, str]:
    answer = await client.post("/call-back", data=sent, headers=headers, allow_redirects=False)
    return answer.status, answer.headers.get("Location", "") or await answer.text()


async def placed(page: Site) -> list[CallBackRecord]:
    return await page.db.read(call_backs.recent)


async def test_one_click_is_one_call_by_who_is_logged_in(page: Site) -> None:
    agent = await page.client(Role.AGENT)
    sent = fields(await shown(agent))
    assert (sent["number"], sent["task"]) == (CUSTOMER, "7")
    status, html = await press(agent, sent, **HTMX)
    assert status == 200
    (made,) = await placed(page)
    assert (made.user, made.extension, made.number, made.task_id) == (
        "agent",
        "101",
        CUSTOMER,
        None,  # there is no task 7
    )
    assert "The PBX is told to ring 101" in html
    assert " disabled" in html
    assert f'hx-get="/call-back/{made.row_id}"' in html
    assert fields(html)["key"] != sent["key"]
    (note,) = await page.db.read(
        lambda tx: audit.page(tx, Wanted(action="call_back.place"), limit=9)
    )
    assert (note.who, note.subject, note.detail) == ("agent", CUSTOMER, "from 101")


async def test_the_same_form_twice_is_one_call_also_without_scripts(page: Site) -> None:
    agent = await page.client(Role.AGENT)
    sent = fields(await shown(agent))
    first, second = await press(agent, sent), await press(agent, sent)
    (made,) = await placed(page)
    assert first == second == (303, f"/call-back/{made.row_id}")
    html = await shown(agent, first[1])
    assert "<h1>Call back</h1>" in html
    assert "Look again" in html
    assert "<script>alert" not in html
    assert "\u202e" not in html


async def test_a_second_call_is_refused_in_plain_words(page: Site) -> None:
    agent, admin = await page.client(Role.AGENT), await page.client(Role.ADMIN)
    await press(agent, fields(await shown(agent)))
    status, html = await press(agent, fields(await shown(agent)), **HTMX)
    assert (status, 'role="alert"' in html) == (422, True)
    assert "You are calling this customer just now." in html
    status, html = await press(admin, fields(await shown(admin)))
    assert status == 422
    assert "agent is calling this customer just now." in html
    other = fields(await shown(agent)) | {"number": OTHER}
    assert "A call back of yours is under way" in (await press(agent, other, **HTMX))[1]
    assert len(await placed(page)) == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"number": "+12125550199"}, "Only numbers of your callers"),
        ({"number": HOSTILE}, "no telephone number that can be called"),
        ({"number": ""}, "no telephone number that can be called"),
        ({"key": ""}, "no telephone number that can be called"),
    ],
)
async def test_what_is_made_up_calls_nobody(page: Site, changed: dict[str, str], said: str) -> None:
    agent = await page.client(Role.AGENT)
    sent = fields(await shown(agent)) | changed
    for headers in ({}, HTMX):
        status, html = await press(agent, sent, **headers)
        assert (status, said in html, "<script>alert" in html) == (422, True, False)
    assert await placed(page) == []


@pytest.mark.parametrize("task", ["", "x", "9" * 30, "-1", "٣"])
async def test_a_task_that_is_none_is_left_out(page: Site, task: str) -> None:
    agent = await page.client(Role.AGENT)
    status, _ = await press(agent, fields(await shown(agent)) | {"task": task})
    assert status == 303
    assert [made.task_id for made in await placed(page)] == [None]


async def test_who_only_looks_sees_it_but_cannot_call(page: Site) -> None:
    viewer, agent = await page.client(Role.VIEWER), await page.client(Role.AGENT)
    html = await shown(viewer)
    assert "<form" not in html
    assert f'href="tel:{CUSTOMER}"' in html
    sent = fields(await shown(agent))
    assert (await press(viewer, sent))[0] == 403
    assert await placed(page) == []
    _, place = await press(agent, sent)
    assert "The PBX is told to ring 101" in await shown(viewer, place)
    assert (await viewer.get("/call-back/99")).status == 404


async def test_where_it_is_not_set_up_there_is_a_link(tmp_path: Path) -> None:
    async with site(tmp_path, more=(get("/button", button),)) as page:
        agent = await page.client(Role.AGENT)
        html = await shown(agent)
        assert "<form" not in html
        assert f'href="tel:{CUSTOMER}"' in html
        status, html = await press(agent, {"number": CUSTOMER, "key": "key-1"})
        assert status == 422
        assert "Calling back is not set up here" in html


async def test_that_a_customer_wants_no_texts_is_shown_and_does_not_forbid_a_call(
    page: Site,
) -> None:
    await page.db.run(
        lambda tx: consents.record(
            tx,
            ConsentRecord(
                address=CUSTOMER,
                at=NOON,
                kind=ConsentKind.OPT_OUT,
                source=ConsentSource.OFFICE,
                detail="by telephone",
                reply_row=None,
            ),
        )
    )
    agent = await page.client(Role.AGENT)
    status, place = await press(agent, fields(await shown(agent)))
    assert status == 303
    assert "wants no texts; a call is no text" in await shown(agent, place)


async def test_every_state_has_words(page: Site) -> None:
    agent = await page.client(Role.AGENT)
    await press(agent, fields(await shown(agent)))
    said: Any = await (await agent.get("/words")).json()
    texts = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", one)).strip() for one in said]
    assert all("Call back" in one for one in texts)
    assert len(set(texts)) == len(texts), "each has its own"
    assert any("Talked for 2 min 5 sec." in one for one in texts)
    assert any("It says: &lt;script&gt;" in one for one in texts)
    assert all("<script>alert" not in one and "\u202e" not in one for one in said)
    under_way = [one for one in said if "hx-get" in one]
    assert len(under_way) == 6
    assert all(" disabled" in one for one in under_way)
