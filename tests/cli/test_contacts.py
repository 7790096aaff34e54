"""Contacts, from the command line."""

import getpass
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge.store import calls, contact_origins
from tests.store.examples import ANSWERED, BOOT, NOON, PBX, queue_message

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]
ANN = "+12125550142"


@pytest.fixture(autouse=True)
def _database(write: Write) -> None:
    write(lambda _tx: None)


def add(command: Run, *more: str) -> Result:
    return command("contacts", "add", "--name", "Ann Baker", "--number", "212 555 0142", *more)


def shown(command: Run, who: str = "1") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command("contacts", "show", who, "--json").output)
    return found


def test_a_contact_is_added_with_all_its_fields(command: Run) -> None:
    said = add(
        command,
        *("--number", "+44 20 7946 0018=London", "--kind", "customer", "--company", "Acme"),
        *("--language", "es", "--zone", "Europe/Madrid", "--email", "ann@example.com"),
        *("--owner", "eve", "--notes", "pays late", "--tag", "VIP"),
    )
    assert said.output == "contact 1: Ann Baker, +12125550142, +442079460018, ann@example.com\n"
    found = shown(command)
    assert found["numbers"] == {ANN: "", "+442079460018": "London"}
    assert (found["kind"], found["tags"], found["zone"]) == ("customer", ["vip"], "Europe/Madrid")
    assert found["edited"] == dict.fromkeys(
        ["name", "company", "kind", "language", "zone", "email", "owner", "notes", "tags:vip",
         "numbers:+12125550142", "numbers:+442079460018"],
        getpass.getuser(),
    )  # fmt: skip
    listed = command("contacts", "list").output
    assert "Ann Baker" in listed
    assert "vip" in listed


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("--number", "911", "'911' is no number of US; write it as +1 212 555 0143"),
        ("--email", "nobody", "'nobody' is no e-mail address; such as ann@example.com"),
        ("--language", "spanish", "'spanish' is no language; two letters, such as es"),
        ("--zone", "Mars", "'Mars' is no time zone; such as America/New_York"),
    ],
)
def test_what_is_no_value_is_told(command: Run, option: str, value: str, problem: str) -> None:
    said = add(command, option, value)
    assert (said.exit_code, said.stderr) == (2, f"{problem}\n")
    assert command("contacts", "list").output == "no contacts\n"


def test_one_who_cannot_be_recognised_is_not_added(command: Run) -> None:
    said = command("contacts", "add", "--name", "Ann")
    assert said.stderr == "neither a number nor an e-mail address; give --number or --email\n"


def test_a_number_belongs_to_one(command: Run) -> None:
    add(command)
    said = add(command)
    assert said.exit_code == 1
    assert said.stderr == "+12125550142 belongs to contact 1 (Ann Baker)\n"


@pytest.mark.parametrize("who", ["1", "(212) 555-0142", "ann", "BAKER"])
def test_a_contact_is_named_by_id_number_or_name(command: Run, who: str) -> None:
    add(command)
    assert shown(command, who)["id"] == 1


@pytest.mark.parametrize(
    ("who", "problem"),
    [
        ("9", "there is no contact 9; `pbx-bridge contacts list` has their ids\n"),
        ("nobody", "no contact has 'nobody'\n"),
        ("212 555 0199", "no contact has '212 555 0199'\n"),
        ("baker", "2 contacts have 'baker'; name one by its id: 1 (Ann Baker), 2 (Bob Baker)\n"),
    ],
)
def test_who_is_not_clear_is_told(command: Run, who: str, problem: str) -> None:
    add(command)
    command("contacts", "add", "--name", "Bob Baker", "--number", "212 555 0143")
    said = command("contacts", "show", who)
    assert (said.exit_code, said.stderr) == (1, problem)


def test_an_edit_changes_what_it_names_and_marks_it(command: Run, write: Write) -> None:
    write(lambda tx: contact_origins.suggest(tx, ANN, "Ann", NOON))
    assert "(only the caller ID says so)" in command("contacts", "show", "1").output
    said = command("contacts", "edit", "1", "--name", "Ann", "--number", "212 555 0143=work")
    assert said.output == "contact 1: Ann, +12125550142, +12125550143\n"
    assert set(shown(command)["edited"]) == {"name", "numbers:+12125550143"}
    command("contacts", "edit", "ann", "--name", "", "--drop-number", "212 555 0142")
    found = shown(command)
    assert (found["name"], found["numbers"]) == ("", {"+12125550143": "work"})
    assert set(found["edited"]) == {"name", f"numbers:{ANN}", "numbers:+12125550143"}
    assert "decided by" in command("contacts", "show", "1").output


def test_tags_are_given_and_taken(command: Run) -> None:
    add(command)
    command("contacts", "tag", "1", "VIP", "service contract")
    assert shown(command)["tags"] == ["service contract", "vip"]
    command("contacts", "tag", "1", "vip", "--remove")
    found = shown(command)
    assert (found["tags"], "tags:vip" in found["edited"]) == (["service contract"], True)
    assert "Ann" in command("contacts", "list", "--tag", "Service Contract").output
    assert command("contacts", "list", "--tag", "vip").output == "no such contacts\n"


def test_a_list_is_searched_and_bounded(command: Run) -> None:
    add(command, "--kind", "staff")
    command("contacts", "add", "--name", "Bob", "--number", "212 555 0143")

    def names(*arguments: str) -> list[str]:
        lines = command("contacts", "list", *arguments, "--json").output.splitlines()
        return [json.loads(line)["name"] for line in lines]

    assert names() == ["Ann Baker", "Bob"]
    assert names("--limit", "1") == ["Ann Baker"]
    assert names("--kind", "staff") == names("baker") == names("(212) 555-0142") == ["Ann Baker"]
    assert names("x") == []


def test_two_become_one(command: Run) -> None:
    add(command)
    command("contacts", "add", "--company", "Acme", "--number", "212 555 0143")
    said = command("contacts", "merge", "ann", "acme")
    assert said.output == (
        "contact 2 is part of contact 1 now: Ann Baker, +12125550142, +12125550143\n"
    )
    assert shown(command)["company"] == "Acme"
    said = command("contacts", "merge", "1", "ann")
    assert (said.exit_code, said.stderr) == (2, "'1' and 'ann' are the same contact\n")


def test_a_contact_is_removed(command: Run) -> None:
    add(command)
    assert command("contacts", "remove", "1").output == (
        "contact 1 is gone: Ann Baker, +12125550142\n"
    )
    assert command("contacts", "list").output == "no contacts\n"


def test_the_history_is_shown(command: Run, write: Write) -> None:
    add(command)
    assert "spoke:    never" in command("contacts", "show", "1").output

    def fill(tx: Connection) -> None:
        calls.finish(tx, PBX, BOOT, replace(ANSWERED, answered_at=NOON), ANN)
        queue_message(tx, to=ANN, body="Sorry \x1b[31m")

    write(fill)
    said = command("contacts", "show", "1").output
    assert "spoke:    2026-11-23 07:00:00, they to us, PJSIP/101" in said
    assert "wrote:    never" in said
    assert "answered" in said
    assert "Sorry" in said
    assert "\x1b" not in said
    found = shown(command)
    assert found["last_spoken"] == {"at": NOON.isoformat(), "direction": "in", "by": "PJSIP/101"}
    assert (len(found["calls"]), len(found["messages"]), found["replies"]) == (1, 1, [])
