"""Public holidays by country and region. The only home of `holidays`.

It serves for opening hours too (`core.opening`), so that all agree on what a holiday is.
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType

import holidays

NO_HOLIDAYS: Mapping[date, str] = MappingProxyType({})


def is_known(country: str) -> bool:
    """Tell whether anything is known about a country's holidays (ISO 3166)."""
    return country in _countries()


def regions(country: str) -> Mapping[str, str]:
    """Give the codes of a country's regions, by code and by name."""
    codes = _countries().get(country, [])
    if not codes:
        return {}
    names = _calendar(country, "", ()).get_subdivision_aliases()
    return {code: code for code in codes} | {
        name: code for code, own in names.items() for name in own
    }


@lru_cache(maxsize=64)
def of_year(country: str, region: str, year: int) -> Mapping[date, str]:
    """Give a year's public holidays and their names, in the country's own language.

    None for a country that nothing is known about. An empty region is the whole country.
    """
    if not is_known(country):
        return NO_HOLIDAYS
    return MappingProxyType(dict(sorted(_calendar(country, region, (year,)).items())))


def names(name: str) -> list[str]:
    """Give the names of what falls on one day, without `(observed)` and the like."""
    return [one.partition(" (")[0].strip() for one in name.split(";")]


@lru_cache(maxsize=1)
def _countries() -> Mapping[str, list[str]]:
    return holidays.list_supported_countries(include_aliases=False)


def _calendar(country: str, region: str, years: tuple[int, ...]) -> holidays.HolidayBase:
    # Without a language it would take one from the environment.
    own = holidays.country_holidays(country).default_language
    return holidays.country_holidays(country, subdiv=region or None, years=years, language=own)
