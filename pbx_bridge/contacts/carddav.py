"""An address book on a CardDAV server (RFC 6352): what changed in it, its cards, writing one back.

Changes are told by a sync token (RFC 6578) where the server has one, else by comparing ETags.
"""

import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass

from yarl import URL

from pbx_bridge.contacts import dav
from pbx_bridge.contacts.dav import CARD, DAV, NotXml, Response
from pbx_bridge.contacts.web import Answer, SourceProblem, Web, refusal

MULTISTATUS = 207
_GOOD = frozenset({200, 201, 204})
#: Cards asked for in one request.
_TOGETHER = 50
#: Answers of a server that tells its changes in pieces.
_MOST_PIECES = 1000

_BOOK = f"{{{CARD}}}addressbook"
_ETAG, _DATA, _TYPE = f"{{{DAV}}}getetag", f"{{{CARD}}}address-data", f"{{{DAV}}}resourcetype"
_TOKEN, _PRINCIPAL = f"{{{DAV}}}sync-token", f"{{{DAV}}}current-user-principal"
_HOME, _NAME = f"{{{CARD}}}addressbook-home-set", f"{{{DAV}}}displayname"
#: An href as it should be; some servers write blanks and umlauts as they are.
_ENCODED = re.compile(r"(?:[\w.~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-F]{2})*", re.ASCII | re.IGNORECASE)
_ASKED = (
    *("D:resourcetype", "D:sync-token", "D:current-user-principal", "D:displayname"),
    "C:addressbook-home-set",
)


@dataclass(frozen=True, slots=True)
class Card:
    """A card as the server has it; `href` is the path by which the server knows it."""

    href: str
    etag: str
    text: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What the server has that we do not, or not so, and what it has no more."""

    changed: tuple[str, ...]
    gone: frozenset[str]
    token: str  #: to ask from the next time; empty if the server has none


class AddressBook:
    """One address book; `url` is its own, or one from which it can be found."""

    def __init__(self, web: Web, url: URL) -> None:
        self._web = web
        self._url = url
        self._has_token = False

    async def find(self) -> None:
        """Find the address book: at the URL, or as the only one of whom the login belongs to.

        Raises:
            SourceProblem: there is none, or there are several; the text names them.

        """
        (_, answer), here = await self._properties(self._url, depth=0)
        if here is not None and _is_book(here):
            self._take(answer.url, here)
            return
        if here is None or not here.href_of(_PRINCIPAL):
            (_, answer), here = await self._properties(
                self._url.with_path("/.well-known/carddav"), depth=0
            )
        books = await self._books(answer.url, here) if here is not None else []
        if not books:
            raise SourceProblem(
                f"there is no address book at {self._url.host}{self._url.path}; write the URL of "
                "one, as the server shows it"
            )
        if len(books) > 1:
            names = ", ".join(f"{url} ({one.text(_NAME)})" for url, one in books)
            raise SourceProblem(f"there are several address books; choose one as url: {names}")
        self._take(*books[0])

    async def changes(self, token: str, known: Mapping[str, str]) -> Changes:
        """Tell what changed; `known` has the hrefs that we know, with their ETags.

        Raises:
            SourceProblem: the server does not tell.

        """
        if self._has_token:
            for start in dict.fromkeys((token, "")):  # an old token may be forgotten there
                told = await self._since(start, known)
                if told is not None:
                    return told
        answer = await self._report("PROPFIND", dav.propfind("D:getetag"), depth="1")
        if answer.status != MULTISTATUS:
            raise refusal(answer, "address book")
        etags = self._etags(_read(answer)[0])
        return _compared(etags, known, known.keys() - etags.keys(), "")

    async def cards(self, hrefs: Sequence[str]) -> AsyncIterator[Card]:
        """Give cards; one that is gone meanwhile is left out.

        Raises:
            SourceProblem: the server does not give them.

        """
        for start in range(0, len(hrefs), _TOGETHER):
            some = hrefs[start : start + _TOGETHER]
            answer = await self._report("REPORT", dav.multiget(some), depth="0")
            if answer.status == MULTISTATUS:
                for one in _read(answer)[0]:
                    if _DATA in one.found:
                        yield Card(self._path(one.href), one.text(_ETAG), one.text(_DATA))
                continue
            for href in some:  # some servers know no such report
                if (card := await self.card(href)) is not None:
                    yield card

    async def card(self, href: str) -> Card | None:
        """Give one card as it is now; None if it is gone.

        Raises:
            SourceProblem: the server does not give it.

        """
        answer = await self._web.ask("GET", self._at(href), headers={"Accept": "text/vcard"})
        if answer.status in {404, 410}:
            return None
        if answer.status not in _GOOD:
            raise refusal(answer, "card")
        text = answer.body.decode("utf-8", errors="replace")
        return Card(href, answer.headers.get("ETag", ""), text)

    async def put(self, card: Card) -> bool:
        """Write a card over the one that had its ETag; False if that has changed meanwhile.

        Raises:
            SourceProblem: the server does not take it.

        """
        headers = {"If-Match": card.etag, "Content-Type": "text/vcard; charset=utf-8"}
        answer = await self._web.ask(
            "PUT", self._at(card.href), headers=headers, body=card.text.encode()
        )
        if answer.status in {404, 409, 410, 412}:
            return False
        if answer.status not in _GOOD:
            raise SourceProblem(
                f"{self._url.host} does not let itself be written to ({answer.status});"
                " give the user that right, or set write = false"
            )
        return True

    def _take(self, url: URL, found: Response) -> None:
        self._url = url
        self._has_token = bool(found.text(_TOKEN))

    async def _since(self, token: str, known: Mapping[str, str]) -> Changes | None:
        """Tell the changes since a token; None if the server does not tell them from there."""
        etags: dict[str, str] = {}
        gone: set[str] = set()
        following = token
        for _ in range(_MOST_PIECES):
            answer = await self._report("REPORT", dav.sync_collection(following), depth="0")
            if answer.status != MULTISTATUS:
                return None
            responses, following = _read(answer)
            if not following:
                return None
            for one in responses:
                if one.status in {404, 410}:
                    gone.add(self._path(one.href))
                    etags.pop(self._path(one.href), None)
            told = self._etags(responses)
            etags |= told
            gone -= told.keys()
            if not any(one.status == 507 for one in responses):  # noqa: PLR2004 - in pieces
                break
        if not token:
            gone = set(known.keys() - etags.keys())
        return _compared(etags, known, gone & known.keys(), following)

    async def _books(self, at: URL, here: Response) -> list[tuple[URL, Response]]:
        """Find the address books of whom the login belongs to (RFC 6352, 7.1)."""
        home = here.href_of(_HOME)
        if not home and (principal := here.href_of(_PRINCIPAL)):
            (_, answer), found = await self._properties(at.join(URL(principal)), depth=0)
            at, home = answer.url, found.href_of(_HOME) if found is not None else ""
        if not home:
            return []
        (responses, answer), _ = await self._properties(at.join(URL(home)), depth=1)
        return [(answer.url.join(URL(one.href)), one) for one in responses if _is_book(one)]

    async def _properties(
        self, url: URL, *, depth: int
    ) -> tuple[tuple[list[Response], Answer], Response | None]:
        """Ask for the properties of a resource, or of those in it too."""
        body = dav.propfind(*_ASKED)
        headers = {"Depth": str(depth), "Content-Type": "application/xml; charset=utf-8"}
        answer = await self._web.ask("PROPFIND", url, headers=headers, body=body)
        if answer.status in {401, 403}:
            raise refusal(answer, "address book")
        responses = _read(answer)[0] if answer.status == MULTISTATUS else []
        return (responses, answer), next(iter(responses), None)

    async def _report(self, method: str, body: bytes, *, depth: str) -> Answer:
        headers = {"Depth": depth, "Content-Type": "application/xml; charset=utf-8"}
        return await self._web.ask(method, self._url, headers=headers, body=body)

    def _etags(self, responses: Collection[Response]) -> dict[str, str]:
        """Give the ETags of what is in the collection, without those of collections."""
        own = self._url.raw_path.rstrip("/")
        return {
            path: one.text(_ETAG)
            for one in responses
            if _ETAG in one.found
            and not (path := self._path(one.href)).endswith("/")
            and path != own
        }

    def _path(self, href: str) -> str:
        """Give the path of an href, as the server writes it."""
        url = self._at(href)
        if not self._web.is_ours(url):
            raise SourceProblem(f"{self._url.host} names cards on another server: {url.host}")
        return url.raw_path

    def _at(self, href: str) -> URL:
        try:
            return self._url.join(URL(href, encoded=_ENCODED.fullmatch(href) is not None))
        except ValueError as error:
            raise SourceProblem(f"{self._url.host} names a card by what is no URL") from error


def _compared(
    etags: Mapping[str, str], known: Mapping[str, str], gone: Collection[str], token: str
) -> Changes:
    changed = (href for href, etag in etags.items() if not etag or known.get(href) != etag)
    return Changes(tuple(changed), frozenset(gone), token)


def _is_book(response: Response) -> bool:
    kinds = response.found.get(_TYPE)
    return kinds is not None and kinds.find(_BOOK) is not None


def _read(answer: Answer) -> tuple[list[Response], str]:
    try:
        return dav.multistatus(answer.body)
    except NotXml as error:
        raise SourceProblem(f"{answer.url.host} answers what is {error}") from error
