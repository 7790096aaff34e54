"""Twilio, as far as it can be tried without an account."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Blame,
    Deferred,
    Found,
    Rejected,
    SendResult,
    Uncertain,
)
from pbx_bridge.core.reply import Reply
from pbx_bridge.gateways import twilio
from pbx_bridge.gateways._twilio_codes import MEANING
from pbx_bridge.gateways.twilio import Gateway, Settings, to_result
from pbx_bridge.ports import (
    ALONE,
    Forged,
    GatewayProblem,
    HookRequest,
    Listens,
    News,
    ReceivesHooks,
    Surroundings,
)
from tests.gateways.conformance import Conformance
from tests.gateways.fakes import ACCOUNT, TOKEN, Behaviour, FakeTwilio, Kept, Told, answer, message

FROM = "+15550001111"
SERVICE = "MG" + "1" * 32
KEY = "SK" + "2" * 32
WITH_KEY = {"auth_token": None, "api_key": KEY, "api_secret": TOKEN}
HOOKED = Surroundings(name="sms", hook_url="https://pbx.example.com/bridge/hooks/sms")
GATEWAY, OUT = Blame.GATEWAY, Blame.OPTED_OUT


def settings(**changes: Any) -> Settings:
    values = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from_number": FROM}
    return Settings.model_validate({"type": "twilio"} | values | changes)


async def nobody_hears(news: Sequence[News]) -> None:
    raise AssertionError(news)


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


async def test_our_key_rides_in_the_address_to_which_twilio_reports(server: Told) -> None:
    async with Gateway(settings(base_url=server.url), HOOKED) as gateway:
        await gateway.send(message(key="call 7/step&1"))
    asked = server.requests[0].form()["StatusCallback"]
    assert asked == f"{HOOKED.hook_url}/status?m=call%207%2Fstep%261"


async def test_twilio_is_not_asked_to_report_what_nobody_could_prove(server: Told) -> None:
    with_key = settings(base_url=server.url, **WITH_KEY)
    async with Gateway(with_key, HOOKED) as gateway:
        await gateway.send(message())
        assert not gateway.capabilities.receipts
        assert not gateway.capabilities.inbound
    assert "StatusCallback" not in server.requests[0].form()


@pytest.mark.parametrize(
    ("changes", "around", "heard", "priced"),
    [
        ({}, ALONE, False, False),
        ({}, HOOKED, True, True),
        ({"poll_seconds": 0}, HOOKED, True, False),
        ({"poll_seconds": 10}, ALONE, True, True),
        ({"poll_seconds": 10}, HOOKED, True, True),
        (WITH_KEY, HOOKED, False, False),
        (WITH_KEY | {"auth_token": "t"}, HOOKED, True, True),
        (WITH_KEY | {"webhook_secret": "s"}, HOOKED, True, True),
        (WITH_KEY | {"poll_seconds": 1}, HOOKED, True, True),
    ],
)
def test_it_can_do_what_is_configured(
    changes: dict[str, Any], around: Surroundings, *, heard: bool, priced: bool
) -> None:
    able = Gateway(settings(**changes), around).capabilities
    assert (able.receipts, able.inbound, able.tells_price) == (heard, heard, priced)
    assert able.can_lookup
    assert able.handles_optout
    assert able.max_length == 1600


def test_twilio_may_leave_stop_to_us() -> None:
    assert not Gateway(settings(handles_optout=False)).capabilities.handles_optout


def test_with_a_key_and_a_token_the_key_is_shown_to_the_api_and_the_token_proves_hooks() -> None:
    both = settings(**WITH_KEY | {"auth_token": "t"})
    assert both.credentials() == (KEY, TOKEN)
    assert both.secrets().auth_token == "t"


def test_a_hook_without_anything_to_prove_it_by_says_so() -> None:
    gateway = Gateway(settings(**WITH_KEY), HOOKED)
    request = HookRequest(
        method="POST", tail="reply", url="https://x/", headers={}, query=(), body=b""
    )
    with pytest.raises(Forged, match="set auth_token"):
        gateway.hook(request)


def test_it_listens_and_receives_hooks() -> None:
    gateway = Gateway(settings())
    assert isinstance(gateway, Listens)
    assert isinstance(gateway, ReceivesHooks)


async def test_without_polling_listening_waits_and_asks_nothing(
    gateway: Gateway, server: Told
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await gateway.listen(nobody_hears, Kept())
    assert server.requests == []


@pytest.mark.parametrize(
    ("changes", "around"), [({"poll_seconds": 60}, ALONE), ({}, HOOKED)], ids=["polling", "hooks"]
)
async def test_a_reply_that_no_webhook_told_is_heard(
    fake: FakeTwilio, server: Told, changes: dict[str, Any], around: Surroundings
) -> None:
    fake.receive(body="Hello?")
    heard: asyncio.Queue[object] = asyncio.Queue()

    async def tell(news: Sequence[News]) -> None:
        for one in news:
            heard.put_nowait(one)

    async with Gateway(settings(base_url=server.url, **changes), around) as gateway:
        listening = asyncio.get_running_loop().create_task(gateway.listen(tell, Kept()))
        found = await asyncio.wait_for(heard.get(), 5)
        listening.cancel()
    assert isinstance(found, Reply)
    assert found.body == "Hello?"


async def test_the_environment_has_no_say(server: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCOUNT_SID", "AUTH_TOKEN", "EDGE", "REGION"):
        monkeypatch.setenv(f"TWILIO_{name}", "elsewhere")
    async with Gateway(settings(base_url=server.url)) as gateway:
        assert isinstance(await gateway.send(message()), Accepted)


@pytest.mark.parametrize("code", sorted(MEANING))
def test_every_code_has_its_result(code: str) -> None:
    meaning = MEANING[code]
    words = f"Twilio answered 400: {meaning.words}"
    result = to_result(400, {"code": int(code), "message": "said +15551234567"})
    if meaning.later:
        assert result == Deferred(words, meaning.wait, code, busy=True)
    else:
        assert result == Rejected(words, code, meaning.blame)


def test_twilios_own_time_to_come_back_comes_first() -> None:
    result = to_result(400, {"code": 30027}, timedelta(seconds=9))
    assert isinstance(result, Deferred)
    assert result.retry_after == timedelta(seconds=9)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 99999, Rejected("Twilio answered 400: said …567", "99999")),
        (429, 99999, Deferred("Twilio answered 429: said …567", timedelta(9), "99999", busy=True)),
        (401, 99999, Rejected(f"Twilio answered 401: {MEANING['20003'].words}", "20003", GATEWAY)),
        (403, 20005, Rejected(f"Twilio answered 403: {MEANING['20003'].words}", "20003", GATEWAY)),
        (403, 21610, Rejected("Twilio answered 403: this customer opted out (STOP)", "21610", OUT)),
        (408, 20408, Uncertain("Twilio answered 408: said …567")),
        (500, 20500, Uncertain("Twilio answered 500: said …567")),
        (503, 20503, Uncertain("Twilio answered 503: said …567")),
        # A later answer of a broken server is not one that says "certainly not sent".
        (503, 21611, Uncertain(f"Twilio answered 503: {MEANING['21611'].words}")),
    ],
)
def test_each_refusal_has_its_meaning(status: int, code: int, expected: SendResult) -> None:
    body = {"code": code, "message": "said +15551234567"}
    assert to_result(status, body, timedelta(9)) == expected


@pytest.mark.parametrize("body", [None, {}, {"code": None}, {"code": True}])
@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_not_good_are_the_gateways_fault(status: int, body: object) -> None:
    result = to_result(status, body)
    assert isinstance(result, Rejected)
    assert (result.code, result.blame) == ("20003", Blame.GATEWAY)


async def test_a_gateway_out_of_reach_is_not_busy() -> None:
    async with Gateway(settings(base_url="http://127.0.0.1:9")) as gateway:
        result = await gateway.send(message())
    assert isinstance(result, Deferred)
    assert not result.busy


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
        {"direction": "outbound-reply"},
        {"from": "+15550002222"},
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


async def test_a_message_of_another_service_is_not_taken_for_ours(
    fake: FakeTwilio, server: Told
) -> None:
    with_service = settings(base_url=server.url, from_number=None, messaging_service_sid=SERVICE)
    async with Gateway(with_service) as gateway:
        await gateway.send(message())
        assert isinstance(await gateway.lookup(message(), set()), Found)
        fake.messages[0]["messaging_service_sid"] = "MG" + "9" * 32
        assert await gateway.lookup(message(), set()) == Absent()


async def test_a_message_is_found_below_many_newer_ones(fake: FakeTwilio, gateway: Gateway) -> None:
    await gateway.send(message())
    for _ in range(120):
        fake.receive(to="+15551234567")
    assert isinstance(await gateway.lookup(message(), set()), Found)
    assert fake.lists == 3


async def test_older_pages_are_not_asked_for(fake: FakeTwilio, gateway: Gateway) -> None:
    for _ in range(120):
        fake.receive(to="+15551234567", date_created="Mon, 23 Nov 2020 12:00:00 +0000")
    assert await gateway.lookup(message(), set()) == Absent()
    assert fake.lists == 1


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


async def test_the_check_says_where_twilio_has_to_send_replies(server: Told) -> None:
    async with Gateway(settings(base_url=server.url), HOOKED) as gateway:
        assert (await gateway.check()).endswith(f"incoming messages to {HOOKED.hook_url}/reply")
    async with Told(answer(200, '{"messages": []}')).running() as other:
        without = settings(base_url=other.url, **WITH_KEY)
        async with Gateway(without, HOOKED) as gateway:
            assert "it signs with auth_token" in await gateway.check()


async def test_the_check_knows_a_host_that_twilio_will_not_call(server: Told) -> None:
    around = Surroundings(hook_url="https://my_pbx.example.com/hooks/sms")
    async with Gateway(settings(base_url=server.url), around) as gateway:
        with pytest.raises(GatewayProblem, match="underscore"):
            await gateway.check()


async def test_the_check_with_an_api_key_asks_for_a_message() -> None:
    async with Told(answer(200, '{"messages": []}')).running() as server:
        async with Gateway(settings(base_url=server.url, **WITH_KEY)) as gateway:
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
        ({"api_secret": "x"}, "give either auth_token, or api_key"),
        ({"poll_seconds": 0.5}, "poll_seconds is too small; 0 for never, or at least 1"),
        ({"poll_seconds": -1}, "poll_seconds is too small"),
        ({"poll_seconds": 3601}, "poll_seconds"),
        ({"poll_seconds": float("nan")}, "poll_seconds"),
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
