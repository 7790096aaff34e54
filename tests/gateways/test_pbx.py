"""Texts through the PBX: what is asked of it, and what its answers and events mean.

The other side is a scripted AMI. What it says of chan_dongle is what that driver's source writes
(wdoekes/asterisk-chan-dongle, at_response.c and manager.c); no modem was there to try. MessageSend
is tried on real Asterisks too, in tests/e2e/test_messages.py.
"""

import asyncio
import logging
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import structlog
from pydantic import ValidationError

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Blame,
    Deferred,
    Receipt,
    Rejected,
    SendResult,
    State,
    Uncertain,
)
from pbx_bridge.core.reply import Reply
from pbx_bridge.gateways import pbx as pbx_module
from pbx_bridge.gateways._pbx_inbox import user_of
from pbx_bridge.gateways.pbx import BODY_ROOM, TEXT_ROOM, Gateway, Settings
from pbx_bridge.ports import GatewayProblem, News, Surroundings
from tests.gateways.fakes import Kept, message
from tests.service import until
from tests.sources.ami.fake import Answer, FakeAmi, Headers, denied, done, event, serving, silent
from tests.sources.ami.test_source import Watch, watching

TRUNK = "pjsip:trunk/sip:{to}@sip.carrier.example"
NUMBER = "+15551234567"
PERMITTED = {
    "MessageSend": "Send an out of call message to an endpoint.  (Priv: message,all)",
    "DongleSendSMS": "Send a SMS message.  (Priv: call,all)",
}


def settings(**changes: Any) -> Settings:
    return Settings.model_validate(
        {"type": "pbx", "method": "message", "destination": TRUNK} | changes
    )


def dongle(**changes: Any) -> Settings:
    return Settings.model_validate(
        {"type": "pbx", "method": "dongle", "device": "dongle0"} | changes
    )


def refusing(words: str) -> Answer:
    return lambda ami, action: ami.error(action, words)


def hang_up(ami: FakeAmi, _action: Headers) -> None:
    ami.hang_up()


class Office:
    """A PBX that is watched, and a gateway that sends through it."""

    def __init__(self, ami: FakeAmi, watch: Watch, gateway: Gateway) -> None:
        self.ami, self.watch, self.gateway = ami, watch, gateway

    def asked(self) -> list[Headers]:
        """Give what the gateway asked of the PBX."""
        names = {"MessageSend", "DongleSendSMS"}
        return [
            {name: text for name, text in asked.items() if name != "ActionID"}
            for asked in self.ami.asked
            if asked["Action"] in names
        ]


@asynccontextmanager
async def office(
    configured: Settings, answer: Answer = done, **answers: Answer
) -> AsyncIterator[Office]:
    ami = FakeAmi(answers={"MessageSend": answer, "DongleSendSMS": answer, "Events": done})
    ami.answers.update(answers)
    async with serving(ami), watching(ami) as watch:
        await watch.restored()
        around = Surroundings(name="pbx", pbxs={"office": watch.source})
        async with Gateway(configured, around) as gateway:
            yield Office(ami, watch, gateway)


async def answered(configured: Settings, answer: Answer) -> SendResult:
    async with office(configured, answer) as place:
        result = await place.gateway.send(message())
        sent = place.asked()
        assert len(sent) == 1, "an action is never repeated"
    return result


class Told:
    """Takes news as the service does."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self.failures = 0

    async def tell(self, news: Sequence[News]) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the database is away")
        self.news += news


@asynccontextmanager
async def listening(gateway: Gateway, cursor: Kept | None = None) -> AsyncIterator[Told]:
    told = Told()
    listening = gateway.listen(told.tell, cursor or Kept())
    task = asyncio.get_running_loop().create_task(listening)
    try:
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# -- MessageSend ------------------------------------------------------------------------------


async def test_a_text_is_handed_over_as_it_is() -> None:
    body = 'Grüße 😀 "quoted"\nsecond line \\ {to} ${EXTEN}'
    whole = settings(to="sip:{to}@sip.carrier.example", **{"from": "sip:+12125550100@pbx.example"})
    async with office(whole) as place:
        assert await place.gateway.send(message(body=body)) == Accepted("")
        (asked,) = place.asked()
    assert b64decode(asked.pop("Base64Body")).decode() == body
    assert asked == {
        "Action": "MessageSend",
        "Destination": f"pjsip:trunk/sip:{NUMBER}@sip.carrier.example",
        "To": f"sip:{NUMBER}@sip.carrier.example",
        "From": "sip:+12125550100@pbx.example",
    }


async def test_a_modem_of_chan_quectel_gets_the_number_as_to() -> None:
    async with office(settings(destination="mobile:quectel0", to="{to}")) as place:
        await place.gateway.send(message())
        (asked,) = place.asked()
    assert (asked["Destination"], asked["To"]) == ("mobile:quectel0", NUMBER)
    assert "From" not in asked


async def test_a_carrier_may_want_the_number_without_its_plus() -> None:
    async with office(settings(destination="pjsip:trunk/sip:{to_digits}@c.example")) as place:
        await place.gateway.send(message())
        (asked,) = place.asked()
    assert asked["Destination"] == f"pjsip:trunk/sip:{NUMBER[1:]}@c.example"


@pytest.mark.parametrize(("character", "octets"), [("x", 1), ("ü", 2), ("€", 3), ("😀", 4)])
async def test_what_asterisk_would_drop_is_refused_here(character: str, octets: int) -> None:
    async with office(settings()) as place:
        longest = BODY_ROOM // octets
        assert await place.gateway.send(message(body=character * longest)) == Accepted("")
        result = await place.gateway.send(message(body=character * (longest + 1)))
        assert isinstance(result, Rejected)
        assert result.blame is Blame.MESSAGE
        assert len(place.asked()) == 1


@pytest.mark.parametrize("configured", [settings(), dongle()])
async def test_a_nul_would_cut_the_text(configured: Settings) -> None:
    async with office(configured) as place:
        assert isinstance(await place.gateway.send(message(body="a\0b")), Rejected)
        assert place.asked() == []


@pytest.mark.parametrize("configured", [settings(), dongle()])
@pytest.mark.parametrize("to", ["", "911", "+1", "sip:a@b", "+15551234567\r\nAction: Originate"])
async def test_only_numbers_in_e164_are_texted(configured: Settings, to: str) -> None:
    async with office(configured) as place:
        assert isinstance(await place.gateway.send(message(to=to)), Rejected)
        assert place.asked() == []


@pytest.mark.parametrize(
    ("words", "kind", "blame", "says"),
    [
        ("Permission denied", Rejected, Blame.GATEWAY, "add `message` to its write="),
        ("Message technology not found.", Rejected, Blame.GATEWAY, "its module is not loaded"),
        ("Message failed to send.", Deferred, None, "no such endpoint in destination"),
        ("Internal failure", Rejected, Blame.MESSAGE, "Asterisk refused it: Internal failure"),
        (f"No route to {NUMBER}", Rejected, Blame.MESSAGE, "No route to …567"),
    ],
)
async def test_a_refusal_of_asterisk_says_what_to_change(
    words: str, kind: type[Rejected | Deferred], blame: Blame | None, says: str
) -> None:
    result = await answered(settings(), refusing(words))
    assert isinstance(result, kind)
    assert says in result.reason
    assert getattr(result, "blame", None) is blame
    assert not getattr(result, "busy", False)


# -- the connection ---------------------------------------------------------------------------


@pytest.mark.parametrize("configured", [settings(), dongle()])
async def test_no_answer_and_a_cut_are_uncertain(configured: Settings) -> None:
    assert isinstance(await answered(configured, silent), Uncertain)
    assert isinstance(await answered(configured, hang_up), Uncertain)


@pytest.mark.parametrize("configured", [settings(), dongle()])
async def test_while_the_pbx_is_away_nothing_was_sent(configured: Settings) -> None:
    async with office(configured) as place:
        place.ami.hang_up()
        await until(lambda: bool(place.watch.source.problem))
        result = await place.gateway.send(message())
        assert isinstance(result, Deferred)
        assert not result.busy
        assert "the PBX is not connected" in result.reason
        assert place.asked() == []


async def test_the_pbx_is_chosen_by_name_or_is_the_first() -> None:
    async with office(settings()) as first, office(settings()) as second:
        pbxs = {"first": first.watch.source, "second": second.watch.source}
        around = Surroundings(pbxs=pbxs)
        async with Gateway(settings(), around) as gateway:
            await gateway.send(message())
        async with Gateway(settings(pbx="second"), around) as gateway:
            await gateway.send(message())
            await gateway.send(message())
        assert (len(first.asked()), len(second.asked())) == (1, 2)
        with pytest.raises(GatewayProblem, match="no PBX named 'third'; known are first, second"):
            async with Gateway(settings(pbx="third"), around):
                pass


async def test_without_a_pbx_it_cannot_be_opened() -> None:
    with pytest.raises(GatewayProblem, match="known are none"):
        async with Gateway(settings()):
            pass


async def test_what_was_sent_cannot_be_asked_for() -> None:
    async with office(settings()) as place:
        assert await place.gateway.lookup(message(), set()) == Absent()
        assert not place.gateway.capabilities.can_lookup
        assert not place.gateway.capabilities.idempotent


# -- check ------------------------------------------------------------------------------------


def listing(*names: str) -> Answer:
    return lambda ami, action: ami.success(action, **{name: PERMITTED[name] for name in names})


@pytest.mark.parametrize(
    ("configured", "name", "other", "write"),
    [
        (settings(), "MessageSend", "DongleSendSMS", "write = reporting,message"),
        (dongle(), "DongleSendSMS", "MessageSend", "write = reporting,call"),
    ],
)
async def test_the_check_proves_the_permission_and_sends_nothing(
    configured: Settings, name: str, other: str, write: str
) -> None:
    async with office(configured, ListCommands=listing(name)) as place:
        assert name in await place.gateway.check()
        place.ami.answers["ListCommands"] = listing(other)
        with pytest.raises(GatewayProblem, match=write):
            await place.gateway.check()
        place.ami.answers["ListCommands"] = denied
        with pytest.raises(GatewayProblem, match="Permission denied"):
            await place.gateway.check()
        place.ami.answers["ListCommands"] = silent
        with pytest.raises(GatewayProblem, match="cannot be asked"):
            await place.gateway.check()
        assert place.asked() == []


# -- what comes in ----------------------------------------------------------------------------


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def user_event(**changes: str) -> str:
    headers = {
        "Channel": "Message/ast_msg_queue",
        "CallerIDNum": "<unknown>",
        "Uniqueid": "1764000000.5",
        "UserEvent": "PbxBridgeMessage",
        "Id": "1764000000.5-1764000001123456",
        "From": base64('"Ann, the\r\nsecond" <sip:+12125550142@carrier.example>'),
        "To": base64("sip:+16465550100@pbx.example;user=phone"),
        "Body": base64('STOP "é" 😀\r\nsecond, line'),
    }
    return event("UserEvent", **(headers | changes))


REPLY = Reply(
    gateway_ref="1764000000.5-1764000001123456",
    sender="+12125550142",
    recipient="+16465550100",
    body='STOP "é" 😀\nsecond, line',
)


async def test_a_sip_message_becomes_a_reply() -> None:
    async with office(settings(replies=True)) as place, listening(place.gateway) as told:
        assert place.gateway.capabilities.inbound
        place.ami.say(event("UserEvent", UserEvent="SomebodyElses", Id="1"))
        place.ami.say(user_event())
        await until(lambda: bool(told.news))
    assert told.news == [REPLY]


async def test_what_came_before_anybody_listened_waits() -> None:
    async with office(settings(replies=True)) as place:
        place.ami.say(user_event())
        await place.watch.source.act({"Action": "Ping"})
        async with listening(place.gateway) as told:
            await until(lambda: bool(told.news))
        # What comes after the listening ended is for whoever listens then.
        place.ami.say(user_event())
        await place.watch.source.act({"Action": "Ping"})
        async with listening(place.gateway) as again:
            place.ami.say(user_event(Id="2"))
            await until(lambda: bool(again.news))
    assert told.news == [REPLY]
    assert [news.gateway_ref for news in again.news] == ["2"]


async def test_what_could_not_be_written_down_is_told_again() -> None:
    async with office(settings(replies=True)) as place:
        told = Told()
        told.failures = 1
        place.ami.say(user_event())
        with pytest.raises(RuntimeError):
            await place.gateway.listen(told.tell, Kept())
        place.ami.say(user_event(Id="2"))
        task = asyncio.get_running_loop().create_task(place.gateway.listen(told.tell, Kept()))
        await until(lambda: len(told.news) == 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [news.gateway_ref for news in told.news] == [REPLY.gateway_ref, "2"]


async def test_more_than_can_wait_is_dropped_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pbx_module, "MAX_WAITING", 2)
    with structlog.testing.capture_logs() as logs:
        async with office(settings(replies=True)) as place:
            place.ami.say("".join(user_event(Id=str(n)) for n in range(4)))
            await place.watch.source.act({"Action": "Ping"})
            async with listening(place.gateway) as told:
                await until(lambda: len(told.news) == 2)
    assert [line["event"] for line in logs].count("news_dropped") == 2


def inbox(*texts: tuple[int, str]) -> Answer:
    """Have the PBX keep texts, by number and body."""

    def listed(ami: FakeAmi, action: Headers) -> str:
        assert action["Family"] == "pbxbridge-texts"
        items = [{"Key": "/pbxbridge-texts/last", "Val": str(max(no for no, _ in texts))}]
        for no, body in texts:
            value = f"{no} id-{no} {base64('<sip:+12125550142@x>')} {base64('me')} {base64(body)}"
            items.append({"Key": f"/pbxbridge-texts/{no % 100}", "Val": value})
        items += [{"Key": "/pbxbridge-texts/7", "Val": "7 x y"}, {"Key": "/pbxbridge-texts/8"}]
        return ami.listing(action, "DBGetTreeResponse", "DBGetTreeComplete", items)

    return listed


def bodies(told: Told) -> list[str]:
    return [one.body for one in told.news if isinstance(one, Reply)]


async def test_what_the_pbx_kept_before_the_first_start_is_history() -> None:
    cursor = Kept()
    async with (
        office(settings(replies=True), DBGetTree=inbox((3, "old"), (4, "older"))) as place,
        listening(place.gateway, cursor) as told,
    ):
        await until(lambda: cursor.value == "4")
        place.ami.say(user_event(No="5"))
        await until(lambda: cursor.value == "5")
    assert told.news == [REPLY]


async def test_what_came_while_nobody_was_connected_is_told_in_its_order() -> None:
    cursor = Kept("98")
    texts = inbox((101, "c"), (99, "a"), (100, "b"), (98, "told"))
    async with (
        office(settings(replies=True), DBGetTree=texts) as place,
        listening(place.gateway, cursor) as told,
    ):
        await until(lambda: cursor.value == "101")
        assert bodies(told) == ["a", "b", "c"]
        # The line is cut, a text comes meanwhile, and another as soon as it is back.
        place.ami.answers["DBGetTree"] = inbox((101, "c"), (102, "d"), (103, "e"))
        place.ami.hang_up()
        await until(lambda: cursor.value == "103")
    assert bodies(told) == ["a", "b", "c", "d", "e"]


async def test_what_is_told_and_kept_counts_once() -> None:
    cursor = Kept("98")
    async with office(settings(replies=True), DBGetTree=inbox((99, "a"), (100, "b"))) as place:
        place.ami.say(user_event(No="100", Id="id-100", Body=base64("b")))
        await place.watch.source.act({"Action": "Ping"})
        async with listening(place.gateway, cursor) as told:
            await until(lambda: cursor.value == "100")
    assert bodies(told) == ["a", "b"]


async def test_a_pbx_that_lost_its_database_counts_anew() -> None:
    cursor = Kept("98")
    async with (
        office(settings(replies=True), DBGetTree=inbox((1, "a"), (2, "b"))) as place,
        listening(place.gateway, cursor) as told,
    ):
        await until(lambda: cursor.value == "2")
    assert bodies(told) == ["a", "b"]


async def test_a_pbx_that_was_too_slow_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pbx_module, "LOOK_AGAIN_SECONDS", 0.1)
    cursor = Kept("98")
    with structlog.testing.capture_logs() as logs:
        async with (
            office(settings(replies=True), DBGetTree=silent) as place,
            listening(place.gateway, cursor) as told,
        ):
            await until(lambda: any(one["event"] == "texts_not_looked_for" for one in logs))
            place.ami.answers["DBGetTree"] = inbox((99, "a"))
            await until(lambda: cursor.value == "99")
    assert bodies(told) == ["a"]


@pytest.mark.parametrize("answer", [denied, silent, refusing("Database entry not found")])
async def test_a_pbx_that_does_not_say_what_it_kept_still_tells(answer: Answer) -> None:
    with structlog.testing.capture_logs() as logs:
        async with (
            office(settings(replies=True), DBGetTree=answer) as place,
            listening(place.gateway, Kept("not ours")) as told,
        ):
            await until(lambda: any(one["event"] == "texts_not_looked_for" for one in logs))
            place.ami.say(user_event())
            await until(lambda: bool(told.news))
    assert told.news == [REPLY]


@pytest.mark.parametrize(
    "damage",
    [{"Id": ""}, {"From": ""}, {"Body": "no base64!"}, {"From": "bäse64"}, {"Body": "QQ"}],
)
async def test_damage_is_said_and_passed_over(damage: dict[str, str]) -> None:
    with structlog.testing.capture_logs() as logs:
        async with office(settings(replies=True)) as place, listening(place.gateway) as told:
            place.ami.say(user_event(**damage) + user_event())
            await until(lambda: bool(told.news))
    assert told.news == [REPLY]
    assert "message_unreadable" in [line["event"] for line in logs]


async def test_nothing_is_heard_unless_configured() -> None:
    async with office(settings()) as place:
        assert not place.gateway.capabilities.inbound
        assert not any(asked["Action"] == "Events" for asked in place.ami.asked)


@pytest.mark.parametrize(
    ("address", "user"),
    [
        ("<sip:+12125550142@carrier.example>", "+12125550142"),
        ('"sip:fake@x" <sip:%2B12125550142@c.example;user=phone>', "fake"),
        ("sips:ann@example.com", "ann"),
        ("+12125550142", "+12125550142"),
        (" MyBank ", "MyBank"),
        ("<sip:carrier.example>", "<sip:carrier.example>"),
        ("x" * 500, "x" * 100),
    ],
)
def test_the_sender_is_the_user_part_of_an_address(address: str, user: str) -> None:
    assert user_of(address) == user


# -- chan_dongle ------------------------------------------------------------------------------


async def test_a_modem_of_chan_dongle_gets_the_text_in_one_line_and_our_key() -> None:
    left = utc_now() + timedelta(minutes=30, seconds=5)
    body = 'Grüße 😀 "q"\nC:\\new\tend'
    async with office(dongle()) as place:
        sent = await place.gateway.send(message(body=body, expires_at=left))
        assert sent == Accepted("")
        assert place.gateway.capabilities.receipts
        assert place.asked() == [
            {
                "Action": "DongleSendSMS",
                "Device": "dongle0",
                "Number": NUMBER,
                "Message": 'Grüße 😀 "q"\\nC:\\\\new\\tend',
                "Validity": "30",
                "Report": "yes",
                "Payload": "key-1",
            }
        ]


async def test_reports_need_not_be_asked_for() -> None:
    async with office(dongle(report=False)) as place:
        await place.gateway.send(message(expires_at=utc_now() - timedelta(hours=1)))
        (asked,) = place.asked()
        assert (asked["Report"], asked["Validity"]) == ("no", "1")
        assert not place.gateway.capabilities.receipts


async def test_a_text_that_is_too_long_with_its_escapes_is_refused() -> None:
    async with office(dongle()) as place:
        assert await place.gateway.send(message(body="\n" * (TEXT_ROOM // 2))) == Accepted("")
        assert isinstance(
            await place.gateway.send(message(body="\n" * (TEXT_ROOM // 2 + 1))), Rejected
        )


@pytest.mark.parametrize(
    ("words", "kind", "blame"),
    [
        ("Permission denied", Rejected, Blame.GATEWAY),
        ("Invalid/unknown command: DongleSendSMS. Use Action: List", Rejected, Blame.GATEWAY),
        ("[dongle0] Invalid destination number", Rejected, Blame.NUMBER),
        ("[dongle0] Device not connected / initialized / registered", Deferred, None),
        ("[dongle0] Device disconnected", Deferred, None),
        ("[dongle0] Error adding SMS commands to queue", Rejected, Blame.MESSAGE),
    ],
)
async def test_a_refusal_of_chan_dongle_has_its_meaning(
    words: str, kind: type, blame: Blame | None
) -> None:
    result = await answered(dongle(), refusing(words))
    assert isinstance(result, kind)
    assert getattr(result, "blame", None) is blame


def report(kind: str, success: str, codes: str = "", payload: str = "key-1") -> str:
    return event(
        "DongleReport",
        Device="dongle0",
        Payload=payload,
        SCTS="2026-11-24 15:00:05 +00:00" if kind == "1" else "",
        DT="2026-11-24 15:00:07 +00:00" if kind == "1" else "",
        Success=success,
        Type=kind,
        Report=codes,
    )


async def test_reports_become_receipts_by_our_key() -> None:
    async with office(dongle()) as place, listening(place.gateway) as told:
        place.ami.say(
            report("0", "1")
            + report("1", "1", "000,000,")
            + report("0", "0")
            + report("1", "0", "000,070,")
            + report("2", "0")  # none came in time: says nothing
            + report("1", "1", payload="")  # not of ours
            + event("DongleStatus", Device="dongle0", Status="Free")
        )
        await until(lambda: len(told.news) == 4)
    found = [news for news in told.news if isinstance(news, Receipt)]
    assert [(news.key, news.state, news.code) for news in found] == [
        ("key-1", State.ACCEPTED, ""),
        ("key-1", State.DELIVERED, "000,000"),
        ("key-1", State.UNDELIVERED, ""),
        ("key-1", State.UNDELIVERED, "000,070"),
    ]


def received(text: str, device: str = "dongle0") -> str:
    """What chan_dongle writes for one text; the first of the two has an empty line too many."""
    lines = [line for line in text.split("\n") if line]
    numbered = "".join(f"MessageLine{n}: {line}\r\n" for n, line in enumerate(lines))
    return (
        f"Event: DongleNewSMS\r\nPrivilege: call,all\r\nDevice: {device}\r\n"
        f"From: +12125550142\r\nLineCount: {len(lines)}\r\n{numbered}\r\n\r\n"
    ) + event("DongleNewSMSBase64", Device=device, From="+12125550142", Message=base64(text))


async def test_a_text_to_the_modem_becomes_a_reply() -> None:
    async with office(dongle()) as place, listening(place.gateway) as told:
        place.ami.say(received("Hola\n ¿qué tal? 😀") + received("other", "dongle1"))
        place.ami.say(received("Hola\n ¿qué tal? 😀"))
        await until(lambda: len(told.news) == 2)
    first, second = told.news
    assert isinstance(first, Reply)
    assert (first.sender, first.body) == ("+12125550142", "Hola\n ¿qué tal? 😀")
    assert first.gateway_ref != second.gateway_ref, "the same words twice are two texts"


async def test_a_modem_may_be_used_for_sending_only() -> None:
    async with office(dongle(replies=False)) as place, listening(place.gateway) as told:
        assert not place.gateway.capabilities.inbound
        place.ami.say(received("Hola") + report("1", "1"))
        await until(lambda: bool(told.news))
    assert [type(news) for news in told.news] == [Receipt]


# -- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"destination": ""}, "needs destination"),
        ({"destination": "trunk"}, "needs destination"),
        ({"destination": "pjsip:{number}"}, "unknown placeholder {number}; known are"),
        ({"destination": "pjsip:a\r\nAction: Originate"}, "a line break"),
        ({"to": "a\0b"}, "a line break or control character"),
        ({"device": "dongle0"}, 'device is for method = "dongle"'),
        ({"method": "dongle", "destination": ""}, "needs device"),
        ({"method": "dongle", "device": "d"}, "leave them out"),
        ({"method": "dongle", "destination": "", "device": "a b"}, "pattern"),
        ({"method": "fax"}, "'message' or 'dongle'"),
    ],
)
def test_wrong_settings_say_what_would_be_right(wrong: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError) as error:
        settings(**wrong)
    assert says in str(error.value)


# -- what nobody may see ----------------------------------------------------------------------


async def test_texts_and_numbers_are_never_shown(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    body, said = "Sorry we missed you", f"No route to {NUMBER}"
    with structlog.testing.capture_logs() as logged:
        for answer in (done, refusing(said), silent, hang_up):
            result = await answered(settings(replies=True), answer)
            logged.append({"event": "result", "result": repr(result), "log_level": "info"})
        async with office(settings(replies=True)) as place:
            place.ami.say(user_event(Id=""))
            await place.watch.source.act({"Action": "Ping"})
            logged.append({"event": repr(vars(place.gateway)), "log_level": "info"})
    shown = repr(logged) + caplog.text + "".join(capsys.readouterr())
    for hidden in (body, base64(body), NUMBER, NUMBER[1:], "STOP"):
        assert hidden not in shown
