"""The queue log settles only what it proves."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.call import Call
from pbx_bridge.sources.records import queue_log

from .files import EVER, FOLDER, VERSIONS

T = 1795449951
ENTERED = f"{T}|1.1|support|NONE|ENTERQUEUE||+12125550142|1"
CONNECTED = f"{T + 5}|1.1|support|PJSIP/101|CONNECT|5|1.2|4"
ABANDONED = f"{T + 9}|1.1|support|NONE|ABANDON|1|1|9"


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(T + seconds, UTC)


def judged(*lines: str, blind_since: datetime | None = None) -> list[Call]:
    rows = [queue_log.parse(line) for line in lines]
    return queue_log.judge([row for row in rows if row is not None], blind_since or at(2))


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_queues_are_judged_as_they_were(version: str) -> None:
    rows = queue_log.rows(FOLDER / f"{version}-queue_log", EVER)
    far_off = datetime(2100, 1, 1, tzinfo=UTC)
    found = [
        (call.queue.queue, call.disposition.value)
        for call in queue_log.judge(rows, far_off)
        if call.queue is not None
    ]
    served = [("support", "answered"), ("support", "missed"), ("agents", "answered")]
    more = [("claims", "missed"), ("service", "answered")] if version == "22" else []
    assert sorted(found) == sorted(served + more)


def test_a_connection_is_an_answer() -> None:
    (call,) = judged(ENTERED, CONNECTED)
    assert (call.disposition.value, call.reason.value) == ("answered", "answered")
    assert (call.answered_by, call.answered_at, call.source) == ("PJSIP/101", at(5), "queue_log")
    assert call.queue is not None
    assert (call.queue.queue, call.queue.wait_seconds) == ("support", 5)


def test_a_connection_is_an_answer_though_the_entry_was_before_the_part_that_is_read() -> None:
    (call,) = judged(CONNECTED)
    assert call.disposition.value == "answered"


def test_who_gave_up_after_waiting_already_when_we_looked_away_was_missed() -> None:
    (call,) = judged(ENTERED, ABANDONED)
    assert (call.disposition.value, call.reason.value) == ("missed", "queue_abandoned")


def test_who_gave_up_may_have_spoken_to_somebody_before_entering_while_we_looked_away() -> None:
    assert judged(ENTERED, ABANDONED, blind_since=at(-1)) == []
    assert judged(ABANDONED) == []


def test_who_was_served_and_comes_back_to_give_up_stays_answered() -> None:
    again = ENTERED.replace(str(T), str(T + 7))
    (call,) = judged(ENTERED, CONNECTED, again, ABANDONED)
    assert call.disposition.value == "answered"


def test_who_gave_up_one_queue_and_was_served_in_the_next_was_answered() -> None:
    (call,) = judged(ENTERED, ABANDONED, CONNECTED.replace("support", "sales"))
    assert call.disposition.value == "answered"


@pytest.mark.parametrize("event", ["EXITWITHTIMEOUT", "EXITEMPTY", "EXITWITHKEY", "RINGNOANSWER"])
def test_who_left_the_queue_otherwise_may_be_served_elsewhere(event: str) -> None:
    assert judged(ENTERED, ABANDONED.replace("ABANDON", event)) == []


def test_only_rows_since_a_time_are_read() -> None:
    path = FOLDER / "22-queue_log"
    every = queue_log.rows(path, EVER)
    since = every[-1].at - timedelta(seconds=2)
    assert [row for row in every if row.at >= since] == queue_log.rows(path, since)
    assert len(queue_log.rows(path, since)) < len(every)


@pytest.mark.parametrize("damage", ["", "|||||", "soon|1.1|support|NONE|ABANDON", f"{T}|1.1|x"])
def test_a_damaged_row_is_none(damage: str) -> None:
    assert queue_log.parse(damage) is None


@given(st.text(max_size=100))
def test_no_text_raises(text: str) -> None:
    queue_log.parse(text)
    queue_log.parse(text + ENTERED)


def followed(*lines: str) -> list[Call]:
    rows = [queue_log.parse(line) for line in lines]
    return list(queue_log.follow([row for row in rows if row is not None]))


COMPLETED = f"{T + 60}|1.1|support|PJSIP/101|COMPLETECALLER|5|55|1"
TIMED_OUT = f"{T + 9}|1.1|support|NONE|EXITWITHTIMEOUT|1"


def test_where_it_is_all_there_is_the_queue_log_tells_of_its_callers() -> None:
    (call,) = followed(ENTERED, ABANDONED)
    assert (call.caller.number, call.disposition.value) == ("+12125550142", "missed")
    assert (call.reason.value, call.began, call.ended) == ("queue_abandoned", at(0), at(9))


def test_a_caller_who_was_served_was_answered_and_ended_later() -> None:
    (call,) = followed(ENTERED, CONNECTED, COMPLETED)
    assert (call.answered_at, call.ended, call.answered_by) == (at(5), at(60), "PJSIP/101")


def test_a_caller_who_is_still_served_when_the_log_ends_was_answered() -> None:
    (call,) = followed(ENTERED, CONNECTED)
    assert call.disposition.value == "answered"


@pytest.mark.parametrize("event", ["EXITWITHTIMEOUT", "EXITEMPTY", "EXITWITHKEY"])
def test_nobody_knows_what_became_of_who_left_the_queue_otherwise(event: str) -> None:
    (call,) = followed(ENTERED, TIMED_OUT.replace("EXITWITHTIMEOUT", event))
    assert call.disposition.value == "unobserved"


def test_who_goes_on_into_another_queue_is_one_call() -> None:
    again = ENTERED.replace(str(T), str(T + 10)).replace("support", "sales")
    (call,) = followed(ENTERED, TIMED_OUT, again, ABANDONED.replace(str(T + 9), str(T + 30)))
    assert (call.began, call.reason.value) == (at(0), "queue_abandoned")
    (served,) = followed(ENTERED, TIMED_OUT, again, CONNECTED)
    assert served.disposition.value == "answered"


def test_rows_that_say_nothing_of_a_caller_are_none() -> None:
    assert followed(f"{T}|NONE|NONE|NONE|QUEUESTART|", CONNECTED, COMPLETED, ABANDONED) == []
    assert followed(TIMED_OUT) == []


def test_who_left_is_forgotten_after_an_hour() -> None:
    other = [f"{T + 9 + n * 60}|{n}.2|support|NONE|ENTERQUEUE||1|1" for n in range(1500)]
    rows = [queue_log.parse(line) for line in (ENTERED, TIMED_OUT, *other)]
    calls = queue_log.follow(iter([row for row in rows if row is not None][:1000]))
    assert next(calls).call_id == "1.1"


@given(st.lists(st.sampled_from([ENTERED, CONNECTED, ABANDONED, COMPLETED, TIMED_OUT])))
def test_no_order_of_rows_raises(rows: list[str]) -> None:
    followed(*rows)
