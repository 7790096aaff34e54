"""Every route, attacked: what is sent is data, whatever it looks like and wherever it stands.

The routes, and the names of their fields, are asked for by themselves, so that a new one is
attacked too.
"""

import json
import random
import re
import resource
import sqlite3
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientConnectionError, ClientResponse, FormData
from yarl import URL

from pbx_bridge import web
from pbx_bridge.core.roles import Role
from pbx_bridge.web.routes import Route
from pbx_bridge.web.views import routes
from tests.security.wire import Call, Wire
from tests.web.api.filled import filled
from tests.web.door import Browser, Door, csrf_of, door
from tests.web.test_routes import GUARDED, PART, PARTS

BASE = "/bridge"
#: They answer for as long as somebody listens.
PATIENT = {"/events", "/api/v1/events"}
ROUTES = tuple(routes())
#: Known by their names in the source of the page.
SOURCE = "\n".join(path.read_text() for path in Path(web.__path__[0]).rglob("*.py"))
FIELDS = tuple(
    sorted(
        set(
            re.findall(
                r"""(?:query\.get\(|query\[|form\[|form\.(?:all|file)\()["']([\w-]+)""", SOURCE
            )
        )
        | {"sort", "limit", "cursor", "since", "from", "id", "order", "fields"}
    )
)
MARK = "pwned"
PAYLOADS = (
    # SQL
    "' OR '1'='1", "1; DROP TABLE web_user;--", "' UNION SELECT password FROM web_user--",
    "1' AND (SELECT 1 FROM (SELECT randomblob(900000000)))--",
    '") OR 1=1 --', "%' AND 1=randomblob(9)--", "\x00'",
    # HTML and scripts
    f"<{MARK} on{MARK}=x>", f'"><{MARK} on{MARK}=x a="', f"' on{MARK}='x", f"</script><{MARK}>",
    f"</textarea></title><{MARK}>", f"javascript:{MARK}()", f"<img src=x on{MARK}=1>",
    "{{7*7}}{% debug %}", "${7*7}#{7*7}", "{0.__class__}", "%(name)s%n%s",
    # lines
    f"x\r\nX-{MARK}: 1\r\n\r\n<{MARK}>", f"x\nSet-Cookie: {MARK}=1", f"x\u2028X-{MARK}: 1",
    # elsewhere
    f"//{MARK}.example/", f"https://{MARK}.example/", f"\\\\{MARK}.example", f"/\\{MARK}.example",
    f"/{MARK}@{MARK}.example", f"//{BASE}/..//{MARK}.example",
    # files
    "../../../../etc/passwd", "....//....//etc/passwd", "/etc/passwd", "..\\..\\windows",
    "file:///etc/passwd", "pbx-bridge.toml", "pbx-bridge.db",
    # numbers and sizes
    "-1", "0", "99999999999999999999", "1e309", "NaN", "٣", "0x10", "1_0", " 1", "true", "null",
    "[]", "{}", "a" * 5_000, "9" * 5_000, "2026-13-45", "0001-01-01", "9999-12-31", "\ud7ff\uffff",
    "=cmd|' /C calc'!A0", "@SUM(1)", "\u202e\u0000\x1b[2J", "🛠" * 300,
)  # fmt: skip
OWN_SESSIONS = "/me/sessions/"
#: Of the payloads each route gets so many in CI.
IN_CI = 5
#: Answers whose contents everybody may keep.
FOR_EVERYBODY = {"/static/{name}", "/manifest.webmanifest", "/login/oidc", "/metrics", "/healthz"}


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Door]:
    (tmp_path / "pbx-bridge.db").write_bytes(filled())
    (tmp_path / "canary.txt").write_text("root:x:canary")
    section = 'public_url = "http://127.0.0.1:8088/bridge"'
    async with door(tmp_path, web_section=section, base=BASE) as made:
        for role in Role:
            await made.user(role.value, role)
        yield made


async def logged_in(page: Door, role: Role) -> tuple[Browser, str]:
    browser = await page.browser()
    assert (await browser.log_in(role.value, base=BASE)).status == 303
    return browser, csrf_of(await (await browser.get(f"{BASE}/me")).text())


# -- what must not be in an answer ------------------------------------------------------------


@dataclass
class Elements(HTMLParser):
    """What a browser would make of a page."""

    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == MARK:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            inert = name not in {"href", "src", "action", "formaction", "hx-get", "hx-post"}
            goes = re.sub(r"[\s\x00-\x20]", "", value or "").lower()
            if name.startswith("on") or (
                not inert
                and (
                    goes.startswith(("javascript:", "data:text", "vbscript:", "//"))
                    or (goes.startswith(("http:", "https:")) and MARK in goes)
                )
            ):
                self.found.append(f"{tag} {name}={value}")


async def judge(route: Route, answer: ClientResponse, payload: str) -> None:
    """Refuse whatever an attacker would like to see."""
    about = f"{route.method} {route.path} with {payload[:60]!r}: {answer.status}"
    assert answer.status < 500, about
    for name, value in answer.headers.items():
        assert MARK not in name.lower(), about
        assert name != "Set-Cookie" or not value.startswith(MARK), about
    going = answer.headers.get("Location", "") or answer.headers.get("HX-Redirect", "")
    if going:
        assert going.startswith(f"{BASE}/"), (about, going)
        assert not going.startswith(f"{BASE}//"), (about, going)
        assert "\\" not in going
    if answer.status == 400 and "X-Content-Type-Options" not in answer.headers:
        assert answer.content_type == "text/plain", about  # no HTTP: it never came to us
        return
    assert answer.headers["X-Content-Type-Options"] == "nosniff", about
    assert answer.headers["X-Frame-Options"] == "DENY", about
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], about
    if route.path not in FOR_EVERYBODY and answer.status < 400:
        # A program may keep an answer and ask whether it still holds, nobody else may.
        kept = "private, no-cache" if route.api else "no-store"
        assert answer.headers.get("Cache-Control", "") in {kept, "no-store", "private, no-store"}
    if answer.content_type == "text/event-stream":
        answer.close()
        return
    text = await answer.text(errors="replace")
    assert "root:x:" not in text, about
    assert "$argon2" not in text, about
    assert "Traceback" not in text, about
    assert "sqlalchemy" not in text.lower(), about
    if answer.content_type == "text/html":
        elements = Elements()
        elements.feed(text)
        assert elements.found == [], about
        # arithmetic of the templates' and nobody else's
        assert "{{7*7}}" not in payload or "49{%" not in text, about
    elif text:
        assert answer.content_type in {
            "application/json", "application/problem+json", "text/csv", "text/css",
            "application/manifest+json", "text/plain", "text/javascript", "image/svg+xml",
            "application/javascript", "text/vcard", "application/zip",
        }, about  # fmt: skip


def filled_path(route: Route, payload: str) -> str:
    """Give a path with the payload in each part that takes it."""

    def fill(part: "re.Match[str]") -> str:
        _, _, pattern = part[1].partition(":")
        if re.fullmatch(pattern or r"[^{}/]+", payload):
            return quote(payload, safe="")
        return next(one for one in PARTS if re.fullmatch(pattern or "[^{}/]+", one))

    return BASE + PART.sub(fill, route.path)


def some(route: Route, *, nightly: bool) -> list[str]:
    """Give the payloads of a route: all, or others for each."""
    if nightly:
        return list(PAYLOADS)
    dice = random.Random(f"{route.method} {route.path}")  # noqa: S311 - the same each time
    return dice.sample(PAYLOADS, IN_CI)


def tables(file: Path) -> dict[str, int]:
    with closing(sqlite3.connect(file)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        count = 'SELECT count(*) FROM "{}"'
        return {name: db.execute(count.format(name)).fetchone()[0] for name in names}


async def test_what_is_sent_is_data_wherever_it_stands(
    page: Door, tmp_path: Path, *, nightly: bool
) -> None:
    """SQL, HTML, templates, header lines, redirects, files, numbers: in paths, queries, forms."""
    browser, csrf = await logged_in(page, Role.ADMIN)
    before = tables(tmp_path / "pbx-bridge.db")
    asked = 0
    for route in ROUTES:
        if route.path in PATIENT or route.path == "/logout" or route.path.startswith(OWN_SESSIONS):
            continue  # they would end this very session, and make the rest no test
        for payload in some(route, nightly=nightly):
            where = URL(filled_path(route, payload), encoded=True)
            values = dict.fromkeys(FIELDS[:3] if len(payload) > 500 else FIELDS, payload)
            more: dict[str, Any] = {"headers": {"X-CSRF-Token": csrf}}
            if route.writes and route.api:
                more["json"] = values
            elif route.writes:
                more["data"] = values
            else:
                where = where.with_query(values)
            async with browser.client.request(
                route.method, where, allow_redirects=False, **more
            ) as answer:
                await judge(route, answer, payload)
            asked += 1
    assert asked > 90 * IN_CI
    after = tables(tmp_path / "pbx-bridge.db")
    assert after.keys() == before.keys()
    assert after["web_user"] == len(Role)
    # What is done by the routes that do it: an office of one number may be erased or reworded.
    shrunk = {name for name in before if after[name] < before[name]}
    assert shrunk <= {"contact", "contact_number", "contact_origin", "web_session"}
    assert (await browser.get(f"{BASE}/people")).status == 200  # still who we were


@pytest.mark.parametrize("place", ["Cookie", "Referer", "User-Agent", "Accept-Language", "Range",
                                   "X-Forwarded-For", "HX-Target", "If-None-Match",
                                   "Last-Event-ID", "Authorization", "HX-Request"])  # fmt: skip
async def test_headers_are_data_too(page: Door, place: str, *, nightly: bool) -> None:
    browser, _ = await logged_in(page, Role.ADMIN)
    inner = [one for one in PAYLOADS if one.isascii() and one.isprintable() and len(one) < 4_000]
    for route in ROUTES if nightly else random.Random(place).sample(ROUTES, 12):  # noqa: S311
        if route.writes or route.path in PATIENT:
            continue
        for payload in inner if nightly else random.Random(route.path).sample(inner, 3):  # noqa: S311
            value = (
                f"pbxb_notice={quote(payload)}; pbxb_zone={payload}"
                if place == "Cookie"
                else (payload)
            )
            async with browser.client.request(
                route.method,
                URL(filled_path(route, "1"), encoded=True),
                allow_redirects=False,
                headers={"Accept": "text/html", place: value},
            ) as answer:
                await judge(route, answer, payload)


async def test_who_is_not_logged_in_is_led_nowhere_else(page: Door) -> None:
    """Also by a path that looks like a host; and the way back leads to us."""
    browser = await page.browser()
    for payload in PAYLOADS:
        for path in (
            f"{BASE}/login?next={quote(payload)}",
            f"{BASE}/{quote(payload, safe='/')}",
            f"{BASE}/calls?next={quote(payload)}",
            f"{BASE}/login/oidc?next={quote(payload)}",
            f"{BASE}/welcome?link={quote(payload)}",
        ):
            async with browser.client.get(
                URL(path, encoded=True), allow_redirects=False, headers={"Accept": "text/html"}
            ) as answer:
                await judge(next(r for r in ROUTES if r.path == "/login"), answer, payload)
        if MARK not in payload or "<" in payload:
            continue  # twenty times in a quarter of an hour are enough for one address
        async with await browser.log_in("admin", base=BASE, wanted=payload) as answer:
            assert answer.headers["Location"].startswith(f"{BASE}/")
            assert MARK + ".example" not in answer.headers["Location"].partition("?")[0] or (
                answer.headers["Location"].startswith(f"{BASE}/{MARK}@")
            )
        await browser.fill(f"{BASE}/me", f"{BASE}/logout")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1:8088@evil.example"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
        {"Forwarded": "host=evil.example;proto=https"},
        {"X-Original-URL": "/bridge/people", "X-Rewrite-URL": "/bridge/people"},
        {"X-Forwarded-Prefix": "//evil.example", "X-Script-Name": "//evil.example"},
        {"X-HTTP-Method-Override": "POST", "X-Method-Override": "DELETE"},
    ],
)
async def test_no_header_moves_our_address(page: Door, headers: dict[str, str]) -> None:
    """Behind a proxy too: the public address is the configuration's."""
    browser, _ = await logged_in(page, Role.ADMIN)
    stranger = await page.browser()
    for path in ("/", "/login", "/people", "/api", "/api/v1/openapi.json", "/setup", "/none"):
        for who in (browser, stranger):
            answer = await who.get(BASE + path, **headers)
            told = await answer.text() + "\n".join(f"{k}: {v}" for k, v in answer.headers.items())
            assert "evil.example" not in told, path
    answer = await stranger.get(f"{BASE}/login", **headers)
    assert answer.status == 200
    invited = await browser.fill(
        f"{BASE}/people", f"{BASE}/people/invite", {"name": "", "role": "agent"}, **headers
    )
    assert "evil.example" not in await invited.text()


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "FOO")


async def test_another_method_opens_nothing(page: Door) -> None:
    """Nobody who is not logged in, and no viewer, gets anywhere by another verb."""
    stranger, (viewer, csrf) = await page.browser(), await logged_in(page, Role.VIEWER)
    paths = {PART.sub(_any_part, route.path) for route in GUARDED}
    for path in sorted(paths):
        for method in METHODS:
            answer = await stranger.client.request(
                method, BASE + path, allow_redirects=False, headers={"Accept": "text/html"}
            )
            assert answer.status in {303, 400, 401, 404, 405}, f"{method} {path}"
    for route in GUARDED:
        assert route.role is not None
        if Role.VIEWER.may(route.role):
            continue
        path = PART.sub(_any_part, route.path)
        own = {r.method for r in GUARDED if r.role is Role.VIEWER and _same(r, path)}
        for method in METHODS:
            if method in own:
                continue
            answer = await viewer.client.request(
                method, BASE + path, allow_redirects=False, headers={"X-CSRF-Token": csrf}
            )
            assert answer.status in {400, 403, 404, 405}, f"{method} {path}"


def _any_part(part: "re.Match[str]") -> str:
    _, _, pattern = part[1].partition(":")
    return next(one for one in PARTS if re.fullmatch(pattern or "[^{}/]+", one))


def _same(route: Route, path: str) -> bool:
    read = [
        re.escape(one) if n % 2 == 0 else f"(?:{one.partition(':')[2] or '[^{}/]+'})"
        for n, one in enumerate(PART.split(route.path))
    ]
    return re.fullmatch("".join(read), path) is not None


# -- files --------------------------------------------------------------------------------------

UP = ("..", "%2e%2e", "%2E.", "..%2f", "%2e%2e%2f", "..%5c", "%252e%252e", "%c0%ae%c0%ae", "..;",
      "....//", "..%00", "%u002e")  # fmt: skip


async def test_no_path_leads_out(page: Door, tmp_path: Path) -> None:
    """Static files and recordings, over the wire as no library would send it."""
    (tmp_path / "voicemail").mkdir(exist_ok=True)
    browser, _ = await logged_in(page, Role.ADMIN)
    cookie = f"pbxb_session={browser.cookie()}".encode()
    port = browser.client.server.port
    assert port is not None
    seen: set[int] = set()
    async with Wire(port) as wire:
        for place in ("static", "voicemail", "calls", "", "api/v1/calls", "rules/edit"):
            for up in UP:
                for deep in (1, 3, 8):
                    for target in ("canary.txt", "etc/passwd", "pbx-bridge.toml", "server.py"):
                        path = f"{BASE}/{place}/{'/'.join([up] * deep)}/{target}"
                        call = Call("GET", path.encode(), ((b"Cookie", cookie),), b"")
                        seen.add(await wire.ask(call.octets()))
    assert seen <= {400, 404}, seen


# -- programs -------------------------------------------------------------------------------------

CONFUSED: tuple[Any, ...] = (
    None, True, 0, -1, 10**30, 1e308, "", [], [[]], {}, {"$ne": 1}, ["a"] * 1000, {"a": {"b": {}}},
    "x" * 70_000,
)  # fmt: skip
RAW = (
    b"", b"null", b"[]", b'"x"', b"{", b'{"a":1,"a":2}', b"NaN", b'{"number": Infinity}',
    b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"{}{}",
    b"1" * 9000,
    b'{"__proto__": {"role": "admin"}, "constructor": 1}', b"\x00", b'{"body": "\\ud800"}',
)  # fmt: skip


async def test_a_body_of_another_shape_is_a_mistake_of_the_sender(page: Door) -> None:
    """Types, depth, size, doubles, encodings: told in JSON, never a fault of ours."""
    client = (await page.browser()).client
    headers = {"Authorization": f"Bearer {await page.token(Role.ADMIN)}"}
    for route in [r for r in ROUTES if r.api and r.writes]:
        path = BASE + PART.sub(_any_part, route.path)
        bodies = [*RAW]
        for odd in CONFUSED:
            bodies.append(json.dumps(dict.fromkeys(FIELDS, odd)).encode())
            bodies.append(json.dumps(odd).encode())
        for body in bodies:
            for kind in ("application/json", "text/plain"):
                answer = await client.request(
                    route.method, path, data=BytesIO(body), headers=headers | {"Content-Type": kind}
                )
                assert answer.status < 500, (route.path, body[:80])
                kinds = {"application/problem+json", "application/json"}
                assert answer.status == 204 or answer.content_type in kinds


async def test_a_token_in_an_address_is_nobodys(page: Door) -> None:
    token = await page.token(Role.ADMIN)
    client = (await page.browser()).client
    for name in ("token", "access_token", "api_key", "apikey", "key", "auth", "Authorization"):
        answer = await client.get(f"{BASE}/api/v1/calls", params={name: token})
        assert answer.status == 401
        assert token not in await answer.text()
    answer = await client.get(f"{BASE}/api/v1/calls", headers={"Cookie": f"pbxb_session={token}"})
    assert answer.status == 401


async def test_a_form_of_another_site_cannot_write_as_a_program(page: Door) -> None:
    """A browser's session does not open writing API routes without the page's own token."""
    browser, _ = await logged_in(page, Role.ADMIN)
    for route in [r for r in ROUTES if r.api and r.writes]:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            answer = await browser.client.request(
                route.method, BASE + PART.sub(_any_part, route.path), data=b"{}",
                headers={"Content-Type": kind, "Origin": "https://evil.example"},
            )  # fmt: skip
            assert answer.status in {400, 403}, route.path


# -- other people's ------------------------------------------------------------------------------


async def test_nobody_ends_or_reads_another_persons_sessions(page: Door) -> None:
    boss, _ = await logged_in(page, Role.ADMIN)
    agent, csrf = await logged_in(page, Role.AGENT)
    for number in range(1, 30):
        await agent.client.post(
            f"{BASE}/me/sessions/{number}/end", data={"csrf": csrf}, allow_redirects=False
        )
        agent_still = await agent.get(f"{BASE}/me")
        if agent_still.status != 200:  # that one was theirs
            agent, csrf = await logged_in(page, Role.AGENT)
    assert (await boss.get(f"{BASE}/people")).status == 200
    told = await (await agent.get(f"{BASE}/me")).text()
    assert "admin" not in re.sub(r"<[^>]*>", " ", told).lower().split()


# -- too much -------------------------------------------------------------------------------------


def bomb(megabytes: int, kind: int) -> bytes:
    """Pack so many megabytes of nothing: gzip (31) or deflate (15)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, kind)
    piece = bytes(2**20)
    return b"".join([*(packer.compress(piece) for _ in range(megabytes)), packer.flush()])


@pytest.mark.parametrize(("encoding", "kind"), [("gzip", 31), ("deflate", 15)])
async def test_what_unpacks_to_very_much_is_refused(page: Door, encoding: str, kind: int) -> None:
    """200 MB in 200 kB: neither a stranger nor somebody who is logged in costs more."""
    packed = bomb(200, kind)
    assert len(packed) < 2**18
    browser, csrf = await logged_in(page, Role.ADMIN)
    stranger = await page.browser()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    token = await page.token(Role.ADMIN)
    asked = [
        (browser, "/contacts/import/preview", {"X-CSRF-Token": csrf}, "multipart/form-data"),
        (browser, "/me", {}, "application/x-www-form-urlencoded"),
        (stranger, "/login", {}, "application/x-www-form-urlencoded"),
        (stranger, "/api/v1/messages", {"Authorization": f"Bearer {token}"}, "application/json"),
    ]
    for who, path, headers, content in asked:
        boundary = "; boundary=x" if content.startswith("multipart") else ""
        more = {"Content-Encoding": encoding, "Content-Type": content + boundary}
        try:
            async with who.client.post(
                BASE + path, data=BytesIO(packed), allow_redirects=False,
                headers=headers | more | {"Connection": "close"},
            ) as answer:  # fmt: skip
                assert answer.status in {400, 403, 413}, path
        except ClientConnectionError:
            pass  # it was answered, and hung up on before all of it was sent
    assert (await browser.get(f"{BASE}/people")).status == 200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def _forms() -> Iterator[tuple[str, bytes, str]]:
    urlencoded = "application/x-www-form-urlencoded"
    yield "ten thousand fields", b"&".join(b"a%d=1" % n for n in range(10_000)), urlencoded
    yield "the same field again", b"name=a&" * 9_000, urlencoded
    yield "percent signs", b"%" * 60_000, urlencoded
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    yield "many parts", part * 1_000 + b"--x--\r\n", "multipart/form-data; boundary=x"
    yield "no end", part * 10, "multipart/form-data; boundary=x"
    yield "no boundary", part, "multipart/form-data"
    nested = b"--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" * 500
    yield "parts in parts", nested, "multipart/form-data; boundary=x"
    named = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="../../../../tmp/pwned"\r\n'
        b"\r\nphone\r\n+12125550100\r\n--x--\r\n"
    )
    yield "a file's name that leads out", named, "multipart/form-data; boundary=x"
    lines = b"--x\r\n" + b"A: b\r\n" * 9_000 + b"\r\n\r\n--x--\r\n"
    yield "a part with thousands of headers", lines, "multipart/form-data; boundary=x"
    yield "a charset that is none", b"a=1", f"{urlencoded}; charset=../../etc"
    yield "a charset that is a codec", b"a=1", f"{urlencoded}; charset=zip"
    yield "not packed as it says", b"a=1", urlencoded
    yield "UTF-7", b"a=+ADw-pwned+AD4-", f"{urlencoded}; charset=utf-7"


@pytest.mark.parametrize(("what", "body", "kind"), [pytest.param(*f, id=f[0]) for f in _forms()])
async def test_odd_forms_are_refused_or_read(page: Door, what: str, body: bytes, kind: str) -> None:
    assert what
    browser, csrf = await logged_in(page, Role.ADMIN)
    stranger = await page.browser()
    for who, path in (
        (stranger, "/login"), (browser, "/me"), (browser, "/contacts/import/preview"),
        (browser, "/rules/try"), (browser, "/contacts/new"),
    ):  # fmt: skip
        answer = await who.client.post(
            BASE + path, data=body, allow_redirects=False,
            headers={"Content-Type": kind, "X-CSRF-Token": csrf, "Accept": "text/html"}
            | ({"Content-Encoding": "gzip", "Connection": "close"} if "packed" in what else {}),
        )  # fmt: skip
        await judge(next(r for r in ROUTES if r.path == path and r.writes), answer, what)
    assert not Path("/tmp/pwned").exists()


async def test_of_a_field_that_comes_twice_only_one_counts(page: Door) -> None:
    """Whoever checks a form and whoever acts on it read the same value of it."""
    browser, csrf = await logged_in(page, Role.ADMIN)
    form = FormData([("csrf", "x"), ("csrf", csrf), ("display_name", "a")])
    answer = await browser.client.post(f"{BASE}/me", data=form, allow_redirects=False)
    assert answer.status == 403  # the first is the one that is checked
    form = FormData([("csrf", csrf), ("csrf", "x"), ("name", ""), ("role", "agent"),
                     ("role", "admin")])  # fmt: skip
    await browser.client.post(f"{BASE}/people/invite", data=form, allow_redirects=False)
    made = [entry for entry in await page.audit() if "invite" in entry.action]
    assert made
    assert "admin" not in made[0].detail
