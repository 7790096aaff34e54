"""Twilio, as far as it can be tried without an account."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Deferred,
    Found,
    Rejected,
    SendResult,
    Uncertain,
)
from pbx_bridge.gateways import twilio
from pbx_bridge.gateways.twilio import Gateway, Settings, to_result
from pbx_bridge.ports import GatewayProblem
from tests.gateways.conformance import Conformance
from tests.gateways.fakes import ACCOUNT, TOKEN, Behaviour, FakeTwilio, Told, answer, message

FROM = "+15550001111"
SERVICE = "MG" + "1" * 32
KEY = "SK" + "2" * 32


def settings(**changes: Any) -> Settings:
    values = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from_number": FROM}
    return Settings.model_validate({"type": "twilio"} | values | changes)


class TestTwilioConforms(Conformance):
    TAKEN = answer(201, '{"sid": "SM1"}')
    REF = "SM1"

    def gateway(self, url: str) -> Gateway:
        return Gateway(settings(base_url=url))


@pytest.fixture
def fake() -> FakeTwilio:
    return FakeTwilio()


@pytest.fixture
async def server(fake: FakeTwilio) -> AsyncIterator[Told]:
    async with Told(fake).running() as running:
        yield running


@pytest.fixture
async def gateway(server: Told) -> AsyncIterator[Gateway]:
    async with Gateway(settings(base_url=server.url)) as opened:
        yield opened


async def test_a_message_goes_out_with_its_life_time(gateway: Gateway, server: Told) -> None:
    hostile = "Tschüß & auf Wiedersehen; To=+1900 😀\r\n{key}"
    assert isinstance(await gateway.send(message(body=hostile)), Accepted)
    (request,) = server.requests
    form = request.form()
    left = int(form.pop("ValidityPeriod"))
    assert 1790 <= left <= 1800
    assert form == {"To": "+15551234567", "From": FROM, "Body": hostile}


@pytest.mark.parametrize(("minutes", "validity"), [(-5, "1"), (60 * 24 * 9, "36000")])
async def test_the_life_time_stays_within_twilios_bounds(
    gateway: Gateway, server: Told, minutes: int, validity: str
) -> None:
    await gateway.send(message(expires_at=utc_now() + timedelta(minutes=minutes)))
    assert server.requests[0].form()["ValidityPeriod"] == validity


async def test_a_messaging_service_chooses_the_number(server: Told) -> None:
    with_service = settings(base_url=server.url, from_number=None, messaging_service_sid=SERVICE)
    async with Gateway(with_service) as gateway:
        assert isinstance(await gateway.send(message()), Accepted)
    form = server.requests[0].form()
    assert form["MessagingServiceSid"] == SERVICE
    assert "From" not in form


async def test_the_environment_has_no_say(server: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCOUNT_SID", "AUTH_TOKEN", "EDGE", "REGION"):
        monkeypatch.setenv(f"TWILIO_{name}", "elsewhere")
    async with Gateway(settings(base_url=server.url)) as gateway:
        assert isinstance(await gateway.send(message()), Accepted)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 21211, Rejected("Twilio answered 400: not a valid number", "21211")),
        (400, 21610, Rejected("Twilio answered 400: this customer opted out (STOP)", "21610")),
        (400, 21614, Rejected("Twilio answered 400: not a mobile number", "21614")),
        (400, 99999, Rejected("Twilio answered 400: said …567", "99999")),
        (401, 20003, Rejected(f"Twilio answered 401: {twilio.MEANING['20003']}", "20003")),
        (429, 20429, Deferred("Twilio answered 429: said …567", timedelta(9), "20429")),
        (400, 21611, Deferred("Twilio answered 400: said …567", timedelta(9), "21611")),
        (500, 20500, Uncertain("Twilio answered 500: said …567")),
        (503, 20503, Uncertain("Twilio answered 503: said …567")),
    ],
)
def test_each_refusal_has_its_meaning(status: int, code: int, expected: SendResult) -> None:
    body = {"code": code, "message": "said +15551234567"}
    assert to_result(status, body, timedelta(9)) == expected


@pytest.mark.parametrize("body", [None, [], {}, {"sid": None}, {"sid": 7}, {"sid": ""}, "SM1", 7])
def test_taken_without_an_id_is_uncertain(body: object) -> None:
    assert isinstance(to_result(201, body), Uncertain)


@pytest.mark.parametrize("body", [None, [], {"code": "x", "message": {}}, {"code": True}, "no"])
def test_a_refusal_in_strange_words_is_a_refusal(body: object) -> None:
    assert isinstance(to_result(400, body), Rejected)
    assert isinstance(to_result(403, body), Rejected)


async def test_wrong_credentials_are_a_refusal(server: Told) -> None:
    async with Gateway(settings(base_url=server.url, auth_token="wrong")) as gateway:
        result = await gateway.send(message())
    assert isinstance(result, Rejected)
    assert "auth_token" in result.reason


async def test_a_message_whose_answer_was_lost_is_found(fake: FakeTwilio, gateway: Gateway) -> None:
    fake.after = lambda _: Behaviour.CUT
    lost = message()
    assert isinstance(await gateway.send(lost), Uncertain)
    assert await gateway.lookup(lost, set()) == Found(str(fake.messages[0]["sid"]))


async def test_a_message_that_never_arrived_is_absent(fake: FakeTwilio, gateway: Gateway) -> None:
    fake.before = lambda _: Behaviour.CUT
    assert isinstance(await gateway.send(message()), Uncertain)
    assert await gateway.lookup(message(), set()) == Absent()


@pytest.mark.parametrize(
    "difference",
    [
        {"body": "another text"},
        {"body": None},
        {"direction": "inbound"},
        {"date_created": "Mon, 23 Nov 2020 12:00:00 +0000"},
        {"date_created": None},
        {"sid": "SM-taken"},
        {"sid": None},
    ],
)
async def test_another_message_is_not_taken_for_ours(
    fake: FakeTwilio, gateway: Gateway, difference: dict[str, object]
) -> None:
    await gateway.send(message())
    fake.messages[0] |= difference
    assert await gateway.lookup(message(), {"SM-taken"}) == Absent()


async def test_the_words_of_a_trial_account_do_not_hide_a_message(
    fake: FakeTwilio, gateway: Gateway
) -> None:
    await gateway.send(message())
    fake.messages[0]["body"] = twilio.TRIAL + "Sorry we missed you "
    assert isinstance(await gateway.lookup(message(), set()), Found)


@pytest.mark.parametrize(
    "reply",
    [
        answer(500, "{}"),
        answer(503, "busy"),
        answer(429, "{}", Retry_After="5"),
        answer(401, json.dumps({"code": 20003, "message": "Authenticate"})),
        answer(200, "<html>"),
        answer(200, "{}"),
        Behaviour.CUT,
    ],
)
async def test_a_question_without_an_answer_is_asked_later(reply: bytes | Behaviour) -> None:
    async with Told(reply).running() as server, Gateway(settings(base_url=server.url)) as gateway:
        assert isinstance(await gateway.lookup(message(), set()), Deferred)


async def test_the_check_fetches_the_account(gateway: Gateway) -> None:
    assert await gateway.check() == "Twilio account 'Dr. Müller' is active"


async def test_the_check_with_an_api_key_asks_for_a_message() -> None:
    with_key = {"auth_token": None, "api_key": KEY, "api_secret": TOKEN}
    async with Told(answer(200, '{"messages": []}')).running() as server:
        async with Gateway(settings(base_url=server.url, **with_key)) as gateway:
            assert await gateway.check() == "Twilio takes the API key"
        assert "/Messages.json?" in server.requests[0].path


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (answer(401, '{"code": 20003, "message": "Authenticate"}'), "wrong account_sid"),
        (answer(200, '{"status": "suspended"}'), "account is suspended"),
        (answer(200, "<html>"), "answered 200"),
        (Behaviour.CUT, "cannot be reached"),
    ],
)
async def test_the_check_says_what_to_change(reply: bytes | Behaviour, problem: str) -> None:
    async with Told(reply).running() as server, Gateway(settings(base_url=server.url)) as gateway:
        with pytest.raises(GatewayProblem, match=problem):
            await gateway.check()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"auth_token": None}, "give either auth_token, or api_key"),
        ({"api_key": KEY}, "give either auth_token, or api_key"),
        ({"api_key": KEY, "api_secret": "x"}, "give either auth_token, or api_key"),
        ({"auth_token": None, "api_key": KEY}, "give either auth_token, or api_key"),
        ({"messaging_service_sid": SERVICE}, "either from_number or messaging_service_sid"),
        ({"from_number": None}, "either from_number or messaging_service_sid"),
        ({"from_number": "555"}, "from_number"),
        ({"account_sid": "AC1/../x"}, "account_sid"),
        ({"base_url": "file:///etc/passwd"}, "base_url"),
        ({"base_url": "https://user:pass@host"}, "base_url"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_mistakes_in_the_settings_are_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem) as found:
        settings(**changes)
    assert TOKEN not in str(found.value)
