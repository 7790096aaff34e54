"""Every secret is a word that stands nowhere else; then the service does all it can with them.

Calls, refused logins, wrong passwords, servers that answer nonsense, forged webhooks, debug
logging, a bug with its traceback, backup, export, metrics, health, check. Afterwards the words are
looked for in the log, the database with its WAL and backups, the process list, the environment,
what commands print, what pages and webhooks answer, and the addresses that servers were called by.
"""

import io
import secrets
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.gateways.fakes import ACCOUNT, Told, answer
from tests.service import Office, Pbx, office, pbx, until
from tests.test_both_ways import free_port

#: Whatever has a secret in the configuration; see pbx-bridge.example.toml.
NAMES = (
    "ami", "other_ami", "twilio_token", "twilio_webhook", "http_bearer", "http_header",
    "http_secret", "http_hook", "smtp", "mqtt", "announce_mqtt", "webhook_url", "hubspot",
    "alert_url", "contacts_url", "booking_token", "booking_signing", "whisper",
)  # fmt: skip
#: For what the service tries and is refused in the meantime.
PATIENCE = 300.0


class Canaries(dict[str, str]):
    """A word for each secret."""

    def __init__(self) -> None:
        super().__init__({name: f"canary{secrets.token_hex(12)}" for name in NAMES})

    def found(self, where: bytes) -> list[str]:
        return [name for name, word in self.items() if word.encode() in where]


def configuration(words: Canaries, port: int, page: int, closed: int, other: Pbx) -> dict[str, str]:
    """Give the sections beside the usual ones: every part that has a secret, all at one server."""
    base = f"http://127.0.0.1:{port}"
    return {
        "gateway": f"""\
type = "twilio"
account_sid = "{ACCOUNT}"
auth_token = "{words["twilio_token"]}"
webhook_secret = "{words["twilio_webhook"]}"
from_number = "+15550001111"
base_url = "{base}"
""",
        "more": f"""\
[gateways.json]
type = "http"
url = "{base}/json"
bearer = "{words["http_bearer"]}"
headers = {{ X-Account = "{words["http_header"]}" }}
json = {{ to = "{{to}}", text = "{{text}}", pass = "{{inner}}" }}
secrets = {{ inner = "{words["http_secret"]}", hook = "{words["http_hook"]}" }}
id_path = "id"
[gateways.json.hooks]
signature = {{ kind = "path", secret = "hook" }}
[gateways.json.hooks.replies]
id_path = "id"
from_path = "from"
text_path = "text"
[gateways.mail]
type = "smtp"
host = "127.0.0.1"
port = {closed}
security = "none"
username = "office"
password = "{words["smtp"]}"
sender = "office@example.com"
[gateways.modem]
type = "mqtt"
preset = "sms2mqtt"
host = "127.0.0.1"
port = {closed}
tls = false
username = "bridge"
password = "{words["mqtt"]}"
[announce]
host = "127.0.0.1"
port = {closed}
username = "bridge"
password = "{words["announce_mqtt"]}"
[[webhooks]]
name = "crm"
url = "{base}/hook/{words["webhook_url"]}"
secret = "whsec_b2ZmaWNlLW9mLW1pbGxlci1hbmQtc29ucy0wMQ=="
[connectors.hubspot]
type = "hubspot"
token = "{words["hubspot"]}"
base_url = "{base}"
[alerts]
urls = ["json://user:{words["alert_url"]}@127.0.0.1:{port}/"]
[[contacts.sources]]
name = "export"
type = "http"
url = "{base}/{words["contacts_url"]}.csv"
every = "1h"
as = "customer"
[bookings]
token = "{words["booking_token"]}"
preset = "cal.com"
signing_secret = "{words["booking_signing"]}"
[transcriber]
type = "openai"
model = "whisper-1"
base_url = "{base}"
api_key = "{words["whisper"]}"
[hooks]
public_url = "https://pbx.example.com/bridge"
port = {page}
[web]
port = {page}
metrics_from = ["127.0.0.1"]
[logging]
level = "debug"
""",
        "pbx": Office.pbx_table("office", other, words["other_ami"]),
    }


@asynccontextmanager
async def place(folder: Path) -> AsyncIterator[tuple[Office, Canaries, Told, int]]:
    words = Canaries()

    def nonsense(request: Any) -> bytes:
        if "json" in request.path:
            return answer(500, "<html>no</html>")
        return answer(401, '{"code": 20003, "message": "Authenticate"}')

    async with office(folder) as made, Told(nonsense).running() as server, pbx() as refusing:
        page = free_port()
        sections = configuration(words, server.port, page, free_port(), refusing)
        made.pbx.secret = words["ami"]
        both = Office.pbx_table("office", made.pbx) + sections.pop("pbx").replace(
            'name = "office"', 'name = "branch"'
        )
        made.configure(**sections, pbx=both)
        text = made.config.read_text()
        made.config.write_text(
            text.replace("[texting]", '[texting]\ngateways = ["test", "json"]', 1)
        )
        yield made, words, server, page


def processes(root: int) -> Iterator[bytes]:
    """Give argv and environment of a process and of all below it."""
    yield Path(f"/proc/{root}/cmdline").read_bytes()
    yield Path(f"/proc/{root}/environ").read_bytes()
    for children in Path(f"/proc/{root}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from processes(int(child))


def members(file: Path) -> bytes:
    """Give the bytes of a file, unpacked if it is packed."""
    raw = file.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        with tarfile.open(fileobj=io.BytesIO(raw)) as packed:
            return b"".join(
                part.read() for one in packed if (part := packed.extractfile(one)) is not None
            )
    return raw


async def talked_to(page: int, words: Canaries) -> bytes:
    """Ask for all that answers, rightly and wrongly; give what was said."""
    told = b""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{page}") as http:
        for path in ("/healthz", "/metrics", "/login", "/", "/api/v1/health", "/none"):
            async with http.get(path) as response:
                told += await response.read() + str(response.headers).encode()
        for path, body in (
            ("/hooks/test/status", b"a=b"), ("/hooks/test/status", b"\xff"),
            ("/hooks/json/wrong", b"{}"), (f"/hooks/json/{words['http_hook']}", b"nonsense"),
            (f"/hooks/json/{words['http_hook']}", b'{"id": "1", "from": "+15551234567"}'),
            (f"/bookings/{words['booking_token']}", b"{}"), ("/bookings/wrong", b"{}"),
            ("/login", b"name=a&password=b"),
        ):  # fmt: skip
            async with http.post(path, data=body) as response:
                told += await response.read() + str(response.headers).encode()
    return told


async def commands(made: Office) -> bytes:
    """Run what people run, with the service beside it; give what it prints."""
    told = b""
    for arguments in (
        ("check",), ("gateways",), ("backup",),
        ("export", "+16465550100", "-o", str(made.folder / "export.json")),
    ):  # fmt: skip
        process = await made.run("pbx_bridge", *arguments, "-c", str(made.config))
        await process.ended(PATIENCE)
        told += "".join(process.raw).encode()
    return told


async def test_no_secret_is_seen_anywhere(tmp_path: Path) -> None:
    async with place(tmp_path) as (made, words, server, page):
        # As an office starts it, and not by fork as other tests do.
        service = await made.run("pbx_bridge", "run", "-c", str(made.config))
        await until(lambda: any(e["event"] == "pbx_up" for e in service.log), PATIENCE)
        made.pbx.misses()
        await until(lambda: any(e["event"] == "call_judged" for e in service.log), PATIENCE)
        listed = b"".join(processes(service.pid))
        told = await talked_to(page, words)
        told += await commands(made)
        listed += b"".join(processes(service.pid))
        assert await service.stops() == 0
        broken = await made.start(fail_at="before_record")  # a bug: it ends with its traceback
        await broken.told("pbx_up")
        made.pbx.misses()
        await broken.ended(PATIENCE)
        log = "".join(service.raw + broken.raw)
        assert "ZeroDivisionError" in log
        assert "hook_forged" in log
        assert words.found(log.encode()) == []
        assert words.found(listed) == []
        assert words.found(told) == []
        files = [one for one in made.folder.rglob("*") if one.is_file() and one != made.config]
        assert any("backup" in str(one) for one in files)
        assert {one.name: found for one in files if (found := words.found(members(one)))} == {}
        called = " ".join(request.path for request in server.requests).encode()
        # Two of the addresses are themselves the secret; no other stands in any.
        assert set(words.found(called)) <= {"webhook_url", "contacts_url"}
        # Or nothing was shown.
        assert set(words.found(made.config.read_bytes())) == set(NAMES)
