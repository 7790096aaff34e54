"""Servers that we are told to ask cannot have us ask others, least of all with our credentials.

Addresses in the configuration are allowed on purpose, private ones too: modems, CRMs and brokers
stand in the same house. Who may write the configuration may make us ask anything; who answers us
may not, and neither may a caller. Nor may who answers fill our memory, or keep us for ever.
"""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

import aiohttp
import pytest
from yarl import URL

from pbx_bridge import calendar_feed
from pbx_bridge.calendar_feed import CalendarProblem, Feed
from pbx_bridge.clock import utc_now
from pbx_bridge.contacts import web as contacts_web
from pbx_bridge.contacts.web import SourceProblem, Web
from pbx_bridge.contacts.web import session as contacts_session
from pbx_bridge.core.delivery import Accepted
from pbx_bridge.core.roles import Role
from pbx_bridge.destinations import salesforce
from pbx_bridge.gateways import http, twilio
from pbx_bridge.secret import Secret
from pbx_bridge.transcribers import openai
from pbx_bridge.web.access import oidc
from pbx_bridge.web.access.oidc import OidcProblem, OidcSettings, Provider
from tests.destinations.hubspots import FakeHubSpot
from tests.destinations.office import FakeCrm, missed_call
from tests.destinations.salesforces import FakeSalesforce
from tests.destinations.test_webhook import webhook
from tests.destinations.zohos import FakeZoho
from tests.gateways.fakes import ACCOUNT, TOKEN, Answer, Behaviour, Told, answer, message
from tests.security.flood import BOMB
from tests.web.api.filled import api

#: Where nobody outside may have us go; the first is another server, which would be heard.
INSIDE = (
    "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:9/", "http://[::1]:9/",
    "http://localhost:9/", "http://0x7f000001:9/", "http://2130706433:9/", "http://0177.0.0.1:9/",
    "http://[::ffff:169.254.169.254]/", "http://0.0.0.0:9/", "//127.0.0.1:9/", "file:///etc/passwd",
    "gopher://127.0.0.1:9/_x", "ftp://127.0.0.1:9/",
)  # fmt: skip

#: Bytes at most, of 50 or 60 millions that are sent or would be unpacked.
MOST_MEMORY = 12_000_000
#: The transcriber makes room for the largest recording.
WITH_RECORDING = MOST_MEMORY + openai.LARGEST_FILE
#: The sender of texts and the teller of events give up by themselves (`tests/test_sender.py`).
LIMITED_BY_OTHERS = frozenset({"the HTTP gateway", "Twilio", "a webhook"})


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


async def told_by_webhook(base: str) -> object:
    async with webhook(Told(b"", port=URL(base).port or 0)) as opened:
        return await opened.deliver(missed_call())


def told_to(crm: type[FakeCrm]) -> Callable[[str], Awaitable[object]]:
    async def tell(base: str) -> object:
        async with crm().connector(base, timeout=1) as opened:
            return await opened.deliver(missed_call())

    return tell


async def put_into_writing(base: str) -> object:
    settings = openai.Settings(base_url=base, model="whisper-1", seconds=1.0)
    with NamedTemporaryFile(suffix=".wav") as sound:
        return await openai.OpenAi(settings).transcribe(Path(sound.name))


async def logged_in_at(base: str) -> object:
    return await provider(base).begin("/", utc_now())


def provider(issuer: str) -> Provider:
    settings = OidcSettings(
        issuer=issuer, client_id="pbx-bridge", client_secret=Secret("canary"), label="Office",
        scopes=("openid",), name_claim="name", role_claim="groups",
        groups={Role.VIEWER: frozenset({"all"})}, redirect_uri="https://pbx.example/login/provider",
    )  # fmt: skip
    return Provider(settings)


async def book_read(base: str) -> object:
    """Read one that may have a megabyte, not 32 as usual."""
    async with contacts_session() as s:
        web = Web(URL(base), s, "office", Secret("canary"), largest=1_000_000)
        return await web.ask("GET", URL(base))


async def calendar_read(base: str) -> object:
    return await calendar_feed.fetch(Feed(name="office", url=Secret(f"{base}/x.ics")), None)


ASKING: Mapping[str, Callable[[str], Awaitable[object]]] = {
    "the HTTP gateway": sent_by_http,
    "Twilio": sent_by_twilio,
    "a webhook": told_by_webhook,
    "HubSpot": told_to(FakeHubSpot),
    "Salesforce": told_to(FakeSalesforce),
    "Zoho": told_to(FakeZoho),
    "the transcriber": put_into_writing,
    "the provider of logins": logged_in_at,
    "an address book": book_read,
    "a calendar": calendar_read,
}
#: What they raise when there is no answer of use.
RAISING = frozenset({"the provider of logins", "an address book", "a calendar"})
PROBLEMS = (OidcProblem, SourceProblem, CalendarProblem)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("who", ASKING)
async def test_who_answers_leads_us_nowhere(other: Told, who: str, status: int) -> None:
    for where in (other.url, *INSIDE):
        reply = answer(status, "", Location=where)
        async with Told(reply).running() as server:
            with suppress(*PROBLEMS):
                await ASKING[who](server.url)
            assert len(server.requests) == 1, where
    assert other.requests == []


async def asked(who: str, reply: Answer) -> tuple[Told, int]:
    """Have a server answer so, in vain; give it, and how much more memory that took at most."""
    result: object = None
    async with Told(reply).running() as server:
        tracemalloc.start()
        try:
            with suppress(*PROBLEMS):
                result = await ASKING[who](server.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert server.requests
    assert result is not None or who in RAISING
    # A webhook's receiver has taken it by its status, whatever else it says.
    assert not isinstance(result, Accepted) or who == "a webhook"
    return server, peak


@pytest.mark.parametrize("who", ASKING)
async def test_a_little_that_unpacks_to_much_is_not_unpacked(who: str) -> None:
    reply = answer(200, BOMB, Content_Encoding="gzip", Content_Type="application/json")
    _, peak = await asked(who, reply)
    assert peak < (WITH_RECORDING if who == "the transcriber" else MOST_MEMORY)


@pytest.mark.parametrize("who", ASKING)
async def test_an_answer_without_end_is_cut(who: str) -> None:
    server, peak = await asked(who, Behaviour.FLOOD)
    assert server.flooded < 40_000_000  # most of it in the sockets' buffers
    assert peak < (WITH_RECORDING if who == "the transcriber" else MOST_MEMORY)


@pytest.mark.parametrize("slow", [Behaviour.DRIP, Behaviour.INTERIM])
@pytest.mark.parametrize("who", [who for who in ASKING if who not in LIMITED_BY_OTHERS])
async def test_who_answers_for_ever_is_not_heard_for_ever(
    who: str, slow: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contacts_web, "WHOLE_SECONDS", 1.0)
    monkeypatch.setattr(calendar_feed, "FETCH_SECONDS", 1.0)
    monkeypatch.setattr(oidc, "ANSWER", aiohttp.ClientTimeout(total=1))
    async with asyncio.timeout(60):
        await asked(who, slow)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_a_provider_names_no_address_that_is_less_secure(name: str) -> None:
    for where in INSIDE:
        with pytest.raises(OidcProblem):
            provider("https://login.example")._endpoint({name: where}, name)
    for where in INSIDE:
        if not where.startswith("http:"):
            with pytest.raises(OidcProblem):
                provider("http://login.example")._endpoint({name: where}, name)


@pytest.mark.parametrize(
    "where",
    [*INSIDE, "https://evil.example", "https://salesforce.com.evil.example",
     "https://evilsalesforce.com", "https://evil.example/.salesforce.com",
     "https://evil.example#.salesforce.com", "https://x.salesforce.com@evil.example",
     "http://login.salesforce.com", "http://x.salesforce.com", "file://x.salesforce.com/etc"],
)  # fmt: skip
def test_salesforce_names_no_other_place_to_take_the_token_to(where: str) -> None:
    with pytest.raises(ValueError, match="no instance_url"):
        salesforce.instance({"instance_url": where}, "https://login.salesforce.com")


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
