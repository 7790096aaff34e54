"""Servers that we are told to ask cannot have us ask others, least of all with our credentials.

Addresses in the configuration are allowed on purpose, private ones too: modems, CRMs and brokers
stand in the same house. Who may write the configuration may make us ask anything; who answers us
may not, and neither may a caller.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from yarl import URL

from pbx_bridge import calendar_feed
from pbx_bridge.calendar_feed import CalendarProblem
from pbx_bridge.contacts.web import SourceProblem, Web
from pbx_bridge.contacts.web import session as contacts_session
from pbx_bridge.gateways import http, twilio
from pbx_bridge.secret import Secret
from tests.gateways.fakes import ACCOUNT, TOKEN, Told, answer, message
from tests.web.api.filled import api

#: Where nobody outside may have us go; the first is another server, which would be heard.
INSIDE = (
    "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:9/", "http://[::1]:9/",
    "http://localhost:9/", "http://0x7f000001:9/", "http://2130706433:9/", "http://0177.0.0.1:9/",
    "http://[::ffff:169.254.169.254]/", "http://0.0.0.0:9/", "//127.0.0.1:9/", "file:///etc/passwd",
    "gopher://127.0.0.1:9/_x", "ftp://127.0.0.1:9/",
)  # fmt: skip


@pytest.fixture
async def other() -> AsyncIterator[Told]:
    """Another server, which nobody is to be led to."""
    async with Told(answer(200, "{}")).running() as server:
        yield server


async def sent_by_http(base: str) -> object:
    settings = http.Settings.model_validate(
        {"type": "http", "url": f"{base}/send", "form": {"To": "{to}"}, "bearer": "canary"}
    )
    async with http.Gateway(settings) as gateway:
        return await gateway.send(message())


async def sent_by_twilio(base: str) -> object:
    account = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from_number": "+15550001111"}
    settings = twilio.Settings.model_validate(account | {"base_url": base})
    async with twilio.Gateway(settings) as gateway:
        return await gateway.send(message())


ASKING: Mapping[str, Callable[[str], Awaitable[object]]] = {
    "the HTTP gateway": sent_by_http,
    "Twilio": sent_by_twilio,
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("who", ASKING)
async def test_who_answers_leads_us_nowhere(other: Told, who: str, status: int) -> None:
    for where in (other.url, *INSIDE):
        reply = answer(status, "", Location=where)
        async with Told(reply).running() as server:
            await ASKING[who](server.url)
            assert len(server.requests) == 1, where
    assert other.requests == []


async def test_an_address_book_leads_us_nowhere_with_its_password(other: Told) -> None:
    for where in (other.url.replace("127.0.0.1", "localhost"), *INSIDE):
        moved = Told(answer(302, "", Location=where))
        async with moved.running() as server, contacts_session() as s:
            web = Web(URL(server.url), s, username="office", password=Secret("canary"))
            with pytest.raises(SourceProblem):
                await web.ask("GET", URL(server.url))
            assert len(server.requests) == 1, where
    assert other.requests == []


@pytest.mark.parametrize("where", INSIDE)
def test_a_calendar_leads_to_other_hosts_only_by_tls(where: str) -> None:
    """A feed may move to another host, as Google's do; what is inside speaks no trusted TLS."""
    for feed in ("https://calendar.example/x.ics", "http://calendar.example/x.ics"):
        try:
            onward = calendar_feed._onward(URL(feed), where)
        except CalendarProblem:
            continue
        assert onward.scheme == "https", where


async def test_a_program_cannot_give_an_address_to_ask(tmp_path: Path, other: Told) -> None:
    """The API has no field for one: addresses stand in the configuration alone."""
    async with api(tmp_path) as made:
        for name in ("url", "callback", "callback_url", "webhook", "status_callback", "media"):
            await made.ask("POST", "/messages", json={"to": "+12125550177", name: other.url})
            await made.ask("POST", "/previews", json={"to": "+12125550177", name: other.url})
    assert other.requests == []
