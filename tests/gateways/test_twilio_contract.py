"""The gateway against Twilio's own OpenAPI description (see twilio/README.md).

Prism serves that description and refuses with 422 what does not fit it. Where Prism is missing
these tests are skipped, loudly; `scripts/prism` installs it.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import Absent, Accepted, Found, Rejected
from pbx_bridge.gateways import _twilio_api as api
from pbx_bridge.gateways import _web
from pbx_bridge.gateways._twilio_news import STATES
from pbx_bridge.gateways._twilio_polling import Poller
from pbx_bridge.gateways.twilio import Gateway, Settings
from pbx_bridge.ports import News, Surroundings
from tests.gateways.fakes import ACCOUNT, TOKEN, FakeTwilio, Kept, Told, message
from tests.prism import Prism, mocking

DESCRIPTION = Path(__file__).parent / "twilio" / "messages.json"
MESSAGES = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
NUMBER = "+15550001111"
SERVICE = "MG" + "1" * 32
KEY = "SK" + "2" * 32
HOOKED = Surroundings(name="sms", hook_url="https://pbx.example.com/bridge/hooks/sms")

#: Every way in which an office can have set it up.
SETTINGS = {
    "a number": {"auth_token": TOKEN, "from_number": NUMBER},
    "a service": {"auth_token": TOKEN, "messaging_service_sid": SERVICE},
    "a key": {"api_key": KEY, "api_secret": TOKEN, "from_number": NUMBER},
}


def settings(how: str, url: str) -> Settings:
    return Settings.model_validate({"account_sid": ACCOUNT, "base_url": url} | SETTINGS[how])


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    described: dict[str, Any] = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    return described


# What the description says, without a server.


def test_every_status_of_the_description_is_known(description: dict[str, Any]) -> None:
    named = set(description["components"]["schemas"]["message_enum_status"]["enum"])
    assert named - STATES.keys() == {"receiving", "received", "partially_delivered"}
    assert STATES.keys() <= named


async def test_the_fake_gives_what_the_description_has(description: dict[str, Any]) -> None:
    fake = FakeTwilio()
    async with (
        Told(fake).running() as server,
        Gateway(settings("a service", server.url), HOOKED) as gateway,
    ):
        await gateway.send(message())
        await gateway.lookup(message(), set())
    schema = description["components"]["schemas"]["api.v2010.account.message"]["properties"]
    assert fake.messages[0].keys() | fake.receive().keys() <= schema.keys()
    sent, asked = server.requests
    of = description["paths"][MESSAGES]
    body = of["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    assert sent.form().keys() <= body["properties"].keys()
    assert asked.query().keys() <= {one["name"] for one in of["get"]["parameters"]}


# What Prism says of what we send.


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prism]:
    with mocking(DESCRIPTION, tmp_path_factory.mktemp("prism") / "log", "Twilio") as running:
        yield running


@pytest.mark.parametrize("how", SETTINGS)
@pytest.mark.parametrize("around", [Surroundings(), HOOKED], ids=["alone", "hooked"])
async def test_a_text_is_taken(prism: Prism, how: str, around: Surroundings) -> None:
    before = len(prism.verdicts())
    async with Gateway(settings(how, prism.url), around) as gateway:
        result = await gateway.send(message(body="Tschüß 😀 & bis bald; To=+1", key="call 7/1"))
    assert isinstance(result, Accepted)
    assert re.fullmatch("SM[0-9a-f]{32}", result.gateway_ref)
    assert prism.verdicts()[before:] == ["good"]


@pytest.mark.parametrize("how", SETTINGS)
async def test_lookup_and_check_ask_as_described(prism: Prism, how: str) -> None:
    before = len(prism.verdicts())
    async with Gateway(settings(how, prism.url)) as gateway:
        assert await gateway.lookup(message(), set()) == Absent()
        await gateway.check()
    assert prism.verdicts()[before:] == ["good", "good"]


async def test_a_listed_message_is_read_as_twilio_writes_it(prism: Prism) -> None:
    """Prism lists the examples of the description, as Twilio's server once wrote them."""
    sent = datetime(2019, 5, 24, 17, 44, 46, tzinfo=UTC)
    mine = message(body="testing", to="+18182008801", created_at=sent + timedelta(seconds=1))
    of_example = {"messaging_service_sid": "MG" + "a" * 32}
    async with Gateway(settings("a service", prism.url).model_copy(update=of_example)) as gateway:
        assert await gateway.lookup(mine, set()) == Found("SMded05904ccb347238880ca9264e8fe1c")


@pytest.mark.parametrize("number", [NUMBER, None], ids=["a number", "a service"])
async def test_polling_asks_as_described(prism: Prism, number: str | None) -> None:
    before = len(prism.verdicts())
    heard: list[News] = []
    passed = asyncio.Event()

    async def tell(news: Sequence[News]) -> None:
        heard.extend(news)

    async def once(_: float) -> None:
        passed.set()
        await asyncio.get_running_loop().create_future()

    async with _web.session() as session:
        opened = api.client(session, ACCOUNT, (ACCOUNT, TOKEN), prism.url)
        poller = Poller(opened=opened, number=number, every=10, now=utc_now, name="sms", sleep=once)
        task = asyncio.get_running_loop().create_task(poller.run(tell, Kept()))
        await asyncio.wait_for(passed.wait(), 20)
        task.cancel()
    assert set(prism.verdicts()[before:]) == {"good"}
    assert heard == []  # all of the examples are of 2019
    assert len(prism.verdicts()) - before == (2 if number else 1)


@pytest.mark.parametrize(
    "form",
    [
        {"From": NUMBER, "Body": "x"},
        {"To": "+15551234567", "MessagingServiceSid": "MG1", "Body": "x"},
        {"To": "+15551234567", "From": NUMBER, "Body": "x", "ValidityPeriod": "soon"},
    ],
)
async def test_what_does_not_fit_is_refused(prism: Prism, form: dict[str, str]) -> None:
    """Else the tests above would prove nothing."""
    before = len(prism.verdicts())
    path = MESSAGES.replace("{AccountSid}", ACCOUNT)
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            prism.url + path,
            data=form,
            headers={"Authorization": _web.basic_auth(ACCOUNT, TOKEN)},
        ) as refused,
    ):
        assert refused.status == 422
    assert prism.verdicts()[before:] == ["bad"]


async def test_a_refused_shape_is_a_refusal_for_the_gateway_too(prism: Prism) -> None:
    broken = settings("a service", prism.url).model_copy(update={"messaging_service_sid": "MG1"})
    async with Gateway(broken) as gateway:
        result = await gateway.send(message())
    assert isinstance(result, Rejected)
    assert "422" in result.reason
