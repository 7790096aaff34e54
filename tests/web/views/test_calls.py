"""The list of calls with its filters, and all that is known of one call."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.call import Call, Caller, Reason
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.roles import Role
from pbx_bridge.store import calls, contacts
from pbx_bridge.web.views.calls import SHOWN, filtered
from tests.core.scene import Scene
from tests.store.examples import ANSWERED, MISSED, NOON, PBX, queue_message
from tests.web.site import Site, site

HOSTILE = "<script>alert(1)</script>\u202e\x07\"'><b>" + "x" * 10_000
HOUR = timedelta(hours=1)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, now=lambda: NOON + HOUR) as made:
        yield made


def made(n: int, call: Call = MISSED, **changes: Any) -> Call:
    """Give a call like another, of its own name and time."""
    began = NOON - timedelta(minutes=n)
    ended = began + timedelta(seconds=40)
    return replace(call, call_id=f"1700000000.{n}", began=began, ended=ended, **changes)


async def write(page: Site, *those: tuple[Call, str | None]) -> list[int]:
    def save(tx: Connection) -> list[int]:
        rows = (calls.finish(tx, PBX, "boot", call, e164) for call, e164 in those)
        return [row for row in rows if row is not None]

    return await page.db.run(save)


async def get(page: Site, path: str, **query: str) -> str:
    client = await page.client(Role.VIEWER)
    answer = await client.get(path, params=query)
    assert answer.status == 200
    html = await answer.text()
    assert not re.search(r"<script(?! src=)|\sstyle=|\son\w+=", html)
    assert "\u202e" not in html
    assert "\x07" not in html
    return html


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def shown(html: str) -> list[int]:
    return [int(row) for row in re.findall(r'href="/calls/(\d+)"', html)]


async def test_before_the_first_call_is_told_what_will_be_here(page: Site) -> None:
    assert "No calls yet" in words(await get(page, "/calls"))
    assert "No call fits" in words(await get(page, "/calls", q="nobody"))


async def test_calls_come_newest_first_a_page_at_a_time(page: Site) -> None:
    rows = await write(page, *((made(n), "+12125550142") for n in range(SHOWN * 2 + 3)))
    path, seen = "/calls?became=missed", []
    client = await page.client(Role.VIEWER)
    while path:
        html = await (await client.get(path)).text()
        seen += shown(html)
        after = re.search(r'rel="next" href="([^"]*)"', html)
        path = after[1].replace("&amp;", "&") if after else ""
        assert not path or "became=missed" in path
    assert seen == rows


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [0, 1, 2]),
        ({"became": "answered"}, [1]),
        ({"became": "missed"}, [0, 2]),
        ({"reason": "busy"}, [2]),
        ({"line": "Service"}, [2]),
        ({"q": "ann"}, [0]),
        ({"q": "555-0177"}, [2]),
        ({"q": "Baker"}, [2]),
        ({"q": "%"}, []),
        ({"day": "2026-11-22"}, [1]),
        ({"day": "2026-11-23"}, [0, 2]),
        ({"became": "missed", "q": "555", "line": "Service", "day": "2026-11-23"}, [2]),
        ({"day": "31 December", "became": "nothing", "before": "x_y", "q": "555-0177"}, [2]),
        ({"day": "0001-01-01"}, [0, 1, 2]),
    ],
)
async def test_filters(page: Site, query: dict[str, str], found: Sequence[int]) -> None:
    ann, nobody = Caller("+12125550142", "Ann", False), Caller("+12125550177", "", False)  # noqa: FBT003
    baker = Contact(name="Bob Baker", numbers={"+12125550177": ""})
    await page.db.run(lambda tx: contacts.create(tx, baker, by="test", now=NOON))
    rows = await write(
        page,
        (made(0, caller=ann), "+12125550142"),
        (made(1440, ANSWERED, caller=Caller("", "", True)), None),  # noqa: FBT003
        (made(2, caller=nobody, line="Service", reason=Reason.BUSY), "+12125550177"),
    )
    html = await get(page, "/calls", **query)
    assert sorted(shown(html)) == sorted(rows[n] for n in found)
    assert ("makes no sense" in html) is ("before" in query or query.get("day") == "0001-01-01")


def test_a_filter_is_the_same_after_it_was_an_address() -> None:
    wanted = filtered({"q": "a & b=ü", "line": "x", "became": "missed", "day": "2026-02-28"})
    assert not wanted.wrong
    assert wanted.link() == "/calls?q=a+%26+b%3D%C3%BC&line=x&became=missed&day=2026-02-28"


async def test_a_live_call_is_in_progress(page: Site) -> None:
    live = replace(MISSED, ended=None)
    row = await page.db.run(lambda tx: calls.begin(tx, PBX, "boot", live, "+12125550142"))
    assert "in progress" in words(await get(page, "/calls"))
    assert "The call is in progress" in words(await get(page, f"/calls/{row}"))


async def told(page: Site, scene: Scene) -> tuple[str, ET.Element]:
    """Show the scene's call; give the page and its drawing."""
    (call,) = scene.ended
    (row,) = await write(page, (call, "+12125550142"))
    html = await get(page, f"/calls/{row}")
    (svg,) = re.findall(r'<svg class="timeline".*?</svg>', html, re.DOTALL)
    return html, ET.fromstring(svg)  # noqa: S314 - our own


async def test_a_call_is_drawn_and_told_step_by_step(page: Site) -> None:
    s = Scene().arrives().wait(2).rings("101").rings("102").wait(5)
    s.dial_ends("102", "CANCEL").dial_ends("101", "ANSWER").up("101", "c").enters("b", "101", "c")
    s.wait(20).caller_hangs_up().gone("101", "c")
    html, svg = await told(page, s)
    lanes = [text.text for text in svg.iter("text") if text.get("class") == "party"]
    assert lanes == ["Caller", "101", "102"]
    bars = [(g.get("class"), (g.findtext("title") or "")) for g in svg.iter("g")]
    assert ("bar talk", "talks 101, 20 sec") in bars
    assert ("bar ring", "rings 101, 5 sec, answered") in bars
    text = words(html)
    assert "4:00:02.000 AM" not in text  # the table has exact times, by a clock of 24 hours
    assert "04:00:07.000 0:07 Connected with a person 101" in text
    assert "04:00:27.000 0:27 Somebody hangs up the caller" in text


async def test_queue_voicemail_and_hold_are_drawn(page: Site) -> None:
    s = Scene().arrives().up("c").wait(5).joins("sales").wait(30).quits("sales")
    s.runs("VoiceMail", "101@default").wait(9).caller_hangs_up().gone("c")
    _, svg = await told(page, s)
    kinds = [g.get("class") for g in svg.iter("g") if (g.get("class") or "").startswith("bar")]
    assert kinds == ["bar menu", "bar queue", "bar voicemail"]


async def test_what_was_judged_sent_and_answered_is_told_in_words(page: Site) -> None:
    (row,) = await write(page, (MISSED, "+15551234567"))

    def judge(tx: Connection) -> None:
        for outcome, rule, checks in (
            (
                "skip",
                "quiet_hours",
                [("unobserved", "passes", ""), ("quiet_hours", "objects", "3 AM")],
            ),
            ("text", "", [("unobserved", "passes", "")]),
        ):
            calls.save_decision(
                tx, row, at=NOON, moment="call_ended", outcome=outcome, rule=rule, detail="",
                checks=checks, matched_rule="At night", sequence="later", track="after_hours",
            )  # fmt: skip
        queue_message(tx, call_row=row)

    await page.db.run(judge)
    text = words(await get(page, f"/calls/{row}"))
    assert "It is no night there, or morning is soon enough objects 3 AM" in text
    assert "The whole call was seen passes" in text
    assert "A text was to be sent." in text
    assert "Rule: At night (after hours), so the follow-up is later ." in text
    assert "Sorry we missed you" in text


async def test_hostile_callers_are_inert(page: Site) -> None:
    s = (
        Scene()
        .arrives(number=HOSTILE, called=HOSTILE, exten=HOSTILE)
        .rings("p", name=f"PJSIP/{HOSTILE}-1")
    )
    s.joins(HOSTILE).wait(2).runs("VoiceMail", HOSTILE).caller_hangs_up().gone("c")
    html, svg = await told(page, s)
    assert "&lt;script&gt;" in html
    assert len(html) < 40_000
    assert svg.tag == "svg"
    (row,) = await write(page, (made(5, caller=Caller(HOSTILE, HOSTILE, False)), None))  # noqa: FBT003
    assert f"/calls/{row}" in await get(page, "/calls", q=HOSTILE[:90])


@pytest.mark.parametrize("call", ["999", "9" * 18])
async def test_a_call_that_is_not_known_is_no_mistake(page: Site, call: str) -> None:
    client = await page.client(Role.VIEWER)
    assert (await client.get(f"/calls/{call}")).status == 404


@pytest.mark.parametrize("call", ["9" * 19, "x", "-1", "1.5"])
async def test_what_is_no_call_is_not_asked_for(page: Site, call: str) -> None:
    client = await page.client(Role.VIEWER)
    assert (await client.get(f"/calls/{call}")).status == 404
