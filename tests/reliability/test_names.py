"""Names that do not resolve, resolve slowly, to a dead address first, or to another than before.

The name server is the tests' own; everything behind it is on loopback, by the clock of `clockwork`.
"""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pbx_bridge.core import events as ev
from pbx_bridge.core.delivery import State
from pbx_bridge.core.routing import Circuit
from pbx_bridge.gateways import http, smtp
from pbx_bridge.ports import Gateway, Surroundings
from tests.gateways.fakes import Request, Told, answer
from tests.gateways.mailserver import MailServer
from tests.sources.ami.fake import FakeAmi

from .clockwork import Clockwork, run
from .posting import Posting, posting
from .test_ami_link import watching

NAME = "server.example"
# Of no other test: strangers of tests/security/flood.py come from ports of 127.0.0.2 to 127.0.0.4.
DEAD, ALIVE, OTHER = "127.0.0.33", "127.0.0.1", "127.0.0.34"


@dataclass
class Names:
    """A name server: gives `addresses` after `seconds`, or `error`."""

    addresses: list[str] = field(default_factory=lambda: [ALIVE])
    seconds: float = 0.0
    error: int = 0
    asked: int = 0

    def be(self, *addresses: str, seconds: float = 0.0, error: int = 0) -> None:
        self.addresses, self.seconds, self.error = list(addresses), seconds, error

    async def resolve(self, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        if host != NAME:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if self.error:
            raise socket.gaierror(self.error, "Name or service not known")
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, (address, port)) for address in self.addresses]


@contextmanager
def names(loop: Clockwork) -> Iterator[Names]:
    server = Names()
    loop.getaddrinfo = server.resolve  # type: ignore[method-assign,assignment]
    yield server


@contextmanager
def dead(port: int) -> Iterator[None]:
    """Have packets to the dead address dropped: nobody is taken there, and the queue is full."""
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind((DEAD, port))
        full.listen(0)
        for stuffing in (one, two):
            stuffing.settimeout(0)
            with pytest.raises(BlockingIOError):
                stuffing.connect((DEAD, port))
        yield


#: What a name server does, and the words by which that is told where it keeps us from connecting.
TROUBLES: dict[str, tuple[dict[str, Any], str]] = {
    "no such name": ({"error": socket.EAI_NONAME}, "name"),
    "no answer from above": ({"error": socket.EAI_AGAIN}, "name"),
    # The resolver gives up after all its servers and attempts.
    "silence": ({"seconds": 30.0, "error": socket.EAI_AGAIN}, "name server"),
    "only a dead address": ({"addresses": [DEAD]}, "answer|in time"),
    "an address where nobody listens": ({"addresses": [OTHER]}, "nothing listens|call failed"),
}
#: What costs time only.
SLOW: dict[str, dict[str, Any]] = {
    "slow": {"addresses": [ALIVE], "seconds": 5.2},  # the first of two name servers is dead
    "a dead address first": {"addresses": [DEAD, ALIVE]},
    "three dead addresses first": {"addresses": [DEAD, DEAD, DEAD, ALIVE]},
}


def be(server: Names, trouble: dict[str, Any]) -> None:
    server.be(
        *trouble.get("addresses", ()),
        seconds=trouble.get("seconds", 0.0),
        error=trouble.get("error", 0),
    )


# -- a PBX ----------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["at start", "later"])
def test_a_pbx_whose_name_fails_is_told_in_words_and_found_again(when: str) -> None:
    async def main(loop: Clockwork) -> None:
        with names(loop) as server:
            be(server, TROUBLES["silence"][0] if when == "at start" else {"addresses": [ALIVE]})
            async with watching(loop, FakeAmi(), host=NAME) as watch:
                with dead(watch.line.port):
                    if when == "at start":
                        await asyncio.sleep(30)
                        server.be(ALIVE)
                    restored = await watch.next(ev.FeedRestored)
                    for trouble, words in TROUBLES.values():
                        be(server, trouble)
                        await asyncio.sleep(1)
                        watch.line.cut()
                        lost = await watch.next(ev.FeedLost, since=restored)
                        await asyncio.sleep(300)
                        problem = str(watch.said("pbx_down")[-1]["problem"])
                        assert re.search(words, problem), problem
                        server.be(ALIVE)
                        restored = await watch.next(ev.FeedRestored, since=lost)
                    for slow in SLOW.values():
                        be(server, slow)
                        await asyncio.sleep(1)
                        watch.line.cut()
                        lost = await watch.next(ev.FeedLost, since=restored)
                        restored = await watch.next(ev.FeedRestored, since=lost)
                        assert restored - lost < 10

    run(main)


# -- gateways -------------------------------------------------------------------------------


def by_http(port: int) -> Gateway:
    settings = {"url": f"http://{NAME}:{port}/", "form": {"To": "{to}"}}
    return http.Gateway(http.Settings.model_validate(settings))


def by_mail(port: int) -> Gateway:
    settings = {
        "host": NAME, "port": port, "security": "none", "allow_plain": True,
        "sender": "Miller <office@example.com>",
    }  # fmt: skip
    return smtp.Gateway(smtp.Settings.model_validate(settings), Surroundings(name="mail"))


async def through_it_all(server: Names, post: Posting, to: Callable[[int], str]) -> None:
    """Each trouble for five minutes, with a message in the middle of it and one after it."""
    number = 0
    for name, (trouble, words) in TROUBLES.items():
        await asyncio.sleep(11)  # a name is remembered for ten seconds
        be(server, trouble)
        number += 1
        addressee = await post.queue(("it",), to=to(number))
        await asyncio.sleep(300)
        message = await post.message_to(addressee)
        assert message.state is State.QUEUED, (name, message.detail)
        assert "no connection" in message.detail or "nothing was sent" in message.detail
        assert re.search(words, message.detail.lower()), message.detail
        server.be(ALIVE)
        await post.settled()
        # It stays away for a while from what failed so often.
        assert (await post.standing("it")).circuit is Circuit.CLOSED
    for slow in SLOW.values():
        await asyncio.sleep(11)
        be(server, slow)
        number += 1
        await post.queue(("it",), to=to(number))
        await post.settled()
    assert await post.states() == {State.ACCEPTED: len(TROUBLES) + len(SLOW)}


def test_a_gateway_whose_name_fails_gets_every_text_once(tmp_path: Path) -> None:
    taken: list[str] = []

    def take(request: Request) -> bytes:
        taken.append(request.form()["To"])
        return answer(200)

    async def main(loop: Clockwork) -> None:
        async with Told(take).running() as gateway:
            with names(loop) as server, dead(gateway.port):
                async with posting(loop, tmp_path, {"it": by_http(gateway.port)}) as post:
                    await through_it_all(server, post, lambda n: f"+1212555{n:04}")
                    assert sorted(taken) == sorted(post.queued)

    run(main)


def test_a_mail_server_whose_name_fails_gets_every_mail_once(tmp_path: Path) -> None:
    async def main(loop: Clockwork) -> None:
        mails = MailServer()
        async with mails.running():
            with names(loop) as server, dead(mails.port):
                async with posting(loop, tmp_path, {"it": by_mail(mails.port)}) as post:
                    await through_it_all(server, post, lambda n: f"ann{n}@customer.example")
                    assert sorted(str(mail["To"]) for mail in mails.mails) == sorted(post.queued)

    run(main)


def test_a_name_that_moves_is_followed(tmp_path: Path) -> None:
    """Nothing keeps an old address for longer than ten seconds."""

    async def main(loop: Clockwork) -> None:
        async with Told(answer(200)).running() as old, Told(answer(200)).running() as new:
            with names(loop) as server:
                told = server.resolve

                async def resolve(host: str, port: int, **more: object) -> list[tuple[Any, ...]]:
                    found = await told(host, port, **more)
                    moved = new.port if server.addresses == [OTHER] else port
                    return [(*one[:4], (ALIVE, moved)) for one in found]

                loop.getaddrinfo = resolve  # type: ignore[method-assign,assignment]
                async with posting(loop, tmp_path, {"it": by_http(old.port)}) as post:
                    await post.queue(("it",))
                    await post.settled()
                    server.be(OTHER)
                    await asyncio.sleep(timedelta(minutes=1).total_seconds())
                    await post.queue(("it",))
                    await post.settled()
            assert (len(old.requests), len(new.requests)) == (1, 1)

    run(main)
