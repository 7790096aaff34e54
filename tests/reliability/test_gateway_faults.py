"""Gateways that are down, slow, lying or flapping: each text once, or uncertain and shown as such.

Counted at the gateways, by number; hours pass in seconds, by the clock of `clockwork`.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from pbx_bridge.core.delivery import Receipt, State
from pbx_bridge.core.routing import Circuit
from pbx_bridge.gateways import http, twilio
from pbx_bridge.ports import Gateway
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
from tests.test_both_ways import free_port

from .clockwork import Clockwork, run
from .line import Line
from .posting import posting

#: Half an hour, after which a text about a missed call is not sent any more.
LIFE = timedelta(minutes=30)


@dataclass
class Modem:
    """A gateway that can be asked nothing, and misbehaves by `mood`."""

    loop: Clockwork
    taken: Counter[str] = field(default_factory=Counter)
    asked: list[float] = field(default_factory=list)
    mood: Callable[[Request], Answer | None] = lambda _: None

    def __call__(self, request: Request) -> Answer:
        self.asked.append(self.loop.time())
        told = self.mood(request)
        if told is not None:
            return told
        return self.take(request)

    def take(self, request: Request) -> bytes:
        to = json.loads(request.body)["to"]
        self.taken[to] += 1
        return answer(200, json.dumps({"id": f"{to}-{self.taken[to]}"}))


def by_http(server: Told, **more: object) -> Gateway:
    settings = {"url": f"{server.url}/", "json": {"to": "{to}"}, "id_path": "id"}
    return http.Gateway(http.Settings.model_validate(settings | more))


def by_twilio(server: Told) -> Gateway:
    account = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from_number": "+15550001111"}
    return twilio.Gateway(twilio.Settings.model_validate(account | {"base_url": server.url}))


# -- flapping -------------------------------------------------------------------------------

#: Ways of being down in which a gateway has taken a text all the same.
PERHAPS: dict[str, Answer] = {
    "500": answer(500, "oops"),
    "reset": Behaviour.RESET,
    "silence": Behaviour.HANG,
}
#: And those in which it says that it has not, which is believed.
DOWN: dict[str, Answer] = PERHAPS | {
    "503": answer(503, "busy"),
    "429": answer(429, "slow down", Retry_After="7"),
}


def test_a_gateway_that_flaps_for_an_hour(tmp_path: Path, nightly: bool) -> None:  # noqa: FBT001
    """Up and down every few seconds or minutes, in five ways, before and after it has taken a text.

    The first of the route can be asked what it took, so nothing stays uncertain; the second, which
    serves meanwhile, flaps too, but never at the same time.
    """
    hours = 24 if nightly else 1
    dice = random.Random(11)  # noqa: S311 - the same each time

    async def main(loop: Clockwork) -> None:
        fake = FakeTwilio(clock=loop.now)
        trouble: list[tuple[Answer, bool]] = []

        def before(_: Request) -> Answer | None:
            return trouble[0][0] if trouble and not trouble[0][1] else None

        def after(_: Request) -> Answer | None:
            return trouble[0][0] if trouble and trouble[0][1] else None

        fake.before, fake.after = before, after
        modem = Modem(loop)
        async with Told(fake).running() as first, Told(modem).running() as second:
            gateways = {"first": by_twilio(first), "second": by_http(second)}
            async with posting(loop, tmp_path, gateways) as post:

                async def flaps() -> None:
                    while True:
                        taken = dice.random() < 0.4
                        ways = PERHAPS if taken else DOWN
                        trouble[:] = [(dice.choice(list(ways.values())), taken)]
                        await asyncio.sleep(dice.choice((2, 10, 45, 180)))
                        trouble.clear()
                        await asyncio.sleep(dice.choice((2, 10, 45)))

                flapping = loop.create_task(flaps())
                for _ in range(60 * hours):
                    await post.queue(("first", "second"), life=LIFE)
                    await asyncio.sleep(60)
                flapping.cancel()
                trouble.clear()
                await post.settled()
                messages = await post.messages()
                states = Counter(one.state for one in messages)
                taken = Counter(str(one["to"]) for one in fake.messages) + modem.taken
                print(  # noqa: T201 - the figures for whoever asks for them (-s)
                    f"{hours} h: {len(messages)} texts, {states}, "
                    f"by {Counter(one.gateway for one in messages)}, "
                    f"circuit opened {len(post.said('circuit_opened'))} times, "
                    f"closed {len(post.said('circuit_closed'))} times"
                )
                assert max(taken.values()) == 1
                for one in messages:
                    assert one.state is State.ACCEPTED, one
                    assert taken[one.to] == 1
                assert post.said("circuit_opened")
                assert (await post.standing("first")).circuit is Circuit.CLOSED

    run(main)


def test_one_that_flaps_and_can_be_asked_nothing_doubles_nothing(tmp_path: Path) -> None:
    """What is perhaps sent stays uncertain, and is shown as that."""
    dice = random.Random(12)  # noqa: S311 - the same each time

    async def main(loop: Clockwork) -> None:
        modem = Modem(loop)

        def mood(request: Request) -> Answer | None:
            if (loop.time() // 20) % 2:
                return None
            if dice.random() < 0.5:
                modem.take(request)  # and then says something else
                return dice.choice(list(PERHAPS.values()))
            return dice.choice(list(DOWN.values()))

        modem.mood = mood
        async with (
            Told(modem).running() as server,
            posting(loop, tmp_path, {"it": by_http(server)}) as post,
        ):
            for _ in range(60):
                await post.queue(("it",), life=LIFE)
                await asyncio.sleep(60)
            await post.settled()
            states = await post.states()
            print(states)  # noqa: T201 - as above
            assert set(states) <= {State.ACCEPTED, State.UNCERTAIN, State.EXPIRED}
            assert states[State.UNCERTAIN]
            assert max(modem.taken.values()) == 1
            for one in await post.messages():
                if one.state is State.ACCEPTED:
                    assert modem.taken[one.to] == 1
                if one.state is State.EXPIRED:
                    assert modem.taken[one.to] == 0

    run(main)


def test_while_the_first_is_down_the_second_serves_and_the_first_is_left_alone(
    tmp_path: Path,
) -> None:
    async def main(loop: Clockwork) -> None:
        first, second = Modem(loop), Modem(loop)
        port = free_port()  # nobody listens there
        async with Told(first).running() as one, Told(second).running() as two:
            gateways = {"first": by_http(Told(b"", port=port)), "second": by_http(two)}
            async with posting(loop, tmp_path, gateways) as post:
                for _ in range(120):
                    await post.queue(("first", "second"), life=LIFE)
                    await asyncio.sleep(30)
                await post.settled()
                assert second.taken == dict.fromkeys(post.queued, 1)
                assert (await post.standing("first")).circuit is not Circuit.CLOSED
                async with Line(one.port, port).open():
                    for _ in range(60):
                        await post.queue(("first", "second"), life=LIFE)
                        await asyncio.sleep(30)
                    await post.settled()
                assert (await post.standing("first")).circuit is Circuit.CLOSED
                assert first.taken.total() > 30
                assert first.taken + second.taken == dict.fromkeys(post.queued, 1)

    run(main)


# -- slow -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(9.5, State.ACCEPTED), (10.5, State.UNCERTAIN)],
    ids=["just under", "just over"],
)
def test_one_that_thinks_for_long(tmp_path: Path, seconds: float, state: State) -> None:
    """The limit for a request is ten seconds; a text that took longer is perhaps sent."""

    async def main(loop: Clockwork) -> None:
        taken: Counter[str] = Counter()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            taken[json.loads(await reader.readexactly(length))["to"]] += 1
            await asyncio.sleep(seconds)
            writer.write(answer(200, json.dumps({"id": "1"})))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        where = Told(b"", port=server.sockets[0].getsockname()[1])
        async with server, posting(loop, tmp_path, {"it": by_http(where)}) as post:
            for _ in range(4):  # fewer than a circuit counts
                await post.queue(("it",), life=LIFE)
            await post.settled()
            assert await post.states() == {state: 4}
            assert sorted(taken) == sorted(post.queued)
            assert max(taken.values()) == 1

    run(main)


# -- lies -----------------------------------------------------------------------------------

LIES: dict[str, Answer] = {
    "202 and nothing": answer(202, ""),
    "200 and nothing": answer(200, ""),
    "200 with no id": answer(200, "{}"),
    "200 with an id that is none": answer(200, '{"id": {"a": 1}}'),
    "200 with half an answer": Behaviour.HALF,
    "200 and a page": answer(200, "<html>Please log in to the hotel's network</html>"),
    "500 after taking it": answer(500, "oops"),
    "504 after taking it": answer(504, "oops"),
    "an answer without end": Behaviour.FLOOD,
}


@pytest.mark.parametrize("name", LIES)
def test_one_that_lies_doubles_nothing_and_its_texts_are_shown_as_uncertain(
    tmp_path: Path, name: str
) -> None:
    """With a second gateway there, too: what was perhaps sent does not go to another."""

    async def main(loop: Clockwork) -> None:
        liar, other = Modem(loop), Modem(loop)

        def mood(request: Request) -> Answer:
            liar.take(request)
            return LIES[name]

        liar.mood = mood
        async with Told(liar).running() as one, Told(other).running() as two:
            gateways = {"liar": by_http(one), "other": by_http(two)}
            async with posting(loop, tmp_path, gateways) as post:
                for _ in range(4):
                    await post.queue(("liar", "other"), life=LIFE)
                await post.settled()
                assert await post.states() == {State.UNCERTAIN: 4}
                assert liar.taken == dict.fromkeys(post.queued, 1)
                assert not other.taken

    run(main)


def test_one_that_gives_every_text_the_same_id(tmp_path: Path) -> None:
    """Its receipts name a text by that id, or by one unknown: whom they mean is unclear."""

    async def main(loop: Clockwork) -> None:
        modem = Modem(loop)

        def mood(request: Request) -> Answer:
            modem.take(request)
            return answer(200, '{"id": "same"}')

        modem.mood = mood
        async with (
            Told(modem).running() as server,
            posting(loop, tmp_path, {"it": by_http(server)}) as post,
        ):
            for _ in range(3):
                await post.queue(("it",), life=LIFE)
                await post.settled()
            for ref in ("same", "nobody knows"):
                for state in (State.DELIVERED, State.UNDELIVERED, State.DELIVERED):
                    await post.intake.take("it", [Receipt(state=state, gateway_ref=ref)])
            await post.settled()
            assert modem.taken == dict.fromkeys(post.queued, 1)
            states = await post.states()
            assert set(states) <= {State.ACCEPTED, State.DELIVERED}
            assert states[State.ACCEPTED] >= 2  # one receipt does not speak for three

    run(main)
