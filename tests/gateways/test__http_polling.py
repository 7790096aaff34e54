"""A device is asked for replies for ever; nothing is lost, and hardly anything told twice."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
import structlog

from pbx_bridge.gateways import _http_polling
from pbx_bridge.gateways._http_polling import PollProblem, pause_after
from pbx_bridge.gateways.http import Gateway
from pbx_bridge.ports import Cursor, News, Surroundings
from tests.gateways.described import settings
from tests.gateways.fakes import TOKEN, Answer, Behaviour, Request, Told, answer
from tests.gateways.signing import NOW

REPLIES = {"id_path": "id", "from_path": "from", "text_path": "text"}


class Kept(Cursor):
    def __init__(self) -> None:
        self.value = ""

    async def get(self) -> str:
        return self.value

    async def put(self, value: str) -> None:
        self.value = value


class Device:
    """Keeps texts, lists them, and deletes by number in the list."""

    def __init__(self) -> None:
        self.texts: list[Any] = []
        self.misbehave: Answer | None = None
        self.deletion: Answer | None = None
        self.heard: list[News] = []
        self.paths: list[str] = []
        self.asked_thrice = asyncio.Event()

    def __call__(self, request: Request) -> Answer:
        self.paths.append(f"{request.method} {request.path}")
        if len(self.paths) >= 3:
            self.asked_thrice.set()
        if self.misbehave is not None:
            return self.misbehave
        if self.deletion is not None and request.method != "GET":
            return self.deletion
        if request.method == "DELETE":
            number = int(request.path.rpartition("/")[2])
            deleted = self.texts.pop(number)
            told = [news.gateway_ref for news in self.heard]
            assert str(deleted["id"]) in told, "deleted before it was told"
            return answer(204)
        return answer(200, json.dumps({"sms": self.texts}))

    async def tell(self, news: Sequence[News]) -> None:
        self.heard += news

    def refs(self) -> list[str]:
        return [news.gateway_ref for news in self.heard]


def gateway(url: str, **poll: Any) -> Gateway:
    table = {"url": f"{url}/sms?key={{token}}", "items": "sms", "replies": REPLIES, "every": 1}
    around = Surroundings(name="modem", now=lambda: NOW)
    chosen = settings(url=url, poll=table | poll, secrets={"token": TOKEN}, timeout=0.5)
    return Gateway(chosen, around)


def text(number: int) -> dict[str, Any]:
    return {"id": number, "from": "+15551234567", "text": f"text {number}"}


async def test_what_is_new_is_told_once() -> None:
    device, cursor = Device(), Kept()
    async with Told(device).running() as server, gateway(server.url) as asking:
        poller = asking.poller()
        assert poller is not None
        device.texts = [text(1), text(2)]
        await poller.ask(device.tell, cursor)
        await poller.ask(device.tell, cursor)
        device.texts.append(text(3))
        await poller.ask(device.tell, cursor)
    assert device.refs() == ["1", "2", "3"]
    assert device.paths[0] == f"GET /sms?key={TOKEN}"


async def test_the_cursor_outlives_the_program() -> None:
    device, cursor = Device(), Kept()
    device.texts = [text(1)]
    async with Told(device).running() as server:
        for _ in range(2):
            async with gateway(server.url) as asking:
                poller = asking.poller()
                assert poller is not None
                await poller.ask(device.tell, cursor)
    assert device.refs() == ["1"]


async def test_what_was_told_is_deleted_from_the_last_to_the_first() -> None:
    device, cursor = Device(), Kept()
    device.texts = [text(1), text(2), text(3)]
    async with Told(device).running() as server:
        delete = {"url": f"{server.url}/sms/{{index}}"}
        async with gateway(server.url, delete=delete) as asking:
            poller = asking.poller()
            assert poller is not None
            await poller.ask(device.tell, cursor)
            assert device.texts == []
            await poller.ask(device.tell, cursor)
    assert device.refs() == ["1", "2", "3"]
    assert device.paths[1:4] == ["DELETE /sms/2", "DELETE /sms/1", "DELETE /sms/0"]


async def test_a_deletion_that_fails_is_tried_again_and_tells_nothing_twice() -> None:
    device, cursor = Device(), Kept()
    device.texts = [text(1)]
    device.deletion = answer(500)
    async with Told(device).running() as server:
        delete = {"url": f"{server.url}/gone/{{id}}", "method": "POST"}
        async with gateway(server.url, delete=delete) as asking:
            poller = asking.poller()
            assert poller is not None
            for _ in range(2):
                with pytest.raises(PollProblem, match="500 to a deletion"):
                    await poller.ask(device.tell, cursor)
    assert device.refs() == ["1"]
    assert device.paths.count("POST /gone/1") == 2


async def test_what_is_no_reply_stays_on_the_device() -> None:
    device, cursor = Device(), Kept()
    odd: list[Any] = [{"id": 7}, 5, None, {"id": 8, "from": "x", "text": "sent", "box": "out"}]
    device.texts = [*odd, text(1) | {"box": "in"}]
    async with Told(device).running() as server:
        poll = {
            "delete": {"url": f"{server.url}/sms/{{index}}"},
            "replies": REPLIES | {"when": {"path": "box", "one_of": ["in", ""]}},
        }
        async with gateway(server.url, **poll) as asking:
            poller = asking.poller()
            assert poller is not None
            with structlog.testing.capture_logs() as logged:
                await poller.ask(device.tell, cursor)
                await poller.ask(device.tell, cursor)
    assert device.refs() == ["1"]
    assert device.texts == odd
    assert [entry["event"] for entry in logged] == ["replies_not_read"]


@pytest.mark.parametrize(
    "reply",
    [
        answer(500),
        answer(302, "", Location="/"),
        answer(200, "<html>"),
        answer(200, "{}"),
        answer(200, '{"sms": {}}'),
        answer(200, b"\xff"),
        Behaviour.CUT,
        Behaviour.HANG,
    ],
)
async def test_an_answer_without_a_list_is_noted_once_and_asked_for_again(
    reply: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http_polling, "pause_after", lambda *_: 0.01)
    device, cursor = Device(), Kept()
    device.misbehave = reply
    device.texts = [text(1)]
    told = asyncio.Event()

    async def tell(news: Sequence[News]) -> None:
        await device.tell(news)
        told.set()

    async with Told(device).running() as server, gateway(server.url) as asking:
        poller = asking.poller()
        assert poller is not None
        with structlog.testing.capture_logs() as logged:
            async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
                running = tasks.create_task(poller.run(tell, cursor))
                await device.asked_thrice.wait()
                device.misbehave = None
                await told.wait()
                running.cancel()
    assert device.refs() == ["1"]
    assert [entry["event"] for entry in logged] == ["gateway_not_heard"]
    assert TOKEN not in repr(logged)


async def test_an_answer_may_say_in_words_that_there_is_nothing() -> None:
    device, cursor = Device(), Kept()
    device.misbehave = answer(200, '{"status": "no_sms"}')
    async with Told(device).running() as server, gateway(server.url, none="no_sms") as asking:
        poller = asking.poller()
        assert poller is not None
        await poller.ask(device.tell, cursor)
    assert device.heard == []


async def test_only_so_many_are_heard_at_once() -> None:
    device, cursor = Device(), Kept()
    device.texts = [text(number) for number in range(600)]
    async with Told(device).running() as server, gateway(server.url) as asking:
        poller = asking.poller()
        assert poller is not None
        await poller.ask(device.tell, cursor)
    assert len(device.heard) == 500


async def test_a_gateway_that_need_not_be_asked_waits_quietly() -> None:
    async def tell(_: Sequence[News]) -> None:
        raise AssertionError

    async with Gateway(settings()) as quiet:
        assert quiet.poller() is None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await quiet.listen(tell, Kept())


async def test_dates_for_the_device_are_filled_in() -> None:
    device, cursor = Device(), Kept()
    async with Told(device).running() as server:
        query = {"from": "{yesterday}", "to": "{today}", "k": "{token}"}
        async with gateway(server.url, query=query) as asking:
            poller = asking.poller()
            assert poller is not None
            await poller.ask(device.tell, cursor)
    search = f"key={TOKEN}&from=2026-11-23&to=2026-11-24&k={TOKEN}"
    assert device.paths == [f"GET /sms?{search}"]


def test_it_asks_less_often_while_it_fails() -> None:
    assert [pause_after(20, failed) for failed in (0, 1, 2, 3, 4, 99)] == [
        20,
        40,
        80,
        160,
        300,
        300,
    ]
    assert pause_after(3600, 5) == 3600
