"""Texts through the PBX itself, out and in by SIP MESSAGE, on a real Asterisk.

Truth is what SIPp, standing for the carrier at the end of the trunk, received and sent. chan_dongle
and chan_quectel need modems and are not here; the dialplan snippet for chan_quectel is.
"""

# ruff: noqa: ASYNC110 - polling is the trade of a test bed
from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import Accepted, Blame, Deferred, Rejected, Uncertain
from pbx_bridge.core.events import CallEvent, ChannelCreated
from pbx_bridge.core.reply import Reply
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.gateways.pbx import BODY_ROOM, Gateway, Settings
from pbx_bridge.ports import GatewayProblem, News, Surroundings
from pbx_bridge.sources.ami.source import AmiAccess, AmiSource
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.db import Database
from tests.gateways.fakes import Kept, message

from .asterisk import UNREGISTERED, Asterisk
from .conftest import one_asterisk
from .office import DIRECT, Office
from .service import RunningService
from .sipp import SipMessage, Sipp
from .test_commands import Command

CUSTOMER = "+12125550142"
TEXTER, WATCHER = "pbxbridge-texts", "pbxbridge"
BODY = "Grüße von \"Miller & Söhne\" 😀\nZweite Zeile: C:\\new, 100 % {to} ${EXTEN} 'ok'"
#: A second MESSAGE would be sent again after half a second, or come within that time (RFC 3261 T1).
SECOND_WOULD_COME = 1.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    """One that may be killed without harm to the other rows."""
    async with one_asterisk(request) as server:
        yield server


@dataclass
class Texter:
    """The gateway, on a source that watches the PBX."""

    gateway: Gateway
    source: AmiSource
    events: list[CallEvent] = field(default_factory=list)
    news: list[News] = field(default_factory=list)

    async def connected(self) -> None:
        async with asyncio.timeout(30):
            while self.source.problem:
                await asyncio.sleep(0.02)

    async def reply(self) -> Reply:
        async with asyncio.timeout(10):
            while not self.news:
                await asyncio.sleep(0.02)
        (news,) = self.news
        assert isinstance(news, Reply)
        self.news.clear()
        return news


def through(office: Office, **changes: Any) -> dict[str, Any]:
    """Give the settings of a gateway whose texts reach SIPp."""
    return {
        "type": "pbx",
        "method": "message",
        "destination": f"pjsip:trunk/sip:{{to}}@{office.net.trunk}:5060",
        "to": "sip:{to}@sip.carrier.example",
        "from": "sip:+16465550100@pbx.example",
        "replies": True,
    } | changes


@contextlib.asynccontextmanager
async def texting(
    office: Office, *, account: str = TEXTER, cursor: Kept | None = None, **settings: Any
) -> AsyncIterator[Texter]:
    access = AmiAccess(
        name="office",
        host=office.net.pbx,
        port=office.asterisk.ami_port,
        username=account,
        secret="change-me",
        answer_timeout=timedelta(seconds=3),
    )
    source = AmiSource(access, Inbound(), now=utc_now, chance=lambda: 0.0)
    around = Surroundings(name="trunk", pbxs={"office": source})
    async with Gateway(Settings.model_validate(through(office, **settings)), around) as gateway:
        texter = Texter(gateway, source)

        async def tell(news: Sequence[News]) -> None:
            texter.news += news

        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(source.run(texter.events.append))
            listening = tasks.create_task(gateway.listen(tell, cursor or Kept()))
            await texter.connected()
            try:
                yield texter
            finally:
                watching.cancel()
                listening.cancel()


async def arrived(phone: Sipp) -> SipMessage:
    """Wait for a text to arrive; see that no second one does."""
    async with asyncio.timeout(10):
        while not phone.received("MESSAGE"):
            await asyncio.sleep(0.05)
    await asyncio.sleep(SECOND_WOULD_COME)
    (text,) = phone.received("MESSAGE")
    return text


def header(text: SipMessage, name: str) -> str:
    (found,) = re.findall(rf"(?m)^{name}: (.*)$", text.text)
    return str(found)


def body(text: SipMessage) -> str:
    return text.text.partition("\n\n")[2]


# ------------------------------------------------------------------ out


async def test_a_text_arrives_once_and_as_it_was_written(office: Office) -> None:
    phone = await office.sms_phone()
    async with texting(office) as texter:
        assert await texter.gateway.send(message(to=CUSTOMER, body=BODY)) == Accepted("")
        text = await arrived(phone)
    assert body(text) == BODY
    assert text.first == f"MESSAGE sip:{CUSTOMER}@{office.net.trunk}:5060 SIP/2.0"
    assert f"sip:{CUSTOMER}@sip.carrier.example" in header(text, "To")
    assert "sip:+16465550100@" in header(text, "From")
    assert header(text, "Content-Type").startswith("text/plain")


async def test_to_and_from_may_be_left_to_the_pbx(office: Office) -> None:
    phone = await office.sms_phone("200 OK")
    left_out: dict[str, Any] = {"to": "", "from": ""}
    async with texting(office, **left_out) as texter:
        assert await texter.gateway.send(message(to=CUSTOMER, body=BODY)) == Accepted("")
        text = await arrived(phone)
    assert body(text) == BODY
    assert f"sip:{CUSTOMER}@{office.net.trunk}" in header(text, "To")


@pytest.mark.parametrize("character", ["x", "€", "😀"])
async def test_the_longest_text_arrives_whole(office: Office, character: str) -> None:
    longest = character * (BODY_ROOM // len(character.encode()))
    phone = await office.sms_phone()
    async with texting(office) as texter:
        assert await texter.gateway.send(message(to=CUSTOMER, body=longest)) == Accepted("")
        assert body(await arrived(phone)) == longest
        result = await texter.gateway.send(message(to=CUSTOMER, body=longest + character))
        assert isinstance(result, Rejected)
        assert not texter.source.problem


async def test_what_the_carrier_says_to_it_is_not_known(office: Office) -> None:
    """Asterisk answers before the carrier does: handed over is all that `accepted` means."""
    phone = await office.sms_phone("403 Forbidden")
    async with texting(office) as texter:
        assert await texter.gateway.send(message(to=CUSTOMER, body=BODY)) == Accepted("")
        await arrived(phone)


async def test_a_missed_call_is_texted_through_the_pbx(office: Office) -> None:
    settings = {name: json.dumps(value) for name, value in through(office).items()}
    service = RunningService(office.asterisk, pbx={"username": f'"{TEXTER}"'}, gateway=settings)
    phone = await office.sms_phone()
    try:
        await service.start()
        await office.phone("101")
        call = await office.place(DIRECT)
        await call.ended()
        text = await arrived(phone)
        said = f"Miller & Sons: sorry that we missed your call to {DIRECT}. Reply STOP to opt out."
        assert body(text) == said
        assert text.first.startswith(f"MESSAGE sip:{call.number}@")
        await service.said("message_accepted")
    finally:
        await service.close()


@pytest_asyncio.fixture(loop_scope="session")
async def configured(office: Office) -> AsyncIterator[RunningService]:
    """A configuration with such a gateway, for commands; the service does not run."""
    settings = {name: json.dumps(value) for name, value in through(office).items()}
    service = RunningService(office.asterisk, pbx={"username": f'"{TEXTER}"'}, gateway=settings)
    try:
        await service.configure()
        yield service
    finally:
        await service.close()


async def test_check_proves_the_permission_and_sends_nothing(
    office: Office, configured: RunningService
) -> None:
    phone = await office.sms_phone()
    told = await (await Command.start(configured, "check")).end()
    assert "the PBX lets this account use MessageSend" in told
    await asyncio.sleep(SECOND_WOULD_COME)
    assert phone.received("MESSAGE") == []


async def test_one_text_can_be_sent_by_hand(office: Office, configured: RunningService) -> None:
    phone = await office.sms_phone()
    command = ("send-test", CUSTOMER, "--gateway", "test", "--yes")
    told = await (await Command.start(configured, *command)).end()
    assert "accepted by the gateway" in told
    assert body(await arrived(phone)) == "Test from Miller & Sons: missed-call texts work."
    async with Database.read_only(configured.database) as db:
        (sent,) = await db.read(lambda tx: stored_messages.recent(tx, limit=10))
    assert sent.to == CUSTOMER


# ------------------------------------------------------------------ what cannot be sent


async def test_an_account_that_may_not_send_is_told_what_to_add(office: Office) -> None:
    phone = await office.sms_phone()
    async with texting(office, account=WATCHER) as texter:
        result = await texter.gateway.send(message(to=CUSTOMER, body=BODY))
        assert isinstance(result, Rejected)
        assert result.blame is Blame.GATEWAY
        assert "write = reporting,message" in result.reason
        with pytest.raises(GatewayProblem, match="write = reporting,message"):
            await texter.gateway.check()
    await asyncio.sleep(SECOND_WOULD_COME)
    assert phone.received("MESSAGE") == []


@pytest.mark.parametrize(
    "destination",
    ["pjsip:nobody/sip:{to}@127.0.0.1", "pjsip:nobody", f"pjsip:{UNREGISTERED}"],
    ids=["no_endpoint_with_uri", "no_endpoint", "not_registered"],
)
async def test_an_endpoint_that_is_not_there_may_come_back(
    office: Office, destination: str
) -> None:
    async with texting(office, destination=destination) as texter:
        result = await texter.gateway.send(message(to=CUSTOMER, body=BODY))
        assert isinstance(result, Deferred)
        assert "no such endpoint" in result.reason


async def test_a_kind_of_destination_that_is_not_loaded(office: Office) -> None:
    async with texting(office, destination="mobile:quectel0", to="{to}") as texter:
        result = await texter.gateway.send(message(to=CUSTOMER, body=BODY))
        assert isinstance(result, Rejected)
        assert result.blame is Blame.GATEWAY
        assert "module is not loaded" in result.reason


async def test_the_pbx_is_killed_and_comes_back(office: Office) -> None:
    async with texting(office) as texter:
        phone = await office.sms_phone()
        await office.asterisk.kill()
        async with asyncio.timeout(5):
            while not texter.source.problem:
                await asyncio.sleep(0.02)
        result = await texter.gateway.send(message(to=CUSTOMER, body=BODY))
        assert isinstance(result, Deferred)
        assert "not connected" in result.reason
        await office.asterisk.start()
        office.control = await office.asterisk.ami()
        await texter.connected()
        assert await texter.gateway.send(message(to=CUSTOMER, body=BODY)) == Accepted("")
        assert body(await arrived(phone)) == BODY


async def test_the_pbx_is_killed_before_it_answers(office: Office) -> None:
    async with texting(office) as texter:
        office.asterisk.send_signal(signal.SIGSTOP)
        sending = asyncio.gather(texter.gateway.send(message(to=CUSTOMER, body=BODY)))
        await asyncio.sleep(0.3)
        assert not sending.done()
        await office.asterisk.kill()
        (result,) = await sending
        assert isinstance(result, Uncertain)
    await office.asterisk.start()
    office.control = await office.asterisk.ami()


# ------------------------------------------------------------------ in


async def test_a_text_from_outside_is_heard_as_it_was_written(office: Office) -> None:
    async with texting(office) as texter:
        await office.text("+16465550100", BODY, f'"Ann, B." <sip:{CUSTOMER}@carrier.example>')
        first = await texter.reply()
        assert (first.sender, first.recipient) == (CUSTOMER, "+16465550100")
        assert first.body == BODY
        await office.text("+16465550100", "STOP", f"<sip:{CUSTOMER}@carrier.example>")
        second = await texter.reply()
        await office.text("+16465550100", "STOP", f"<sip:{CUSTOMER}@carrier.example>")
        third = await texter.reply()
        assert second.body == third.body == "STOP"
        assert len({first.gateway_ref, second.gateway_ref, third.gateway_ref}) == 3
        rings = [e for e in texter.events if isinstance(e, ChannelCreated) and e.state == 4]
        assert rings == [], "a text is no call"


@pytest.mark.parametrize(
    "written",
    [
        "a, b: c)d(e}f{g|h&i;j",
        "${SHELL(id)} ${EXTEN} ${MESSAGE(body)}",
        "Body: QQ==\nEvent: Hangup\nUserEvent: PbxBridgeMessage",
        "x" * 1000,
    ],
    ids=["signs", "dialplan", "headers", "long"],
)
async def test_what_customers_write_is_only_text(office: Office, written: str) -> None:
    async with texting(office) as texter:
        await office.text("sales", written, f"<sip:{CUSTOMER}@carrier.example>")
        reply = await texter.reply()
    assert (reply.body, reply.recipient) == (written, "sales")


async def test_without_the_class_user_nothing_is_heard(office: Office) -> None:
    async with texting(office, account=WATCHER) as deaf, texting(office) as texter:
        await office.text("+16465550100", "hello", f"<sip:{CUSTOMER}@carrier.example>")
        await texter.reply()
        await asyncio.sleep(0.2)
        assert deaf.news == []


async def test_a_text_to_a_modem_of_chan_quectel_is_heard(office: Office) -> None:
    async with texting(office) as texter:
        await to_modem(office, 'Hola "Ana" é, adiós')
        reply = await texter.reply()
    assert (reply.sender, reply.body) == (CUSTOMER, 'Hola "Ana" é, adiós')


async def to_modem(office: Office, said: str) -> None:
    """Have a text come to a modem: its driver runs `sms` with a variable; here the test does."""
    value = json.dumps({"msg": said, "ts": "2026-11-24 15:00:05"})
    await office.ami(Action="Setvar", Variable="SMS", Value=value)
    await office.ami(
        Action="Originate",
        Channel="Local/sms@incoming-quectel",
        Application="Wait",
        Data="1",
        CallerID=CUSTOMER,
        Async="true",
    )


async def count(office: Office) -> int:
    """Count the texts that the PBX has numbered."""
    asked = await office.ami(Action="Command", Command="database get pbxbridge-texts last")
    found = re.search(r"Value: ([0-9]+)", str(asked))
    return int(found[1]) if found else 0


async def test_what_customers_wrote_while_nobody_was_connected_is_heard_once(
    office: Office,
) -> None:
    cursor = Kept()
    sender = f"<sip:{CUSTOMER}@carrier.example>"
    async with texting(office, cursor=cursor) as texter:
        await office.text("+16465550100", "Are you open?", sender)
        assert (await texter.reply()).body == "Are you open?"
        async with asyncio.timeout(5):
            while int(cursor.value or 0) < await count(office):
                await asyncio.sleep(0.02)
    await office.text("+16465550100", BODY, sender)
    await office.text("+16465550100", "STOP", sender)
    before = await count(office)
    await to_modem(office, 'Hola "Ana" é, adiós')
    async with asyncio.timeout(5):
        while await count(office) == before:
            await asyncio.sleep(0.02)
    async with texting(office, cursor=cursor) as texter:
        async with asyncio.timeout(10):
            while len(texter.news) < 3:
                await asyncio.sleep(0.02)
        assert [(one.sender, one.body) for one in texter.news if isinstance(one, Reply)] == [
            (CUSTOMER, BODY), (CUSTOMER, "STOP"), (CUSTOMER, 'Hola "Ana" é, adiós'),
        ]  # fmt: skip
        # The PBX restarts, and keeps them; what was told is not told again.
        texter.news.clear()
        await office.asterisk.restart()
        office.control = await office.asterisk.ami()
        await texter.connected()
        await office.text("+16465550100", "Hello?", sender)
        assert (await texter.reply()).body == "Hello?"
        await asyncio.sleep(0.3)
        assert texter.news == []
    async with texting(office, cursor=cursor) as texter:
        await asyncio.sleep(0.3)
        assert texter.news == []


async def test_the_pbx_keeps_the_last_hundred_texts(office: Office) -> None:
    cursor = Kept(value=str(await count(office)))
    for number in range(103):
        sender = f"<sip:{CUSTOMER}@carrier.example>"
        await office.text("+16465550100", f"text {number}", sender)
    async with texting(office, cursor=cursor) as texter:
        async with asyncio.timeout(10):
            while len(texter.news) < 100:
                await asyncio.sleep(0.02)
        heard = [one.body for one in texter.news if isinstance(one, Reply)]
    assert heard == [f"text {number}" for number in range(3, 103)]
