"""What other programs are told, and what they are not."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core import payloads
from pbx_bridge.core.call import Caller
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.delivery import Channel, State
from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.core.payloads import LONGEST, disclosed, written
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.core.samples import NUMBER, sample
from tests.gateways.fakes import message
from tests.store.examples import LIVE, MISSED, NOON

KINDS = list(Happened)


def as_told(happening: Happening, **disclosing: bool) -> dict[str, Any]:
    shown = disclosed(happening, **({"numbers": True, "words": True} | disclosing))
    told: dict[str, Any] = json.loads(json.dumps(shown))
    return told


def test_times_are_utc_whatever_zone_they_come_in() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=-5)))
    assert written(there) == "2026-11-23T12:00:00.000Z"
    assert written(datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)) == "2026-01-02T03:04:05.678Z"


def test_a_missed_call_that_nobody_knows_anything_about() -> None:
    call = replace(MISSED, caller=Caller("", "", withheld=True), line="", queue=None)
    told = as_told(payloads.call_missed("k", call, at=NOON, call_row=1, pbx="office", number=""))
    unknown = {
        "number",
        "contact",
        "queue",
        "queue_wait_seconds",
        "caller_kind",
        "rule",
        "sequence",
    }
    assert {name for name, value in told.items() if value is None} == unknown
    assert told["withheld"] is True


def test_a_call_that_has_not_ended_has_no_end() -> None:
    told = as_told(payloads.call_missed("k", LIVE, at=NOON, call_row=1, pbx="o", number=""))
    assert told["ended"] is None


def test_a_mail_has_an_address_instead_of_a_number() -> None:
    mail = message(to="dana@example.com", channel=Channel.EMAIL, state=State.ACCEPTED, subject="Hi")
    happening = payloads.message_changed("k", mail, at=NOON, call_row=None)
    told = as_told(happening)
    assert (told["number"], told["address"], told["subject"]) == (None, "dana@example.com", "Hi")
    assert (happening.number, told["cost"]) == ("", None)
    assert as_told(happening, numbers=False)["address"] == "…com"


def test_a_reply_of_no_telephone_keeps_its_senders_name() -> None:
    reply = Reply(gateway_ref="1", sender="AMAZON", body="Your code", sent_at=NOON)
    happening = payloads.reply_received(
        "k", reply, at=NOON, reply_row=1, gateway="modem", number="", meaning=Meaning.REPLY,
        message=None, call_row=None, ignored="a name",
    )  # fmt: skip
    told = as_told(happening)
    assert (told["number"], told["sender"], told["ignored"]) == (None, "AMAZON", "a name")
    assert told["sent_at"] == "2026-11-23T12:00:00.000Z"


def test_a_contact_without_anything() -> None:
    happening = payloads.contact_changed("k", Contact(), at=NOON, contact_row=1, change="created")
    assert happening.number == ""
    assert as_told(happening)["contact"]["email"] is None


@pytest.mark.parametrize("kind", KINDS)
def test_without_words_nothing_that_somebody_wrote_is_there(kind: Happened) -> None:
    told = as_told(sample(kind, "k", NOON), words=False)
    assert {"body", "subject", "note", "notes"} & names(told) == set()
    assert names(told) <= names(as_told(sample(kind, "k", NOON)))


@pytest.mark.parametrize("kind", KINDS)
def test_without_numbers_no_number_of_a_customer_is_there(kind: Happened) -> None:
    hidden = json.dumps(as_told(sample(kind, "k", NOON), numbers=False), ensure_ascii=False)
    whole = json.dumps(as_told(sample(kind, "k", NOON)), ensure_ascii=False)
    assert NUMBER in whole
    assert NUMBER.removeprefix("+") not in hidden
    assert "dana@example.com" not in hidden
    assert "…143" in hidden


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Call +12125550143 back", "Call …143 back"),
        ("Call (212) 555-0143 back", "Call …143 back"),
        ("212 555 01 43", "… 43"),
        ("0212/5550143, or 0172.5550199", "…143, or …199"),
        ("at 9:30 for 45 minutes", "at 9:30 for 45 minutes"),
        ("order 12345", "order 12345"),
    ],
)
def test_numbers_inside_of_texts_are_hidden_too(text: str, hidden: str) -> None:
    happening = payloads.task_opened("k", at=NOON, task=1, title=text, number="", name=text)
    told = as_told(happening, numbers=False)
    assert (told["title"], told["name"]) == (hidden, hidden)


def test_what_a_stranger_wrote_is_plain_and_short() -> None:
    hostile = 'A\x00\x1b[31m\u202e"<b>\ud800' + "x" * 9999
    call = replace(MISSED, caller=Caller("1", hostile, withheld=False))
    name = as_told(payloads.call_missed("k", call, at=NOON, call_row=1, pbx="o", number=""))[
        "caller_name"
    ]
    assert name.startswith('A[31m"<b>x')
    assert len(name) == LONGEST
    name.encode()


@given(st.text(), st.booleans(), st.booleans())
def test_whatever_is_written_is_told_as_json(text: str, numbers: bool, words: bool) -> None:  # noqa: FBT001
    happening = payloads.task_closed(
        "k", at=NOON, task=1, title=text, number=NUMBER, how="done", closed_by=text, note=text,
        name=text, line=text, owner=text,
    )  # fmt: skip
    told = as_told(happening, numbers=numbers, words=words)
    json.dumps(told, ensure_ascii=False).encode()
    assert ("note" in told) is words


def names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for inner in value.values() for name in names(inner)}
    if isinstance(value, list):
        return {name for inner in value for name in names(inner)}
    return set()
