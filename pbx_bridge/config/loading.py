"""From the text of a TOML file to a `Config`, or to a report of every mistake in it."""

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pbx_bridge import gateways
from pbx_bridge.config import connectors
from pbx_bridge.config.lines import key_lines, nearest_line
from pbx_bridge.config.problems import ConfigError, Mistake, Problem, key_name, mistakes, show
from pbx_bridge.config.rules import known_lines, known_sequences
from pbx_bridge.config.sections import Config, ConfiguredGateway, Tariff
from pbx_bridge.config.values import did_you_mean
from pbx_bridge.config.wording import given_variables, own_languages
from pbx_bridge.core import doubts, number
from pbx_bridge.core.delivery import Channel

#: Tables that may be left out whole; validated all the same, so that their defaults are checked.
_OPTIONAL_TABLES = (
    *("texting", "replies", "spending", "tasks", "recovery"),
    *("database", "backups", "retention", "logging"),
)
_TOML_PLACE = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)")


def load(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: with every mistake, each with its line and what would be right.

    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise _whole_file(path, "no such file; `pbx-bridge init` makes one") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = Problem(str(path), line, "", "", "not UTF-8; save the file in that encoding")
        raise ConfigError((problem,)) from None
    except OSError as error:
        raise _whole_file(path, f"cannot be read: {error.strerror}") from None
    return parse(text, str(path), path.parent.absolute())


def parse(text: str, file: str, folder: Path) -> Config:
    """Read a configuration from its text; `file` names it, relative paths start at `folder`.

    Raises:
        ConfigError: with every mistake, each with its line and what would be right.

    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((_syntax_problem(error, text, file),)) from None
    found, config = _validate(tables, folder)
    if config is None:
        raise ConfigError(tuple(_placed(found, text, file)))
    return config


def doubtful(config: Config, path: Path) -> tuple[Problem, ...]:
    """Tell what is allowed in the rules of a file that loaded, but can hardly be meant.

    Raises:
        OSError: if the file cannot be read any more.

    """
    own = config.sequences()
    own = {name: own[name] for name in config.sequence_tables}
    found = [
        Mistake(doubt.where, "", doubt.text) for doubt in doubts.doubts(config.rulebook(), own)
    ]
    return tuple(_placed(found, path.read_text(encoding="utf-8"), str(path)))


def _validate(tables: dict[str, Any], folder: Path) -> tuple[list[Mistake], Config | None]:
    written = dict(tables)
    for name in _OPTIONAL_TABLES:
        written.setdefault(name, {})
    written.setdefault("gateways", {"console": {"type": "console"}})
    found, written["gateways"] = _gateways(written["gateways"], folder)
    more, written["connectors"] = connectors.read(tables.get("connectors", {}), {"folder": folder})
    found += more
    context = {
        "folder": folder,
        "country": _country(tables),
        "gateways": _sending(Channel.SMS, tables.get("gateways"), written["gateways"]),
        "mail_gateways": _sending(Channel.EMAIL, tables.get("gateways"), written["gateways"]),
        "variables": given_variables(tables),
        "languages": own_languages(tables),
        "lines": known_lines(tables, _country(tables)),
        "sequences": known_sequences(tables),
    }
    try:
        config = Config.model_validate(written, context=context)
    except ValidationError as error:
        return [*found, *mistakes(error, Config, ())], None
    return found, None if found else config


def _gateways(written: object, folder: Path) -> tuple[list[Mistake], dict[str, ConfiguredGateway]]:
    """Give each [gateways.NAME] to the gateway that its `type` names."""
    if not isinstance(written, dict) or not written:
        return [Mistake(("gateways",), show(written), "not a table; write [gateways.NAME]")], {}
    found: list[Mistake] = []
    configured: dict[str, ConfiguredGateway] = {}
    for name, table in written.items():
        path = ("gateways", name)
        kind = table.get("type") if isinstance(table, dict) else None
        if not isinstance(table, dict):
            found.append(Mistake(path, "", "not a table; write [gateways.NAME]"))
        elif kind is None:
            known = ", ".join(sorted(gateways.KINDS))
            found.append(Mistake((*path, "type"), "", f"missing; one of {known}"))
        elif kind not in gateways.KINDS:
            right = did_you_mean(kind, gateways.KINDS)
            found.append(Mistake((*path, "type"), show(kind), f"no such kind; {right}"))
        else:
            common = {key: table[key] for key in Tariff.model_fields if key in table}
            own = {key: value for key, value in table.items() if key not in common}
            model = gateways.load(kind).Settings
            try:
                settings = model.model_validate(own, context={"folder": folder})
            except ValidationError as error:
                found += mistakes(error, model, path)
                continue
            try:
                configured[name] = ConfiguredGateway(kind, settings, Tariff.model_validate(common))
            except ValidationError as error:
                found += mistakes(error, Tariff, path)
    return found, configured


def _sending(
    channel: Channel, written: object, configured: dict[str, ConfiguredGateway]
) -> list[str]:
    """Name the gateways that send such; one with mistakes of its own is reported only for them."""
    names = list(written) if isinstance(written, dict) else list(configured)
    return [name for name in names if name not in configured or configured[name].channel is channel]


def _country(tables: dict[str, Any]) -> str | None:
    office = tables.get("office")
    country = office.get("country") if isinstance(office, dict) else None
    return country if isinstance(country, str) and number.is_country(country) else None


def _placed(found: list[Mistake], text: str, file: str) -> list[Problem]:
    lines = key_lines(text)
    problems = [
        Problem(
            file=file,
            line=nearest_line(lines, mistake.path),
            key=key_name(mistake.path),
            value=mistake.value if mistake.path in lines else "",  # a default was not written
            message=mistake.message,
        )
        for mistake in found
    ]
    return sorted(problems, key=lambda problem: problem.line)


def _syntax_problem(error: tomllib.TOMLDecodeError, text: str, file: str) -> Problem:
    # tomllib quotes at most one character or one key of the text: no secret gets out this way.
    place = _TOML_PLACE.fullmatch(str(error))
    what = place["what"] if place else str(error)
    line = int(place["line"]) if place and place["line"] else text.count("\n") + 1
    return Problem(file, line, "", "", f"not TOML: {what[:1].lower()}{what[1:]}; correct this line")


def _whole_file(path: Path, message: str) -> ConfigError:
    return ConfigError((Problem(str(path), 0, "", "", message),))
