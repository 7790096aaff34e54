"""A text that somebody writes by hand: how it would go out, and what is against it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pbx_bridge.core.composing import USEFUL_FOR, Composed, compose, price, tidy
from pbx_bridge.core.later import LaterFacts
from pbx_bridge.core.limits import Spent
from pbx_bridge.core.number import parse
from pbx_bridge.core.office import LineRules
from pbx_bridge.core.pricing import PriceList
from pbx_bridge.core.quiet import QuietHours
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.core.text import LONGEST
from tests.core.test_later import later
from tests.core.test_policy import AT_NIGHT, DAYTIME, NEW_YORK, NOW, RULES, WITH_LIMITS

MOBILE = "+12125550142"  # North American numbers do not tell what they are
AWAKE = replace(RULES, quiet=QuietHours(DAYTIME.window, immediate_within=timedelta(hours=1)))


def composed(body: str = "On our way", to: str = MOBILE, line: str = "", **facts: Any) -> Composed:
    given: LaterFacts = later(to=to, **({"expires_at": NOW + timedelta(days=3)} | facts))
    return compose(body, parse(to, "US"), line, given, NOW)


def test_it_goes_at_once() -> None:
    made = composed()
    assert made.may_go
    assert (made.to, made.body, made.encoding, made.parts) == (MOBILE, "On our way", "GSM-7", 1)
    assert (made.due_at, made.waits, made.expires_at) == (NOW, "", NOW + USEFUL_FOR)
    assert (made.route, made.region, made.shadow) == (("main",), "US", False)


@pytest.mark.parametrize(
    ("reason", "to", "facts"),
    [
        (SkipReason.NOT_A_NUMBER, "101", {}),
        (SkipReason.OWN_NUMBER, "+12125550100", {}),
        (SkipReason.NUMBER_TYPE, "+18005550142", {}),
        (SkipReason.COUNTRY, "+447400123456", {}),
        (SkipReason.BLOCKED, "+12125550666", {}),
        (SkipReason.OPTED_OUT, MOBILE, {"opted_out_at": NOW}),
        (SkipReason.MUTED, MOBILE, {"muted_until": NOW + timedelta(hours=1), "muted_why": "x"}),
        (SkipReason.KNOWN_UNTEXTABLE, MOBILE, {"known_untextable": "a landline"}),
        (SkipReason.DAILY_SPENDING, MOBILE,
         {"rules": WITH_LIMITS, "spent": Spent(day=95_000), "price": 7900}),
        (SkipReason.QUIET_HOURS, MOBILE, {"rules": AT_NIGHT, "zones": ()}),
        (SkipReason.NOT_CONFIGURED, MOBILE, {"rules": replace(RULES, route=())}),
    ],
)  # fmt: skip
def test_what_is_against_it(reason: SkipReason, to: str, facts: dict[str, Any]) -> None:
    made = composed(to=to, **facts)
    assert made.objection is not None
    assert made.objection.reason is reason
    assert made.objection.detail
    assert not made.may_go


def test_conversations_replies_and_caps_are_not_against_it() -> None:
    assert composed(spoken_at=NOW, replied_at=NOW, booked_at=NOW, in_call=True).may_go


def test_at_night_it_waits_for_the_morning_there() -> None:
    made = composed(rules=AT_NIGHT, zones=(NEW_YORK,))
    assert made.may_go
    assert made.due_at == NOW + timedelta(hours=5)
    assert made.waits == "it is 04:00 there"
    assert made.expires_at == made.due_at + USEFUL_FOR


def test_who_has_just_called_or_written_is_awake() -> None:
    lately: dict[str, Any] = {
        "rules": AWAKE,
        "zones": (NEW_YORK,),
        "queued_at": NOW - timedelta(minutes=10),
    }
    assert composed(**lately, answers_call=True).due_at == NOW
    assert composed(**lately, answers_call=False).due_at > NOW


def test_price_and_route_are_those_of_the_line() -> None:
    rules = replace(
        RULES,
        lines={"Sales": LineRules(name="Sales", route=("second",))},
        prices={"main": PriceList(7900), "second": PriceList(100, {"US": 5000})},
    )
    long = "x" * 161
    assert composed(long, rules=rules).cost_micros == 2 * 7900
    made = composed(long, rules=rules, line="Sales")
    assert (made.route, made.cost_micros, made.parts) == (("second",), 10_000, 2)
    assert price("", ("main",), "US", rules) == 0
    assert price("x", (), "US", rules) == 0


@pytest.mark.parametrize(
    ("body", "fault"),
    [("", "empty"), ("x" * LONGEST, ""), ("x" * (LONGEST + 1), "too_long"),
     ("😀" * (LONGEST // 2), ""), ("😀" * (LONGEST // 2 + 1), "too_long")],
)  # fmt: skip
def test_what_is_wrong_with_the_words(body: str, fault: str) -> None:
    made = composed(body)
    assert made.fault == fault
    assert made.may_go is (not fault)
    assert made.parts == 0 if not body else made.parts > 0


def test_what_is_typed_becomes_what_is_sent() -> None:
    assert tidy(" It\u2019s\r\ntime\u202e \x00\x1b[0m\u2026 \r") == "It's\ntime [0m..."
    assert tidy("\u202e\r\n ") == ""


def test_in_shadow_mode_it_is_said() -> None:
    assert composed(rules=replace(RULES, shadow=True)).shadow
