"""Live calls on the page of the real service beside a real Asterisk, from stage to stage.

A browser hears of changes by the stream, and then looks at the board, as the page's script does.
Truth is what the SIPp phones did, and when.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import pytest_asyncio

from .browser import Browser, add_user, free_port
from .office import DIRECT, IVR, QUEUE_VOICEMAIL, Call, Office
from .proxy import Proxy
from .service import RunningService

HTMX = {"HX-Request": "true"}
_CARD = re.compile(r'<li class="live-call.*?</li>', re.DOTALL)

#: SIPp's steps for a phone that puts the caller on hold for a second, and takes them back.
_OFFER = """
  <recv request="BYE" timeout="{wait}" ontimeout="hold{cseq}" next="bye_received"/>
  <label id="hold{cseq}"/>
  <send retrans="500"><![CDATA[

INVITE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: [$me];tag=[pid]p[call_number]
To: [$pbx]
Call-ID: [call_id]
CSeq: {cseq} INVITE
Contact: <sip:101@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=phone 1 {cseq} IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
a={direction}
]]></send>
  <recv response="100" optional="true"/>
  <recv response="200"/>
  <send><![CDATA[

ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: [$me];tag=[pid]p[call_number]
To: [$pbx]
Call-ID: [call_id]
CSeq: {cseq} ACK
Max-Forwards: 70
Content-Length: 0

]]></send>"""
HOLDS = _OFFER.format(wait=1000, cseq=30, direction="sendonly") + _OFFER.format(
    wait=1500, cseq=31, direction="sendrecv"
)


class Wall:
    """A browser with the board: what it showed of each caller, without repetitions."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.shown: dict[str, list[str]] = {}
        self.ended: list[str] = []
        self.looks = 0
        self._news = asyncio.Condition()

    async def follow(self) -> None:
        """Look at the board whenever the stream says that calls have changed."""
        url = f"{self.browser.base}/events"
        async with self.browser.session.get(url, timeout=None) as stream:
            assert stream.status == 200
            async for line in stream.content:
                if line.strip() == b"event: calls":
                    await self._look()

    async def _look(self) -> None:
        html = await self.browser.get("/live", **HTMX)
        self.looks += 1
        seen = set()
        for card in _CARD.findall(html):
            number = re.sub(r"\D", "", "".join(re.findall(r"/conversation/(\+\d+)", card)))
            stage = words(
                re.findall(r'<p class="stage">(.*?)<span class="clock"', card, re.DOTALL)[0]
            )
            stages = self.shown.setdefault(number, [])
            seen.add(number)
            if not stages or stages[-1] != stage:
                stages.append(stage)
        for number, stages in self.shown.items():
            if number not in seen and stages[-1] != "gone":
                stages.append("gone")
        ended = html.partition("Just ended")[2]
        self.ended = re.findall(r"/conversation/\+(\d+)", ended)
        async with self._news:
            self._news.notify_all()

    async def shows(self, call: Call, stage: str) -> None:
        """Wait until the board shows a stage of a call."""
        await self._until(lambda: any(stage in one for one in self.of(call)), f"never {stage}")

    async def lists(self, call: Call) -> None:
        """Wait until the board lists a call among those that just ended."""
        await self._until(lambda: call.number.removeprefix("+") in self.ended, "never listed")

    async def _until(self, true: Callable[[], bool], otherwise: str) -> None:
        try:
            async with asyncio.timeout(20), self._news:
                await self._news.wait_for(true)
        except TimeoutError:
            raise AssertionError(f"{otherwise}: {self.shown}") from None

    def of(self, call: Call) -> list[str]:
        return self.shown.get(call.number.removeprefix("+"), [])


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split()).replace(" ,", ",")


class Watching(RunningService):
    """The service with its page, watching through a line that can be cut."""

    def __init__(self, office: Office, port: int) -> None:
        self.line = Proxy(office.net.pbx, office.asterisk.ami_port)
        super().__init__(office.asterisk, more=f"[web]\nport = {port}\n")

    async def start(self) -> None:
        await self.line.restore()
        self._pbx |= {"host": f'"{self.line.host}"', "port": str(self.line.port)}
        await super().start()


@pytest_asyncio.fixture(loop_scope="session")
async def page(office: Office) -> AsyncIterator[tuple[Watching, Browser]]:
    port = free_port()
    service = Watching(office, port)
    await service.start()
    try:
        await add_user(service.database, "anna", "101")
        browser = await Browser.log_in(port, "anna")
        try:
            yield service, browser
        finally:
            await browser.close()
    finally:
        await service.close()
        await service.line.cut()


async def test_a_call_rings_is_answered_held_and_ends_before_everybodys_eyes(
    office: Office, page: tuple[Watching, Browser]
) -> None:
    service, browser = page
    wall = Wall(browser)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(wall.follow())
        phone = await office._phone("phone", "101", ring_ms=1500, talk_ms=1500, keys=HOLDS)
        call = await office.place(DIRECT)
        await wall.shows(call, "Rings at 101")
        await wall.shows(call, "Talks with 101")
        await wall.shows(call, "On hold by 101")
        await call.ended()
        await wall.shows(call, "gone")
        following.cancel()
    assert phone.answered
    stages = [stage for stage in wall.of(call) if stage not in {"Arrives", "Hangs up"}]
    assert [s for s in stages if "menu" not in s] == [
        "Rings at 101",
        "Talks with 101",
        "On hold by 101",
        "Talks with 101",
        "gone",
    ]
    assert (await service.judged(call))[0] == "answered"

    listed = await browser.get("/calls")
    row = re.findall(r'href="/calls/(\d+)"', listed)[0]
    explained = await browser.get(f"/calls/{row}")
    for step in ("A phone rings", "Connected with a person", "Put on hold", "Taken back from hold"):
        assert step in explained
    kinds = re.findall(r'<g class="bar (\w+)">', explained)
    assert {"ring", "talk", "hold"} <= set(kinds)


async def test_who_waits_in_a_queue_and_goes_to_voicemail_is_shown_at_each_stage(
    office: Office, page: tuple[Watching, Browser]
) -> None:
    _, browser = page
    wall = Wall(browser)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(wall.follow())
        await office.phone("101")
        await office.phone("102")
        first = await office.place(QUEUE_VOICEMAIL, talk=6000)
        await wall.shows(first, "Waits in queue sales, place 1")
        second = await office.place(QUEUE_VOICEMAIL, talk=7000)
        await wall.shows(second, "Waits in queue sales, place 2")
        await wall.shows(first, "In voicemail 100@default")
        await wall.shows(second, "In voicemail 100@default")
        await first.ended()
        await second.ended()
        await wall.shows(first, "gone")
        await wall.shows(second, "gone")
        await wall.lists(first)
        await wall.lists(second)
        following.cancel()
    assert any("rings at" in stage for stage in wall.of(first))


async def test_a_menu_and_a_pbx_that_is_lost_are_told(
    office: Office, page: tuple[Watching, Browser]
) -> None:
    service, browser = page
    wall = Wall(browser)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(wall.follow())
        call = await office.place(IVR, talk=6000)
        await wall.shows(call, "In a menu or announcement")
        since = len(service.log)
        await service.line.cut()
        await service.said("pbx_down", since=since)
        board = words(await browser.get("/live", **HTMX))
        assert "Phone system office has not been seen since" in board
        assert "In a menu or announcement" in board  # as it was, and marked so
        assert "last heard of at" in board
        await service.line.restore()
        await service.said("pbx_up", since=since)
        board = words(await browser.get("/live", **HTMX))
        assert "has not been seen" not in board
        assert "not seen from its beginning" in board
        await call.ended()
        await wall.shows(call, "gone")
        following.cancel()
