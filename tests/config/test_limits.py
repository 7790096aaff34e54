"""What bounds the texts, as it is written in the file."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge.core.burst import BurstRules
from pbx_bridge.core.limits import Budget, Limits
from pbx_bridge.core.quiet import EVERY_DAY, QuietHours, Window, allowed
from tests.config.test_loading import FIRST_LINE, OFFICE, PBX, read, report

MISTAKES = [
    (
        "[texting.limits]\nper_number_per_day = -1",
        "texting.limits.per_number_per_day = -1: too small: at least 0; texts to one number in 24",
    ),
    (
        "[texting.limits]\nper_block_per_our = 3",
        'texting.limits.per_block_per_our: unknown key; did you mean "per_block_per_hour"?',
    ),
    (
        "[texting.limits]\nblock_digits = 7",
        "texting.limits.block_digits = 7: too large: at most 6; numbers that differ only in so",
    ),
    (
        "[texting.limits]\nstranger_min_ring = 4",
        "texting.limits.stranger_min_ring = 4: not a duration; write a number and its unit",
    ),
    (
        "[texting.quiet_hours]\nfrom = '8pm'",
        ('texting.quiet_hours.from = "8pm": not a time of day; hours and minutes in quotes, such as'
        ' "20:00"'),
    ),
    (
        "[texting.quiet_hours]\nto = '24:00'",
        'texting.quiet_hours.to = "24:00": not a time of day; hours and minutes in quotes',
    ),
    (
        "[texting.quiet_hours]\nto = '20:00'",
        ('texting.quiet_hours.to = "20:00": they would begin and end at the same time; enabled ='
        " false for none"),
    ),
    (
        "[texting.quiet_hours]\ndays = ['mon', 'tues']",
        'texting.quiet_hours.days[2] = "tues": not known; did you mean "tue"?',
    ),
    (
        "[texting.quiet_hours]\ndays = []",
        "texting.quiet_hours.days: empty; at least one is needed",
    ),
    (
        "[texting.burst]\nstrangers_percent = 101",
        "texting.burst.strangers_percent = 101: too large: at most 100; at most this share",
    ),
    (
        "[texting.burst]\nfactor = 0.5",
        "texting.burst.factor = 0.5: too small: at least 1",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("added", "expected"), MISTAKES, ids=[m[1][:40] for m in MISTAKES])
def test_a_mistake_is_reported(added: str, expected: str) -> None:
    said = report(OFFICE + PBX + added)
    assert said.startswith(f"x.toml:{FIRST_LINE + 1}: {expected}")
    assert "\n" not in said


def test_what_is_left_out_has_its_default() -> None:
    rules = read(OFFICE + PBX).rules()
    assert rules.limits == Limits(
        per_number_per_day=2,
        per_number_per_week=4,
        block_digits=2,
        per_block_per_hour=3,
        per_block_per_day=10,
        per_line_per_hour=30,
        per_region_per_day=20,
        strangers_per_hour=15,
        strangers_per_day=100,
        stranger_min_ring=timedelta(0),
        max_per_minute=15,
    )
    assert rules.quiet == QuietHours(
        Window(time(9), time(20), EVERY_DAY), immediate_within=timedelta(minutes=2)
    )
    assert rules.burst == BurstRules(
        floor=20,
        factor=5.0,
        strangers_floor=15,
        strangers_percent=90,
        undelivered_of=20,
        undelivered_percent=50,
        refusals=5,
        open_for=timedelta(minutes=15),
    )
    assert rules.budget == Budget()
    assert rules.zone == ZoneInfo("America/New_York")


def test_a_burst_of_ten_strangers_is_within_every_default() -> None:
    """Ten customers who hear the same radio spot are no attack."""
    rules = read(OFFICE + PBX).rules()
    limits, burst = rules.limits, rules.burst
    assert burst is not None
    assert min(burst.floor, burst.strangers_floor) >= 10
    together = (limits.strangers_per_hour, limits.per_line_per_hour, limits.max_per_minute)
    assert min(most for most in together if most is not None) >= 10


def test_quiet_hours_are_when_no_text_goes() -> None:
    rules = read(
        OFFICE + PBX + "[texting.quiet_hours]\nfrom = 18:30:00\nto = '07:15'\n"
        "days = ['mon', 'fri']\nimmediate = false\n"
    ).rules()
    assert rules.quiet is not None
    assert rules.quiet.immediate_within is None
    window = rules.quiet.window
    assert window == Window(time(7, 15), time(18, 30), frozenset({0, 4}))
    monday = datetime(2026, 11, 23, 18, 29, tzinfo=UTC)
    assert allowed(monday, (UTC,), window)
    assert not allowed(monday + timedelta(minutes=1), (UTC,), window)


def test_quiet_hours_and_the_breaker_can_be_switched_off() -> None:
    rules = read(
        OFFICE + PBX + "[texting.quiet_hours]\nenabled = false\n[texting.burst]\nenabled = false\n"
    ).rules()
    assert rules.quiet is None
    assert rules.burst is None


def test_money_is_counted_in_millionths() -> None:
    rules = read(
        OFFICE + PBX + "[spending]\ncurrency = 'EUR'\nmax_per_day = 1.5\nmax_per_month = 20\n"
        "[gateways.a]\ntype = 'console'\nprice = 0.0079\nprices = { PR = 0.05 }\n"
    ).rules()
    assert rules.budget == Budget(per_day=1_500_000, per_month=20_000_000, currency="EUR")
    assert rules.price("a", "US", 2) == 15_800
    assert rules.price("a", "PR", 1) == 50_000
    assert rules.price("unheard of", "US", 1) == 0


def test_the_lines_of_an_office_are_its_own_numbers() -> None:
    rules = read(
        OFFICE + PBX + "[[lines]]\nnumber = '(212) 555-0188'\n[[lines]]\nnumber = 'reception'\n"
    ).rules()
    assert rules.own_numbers == {"+12125550188"}
