"""When an office is there: tables, and every minute of years with clocks that are set."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_bridge.core.hours import ALWAYS_OPEN, HORIZON, Hours, Schedule, Track
from pbx_bridge.core.period import Period

NEW_YORK, LONDON, LORD_HOWE, SYDNEY, APIA = (
    ZoneInfo(name)
    for name in (
        "America/New_York", "Europe/London", "Australia/Lord_Howe", "Australia/Sydney",
        "Pacific/Apia",
    )
)  # fmt: skip
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
shown = datetime.fromisoformat


def there(text: str, zone: ZoneInfo = NEW_YORK, fold: int = 0) -> datetime:
    return shown(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def utc(text: str) -> datetime:
    return shown(text).replace(tzinfo=UTC)


#: With a lunch break, a Saturday morning, a closure of two days, a party, and two extra openings.
SHOP = Schedule(
    zone=NEW_YORK,
    hours="Mo-Fr 08:00-12:00,13:00-17:00; Sa 09:00-12:00; PH off",
    country="US",
    ordinary=frozenset({"Columbus Day", "Veterans Day"}),
    closed=(
        Period(date(2026, 12, 28), date(2026, 12, 30), "stocktaking"),
        Period(shown("2026-12-18T15:00"), shown("2026-12-18T22:00"), "party"),
        Period(utc("2026-12-22T13:00"), utc("2026-12-22T22:00"), "from a calendar"),
    ),
    open_also=(
        Period(shown("2026-12-20T10:00"), shown("2026-12-20T14:00"), "Sunday before Christmas"),
        Period(shown("2026-12-29T10:00"), shown("2026-12-29T11:00"), "for whom it burns"),
    ),
)


@pytest.mark.parametrize(
    ("at", "track", "next_open"),
    [
        ("2026-12-07T08:00", Track.IN_HOURS, None),  # a Monday
        ("2026-12-07T07:59:59", Track.AFTER_HOURS, "2026-12-07T08:00"),
        ("2026-12-07T11:59:59.999999", Track.IN_HOURS, None),
        ("2026-12-07T12:00", Track.AFTER_HOURS, "2026-12-07T13:00"),  # lunch
        ("2026-12-07T17:00", Track.AFTER_HOURS, "2026-12-08T08:00"),
        ("2026-12-11T18:00", Track.AFTER_HOURS, "2026-12-12T09:00"),  # Friday evening
        ("2026-12-12T11:00", Track.IN_HOURS, None),
        ("2026-12-12T12:00", Track.AFTER_HOURS, "2026-12-14T08:00"),
        ("2026-12-13T12:00", Track.WEEKEND, "2026-12-14T08:00"),
        ("2026-11-26T10:00", Track.HOLIDAY, "2026-11-27T08:00"),  # Thanksgiving
        ("2026-11-26T05:00", Track.HOLIDAY, "2026-11-27T08:00"),
        ("2026-10-12T10:00", Track.IN_HOURS, None),  # Columbus Day, a day like others here
        ("2026-10-12T18:00", Track.AFTER_HOURS, "2026-10-13T08:00"),
        ("2027-07-04T10:00", Track.HOLIDAY, "2027-07-06T08:00"),  # Sunday; Monday in its place
        ("2026-12-18T14:00", Track.IN_HOURS, None),
        ("2026-12-18T16:00", Track.HOLIDAY, "2026-12-19T09:00"),  # the party
        ("2026-12-18T23:00", Track.AFTER_HOURS, "2026-12-19T09:00"),
        ("2026-12-20T09:00", Track.AFTER_HOURS, "2026-12-20T10:00"),  # a Sunday that it opens
        ("2026-12-20T10:00", Track.IN_HOURS, None),
        ("2026-12-22T09:00", Track.HOLIDAY, "2026-12-23T08:00"),
        ("2026-12-22T18:00", Track.HOLIDAY, "2026-12-23T08:00"),  # all of its hours were closed
        ("2026-12-27T09:00", Track.WEEKEND, "2026-12-29T10:00"),
        ("2026-12-28T09:00", Track.HOLIDAY, "2026-12-29T10:00"),
        ("2026-12-29T10:30", Track.IN_HOURS, None),  # an opening goes before a closure
        ("2026-12-29T11:00", Track.HOLIDAY, "2026-12-30T08:00"),
        ("2026-12-31T18:00", Track.AFTER_HOURS, "2027-01-02T09:00"),  # over New Year
        ("2027-01-01T00:00", Track.HOLIDAY, "2027-01-02T09:00"),
    ],
)
def test_a_shop_through_the_year(at: str, track: Track, next_open: str | None) -> None:
    now = there(at)
    assert SHOP.track(now) is track
    assert SHOP.is_open(now) is (track is Track.IN_HOURS)
    assert SHOP.next_open(now) == (now if next_open is None else there(next_open))


def test_phones_are_down_only_when_somebody_is_there() -> None:
    assert SHOP.track(there("2026-12-07T08:00"), phones_down=True) is Track.PHONES_DOWN
    assert SHOP.track(there("2026-12-07T12:00"), phones_down=True) is Track.AFTER_HOURS


@pytest.mark.parametrize(
    ("country", "region", "track"),
    [
        ("GB", "SCT", Track.HOLIDAY),  # Saint Andrew's Day
        ("GB", "ENG", Track.IN_HOURS),
        ("GB", "", Track.IN_HOURS),
        ("", "", Track.IN_HOURS),
    ],
)
def test_a_region_has_holidays_of_its_own(country: str, region: str, track: Track) -> None:
    schedule = Schedule(
        zone=LONDON, hours="Mo-Fr 09:00-17:00; PH off", country=country, region=region
    )
    assert schedule.track(there("2026-11-30T10:00", LONDON)) is track


@pytest.mark.parametrize(
    ("hours", "at", "track", "next_open"),
    [
        # A night belongs to the day on which it begins.
        ("Th-Sa 18:00-02:00; PH off", "2026-12-13T01:00", Track.IN_HOURS, None),
        ("Th-Sa 18:00-02:00; PH off", "2026-12-13T03:00", Track.WEEKEND, "2026-12-17T18:00"),
        ("Th-Sa 18:00-02:00; PH off", "2026-12-25T01:00", Track.IN_HOURS, None),  # of the 24th
        ("Th-Sa 18:00-02:00; PH off", "2026-12-26T01:00", Track.AFTER_HOURS, "2026-12-26T18:00"),
        ("Th-Sa 18:00-02:00; PH 12:00-13:00", "2026-12-25T12:30", Track.IN_HOURS, None),
        ("Th-Sa 18:00-02:00; PH 12:00-13:00", "2026-12-25T19:00", Track.HOLIDAY,
         "2026-12-26T18:00"),
        ("Th-Sa 18:00-02:00; PH off", "2027-01-01T01:30", Track.IN_HOURS, None),  # New Year
        ("24/7", "2026-12-25T12:30", Track.IN_HOURS, None),
        ("24/7; PH off", "2026-12-25T12:30", Track.HOLIDAY, "2026-12-26T00:00"),
        ("Fr 08:00-24:00; Sa 00:00-12:00", "2026-12-12T12:00", Track.AFTER_HOURS,
         "2026-12-18T08:00"),
        # What is closed for once, and what is so as a rule, if the hours themselves say it.
        ("Mo-Fr 08:00-17:00; Aug off", "2026-08-12T12:00", Track.HOLIDAY, "2026-09-01T08:00"),
        ("Mo-Fr 08:00-17:00; Apr-Sep Sa 09:00-12:00", "2026-12-12T10:00", Track.WEEKEND,
         "2026-12-14T08:00"),
        ("Mo,Tu,Th,Fr 08:00-17:00", "2026-12-09T10:00", Track.WEEKEND, "2026-12-10T08:00"),
        ("off", "2026-12-09T10:00", Track.WEEKEND, "never"),
        ("2026 Dec 01 08:00-17:00", "2026-12-09T10:00", Track.WEEKEND, "never"),
        ("2028 Dec 01 08:00-17:00", "2026-12-09T10:00", Track.WEEKEND, "never"),
        ("Dec 01-08 08:00-17:00", "2026-12-09T10:00", Track.WEEKEND, "2027-12-01T08:00"),
        ("2027 Dec 31 08:00-17:00", "2026-12-09T10:00", Track.WEEKEND, "never"),  # a year ahead
    ],
)  # fmt: skip
def test_other_hours(hours: str, at: str, track: Track, next_open: str | None) -> None:
    schedule = Schedule(zone=NEW_YORK, hours=hours, country="US")
    now = there(at)
    assert schedule.track(now) is track
    expected = {None: now, "never": None}.get(next_open) if next_open in (None, "never") else (
        there(next_open)
    )  # fmt: skip
    assert schedule.next_open(now) == expected


def test_an_office_without_hours_is_always_there() -> None:
    office = Schedule(zone=NEW_YORK, country="US")
    christmas = there("2026-12-25T03:00")
    assert office.track(christmas) is Track.IN_HOURS
    assert office.track(christmas, phones_down=True) is Track.PHONES_DOWN
    assert office.next_open(christmas) == christmas
    assert not office.opens_on(date(2026, 12, 25))
    assert office.opens_on(date(2026, 12, 24))
    assert not office.opens_on(date(2026, 12, 26))  # a Saturday
    assert ALWAYS_OPEN.of("+12125550100").track(christmas) is Track.IN_HOURS


def test_an_office_without_hours_may_be_closed_for_once() -> None:
    office = Schedule(zone=NEW_YORK, closed=(Period(date(2026, 12, 23), date(2026, 12, 25)),))
    now = there("2026-12-23T10:00")
    assert office.track(now) is Track.HOLIDAY
    assert office.next_open(now) == there("2026-12-25T00:00")
    assert office.business_day(now, 1, time(9), NEW_YORK) == there("2026-12-25T09:00")


# -- business days --------------------------------------------------------------------------

WEEK = Schedule(zone=NEW_YORK, hours="Mo-Fr 09:00-17:00; PH off", country="US")


@pytest.mark.parametrize(
    ("after", "days", "clock", "zone", "expected"),
    [
        ("2026-12-07T18:00", 1, "09:30", NEW_YORK, "2026-12-08T09:30"),
        ("2026-12-11T18:00", 1, "09:30", NEW_YORK, "2026-12-14T09:30"),  # over the weekend
        ("2026-12-12T18:00", 1, "09:30", NEW_YORK, "2026-12-14T09:30"),
        ("2026-12-07T18:00", 3, "09:30", NEW_YORK, "2026-12-10T09:30"),
        ("2026-12-24T18:00", 1, "09:30", NEW_YORK, "2026-12-28T09:30"),  # over Christmas
        ("2026-12-07T08:00", 0, "09:30", NEW_YORK, "2026-12-07T09:30"),
        ("2026-12-07T09:30", 0, "09:30", NEW_YORK, "2026-12-08T09:30"),
        ("2026-12-12T08:00", 0, "09:30", NEW_YORK, "2026-12-14T09:30"),
        # By the clock of a caller in Sydney, where it is Tuesday already.
        ("2026-12-07T18:00", 1, "09:30", SYDNEY, "2026-12-08T17:30"),
        # In New York there was no half past two on 14 March 2027, a Sunday.
        ("2027-03-13T18:00", 1, "02:30", NEW_YORK, "2027-03-15T02:30"),
    ],
)
def test_the_next_business_day(
    after: str, days: int, clock: str, zone: ZoneInfo, expected: str
) -> None:
    found = WEEK.business_day(there(after), days, time.fromisoformat(clock), zone)
    assert found == there(expected)


@pytest.mark.parametrize(
    ("zone", "after", "clock", "expected"),
    [
        (NEW_YORK, "2026-03-07T12:00", "02:30", "2026-03-08T07:00"),  # never shown: at three
        (NEW_YORK, "2026-10-31T12:00", "01:30", "2026-11-01T05:30"),  # shown twice: the first
        (LONDON, "2026-03-28T12:00", "01:15", "2026-03-29T01:00"),
        (LONDON, "2026-10-24T12:00", "01:15", "2026-10-25T00:15"),
        (LORD_HOWE, "2026-10-03T12:00", "02:15", "2026-10-03T15:30"),
        (LORD_HOWE, "2026-04-04T12:00", "01:45", "2026-04-04T14:45"),
        (APIA, "2011-12-29T12:00", "09:00", "2011-12-30T19:00"),  # the 30th never was
    ],
)
def test_a_business_day_on_which_clocks_are_set(
    zone: ZoneInfo, after: str, clock: str, expected: str
) -> None:
    daily = Schedule(zone=zone, hours="Mo-Su 00:00-24:00")
    found = daily.business_day(there(after, zone), 1, time.fromisoformat(clock), zone)
    assert found == utc(expected)


def test_who_never_opens_has_no_business_day() -> None:
    assert Schedule(hours="off").business_day(utc("2026-12-07"), 1, time(9), UTC) is None
    assert WEEK.business_day(utc("2026-12-07"), 300, time(9), UTC) is None


# -- lines ----------------------------------------------------------------------------------


def test_a_line_may_have_hours_of_its_own() -> None:
    hours = Hours(office=SHOP, lines={"+12125550100": WEEK, "17": ALWAYS_OPEN.office}, country="US")
    assert hours.of("+12125550100") is WEEK
    assert hours.of("2125550100") is WEEK  # as the PBX writes it
    assert hours.of("17") is ALWAYS_OPEN.office
    assert hours.of("18") is SHOP
    assert hours.of("") is SHOP


def test_schedules_are_compared_by_what_they_say() -> None:
    one, other = (Schedule(zone=NEW_YORK, hours="Mo 08:00-09:00") for _ in range(2))
    one.is_open(utc("2026-12-07"))  # what was worked out does not count
    assert one == other
    assert hash(one) == hash(other)
    assert one != WEEK


def test_what_is_coming_is_listed_in_order() -> None:
    found = SHOP.coming(there("2026-12-18T16:00"), there("2027-01-02T00:00"))
    assert [period.name for period in found] == [
        "party",
        "from a calendar",
        "Christmas Day",
        "stocktaking",
        "New Year's Day",
    ]


# -- against oracles ------------------------------------------------------------------------


def by_hand(local: datetime) -> bool:
    """Tell whether SHOP's regular hours are when the clock on the wall shows this."""
    minute = local.hour * 60 + local.minute
    if local.weekday() < 5:
        return 480 <= minute < 720 or 780 <= minute < 1020
    return local.weekday() == 5 and 540 <= minute < 720


def minutes(first: datetime, last: datetime) -> Iterator[datetime]:
    at = first
    while at < last:
        yield at
        at += MINUTE


def test_every_minute_of_a_year() -> None:
    holidays = {
        *("2027-01-01", "2027-01-18", "2027-02-15", "2027-05-31", "2027-06-18", "2027-06-19"),
        *("2027-07-04", "2027-07-05", "2027-09-06", "2027-11-25", "2027-12-24", "2027-12-25"),
        "2027-12-31",
    }
    following = None
    every = list(minutes(there("2027-01-01T00:00"), there("2028-01-01T00:00")))
    assert len(every) == 365 * 24 * 60
    for at in reversed(every):
        local = at.astimezone(NEW_YORK)
        expected = by_hand(local) and local.date().isoformat() not in holidays
        assert SHOP.is_open(at) is expected, local
        following = at if expected else following
        if at.minute % 7 == 0 and following is not None:
            assert SHOP.next_open(at) == following, local


@pytest.mark.parametrize("zone", [NEW_YORK, LONDON, LORD_HOWE, SYDNEY, APIA])
@pytest.mark.parametrize(
    ("hours", "opens", "closes"),
    [("00:30-02:15", 30, 135), ("22:00-02:10", 1320, 130), ("01:30-23:45", 90, 1425)],
)
def test_every_minute_around_clocks_that_are_set(
    zone: ZoneInfo, hours: str, opens: int, closes: int
) -> None:
    """Also where half an hour is skipped, and where a whole day is."""
    schedule = Schedule(zone=zone, hours=f"Mo-Su {hours}")
    year = 2011 if zone is APIA else 2026
    first, last = utc(f"{year}-01-01T00:00"), utc(f"{year + 1}-01-05T00:00")
    day = first
    while day < last:
        if day.astimezone(zone).utcoffset() != (day + DAY).astimezone(zone).utcoffset():
            for at in minutes(day - DAY, day + 2 * DAY):
                local = at.astimezone(zone)
                passed = (local.hour * 60 + local.minute - opens) % 1440
                assert schedule.is_open(at) is (passed < (closes - opens) % 1440), local
        day += DAY


ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"})).map(ZoneInfo)


@cache
def clocks_set(zone: ZoneInfo) -> tuple[datetime, ...]:
    """Give the minutes at which a zone's clocks are set from 2020 to 2035, by zoneinfo alone."""
    found, day = [], utc("2020-01-01T00:00")
    while day < utc("2036-01-01T00:00"):
        low, high = day, day + DAY
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
            while high - low > MINUTE:
                middle = low + (high - low) // MINUTE // 2 * MINUTE
                same = low.astimezone(zone).utcoffset() == middle.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high)
        day += DAY
    return tuple(found)


@settings(max_examples=200, deadline=None)
@given(st.data(), ZONES, st.integers(0, 1439), st.integers(1, 1439))
def test_near_any_setting_of_clocks_until_2035(
    data: st.DataObject, zone: ZoneInfo, opens: int, length: int
) -> None:
    """It is open when a clock on the wall shows so: twice in an hour that comes twice."""
    closes = (opens + length) % 1440
    hours = f"{opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02}"
    schedule = Schedule(zone=zone, hours=f"Mo-Su {hours}")
    change = data.draw(st.sampled_from(clocks_set(zone) or (utc("2026-03-08T01:00"),)))
    at = change + data.draw(st.integers(-1500, 1500)) * MINUTE
    local = at.astimezone(zone)
    passed = (local.hour * 60 + local.minute - opens) % 1440
    assert schedule.is_open(at) is (passed < length), (local, hours)


NOWS = st.datetimes(shown("2010-01-01"), shown("2036-01-01")).map(lambda t: t.replace(tzinfo=UTC))
HOURS = st.sampled_from(
    [
        "", "off", "24/7", "Mo-Fr 08:00-12:00,13:00-17:00; PH off", "Th-Sa 18:00-02:00; PH off",
        "Mo-Su 02:15-02:45", "Su 01:00-03:00; PH 10:00-11:00", "Mo[1] 09:00-10:00",
        "Dec 24 08:00-24:00", "Mo-Su 22:00-21:00", "week 1-53/2 Sa 09:00-12:00; PH off",
    ]
)  # fmt: skip


@st.composite
def periods(draw: st.DrawFn, now: datetime) -> Period:
    begins = now + timedelta(minutes=draw(st.integers(-20_000, 20_000)))
    ends = begins + timedelta(minutes=draw(st.integers(1, 10_000)))
    form = draw(st.sampled_from(["instants", "clock", "days"]))
    if form == "instants":
        return Period(begins, ends)
    if form == "clock":
        return Period(begins.replace(tzinfo=None), ends.replace(tzinfo=None))
    return Period(begins.date(), ends.date())


@st.composite
def schedules(draw: st.DrawFn) -> tuple[datetime, Schedule]:
    now = draw(NOWS)
    few = st.lists(periods(now), max_size=4).map(tuple)
    schedule = Schedule(
        zone=draw(ZONES),
        hours=draw(HOURS),
        country=draw(st.sampled_from(["US", "DE", "GB", ""])),
        closed=draw(few),
        open_also=draw(few),
    )
    return now, schedule


@settings(deadline=None, max_examples=200)
@given(schedules())
def test_at_the_next_opening_it_is_open_and_before_it_is_not(
    drawn: tuple[datetime, Schedule],
) -> None:
    now, schedule = drawn
    found = schedule.next_open(now)
    if found is None:
        assert not schedule.is_open(now)
        found = now + HORIZON
    else:
        assert found >= now
        assert schedule.is_open(found)
        assert schedule.track(found) is Track.IN_HOURS
    for at in minutes(now, min(found, now + 3 * DAY)):
        assert not schedule.is_open(at)
        assert schedule.track(at) is not Track.IN_HOURS
    if found > now:
        assert not schedule.is_open(found - timedelta.resolution)


@settings(deadline=None, max_examples=200)
@given(schedules(), st.integers(0, 5), st.integers(0, 1439), ZONES)
def test_a_business_day_is_never_a_closed_one(
    drawn: tuple[datetime, Schedule], days: int, minute: int, zone: ZoneInfo
) -> None:
    after, schedule = drawn
    clock = time(minute // 60, minute % 60)
    found = schedule.business_day(after, days, clock, zone)
    if found is None:
        return
    assert found > after
    local = found.astimezone(zone)
    before = (found - MINUTE).astimezone(zone).replace(tzinfo=None)
    if local.time() == clock:
        day = local.date()
    else:  # the clock was set past it
        assert local.replace(tzinfo=None) - before > MINUTE
        day = before.date() if before.time() < clock else before.date() + DAY
        if not schedule.opens_on(day):
            day += DAY
    assert schedule.opens_on(day)
    today = after.astimezone(zone).date()
    between = sum(
        schedule.opens_on(today + ahead * DAY) for ahead in range(1, (day - today).days + 1)
    )
    assert between == (0 if day == today else max(days, 1))


@settings(deadline=None, max_examples=200)
@given(schedules())
def test_a_day_on_which_it_opens_has_an_opening(drawn: tuple[datetime, Schedule]) -> None:
    now, schedule = drawn
    if not schedule.hours:
        return
    day = now.astimezone(schedule.zone).date()
    is_open = [
        at
        for at in minutes(now - DAY, now + DAY)
        if at.astimezone(schedule.zone).date() == day and schedule.is_open(at)
    ]
    if schedule.opens_on(day):
        assert is_open
    if schedule.track(now) is Track.AFTER_HOURS:
        assert schedule.opens_on(day)
