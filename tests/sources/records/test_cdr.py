"""Call detail records: they know less, so they may only err on the side of not texting."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.call import Call
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.sources.records import cdr

from .files import EVER, FOLDER, TRUTH, VERSIONS

HERE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
INBOUND = Inbound(trunks=frozenset({"trunk"}))
#: A conference or an agent pool may have joined the caller to somebody: no row says so.
SILENT = {"+12125551029", "+12125551066"}
#: The announcement to the agent counts as an answer.
TAKEN_FOR_ANSWERED = {"+12125551053"}

LINE = (
    '"","+12125550142","101","from-trunk","Ann","PJSIP/trunk-1","PJSIP/101-2","Dial","PJSIP/101",'
    '"2026-11-23 16:06:58",,"2026-11-23 16:07:01",3,0,"NO ANSWER","DOCUMENTATION","1.1","","",'
    '"1.1",0'
)


def judged(*lines: str) -> list[Call]:
    rows = [cdr.parse(line, HERE) for line in lines]
    return cdr.judge([row for row in rows if row is not None], INBOUND)


def recorded(version: str) -> dict[str, Call]:
    rows = cdr.rows(FOLDER / f"{version}-cdr.csv", EVER, HERE)
    return {call.caller.number: call for call in cdr.judge(rows, INBOUND)}


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_calls_are_judged_as_they_were_or_not_at_all(version: str) -> None:
    calls = recorded(version)
    assert calls.keys().isdisjoint(SILENT)
    for caller, call in calls.items():
        true, _ = TRUTH[caller]
        expected = "answered" if caller in TAKEN_FOR_ANSWERED else true
        assert call.disposition == expected, caller
    assert len(calls) >= 7


@pytest.mark.parametrize("version", VERSIONS)
def test_no_answered_call_looks_missed(version: str) -> None:
    missed = {caller for caller, call in recorded(version).items() if call.answered_at is None}
    assert missed
    assert {TRUTH[caller][0] for caller in missed} == {"missed"}


def test_who_answered_is_told() -> None:
    call = recorded("22")["+12125551069"]
    assert (call.answered_by, call.source, call.trunk) == ("101", "cdr", "trunk")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((), "rang_no_answer"),
        (("NO ANSWER", "BUSY"), "busy"),
        (("NO ANSWER", "FAILED"), "unavailable"),
        (('"Dial"', '"VoiceMail"'), "voicemail_hangup"),
        (('"Dial"', '"Queue"'), "queue_unserved"),
        (('"PJSIP/101-2","Dial"', '"","Playback"'), "announcement_only"),
    ],
)
def test_the_last_application_and_the_dispositions_name_the_reason(
    change: tuple[str, str] | tuple[()], reason: str
) -> None:
    line = LINE.replace(*change) if change else LINE
    (call,) = judged(line)
    assert (call.disposition.value, call.reason.value) == ("missed", reason)


@pytest.mark.parametrize("application", ["ConfBridge", "Park", "AGI", "Stasis", "SomethingNew"])
def test_where_somebody_may_have_spoken_nothing_is_said(application: str) -> None:
    line = LINE.replace('"PJSIP/101-2","Dial"', f'"","{application}"')
    assert judged(line) == []


def test_an_answer_in_any_row_is_an_answer() -> None:
    answered = LINE.replace("NO ANSWER", "ANSWERED").replace("101-2", "102-3")
    (call,) = judged(LINE, answered)
    assert (call.disposition.value, call.answered_by) == ("answered", "102")


def test_a_local_channel_that_answered_is_nobody() -> None:
    """Behind it somebody may be, and then a row of its other half says so."""
    local = LINE.replace("NO ANSWER", "ANSWERED").replace("PJSIP/101-2", "Local/101@x-2;1")
    behind = LINE.replace('"1.1","",', '"1.2","",').replace("PJSIP/trunk-1", "Local/101@x-2;2")
    voicemail = behind.replace('"PJSIP/101-2","Dial"', '"","VoiceMail"')
    person = behind.replace("NO ANSWER", "ANSWERED")
    assert judged(local) == []
    assert [call.reason.value for call in judged(local, voicemail)] == ["voicemail_hangup"]
    assert [call.answered_by for call in judged(local, person)] == ["101"]


def test_a_call_from_the_office_is_none() -> None:
    assert judged(LINE.replace("from-trunk", "from-office").replace("trunk-1", "101-1")) == []


def test_a_call_is_known_by_its_trunk_where_the_dialplan_leaves_the_inbound_context() -> None:
    line = LINE.replace("from-trunk", "plain")
    assert [(call.trunk, call.line) for call in judged(line)] == [("trunk", "")]
    rows = [row for row in [cdr.parse(line, HERE)] if row is not None]
    assert cdr.judge(rows, Inbound()) == []


def test_the_times_are_those_of_the_pbx() -> None:
    row = cdr.parse(LINE, BERLIN)
    assert row is not None
    assert row.start == datetime(2026, 11, 23, 15, 6, 58, tzinfo=UTC)
    assert row.end == datetime(2026, 11, 23, 15, 7, 1, tzinfo=UTC)


def test_only_calls_that_ended_since_a_time_are_read() -> None:
    since = datetime(2026, 11, 23, 16, 7, 0, tzinfo=UTC)
    rows = cdr.rows(FOLDER / "22-cdr.csv", since, HERE)
    assert min(row.end for row in rows) >= since
    assert 0 < len(rows) < len(cdr.rows(FOLDER / "22-cdr.csv", EVER, HERE))


@pytest.mark.parametrize(
    "damage",
    [
        "",
        LINE[:90],
        LINE.replace("2026-11-23 16:06:58", "yesterday"),
        LINE.replace("2026-11-23 16:07:01", ""),
        LINE.replace("2026-11-23 16:07:01", "0001-01-01 00:00:00"),
        LINE.removesuffix(',"1.1",0'),
    ],
)
def test_a_damaged_row_and_one_without_the_columns_needed_are_none(damage: str) -> None:
    assert cdr.parse(damage, BERLIN) is None


@given(st.text(max_size=200))
def test_no_text_raises(text: str) -> None:
    cdr.parse(text, BERLIN)
    cdr.parse(LINE.replace("Ann", text), BERLIN)
