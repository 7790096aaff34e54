"""One connection to a broker, and keeping it, against a real mosquitto."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import ValidationError

from pbx_bridge import broker
from pbx_bridge.broker import (
    NO_SUBSCRIBERS,
    NOT_AUTHORISED,
    BrokerProblem,
    Connection,
    ConnectionLost,
    Settings,
    Subscription,
    Will,
    back_off,
    connected,
    stay_connected,
)
from pbx_bridge.secret import Secret
from tests.gateways.fakes import Behaviour, Told
from tests.gateways.mosquitto import Mosquitto, needs_mosquitto

pytestmark = needs_mosquitto

HOUR = timedelta(hours=1)


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with Mosquitto(tmp_path / "broker") as running:
        yield running


def at(port: int, **changes: Any) -> Settings:
    return Settings.model_validate({"port": port} | changes)


async def heard(connection: Connection, count: int) -> list[bytes]:
    """Take so many messages, and confirm them."""
    payloads = []
    async with asyncio.timeout(10):
        async for message in connection.messages():
            payloads.append(message.payload)
            connection.done(message)
            if len(payloads) == count:
                break
    return payloads


async def test_the_broker_says_whether_anybody_listens(mosquitto: Mosquitto) -> None:
    async with connected(at(mosquitto.port), "us") as connection:
        assert await connection.publish("a", b"1") == NO_SUBSCRIBERS
        await connection.subscribe(Subscription("a"))
        assert await connection.publish("a", b"2") == 0
        assert await heard(connection, 1) == [b"2"]


async def test_the_broker_says_that_it_refuses(tmp_path: Path) -> None:
    acl = ("user us", "topic read a")
    async with Mosquitto(tmp_path / "broker", user=("us", "pw"), acl=acl) as mosquitto:
        settings = at(mosquitto.port, username="us", password="pw")
        async with connected(settings, "us") as connection:
            assert await connection.publish("a", b"1") == NOT_AUTHORISED


async def test_what_was_not_confirmed_comes_again(mosquitto: Mosquitto) -> None:
    async with connected(at(mosquitto.port), "us", keep=HOUR) as connection:
        await connection.subscribe(Subscription("a"))
        await connection.publish("a", b"1")
        async for _ in connection.messages():
            break
    async with connected(at(mosquitto.port), "us", keep=HOUR) as connection:
        assert await heard(connection, 1) == [b"1"]
    async with connected(at(mosquitto.port), "us", keep=HOUR) as connection:
        await connection.publish("a", b"2")
        assert await heard(connection, 1) == [b"2"]


async def test_a_session_is_kept_only_where_that_is_asked_for(mosquitto: Mosquitto) -> None:
    for identity, keep in (("kept", HOUR), ("not", timedelta(0))):
        async with connected(at(mosquitto.port), identity, keep=keep) as connection:
            await connection.subscribe(Subscription(identity))
    async with connected(at(mosquitto.port), "other") as connection:
        assert await connection.publish("kept", b"1") == 0
        assert await connection.publish("not", b"1") == NO_SUBSCRIBERS


async def test_what_was_published_to_stay_comes_only_where_that_is_asked_for(
    mosquitto: Mosquitto,
) -> None:
    async with connected(at(mosquitto.port), "us") as connection:
        await connection.publish("old", b"1", retain=True)
        await connection.publish("older", b"2", retain=True)
        await connection.subscribe(Subscription("old"), Subscription("older", retained=True))
        await connection.publish("old", b"3")
        assert await heard(connection, 2) == [b"2", b"3"]


async def test_a_large_packet_does_not_reach_us(mosquitto: Mosquitto) -> None:
    async with connected(at(mosquitto.port), "us") as connection:
        await connection.subscribe(Subscription("a"))
        await connection.publish("a", b"x" * (broker.LARGEST_PACKET + 1))
        await connection.publish("a", b"small")
        assert await heard(connection, 1) == [b"small"]


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_lost_connection_is_noticed_at_once(mosquitto: Mosquitto, how: str) -> None:
    async with connected(at(mosquitto.port), "us") as connection:
        await connection.subscribe(Subscription("a"))
        await getattr(mosquitto, how)()
        async with asyncio.timeout(2):
            await connection.lost
            assert [message async for message in connection.messages()] == []
            with pytest.raises(ConnectionLost):
                await connection.subscribe(Subscription("b"))
        with pytest.raises(BrokerProblem, match="not connected"):
            connection.publish("a", b"1")


async def test_a_confirmation_that_cannot_come_is_not_awaited(mosquitto: Mosquitto) -> None:
    async with connected(at(mosquitto.port), "us") as connection:
        confirmed = connection.publish("a", b"1")
        await mosquitto.kill()
        async with asyncio.timeout(2):
            try:  # it may have come before the end
                assert await confirmed == NO_SUBSCRIBERS
            except ConnectionLost:
                assert connection.lost.done()


async def test_why_there_is_no_connection_is_said_in_words(tmp_path: Path) -> None:
    async with Mosquitto(tmp_path / "broker", user=("us", "pw")) as mosquitto:
        port = mosquitto.port
        cases: list[tuple[dict[str, Any], str, bool]] = [
            ({}, "the broker refuses us: not authorized; check username and password", True),
            ({"username": "us", "password": "hush"}, "the broker refuses us: not auth", True),
            ({"host": "nowhere.invalid"}, f"nowhere.invalid:{port}: no connection: ", False),
            ({"host": "a..b"}, f"a..b:{port}: no connection: not a host name", False),
            ({"port": 1}, "127.0.0.1:1: no connection: Connection refused", False),
            ({"tls": True}, f"127.0.0.1:{port}: no", False),
        ]
        for changes, words, refused in cases:
            with pytest.raises(BrokerProblem) as caught:
                async with connected(at(**({"port": port} | changes)), "us"):
                    pass
            assert str(caught.value).startswith(words)
            assert caught.value.refused == refused
            assert "hush" not in str(caught.value)


@pytest.mark.parametrize("behaviour", [Behaviour.HANG, Behaviour.CUT])
async def test_a_server_that_is_no_broker_is_no_connection(
    monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour
) -> None:
    monkeypatch.setattr(broker, "ANSWER_SECONDS", 0.3)
    async with Told(behaviour).running() as server:
        with pytest.raises(BrokerProblem, match="no broker answers there within"):
            async with connected(at(server.port), "us"):
                pass


async def test_an_endpoint_that_hangs_up_is_asked_about() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BrokerProblem, match="hangs up before it answers; does it speak TLS"):
            async with connected(at(port), "us"):
                pass


async def test_connecting_can_be_broken_off_and_leaves_nothing_behind() -> None:
    async with Told(Behaviour.HANG).running() as server:
        before = asyncio.all_tasks()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), connected(at(server.port), "us"):
                pass
        await asyncio.sleep(0)
        left = [task for task in asyncio.all_tasks() - before if "_misc_loop" in repr(task)]
        assert left == []


def test_the_waits_double_up_to_a_minute_and_are_spread() -> None:
    assert [back_off(attempt, 1.0) for attempt in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert back_off(10**6, 1.0) == 60
    assert back_off(3, 0.0) == 4


async def test_it_reconnects_for_ever(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(broker, "LONGEST_WAIT", 0.01)
    attempts: list[int] = []

    def noted(attempt: int, chance: float) -> float:
        attempts.append(attempt)
        return back_off(attempt, chance)

    monkeypatch.setattr(broker, "back_off", noted)
    up: asyncio.Queue[Connection] = asyncio.Queue()
    problems: asyncio.Queue[str] = asyncio.Queue()

    async def serve(connection: Connection) -> None:
        await up.put(connection)
        await connection.lost

    task = asyncio.get_running_loop().create_task(
        stay_connected(
            at(mosquitto.port),
            "us",
            serve,
            chance=lambda: 1.0,
            problem=lambda problem: problems.put_nowait(str(problem)),
            about={"for": "a test"},
        )
    )
    async with asyncio.timeout(20):
        for how in (mosquitto.kill, mosquitto.stop):
            await up.get()
            await how()
            # Before the broker was back there may have been more tries than were looked at.
            while await problems.get() != "the connection was lost":
                pass
            for _ in range(5):
                assert "no connection" in await problems.get()
            await mosquitto.start()
        await up.get()
    task.cancel()
    await asyncio.wait({task})
    assert attempts[:6] == [0, 1, 2, 3, 4, 5]
    assert attempts.count(0) == 2  # having been up, it begins again


async def test_the_will_is_published_when_we_are_gone_without_a_word(
    mosquitto: Mosquitto,
) -> None:
    async with connected(at(mosquitto.port), "watcher") as watcher:
        await watcher.subscribe(Subscription("online", retained=True))
        will = Will("online", "gone")
        async with connected(at(mosquitto.port), "us", will=will) as connection:
            await connection.publish("online", b"here", retain=True)
            assert await heard(watcher, 1) == [b"here"]
            # another with this name pushes us off
            async with connected(at(mosquitto.port), "us"):
                await connection.lost
        assert await heard(watcher, 1) == [b"gone"]
        async with connected(at(mosquitto.port), "us", will=will) as connection:
            pass  # a good-bye
        await watcher.publish("online", b"end")
        assert await heard(watcher, 1) == [b"end"]


async def test_the_password_is_never_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Mosquitto(tmp_path / "broker", user=("us", "hush-hush")) as mosquitto:
        settings = at(mosquitto.port, username="us", password=Secret("hush-hush"))
        with structlog.testing.capture_logs() as logged:
            async with connected(settings, "us") as connection:
                shown = repr([settings, connection, vars(connection), str(settings)])
    assert "hush-hush" not in shown + caplog.text + repr(logged)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"host": ""}, "host"),
        ({"host": "mqtt://host"}, "host"),
        ({"port": 0}, "port"),
        ({"port": "1883"}, "port"),
        ({"keepalive": 1}, "keepalive"),
        ({"client_id": "a b"}, "client_id"),
        ({"password": "x"}, "password without username; give both, or neither"),
        ({"tls": 1}, "neither true, false nor a table"),
        ({"tls": {"ca": "nowhere.pem"}}, "no certificates there: No such file"),
        ({"tls": {"insecure": True}}, "insecure"),
    ],
)
def test_mistakes_in_the_settings_are_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Settings.model_validate(changes)


def test_a_relative_path_begins_at_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no certificates there"):
        Settings.model_validate({"tls": {"ca": "ca.pem"}}, context={"folder": tmp_path})
    (tmp_path / "ca.pem").write_bytes(b"")
    with pytest.raises(ValidationError, match="no certificates there"):
        Settings.model_validate({"tls": {"ca": "ca.pem"}}, context={"folder": tmp_path})


async def test_the_end_of_the_loop_is_not_waited_for_in_vain(mosquitto: Mosquitto) -> None:
    """At its end every task is cancelled at once, also one that has not begun to dial."""
    for passes in range(8):
        before = asyncio.all_tasks()
        task = asyncio.get_running_loop().create_task(
            stay_connected(
                at(mosquitto.port), "us", _nothing, chance=lambda: 1.0, about={"for": "a test"}
            )
        )
        for _ in range(passes):
            await asyncio.sleep(0)
        for other in asyncio.all_tasks() - before:
            other.cancel()
        ended, _ = await asyncio.wait({task}, timeout=5)
        assert ended


async def _nothing(connection: Connection) -> None:
    await connection.lost
