"""Sayings are strings like any other, and know what they were made of."""

import copy
import json
import pickle
import sqlite3
from datetime import UTC, datetime

from pbx_bridge.core.saying import Saying, joined, say, say_n, whole

AT = datetime(2026, 11, 28, 14, 5, tzinfo=UTC)


def test_it_reads_as_english() -> None:
    assert (
        say("spoken at {at:%H:%M} UTC by {who}", at=AT, who="ann") == "spoken at 14:05 UTC by ann"
    )
    assert say_n("{n} call", "{n} calls", 1) == "1 call"
    assert say_n("{n} call", "{n} calls", 0) == "0 calls"
    assert joined([say("a"), "b", say("c")], ", ") == "a, b, c"
    assert joined([], ", ") == ""
    assert whole(say("all callers get {what}", what=say("nothing"))) == "All callers get nothing."
    assert whole("it ends.") == "It ends."


def test_braces_of_what_fills_it_are_only_text() -> None:
    said = say('{said}: "{words}"', said=say("a text"), words="Hello, this is {office}. 100 %")
    assert said == 'a text: "Hello, this is {office}. 100 %"'


def test_it_knows_template_and_values() -> None:
    said = say("{reason} by {who}", reason="answered", who=say("a machine"))
    assert said.template == "{reason} by {who}"
    assert isinstance(said.values["who"], Saying)


def test_whoever_takes_it_as_a_string_has_one() -> None:
    said = say_n("{n} call", "{n} calls", 2)
    assert json.dumps([said]) == '["2 calls"]'
    assert sqlite3.connect(":memory:").execute("select ?, typeof(?1)", [said]).fetchone() == (
        "2 calls",
        "text",
    )
    for copied in (copy.deepcopy(said), pickle.loads(pickle.dumps(said))):  # noqa: S301 - our own
        assert copied == said
        assert copied.values == said.values
