"""What systemd hears, on real sockets."""

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pbx_bridge import systemd
from pbx_bridge.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@pbx-bridge-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
        way.bind(name.replace("@", "\0"))
        way.settimeout(5)
        yield way, name


def test_each_word_is_one_datagram(listener: tuple[socket.socket, str]) -> None:
    way, name = listener
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.needs_longer(timedelta(seconds=30))
    notifier.ready()
    notifier.status("PBX office:\nconnected\r\nREADY=0")
    notifier.alive()
    notifier.reloading(123456)
    notifier.stopping()
    assert [way.recv(4096) for _ in range(6)] == [
        b"EXTEND_TIMEOUT_USEC=30000000",
        b"READY=1",
        b"STATUS=PBX office: connected READY=0",
        b"WATCHDOG=1",
        b"RELOADING=1\nMONOTONIC_USEC=123456",
        b"STOPPING=1",
    ]


@pytest.mark.parametrize("name", ["", "relative", "vsock:2:99", "/nowhere/notify", "@nobody-here"])
def test_without_systemd_nothing_happens(name: str) -> None:
    Notifier({"NOTIFY_SOCKET": name}).ready()
    assert Notifier({}).watchdog is None


def test_a_queue_that_is_full_holds_nobody_up(
    listener: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, name = listener
    monkeypatch.setattr(systemd, "PATIENCE_S", 0.001)
    notifier = Notifier({"NOTIFY_SOCKET": name})
    for _ in range(1000):
        notifier.alive()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000"}, timedelta(seconds=30)),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, timedelta(seconds=0.5)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),  # meant for another process
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_whether_it_is_watched(environment: dict[str, str], expected: timedelta | None) -> None:
    assert Notifier(environment).watchdog == expected
