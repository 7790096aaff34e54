"""Contacts from files and sources, and into files."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.conftest import CONFIG
from tests.contacts.addressbook import PASSWORD, USER, Server, card

Run = Callable[..., Result]

FILE = """\
Name;Phone;E-Mail;Tags;Notes
Ann;(212) 555-0142;ann@example.com;vip;=1+1
Bob;911;;;
Eve;212 555 0143;;friend;
"""


@pytest.fixture
def file(folder: Path) -> Path:
    path = folder / "list.csv"
    path.write_text(FILE, encoding="cp1252")
    return path


def names(command: Run) -> str:
    return command("contacts", "list").output


def test_a_file_is_planned_then_taken(command: Run, file: Path) -> None:
    command("contacts", "export", "-")  # there is a database
    said = command("contacts", "import", file.name, "--as", "customer", "--dry-run")
    assert said.output == (
        "list.csv:3: Bob left out: neither a number nor an e-mail address\n"
        "list.csv:3: no number of US: '911'\n"
        "new: Ann, +12125550142, ann@example.com\n"
        "new: Eve, +12125550143\n"
        "2 new, 0 changed, 0 as they were, 1 left out, 0 conflicts; nothing was done (--dry-run)\n"
    )
    assert names(command) == "no contacts\n"
    said = command("contacts", "import", file.name, "--as", "customer")
    assert said.output.endswith("2 new, 0 changed, 0 as they were, 1 left out, 0 conflicts\n")
    assert names(command).count("customer") == 2
    assert "0 new, 0 changed, 2 as they were" in command("contacts", "import", file.name).output


def test_an_exported_file_that_was_edited_is_merged(command: Run, file: Path) -> None:
    command("contacts", "import", file.name)
    assert command("contacts", "export", "out.csv").output == "2 contacts\n"
    out = file.with_name("out.csv")
    text = out.read_text(encoding="utf-8-sig")
    assert ",'=1+1," in text
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    command("contacts", "edit", "ann", "--notes", "pays late")
    out.write_text(text.replace("'=1+1", "other").replace("Eve", "Evelyn").replace("friend", ""))
    said = command("contacts", "import", "out.csv")
    assert said.output == (
        "out.csv:2: contact 1 (Ann): notes: here 'pays late', there 'other';"
        " decided here by hand\n"
        "0 new, 1 changed, 1 as they were, 0 left out, 1 conflicts\n"
    )
    assert "Evelyn" in names(command)
    assert "friend" not in names(command)


def test_vcards_go_out_and_in(command: Run, file: Path) -> None:
    command("contacts", "import", file.name)
    assert command("contacts", "export", "out.vcf").output == "2 contacts\n"
    out = file.with_name("out.vcf")
    text = out.read_bytes().decode()
    assert text.count("BEGIN:VCARD\r\n") == 2
    assert "0 new, 0 changed, 2 as they were" in command("contacts", "import", "out.vcf").output
    out.write_text(text.replace("FN:Ann", "FN:Anna"))
    assert "1 changed, 1 as they were" in command("contacts", "import", "out.vcf").output
    assert "Anna" in names(command)


def test_who_is_taken_for_somebody_by_the_address_is_told(command: Run, folder: Path) -> None:
    (folder / "a.csv").write_text("name,phone,mail\nAnn,2125550142,a@b.example\n")
    (folder / "b.csv").write_text("name,phone,mail\nAnn,2125550143,a@b.example\n")
    command("contacts", "import", "a.csv")
    assert command("contacts", "import", "b.csv", "--dry-run").output.splitlines() == [
        "b.csv:2: taken for contact 1 (Ann) by the e-mail address",
        "changed: contact 1 (Ann): numbers:+12125550143",
        "0 new, 1 changed, 0 as they were, 0 left out, 0 conflicts; nothing was done (--dry-run)",
    ]


def test_who_would_be_two_is_left_out_with_advice(command: Run, folder: Path) -> None:
    (folder / "a.csv").write_text("name,phone\nAnn,2125550142\nBob,2125550143\n")
    (folder / "b.csv").write_text("name,phone,mobile\nEve,2125550142,2125550143\n")
    command("contacts", "import", "a.csv")
    assert command("contacts", "import", "b.csv").output.splitlines()[0] == (
        "b.csv:2: Eve left out: its numbers belong to 2 contacts: Ann (1) and Bob (2);"
        " if they are one person, `pbx-bridge contacts merge 1 2`"
    )


def test_a_file_of_no_use_is_told_with_its_line(command: Run, folder: Path) -> None:
    (folder / "x.csv").write_bytes(b"name,phone\n\xff\0\n")
    said = command("contacts", "import", "x.csv")
    assert (said.exit_code, said.stderr) == (
        1,
        "x.csv:2: not text, but binary data\nnothing was imported\n",
    )
    assert "/dev/full cannot" not in command("contacts", "export", "x.csv").output


def test_it_goes_through_pipes(command: Run) -> None:
    said = command("contacts", "import", "-", typed="Ann,2125550142\n")
    assert said.output == "1 new, 0 changed, 0 as they were, 0 left out, 0 conflicts\n"
    assert command("contacts", "export", "-").output.splitlines()[0].startswith("id,name,company")


@pytest.mark.parametrize("name", ["out.txt", "out"])
def test_a_file_is_of_a_known_kind(command: Run, name: str) -> None:
    said = command("contacts", "export", name)
    assert (said.exit_code, said.stderr) == (2, f"{name} is neither .csv nor .vcf; name it so\n")


def test_a_file_that_cannot_be_written_is_told(command: Run) -> None:
    said = command("contacts", "export", "nowhere/out.csv")
    assert said.exit_code == 1
    assert said.stderr == "nowhere/out.csv cannot be written: No such file or directory\n"


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    """Give an address book that is configured."""
    loop = asyncio.new_event_loop()
    made = Server()
    running = made.running()
    loop.run_until_complete(running.__aenter__())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    (folder / "pbx-bridge.toml").write_text(
        f'{CONFIG}[[contacts.sources]]\nname = "book"\ntype = "carddav"\nurl = "{made.book}"\n'
        f'username = "{USER}"\npassword = "{PASSWORD}"\n',
        encoding="utf-8",
    )
    yield made
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(running.__aexit__(None, None, None))
    loop.close()


def test_a_source_is_read_now(command: Run, server: Server) -> None:
    for n in range(3):
        server.put(f"{n}.vcf", card(f"No {n}", f"TEL:212555010{n}"))
    assert command("contacts", "sync").output == "book: 3 new\n"
    server.delete("0.vcf")
    server.delete("1.vcf")
    said = command("contacts", "sync", "book")
    assert said.exit_code == 1
    assert said.output.startswith("book: FAILED: of 3 contacts that it told of, 2 are gone")
    state = command("contacts", "sync", "--state").output
    assert "3 new" in state
    assert "2 are gone" in state
    assert command("contacts", "sync", "--even-if-smaller").output == "book: 2 removed\n"
    assert "No 2" in names(command)


def test_a_source_that_is_not_configured_is_told(command: Run, server: Server) -> None:
    assert server.cards == {}
    said = command("contacts", "sync", "bok")
    assert (said.exit_code, said.stderr) == (2, "no source 'bok'; configured: book\n")


def test_without_sources_it_is_said_where_they_are_described(command: Run) -> None:
    said = command("contacts", "sync")
    assert (said.exit_code, "docs/contacts.md shows one" in said.stderr) == (2, True)
