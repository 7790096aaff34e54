"""A mail server that greylists for long, breaks its TLS, or goes away again and again.

Counted at the server; hours pass in seconds, by the clock of `clockwork`.
"""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pbx_bridge.core.delivery import State
from pbx_bridge.core.routing import Circuit
from pbx_bridge.gateways import smtp
from pbx_bridge.ports import Gateway, Surroundings
from tests.gateways.mailserver import Certificates, MailServer, make_certificates

from .clockwork import Clockwork, run
from .line import Line
from .posting import Posting, posting

LIFE = timedelta(hours=6)


def by_mail(port: int, **changes: Any) -> Gateway:
    settings = {
        "host": "localhost" if "ca" in changes else "127.0.0.1", "port": port,
        "security": "none", "sender": "Miller <office@example.com>",
    }  # fmt: skip
    return smtp.Gateway(smtp.Settings.model_validate(settings | changes), Surroundings(name="mail"))


def taken(server: MailServer) -> Counter[str]:
    return Counter(str(mail["To"]) for mail in server.mails)


async def mail(post: Posting, number: int) -> str:
    return await post.queue(("it",), to=f"ann{number}@customer.example", life=LIFE)


def test_greylisting_is_waited_out_for_hours_and_each_mail_comes_once(tmp_path: Path) -> None:
    async def main(loop: Clockwork) -> None:
        server = MailServer(to_recipient=["451 4.7.1 Greylisted, try again later"] * 60)
        async with server.running(), posting(loop, tmp_path, {"it": by_mail(server.port)}) as post:
            for number in range(3):
                await mail(post, number)
            await post.settled(LIFE)
            assert taken(server) == dict.fromkeys(post.queued, 1)
            # It works: that it wants to see us again is no reason to leave it alone.
            assert not post.said("circuit_opened")

    run(main)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def test_tls_that_breaks_is_told_and_the_mail_comes_when_it_is_mended(
    tmp_path: Path, certificates: Certificates
) -> None:
    async def main(loop: Clockwork) -> None:
        plain, server = MailServer(), MailServer()
        async with plain.running(), server.running(implicit=certificates.server):  # noqa: SIM117 - in this order
            async with Line(plain.port).open() as line:
                gateway = by_mail(line.port, security="tls", ca=str(certificates.ca))
                async with posting(loop, tmp_path, {"it": gateway}) as post:
                    await mail(post, 1)
                    await asyncio.sleep(600)
                    message = await post.message_to(post.queued[0])
                    assert message.state is State.QUEUED
                    assert "TLS" in message.detail
                    assert (await post.standing("it")).circuit is not Circuit.CLOSED
                    line.far = server.port
                    await post.settled(LIFE)
                    assert taken(server) == {post.queued[0]: 1}
                    assert not plain.mails

    run(main)


def test_one_that_goes_away_again_and_again_gets_each_mail_once_at_most(
    tmp_path: Path, *, nightly: bool
) -> None:
    """Cut off wherever a mail is: what it perhaps took is not sent again, and says so."""
    dice = random.Random(7)  # noqa: S311 - the same each time
    restarts = 300 if nightly else 30

    async def main(loop: Clockwork) -> None:
        server = MailServer(slow=0.3)
        async with server.running(), Line(server.port).open() as line:  # noqa: SIM117 - in this order
            async with posting(loop, tmp_path, {"it": by_mail(line.port)}) as post:
                for restart in range(restarts):
                    for number in range(dice.randint(1, 3)):
                        await mail(post, 10 * restart + number)
                    await asyncio.sleep(dice.uniform(0, 0.5))
                    line.cut()
                    line.far = 1  # nobody listens
                    await asyncio.sleep(dice.uniform(0, 20))
                    line.far = server.port
                await post.settled(LIFE)
                states = await post.states()
                print(f"{restarts} restarts: {states}, {len(server.mails)} taken")  # noqa: T201
                assert max(taken(server).values()) == 1
                for message in await post.messages():
                    there = taken(server)[message.to]
                    assert (message.state, there) in {
                        (State.ACCEPTED, 1), (State.UNCERTAIN, 1), (State.UNCERTAIN, 0),
                    }  # fmt: skip
                    assert message.detail or message.state is State.ACCEPTED
                assert states[State.UNCERTAIN] > 0, "never cut off in the middle of a mail"
                assert states[State.ACCEPTED] > restarts / 2

    run(main)
