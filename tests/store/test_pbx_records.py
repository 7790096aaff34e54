"""Records in databases as offices have them: read, and never written."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge.secret import Secret
from pbx_bridge.store.pbx_records import CDR, CEL, Layout, PbxRecords
from pbx_bridge.store.problem import StoreProblem

ZONE = ZoneInfo("America/New_York")
SINCE = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # 10:00 in New York

#: As FreePBX makes them (FreePBX/cdr install.php, FreePBX/cel install.php).
FREEPBX = """
CREATE TABLE cdr (
  calldate datetime NOT NULL, clid varchar(80), src varchar(80), dst varchar(80),
  dcontext varchar(80), channel varchar(80), dstchannel varchar(80), lastapp varchar(80),
  lastdata varchar(80), duration int, billsec int, disposition varchar(45), amaflags int,
  accountcode varchar(20), uniqueid varchar(32), userfield varchar(255), did varchar(50),
  recordingfile varchar(255), cnum varchar(80), cnam varchar(80), outbound_cnum varchar(80),
  outbound_cnam varchar(80), dst_cnam varchar(80), linkedid varchar(32), peeraccount varchar(80),
  sequence int
);
CREATE TABLE cel (
  id integer PRIMARY KEY, eventtype varchar(30), eventtime datetime, cid_name varchar(80),
  cid_num varchar(80), cid_ani varchar(80), cid_rdnis varchar(80), cid_dnid varchar(80),
  exten varchar(80), context varchar(80), channame varchar(80), appname varchar(80),
  appdata varchar(80), amaflags int, accountcode varchar(20), uniqueid varchar(32),
  linkedid varchar(32), peer varchar(80), userdeftype varchar(255), extra varchar(512)
);
INSERT INTO cdr (calldate, src, dst, dcontext, channel, dstchannel, lastapp, duration, billsec,
  disposition, uniqueid, did, linkedid) VALUES
  ('2026-11-23 09:59:59', '1', 's', 'x', 'c', '', 'Dial', 1, 0, 'NO ANSWER', '1.1', '', '1.1'),
  ('2026-11-23 10:05:00', '+12125550142', 's', 'from-pstn', 'PJSIP/trunk-1', 'PJSIP/101-2', 'Dial',
   20, 0, 'NO ANSWER', '2.1', '16465550101', '2.1'),
  ('2026-11-23 10:01:00', '101', '912125550142', 'from-internal', 'PJSIP/101-3', 'PJSIP/trunk-4',
   'Dial', 20, 15, 'ANSWERED', '3.1', NULL, '3.1');
INSERT INTO cel (id, eventtype, eventtime, cid_num, exten, context, channame, appname, uniqueid,
  linkedid, extra) VALUES
  (2, 'HANGUP', '2026-11-23 10:05:20', '1', 's', 'x', 'c', '', '2.1', '2.1', '{"a":1}'),
  (1, 'CHAN_START', '2026-11-23 10:05:20', '1', 's', 'x', 'c', '', '2.1', '2.1', '');
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a name that has to be quoted."""
    return tmp_path / "master's #1?.db"


def made(path: Path, script: str = FREEPBX) -> PbxRecords:
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()
    return PbxRecords(Secret(f"sqlite:///{path.as_posix().replace('?', '%3F')}"))


def read(records: PbxRecords, layout: Layout) -> list[dict[str, str]]:
    with records:
        assert records.has(layout)
        return list(records.rows(layout, SINCE, ZONE))


def test_details_are_read_by_time_from_then_on(tmp_path: Path) -> None:
    back, missed = read(made(tmp_path / "master.db"), CDR)
    assert (back["dst"], back["billsec"], back["did"]) == ("912125550142", "15", "")
    assert (missed["start"], missed["duration"]) == ("2026-11-23 10:05:00", "20")
    assert (missed["did"], missed["linkedid"]) == ("16465550101", "2.1")
    assert "end" not in missed


def test_events_are_read_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    first, second = read(made(tmp_path / "master.db"), CEL)
    assert (first["eventtype"], second["eventtype"]) == ("CHAN_START", "HANGUP")
    assert second["extra"] == '{"a":1}'


def test_columns_can_have_the_names_of_another_module(tmp_path: Path) -> None:
    """Of cel_sqlite3_custom, and of FreePBX before version 13."""
    script = FREEPBX.replace("cid_num", "CIDNum").replace("extra", "eventextra")
    first, second = read(made(tmp_path / "master.db", script), CEL)
    assert (first["cid_num"], second["extra"]) == ("1", '{"a":1}')


def test_the_file_is_only_read(path: Path) -> None:
    records = made(path)
    path.chmod(0o400)
    before = path.read_bytes()
    assert len(read(records, CDR)) == 2
    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name]


def test_a_table_that_is_not_there_is_none(tmp_path: Path) -> None:
    records = made(tmp_path / "master.db", "CREATE TABLE other (x int)")
    with records:
        assert not records.has(CDR)


def test_columns_without_which_nothing_can_be_told_are_named(tmp_path: Path) -> None:
    script = "CREATE TABLE cdr (calldate, clid, dcontext, channel, dstchannel, lastapp, uniqueid)"
    with made(tmp_path / "master.db", script) as records, pytest.raises(StoreProblem) as told:
        records.has(CDR)
    assert "no column src, dst, duration, disposition:" in str(told.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("not a url", "is no URL; write mysql+pymysql://USER:PASSWORD@HOST"),
        ("oracles://u:hunter2@h/d", "oracles://u:***@h/d: no such kind of database"),
        ("mysql+pymysql://u:hunter2@h/d", "pymysql is not installed: pip install 'pymysql'"),
        ("mysql://u:hunter2@h/d", "mysqldb is not installed: pip install 'mysqlclient'"),
        ("postgresql+psycopg://u:hunter2@h/d", "pip install 'psycopg[binary]'"),
    ],
)
def test_what_is_wrong_with_the_address_is_said_without_its_password(url: str, said: str) -> None:
    with pytest.raises(StoreProblem) as told:
        PbxRecords(Secret(url))
    assert said in str(told.value)
    assert "hunter2" not in str(told.value)


def test_a_database_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    missing = PbxRecords(Secret(f"sqlite:///{tmp_path}/none.db"))
    with missing, pytest.raises(StoreProblem, match="cannot be read: unable to open"):
        missing.has(CDR)
    (tmp_path / "bad.db").write_bytes(b"x" * 5000)
    damaged = PbxRecords(Secret(f"sqlite:///{tmp_path}/bad.db"))
    with damaged, pytest.raises(StoreProblem, match="not a database"):
        damaged.has(CDR)
