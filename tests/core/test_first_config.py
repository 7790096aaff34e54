"""A first configuration is one, whatever was answered."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.config import parse
from pbx_bridge.core.first_config import Answers, written
from pbx_bridge.core.tracker import Inbound

ANSWERS = Answers(
    office="Miller & Sons",
    country="US",
    timezone="America/New_York",
    number=None,
    pbx="office",
    host="127.0.0.1",
    port=5038,
    username="pbxbridge",
    secret=("env", "AMI"),
)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMI", "hunter2")


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"number": "+12125550100"},
        {"contexts": (r"^trk-\d+-in$", "^a'b$")},
        {"trunks": ("carrier",)},
        {"database": "pbx-bridge.db"},
    ],
)
def test_it_is_valid_and_sends_nothing(changed: dict[str, Any]) -> None:
    config = parse(written(replace(ANSWERS, **changed)), "made", Path("/etc/pbx-bridge"))
    assert not config.texting.enabled
    assert config.gateways["console"].kind == "console"
    (pbx,) = config.pbx
    assert pbx.inbound() == Inbound(
        contexts=changed.get("contexts", Inbound().contexts),
        trunks=frozenset(changed.get("trunks", ())),
    )
    assert config.office.number == changed.get("number")


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_whatever_an_office_is_called(name: str) -> None:
    read = tomllib.loads(written(replace(ANSWERS, office=name, host=name)))
    assert read["office"]["name"] == read["pbx"][0]["host"] == name


def test_lines_are_short_and_commented_out_settings_are_settings() -> None:
    text = written(ANSWERS)
    assert max(map(len, text.splitlines())) <= 100
    parse(
        text.replace("#number", "number").replace("#own", "own").replace("#inb", "inb"), "", Path()
    )
