"""Good hours in many zones, against an oracle that looks at every minute."""

from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_bridge.core.quiet import EVERY_DAY, Window, allowed, next_allowed

DAYTIME = Window(time(9), time(20))
NEW_YORK, LONDON, PERTH = (
    ZoneInfo(name) for name in ("America/New_York", "Europe/London", "Australia/Perth")
)
MINUTE = timedelta(minutes=1)
FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
#: Half-hour summer time, Ramadan, summer time that came and went, quarters of an hour, a whole day.
CHANGING = (
    "America/New_York", "Europe/London", "Australia/Lord_Howe", "Africa/Casablanca", "Africa/Cairo",
    "America/St_Johns", "America/Scoresbysund", "Asia/Gaza", "Pacific/Apia", "Asia/Tehran",
    "America/Santiago", "Asia/Kathmandu", "Pacific/Chatham",
)  # fmt: skip


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "zones", "is_good"),
    [
        ("2026-11-23T14:00", (NEW_YORK,), True),  # nine there
        ("2026-11-23T13:59", (NEW_YORK,), False),
        ("2026-11-24T00:59", (NEW_YORK,), True),
        ("2026-11-24T01:00", (NEW_YORK,), False),  # eight in the evening
        ("2026-11-23T14:00", (NEW_YORK, LONDON), True),
        ("2026-11-23T10:00", (NEW_YORK, LONDON), False),
        ("2026-11-23T14:00", (), False),
    ],
)
def test_a_good_hour_is_one_in_every_zone(
    now: str, zones: tuple[tzinfo, ...], *, is_good: bool
) -> None:
    assert allowed(at(now), zones, DAYTIME) is is_good


def test_a_window_may_go_over_midnight() -> None:
    night = Window(time(22), time(6), EVERY_DAY)
    assert allowed(at("2026-11-23T23:00"), (UTC,), night)
    assert allowed(at("2026-11-23T05:59"), (UTC,), night)
    assert not allowed(at("2026-11-23T06:00"), (UTC,), night)


def test_the_same_time_twice_is_the_whole_day() -> None:
    assert allowed(at("2026-11-23T03:00"), (UTC,), Window(time(9), time(9)))


def test_the_weekend_is_by_the_recipients_calendar() -> None:
    weekdays = Window(time(9), time(20), frozenset(range(5)))
    friday_evening = at("2026-11-28T00:30")  # Saturday in UTC
    assert allowed(friday_evening, (NEW_YORK,), weekdays)
    assert next_allowed(at("2026-11-28T01:00"), (NEW_YORK,), weekdays) == at("2026-11-30T14:00")


def test_a_good_hour_needs_no_waiting() -> None:
    now = at("2026-11-23T14:00:01")
    assert next_allowed(now, (NEW_YORK,), DAYTIME) == now


def test_zones_that_never_agree_have_no_good_hour() -> None:
    an_hour = Window(time(9), time(10))
    assert next_allowed(at("2026-11-23T14:00"), (NEW_YORK, PERTH), an_hour) is None
    assert next_allowed(at("2026-11-23T14:00"), (), DAYTIME) is None


def test_when_clocks_are_set_past_the_opening_it_opens_at_once() -> None:
    """In New York there was no half past two on 8 March 2026; at two it became three."""
    early = Window(time(2, 30), time(20))
    assert next_allowed(at("2026-03-08T06:00"), (NEW_YORK,), early) == at("2026-03-08T07:00")


def test_an_hour_that_comes_twice_is_good_twice() -> None:
    """On 1 November 2026 it was half past one in New York at 05:30 and again at 06:30 UTC."""
    short = Window(time(1, 15), time(1, 45))
    assert next_allowed(at("2026-11-01T05:00"), (NEW_YORK,), short) == at("2026-11-01T05:15")
    assert next_allowed(at("2026-11-01T05:45"), (NEW_YORK,), short) == at("2026-11-01T06:15")


# -- against the oracle ---------------------------------------------------------------------


def oracle(now: datetime, zones: tuple[tzinfo, ...], window: Window) -> datetime | None:
    """Look at the clocks at every minute of a week; zones and windows change at whole ones."""

    def good(when: datetime) -> bool:
        for zone in zones:
            local = when.astimezone(zone)
            shown = local.hour * 60 + local.minute
            opens, closes = (t.hour * 60 + t.minute for t in (window.opens, window.closes))
            inside = (shown - opens) % 1440 < ((closes - opens) % 1440 or 1440)
            if not inside or local.weekday() not in window.days:
                return False
        return True

    if good(now):
        return now
    when = now.replace(second=0, microsecond=0) + MINUTE
    while when < now + timedelta(days=8):
        if good(when):
            return when
        when += MINUTE
    return None


@cache
def transitions(zone: ZoneInfo) -> list[datetime]:
    """Give when a zone's clocks were or will be set, to the minute."""
    found, day = [], FIRST
    while day < LAST:
        following = day + timedelta(days=1)
        if day.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
            low, high = day, following
            while high - low > MINUTE:
                middle = low + (high - low) // MINUTE // 2 * MINUTE
                same = low.astimezone(zone).utcoffset() == middle.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high)
        day = following
    return found


@pytest.mark.parametrize("name", CHANGING)
def test_around_every_setting_of_clocks_until_2035(name: str) -> None:
    zone = ZoneInfo(name)
    changes = transitions(zone)
    assert changes or name == "Asia/Kathmandu"
    windows = (DAYTIME, Window(time(2, 30), time(3, 10)), Window(time(1, 20), time(0, 40)))
    for change in changes or [at("2026-03-08T00:00")]:
        for hours in (-11, -1.5, -0.25, 0, 0.6, 1.75):
            now = change + timedelta(hours=hours)
            for window in windows:
                assert next_allowed(now, (zone,), window) == oracle(now, (zone,), window), now


CLOCKS = st.times().map(lambda t: t.replace(second=0, microsecond=0))
DAYS = st.frozensets(st.integers(0, 6), min_size=1) | st.just(EVERY_DAY)
NOWS = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None)).map(
    lambda t: t.replace(tzinfo=UTC)
)
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"})).map(ZoneInfo)


@settings(max_examples=300, deadline=None)
@given(NOWS, st.lists(ZONES, min_size=1, max_size=3), CLOCKS, CLOCKS, DAYS)
def test_in_any_zones_at_any_time(
    now: datetime, zones: list[ZoneInfo], opens: time, closes: time, days: frozenset[int]
) -> None:
    window = Window(opens, closes, days)
    found = next_allowed(now, zones, window)
    expected = oracle(now, tuple(zones), window)
    if expected is None:  # the horizon of one is a little nearer than the other's
        assert found is None or found > now + timedelta(days=7)
    else:
        assert found == expected


@settings(deadline=None)
@given(st.data())
def test_near_a_setting_of_clocks_in_any_zone(data: st.DataObject) -> None:
    zone = data.draw(ZONES)
    changes = transitions(zone) or [at("2026-03-08T00:00")]
    now = data.draw(st.sampled_from(changes)) + timedelta(minutes=data.draw(st.integers(-600, 120)))
    opens = data.draw(CLOCKS)
    minutes = data.draw(st.integers(1, 1439))
    closes = (datetime.combine(FIRST, opens) + timedelta(minutes=minutes)).time()
    window = Window(opens, closes)
    assert next_allowed(now, (zone,), window) == oracle(now, (zone,), window)
