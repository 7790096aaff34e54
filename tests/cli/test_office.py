"""What a command goes by where there may be no configuration."""

from pathlib import Path

import pytest

from pbx_bridge.cli import office
from pbx_bridge.cli.office import find_office, find_recordings, read_database
from pbx_bridge.cli.options import Misuse

from .conftest import CONFIG


def found(
    country: str | None = "US",
    timezone: str | None = "Europe/Berlin",
    contexts: tuple[str, ...] = (),
    price: str | None = None,
) -> office.Office:
    return find_office(
        None, None, country, timezone, contexts=contexts, trunks=("trunk",), price=price
    )


def test_without_a_configuration_the_built_in_rules_hold_for_the_countrys_own_numbers(
    folder: Path,
) -> None:
    (folder / "pbx-bridge.toml").unlink()
    bare = found()
    assert (bare.rules.country, str(bare.rules.zone), bare.currency) == (
        "US",
        "Europe/Berlin",
        "USD",
    )
    assert "US" in bare.rules.allowed_countries
    assert "DE" not in bare.rules.allowed_countries
    assert bare.inbound.trunks == {"trunk"}
    assert not bare.places


def test_options_count_instead_of_the_configuration(folder: Path) -> None:
    assert (folder / "pbx-bridge.toml").exists()
    configured = found(country=None, timezone=None)
    assert (configured.rules.country, str(configured.zone)) == ("US", "America/New_York")
    other = found(country="DE", contexts=("^plain$",), price="0.07")
    assert (other.rules.country, str(other.rules.zone)) == ("DE", "Europe/Berlin")
    assert other.inbound.contexts == ("^plain$",)
    assert other.rules.price("console", "DE", 2) == 140_000


def test_records_of_the_configuration_are_places(folder: Path) -> None:
    (folder / "Master.csv").touch()
    (folder / "Master.csv.1").touch()
    (folder / "pbx-bridge.toml").write_text(
        CONFIG.replace(
            "[database]",
            '[pbx.records]\ncdr_csv = "Master.csv"\nqueue_log = "queue_log"\ntimezone = "UTC"\n'
            'database = "sqlite://"\n[database]',
        )
    )
    places = found(country=None, timezone=None).places
    assert [path.name for path in places.cdr] == ["Master.csv", "Master.csv.1"]
    assert [path.name for path in places.queue_log] == ["queue_log"]
    assert str(places.timezone) == "UTC"
    assert str(places.database) == "<secret>"


def test_the_zone_of_the_machine_is_the_offices(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "pbx-bridge.toml").unlink()
    link = folder / "localtime"
    link.symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    monkeypatch.setattr(office, "_LOCALTIME", link)
    assert str(found(timezone=None).zone) == "Asia/Tokyo"
    link.unlink()
    with pytest.raises(Misuse, match="say the office's time zone"):
        found(timezone=None)


def test_a_database_is_named_or_found_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECORDS", "sqlite:///a.db")
    (tmp_path / "url").write_text("sqlite:///b.db\n")
    assert read_database("env:RECORDS").reveal() == "sqlite:///a.db"
    assert read_database(f"file:{tmp_path}/url").reveal() == "sqlite:///b.db"
    assert read_database("sqlite:///c.db").reveal() == "sqlite:///c.db"


def test_recordings_are_those_named_and_those_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.ami", "a.ami", "a.times.jsonl"):
        (tmp_path / name).touch()
    both = (str(tmp_path), str(tmp_path / "a.ami"))
    assert [path.name for path in find_recordings(both)] == ["a.ami", "b.ami"]
