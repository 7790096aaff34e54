"""The board on the page: each stage, hostile callers, and never a silently stale view."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from pbx_bridge.core import events as ev
from pbx_bridge.core.board import HEARD_WITHIN, Board, Feed, LiveOn
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.roles import Role
from pbx_bridge.store import calls, contacts
from tests.core.scene import START, Scene
from tests.store.examples import MISSED, PBX
from tests.web.site import Site, site

HOSTILE = "<script>alert(1)</script>\u202e\x07\"'><b>" + "x" * 10_000


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def board(page: Site, scene: Scene, *feeds: Feed, behind: int = 0, **more: str) -> str:
    """Show the scene as it stands; give the part that changes."""
    page.asked.board = Board(
        calls=tuple(LiveOn("office", call) for call in scene.tracker.board()),
        feeds=feeds or (Feed(pbx="office", whole=True),),
        as_of=scene.now - timedelta(seconds=behind),
    )
    client = await page.client(Role.VIEWER)
    answer = await client.get("/live", headers={"HX-Request": "true"}, params=more)
    assert answer.status == 200
    html = await answer.text()
    assert html.count("<section") == 1
    return html


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


@pytest.fixture
async def page(tmp_path: Path, scene: Scene) -> AsyncIterator[Site]:
    async with site(tmp_path, now=lambda: scene.now) as made:
        yield made


async def test_a_quiet_office_is_told_what_to_try(page: Site, scene: Scene) -> None:
    html = await board(page, scene)
    assert "No calls in progress" in words(html)
    assert "As of 4:00:00" in words(html).replace("\u202f", " ")


async def test_a_call_stage_by_stage(page: Site, scene: Scene) -> None:
    scene.arrives().wait(2)
    assert "Arrives 0:02" in words(await board(page, scene))
    scene.rings("101").rings("102").wait(5)
    html = words(await board(page, scene))
    assert "Rings at 101 , 102 0:05 Ann +1 212-555-0142" in html
    assert "1 waiting 0 talking" in html
    scene.dial_ends("102", "CANCEL").up("101", "c").enters("b", "101", "c").wait(61)
    html = await board(page, scene)
    assert "Talks with 101 1:01" in words(html)
    assert "0 waiting 1 talking" in words(html)
    assert f'data-since="{(scene.now - timedelta(seconds=61)).timestamp()}"' in html
    scene.holds("101").wait(3)
    assert "On hold by 101 0:03" in words(await board(page, scene))


async def test_queue_menu_and_voicemail(page: Site, scene: Scene) -> None:
    scene.arrives().up("c").wait(3)
    assert "In a menu or announcement 0:03" in words(await board(page, scene))
    scene.feed(ev.QueueJoined(scene.now, "c", "sales", 2))
    scene.rings("101").wait(70)
    assert "Waits in queue sales , place 2; rings at 101 1:10" in words(await board(page, scene))
    scene.feed(ev.QueueLeft(scene.now, "c", "sales"))
    scene.dial_ends("101").runs("VoiceMail", "101@default")
    assert "In voicemail 101@default 0:00" in words(await board(page, scene))


async def test_who_waits_comes_before_who_talks(page: Site, scene: Scene) -> None:
    scene.arrives("a", "+12125550111").rings("p", by="a").up("p", "a").enters("b", "p", "a")
    scene.wait(5).arrives("w", "+12125550122").rings("q", by="w")
    html = words(await board(page, scene))
    assert html.index("555-0122") < html.index("555-0111")


async def test_callers_are_shown_as_the_office_knows_them(page: Site, scene: Scene) -> None:
    ann = Contact(name="Ann Baker", numbers={"+12125550142": ""})
    await page.db.run(lambda tx: contacts.create(tx, ann, by="test", now=START))
    scene.arrives(called="WIRELESS CALLER")
    html = await board(page, scene)
    assert "Ann Baker" in html
    assert "WIRELESS" not in html
    assert 'href="/conversation/+12125550142"' in html


async def test_a_withheld_number_is_nobodys_business(page: Site, scene: Scene) -> None:
    scene.arrives().feed(ev.PresentationKnown(scene.now, "c", withheld=True))
    html = await board(page, scene)
    assert "Number withheld" in html
    assert "5550142" not in html.replace("-", "").replace(" ", "")


@pytest.mark.parametrize("number", ["anonymous", HOSTILE, ""])
async def test_hostile_callers_are_inert(page: Site, scene: Scene, number: str) -> None:
    scene.arrives(number=number, called=HOSTILE, exten=HOSTILE).rings("p")
    scene.feed(ev.QueueJoined(scene.now, "c", HOSTILE, 1))
    html = await board(page, scene)
    assert "<script" not in html
    assert "\u202e" not in html
    assert "\x07" not in html
    assert "&lt;script&gt;" in html
    assert len(html) < 8_000


async def test_a_lost_feed_is_told_and_its_calls_are_marked(page: Site, scene: Scene) -> None:
    scene.arrives().rings("101").wait(60)
    lost = Feed(pbx="office", whole=False, since=scene.now, problem="silent <b>")
    html = await board(page, scene, lost)
    assert "Phone system office has not been seen since 4:01:00" in words(html).replace(
        "\u202f", " "
    )
    assert "silent &lt;b&gt;" in html
    assert "last heard of at 4:00:00" in words(html).replace("\u202f", " ")
    html = await board(page, Scene(), Feed(pbx="office", whole=False))
    assert "Phone system office has not been seen yet. Its calls" in words(html)


async def test_a_stuck_call_tells_its_age_and_that_it_may_be_over(page: Site, scene: Scene) -> None:
    scene.arrives().rings("p").up("p", "c").enters("b", "p", "c")
    scene.wait(HEARD_WITHIN.total_seconds() + 1)
    html = words(await board(page, scene)).replace("\u202f", " ")
    assert "Talks with p 3:01" in html
    assert "last heard of at 4:00:00" in html
    assert "it may be over" in html


async def test_a_board_that_is_behind_says_so(page: Site, scene: Scene) -> None:
    html = words(await board(page, scene.wait(60), behind=60)).replace("\u202f", " ")
    assert "The service is behind" in html
    assert "As of 4:00:00" in html


async def test_what_just_ended_is_there_for_an_hour(page: Site, scene: Scene) -> None:
    ended = MISSED
    scene.now = (ended.ended or START) + timedelta(minutes=1)
    row = await page.db.run(lambda tx: calls.finish(tx, PBX, "b", ended, "+12125550142"))
    html = await board(page, scene)
    assert f'href="/calls/{row}"' in html
    scene.wait(3601)
    assert "Just ended" not in await board(page, scene)


async def test_without_the_database_the_calls_are_shown_all_the_same(
    page: Site, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbx_bridge.web.views.live._PATIENCE_S", 0.0)
    scene.arrives().rings("101")
    html = words(await board(page, scene))
    assert "Rings at 101" in html
    assert "the database does not answer" in html


async def test_the_whole_page_has_the_board_and_follows_the_changes(page: Site) -> None:
    client = await page.client(Role.VIEWER)
    html = await (await client.get("/live")).text()
    assert 'hx-trigger="sse:calls, sse:health, sse:alive, again"' in html
    assert 'sse-connect="/events?since=run-0"' in html
    assert html.count('id="board"') == 1
    assert "kiosk" not in re.findall(r'<body class="([^"]*)"', html)[0]
    assert not re.search(r"\sstyle=|<script>|\son\w+=", html)
    wall = await (await client.get("/live?kiosk=1")).text()
    assert "kiosk" in re.findall(r'<body class="([^"]*)"', wall)[0]
    assert 'hx-get="/live?kiosk=1"' in wall
