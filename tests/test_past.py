"""The past is read from the best record that there is, and what each is blind to is known."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from benchmarks.months import Month, busy_month
from pbx_bridge.core.call import CallBegan, CallEnded, OutboundCall
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.core.unfolding import Happening
from pbx_bridge.past import Past, PastProblem, Places
from pbx_bridge.secret import Secret
from pbx_bridge.sources.records.account import Kind
from tests.real_calls import RECORDINGS
from tests.sources.records.files import FOLDER, TRUTH
from tests.test_replay import Tape

UTC_ZONE = ZoneInfo("UTC")
INBOUND = Inbound(trunks=frozenset({"trunk"}))
FIRST = datetime(2026, 10, 26, 12, tzinfo=UTC)
SINCE, UNTIL = FIRST - timedelta(days=9), FIRST + timedelta(days=40)
CEL, CDR, QUEUE_LOG = (FOLDER / f"22-{name}" for name in ("cel.csv", "cdr.csv", "queue_log"))


def read(
    places: Places, since: datetime = SINCE, until: datetime = UNTIL
) -> tuple[list[Happening], Past]:
    with Past(places, INBOUND, since=since, until=until) as past:
        return list(past.happenings()), past


def ended(happenings: Iterable[Happening]) -> Counter[str]:
    return Counter(what.call.source for _, what in happenings if isinstance(what, CallEnded))


@pytest.fixture(scope="module")
def month() -> Month:
    return busy_month(60, seed=5, first=FIRST, days=7)


@pytest.fixture
def files(month: Month, tmp_path: Path) -> tuple[Path, Path]:
    return month.write(tmp_path)


def test_what_happened_comes_in_order_and_whole(month: Month, files: tuple[Path, Path]) -> None:
    for places in (
        Places(cel=[files[0]], timezone=UTC_ZONE),
        Places(cdr=[files[1]], timezone=UTC_ZONE),
    ):
        happenings, past = read(places)
        times = [at for at, _ in happenings]
        assert times == sorted(times)
        assert sum(ended(happenings).values()) == 60
        began = sum(isinstance(what, CallBegan) for _, what in happenings)
        assert began == 60
        back = {what.call_id for _, what in happenings if isinstance(what, OutboundCall)}
        assert len(back) == sum(call.outbound for call in month.calls)
        assert past.tells_dialled


def test_channel_events_win_over_details(files: tuple[Path, Path]) -> None:
    both = Places(cel=[files[0]], cdr=[files[1]], timezone=UTC_ZONE)
    happenings, past = read(both)
    assert ended(happenings) == {"cel": 60}
    assert [account.kind for account in past.accounts] == [Kind.CEL]


def test_details_fill_the_time_before_the_first_channel_event(
    month: Month, files: tuple[Path, Path]
) -> None:
    """Channel events were switched on in the middle of the week; no call is told twice."""
    cel, cdr = files
    lines = cel.read_text().splitlines(keepends=True)
    half = FIRST + timedelta(days=3)
    cel.write_text("".join(line for line in lines if float(line.split('"')[3]) > half.timestamp()))
    happenings, past = read(Places(cel=[cel], cdr=[cdr], timezone=UTC_ZONE))
    calls = [what.call.call_id for _, what in happenings if isinstance(what, CallEnded)]
    assert len(calls) == len(set(calls)) == 60
    before = sum(call.began < half for call in month.calls if not call.outbound)
    assert ended(happenings) == {"cdr": before, "cel": 60 - before}
    assert [account.kind for account in past.accounts] == [Kind.CEL, Kind.CDR]


def test_the_queue_log_is_read_where_there_is_nothing_else(tmp_path: Path) -> None:
    since = datetime(2026, 11, 20, tzinfo=UTC)
    places = Places(queue_log=[QUEUE_LOG], timezone=UTC_ZONE)
    happenings, past = read(places, since, since + timedelta(days=9))
    assert ended(happenings) == {"queue_log": 5}
    assert not past.tells_dialled
    empty = tmp_path / "Master.csv"
    empty.touch()
    more = Places(cel=[empty], cdr=[empty], queue_log=[QUEUE_LOG], timezone=UTC_ZONE)
    assert ended(read(more, since, since + timedelta(days=9))[0]) == {"queue_log": 5}
    better = Places(cdr=[CDR], queue_log=[QUEUE_LOG], timezone=UTC_ZONE)
    assert ended(read(better, since, since + timedelta(days=9))[0]).keys() == {"cdr"}


def test_only_the_time_that_is_asked_for_is_read(files: tuple[Path, Path]) -> None:
    for places in (
        Places(cel=[files[0]], timezone=UTC_ZONE),
        Places(cdr=[files[1]], timezone=UTC_ZONE),
    ):
        _, past = read(places, FIRST + timedelta(days=2), FIRST + timedelta(days=3))
        (account,) = past.accounts
        assert account.first is not None
        assert account.last is not None
        assert account.first >= FIRST + timedelta(days=2)
        assert account.last <= FIRST + timedelta(days=3, hours=4)


def test_an_account_tells_of_damage_and_of_where_calls_begin(files: tuple[Path, Path]) -> None:
    with files[0].open("a") as file:
        file.write('garbage\n"half a row')
    _, past = read(Places(cel=[files[0]], timezone=UTC_ZONE))
    (account,) = past.accounts
    assert account.damaged == 2
    assert account.contexts["from-trunk"] == 60
    assert account.place == str(files[0])
    _, past = read(Places(cdr=[files[1], files[1]], timezone=UTC_ZONE))
    assert past.accounts[0].place == f"{files[1]} and 1 more"


def test_rows_that_are_there_twice_are_one_call(files: tuple[Path, Path]) -> None:
    """Asterisk writes a file for each account code beside Master.csv."""
    happenings, _ = read(Places(cdr=[files[1], files[1]], timezone=UTC_ZONE))
    assert sum(ended(happenings).values()) == 60


DATABASE = """
CREATE TABLE cdr (calldate datetime, src, dst, dcontext, channel, dstchannel, lastapp, lastdata,
  duration int, billsec int, disposition, uniqueid, did, linkedid);
CREATE TABLE cel (id integer primary key, eventtype, eventtime datetime, cid_name, cid_num, exten,
  context, channame, appname, appdata, uniqueid, linkedid, extra);
"""


@pytest.fixture
def database(month: Month, tmp_path: Path) -> Path:
    """The month as FreePBX's database has it: whole seconds, in the PBX's own zone."""
    path = tmp_path / "asteriskcdrdb.db"
    zone = ZoneInfo("Europe/Berlin")
    month.write(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.executescript(DATABASE)
        for cells in month.cel_cells():
            at = datetime.fromtimestamp(float(cells[1]), zone)
            connection.execute(
                "INSERT INTO cel (eventtype, eventtime, cid_name, cid_num, exten, context,"
                " channame, appname, appdata, uniqueid, linkedid, extra)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                (cells[0], f"{at:%F %T}", *cells[2:4], *cells[7:12], *cells[14:16], cells[19]),
            )
        for cells in month.cdr_cells():
            start = datetime.fromisoformat(cells[9]).replace(tzinfo=UTC).astimezone(zone)
            connection.execute(
                "INSERT INTO cdr VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    f"{start:%F %T}", *cells[1:4], *cells[5:9], *cells[12:15], cells[16],
                    "16465550101" if "trunk" in cells[5] else "", cells[19],
                ),
            )  # fmt: skip
    connection.close()
    return path


def test_a_database_tells_the_same_as_the_files(
    month: Month, database: Path, files: tuple[Path, Path]
) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    url = Secret(f"sqlite:///{database}")
    found, past = read(Places(database=url, timezone=berlin))
    assert [account.kind for account in past.accounts] == [Kind.CEL]
    assert ended(found) == {"cel": 60}
    wanted = {call.number: call.reason for call in month.calls if not call.outbound}
    calls = [what.call for _, what in found if isinstance(what, CallEnded)]
    by_files = {
        what.call.call_id: what.call.reason
        for _, what in read(Places(cel=[files[0]], timezone=UTC_ZONE))[0]
        if isinstance(what, CallEnded)
    }
    assert {call.call_id: call.reason for call in calls} == by_files
    assert {call.caller.number for call in calls} == wanted.keys()


def test_a_database_without_channel_events_tells_by_details(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TABLE cel")
    connection.close()
    url = Secret(f"sqlite:///{database}")
    found, past = read(Places(database=url, timezone=ZoneInfo("Europe/Berlin")))
    assert [account.kind for account in past.accounts] == [Kind.CDR]
    assert ended(found) == {"cdr": 60}
    assert {what.call.line for _, what in found if isinstance(what, CallEnded)} == {"16465550101"}


def test_a_database_without_either_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    found, past = read(Places(database=Secret(f"sqlite:///{path}"), timezone=UTC_ZONE))
    assert (found, past.accounts) == ([], [])


def test_recordings_are_read_as_the_live_service_would() -> None:
    paths = [calls.path for calls in RECORDINGS if calls.path.parent.name == "22"][:12]
    wanted = sum(len(calls.truth) for calls in RECORDINGS if calls.path in paths)
    since = datetime(2026, 11, 1, tzinfo=UTC)
    found, past = read(Places(recordings=paths, timezone=UTC_ZONE), since, since + timedelta(30))
    assert ended(found) == {"live": wanted}
    assert {account.kind for account in past.accounts} == {Kind.RECORDING}
    assert len(past.accounts) == 12


def test_a_recording_that_ends_in_the_middle_of_a_call_tells_that_its_end_is_unknown(
    tmp_path: Path,
) -> None:
    tape = Tape(tmp_path / "cut.ami").connects().snapshot().wait(1).arrives().rings()
    tape.save()
    found, _ = read(Places(recordings=[tape.path], timezone=UTC_ZONE))
    *_, (_, last) = found
    assert isinstance(last, CallEnded)
    assert last.call.reason.value == "never_ended"


def test_a_recording_without_times_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.ami"
    shutil.copy(RECORDINGS[0].path, path)
    with pytest.raises(PastProblem, match=r"needs its bare\.times\.jsonl beside it"):
        read(Places(recordings=[path], timezone=UTC_ZONE))


@pytest.mark.parametrize(
    "places",
    [
        Places(cel=[Path("none.csv")], timezone=UTC_ZONE),
        Places(recordings=[Path("none.ami")], timezone=UTC_ZONE),
        Places(database=Secret("sqlite:///none.db"), timezone=UTC_ZONE),
    ],
)
def test_what_cannot_be_read_is_told(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PastProblem, match="none"):
        read(places)


def test_the_size_is_that_of_the_files_where_it_can_be_told() -> None:
    places = Places(cel=[CEL], cdr=[CDR, Path("none")], timezone=UTC_ZONE)
    assert places.size() == CEL.stat().st_size + CDR.stat().st_size
    assert Places(database=Secret("sqlite://"), timezone=UTC_ZONE).size() == 0
    assert not Places(timezone=UTC_ZONE)


def test_the_real_calls_are_judged_as_they_were() -> None:
    since = datetime(2026, 11, 20, tzinfo=UTC)
    found, _ = read(Places(cel=[CEL], timezone=UTC_ZONE), since, since + timedelta(days=9))
    calls = [what.call for _, what in found if isinstance(what, CallEnded)]
    judged = {call.caller.number: (call.disposition.value, call.reason.value) for call in calls}
    assert judged == {caller: TRUTH[caller] for caller in judged}
    assert len(judged) == 17
