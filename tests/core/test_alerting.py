"""When the office's people are told: soon, never in a storm, and nothing is lost."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_bridge.core.alerting import (
    TITLES,
    Alert,
    AlertKind,
    Pace,
    Plan,
    QuietHours,
    Telling,
    Told,
    plan_routine,
    plan_urgent,
    words,
)

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
NIGHT = QuietHours(time(22), time(7), NEW_YORK)
PACE = Pace()


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def alert(number: int = 1, **changes: object) -> Alert:
    values: dict[str, object] = {
        "alert_id": number,
        "at": NOON,
        "kind": AlertKind.GATEWAY,
        "subject": f"subject {number}",
        "text": f"text {number}",
        "due_at": NOON,
    }
    return Alert(**(values | changes))  # type: ignore[arg-type]


def told(of: Alert, after: float, times: int = 1) -> Told:
    return Told(NOON + minutes(after), of.group, of.urgent, times)


def ids(plan: Plan) -> list[list[int]]:
    return [[alert.alert_id for alert in telling.alerts] for telling in plan.tellings]


def test_nothing_to_tell_is_nothing_to_wait_for() -> None:
    assert plan_routine([], [], NOON, PACE) == plan_urgent([], [], NOON, PACE) == Plan()


def test_one_message_for_each_kind_and_subject() -> None:
    same = [alert(1), alert(2, subject="subject 1"), alert(3, kind=AlertKind.CIRCUIT)]
    assert ids(plan_routine(same, [], NOON, PACE)) == [[1, 2], [3]]


def test_what_is_not_due_waits() -> None:
    later = alert(due_at=NOON + minutes(3))
    assert plan_routine([later], [], NOON, PACE) == Plan((), NOON + minutes(3))
    assert ids(plan_routine([later], [], NOON + minutes(3), PACE)) == [[1]]


def test_the_same_is_not_told_again_within_the_hour() -> None:
    again = alert(2, subject="subject 1")
    history = [told(alert(1), -20)]
    assert plan_routine([again], history, NOON, PACE) == Plan((), NOON + minutes(40))
    assert ids(plan_routine([again], history, NOON + minutes(40), PACE)) == [[2]]
    assert ids(plan_routine([alert(2)], history, NOON, PACE)) == [[2]]  # another subject


def test_a_customer_who_writes_again_is_heard_sooner() -> None:
    reply = alert(2, kind=AlertKind.REPLY, subject="+15551234567")
    history = [told(reply, -4)]
    assert plan_routine([reply], history, NOON, PACE).next_at == NOON + minutes(1)
    assert ids(plan_routine([reply], history, NOON + minutes(1), PACE)) == [[2]]


def test_more_than_the_limit_is_told_together() -> None:
    many = [alert(n) for n in range(1, 10)]
    plan = plan_routine(many, [], NOON, PACE)
    assert ids(plan) == [[1], [2], [3], [4], [5], [6, 7, 8, 9]]
    assert [telling.together for telling in plan.tellings] == [False] * 5 + [True]


def test_at_the_limit_all_wait_for_the_window() -> None:
    history = [told(alert(n), -n) for n in range(1, 7)]
    plan = plan_routine([alert(9)], history, NOON, PACE)
    assert plan == Plan((), NOON + minutes(4))
    later = plan_routine([alert(9), alert(10)], history, NOON + minutes(4), PACE)
    assert ids(later) == [[9, 10]]  # one is left, so together


def test_alerts_of_one_message_count_once() -> None:
    history = [told(alert(n), -1) for n in range(1, 20)]
    assert len(plan_routine([alert(n) for n in range(30, 35)], history, NOON, PACE).tellings) == 5


def test_the_night_is_quiet_and_the_morning_has_one_summary() -> None:
    pace = Pace(quiet=NIGHT)
    evening = datetime(2026, 11, 24, 22, 0, tzinfo=NEW_YORK)
    night = [alert(n, at=evening + minutes(n), due_at=evening + minutes(n)) for n in range(1, 9)]
    morning = datetime(2026, 11, 25, 7, 0, tzinfo=NEW_YORK)
    assert plan_routine(night, [], evening + minutes(9), pace) == Plan((), morning)
    assert plan_routine(night, [], morning - minutes(1), pace).tellings == ()
    fresh = alert(20, at=morning, due_at=morning)
    plan = plan_routine([*night, fresh], [], morning, pace)
    assert ids(plan) == [[1, 2, 3, 4, 5, 6, 7, 8], [20]]
    assert plan.tellings[0].together


def test_quiet_hours_within_a_day_and_over_a_change_of_clocks() -> None:
    lunch = QuietHours(time(12), time(13), NEW_YORK)
    at = datetime(2026, 11, 24, 12, 30, tzinfo=NEW_YORK)
    assert lunch.until(at) == datetime(2026, 11, 24, 13, 0, tzinfo=NEW_YORK)
    assert lunch.until(at + minutes(30)) is None
    assert lunch.until(at - minutes(31)) is None
    assert lunch.ended(at) == datetime(2026, 11, 23, 13, 0, tzinfo=NEW_YORK)
    # On 8 March 2026 the night in New York has eight hours.
    begin = datetime(2026, 3, 7, 22, 0, tzinfo=NEW_YORK).astimezone(UTC)
    end = NIGHT.until(begin)
    assert end is not None
    assert end - begin == timedelta(hours=8)
    assert NIGHT.until(begin - minutes(1)) is None
    assert NIGHT.ended(end) == end


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - the strategy adds it
def test_it_is_quiet_until_quiet_ends(now: datetime) -> None:
    for hours in (NIGHT, QuietHours(time(0), time(23, 59), NEW_YORK)):
        end = hours.until(now)
        assert hours.ended(now) <= now
        if end is not None:
            assert now < end <= now + timedelta(hours=25)
            assert hours.until(end) is None
            assert hours.ended(end) == end


def urgent(number: int = 1, **changes: object) -> Alert:
    return alert(number, kind=AlertKind.URGENT, urgent=True, **changes)


def test_what_is_urgent_is_told_at_once_even_at_night() -> None:
    pace = Pace(quiet=NIGHT)
    midnight = datetime(2026, 11, 24, 0, 0, tzinfo=NEW_YORK)
    assert ids(plan_urgent([urgent(at=midnight, due_at=midnight)], [], midnight, pace)) == [[1]]


def test_the_same_urgent_thing_is_not_told_more_often_than_it_is_repeated() -> None:
    before = urgent(1, told=1, due_at=NOON + minutes(5))
    fresh = urgent(2, subject="subject 1", at=NOON + minutes(2), due_at=NOON + minutes(2))
    history = [told(before, 0)]
    assert plan_urgent([before, fresh], history, NOON + minutes(2), PACE) == Plan(
        (), NOON + minutes(5)
    )
    assert ids(plan_urgent([before, fresh], history, NOON + minutes(5), PACE)) == [[1, 2]]
    other = urgent(3, due_at=NOON + minutes(2))
    assert ids(plan_urgent([before, other], history, NOON + minutes(2), PACE)) == [[3]]


def test_the_waits_of_an_urgent_alert_follow_the_list_and_the_last_goes_on() -> None:
    pace = Pace(urgent_waits=(minutes(1), minutes(5), minutes(15)))
    assert [pace.urgent_wait(n) for n in (0, 1, 2, 3, 4, 99)] == [
        minutes(n) for n in (1, 1, 5, 15, 15, 15)
    ]


def test_a_flood_of_urgent_alerts_is_told_together_every_minute() -> None:
    history = [told(urgent(n), -n * 0.1) for n in range(1, 7)]
    flood = [urgent(n) for n in range(10, 40)]
    plan = plan_urgent(flood, history, NOON, PACE)
    assert plan == Plan((), NOON + minutes(0.9))
    later = plan_urgent(flood, history, NOON + minutes(0.9), PACE)
    assert ids(later) == [list(range(10, 40))]


GROUPS = st.tuples(st.sampled_from([*AlertKind]), st.sampled_from(["", "a", "b", "c", "d"]))
EVENTS = st.lists(
    st.tuples(st.integers(0, 12 * 60), GROUPS, st.booleans()), min_size=1, max_size=250
)


class Office:
    """Keeps what is to be told as the store does, and tells it when the plan says so."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.waiting: dict[int, Alert] = {}
        self.history: list[Told] = []
        self.messages: list[tuple[datetime, Telling]] = []
        self.ended: set[int] = set()

    def live(self, coming: list[Alert]) -> None:
        """Take each alert in when it comes, until there is nothing more to do."""
        now: datetime | None = coming[0].at
        while now is not None:
            while coming and coming[0].at <= now:
                fresh = coming.pop(0)
                self.waiting[fresh.alert_id] = fresh
            times = [self._look(now, urgent=True), self._look(now, urgent=False)]
            times += [coming[0].at] if coming else []
            later = min((at for at in times if at is not None), default=None)
            now = None if later is None else max(now + timedelta(milliseconds=1), later)

    def _look(self, now: datetime, *, urgent: bool) -> datetime | None:
        ours = [alert for alert in self.waiting.values() if alert.urgent == urgent]
        plan = (plan_urgent if urgent else plan_routine)(ours, self.history, now, self.pace)
        for telling in plan.tellings:
            assert telling.alerts
            self._tell(telling, now + timedelta(microseconds=len(self.messages)))
        if plan.tellings:
            return now  # look again
        assert plan.next_at is None or plan.next_at > now
        return plan.next_at

    def _tell(self, telling: Telling, at: datetime) -> None:
        self.messages.append((at, telling))
        self.history = [told for told in self.history if told.at > at - self.pace.memory]
        for one in telling.alerts:
            self.history.append(Told(at, one.group, one.urgent, one.told + 1))
            if one.urgent and one.told < self.pace.max_repeats:
                due = at + self.pace.urgent_wait(one.told + 1)
                self.waiting[one.alert_id] = replace(one, told=one.told + 1, due_at=due)
            else:
                del self.waiting[one.alert_id]
                self.ended.add(one.alert_id)


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.integers(1, 6), st.sampled_from([None, NIGHT]), st.integers(0, 23))
def test_whatever_comes_there_is_no_storm_and_nothing_is_lost(
    events: list[tuple[int, tuple[AlertKind, str], bool]],
    most: int,
    quiet: QuietHours | None,
    start: int,
) -> None:
    office = Office(Pace(most=most, quiet=quiet, max_repeats=3))
    coming = []
    for n, (after, (kind, subject), is_urgent) in enumerate(events):
        at = NOON + timedelta(hours=start, minutes=after)
        coming.append(alert(n, kind=kind, subject=subject, urgent=is_urgent, at=at, due_at=at))
    office.live(sorted(coming, key=lambda one: one.at))

    assert office.ended == set(range(len(events)))  # nothing is lost
    routine = [at for at, telling in office.messages if not telling.urgent]
    assert most_within(routine, office.pace.window) <= most
    assert quiet is None or not any(quiet.until(at) for at in routine)
    rushed = [at for at, telling in office.messages if telling.urgent]
    assert most_within(rushed, timedelta(hours=1)) <= 60 + 6 * most
    last: dict[tuple[AlertKind, str], datetime] = {}
    for at, telling in office.messages:
        for group in {one.group for one in telling.alerts if one.urgent}:
            assert at - last.get(group, at - timedelta(days=1)) >= minutes(5)
            last[group] = at


def most_within(times: list[datetime], window: timedelta) -> int:
    """Count the most messages in any window; `times` in order."""
    counts = [sum(1 for other in times[:n] if other > at - window) for n, at in enumerate(times)]
    return max(counts, default=-1) + 1


def test_a_message_says_what_when_and_how_often() -> None:
    one = alert(7, text="Twilio: not registered\x1b[2J", times=3)
    said = words(Telling((one,)), "Miller", NEW_YORK)
    assert said.title == "Miller: a gateway refuses texts"
    assert said.body == "Twilio: not registered[2J\nTue 24 Nov 2026, 07:00, and 2 more like this"
    assert said.short == "Miller: Twilio: not registered[2J"


def test_replies_are_shown_as_they_came() -> None:
    three = tuple(
        alert(n, kind=AlertKind.REPLY, subject="+1", text=f"reply {n}", at=NOON + minutes(n))
        for n in range(1, 9)
    )
    body = words(Telling(three), "Miller", NEW_YORK).body
    assert body.splitlines()[:2] == ["reply 4", "reply 5"]
    assert body.endswith("Tue 24 Nov 2026, 07:08, and 3 more like this since 07:01")


def test_a_summary_is_short_whatever_it_sums_up() -> None:
    many = tuple(alert(n, text="x" * 5000, times=2) for n in range(100))
    said = words(Telling(many, together=True), "Miller", NEW_YORK)
    assert said.title == "Miller: 200 alerts"
    lines = said.body.splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("- 2 times a gateway refuses texts (subject 0): xxx")
    assert lines[-1] == "and 80 more: pbx-bridge alerts"
    assert len(said.body) < 6000


def test_an_urgent_message_says_how_to_take_it_and_how_often_it_was_told() -> None:
    said = words(Telling((urgent(17, told=2),)), "Miller", NEW_YORK)
    assert said.title == "Miller: URGENT, a customer needs you (told 2 times before)"
    assert "pbx-bridge alerts --ack 17" in said.body


@given(st.text(max_size=3000), st.text(max_size=100), st.integers(1, 2))
def test_no_words_of_a_customer_forge_a_message(text: str, subject: str, together: int) -> None:
    shown = (alert(1, text=text, subject=subject), alert(2, text=text, subject=subject + "x"))
    said = words(Telling(shown[:together], together=together > 1), "Miller", NEW_YORK)
    assert len(said.short) <= 160
    assert "\n" not in said.title + said.short
    assert not any(c in said.title + said.body + said.short for c in "\x1b\r\x00\u202e\u2028")


def test_every_kind_has_its_title() -> None:
    assert set(TITLES) == set(AlertKind)


@pytest.mark.parametrize("text", ["\u201cHello\u201d \u2013 she said\u2026", "x" * 500])
def test_a_text_is_one_plain_text(text: str) -> None:
    short = words(Telling((alert(text=text),)), "Miller", NEW_YORK).short
    assert short.isascii()
    assert len(short) <= 160
