"""Public holidays: of countries, of regions, of nowhere."""

from datetime import date

import pytest

from pbx_bridge.core.holidays import is_known, names, of_year, regions


@pytest.mark.parametrize(
    ("country", "region", "day", "name"),
    [
        ("US", "", "2026-11-26", "Thanksgiving Day"),
        ("US", "", "2026-07-03", "Independence Day (observed)"),
        ("US", "NY", "2026-02-12", "Lincoln's Birthday"),
        ("US", "", "2026-02-12", None),
        ("GB", "SCT", "2026-11-30", "Saint Andrew's Day"),
        ("GB", "ENG", "2026-11-30", None),
        ("GB", "", "2026-12-25", "Christmas Day"),
        ("DE", "BY", "2026-01-06", "Heilige Drei Könige"),
        ("DE", "BE", "2026-01-06", None),
        ("FR", "", "2026-07-14", "Fête nationale"),
        ("XX", "", "2026-12-25", None),
        ("", "", "2026-12-25", None),
    ],
)
def test_what_is_a_holiday_where(country: str, region: str, day: str, name: str | None) -> None:
    when = date.fromisoformat(day)
    assert of_year(country, region, when.year).get(when) == name


def test_the_language_is_the_countrys_whatever_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANGUAGE", "en_US")
    assert of_year("DE", "", 2024)[date(2024, 12, 25)] == "Erster Weihnachtstag"


def test_regions_go_by_code_and_by_name() -> None:
    assert regions("GB")["SCT"] == regions("GB")["Scotland"] == "SCT"
    assert regions("US")["New York"] == "NY"
    assert regions("XX") == {}
    assert is_known("GB")
    assert not is_known("XX")


def test_a_day_may_have_several_names() -> None:
    assert names("Susan B. Anthony Day; Washington's Birthday (observed)") == [
        "Susan B. Anthony Day",
        "Washington's Birthday",
    ]
