"""Somebody with ten thousand forged numbers, who earns by what we text: what it costs, who suffers.

RELIABILITY F41, G15. All figures are of the default settings, with the prices of a usual gateway;
`python -m benchmarks.pumping --attacks` prints them as a table.
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pbx_bridge.core.limits import Budget
from pbx_bridge.core.office import Rules
from pbx_bridge.core.pricing import MICROS
from pbx_bridge.store.db import Database
from tests.pumping import KINDS, Attack, Figures
from tests.test_pumping import RULES

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
#: No limit of money: what is left is what the other guards let through.
DEFAULTS = replace(RULES, budget=Budget())
#: In CI a twentieth of the attack, at the same pace.
IN_CI, NIGHTLY = 500, 10_000
#: The guards keep these out altogether.
NEVER = ("premium and freephone", "satellite", "neighbouring countries", "far away",
         "islands that dial like us")  # fmt: skip
#: How long the whole of an attack takes.
PACES = {"a burst of an hour": HOUR, "a day": DAY, "slowly, a week": 7 * DAY}


async def attacked(
    folder: Path, kind: str, over: timedelta, rules: Rules = DEFAULTS, *, forged: int = NIGHTLY,
    share: float = 1.0,
) -> Figures:  # fmt: skip
    """Attack with `share` of so many calls, in that share of the time."""
    calls = round(forged * share)
    async with Database.open(folder / f"{kind}.db".replace(" ", "-")) as db:
        attack = Attack(db, rules, numbers=KINDS[kind], over=over * share)
        people = max(4, round(24 * share * over / DAY))  # one an hour of each
        return await attack.run(calls, people, people)


@pytest.fixture(autouse=True)
def _quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep ten thousand log lines out of a report of failure."""
    monkeypatch.setattr("pbx_bridge.ledger.log.info", lambda *_, **__: None)


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("kind", KINDS)
async def test_an_attack_costs_little_and_customers_are_served(
    tmp_path: Path, kind: str, pace: str, *, nightly: bool
) -> None:
    if not nightly and pace != "a day":
        pytest.skip("nightly: the other paces")
    over, share = PACES[pace], 1.0 if nightly else IN_CI / NIGHTLY
    figures = await attacked(tmp_path, kind, over, share=share)
    limits, days = DEFAULTS.limits, max(1, -(-over * share // DAY))
    assert limits.strangers_per_day is not None
    assert limits.strangers_per_hour is not None
    assert figures.customers_texted == figures.customers > 0  # each who was known before
    to_strangers = figures.texts - figures.customers_texted
    assert to_strangers <= limits.strangers_per_day * (days + 1)
    assert figures.most_in_an_hour <= DEFAULTS.max_per_hour
    assert figures.most_in_a_day <= DEFAULTS.max_per_day
    assert max(figures.per_number.values()) <= (limits.per_number_per_day or 0) * days
    # 160 characters to the office's own country: no text is dearer.
    assert figures.micros <= figures.texts * 0.0079 * MICROS
    if kind in NEVER:
        assert figures.texts == figures.customers_texted + figures.newcomers_texted
        assert figures.newcomers_texted == figures.newcomers  # nothing of theirs was used up
    else:
        assert figures.alerts >= 1 or kind == "one victim"  # the office is told


async def test_a_hundred_thousand_calls_stay_within_the_budget(
    tmp_path: Path, *, nightly: bool
) -> None:
    """G15: whatever comes, not a cent more than the limit that the office has set."""
    rules = replace(RULES, budget=Budget(per_day=300_000))
    forged = 10 * NIGHTLY if nightly else 1_500
    figures = await attacked(tmp_path, "of every kind, again", DAY, rules, forged=forged)
    assert figures.calls > forged
    assert 290_000 < figures.micros <= 300_000
    assert figures.judged["daily_spending"] > 0
    assert figures.alerts >= 1
