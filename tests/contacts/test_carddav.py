"""An address book: found, followed, read and written to."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web as aiohttp_web
from yarl import URL

from pbx_bridge.contacts.carddav import AddressBook
from pbx_bridge.contacts.reading import Manner
from pbx_bridge.contacts.source import Source, SourceKind
from pbx_bridge.contacts.sync import ContactSync
from pbx_bridge.contacts.web import SourceProblem, Web, session
from pbx_bridge.secret import Secret
from pbx_bridge.store import contacts
from pbx_bridge.store.db import Database
from tests.contacts.addressbook import BOOK, PASSWORD, USER, Server, card
from tests.contacts.radicale import needs_radicale, radicale
from tests.store.examples import NOON


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with session() as opened:
        yield opened


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server().running() as running:
        yield running


def book_at(url: URL, http: aiohttp.ClientSession) -> AddressBook:
    return AddressBook(Web(url, http, USER, Secret(PASSWORD)), url)


@pytest.mark.parametrize("path", ["/", "/dav/", "/dav/principals/ann/", "/dav/books/ann/", BOOK])
async def test_the_only_address_book_is_found_from_anywhere(
    server: Server, http: aiohttp.ClientSession, path: str
) -> None:
    server.put("a.vcf", card("Ann"))
    book = book_at(server.url.with_path(path), http)
    await book.find()
    changes = await book.changes("", {})
    assert changes.changed == (f"{BOOK}a.vcf",)
    (only,) = [one async for one in book.cards(changes.changed)]
    assert (only.href, only.etag) == (f"{BOOK}a.vcf", server.etag("a.vcf"))
    assert only.text.splitlines() == server.cards["a.vcf"].splitlines()


async def test_of_several_address_books_one_must_be_chosen(
    server: Server, http: aiohttp.ClientSession
) -> None:
    server.books = 2
    with pytest.raises(SourceProblem, match="choose one as url") as refused:
        await book_at(server.url, http).find()
    assert f"{server.book} (Office & Co)" in str(refused.value)


async def test_where_there_is_none_that_is_said(
    server: Server, http: aiohttp.ClientSession
) -> None:
    server.books = 0
    for path in ("/", "/elsewhere/"):
        with pytest.raises(SourceProblem, match="no address book at"):
            await book_at(server.url.with_path(path), http).find()


async def test_a_login_that_is_refused_is_said(server: Server, http: aiohttp.ClientSession) -> None:
    book = AddressBook(Web(server.url, http, USER, Secret("wrong")), server.book)
    with pytest.raises(SourceProblem, match=r"refuses the login \(401\)"):
        await book.find()


def naming(href: str) -> bytes:
    return (
        f'<D:multistatus xmlns:D="DAV:"><D:response><D:href>{href}</D:href><D:propstat><D:prop>'
        "<D:getetag>1</D:getetag></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
        "</D:response><D:sync-token>t</D:sync-token></D:multistatus>"
    ).encode()


ODD_ANSWERS = {
    "not XML": (b"<html>", "not XML"),
    "another document": (b"<a/>", "no multistatus"),
    "a document type": (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "document type"),
    "depth": (b"<a>" * 100_000, "nested too deep"),
    "binary": (b"\xff\xfe\x00", "not XML"),
    "cards of another server": (naming("http://evil.example/x"), "another server: evil.example"),
    "no URL": (naming("http://[x"), "no URL"),
}


@pytest.mark.parametrize("case", ODD_ANSWERS)
async def test_odd_answers_are_problems(
    server: Server, http: aiohttp.ClientSession, case: str
) -> None:
    body, problem = ODD_ANSWERS[case]
    book = book_at(server.book, http)
    await book.find()
    server.answers["REPORT"] = aiohttp_web.Response(status=207, body=body)
    with pytest.raises(SourceProblem, match=problem):
        await book.changes("", {})


async def test_a_server_that_can_do_nothing_is_told(
    server: Server, http: aiohttp.ClientSession
) -> None:
    book = book_at(server.book, http)
    await book.find()
    for method in ("REPORT", "PROPFIND"):
        server.answers[method] = aiohttp_web.Response(status=500)
    with pytest.raises(SourceProblem, match="answers 500 instead of the address book"):
        await book.changes("", {})
    server.answers["GET"] = aiohttp_web.Response(status=500)
    with pytest.raises(SourceProblem, match="answers 500 instead of the card"):
        await book.card(f"{BOOK}a.vcf")


async def test_a_card_is_written_only_over_the_one_that_was_read(
    server: Server, http: aiohttp.ClientSession
) -> None:
    server.put("a.vcf", card("Ann"))
    book = book_at(server.book, http)
    read = await book.card(f"{BOOK}a.vcf")
    assert read is not None
    assert await book.put(replace(read, text=card("Anne")))
    assert not await book.put(replace(read, text=card("Anna")))
    assert "FN:Anne" in server.cards["a.vcf"]
    assert await book.card(f"{BOOK}b.vcf") is None


@needs_radicale
async def test_radicale_is_followed_and_written_to(db: Database, tmp_path: Path) -> None:
    """Another's server, which knows nothing of ours."""
    async with radicale(tmp_path) as server:
        source = Source(
            name="book",
            kind=SourceKind.CARDDAV,
            url=server.url,  # the book itself is found
            username=USER,
            password=Secret(PASSWORD),
            manner=Manner("US"),
            write=True,
        )
        sync = ContactSync(db, [], now=lambda: NOON)
        photo = "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ"
        for n, name in enumerate(["Ann", "Bob ä", "Cid"]):
            text = card(name, f"TEL;TYPE=CELL:+1212555010{n}", photo, "CATEGORIES:VIP", uid=f"u{n}")
            await server.put(f"{n} ü.vcf", text)
        assert str(await sync.read(source)) == "3 new"
        assert str(await sync.read(source)) == "nothing new"
        await server.put("0 ü.vcf", card("Anne", "TEL:+12125550100", photo, uid="u0"))
        await server.delete("1 ü.vcf")
        assert str(await sync.read(source)) == "1 changed, 1 removed"
        anne = await db.read(lambda tx: contacts.of_number(tx, "+12125550100"))
        assert anne is not None
        named = replace(anne.contact, name="Anne Müller", notes="here; there, everywhere")
        await db.run(lambda tx: contacts.edit(tx, anne.row_id, named, by="eve", now=NOON))
        assert str(await sync.read(source)) == "1 written back"
        text = await server.get("0 ü.vcf")
        assert "FN:Anne Müller" in text
        assert "NOTE:here\\; there\\, everywhere" in text
        assert "/9j/4AAQ" in text
        assert str(await sync.read(source)) == "nothing new"
        await server.make(server.url / USER / "private" / "")
        with pytest.raises(SourceProblem, match="several address books"):
            await sync.read(source)
