"""Calls counted by line, hour, reason and outcome."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.afterwards import Dialled
from pbx_bridge.core.call import Disposition, Reason
from pbx_bridge.core.outcomes import TEXTED
from pbx_bridge.core.review import Figures, Looked, review

ZONE = ZoneInfo("America/New_York")
#: A Monday at noon in New York.
MONDAY = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
ANN = "+12125550142"
MISSED = Looked(
    began=MONDAY, ended=MONDAY + timedelta(seconds=20), caller=ANN, line="Sales", queue="",
    disposition=Disposition.MISSED, reason=Reason.RANG_NO_ANSWER, answered_at=None, outcome=TEXTED,
    texts=1, segments=2, cost_micros=15800,
)  # fmt: skip
ANSWERED = replace(
    MISSED, disposition=Disposition.ANSWERED, reason=Reason.PERSON, answered_at=MONDAY,
    outcome="answered", texts=0, segments=0, cost_micros=0,
)  # fmt: skip
HELD = replace(MISSED, outcome="cooling_down", texts=0, segments=0, cost_micros=0)


def looked(*calls: Looked, dialled: tuple[Dialled, ...] | None = ()) -> Figures:
    return review(
        calls,
        dialled,
        since=MONDAY - timedelta(days=1),
        until=MONDAY + timedelta(days=7),
        known_until=MONDAY + timedelta(days=30),
        zone=ZONE,
        country="US",
    )


def at(call: Looked, hours: float) -> Looked:
    later = timedelta(hours=hours)
    spoken = call.answered_at and call.answered_at + later
    return replace(call, began=call.began + later, ended=call.ended + later, answered_at=spoken)


def test_calls_are_counted_by_what_became_of_them() -> None:
    unknown = replace(MISSED, disposition=Disposition.UNOBSERVED, reason=Reason.FEED_GAP)
    found = looked(MISSED, ANSWERED, unknown, ANSWERED)
    assert (found.inbound, found.answered, found.missed, found.unknown) == (4, 2, 1, 1)


def test_missed_calls_are_counted_by_line_and_hour_of_the_office() -> None:
    found = looked(MISSED, at(MISSED, 1), at(replace(MISSED, line="Service"), 2))
    assert list(found.by_line_hour) == ["Sales", "Service"]
    assert [sum(hours) for hours in found.by_line_hour.values()] == [2, 1]
    assert (found.by_line_hour["Sales"][12], found.by_line_hour["Sales"][13]) == (1, 1)
    assert found.by_weekday_hour[0][14] == 1
    assert sum(map(sum, found.by_weekday_hour)) == 3


def test_a_line_that_is_not_known_is_the_queue_or_none() -> None:
    found = looked(replace(MISSED, line="", queue="support"), replace(MISSED, line=""))
    assert set(found.by_line_hour) == {"queue support", "no line"}


def test_reasons_tell_how_many_of_them_were_texted() -> None:
    busy = replace(HELD, reason=Reason.BUSY)
    found = looked(MISSED, HELD, HELD, busy)
    assert list(found.by_reason.items()) == [(Reason.RANG_NO_ANSWER, (3, 1)), (Reason.BUSY, (1, 0))]
    assert list(found.outcomes.items()) == [("cooling_down", 3), (TEXTED, 1)]
    assert (found.texted, found.texts, found.segments, found.cost_micros) == (1, 1, 2, 15800)


def test_callers_are_new_until_somebody_has_spoken_to_them() -> None:
    nobody = replace(HELD, caller="")
    found = looked(MISSED, at(ANSWERED, 1), at(HELD, 2), at(nobody, 3))
    assert (found.from_new, found.from_known, found.without_number) == (1, 1, 1)
    assert [call.known for call in found.calls] == [False, True, False]
    assert found.callers == 1


def test_who_was_rung_before_is_known() -> None:
    before = MONDAY - timedelta(days=3)
    assert looked(MISSED, dialled=(Dialled("12125550142", before, before),)).from_known == 1


def test_calls_before_the_time_only_make_acquaintance() -> None:
    found = looked(at(ANSWERED, -100), at(MISSED, -90), MISSED, at(MISSED, 1000))
    assert (found.inbound, found.missed, found.from_known) == (1, 1, 1)
    assert found.afterwards.judged == 1


def test_an_answered_call_without_number_makes_none() -> None:
    nobody = replace(ANSWERED, caller="")
    assert looked(nobody, at(replace(HELD, caller=""), 1)).from_known == 0


def test_of_no_calls_there_are_no_figures() -> None:
    found = looked(dialled=None)
    assert (found.inbound, found.missed, found.texted) == (0, 0, 0)
    assert found.by_line_hour == {}
    assert found.afterwards.called_back is None


CALLS = st.builds(
    replace,
    st.sampled_from([MISSED, ANSWERED, HELD]),
    caller=st.sampled_from([ANN, "+12125550143", ""]),
    line=st.sampled_from(["Sales", "Service", ""]),
    began=st.integers(0, 10_000).map(lambda n: MONDAY + timedelta(minutes=n)),
)


@given(st.lists(CALLS, max_size=30))
def test_every_missed_call_is_counted_once_in_each_table(calls: list[Looked]) -> None:
    found = looked(*sorted(calls, key=lambda call: call.began))
    assert found.inbound == found.answered + found.missed + found.unknown
    assert sum(map(sum, found.by_line_hour.values())) == found.missed
    assert sum(map(sum, found.by_weekday_hour)) == found.missed
    assert sum(found.outcomes.values()) == found.missed
    assert sum(n for n, _ in found.by_reason.values()) == found.missed
    assert sum(texted for _, texted in found.by_reason.values()) == found.texted
    assert found.from_new + found.from_known + found.without_number == found.missed
    assert len(found.calls) == found.missed
