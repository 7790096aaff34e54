"""Who wants no texts, from the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge.core.delivery import State
from pbx_bridge.store import messages as stored_messages
from tests.store.examples import queue_message

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]


@pytest.fixture(autouse=True)
def _database(write: Write) -> None:
    write(lambda _tx: None)


def numbers(command: Run) -> list[str]:
    said = command("optouts", "list", "--json")
    return [json.loads(line)["number"] for line in said.output.splitlines()]


def test_a_number_is_put_on_the_list_and_what_waits_for_it_is_cancelled(
    command: Run, write: Write
) -> None:
    write(lambda tx: queue_message(tx, to="+12125550143"))
    said = command("optouts", "add", "(212) 555-0143", "--because", "asked on the phone")
    assert said.output == "+12125550143 gets no more texts\n"
    assert numbers(command) == ["+12125550143"]
    listed = command("optouts", "list").output
    assert "asked on the phone" in listed
    assert "office" in listed

    def cancelled(tx: Connection) -> None:
        (message,) = stored_messages.recent(tx, limit=9)
        assert (message.state, message.code) == (State.CANCELLED, "opted_out")

    write(cancelled)
    again = command("optouts", "add", "212 555 0143", "--because", "again")
    assert again.output == "+12125550143 was on the list already\n"


def test_a_number_is_taken_off_again(command: Run) -> None:
    command("optouts", "add", "+12125550143", "--because", "x")
    said = command("optouts", "remove", "+12125550143", "--because", "changed her mind")
    assert said.output == "+12125550143 may be texted again\n"
    assert command("optouts", "list").output == "nobody opted out\n"
    said = command("optouts", "remove", "+12125550143", "--because", "x")
    assert said.output == "+12125550143 was not on the list\n"


def test_evidence_is_asked_for(command: Run) -> None:
    assert "--because" in command("optouts", "add", "+12125550143").output
    assert numbers(command) == []


def test_what_is_exported_is_imported_again(command: Run, tmp_path: Path, folder: Path) -> None:
    for number, why in (("+12125550143", "=HYPERLINK(1)"), ("+12125550144", "said, “no”")):
        command("optouts", "add", number, "--because", why)
    said = command("optouts", "export", "list.csv")
    assert said.output == "2 numbers\n"
    written = (folder / "list.csv").read_text(encoding="utf-8")
    assert "\n=" not in written
    assert ",=" not in written
    for number in ("+12125550143", "+12125550144"):
        command("optouts", "remove", number, "--because", "x")
    said = command("optouts", "import", "list.csv")
    assert said.output == "2 of 2 numbers added; the others were on the list already\n"
    evidence = [
        json.loads(line)["evidence"]
        for line in command("optouts", "list", "--json").output.splitlines()
    ]
    assert evidence == ["=HYPERLINK(1)", "said, “no”"]
    assert "0 of 2" in command("optouts", "import", "list.csv").output
    assert tmp_path == folder


def test_a_plain_list_of_numbers_is_imported(command: Run, folder: Path) -> None:
    (folder / "old.csv").write_text("\ufeff212-555-0143\n\n+44 20 7946 0018,x\n", encoding="utf-8")
    assert "2 of 2" in command("optouts", "import", "old.csv").output
    assert sorted(numbers(command)) == ["+12125550143", "+442079460018"]
    assert "imported from old.csv" in command("optouts", "list").output


def test_with_a_line_that_is_no_number_nothing_is_imported(command: Run, folder: Path) -> None:
    (folder / "old.csv").write_text("name,number\nAnn,+12125550143\nBob,911\nEve,\n")
    said = command("optouts", "import", "old.csv")
    assert said.exit_code == 1
    assert said.output == (
        "old.csv:3: no number of US: '911'\n"
        "old.csv:4: no number of US: ''\n"
        "nothing was imported; correct these lines\n"
    )
    assert numbers(command) == []


def test_it_goes_through_pipes(command: Run) -> None:
    assert "1 of 1" in command("optouts", "import", "-", typed="+12125550143\n").output
    assert command("optouts", "export").output.splitlines()[1].startswith("'+12125550143,")
