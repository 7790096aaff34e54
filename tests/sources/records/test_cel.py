"""Channel events, written by real Asterisks, judged by the tracker itself."""

import gc
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.call import CallAnswered, CallEnded, Observation, OutboundCall
from pbx_bridge.core.graph import Channel
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.sources.records import cel

from .files import CALLS, EVER, FOLDER, TRUTH, VERSIONS

LINE = (
    '"CHAN_START","1795450018.5","Ann","2125550142","","","","+16465550101","from-trunk",'
    '"PJSIP/trunk-1","Dial","PJSIP/101","3","","1.1","1.1","","","","{""hangupcause"":17}"'
)


def lines(version: str) -> list[str]:
    return (FOLDER / f"{version}-cel.csv").read_text().splitlines()


def judged(rows: list[cel.Row | None]) -> dict[str, tuple[str, str]]:
    calls = cel.judge([row for row in rows if row is not None], Inbound())
    return {call.caller.number: (call.disposition.value, call.reason.value) for call in calls}


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_calls_are_judged_as_they_were(version: str) -> None:
    """Agents and colleagues who were there long before are not in the file from their birth."""
    found = judged(list(cel.rows(FOLDER / f"{version}-cel.csv", EVER)))
    assert found == {caller: TRUTH[caller] for caller in found}
    assert len(found) == CALLS[version]


@pytest.mark.parametrize("version", VERSIONS)
def test_calls_that_did_not_come_from_outside_are_none(version: str) -> None:
    """The file has one that a phone of the office made."""
    rows = cel.rows(FOLDER / f"{version}-cel.csv", EVER)
    assert any(row.event == "CHAN_START" and row.number == "101" for row in rows)
    assert cel.judge(rows, Inbound(contexts=("^never$",))) == []


def test_a_call_whose_end_is_not_in_the_file_is_not_judged() -> None:
    caller = "+12125551067"
    rows = [cel.parse(line) for line in lines("22")]
    cut = [row for row in rows if row is not None and row.event != "CHAN_END"]
    assert caller in judged(rows)
    assert judged(list(cut)) == {}


def test_a_call_tells_where_the_knowledge_is_from() -> None:
    rows = cel.rows(FOLDER / "22-cel.csv", EVER)
    assert {call.source for call in cel.judge(rows, Inbound())} == {"cel"}


def test_only_rows_since_a_time_are_read() -> None:
    since = datetime.fromtimestamp(1795450018, UTC)
    rows = cel.rows(FOLDER / "22-cel.csv", since)
    assert min(row.at for row in rows) >= since
    assert 0 < len(rows) < len(cel.rows(FOLDER / "22-cel.csv", since - timedelta(hours=1)))


def test_a_row_is_read_by_the_columns_of_the_sample_configuration() -> None:
    row = cel.parse(LINE)
    assert row == cel.Row(
        at=datetime.fromtimestamp(1795450018.5, UTC), event="CHAN_START", name="Ann",
        number="2125550142", exten="+16465550101", context="from-trunk", channel="PJSIP/trunk-1",
        application="Dial", data="PJSIP/101", channel_id="1.1", linkedid="1.1",
        extra={"hangupcause": "17"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "garbage",
        LINE[:60],
        LINE.replace("1795450018.5", "yesterday"),
        LINE.replace("1795450018.5", "1e300"),
        LINE.replace("1795450018.5", "nan"),
    ],
)
def test_a_damaged_row_is_none(damage: str) -> None:
    assert cel.parse(damage) is None


@pytest.mark.parametrize("extra", ["", "{", "[1]", '"text"', "null"])
def test_a_damaged_extra_is_empty(extra: str) -> None:
    quoted = extra.replace('"', '""')
    row = cel.parse(LINE.replace('{""hangupcause"":17}', quoted))
    assert row is not None
    assert row.extra == {}


@given(st.text(max_size=200))
def test_no_text_raises(text: str) -> None:
    cel.parse(text)
    cel.parse(LINE.replace("{", text))


@given(st.sets(st.integers(0, 400)), st.randoms())
def test_no_rows_however_lost_or_mixed_raise(lost: set[int], chance: random.Random) -> None:
    rows = [cel.parse(line) for n, line in enumerate(lines("22")) if n not in lost]
    chance.shuffle(rows)
    assert judged(rows).keys() <= TRUTH.keys() | {"101", "", "+12125550702"}


@pytest.mark.parametrize("version", VERSIONS)
def test_wherever_the_part_that_is_read_begins_no_answered_call_is_missed(version: str) -> None:
    rows = cel.rows(FOLDER / f"{version}-cel.csv", EVER)
    for start in range(0, len(rows), 3):
        for caller, (disposition, _) in judged(list(rows[start:])).items():
            assert disposition == TRUTH[caller][0], (start, caller)


def test_a_file_that_cannot_be_read_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        cel.rows(tmp_path / "none.csv", EVER)


def test_times_can_be_written_out() -> None:
    """As FreePBX's cel.conf has it: `dateformat=%F %T`."""
    written = LINE.replace("1795450018.5", "2026-11-23 11:06:58")
    row = cel.parse(written, ZoneInfo("America/New_York"))
    assert row is not None
    assert row.at == datetime.fromtimestamp(1795450018, UTC)
    assert cel.parse(written) is None
    assert cel.parse(LINE, ZoneInfo("America/New_York")) == cel.parse(LINE)


COLUMNS = {
    "eventtype": "CHAN_START", "eventtime": "2026-11-23 11:06:58", "cid_name": "Ann",
    "cid_num": "2125550142", "exten": "+16465550101", "context": "from-trunk",
    "channame": "PJSIP/trunk-1", "appname": "Dial", "appdata": "PJSIP/101", "uniqueid": "1.1",
    "linkedid": "1.1", "extra": '{"hangupcause":17}',
}  # fmt: skip


def test_a_row_of_a_database_is_the_same() -> None:
    zone = ZoneInfo("America/New_York")
    row, line = cel.from_columns(COLUMNS, zone), cel.parse(LINE.replace("18.5", "18.0"))
    assert row == line
    assert cel.from_columns(COLUMNS | {"eventtime": "1795450018.0"}, zone) == row
    assert cel.from_columns(COLUMNS | {"eventtime": ""}, zone) is None
    assert cel.from_columns(COLUMNS | {"uniqueid": ""}, zone) is None
    assert cel.from_columns({}, zone) is None


def observed(version: str) -> list[tuple[datetime, Observation]]:
    return list(cel.observe(cel.rows(FOLDER / f"{version}-cel.csv", EVER), Inbound()))


def test_what_happened_is_told_when_it_happened() -> None:
    told = observed("22")
    times = [at for at, _ in told]
    assert times == sorted(times)
    answered = [what for _, what in told if isinstance(what, CallAnswered)]
    assert {call.call.caller.number for call in answered} == {
        caller for caller, (disposition, _) in TRUTH.items() if disposition == "answered"
    }
    assert {what.call.source for _, what in told if not isinstance(what, OutboundCall)} == {"cel"}


def test_a_call_from_the_office_is_told_with_the_number_dialled() -> None:
    told = [what for _, what in observed("22") if isinstance(what, OutboundCall)]
    began, answered, ended = told
    assert {what.dialled for what in told} == {"12125550702"}
    assert (began.answered_at, began.ended) == (None, None)
    assert began.began <= (answered.answered_at or began.began) < (ended.ended or began.began)


def test_without_the_application_the_extension_tells_what_was_dialled() -> None:
    """FreePBX does not have Dial among the applications that it logs."""
    rows = cel.rows(FOLDER / "22-cel.csv", EVER)
    fewer = [row for row in rows if not row.event.startswith("APP_")]
    told = [what for _, what in cel.observe(fewer, Inbound()) if isinstance(what, OutboundCall)]
    assert {what.dialled for what in told} == {"2125550702"}


def test_rows_may_come_one_by_one_without_end() -> None:
    """What has ended is forgotten: memory does not grow with the number of calls."""
    rows = cel.rows(FOLDER / "22-cel.csv", EVER)
    held: list[int] = []

    def again() -> Iterator[cel.Row]:
        for n in range(40):
            later = timedelta(hours=n)
            for row in rows:
                yield replace(
                    row, at=row.at + later, channel_id=f"{n}-{row.channel_id}",
                    linkedid=f"{n}-{row.linkedid}",
                )  # fmt: skip
            gc.collect()
            held.append(sum(isinstance(each, Channel) for each in gc.get_objects()))

    ended = sum(isinstance(what, CallEnded) for _, what in cel.observe(again(), Inbound()))
    assert ended == 40 * CALLS["22"]
    growth = held[-1] - held[5]
    assert growth < 200  # agents and colleagues whose end is not in the file
