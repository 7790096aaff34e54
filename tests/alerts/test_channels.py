"""Mail and texts to the office's people, through gateways."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

import pytest

from pbx_bridge import ports
from pbx_bridge.alerts.channels import TOLD, ByGateway, Delivery
from pbx_bridge.core.alerting import Words
from pbx_bridge.core.attachment import Attachment
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Capabilities,
    Channel,
    Deferred,
    LookupResult,
    Message,
    Purpose,
    Rejected,
    SendResult,
    Uncertain,
)
from pbx_bridge.gateways.smtp import Gateway, Settings
from tests.gateways.mailserver import MailServer
from tests.store.examples import NOON

SAID = Words("Miller: a customer wrote", "Hello\nthere", "Miller: Hello there")
NUMBER = "+12125550143"
SPOKEN = replace(SAID, attachments=(Attachment("voicemail-7.wav", "audio/wav", bytes(range(256))),))


@dataclass
class Scripted(ports.Gateway):
    answers: list[SendResult] = field(default_factory=list)
    capabilities: Capabilities = field(default_factory=Capabilities)
    sent: list[Message] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def check(self) -> str:
        return ""

    async def send(self, message: Message) -> SendResult:
        self.sent.append(message)
        return self.answers.pop(0) if self.answers else Accepted("ref")

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:  # noqa: ARG002
        return Absent()


@dataclass
class Clock:
    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at


def texting(gateways: Mapping[str, ports.Gateway], clock: Clock | None = None) -> ByGateway:
    return ByGateway(gateways, "twilio", NUMBER, Channel.SMS, clock or Clock())


async def test_a_text_is_one_short_message_for_staff() -> None:
    gateway = Scripted()
    assert await texting({"twilio": gateway}).tell(SAID, "alert-1") == TOLD
    (message,) = gateway.sent
    assert (message.to, message.body, message.subject) == (NUMBER, SAID.short, "")
    assert (message.purpose, message.channel) == (Purpose.ALERT, Channel.SMS)
    assert message.key.startswith("alert-1-")
    assert NUMBER not in message.key


async def test_a_mail_goes_through_the_offices_own_mail_gateway() -> None:
    server = MailServer()
    async with server.running():
        settings = Settings(
            host="127.0.0.1", port=server.port, security="none", sender="office@example.com"
        )
        async with Gateway(settings) as gateway:
            channel = ByGateway(
                {"mail": gateway}, "mail", "boss@example.com", Channel.EMAIL, Clock()
            )
            assert channel.name == "mail to boss@example.com"
            for _ in range(7):  # mail is not limited
                assert await channel.tell(SAID, "alert-1") == TOLD
    assert {str(mail["Message-ID"]) for mail in server.mails} == {server.mails[0]["Message-ID"]}
    assert server.mails[0]["Subject"] == SAID.title
    assert server.mails[0]["List-Unsubscribe"] is None
    plain = server.mails[0].get_body(("plain",))
    assert plain is not None
    assert plain.get_content().split() == ["Hello", "there"]


async def test_nobody_gets_more_than_five_texts_an_hour() -> None:
    gateway, clock = Scripted(), Clock()
    channel = texting({"twilio": gateway}, clock)
    results = [await channel.tell(SAID, "k") for _ in range(6)]
    assert [result == TOLD for result in results] == [True] * 5 + [False]
    assert results[-1].problem == "not more than 5 texts in an hour"
    clock.at = NOON + timedelta(minutes=59)
    assert (await channel.tell(SAID, "k")).problem
    clock.at = NOON + timedelta(minutes=60)
    assert await channel.tell(SAID, "k") == TOLD
    assert len(gateway.sent) == 6


async def test_a_restart_is_no_new_hour() -> None:
    gateway, clock = Scripted(), Clock()
    channel = texting({"twilio": gateway}, clock)
    channel.remember([NOON - timedelta(minutes=n) for n in (59, 50, 40, 30, 20, 10)])
    assert (await channel.tell(SAID, "k")).problem
    clock.at = NOON + timedelta(minutes=11)
    assert await channel.tell(SAID, "k") == TOLD


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Rejected("no", "21610"), Delivery("no")),
        (Deferred("down"), Delivery("down")),
        (Uncertain("hm"), Delivery("hm", perhaps=True)),
    ],
)
async def test_what_the_gateway_says_is_what_came_of_it(
    answer: SendResult, expected: Delivery
) -> None:
    assert await texting({"twilio": Scripted([answer])}).tell(SAID, "k") == expected


async def test_only_texts_that_perhaps_went_out_count() -> None:
    gateway = Scripted([*[Deferred("down")] * 9, *[Uncertain("hm")] * 5])
    channel = texting({"twilio": gateway})
    problems = [(await channel.tell(SAID, "k")).problem for _ in range(15)]
    assert problems[:14] == ["down"] * 9 + ["hm"] * 5
    assert "texts in an hour" in problems[14]


async def test_a_gateway_is_found_when_it_is_needed() -> None:
    gateways: dict[str, ports.Gateway] = {}
    channel = texting(gateways)
    assert "no gateway is named 'twilio'" in (await channel.tell(SAID, "k")).problem
    gateways["twilio"] = Scripted()  # as when the configuration is read again
    assert await channel.tell(SAID, "k") == TOLD


def test_a_name_shows_no_whole_number() -> None:
    assert texting({}).name == "twilio to …0143"


async def test_a_recording_goes_with_a_mail_and_not_with_a_text() -> None:
    gateway = Scripted()
    assert await texting({"twilio": gateway}).tell(SPOKEN, "alert-1") == TOLD
    assert gateway.sent[0].attachments == ()
    server = MailServer()
    async with server.running():
        settings = Settings(
            host="127.0.0.1", port=server.port, security="none", sender="office@example.com"
        )
        async with Gateway(settings) as mail:
            channel = ByGateway({"m": mail}, "m", "boss@example.com", Channel.EMAIL, Clock())
            assert await channel.tell(SPOKEN, "alert-1") == TOLD
    (attached,) = server.mails[0].iter_attachments()
    assert attached.get_filename() == "voicemail-7.wav"
    assert attached.get_content_type() == "audio/wav"
    assert attached.get_content() == bytes(range(256))
    plain = server.mails[0].get_body(("plain",))
    assert plain is not None
    assert plain.get_content().split() == ["Hello", "there"]
