"""Whatever strangers' words are in the database, nothing that shows it does what they say.

Every view, every download, every operation of the API and every command is asked for by itself, so
that a new one is among them; what is asked of a command stands in `COMMANDS`, and a new command
needs a line there.
"""

import csv
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from aiohttp import ClientResponse
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from pbx_bridge import cli
from pbx_bridge.core.roles import Role
from pbx_bridge.store import backup
from pbx_bridge.web.api.operations import OPERATIONS
from pbx_bridge.web.views import routes
from tests.cli.conftest import CONFIG
from tests.security.hostile import EVERYTHING, FORMULAS, MARK, TEXTS, columns, spread
from tests.store import schemas
from tests.web.site import CSRF, Site, site

#: What turns or steers what a person reads, raw.
STEERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
#: Where a page's attribute leads somewhere, or is done.
LEADS = {"href", "src", "action", "formaction", "hx-get", "hx-post", "xlink:href", "data"}
#: Views that no link of another leads to, and what is asked of them.
UNLINKED = ("/metrics", "/healthz", "/manifest.webmanifest")
#: Paths that are asked for with these in the place of their parts.
PARTS = ("1", schemas.NUMBER, "x")
#: Of the same kind only one is asked for.
MOST_PAGES = 200
PART = re.compile(r"\{([_a-zA-Z][^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")

every_text = pytest.mark.parametrize("kind", ["everything", "long"])
every_formula = pytest.mark.parametrize("kind", ["everything", *FORMULAS])


@cache
def database(kind: str) -> bytes:
    text = EVERYTHING if kind == "everything" else TEXTS[kind]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hostile.db"
        assert spread(path, text) > len(list(columns()))
        return path.read_bytes()


@asynccontextmanager
async def shown(folder: Path, kind: str) -> AsyncIterator[Site]:
    (folder / "pbx-bridge.db").write_bytes(database(kind))
    async with site(folder) as made:
        yield made


class Page(HTMLParser):
    """Reads a page as a browser does, for what a stranger could have put there."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: set[str] = set()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if MARK in tag:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            if MARK in name or name.startswith("on"):
                self.wrong.append(f"<{tag} {name}={value!r}>")
            if name in LEADS and value is not None:
                scheme = value.strip().partition(":")[0].lower()
                if scheme in {"javascript", "data", "vbscript"}:
                    self.wrong.append(f"<{tag} {name}={value!r}>")
                if tag == "a":
                    self.links.add(value)

    handle_startendtag = handle_starttag


# -- the page -------------------------------------------------------------------------------


@every_text
async def test_no_view_does_what_it_shows(kind: str, tmp_path: Path) -> None:
    async with shown(tmp_path, kind) as page:
        client = await page.client(list(Role)[-1])
        waiting, seen = sorted(_paths()), set[str]()
        while waiting:
            path = waiting.pop()
            if (same := _without_values(path)) in seen:
                continue
            seen.add(same)
            async with client.get(path, allow_redirects=False) as answer:
                body = await answer.read()
            assert answer.status < 500, (path, body[:2000])
            _headers_are_ours(answer)
            waiting += sorted(_harmless(path, answer, body))
            assert len(seen) < MOST_PAGES, "pages without end"


def _without_values(path: str) -> str:
    """Name a page by its path and what is asked of it, whichever row or day that is."""
    where = urlsplit(path)
    asked = sorted({name for name, _ in parse_qsl(where.query, keep_blank_values=True)})
    return re.sub(r"\d+(-\d\d)*", "1", where.path) + "?" + "&".join(asked)


def _paths() -> set[str]:
    """Give a path for each view there is, and for each that is about a row, that of a row."""
    found = set(UNLINKED)
    for route in routes():
        # The login shows nothing that is kept, and `/events` (tests/security/test_outputs.py) none.
        shows = not route.path.startswith(("/login", "/welcome", "/events"))
        if route.method == "GET" and not route.api and shows:
            found.add(PART.sub(_part, route.path))
    return {path for path in found if "{" not in path}


def _part(part: "re.Match[str]") -> str:
    _, _, pattern = part[1].partition(":")
    return next(one for one in PARTS if re.fullmatch(pattern or "[^{}/]+", one))


def _headers_are_ours(answer: ClientResponse) -> None:
    for name, value in answer.headers.items():
        assert name.lower() != "bcc"
        assert "\n" not in value
        assert "\r" not in value
    assert answer.headers.get("X-Content-Type-Options") == "nosniff"


def _harmless(path: str, answer: ClientResponse, body: bytes) -> set[str]:
    """Assert that an answer is inert, by its kind; give the paths of ours that it leads to."""
    match answer.content_type:
        case "text/html":
            page = Page()
            page.feed(text := body.decode())
            assert page.wrong == [], path
            assert STEERS.search(text) is None, (path, ascii(STEERS.findall(text)))
            assert "script-src" in answer.headers["Content-Security-Policy"]
            return {link for one in page.links if (link := _ours(path, one))}
        case "text/csv":
            _no_formula(body.decode("utf-8-sig"))
        case "application/json" | "application/manifest+json":
            json.loads(body)
        case "text/plain" if path == "/metrics":
            _ours_only(body.decode())
        case "text/vcard":
            _cards(body.decode())
        case _:
            pass
    return set()


def _ours(path: str, link: str) -> str | None:
    """Give a link as a path here, without what is only another page of a listing."""
    where = urlsplit(urljoin(f"http://us{path}", link))
    if where.netloc != "us" or where.path.startswith("/static"):
        assert where.scheme in {"http", "https", "mailto", "tel", "sms"}, link
        assert MARK not in where.netloc, link
        return None
    return where.path + (f"?{where.query}" if where.query and len(where.query) < 80 else "")


def _no_formula(text: str) -> None:
    for row in csv.reader(io.StringIO(text)):
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), row


def _ours_only(text: str) -> None:
    for family in text_string_to_metric_families(text):
        assert family.name.startswith("pbxbridge_")
        assert MARK not in family.name
        for sample in family.samples:
            assert not any(MARK in name for name in sample.labels)


def _cards(text: str) -> None:
    assert text.count("BEGIN:VCARD\r\n") == text.count("END:VCARD\r\n") <= 2


@every_formula
async def test_no_download_does_what_it_has(kind: str, tmp_path: Path) -> None:
    async with shown(tmp_path, kind) as page:
        client = await page.client(list(Role)[-1])
        for form in ("csv", "vcf"):
            async with client.post(
                "/contacts/export", data={"csrf": CSRF, "format": form}
            ) as answer:
                body = await answer.read()
            assert answer.status == 200, body
            _is_download(answer)
            _harmless("/contacts/export", answer, body)
        for of in ("days", "lines", "reasons"):
            async with client.get(f"/figures.csv?of={of}") as answer:
                body = await answer.read()
            assert answer.status == 200, body
            _is_download(answer)
            _harmless("/figures.csv", answer, body)


def _is_download(answer: ClientResponse) -> None:
    said = answer.headers["Content-Disposition"]
    assert re.fullmatch(r'attachment; filename="[a-z0-9.-]+"', said), said


# -- the API --------------------------------------------------------------------------------


@every_text
async def test_the_api_gives_it_as_text(kind: str, tmp_path: Path) -> None:
    read = [
        one for one in OPERATIONS if one.method == "GET" and "event-stream" not in one.content_type
    ]
    async with shown(tmp_path, kind) as page:
        client = await page.client(list(Role)[-1])
        for operation in read:
            path = "/api/v1" + PART.sub(_part, operation.path)
            async with client.get(path) as answer:
                body = await answer.read()
            assert answer.status < 500, (path, body[:2000])
            _headers_are_ours(answer)
            if answer.content_type.endswith("json"):
                json.loads(body)
                assert answer.charset in {None, "utf-8"}


# -- the commands ---------------------------------------------------------------------------

N = schemas.NUMBER
#: What is asked of each command that shows something of callers.
SHOWN: dict[str, tuple[tuple[str, ...], ...]] = {
    "calls": ((), ("--json",)),
    "explain": (("1",), ("2",), ("1", "--json")),
    "messages": ((), ("--json",)),
    "replies": ((), ("--json",)),
    "followups": ((), ("--json",)),
    "tasks": (("list",), ("list", "--json"), ("digest", "--print")),
    "figures": ((), ("--by", "line"), ("--json",)),
    "contacts": (("list",), ("show", N), ("list", "--json"), ("export", "-")),
    "voicemails": ((), ("--json",)),
    "optouts": (("list",), ("list", "--json"), ("export",)),
    "gateways": ((), ("--json",)),
    "alerts": ((), ("--json",)),
    "ladder": ((), ("show", "1"), ("--json",)),
    "webhooks": ((), ("deliveries",), ("deliveries", "--json")),
    "connectors": ((),),
    "users": (("list",),),
    "export": ((N, "all.zip"),),
}
#: Those that show nothing of callers that the database has, and why.
SHOWS_NOTHING = {
    "demo": "has calls of its own",
    "init": "before there is anything",
    "check": "the configuration and what answers",
    "probe": "a test call, live: tests/cli/test_trying.py",
    "backtest": "records of the PBX: tests/cli/test_backtesting.py",
    "templates": "the configuration",
    "rules": "the configuration",
    "hours": "the configuration and calendars",
    "simulate": "a call that one describes",
    "run": "the log: tests/security/test_outputs.py",
    "health": "how the service stands",
    "booked": "says what it was told",
    "backup": "a file name and counts",
    "restore": "the same",
    "erase": "counts",
    "send-test": "what the gateway says",
    "record": "bytes into a file",
    "replay": "captured calls: tests/cli/test_captures.py",
}


def test_every_command_is_asked_or_shows_nothing() -> None:
    assert sorted([*SHOWN, *SHOWS_NOTHING]) == sorted(cli.COMMANDS)


@pytest.mark.parametrize("kind", ["everything", "long", "formula"])
def test_no_command_does_what_it_shows(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "pbx-bridge.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "bridge.db").write_bytes(database(kind))
    for name, calls in SHOWN.items():
        for arguments in calls:
            said = CliRunner().invoke(cli.main, [name, *arguments], prog_name="pbx-bridge")
            where = " ".join((name, *arguments))
            assert said.exit_code == 0, (where, said.output[:2000], said.exception)
            assert STEERS.search(said.stderr) is None, where
            if "--json" in arguments:
                assert said.stdout.isascii(), where
                for line in said.stdout.splitlines():
                    json.loads(line)
            elif arguments[:1] == ("export",):
                _no_formula(said.stdout_bytes.decode("utf-8-sig"))
            else:
                assert STEERS.search(said.stdout) is None, (where, STEERS.findall(said.stdout))
    _handed_out(tmp_path / "all.zip")


def _handed_out(file: Path) -> None:
    """Read what is handed out about a number: its words for people steer nothing."""
    with zipfile.ZipFile(file) as handed:
        assert all(re.fullmatch(r"[a-z0-9./_-]+", name) for name in handed.namelist())
        json.loads(handed.read("data.json"))
        assert STEERS.search(handed.read("readable.txt").decode()) is None


# -- what is kept ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["everything", "long"])
async def test_a_backup_has_it_as_it_was(kind: str, tmp_path: Path) -> None:
    (tmp_path / "bridge.db").write_bytes(database(kind))
    made = tmp_path / "backup.db"
    backup.copy(tmp_path / "bridge.db", made)
    assert _dump(made) == _dump(tmp_path / "bridge.db")


def _dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return list(file.iterdump())
