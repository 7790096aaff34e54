"""What an answer means, as the settings say."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from pbx_bridge.core.delivery import (
    Accepted,
    Blame,
    Deferred,
    Price,
    Rejected,
    SendResult,
    Uncertain,
)
from pbx_bridge.gateways._http_answers import to_result
from pbx_bridge.gateways._web import Reply
from pbx_bridge.gateways.http import Gateway
from tests.gateways.described import settings
from tests.gateways.fakes import Told, answer, message

#: The answer says "sent".
SENT = {"success": {"json_path": "s", "matches": "^sent"}}
ERRORS: dict[str, dict[str, Any]] = {
    "1": {"means": "too fast", "later": True},
    "2": {"means": "who knows", "unclear": True},
    "3": {"means": "said STOP", "blame": "opted_out"},
    "402": {"means": "no credit", "blame": "gateway"},
    "NO SUCH": {"means": "no such number", "blame": "number"},
}


def result(status: int, body: object, **changes: Any) -> SendResult:
    text = body if isinstance(body, str) else json.dumps(body)
    return to_result(Reply(status, text, timedelta(seconds=7)), settings(**changes))


@pytest.mark.parametrize(
    ("reply", "changes", "expected"),
    [
        (answer(200), {}, Accepted("")),
        (answer(202, "queued"), {}, Accepted("")),
        (answer(202, "queued"), {"success": {"status": [200]}}, Uncertain),
        (answer(201, '{"id": 5}'), {"id_path": "id"}, Accepted("5")),
        (answer(201, '{"id": true}'), {"id_path": "id"}, Uncertain),
        (answer(201, "{}"), {"id_path": "id"}, Uncertain),
        (answer(200, '{"e": 0}'), {"success": {"json_path": "e", "equals": 0}}, Accepted("")),
        (answer(200, '{"e": false}'), {"success": {"json_path": "e", "equals": 0}}, Rejected),
        (answer(200, '{"e": 3}'), {"success": {"json_path": "e", "equals": 0}}, Rejected),
        (answer(200, "oops"), {"success": {"json_path": "e", "equals": 0}}, Uncertain),
        (
            answer(200, '{"s":"sent 1"}'),
            SENT,
            Accepted(""),
        ),
        (
            answer(200, '{"s":"error"}'),
            SENT,
            Rejected,
        ),
        (answer(200, '{"s":{}}'), SENT, Rejected),
        (answer(503), {"retry_status": [503]}, Deferred),
        (answer(429), {"retry_status": []}, Rejected),
        (answer(404), {"permanent_status": [400]}, Uncertain),
        (answer(500), {"permanent_status": [500]}, Rejected),
        (answer(408), {}, Uncertain),
        (answer(409), {}, Uncertain),
        (answer(425), {}, Deferred),
    ],
)
async def test_answers_are_read_as_the_settings_say(
    reply: bytes, changes: dict[str, Any], expected: Any
) -> None:
    async with (
        Told(reply).running() as server,
        Gateway(settings(url=server.url, **changes)) as gateway,
    ):
        result = await gateway.send(message())
    if isinstance(expected, type):
        assert type(result) is expected
    else:
        assert result == expected


async def test_a_reason_is_quoted_with_care() -> None:
    said = json.dumps({"error": {"text": "bad number 15551234567\r\n" + "x" * 999}})
    async with (
        Told(answer(400, said)).running() as server,
        Gateway(settings(url=server.url, error_path="error.text")) as gateway,
    ):
        result = await gateway.send(message())
    assert isinstance(result, Rejected)
    assert result.reason.startswith("the gateway answered 400: bad number …567  xxx")
    assert len(result.reason) < 250


@pytest.mark.parametrize("status", [401, 403])
def test_who_may_not_send_blames_the_account(status: int) -> None:
    refused = result(status, "no")
    assert refused == Rejected(f"the gateway answered {status}", str(status), Blame.GATEWAY)
    assert result(400, "no") == Rejected("the gateway answered 400", "400", Blame.MESSAGE)


def test_too_many_is_for_later_and_no_fault() -> None:
    assert result(429, "") == Deferred(
        "the gateway answered 429", timedelta(seconds=7), "429", busy=True
    )


@pytest.mark.parametrize("status", [200, 400, 403, 429, 500])
@pytest.mark.parametrize(
    ("code", "kind"), [(1, Deferred), ("2", Uncertain), ("3", Rejected), (9, None)]
)
def test_a_code_in_the_table_counts_more_than_the_status(
    status: int, code: object, kind: type | None
) -> None:
    rules: dict[str, Any] = {
        "success": {"json_path": "ok", "equals": True},
        "error_code_path": "error.code",
        "errors": ERRORS,
    }
    got = result(status, {"ok": False, "error": {"code": code}}, **rules)
    if kind is None:
        by_status = {200: Rejected, 400: Rejected, 403: Rejected, 429: Deferred, 500: Uncertain}
        assert type(got) is by_status[status]
        return
    assert type(got) is kind
    assert not isinstance(got, Accepted)
    assert got.reason == f"the gateway answered {code}: {ERRORS[str(code)]['means']}"
    if isinstance(got, Rejected):
        assert (got.code, got.blame) == ("3", Blame.OPTED_OUT)
    if isinstance(got, Deferred):
        assert (got.code, got.busy, got.retry_after) == ("1", True, timedelta(seconds=7))


def test_without_a_code_the_status_is_looked_up() -> None:
    got = result(402, "pay", errors=ERRORS)
    assert got == Rejected("the gateway answered 402: no credit", "402", Blame.GATEWAY)


WORDS: dict[str, Any] = {
    "success": {"body_matches": '^Success "'},
    "id_body": '^Success "([^"]+)"',
    "error_body": '^Error "([^"]*)"',
    "errors": ERRORS,
}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, 'Success "a-1"', Accepted("a-1")),
        (200, 'Success "', Uncertain("the gateway answered 200 without an id")),
        (
            200,
            'Error "NO SUCH"',
            Rejected("the gateway answered NO SUCH: no such number", "NO SUCH", Blame.NUMBER),
        ),
        (200, 'Error "x"', Rejected("the gateway answered 200: x", "x")),
        (412, 'Error "x"', Rejected("the gateway answered 412: x", "x")),
        (200, "<html>", Uncertain("the gateway answered 200 with something else")),
        (200, "", Uncertain("the gateway answered 200 with something else")),
        (500, 'Error "x"', Uncertain("the gateway answered 500: x")),
    ],
)
def test_answers_in_words_are_read_too(status: int, body: str, expected: SendResult) -> None:
    assert result(status, body, **WORDS) == expected


def test_an_answer_that_is_no_text_is_uncertain() -> None:
    got = to_result(Reply(200, None, None), settings(**WORDS))
    assert isinstance(got, Uncertain)


@pytest.mark.parametrize(
    ("cost", "price"),
    [
        ({"a": "0.0051"}, Price(Decimal("0.0051"), "EUR")),
        ({"a": 3500}, Price(Decimal(3500), "EUR")),
        ({"a": 0.05}, Price(Decimal("0.05"), "EUR")),
        ({"a": "-1"}, None),
        ({"a": "NaN"}, None),
        ({"a": "free"}, None),
        ({"a": None}, None),
        ({"a": True}, None),
        ({}, None),
    ],
)
def test_the_price_is_told_if_it_makes_sense(cost: object, price: Price | None) -> None:
    rule = {"path": "a", "currency": "EUR"}
    assert result(200, cost, cost=rule) == Accepted("", price)


def test_the_price_may_be_in_parts_and_another_currency() -> None:
    rule = {"path": "cost", "currency_path": "cur", "per": 10000}
    told = {"cost": 3500, "cur": "SEK"}
    assert result(200, told, cost=rule) == Accepted("", Price(Decimal("0.35"), "SEK"))
    assert result(200, {"cost": 3500, "cur": "kr"}, cost=rule) == Accepted("")


def test_a_hostile_code_is_made_harmless() -> None:
    code = "x\r\n+15551234567" + "y" * 500
    got = result(400, {"c": code}, error_code_path="c", error_path="c")
    assert isinstance(got, Rejected)
    assert "+1555" not in repr(got)
    assert "\n" not in got.code
    assert len(got.code) <= 200
