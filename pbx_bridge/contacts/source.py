"""One source of contacts: what it tells now that it did not tell before."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from ssl import SSLContext

import aiohttp
from yarl import URL

from pbx_bridge.contacts.carddav import AddressBook, Card
from pbx_bridge.contacts.files import read
from pbx_bridge.contacts.reading import Manner, Reading, Unreadable
from pbx_bridge.contacts.web import SourceProblem, Web, refusal
from pbx_bridge.core.merge import flat
from pbx_bridge.core.told import Told
from pbx_bridge.secret import Secret

_NOT_MODIFIED, _FOUND = 304, 200


class SourceKind(StrEnum):
    CARDDAV = "carddav"  #: an address book on a CardDAV server
    HTTP = "http"  #: a .vcf or .csv file on a web server


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source as it is configured."""

    name: str
    kind: SourceKind
    url: URL
    username: str = ""
    password: Secret | None = field(default=None, repr=False)
    tls: SSLContext | None = None
    every: timedelta = timedelta(hours=1)
    manner: Manner
    write: bool = False  #: whether what people decide here is written back

    def web(self, session: aiohttp.ClientSession) -> Web:
        """Give its server."""
        return Web(self.url, session, self.username, self.password, self.tls)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a source tells now. `known` is how many entries it had before."""

    told: tuple[Told, ...] = ()
    gone: frozenset[str] = frozenset()
    known: int = 0
    cursor: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def shrinks(self) -> bool:
        """Whether it lost more than half of what it had."""
        return len(self.gone) * 2 > self.known


async def file_news(
    source: Source, session: aiohttp.ClientSession, cursor: str, known: Mapping[str, str]
) -> News | None:
    """Read a file on a web server; None if it has not changed. `cursor` is its ETag.

    Raises:
        SourceProblem: it cannot be had, or is no file of contacts.

    """
    headers = {"If-None-Match": cursor} if cursor else {}
    answer = await source.web(session).ask("GET", source.url, headers=headers)
    if answer.status == _NOT_MODIFIED and cursor:
        return None
    if answer.status != _FOUND:
        raise refusal(answer, "file")
    try:
        reading = await asyncio.to_thread(read, answer.body, source.manner)
    except Unreadable as error:
        raise SourceProblem(f"{answer.url.path}, {error}") from error
    told = [one for one in map(_identified, reading.told) if one.uid]
    # What could not be read is not gone.
    gone = set() if reading.is_incomplete else known.keys() - {one.uid for one in told}
    return News(
        told=tuple(one for one in told if known.get(one.uid) != one.etag),
        gone=frozenset(gone),
        known=len(known),
        cursor=answer.headers.get("ETag", ""),
        remarks=_remarks(reading),
    )


async def book_news(
    book: AddressBook, source: Source, token: str, known: Mapping[str, str]
) -> News:
    """Read what changed in an address book.

    Raises:
        SourceProblem: the server does not tell.

    """
    changes = await book.changes(token, known)
    # Those without an ETag are to be read again, see `core.matching`.
    again = (href for href, etag in known.items() if not etag and href not in changes.gone)
    told: list[Told] = []
    remarks: list[str] = []
    async for card in book.cards(list(dict.fromkeys((*changes.changed, *again)))):
        one, said = await asyncio.to_thread(of_card, card, source.manner)
        told += [] if one is None else [one]
        remarks += said
    return News(
        told=tuple(told),
        gone=changes.gone,
        known=len(known),
        cursor=changes.token,
        remarks=tuple(remarks),
    )


def of_card(card: Card, manner: Manner) -> tuple[Told | None, tuple[str, ...]]:
    """Read a card of an address book, which is known there by its href."""
    try:
        reading = read(card.text.encode(), manner)
    except Unreadable as error:
        return None, (f"{card.href}: {error}",)
    remarks = tuple(f"{card.href}, {remark}" for remark in _remarks(reading))
    if not reading.told:
        return None, remarks
    return replace(reading.told[0], uid=card.href, etag=card.etag, line=0), remarks


def _remarks(reading: Reading) -> tuple[str, ...]:
    return tuple(f"line {remark.line}: {remark.text}" for remark in reading.remarks)


def _identified(one: Told) -> Told:
    """Give an entry of a file an id if it has none, and what tells whether it has changed."""
    contact = one.said.contact
    ids = [one.uid] if one.uid else []
    ids += [f"tel:{number}" for number in sorted(contact.numbers)]
    ids += [f"mailto:{contact.email}"] if contact.email else []
    said = repr((sorted(one.said.fields), sorted(flat(contact).items())))
    etag = hashlib.sha256(said.encode(errors="replace")).hexdigest()
    return replace(one, uid=next(iter(ids), ""), etag=etag)
