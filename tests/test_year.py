"""A year of calls at speed: each later text on the right morning, over both clock changes."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.delivery import Channel
from pbx_bridge.store import contacts, followups
from tests.brain import DAYTIME, MANY, Brain, rules

DAY = timedelta(days=1)
REASONS = (Reason.RANG_NO_ANSWER, Reason.BUSY, Reason.QUEUE_ABANDONED, Reason.UNAVAILABLE)
#: Public holidays of 2026 and January 2027 on weekdays, as the governments list them.
CLOSED = {
    "US": {
        "2026-01-01", "2026-01-19", "2026-02-16", "2026-05-25", "2026-06-19", "2026-07-03",
        "2026-09-07", "2026-10-12", "2026-11-11", "2026-11-26", "2026-12-25", "2027-01-01",
    },
    "GB": {
        "2026-01-01", "2026-04-03", "2026-04-06", "2026-05-04", "2026-05-25", "2026-08-31",
        "2026-12-25", "2026-12-28", "2027-01-01",
    },
}  # fmt: skip


def business_mornings(country: str, zone: ZoneInfo) -> Iterator[tuple[date, datetime]]:
    """Give each business day of the year, and the instant of half past nine."""
    day = date(2026, 1, 1)
    while day < date(2027, 1, 20):
        if day.weekday() < 5 and day.isoformat() not in CLOSED[country]:
            yield day, datetime(day.year, day.month, day.day, 9, 30, tzinfo=zone).astimezone(UTC)
        day += DAY


@pytest.mark.parametrize(
    ("country", "region", "zone", "prefix"),
    [("US", "", "America/New_York", "+1212555"), ("GB", "ENG", "Europe/London", "+44740012")],
)
def test_a_year_of_missed_calls(country: str, region: str, zone: str, prefix: str) -> None:
    """Customers, so that each gets its second text unless something stops it."""
    chance = random.Random(1)  # noqa: S311 - nothing secret
    here = ZoneInfo(zone)
    office = rules(here, country, region)
    brain = Brain(datetime(2026, 1, 1, tzinfo=UTC), office)
    mornings = list(business_mornings(country, here))
    called: dict[str, datetime] = {}
    stopped: set[str] = set()
    for n in range(500):
        brain.passes(timedelta(seconds=chance.expovariate(1) * 70_000))
        if brain.now >= datetime(2026, 12, 31, tzinfo=UTC):
            break
        number = f"{prefix}{1000 + n}"
        with brain.transaction() as tx:
            who = Contact(name="X", kind=CallerKind.CUSTOMER, numbers={number: ""})
            contacts.create(tx, who, by="test", now=brain.now)
        brain.missed(number, chance.choice(REASONS))
        called[number] = brain.now
        if chance.random() < 0.3:
            brain.passes(timedelta(minutes=chance.uniform(1, 20)))
            chance.choice((brain.answered, brain.books, lambda of: brain.called_back(of, 60)))(
                number
            )
            stopped.add(number)
    brain.passes(timedelta(days=10))
    texts = Counter(one.message.to for one in brain.sent)
    assert {number for number, count in texts.items() if count > 2} == set()
    later = {one.message.to: one for one in brain.sent if one.message.step != "first_text"}
    assert stopped.isdisjoint(later)
    assert len(called) > 350
    assert set(called) - stopped == set(later), "none is lost"
    for number, sent in later.items():
        there = called[number].astimezone(here).date()
        expected = next(at for day, at in mornings if day > there)
        assert sent.at == expected, f"called {called[number]}, texted {sent.at}"
        assert sent.message.channel is Channel.SMS
        assert DAYTIME.holds(sent.at.astimezone(here))
    with brain.transaction() as tx:
        assert followups.next_due(tx) is None
        assert len(followups.recent(tx, limit=MANY)) == len(called)
    brain.close()
