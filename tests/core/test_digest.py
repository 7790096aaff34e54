"""The daily mail: when it is due, and what it says."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.digest import (
    TASKS_SHOWN,
    Digest,
    DigestTime,
    Happened,
    age,
    digest,
    in_words,
    midnight,
)
from pbx_bridge.core.task import Task, noted, snoozed

ZONE = ZoneInfo("America/New_York")
MONDAY = date(2026, 11, 23)
EIGHT = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)  # 08:00 in New York
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TASK = Task(
    task_id=17,
    follow_up=None,
    call_row=None,
    recipient="+12125550143",
    name="Zoë Miller",
    line="Sales",
    title="",
    created_at=EIGHT - 15 * HOUR,
    due_at=EIGHT - 13 * HOUR,
    expires_at=EIGHT + 6 * DAY,
    updated_at=EIGHT,
)


def on_weekdays(day: date) -> bool:
    return day.weekday() < 5


WHEN = DigestTime(time(8), ZONE, on_weekdays)


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (EIGHT - timedelta(seconds=1), None),
        (EIGHT, MONDAY),
        (EIGHT + 15 * HOUR, MONDAY),  # the service was down: late is better than never
        (EIGHT + 16 * HOUR, None),  # the day is over
        (EIGHT - DAY, None),  # a Sunday
    ],
)
def test_when_a_mail_is_due(now: datetime, day: date | None) -> None:
    assert WHEN.due(now) == day


def test_when_the_next_one_is() -> None:
    assert WHEN.next_at(EIGHT - HOUR) == EIGHT
    assert WHEN.next_at(EIGHT) == EIGHT + DAY
    friday = EIGHT + 4 * DAY
    assert WHEN.next_at(friday) == friday + 3 * DAY
    assert replace(WHEN, is_day=lambda _: False).next_at(EIGHT) is None


def test_what_happened_over_the_weekend_is_news_on_monday() -> None:
    assert WHEN.since(MONDAY) == date(2026, 11, 20)
    assert WHEN.since(date(2026, 11, 24)) == MONDAY
    assert replace(WHEN, is_day=lambda _: False).since(MONDAY) == date(2026, 11, 22)


@pytest.mark.parametrize(
    ("day", "at", "utc"),
    [
        (date(2026, 3, 7), time(2, 30), datetime(2026, 3, 7, 7, 30, tzinfo=UTC)),
        (date(2026, 3, 8), time(2, 30), datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),  # 03:30 EDT
        (date(2026, 3, 8), time(8), datetime(2026, 3, 8, 12, 0, tzinfo=UTC)),
        (date(2026, 11, 1), time(1, 30), datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),  # the first
        (date(2026, 11, 1), time(8), datetime(2026, 11, 1, 13, 0, tzinfo=UTC)),
    ],
)
def test_the_time_is_the_clocks_also_when_that_is_changed(
    day: date, at: time, utc: datetime
) -> None:
    assert DigestTime(at, ZONE, lambda _: True).instant(day) == utc


@given(
    st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: EIGHT + timedelta(minutes=minutes)),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
)
def test_every_minute_belongs_to_one_day_at_most_and_each_day_has_its_time(
    now: datetime, at: time
) -> None:
    when = DigestTime(at, ZONE, lambda _: True)
    due = when.due(now)
    today = now.astimezone(ZONE).date()
    assert due in {None, today}
    assert (due == today) is (when.instant(today) <= now)
    next_at = when.next_at(now)
    assert next_at is not None
    assert timedelta() < next_at - now <= timedelta(hours=49)
    assert when.due(next_at) == next_at.astimezone(ZONE).date()


def test_a_day_begins_at_midnight() -> None:
    assert midnight(MONDAY, ZONE) == datetime(2026, 11, 23, 5, tzinfo=UTC)


# -- words ----------------------------------------------------------------------------------


def write(*tasks: Task, happened: Happened | None = None, since: date | None = None) -> Digest:
    return digest(
        tasks,
        happened or Happened(),
        since=since or MONDAY - DAY,
        day=MONDAY,
        now=EIGHT,
        office="Miller & Sons",
        zone=ZONE,
    )


def test_a_mail_reads_so() -> None:
    owned = replace(TASK, task_id=18, calls=2, owner="ann", due_at=EIGHT + HOUR, name="")
    owned = noted(replace(owned, title="Ask about the boiler"), "11-22 ann: no answer", EIGHT)
    off = snoozed(replace(TASK, task_id=19, recipient=""), EIGHT + DAY, EIGHT)
    said = write(
        TASK,
        replace(owned, replied_at=EIGHT - HOUR),
        off,
        happened=Happened(missed=12, followed_up=9, spoken=3, replied=2),
    )
    assert said.subject == "Miller & Sons: 3 callers wait for a call, 1 overdue"
    assert (
        said.body
        == """\
Overdue
#17  +12125550143, Zoë Miller, on Sales: 1 call, open since Sun 22 Nov 17:00 (15 h), due \
Sun 22 Nov 19:00, nobody has it

Open
#18  +12125550143, on Sales: 2 calls, open since Sun 22 Nov 17:00 (15 h), due 09:00, ann has it, \
wrote 07:00
     Ask about the boiler
     11-22 ann: no answer

Put off
#19  number withheld, Zoë Miller, on Sales: 1 call, open since Sun 22 Nov 17:00 (15 h), put off to \
Tue 24 Nov 08:00, nobody has it

Yesterday: 12 missed calls, 9 callers followed up, 5 recovered so far (3 spoken to, 2 replied).

Take one, put it off, close it (speaking to the caller closes it by itself):
pbx-bridge tasks take 17
pbx-bridge tasks snooze 17 2h
pbx-bridge tasks close 17"""
    )


def test_a_quiet_day() -> None:
    said = write()
    assert said.subject == "Miller & Sons: nobody waits for a call"
    assert said.body == "Nobody waits for a call.\n\nYesterday: no missed calls."


def test_one_of_each() -> None:
    said = write(
        replace(TASK, due_at=None, line=""),
        happened=Happened(missed=1, followed_up=1, booked=1),
        since=MONDAY - 3 * DAY,
    )
    assert said.subject == "Miller & Sons: 1 caller waits for a call"
    assert "Zoë Miller: 1 call, open since Sun 22 Nov 17:00 (15 h), nobody has it" in said.body
    assert "Since Friday: 1 missed call, 1 caller followed up, 1 recovered so far (1 booked)." in (
        said.body
    )
    none = write(happened=Happened(missed=2, followed_up=2))
    assert "Yesterday: 2 missed calls, 2 callers followed up, 0 recovered so far." in none.body


def test_more_than_can_be_read_are_counted() -> None:
    tasks = [replace(TASK, task_id=n) for n in range(TASKS_SHOWN + 5)]
    late = [replace(TASK, task_id=900, due_at=EIGHT + HOUR)]
    said = write(*tasks, *late)
    assert said.body.count("+1212") == TASKS_SHOWN
    assert "and 6 more: pbx-bridge tasks" in said.body
    assert "\nOpen\n" not in said.body


@pytest.mark.parametrize("field", ["name", "line", "owner", "title"])
def test_hostile_text_is_one_harmless_line(field: str) -> None:
    hostile = "Eve\r\nBcc: all@example.com\x1b[2J\u202e" + "x" * 500
    task = replace(TASK, **{field: hostile})  # type: ignore[arg-type]
    said = write(task)
    assert not any(character in said.body for character in "\r\x1b\u202e")
    assert "\nBcc" not in said.body
    assert "Eve Bcc: all@example.com" in said.body
    assert max(map(len, said.body.splitlines())) < 300
    assert "\n" not in said.subject


def test_the_offices_name_is_one_line() -> None:
    said = digest(
        [], Happened(), since=MONDAY, day=MONDAY, now=EIGHT, office="A\nB" * 50, zone=ZONE
    )
    assert "\n" not in said.subject
    assert len(said.subject) < 80


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=-5), "0 min"), (timedelta(minutes=119), "119 min"),
        (timedelta(hours=2), "2 h"), (timedelta(hours=47), "47 h"), (timedelta(hours=48), "2 d"),
    ],
)  # fmt: skip
def test_how_old_something_is(length: timedelta, said: str) -> None:
    assert age(length) == said


def test_a_snooze_that_is_over_is_when_it_was_due() -> None:
    over = snoozed(TASK, EIGHT - HOUR, EIGHT - 2 * HOUR)
    assert "due 07:00" in in_words(over, EIGHT, ZONE)
