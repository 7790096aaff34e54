"""[contacts]: sources, and mistakes in them."""

from datetime import timedelta

import pytest
from yarl import URL

from pbx_bridge.contacts import files
from pbx_bridge.contacts.source import SourceKind
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.secret import Secret
from tests.config.test_loading import OFFICE, PBX, read, report

BOOK = """\
[[contacts.sources]]
name = "book"
type = "carddav"
url = "https://dav.example.com/ann/"
"""


def test_without_the_table_there_are_no_sources() -> None:
    assert read(OFFICE + PBX).contacts.sources == ()


def test_a_source_is_read_as_written() -> None:
    more = 'username = "ann"\npassword = "hush"\nas = "customer"\nevery = "15m"\nwrite = true\n'
    (settings,) = read(OFFICE + PBX + BOOK + more).contacts.sources
    source = settings.source("US")
    assert (source.name, source.kind, source.url) == (
        "book",
        SourceKind.CARDDAV,
        URL("https://dav.example.com/ann/"),
    )
    assert (source.username, source.password) == ("ann", Secret("hush"))
    assert (source.every, source.write, source.tls) == (timedelta(minutes=15), True, None)
    assert (source.manner.country, source.manner.kind) == ("US", CallerKind.CUSTOMER)


def test_it_is_read_only_and_hourly_unless_it_says_otherwise() -> None:
    (settings,) = read(OFFICE + PBX + BOOK).contacts.sources
    source = settings.source("US")
    assert (source.every, source.write, source.manner.kind) == (timedelta(hours=1), False, None)


PASSWORD = 'username = "ann"\npassword = "hush"\n'


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("as = 'new'", 'contacts.sources[1].as = "new": no contact is that; known are known'),
        ("as = 'custommer'", 'sources[1].as = "custommer": not known; did you mean "customer"?'),
        ("every = '10s'", 'every = "10s": too often; at least "1m"'),
        ("usernam = 'x'", 'usernam: unknown key; did you mean "username"?'),
        ("username = 'ann'", "username without password; give both, or neither"),
        ("password = 'hush'", "password without username; give both, or neither"),
        ("username = 'a:b'\npassword = 'hush'", 'username = "a:b": not of the right form'),
        (BOOK, 'contacts.sources[2].name = "book": two sources have this name'),
    ],
)
def test_mistakes_are_named(more: str, problem: str) -> None:
    said = report(OFFICE + PBX + BOOK + more)
    assert problem in said
    assert "hush" not in said


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (BOOK.replace('"book"', '"file"'), "this name is taken by what comes from calls and files"),
        (BOOK.replace("carddav", "ldap"), 'type = "ldap": not known; known are carddav, http'),
        (BOOK.replace("https://", "https://u:hush@"), "it has a user in it; use username and"),
        (BOOK.replace("ann/", "ann/#x"), "a URL without #"),
        (
            BOOK.replace("carddav", "http") + "write = true",
            "only an address book can be written to",
        ),
        (BOOK.replace("https", "http") + PASSWORD, "the password would cross the internet"),
        (BOOK.replace('"https://dav', '"http://10.0.0.1.dav') + PASSWORD, "cross the internet"),
        ("[[contacts.sources]]", "contacts.sources[1].url: missing; where it is, such as"),
    ],
)
def test_so_are_those_in_the_whole_table(table: str, problem: str) -> None:
    said = report(OFFICE + PBX + table)
    assert problem in said
    assert "hush" not in said


@pytest.mark.parametrize("host", ["127.0.0.1:5232", "localhost:5232", "[::1]", "192.168.1.2"])
def test_in_the_house_a_password_may_go_without_tls(host: str) -> None:
    table = BOOK.replace("https://dav.example.com", f"http://{host}") + PASSWORD
    (settings,) = read(OFFICE + PBX + table).contacts.sources
    assert settings.url.scheme == "http"


def test_without_its_library_no_address_book_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx_bridge.config.contacts.has_vcards", lambda: False)
    assert f'type = "carddav": {files.NO_VCARDS}' in report(OFFICE + PBX + BOOK)
