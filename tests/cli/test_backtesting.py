"""`backtest` as an owner tries it in the first minute, and as it is used later."""

import csv
import json
import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import Result

from benchmarks.months import Month, busy_month, truth
from tests.real_calls import RECORDINGS

from .conftest import CONFIG

Run = Callable[..., Result]
FIRST = datetime(2026, 10, 5, 16, tzinfo=UTC)
WHEN = ("--since", "2026-10-01", "--until", "2026-11-01")
WHO = ("--country", "US", "--timezone", "America/New_York")
DOCS = Path(__file__).parents[2] / "docs"
RECORDS = ("--records-timezone", "UTC")


@pytest.fixture(scope="module")
def month() -> Month:
    return busy_month(120, seed=11, first=FIRST, days=14)


@pytest.fixture
def office(folder: Path, month: Month) -> Path:
    """A folder with a month's records, and no configuration."""
    (folder / "pbx-bridge.toml").unlink()
    month.write(folder)
    return folder


@pytest.mark.usefixtures("office")
def test_it_works_without_a_configuration(command: Run, month: Month) -> None:
    result = command("backtest", "--cel", "cel", *WHEN, *WHO, *RECORDS)
    assert result.exit_code == 0, result.output
    true = truth(month.calls, cooldown=timedelta(hours=4), delay=timedelta(seconds=20))
    said = result.output
    assert "01 Oct 2026 00:00 to 01 Nov 2026 00:00, times in America/New_York" in said
    assert re.search(rf"missed +{true.missed} ", said)
    assert f"{true.callers} different callers were missed" in said
    assert f"{true.not_called_back} of {true.judged} missed callers were not called back" in said
    assert "what they cost is not known: give --price" in said
    assert "the last text would have been: Hello, this is the office." in said


@pytest.mark.usefixtures("office")
def test_a_program_gets_one_object(command: Run, month: Month) -> None:
    result = command(
        "backtest", "--cel", "cel", *WHEN, *WHO, *RECORDS, "--price", "0.0079", "--json"
    )
    (found,) = map(json.loads, result.output.splitlines())
    true = truth(month.calls, cooldown=timedelta(hours=4), delay=timedelta(seconds=20))
    assert (found["inbound"], found["missed"]) == (true.inbound, true.missed)
    assert found["missed_by_reason"] == true.by_reason
    assert sum(map(sum, found["missed_by_weekday_and_hour"].values())) == true.missed
    assert found["outcomes"]["texted"] == found["texted"] == found["texts"]
    assert float(found["cost"]) == pytest.approx(0.0079 * found["segments"])
    (source,) = found["sources"]
    assert (source["kind"], source["unreadable"]) == ("cel", 0)
    assert source["cannot_tell"]
    assert found["afterwards"]["not_called_back"] == true.not_called_back


def test_the_missed_calls_are_written_for_a_spreadsheet(command: Run, office: Path) -> None:
    result = command(
        "backtest", "--cel", "cel", *WHEN, *WHO, *RECORDS, "--csv", "missed.csv", "--json"
    )
    found = json.loads(result.output)
    with (office / "missed.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found["missed"]
    assert {row["caller"][:3] for row in rows} == {"'+1"}  # no formula
    assert {row["known"] for row in rows} == {"yes", "no"}
    assert sum(row["outcome"] == "texted" for row in rows) == found["texted"]


def test_the_figures_are_drawn(command: Run, office: Path) -> None:
    command("backtest", "--cel", "cel", *WHEN, *WHO, *RECORDS, "--picture", "october.svg")
    svg = ET.fromstring((office / "october.svg").read_text(encoding="utf-8"))  # noqa: S314
    said = " ".join(svg.itertext())
    assert "the office: missed calls" in said
    assert "channel events (CEL)" in said
    assert "By line" in said


@pytest.mark.usefixtures("office")
@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (("--cdr", "cdr/Master.csv", "--trunk", "trunk"), "cdr"),
        (("--cel", "cel/*.csv"), "cel"),
        (("--cel", "cel/Master.csv", "--cdr", "cdr"), "cel"),
    ],
)
def test_sources_are_files_folders_and_patterns(
    command: Run, source: tuple[str, ...], kind: str
) -> None:
    result = command("backtest", *source, *WHEN, *WHO, *RECORDS, "--json")
    found = json.loads(result.output)
    assert found["inbound"] == 120
    assert found["sources"][0]["kind"] == kind


@pytest.mark.usefixtures("office")
def test_details_say_what_they_cannot_tell(command: Run) -> None:
    result = command("backtest", "--cdr", "cdr", "--trunk", "trunk", *WHEN, *WHO, *RECORDS)
    assert "does not see who spoke to whom" in result.output


def test_recordings_are_read(command: Run, office: Path) -> None:
    path = RECORDINGS[0].path
    for name in (path.name, path.with_suffix(".times.jsonl").name):
        (office / name).write_bytes((path.parent / name).read_bytes())
    result = command("backtest", "--recording", ".", "--since", "2026-11-01", *WHO, "--json")
    assert json.loads(result.output)["sources"][0]["kind"] == "recording"


def test_the_queue_log_says_that_it_knows_little(command: Run, office: Path) -> None:
    (office / "queue_log").write_text(
        "1791212400|1.1|support|NONE|ENTERQUEUE||+12125550142|1\n"
        "1791212460|1.1|support|NONE|ABANDON|1|1|60\n"
        "1791412460|NONE|NONE|NONE|QUEUESTART|\n"
    )
    result = command("backtest", "--queue-log", "queue_log", *WHEN, *WHO)
    assert "whether 1 missed callers were called back is not in these records" in result.output
    assert "queue support" in result.output


def test_a_database_is_read_and_its_password_never_shown(
    command: Run, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(office / "asterisk.db") as database:
        database.execute(
            "CREATE TABLE cdr (calldate, src, dst, did, dcontext, channel, dstchannel, lastapp,"
            " lastdata, duration, billsec, disposition, uniqueid, linkedid)"
        )
        database.execute(
            "INSERT INTO cdr VALUES ('2026-10-06 10:00:00', '+12125550142', 's', '16465550101',"
            " 'from-pstn', 'PJSIP/trunk-1', 'PJSIP/101-2', 'Dial', '', 20, 0, 'NO ANSWER', '1.1',"
            " '1.1')"
        )
    database.close()
    result = command("backtest", "--database", "sqlite:///asterisk.db", *WHEN, *WHO, "--json")
    assert json.loads(result.output)["missed_by_line_and_hour"]["16465550101"][10] == 1
    monkeypatch.setenv("RECORDS", "mysql+pymysql://root:hunter2@localhost/asteriskcdrdb")
    result = command("backtest", "--database", "env:RECORDS", *WHEN, *WHO)
    assert result.exit_code == 1
    assert "root:***@localhost/asteriskcdrdb: the driver pymysql is not installed" in result.output
    assert "hunter2" not in result.output


def test_the_configuration_names_the_records(command: Run, office: Path, month: Month) -> None:
    records = (
        'secret = "hunter2"\n[pbx.records]\ncel_csv = "cel/Master.csv"\ntimezone = "UTC"\n'
        '[[lines]]\nnumber = "+16465550101"\nname = "Sales"\n[spending]\ncurrency = "EUR"\n'
        '[gateways.console]\ntype = "console"\nprice = 0.04'
    )
    text = CONFIG.replace('secret = "hunter2"', records)
    (office / "pbx-bridge.toml").write_text(text)
    result = command("backtest", *WHEN, "--json")
    found = json.loads(result.output)
    assert "Sales" in found["missed_by_line_and_hour"]
    assert found["missed"] == sum(call.missed for call in month.calls)
    assert (found["currency"], found["timezone"]) == ("EUR", "America/New_York")
    assert float(found["cost"]) > 0


@pytest.mark.usefixtures("office")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "without a configuration say by which country"),
        (WHO, "nothing to read: name the records of your PBX"),
        ((*WHO, "--cel", "empty"), "empty: there is no Master.csv in it"),
        ((*WHO, "--cel", "cel", "--recording", "x.ami"), "give no other source beside it"),
        ((*WHO, "--cel", "cel", "--since", "2026-11-02", "--until", "2026-11-01"), "not before"),
        ((*WHO, "--cel", "cel", "--price", "cheap"), "--price 'cheap' is no amount"),
        ((*WHO, "--cel", "cel", "--price", "NaN"), "--price 'NaN' is no price"),
        (("--country", "Narnia", "--cel", "cel"), "--country"),
        (("--country", "US", "--timezone", "Narnia", "--cel", "cel"), "not a time zone"),
        ((*WHO, "--cel", "cel", "--inbound-context", "("), "--inbound-context"),
        ((*WHO, "--database", "env:NOWHERE"), "the environment variable NOWHERE is not set"),
    ],
)
def test_a_misuse_says_what_would_be_right(
    command: Run, office: Path, options: tuple[str, ...], said: str
) -> None:
    (office / "empty").mkdir()
    result = command("backtest", *options)
    assert result.exit_code == 2, result.output
    assert said in result.output


@pytest.mark.usefixtures("office")
def test_who_finds_nothing_is_told_why(command: Run, office: Path) -> None:
    elsewhere = command(
        "backtest", "--cel", "cel", "--inbound-context", "^never$", *WHEN, *WHO, *RECORDS
    )
    assert elsewhere.exit_code == 1
    assert "no call from outside" in elsewhere.output
    assert "Calls began in the contexts" in elsewhere.output
    assert "'from-trunk'" in elsewhere.output
    assert "through the endpoints 'trunk'" in elsewhere.output
    early = command(
        "backtest", "--cel", "cel", "--since", "2025-01-01", "--until", "2025-02-01", *WHO
    )
    assert "Nothing was written in that time" in early.output
    (office / "Master.csv").write_text('"","1","2","x"\n' * 5)
    bare = command("backtest", "--cdr", "Master.csv", *WHEN, *WHO)
    assert "5 unreadable" in bare.output
    assert "newcdrcolumns" in bare.output


def test_a_file_that_cannot_be_written_is_told(command: Run, office: Path) -> None:
    result = command("backtest", "--cel", "cel", *WHEN, *WHO, "--picture", "none/x.svg")
    assert result.exit_code == 1
    assert "none/x.svg cannot be written: No such file or directory" in result.output
    assert not (office / "none").exists()


@pytest.mark.usefixtures("office")
def test_a_record_that_cannot_be_read_is_told(command: Run) -> None:
    result = command("backtest", "--cel", "none.csv", *WHEN, *WHO)
    assert (result.exit_code, result.output) == (1, "none.csv: No such file or directory\n")


def test_the_documentation_shows_what_is_printed(
    command: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (DOCS / "backtest.md").read_text(encoding="utf-8")
    (toml,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (shown,) = re.findall(r"<!-- example -->\n```\n(.*?)```", page, re.DOTALL)
    asked, _, printed = shown.partition("\n")
    example = busy_month(
        300, seed=3, first=datetime(2026, 10, 5, 12, tzinfo=UTC), called_back_share=0.6
    )
    example.write(folder)
    monkeypatch.setenv("AMI_SECRET", "hunter2")
    (folder / "pbx-bridge.toml").write_text(CONFIG.partition("[[pbx]]")[0] + toml)
    result = command(*asked.removeprefix("$ pbx-bridge ").split())
    said = result.output.replace(f"{folder}/", "")
    assert [line.rstrip() for line in said.splitlines()] == printed.splitlines()
    drawn = (folder / "october.svg").read_text(encoding="utf-8")
    assert drawn == (DOCS / "backtest.svg").read_text(encoding="utf-8")
