"""A small CardDAV server that follows RFC 6352, 6578 and 4918, and can be as odd as real ones are.

One address book at `/dav/books/ann/office/`, found from `/.well-known/carddav` on.
"""

import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from aiohttp import web
from yarl import URL

USER, PASSWORD = "ann", "s3cret, with ä"
BOOK, HOME, PRINCIPAL = "/dav/books/ann/office/", "/dav/books/ann/", "/dav/principals/ann/"
D, C = "{DAV:}", "{urn:ietf:params:xml:ns:carddav}"
#: Requests a redirect or an odd server may be given besides those of HTTP.
METHODS = ("PROPFIND", "REPORT", "GET", "PUT", "DELETE")


def card(name: str, *lines: str, uid: str = "u", version: str = "3.0") -> str:
    inside = "".join(f"{line}\r\n" for line in lines)
    return (
        f"BEGIN:VCARD\r\nVERSION:{version}\r\nUID:{uid}\r\nFN:{name}\r\n"
        f"N:{name};;;;\r\n{inside}END:VCARD\r\n"
    )


@dataclass
class Server:
    """What it has, what it cannot do, and what it was asked."""

    cards: dict[str, str] = field(default_factory=dict)
    with_sync: bool = True
    with_multiget: bool = True
    quotes: bool = True  #: hrefs are written as they should be
    writable: bool = True
    piece: int = 0  #: changes told in one answer; 0 is all
    books: int = 1
    forgets: bool = False  #: no token of an earlier time is known any more
    answers: dict[str, web.Response] = field(default_factory=dict)  #: instead of its own, by method
    meanwhile: list[tuple[str, str]] = field(default_factory=list)  #: written just before a PUT
    asked: list[tuple[str, str]] = field(default_factory=list)
    authorised: list[str] = field(default_factory=list)  #: Authorization headers
    url: URL = field(default_factory=URL)
    _log: list[str] = field(default_factory=list)  #: names in the order in which they changed

    @property
    def book(self) -> URL:
        return self.url.with_path(BOOK)

    def put(self, name: str, text: str) -> None:
        self.cards[name] = text
        self._log.append(name)

    def delete(self, name: str) -> None:
        del self.cards[name]
        self._log.append(name)

    def etag(self, name: str) -> str:
        return f'"{hashlib.sha256(self.cards[name].encode()).hexdigest()[:16]}"'

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Server"]:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = URL(f"http://{host}:{port}/")
        try:
            yield self
        finally:
            await runner.cleanup()

    def count(self, method: str) -> int:
        return sum(asked == method for asked, _ in self.asked)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path))
        self.authorised.append(request.headers.get("Authorization", ""))
        login = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.authorised[-1] != login:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="books"'})
        if request.method in self.answers:
            odd = self.answers[request.method]
            return web.Response(status=odd.status, headers=odd.headers, body=odd.body)
        if request.path == "/.well-known/carddav":
            return web.Response(status=301, headers={"Location": "/dav/"})
        body = await request.read()
        return self._answer(request, body)

    def _answer(self, request: web.Request, body: bytes) -> web.Response:
        name = request.path.removeprefix(BOOK)
        match request.method:
            case "PROPFIND":
                return self._propfind(request.path, request.headers["Depth"])
            case "REPORT" if request.path == BOOK:
                return self._report(ET.fromstring(body))  # noqa: S314 - from our own client
            case "GET" if request.path.startswith(BOOK):
                return self._get(name)
            case "PUT" if request.path.startswith(BOOK):
                return self._put(name, request.headers.get("If-Match"), body.decode())
        return web.Response(status=404)

    def _propfind(self, path: str, depth: str) -> web.Response:
        principal = (
            f"<D:current-user-principal><D:href>{PRINCIPAL}</D:href></D:current-user-principal>"
        )
        collection = "<D:resourcetype><D:collection/></D:resourcetype>"
        if path in {"/dav/", "/"}:
            return _multistatus(_response(path, collection + principal))
        if path == PRINCIPAL:
            home = f"<C:addressbook-home-set><D:href>{HOME}</D:href></C:addressbook-home-set>"
            return _multistatus(_response(path, home))
        if path == HOME:
            books = [f"/dav/books/ann/book{n}/" for n in range(1, self.books)]
            books += [BOOK] if self.books else []
            return _multistatus(
                _response(HOME, collection), *(_response(one, self._book()) for one in books)
            )
        if path != BOOK:
            return web.Response(status=404)
        own = _response(BOOK, self._book())
        if depth == "0":
            return _multistatus(own)
        return _multistatus(own, *(self._etag_of(name) for name in self.cards))

    def _book(self) -> str:
        token = f"<D:sync-token>{self._token()}</D:sync-token>" if self.with_sync else ""
        kind = "<D:resourcetype><D:collection/><C:addressbook/></D:resourcetype>"
        return f"{kind}<D:displayname>Office &amp; Co</D:displayname>{token}"

    def _token(self, at: int | None = None) -> str:
        return f"http://example.com/sync/{len(self._log) if at is None else at}"

    def _report(self, asked: ET.Element) -> web.Response:
        if asked.tag == f"{C}addressbook-multiget" and self.with_multiget:
            return _multistatus(*(self._data_of(h.text or "") for h in asked.iter(f"{D}href")))
        if asked.tag == f"{D}sync-collection" and self.with_sync:
            return self._changes(asked.findtext(f"{D}sync-token") or "")
        return web.Response(status=415)

    def _changes(self, token: str) -> web.Response:
        if token and self.forgets:
            error = '<D:error xmlns:D="DAV:"><D:valid-sync-token/></D:error>'
            return web.Response(status=403, text=error, content_type="application/xml")
        since = int(token.rpartition("/")[2]) if token else 0
        upto = min(since + self.piece, len(self._log)) if self.piece else len(self._log)
        changed = list(dict.fromkeys(self._log[since:upto]))
        told = [
            self._etag_of(name)
            if name in self.cards
            else f"<D:response><D:href>{self._href(name)}</D:href><D:status>HTTP/1.1 404 Not Found"
            "</D:status></D:response>"
            for name in changed
            if name in self.cards or token
        ]
        if upto < len(self._log):
            told.append(
                f"<D:response><D:href>{BOOK}</D:href>"
                "<D:status>HTTP/1.1 507 Insufficient Storage</D:status></D:response>"
            )
        return _multistatus(*told, after=f"<D:sync-token>{self._token(upto)}</D:sync-token>")

    def _href(self, name: str) -> str:
        return BOOK + (quote(name) if self.quotes else escape(name))

    def _etag_of(self, name: str) -> str:
        return _response(self._href(name), f"<D:getetag>{escape(self.etag(name))}</D:getetag>")

    def _data_of(self, href: str) -> str:
        name = unquote(href).removeprefix(BOOK)
        if name not in self.cards:
            return (
                f"<D:response><D:href>{href}</D:href><D:status>HTTP/1.1 404</D:status></D:response>"
            )
        etag = f"<D:getetag>{escape(self.etag(name))}</D:getetag>"
        data = f"<C:address-data>{escape(self.cards[name])}</C:address-data>"
        return _response(href, etag + data)

    def _get(self, name: str) -> web.Response:
        if name not in self.cards:
            return web.Response(status=404)
        body = self.cards[name].encode()
        return web.Response(body=body, headers={"ETag": self.etag(name)}, content_type="text/vcard")

    def _put(self, name: str, if_match: str | None, text: str) -> web.Response:
        if self.meanwhile:
            self.put(*self.meanwhile.pop(0))
        if not self.writable:
            return web.Response(status=403)
        if if_match is None or name not in self.cards or if_match != self.etag(name):
            return web.Response(status=412)
        self.put(name, text)
        return web.Response(status=204)


def _response(href: str, props: str) -> str:
    missing = "<D:propstat><D:prop><C:nothing/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status>"
    return (
        f"<D:response><D:href>{escape(href)}</D:href>"
        f"<D:propstat><D:prop>{props}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
        f"{missing}</D:propstat></D:response>"
    )


def _multistatus(*responses: str, after: str = "") -> web.Response:
    text = (
        '<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"'
        f' xmlns:C="urn:ietf:params:xml:ns:carddav">{"".join(responses)}{after}</D:multistatus>'
    )
    return web.Response(status=207, text=text, content_type="application/xml")
