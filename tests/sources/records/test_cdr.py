"""Call detail records: they know less, so they may only err on the side of not texting."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.call import Call, OutboundCall
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

#: A call from the office that was answered.
OUTBOUND = (
    '"","101","2125550702","from-office","A","PJSIP/101-3","PJSIP/trunk-4","Dial",'
    '"PJSIP/+12125550702@trunk,60","2026-11-23 16:05:38","2026-11-23 16:05:43",'
    '"2026-11-23 16:05:59",21,16,"ANSWERED","DOCUMENTATION","3.1","","","3.1",0'
)
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


def followed(*lines: str, old: bool = False) -> list[Call | OutboundCall]:
    rows = [cdr.parse(line, HERE, old=old) for line in lines]
    return list(cdr.follow([row for row in rows if row is not None], INBOUND))


@pytest.mark.parametrize("version", VERSIONS)
def test_followed_calls_are_judged_alike_and_the_silent_ones_are_unknown(version: str) -> None:
    found = cdr.follow(cdr.rows(FOLDER / f"{version}-cdr.csv", EVER, HERE), INBOUND)
    calls = {call.caller.number: call for call in found if isinstance(call, Call)}
    judged = recorded(version)
    assert {caller: calls[caller] for caller in judged} == judged
    rest = calls.keys() - judged.keys()
    assert rest <= SILENT
    assert all(calls[caller].disposition.value == "unobserved" for caller in rest)


def test_calls_come_in_the_order_of_their_end() -> None:
    early = LINE.replace("16:07:01", "16:06:59").replace("1.1", "2.1")
    assert [call.call_id for call in followed(LINE, early)] == ["2.1", "1.1"]


def test_a_call_from_the_office_is_told_with_the_number_dialled() -> None:
    (call,) = followed(OUTBOUND)
    assert isinstance(call, OutboundCall)
    assert (call.dialled, call.call_id) == ("12125550702", "3.1/PJSIP/trunk-4")
    assert call.answered_at == datetime(2026, 11, 23, 16, 5, 43, tzinfo=UTC)
    (in_vain,) = followed(OUTBOUND.replace("ANSWERED", "NO ANSWER"))
    assert isinstance(in_vain, OutboundCall)
    assert in_vain.answered_at is None


@pytest.mark.parametrize(
    "inside",
    [
        OUTBOUND.replace("2125550702", "102"),
        OUTBOUND.replace("PJSIP/trunk-4", ""),
        OUTBOUND.replace("PJSIP/trunk-4", "Local/2125550702@x-1;1"),
    ],
)
def test_a_call_inside_is_none(inside: str) -> None:
    assert followed(inside) == []


def test_a_call_is_told_before_all_rows_are_read() -> None:
    """Long after it ended, so that memory does not grow with the log."""
    row = cdr.parse(LINE, HERE)
    assert row is not None
    taken = 0

    def endless() -> Iterator[cdr.Row]:
        nonlocal taken
        for taken in range(10**9):
            later, call = timedelta(minutes=taken), f"{taken}.1"
            yield replace(
                row, start=row.start + later, end=row.end + later, channel_id=call, linkedid=call
            )

    first = next(cdr.follow(endless(), INBOUND))
    assert isinstance(first, Call)
    assert (first.call_id, taken) == ("0.1", 999)


@given(st.permutations(range(60)))
def test_rows_of_one_call_belong_together_wherever_they_stand(order: list[int]) -> None:
    lines = [
        (LINE if n % 2 else LINE.replace("NO ANSWER", "ANSWERED")).replace("1.1", f"{n // 2}.1")
        for n in order
    ]
    calls = followed(*lines)
    assert len(calls) == 30
    assert {call.disposition.value for call in calls if isinstance(call, Call)} == {"answered"}


OLD = LINE.removesuffix(',"","1.1",0')


def test_a_row_without_a_linkedid_is_a_call_of_its_own_where_that_will_do() -> None:
    """Asterisk's own cdr.conf has no `newcdrcolumns`."""
    assert cdr.parse(OLD, HERE) is None
    (call,) = followed(OLD, old=True)
    assert isinstance(call, Call)
    assert (call.call_id, call.reason.value) == ("1.1", "rang_no_answer")
    local = OLD.replace("NO ANSWER", "ANSWERED").replace("PJSIP/101-2", "Local/101@x-2;1")
    (unknown,) = followed(local, old=True)
    assert isinstance(unknown, Call)
    assert unknown.disposition.value == "unobserved"
    assert followed(OLD.replace('"1.1"', '""'), old=True) == []
    assert followed(OLD.removesuffix(',""').removesuffix(',"1.1"'), old=True) == []


COLUMNS = {
    "start": "2026-11-23 16:06:58", "src": "+12125550142", "dst": "s", "did": "16465550101",
    "dcontext": "from-trunk", "channel": "PJSIP/trunk-1", "dstchannel": "PJSIP/101-2",
    "lastapp": "Dial", "lastdata": "PJSIP/101", "duration": "20", "billsec": "0",
    "disposition": "NO ANSWER", "uniqueid": "1.1", "linkedid": "1.1",
}  # fmt: skip


def of_columns(**changed: str) -> Call | OutboundCall:
    row = cdr.from_columns(COLUMNS | changed, BERLIN)
    assert row is not None
    (call,) = cdr.follow([row], INBOUND)
    return call


def test_a_row_of_a_database_tells_its_line() -> None:
    call = of_columns()
    assert isinstance(call, Call)
    assert (call.line, call.caller.number) == ("16465550101", "+12125550142")
    assert call.began == datetime(2026, 11, 23, 15, 6, 58, tzinfo=UTC)
    assert call.ended == datetime(2026, 11, 23, 15, 7, 18, tzinfo=UTC)
    no_source = of_columns(src="", cnum="+12125550143")
    assert isinstance(no_source, Call)
    assert no_source.caller.number == "+12125550143"


def test_a_row_of_a_database_tells_when_it_was_answered() -> None:
    out = {"dcontext": "from-internal", "channel": "PJSIP/101-1", "dst": "912125550142", "did": ""}
    call = of_columns(**out, disposition="ANSWERED", billsec="15")
    assert isinstance(call, OutboundCall)
    assert call.answered_at == datetime(2026, 11, 23, 15, 7, 3, tzinfo=UTC)
    told = of_columns(**out, disposition="ANSWERED", answer="2026-11-23 16:07:00", end="")
    assert isinstance(told, OutboundCall)
    assert told.answered_at == datetime(2026, 11, 23, 15, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "damage", [{"start": ""}, {"start": "0000-00-00 00:00:00"}, {"uniqueid": ""}]
)
def test_a_damaged_row_of_a_database_is_none(damage: dict[str, str]) -> None:
    assert cdr.from_columns(COLUMNS | damage, BERLIN) is None


def test_a_length_that_is_none_is_nothing() -> None:
    assert of_columns(duration="long").ended == of_columns(duration="0").ended
    assert of_columns(duration="1e300").ended == of_columns(duration="0").ended


def test_what_came_in_through_an_endpoint_once_makes_it_a_trunk() -> None:
    """On FreePBX the context of most rows is that of a group, a queue or a menu."""
    group = LINE.replace("from-trunk", "ext-group").replace("1.1", "2.1")
    rows = [row for line in (group, LINE) if (row := cdr.parse(line, HERE)) is not None]
    assert [type(call) for call in cdr.follow(rows, Inbound())] == [Call, Call]
    assert list(cdr.follow(rows[:1], Inbound())) == []


def test_a_did_tells_that_a_call_came_from_outside() -> None:
    """FreePBX writes it for these only."""
    call = of_columns(dcontext="ext-group")
    assert isinstance(call, Call)
    assert call.line == "16465550101"
