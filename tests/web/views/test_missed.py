"""Missed calls on the page: what is listed, and what each role can do about it."""

from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientResponse
from sqlalchemy import Connection, text

from pbx_bridge.clock import utc_now
from pbx_bridge.core.follow_up import FollowUpState
from pbx_bridge.core.roles import Role
from pbx_bridge.core.task import ClosedHow, Task
from pbx_bridge.store import audit, followups, tasks
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.audit import Wanted
from tests.store.examples import CALLER
from tests.store.test_followups import begin
from tests.store.test_inbox import missed
from tests.web.site import CSRF, Site

HOSTILE = "<script>alert(1)</script>\u202egnp.exe\x1b[2J" + "x" * 10_000
ACTIONS = ("claim", "leave", "close", "snooze", "note", "reopen")


async def fresh(page: Site, number: str = CALLER, n: int = 1, **more: Any) -> int:
    """Let somebody be missed now; give the task."""
    now = utc_now()
    given = {"now": now, "due_at": now + timedelta(hours=2), "expires_at": now + timedelta(days=7)}
    return await page.db.run(lambda tx: missed(tx, n, number, **(given | more)))


async def task_of(page: Site, task_id: int) -> Task:
    task = await page.db.read(lambda tx: tasks.get(tx, task_id))
    assert task is not None
    return task


async def act(
    page: Site, task_id: int, what: str, role: Role | None = Role.AGENT, **fields: str
) -> ClientResponse:
    return await post(page, task_id, what, fields, role)


async def post(
    page: Site, task_id: int, what: str, fields: dict[str, str], role: Role | None = Role.AGENT
) -> ClientResponse:
    client = await page.client(role)
    return await client.post(f"/missed/{task_id}/{what}", data=fields, allow_redirects=False)


async def shown(
    page: Site, path: str = "/missed", role: Role = Role.AGENT, *, part: bool = False
) -> str:
    headers = {"HX-Request": "true"} if part else {}
    answer = await (await page.client(role)).get(path, headers=headers)
    assert answer.status == 200
    return await answer.text()


async def noted(page: Site) -> list[tuple[str, str, str]]:
    found = await page.db.read(lambda tx: audit.page(tx, Wanted(), limit=50))
    return [(one.who, one.action, one.subject) for one in found]


async def test_who_waits_is_listed_with_reason_and_what_to_do(page: Site) -> None:
    await fresh(page)
    html = await shown(page)
    assert "+1 555-123-4567" in html
    for words in ("phones rang, nobody answered", "this kind of number takes no texts", "Claim"):
        assert words in html
    assert 'href="/conversation/%2B15551234567"' in html
    assert html.count("<h1>") == 1


async def test_nobody_waits_and_what_to_try_is_said(page: Site) -> None:
    assert "call the office from outside and hang up" in await shown(page)
    for which in ("mine", "overdue", "closed"):
        assert 'class="empty"' in await shown(page, f"/missed?which={which}")
    assert "Nobody of that name or number" in await shown(page, "/missed?q=ann")


async def test_a_viewer_sees_and_has_no_buttons(page: Site) -> None:
    await fresh(page)
    html = await shown(page, role=Role.VIEWER)
    assert "+1 555-123-4567" in html
    assert "/claim" not in html
    assert "<textarea" not in html


@pytest.mark.parametrize("what", ACTIONS)
async def test_a_viewer_and_a_stranger_change_nothing(page: Site, what: str) -> None:
    task_id = await fresh(page)
    before = await task_of(page, task_id)
    fields = {"note": "x", "until": "an_hour"}
    assert (await post(page, task_id, what, fields, Role.VIEWER)).status == 403
    assert (await post(page, task_id, what, fields | {"csrf": CSRF}, None)).status == 401
    client = await page.client(Role.AGENT)
    forged = await client.post(
        f"/missed/{task_id}/{what}", data=fields, headers={"X-CSRF-Token": "guessed"}
    )
    assert forged.status == 403
    assert await task_of(page, task_id) == before
    assert await noted(page) == []


@pytest.mark.parametrize("role", [Role.AGENT, Role.ADMIN])
async def test_claim_and_leave(page: Site, role: Role) -> None:
    task_id = await fresh(page)
    assert (await act(page, task_id, "claim", role)).status == 303
    assert (await task_of(page, task_id)).owner == role
    assert "Leave" in await shown(page, "/missed?which=mine", role)
    await act(page, task_id, "leave", role)
    assert (await task_of(page, task_id)).owner == ""
    assert await noted(page) == [
        (role, "task.leave", CALLER), (role, "task.claim", CALLER)
    ]  # fmt: skip


async def test_closing_ends_the_follow_up_as_the_command_does(page: Site) -> None:
    def fill(tx: Connection) -> int:
        follow_up = begin(tx, 60, recipient=CALLER, now=utc_now())
        tx.execute(text("DELETE FROM task"))
        return follow_up

    follow_up = await page.db.run(fill)
    task_id = await fresh(page, n=2)
    answer = await act(page, task_id, "close", note="Called <b>back</b>", back="/missed?which=mine")
    assert answer.headers["Location"] == f"/missed?which=mine&undo={task_id}"
    task = await task_of(page, task_id)
    assert (task.closed_how, task.closed_by) == (ClosedHow.BY_HAND, "agent")
    assert task.notes.endswith("agent: Called <b>back</b>")
    ended = await page.db.read(lambda tx: followups.get(tx, follow_up))
    assert ended is not None
    assert (ended.state, ended.reason) == (FollowUpState.STOPPED, "task_closed")
    assert page.asked.told == 1
    assert await noted(page) == [("agent", "task.close", CALLER)]
    assert "Called &lt;b&gt;back&lt;/b&gt;" in await shown(page, "/missed?which=closed")


async def test_closing_can_be_undone(page: Site) -> None:
    task_id = await fresh(page)
    answer = await act(page, task_id, "close")
    html = await shown(page, answer.headers["Location"])
    assert f"/missed/{task_id}/reopen" in html
    await act(page, task_id, "reopen")
    assert (await task_of(page, task_id)).is_open
    assert "Undo" not in await shown(page, answer.headers["Location"])  # it is open again
    for nonsense in ("0", "x", "9" * 30, "-1", "99"):
        assert "Undo" not in await shown(page, f"/missed?undo={nonsense}")


async def test_undo_gives_way_to_a_later_call(page: Site) -> None:
    task_id = await fresh(page)
    await act(page, task_id, "close")
    await fresh(page, n=2)
    answer = await act(page, task_id, "reopen")
    assert answer.status == 303
    assert "have%20called%20again" in answer.headers["Set-Cookie"]
    assert not (await task_of(page, task_id)).is_open


async def test_what_somebody_else_closed_is_said_to_be(page: Site) -> None:
    task_id = await fresh(page)
    await act(page, task_id, "close")
    for what in ("claim", "close", "snooze"):
        fields = {"until": "an_hour"}
        answer = await post(page, task_id, what, fields)
        assert answer.status == 303
        assert "quicker" in answer.headers["Set-Cookie"]
    assert (await act(page, 99, "claim")).status == 303


async def test_snooze_by_a_choice_or_at_ones_own_time(page: Site) -> None:
    task_id = await fresh(page)
    now = utc_now()
    await act(page, task_id, "snooze", until="an_hour")
    until = (await task_of(page, task_id)).snoozed_until
    assert until is not None
    assert abs(until - now - timedelta(hours=1)) < timedelta(minutes=1)
    there = (now + timedelta(days=2)).replace(second=0, microsecond=0)
    client = await page.client(Role.AGENT)
    client.session.cookie_jar.update_cookies({"pbxb_zone": "Asia/Tokyo"})
    written = (there + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M")
    await client.post(f"/missed/{task_id}/snooze", data={"at": written}, allow_redirects=False)
    assert (await task_of(page, task_id)).snoozed_until == there
    assert "put off" in await shown(page)


@pytest.mark.parametrize(
    "fields",
    [{}, {"at": "2020-01-01T10:00"}, {"at": "tomorrow"}, {"until": "never"},
     {"at": "0001-01-01T00:00"}, {"at": "9999-12-31T23:59Z"}],
)  # fmt: skip
async def test_a_time_that_is_none_or_past_puts_nothing_off(
    page: Site, fields: dict[str, str]
) -> None:
    task_id = await fresh(page)
    answer = await post(page, task_id, "snooze", fields)
    assert "still%20to%20come" in answer.headers["Set-Cookie"]
    assert (await task_of(page, task_id)).snoozed_until is None


async def test_notes(page: Site) -> None:
    task_id = await fresh(page)
    await act(page, task_id, "note", note="")
    assert (await task_of(page, task_id)).notes == ""
    await act(page, task_id, "note", note="line one\nline two")
    assert (await task_of(page, task_id)).notes.endswith("agent: line one line two")
    await act(page, task_id, "close")
    await act(page, task_id, "note", note="after all")
    assert (await task_of(page, task_id)).notes.endswith("after all")


async def test_forms_go_back_to_our_own_pages_only(page: Site) -> None:
    task_id = await fresh(page)
    for claimed in ("https://evil.example", "//evil.example", ""):
        answer = await act(page, task_id, "claim", back=claimed)
        assert answer.headers["Location"] == "/missed"
    answer = await act(page, task_id, "claim", back="/missed?which=mine")
    assert answer.headers["Location"] == "/missed?which=mine"


async def test_hostile_names_titles_and_words_are_inert(page: Site) -> None:
    await fresh(page, name=HOSTILE, title=HOSTILE, line=HOSTILE)
    await act(page, 1, "note", note=HOSTILE)
    for path in ("/missed", "/"):
        html = await shown(page, path)
        assert "<script>alert" not in html
        assert "\u202e" not in html
        assert "\x1b" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert len(html) < 60_000  # 10 kB of a name are cut


async def test_filters_search_and_paging_are_in_the_address(page: Site) -> None:
    def fill(tx: Connection) -> None:
        for n in range(35):
            missed(tx, n, f"+121255501{n:02}", n, name=f"Caller {n}")

    await page.db.run(fill)
    html = await shown(page)
    assert html.count("data-row") == 30
    assert 'href="/missed?page=2"' in html
    second = await shown(page, "/missed?page=2&which=overdue")
    assert second.count("data-row") == 5
    assert 'href="/missed?which=overdue"' in second
    found = await shown(page, "/missed?q=Caller+34")
    assert found.count("data-row") == 1
    assert 'value="Caller 34"' in found
    for nonsense in ("page=0", "page=-1", "page=999999999999", "page=x", "which=x", "q=%00%25"):
        await shown(page, f"/missed?{nonsense}")


async def test_our_script_gets_the_rows_alone(page: Site) -> None:
    await fresh(page)
    part = await shown(page, "/missed?which=open", part=True)
    assert part.lstrip().startswith('<div id="rows"')
    assert "<html" not in part
    assert 'data-say="1 waits, 0 overdue"' in part


async def test_a_caller_without_a_number_has_a_call_and_no_conversation(page: Site) -> None:
    await fresh(page, "")
    html = await shown(page)
    assert "Number withheld" in html
    assert 'href="/calls/1"' in html
    assert "/conversation/" not in html
    await act(page, 1, "close", note="x")
    assert (await task_of(page, 1)).closed_by == "agent"
    assert await noted(page) == [("agent", "task.close", "task 1")]
    assert await page.db.read(lambda tx: stored_messages.recent(tx, limit=9)) == []
