"""The annotated example is valid, complete, and true about the defaults."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_origin

import certifi
from pydantic import BaseModel

from pbx_bridge import destinations, gateways
from pbx_bridge.config import Config, doubtful, load, parse
from pbx_bridge.config.connectors import Upkeep
from pbx_bridge.config.problems import fields
from pbx_bridge.config.sections import Tariff, Texting
from pbx_bridge.core.aloud import rule_aloud
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.variables import VARIABLES
from pbx_bridge.destinations._settings import Common

EXAMPLE = Path(__file__).parent.parent / "pbx-bridge.example.toml"
#: `#key = value` and `#[table]` are settings, as is a list over several lines; `# Text` is prose.
COMPLETE = re.sub(
    r"^#(?=[a-z\[\]]|  \{ )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE
)
#: Settings whose example is no default.
EXAMPLES_ONLY = {
    *("gateways", "last_resort", "blocked_numbers", "allowed_countries", "reasons"),
    *("variables", "languages", "translations"),
}


def complete() -> Config:
    text = COMPLETE.replace("/etc/pbx-bridge/pbx-ca.pem", certifi.where())
    return parse(text, "example", Path("/etc/pbx-bridge"))


def test_the_example_is_valid_as_it_is() -> None:
    config = load(EXAMPLE)
    assert not config.texting.enabled


def test_it_is_valid_too_with_every_setting_in_it() -> None:
    assert {gateway.kind for gateway in complete().gateways.values()} == set(gateways.KINDS)

    assert {one.kind for one in complete().connectors.values()} == set(destinations.KINDS)


def test_the_settings_commented_out_show_the_defaults() -> None:
    short, full = load(EXAMPLE), complete()
    for section in ("database", "retention", "logging"):
        assert getattr(full, section) == getattr(short, section)
    for name in Texting.model_fields.keys() - EXAMPLES_ONLY:
        assert getattr(full.texting, name) == getattr(short.texting, name), name
    for meaning in (Meaning.OPT_OUT, Meaning.OPT_IN, Meaning.HELP):
        number = replace(short.wording(), office_number="+12125550100")  # an example in the file
        assert full.wording().confirmation(meaning) == number.confirmation(meaning)
    assert full.replies.confirm == short.replies.confirm
    assert full.pbx[0].inbound_contexts == short.pbx[0].inbound_contexts
    assert full.pbx[0].ignored_contexts == short.pbx[0].ignored_contexts
    assert full.pbx[0].answered_applications == short.pbx[0].answered_applications
    for reason, rule in short.rules().reasons.items():
        assert full.rules().reasons[reason].text == rule.text, reason
        assert full.rules().reasons[reason].act_on == rule.act_on, reason


def test_nothing_is_doubtful_about_its_rules(tmp_path: Path) -> None:
    config = complete()
    written = tmp_path / "complete.toml"
    written.write_text(COMPLETE, encoding="utf-8")
    assert len(config.rule_tables) == 3
    assert doubtful(config, written) == ()


def test_it_says_what_an_owner_asked_for() -> None:
    """After hours on the sales line: a booking link, or a technician who calls first thing."""
    assert [rule_aloud(rule) for rule in complete().rulebook()[:2]] == [
        "After hours, at weekends and on holidays, new callers to Sales get the sequence booking.",
        "After hours, at weekends and on holidays, customers to Sales get the sequence technician.",
    ]


def test_it_lists_every_variable_with_its_meaning() -> None:
    listed = re.findall(r"^#   \{(\w+)\} +(.+)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == [(variable.name, variable.meaning) for variable in VARIABLES.values()]


def test_every_setting_is_in_it() -> None:
    tables = tomllib.loads(COMPLETE)
    missing = _missing(
        setting
        for section, field in fields(Config).items()
        if section not in ("gateways", "connectors")
        for setting in _settings(section, field.annotation, [tables[section]])
    )
    for kind in gateways.KINDS:
        of_kind = [table for table in tables["gateways"].values() if table["type"] == kind]
        model = gateways.load(kind).Settings
        missing += _missing(_settings(f"gateways ({kind})", model, of_kind))
    connectors = list(tables["connectors"].values())
    for kind in destinations.KINDS:
        of_kind = [table for table in connectors if table["type"] == kind]
        own = _settings(f"connectors ({kind})", destinations.load(kind).Settings, of_kind)
        shared = Common.model_fields
        missing += [name for name in _missing(own) if name.rpartition(".")[2] not in shared]
    for model in (Common, Upkeep):  # what all have needs to stand in one of them
        missing += _missing(_settings("connectors", model, connectors[:1]))
    every = list(tables["gateways"].values())
    missing += _missing(_settings("gateways", Tariff, every))
    assert missing == []


_Setting = tuple[str, tuple[type[BaseModel], str], bool]


def _missing(settings: Iterable[_Setting]) -> list[str]:
    """Name the settings that stand nowhere.

    What is the same in several places, such as an error's meaning, needs to stand in one of them.
    """
    found = list(settings)
    shown = {setting for _, setting, is_there in found if is_there}
    return [name for name, setting, is_there in found if not is_there and setting not in shown]


def _settings(path: str, annotation: Any, written: list[Any]) -> Iterator[_Setting]:
    tables = [table for table in _flat(written) if isinstance(table, dict)]
    if path.startswith("texting.reasons."):  # a reason's settings are the same for all of them
        tables = list(tomllib.loads(COMPLETE)["texting"]["reasons"].values())
    if any(get_origin(kind) is dict for kind in (annotation, *get_args(annotation))):
        tables = [value for table in tables for value in table.values() if isinstance(value, dict)]
    for model in _models(annotation):
        for name, field in fields(model).items():
            values = [table[name] for table in tables if name in table]
            yield f"{path}.{name}", (_home(model, name), name), bool(values)
            if values:
                yield from _settings(f"{path}.{name}", field.annotation, values)


def _home(model: type[BaseModel], name: str) -> type[BaseModel]:
    """Give the class that says what the setting is; a table may have all those of another."""
    homes = [one for one in model.__mro__ if name in getattr(one, "model_fields", ())]
    return homes[-1] if homes else model


def _flat(written: list[Any]) -> list[Any]:
    return [item for one in written for item in (one if isinstance(one, list) else [one])]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]
