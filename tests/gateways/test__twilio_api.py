"""Lists from Twilio, as they should be and as nobody should send them."""

import itertools
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest
from twilio.rest import Client  # type: ignore[import-untyped]

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import Blame
from pbx_bridge.gateways import _twilio_api as api
from pbx_bridge.gateways import _web
from tests.gateways.fakes import (
    ACCOUNT,
    TOKEN,
    Answer,
    Behaviour,
    FakeTwilio,
    Request,
    Told,
    answer,
)

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def fake() -> FakeTwilio:
    return FakeTwilio()


@pytest.fixture
async def opened(fake: FakeTwilio) -> AsyncIterator[Client]:
    async with Told(fake).running() as server, _web.session() as session:
        yield api.client(session, ACCOUNT, (ACCOUNT, TOKEN), server.url)


async def asked(reply: Answer | Callable[[Request], Answer], url: str = "") -> list[object]:
    async with Told(reply).running() as server, _web.session() as session:
        client = api.client(session, ACCOUNT, (ACCOUNT, TOKEN), url or server.url)
        return [*await api.listed(client, LONG_AGO)]


def page(*messages: object, **more: object) -> bytes:
    return answer(200, json.dumps({"messages": list(messages), "next_page_uri": None} | more))


async def test_every_page_is_read_newest_first(fake: FakeTwilio, opened: Client) -> None:
    sids = [fake.receive()["sid"] for _ in range(130)]
    assert [one.sid for one in await api.listed(opened, LONG_AGO)] == sids[::-1]
    assert fake.lists == 3


async def test_only_what_is_wanted_is_listed(fake: FakeTwilio, opened: Client) -> None:
    fake.receive(to="+1999")
    mine = fake.receive(**{"from": "+1888"})
    assert [one.sid for one in await api.listed(opened, LONG_AGO, to="+15550001111")] == [
        mine["sid"]
    ]
    assert [one.sid for one in await api.listed(opened, LONG_AGO, from_="+1888")] == [mine["sid"]]


async def test_it_is_read_back_no_further_than_asked(fake: FakeTwilio, opened: Client) -> None:
    for _ in range(130):
        fake.receive(date_created="Mon, 23 Nov 2020 12:00:00 +0000")
    for _ in range(60):
        fake.receive()
    await api.listed(opened, utc_now() - timedelta(hours=1))
    assert fake.lists == 2


def endless(*, in_a_circle: bool) -> Callable[[Request], Answer]:
    """Give a server whose every page has two messages of now and a page after it."""
    count = itertools.count()

    def reply(_: Request) -> Answer:
        number = 0 if in_a_circle else next(count)
        entries = [
            {"sid": f"SM{number}{half}", "date_created": format_datetime(utc_now())}
            for half in "ab"
        ]
        return page(*entries, next_page_uri=f"/2010-04-01/x/Messages.json?Page={number}")

    return reply


async def test_a_list_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MOST", 7)
    assert len(await asked(endless(in_a_circle=False))) == 8


async def test_a_list_in_a_circle_is_left() -> None:
    assert len(await asked(endless(in_a_circle=True))) == 2


async def test_fifty_long_texts_fit_in_a_page(fake: FakeTwilio, opened: Client) -> None:
    for _ in range(50):
        fake.receive(body="語" * 1600)
    assert len(await api.listed(opened, LONG_AGO)) == 50


@pytest.mark.parametrize(
    "reply",
    [
        answer(200, "<html>"),
        answer(200, ""),
        answer(200, "[]"),
        answer(200, "{}"),
        answer(200, '{"messages": null}'),
        answer(200, '{"messages": {}}'),
        answer(200, '{"sid": null}'),
        answer(200, '{"sid": "SM1", "messages": [1]}'),
        answer(200, "[" * 60_000),
        answer(200, b"\xff\xfe"),
        answer(204),
        answer(302, "", Location="http://127.0.0.1:9/"),
        page(1),
        page(None),
        page([]),
        page({"sid": 1}),
        page({"body": ["x"]}),
        page({"from": {}}),
        page({"date_created": "yesterday"}),
        page({"date_created": "Mon, 99 Nov 2020 99:99:99 +0000"}),
        page({"date_created": 5}),
        page({"date_sent": []}),
        page({"num_media": {}}),
        page(next_page_uri=7),
        page(next_page_uri="/2010-04-01/Accounts.json"),
        page(meta={"key": "messages", "next_page_url": "http://127.0.0.1:9/"}),
        Behaviour.CUT,
        Behaviour.RESET,
        Behaviour.HALF,
        Behaviour.FLOOD,
    ],
)
async def test_nonsense_is_no_answer(reply: Answer) -> None:
    with pytest.raises(api.Unanswered) as found:
        await asked(reply)
    assert found.value.blame is Blame.MESSAGE
    assert not found.value.answer.busy
    assert found.value.answer.reason


@pytest.mark.parametrize(
    "elsewhere",
    [
        "@evil.invalid/Messages.json",
        "//evil.invalid/Messages.json?Page=1",
        "http://evil.invalid/Messages.json",
        ".evil.invalid/Messages.json",
    ],
)
async def test_a_list_cannot_send_the_password_elsewhere(elsewhere: str) -> None:
    requests = []

    def tempt(request: object) -> Answer:
        requests.append(request)
        entry = {"sid": "SM1", "date_created": format_datetime(utc_now())}
        return page() if len(requests) > 1 else page(entry, next_page_uri=elsewhere)

    async with Told(tempt).running() as server, _web.session() as session:
        client = api.client(session, ACCOUNT, (ACCOUNT, TOKEN), server.url)
        assert len(await api.listed(client, LONG_AGO)) == 1
    assert len(requests) == 2


async def test_the_transport_goes_nowhere_else() -> None:
    async with Told(page()).running() as server, _web.session() as session:
        client = api.client(session, ACCOUNT, (ACCOUNT, TOKEN), "https://api.example.invalid")
        with pytest.raises(aiohttp.InvalidURL):
            await client.request_async("GET", f"{server.url}/2010-04-01/x")
    assert server.requests == []


async def test_who_does_not_answer_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "ANSWER_SECONDS", 0.05)
    with pytest.raises(api.Unanswered, match="no answer in time"):
        await asked(Behaviour.HANG)


@pytest.mark.parametrize(
    ("reply", "busy", "blame", "code"),
    [
        (answer(429, '{"code": 20429}', Retry_After="17"), True, Blame.MESSAGE, "20429"),
        (answer(503, "{}", Retry_After="17"), False, Blame.MESSAGE, ""),
        (answer(401, '{"code": 20003}', Retry_After="17"), False, Blame.GATEWAY, "20003"),
        (answer(403, "no", Retry_After="17"), False, Blame.GATEWAY, "20003"),
    ],
)
async def test_a_refused_question_says_when_to_ask_again(
    reply: Answer, *, busy: bool, blame: Blame, code: str
) -> None:
    with pytest.raises(api.Unanswered) as found:
        await asked(reply)
    assert found.value.blame is blame
    assert (found.value.answer.busy, found.value.answer.code) == (busy, code)
    assert found.value.answer.retry_after == timedelta(seconds=17)


async def test_who_cannot_be_reached_is_not_busy() -> None:
    with pytest.raises(api.Unanswered, match="no connection") as found:
        await asked(page(), url="http://127.0.0.1:9")
    assert not found.value.answer.busy
