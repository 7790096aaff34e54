"""What a command judges by and reads where there may be no configuration yet.

What options say counts instead of the configuration; without one the built-in rules hold.
"""

import os
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from pbx_bridge.cli.options import CONFIG_PLACES, Misuse, find_pbx, load_config
from pbx_bridge.config import defaults
from pbx_bridge.config.values import Country, Pattern, TimeZone
from pbx_bridge.core import number
from pbx_bridge.core.office import Rules
from pbx_bridge.core.pricing import PriceList, to_micros
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.past import Places
from pbx_bridge.secret import Secret
from pbx_bridge.sources.records import lines

_LOCALTIME = Path("/etc/localtime")
#: No segment costs more in any currency that offices use.
_DEAREST = 100_000
#: The names of these logs where a folder is given.
CSV, QUEUE_LOG = "Master.csv", "queue_log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What the judgement depends on besides the calls."""

    rules: Rules
    inbound: Inbound
    zone: ZoneInfo
    places: Places  #: of the configuration
    currency: str


def find_office(  # noqa: PLR0913 - what the options say
    config_path: Path | None,
    pbx: str | None,
    country: str | None,
    timezone: str | None,
    *,
    contexts: tuple[str, ...],
    trunks: tuple[str, ...],
    price: str | None,
) -> Office:
    """Give what is configured, or else the built-in rules, with what the options say instead."""
    if config_path is None and not any(place.exists() for place in CONFIG_PLACES):
        if country is None:
            raise Misuse(
                "without a configuration say by which country numbers are read, such as"
                " --country US"
            )
        zone = read_zone(timezone) if timezone is not None else _zone_here()
        rules = replace(
            defaults(_valid(Country, country, "--country")),
            allowed_countries=number.family(country),
            zone=zone,
        )
        inbound, places, currency = Inbound(), Places(timezone=zone), "USD"
    else:
        config = load_config(config_path)
        chosen = find_pbx(config, pbx)
        zone = read_zone(timezone) if timezone is not None else config.office.timezone
        rules = replace(config.rules(), zone=zone)
        if country is not None:
            rules = replace(rules, country=_valid(Country, country, "--country"))
        inbound, currency = chosen.inbound(), config.spending.currency
        files = chosen.record_files(zone)
        places = Places(
            cel=find_files(_named(files.cel_csv), CSV),
            cdr=find_files(_named(files.cdr_csv), CSV),
            queue_log=find_files(_named(files.queue_log), QUEUE_LOG),
            database=chosen.records.database,
            timezone=files.timezone,
        )
    if contexts:
        patterns = tuple(_valid(Pattern, each, "--inbound-context") for each in contexts)
        inbound = replace(inbound, contexts=patterns)
    if trunks:
        inbound = replace(inbound, trunks=frozenset(trunks))
    if price is not None:
        rules = replace(rules, prices=dict.fromkeys(_gateways(rules), _price(price)))
    return Office(rules=rules, inbound=inbound, zone=zone, places=places, currency=currency)


def _gateways(rules: Rules) -> set[str]:
    routes = (rules.route, *(line.route for line in rules.lines.values()))
    return {gateway for route in routes for gateway in route}


def _price(text: str) -> PriceList:
    try:
        amount = Decimal(text)
    except ArithmeticError:
        raise Misuse(f"--price {text!r} is no amount; write it like 0.0079") from None
    if not amount.is_finite() or not 0 <= amount <= _DEAREST:
        raise Misuse(f"--price {text!r} is no price of a text; write it like 0.0079")
    return PriceList(to_micros(amount))


def _valid(kind: Any, written: str, option: str) -> str:
    """Read a value as the configuration would."""
    try:
        value: str = TypeAdapter(kind).validate_python(written)
    except ValidationError as error:
        raise Misuse(f"{option}: {error.errors()[0]['msg']}") from None
    return value


def read_zone(name: str) -> ZoneInfo:
    try:
        zone: ZoneInfo = TypeAdapter(TimeZone).validate_python(name)
    except ValidationError as error:
        raise Misuse(f"{name!r}: {error.errors()[0]['msg']}") from None
    return zone


def _zone_here() -> ZoneInfo:
    """Give this machine's time zone, which on the PBX itself is the office's."""
    _, _, name = os.path.realpath(_LOCALTIME).partition("zoneinfo/")
    if not name:
        raise Misuse("say the office's time zone, such as --timezone America/New_York")
    return read_zone(name.removeprefix("posix/").removeprefix("right/"))


def read_database(written: str) -> Secret:
    finder, _, name = written.partition(":")
    secret: object = {finder: name} if finder in {"env", "file"} else written
    try:
        return Secret.resolve(secret)
    except ValueError as error:
        raise Misuse(f"--database: {error}") from None


def _named(path: Path | None) -> tuple[str, ...]:
    return () if path is None else (str(path),)


def find_files(places: tuple[str, ...], name: str) -> tuple[Path, ...]:
    """Give the files that are meant, each once."""
    found: dict[Path, None] = {}
    for place in places:
        files = lines.find(place, name)
        if not files:
            raise Misuse(f"{place}: there is no {name} in it")
        found |= dict.fromkeys(files)
    return tuple(found)


def find_recordings(places: tuple[str, ...]) -> tuple[Path, ...]:
    """Give the recordings that are meant; those of a folder are all in it."""
    found: list[Path] = []
    for place in places:
        path = Path(place)
        found += sorted(path.glob("*.ami")) if path.is_dir() else find_files((place,), CSV)
    return tuple(dict.fromkeys(found))
