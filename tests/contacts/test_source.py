"""What a file on a web server tells now that it did not tell before."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from pbx_bridge.contacts.carddav import Card
from pbx_bridge.contacts.reading import Manner
from pbx_bridge.contacts.source import News, Source, SourceKind, file_news, of_card
from pbx_bridge.contacts.sync import ContactSync
from pbx_bridge.contacts.web import SourceProblem, session
from pbx_bridge.core.contact import Contact
from pbx_bridge.store import contacts
from pbx_bridge.store.db import Database
from tests.contacts.test_web import serving
from tests.store.examples import NOON

ANN, BOB, CID, DAN = "Ann,212 555 0101", "Bob,212 555 0102", "Cid,212 555 0103", "Dan,212 555 0104"
FOUR = (ANN, BOB, CID, DAN)


@dataclass
class File:
    """A file on a server, with an ETag; `url` is where."""

    body: str = ""
    status: int = 200
    asked: list[str] = field(default_factory=list)
    url: URL = field(default_factory=URL)

    def say(self, *rows: str, head: str = "name,phone") -> None:
        self.body = "\n".join((head, *rows, ""))

    def answer(self, request: web.Request) -> web.Response:
        etag = f'"{hash(self.body)}"'
        self.asked.append(request.headers.get("If-None-Match", ""))
        if self.asked[-1] == etag:
            return web.Response(status=304)
        return web.Response(status=self.status, text=self.body, headers={"ETag": etag})


@pytest.fixture
async def file() -> AsyncIterator[File]:
    made = File()
    async with serving(made.answer) as url:
        made.url = url / "export.csv"
        yield made


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with session() as opened:
        yield opened


def source(file: File) -> Source:
    return Source(name="crm", kind=SourceKind.HTTP, url=file.url, manner=Manner("US"))


async def news(
    file: File, http: aiohttp.ClientSession, known: Mapping[str, str], cursor: str = ""
) -> News:
    told = await file_news(source(file), http, cursor, known)
    assert told is not None
    return told


async def test_only_what_changed_is_told(file: File, http: aiohttp.ClientSession) -> None:
    file.say(ANN, BOB)
    first = await news(file, http, {})
    assert [one.uid for one in first.told] == ["tel:+12125550101", "tel:+12125550102"]
    known = {one.uid: one.etag for one in first.told}
    assert await file_news(source(file), http, first.cursor, known) is None
    file.say(ANN, "Bobby,212 555 0102", CID)
    second = await news(file, http, known, first.cursor)
    assert [one.said.contact.name for one in second.told] == ["Bobby", "Cid"]
    assert (second.gone, second.known, second.shrinks) == (frozenset(), 2, False)
    file.say(ANN)
    third = await news(file, http, known)
    assert (third.gone, third.shrinks) == (frozenset({"tel:+12125550102"}), False)


async def test_ids_of_the_file_s_own_count(file: File, http: aiohttp.ClientSession) -> None:
    file.say("7,Ann,", "8,Bob,bob@example.com", ",Cid,c@example.com", ",Dan,", head="id,name,mail")
    assert [one.uid for one in (await news(file, http, {})).told] == [
        "7",
        "8",
        "mailto:c@example.com",
    ]


async def test_what_could_not_be_read_is_not_gone(file: File, http: aiohttp.ClientSession) -> None:
    file.say(ANN, "Bob,oops")
    told = await news(file, http, {"tel:+12125550102": "e"})
    assert told.gone == frozenset()
    assert told.remarks == ("line 3: no number of US: 'oops'",)


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (404, "has no file at /export.csv; correct the url"),
        (401, "refuses the login"),
        (500, "answers 500"),
        (304, "answers 304"),
    ],
)
async def test_no_file(file: File, http: aiohttp.ClientSession, status: int, problem: str) -> None:
    file.status = status
    with pytest.raises(SourceProblem, match=problem):
        await news(file, http, {})


async def test_a_file_of_something_else(file: File, http: aiohttp.ClientSession) -> None:
    file.body = "<html><body>Please log in</body></html>"
    with pytest.raises(SourceProblem, match="line 1: no column is known"):
        await news(file, http, {})


async def test_it_is_followed_through_the_database(db: Database, file: File) -> None:
    sync = ContactSync(db, [], now=lambda: NOON)
    file.say(*FOUR)
    assert str(await sync.read(source(file))) == "4 new"
    assert str(await sync.read(source(file))) == "nothing new"
    assert file.asked[1] != ""
    file.say(ANN, "Bobby,212 555 0102", CID)
    assert str(await sync.read(source(file))) == "1 changed, 1 removed"
    file.say()
    with pytest.raises(SourceProblem, match="of 3 contacts that it told of, 3 are gone"):
        await sync.read(source(file))
    file.say(*FOUR)
    assert str(await sync.read(source(file))) == "1 new, 1 changed"
    found = await db.read(contacts.everyone)
    assert [one.contact.name for one in found] == ["Ann", "Bob", "Cid", "Dan"]


async def test_a_number_that_two_have_is_asked_for_until_it_is_free(
    db: Database, file: File
) -> None:
    sync = ContactSync(db, [], now=lambda: NOON)
    file.say("1,Ann,212 555 0101,212 555 0109", "2,Bob,212 555 0102,212 555 0109",
             head="id,name,phone,phone 2")  # fmt: skip
    assert "Bob: numbers +12125550109: here no, there yes; the number of Ann" in str(
        await sync.read(source(file))
    )
    file.say("1,Ann,212 555 0101,", "2,Bob,212 555 0102,212 555 0109", head="id,name,phone,phone 2")
    assert str(await sync.read(source(file))) == "2 changed"
    bob = await db.read(lambda tx: contacts.of_number(tx, "+12125550109"))
    assert bob is not None
    assert bob.contact.name == "Bob"


def test_a_card_of_an_address_book_is_known_by_its_href() -> None:
    card = Card("/book/a.vcf", "e1", "BEGIN:VCARD\nUID:u\nFN:Ann\nTEL:2125550101\nEND:VCARD\n")
    told, remarks = of_card(card, Manner("US"))
    assert told is not None
    assert (told.uid, told.etag, told.line, remarks) == ("/book/a.vcf", "e1", 0, ())
    assert told.said.contact == Contact(name="Ann", numbers={"+12125550101": ""})


@pytest.mark.parametrize("text", ["", "no card", "BEGIN:VCARD\nFN:Ann\n"])
def test_what_is_no_card_is_told_by_its_href(text: str) -> None:
    told, remarks = of_card(Card("/book/a.vcf", "e", text), Manner("US"))
    assert told is None
    assert all(remark.startswith("/book/a.vcf") for remark in remarks)
    assert replace(Card("", "", text), href="x").href == "x"
