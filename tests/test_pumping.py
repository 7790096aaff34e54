"""The money guard: a day of forged calls costs what the limits allow, and customers are served."""

from dataclasses import replace
from pathlib import Path

import pytest

from pbx_bridge.config import parse
from pbx_bridge.core.limits import Budget, Limits
from pbx_bridge.core.office import Rules
from pbx_bridge.core.pricing import MICROS
from pbx_bridge.store.db import Database
from tests.pumping import Attack, Figures

CUSTOMERS = 24
RULES = parse(
    """
[office]
name = "Miller"
country = "US"
timezone = "America/New_York"
own_numbers = ["+12125550100"]
[texting]
enabled = true
[spending]
max_per_day = 2
[gateways.main]
type = "console"
price = 0.0079
prices = { JM = 0.25, BS = 0.25, GB = 0.04, SL = 0.6, LT = 0.1, LV = 0.1 }
[[pbx]]
name = "office"
username = "bridge"
secret = "x"
""",
    "office.toml",
    Path("/"),
).rules()


async def attacked(folder: Path, rules: Rules, forged: int, customers: int = CUSTOMERS) -> Figures:
    async with Database.open(folder / "pumped.db") as db:
        return await Attack(db, rules).run(forged, customers)


@pytest.fixture(autouse=True)
def _quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep ten thousand log lines out of a report of failure."""
    monkeypatch.setattr("pbx_bridge.ledger.log.info", lambda *_, **__: None)


async def test_a_day_of_ten_thousand_forged_calls(tmp_path: Path) -> None:
    """RELIABILITY F41, G15. It came to 124 texts, at most 17 in an hour, for 0.98 USD.

    The attackers got the 100 that strangers get in a day; each of the 24 customers got theirs.
    """
    figures = await attacked(tmp_path, RULES, 10_000)
    assert figures.calls == 10_000 + CUSTOMERS
    strangers = RULES.limits.strangers_per_day
    assert strangers is not None
    assert figures.customers_texted == figures.customers == CUSTOMERS
    assert figures.texts <= strangers + CUSTOMERS <= RULES.max_per_day
    assert figures.most_in_an_hour <= RULES.max_per_hour
    assert figures.micros <= 2 * MICROS
    assert figures.alerts >= 1
    assert {"country", "number_type", "burst", "strangers_hourly_cap"} <= figures.judged.keys()


async def test_a_small_budget_is_kept_to_the_cent(tmp_path: Path) -> None:
    poor = replace(RULES, budget=Budget(per_day=300_000))
    figures = await attacked(tmp_path, poor, 1500)
    assert 290_000 < figures.micros <= 300_000
    assert figures.judged["daily_spending"] > 0


async def test_without_the_guards_the_same_attack_would_be_dear(tmp_path: Path) -> None:
    """Or the test above would prove nothing."""
    open_house = replace(
        RULES, limits=Limits(), burst=None, budget=Budget(), max_per_hour=10**6, max_per_day=10**6,
        allowed_countries=frozenset(),
    )  # fmt: skip
    figures = await attacked(tmp_path, open_house, 500)
    assert figures.texts > 300
    assert figures.micros > 10 * MICROS
