"""The e-mail gateway, against real mail servers on this machine."""

import asyncio
import logging
import re
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pbx_bridge.config.sections import ConfiguredGateway
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Blame,
    Channel,
    Deferred,
    Purpose,
    Rejected,
    SendResult,
    Uncertain,
)
from pbx_bridge.gateways import smtp
from pbx_bridge.gateways.smtp import Gateway, Settings
from pbx_bridge.ports import GatewayProblem, Surroundings
from tests.gateways.fakes import message
from tests.gateways.mailserver import (
    PASSWORD,
    USER,
    Certificates,
    MailServer,
    Misbehaviour,
    make_certificates,
)

TO = "ann@customer.example"
SENDER = "Miller & Sons <office@example.com>"
AROUND = Surroundings(name="mail", office="Miller & Sons")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def gateway(server: MailServer, **changes: Any) -> Gateway:
    values = {"host": "127.0.0.1", "port": server.port, "security": "none", "sender": SENDER}
    return Gateway(Settings.model_validate(values | changes), AROUND)


async def sent(mail: Gateway, **changes: Any) -> SendResult:
    async with mail:
        return await mail.send(message(**({"to": TO, "gateway": "mail"} | changes)))


async def answered(server: MailServer, **changes: Any) -> SendResult:
    async with server.running():
        return await sent(gateway(server, **changes))


async def test_a_mail_arrives_as_it_was_meant() -> None:
    server = MailServer()
    async with server.running():
        result = await sent(
            gateway(
                server,
                reply_to="desk@example.com",
                unsubscribe_mail="stop@example.com",
                unsubscribe_url="https://example.com/stop/{key}",
            ),
            key="0f8e7c",
            subject="Sorry that we missed you",
            body="Hello Zoë,\n.\nsee https://example.com/1?a&b",
        )
    assert result == Accepted("<0f8e7c@example.com>")
    assert server.envelopes == [("office@example.com", [TO])]
    assert server.hellos == ["[127.0.0.1]"]
    (mail,) = server.mails
    headers = {name: str(value) for name, value in mail.items()}
    for name in ("Content-Type", "MIME-Version", "Date"):
        assert headers.pop(name)
    assert headers == {
        "From": "Miller & Sons <office@example.com>",
        "To": TO,
        "Reply-To": "desk@example.com",
        "Subject": "Sorry that we missed you",
        "Message-ID": "<0f8e7c@example.com>",
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": (
            "<https://example.com/stop/0f8e7c>,"
            " <mailto:stop@example.com?subject=unsubscribe%200f8e7c>"
        ),
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    plain, rich = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert rich is not None
    assert plain.get_content().split() == ["Hello", "Zoë,", ".", "see", "https://example.com/1?a&b"]
    assert '<a href="https://example.com/1?a&amp;b">' in rich.get_content()


@pytest.mark.parametrize("purpose", [Purpose.CONFIRMATION, Purpose.ALERT, Purpose.TEST])
async def test_only_a_follow_up_offers_to_unsubscribe(purpose: Purpose) -> None:
    server = MailServer()
    async with server.running():
        mail = gateway(server, unsubscribe_url="https://example.com/stop/{key}")
        assert isinstance(await sent(mail, purpose=purpose), Accepted)
    assert server.mails[0]["List-Unsubscribe"] is None
    expected = "auto-replied" if purpose is Purpose.CONFIRMATION else "auto-generated"
    assert server.mails[0]["Auto-Submitted"] == expected
    assert server.mails[0]["Subject"] == "A message from Miller & Sons"


async def test_it_speaks_starttls_and_logs_in(certificates: Certificates) -> None:
    server = MailServer()
    mail = {"security": "starttls", "username": USER, "password": PASSWORD, "host": "localhost"}
    async with server.running(tls_context=certificates.server, require_starttls=True, login=True):
        result = await sent(gateway(server, ca=certificates.ca, **mail))
    assert isinstance(result, Accepted)
    assert server.encrypted == [False, True]
    assert server.logins == ["PLAIN"]


async def test_it_speaks_tls_from_the_start(certificates: Certificates) -> None:
    server = MailServer()
    mail = {"security": "tls", "username": USER, "password": PASSWORD}
    async with server.running(implicit=certificates.server, login=True):
        result = await sent(gateway(server, ca=certificates.ca, **mail))
    assert isinstance(result, Accepted)
    assert server.encrypted == [True]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_that_is_not_trusted_stops_everything(
    security: str, certificates: Certificates
) -> None:
    server = MailServer()
    options = {"implicit" if security == "tls" else "tls_context": certificates.server}
    async with server.running(**options):
        result = await sent(gateway(server, security=security, username=USER, password=PASSWORD))
    assert isinstance(result, Deferred)
    assert "its certificate is not trusted" in result.reason
    assert not result.busy
    assert server.logins == []
    assert server.mails == []


async def test_a_certificate_of_another_name_is_not_trusted(certificates: Certificates) -> None:
    server = MailServer()
    async with server.running(tls_context=certificates.server):
        result = await sent(
            gateway(server, security="starttls", ca=certificates.ca, host="127.0.0.2")
        )
    assert isinstance(result, Deferred)


async def test_without_starttls_nothing_is_said_in_the_open() -> None:
    server = MailServer()
    async with server.running():
        result = await sent(gateway(server, security="starttls", username=USER, password=PASSWORD))
    assert isinstance(result, Rejected)
    assert result.blame is Blame.GATEWAY
    assert "offers no STARTTLS" in result.reason
    assert server.envelopes == []


async def test_tls_to_a_port_without_it_sent_nothing() -> None:
    result = await answered(MailServer(), security="tls")
    assert isinstance(result, Deferred)
    assert "no agreement on TLS" in result.reason


async def test_a_wrong_password_is_the_gateways_fault_and_tried_once(
    certificates: Certificates,
) -> None:
    server = MailServer()
    mail = {"security": "starttls", "username": USER, "password": "wrong"}
    async with server.running(tls_context=certificates.server, login=True):
        result = await sent(gateway(server, ca=certificates.ca, **mail))
    assert isinstance(result, Rejected)
    assert (result.code, result.blame) == ("535", Blame.GATEWAY)
    assert server.logins == ["PLAIN"]


async def test_a_login_that_cannot_be_judged_now_is_tried_again(
    certificates: Certificates,
) -> None:
    server = MailServer(to_login=lambda *_: "454 4.7.0 try later")
    mail = {"security": "starttls", "username": USER, "password": PASSWORD}
    async with server.running(tls_context=certificates.server, login=True):
        result = await sent(gateway(server, ca=certificates.ca, **mail))
    assert isinstance(result, Deferred)
    assert (result.code, result.busy) == ("454", False)


async def test_a_server_without_login_is_a_matter_of_settings() -> None:
    result = await answered(MailServer(), username=USER, password=PASSWORD)
    assert isinstance(result, Rejected)
    assert result.blame is Blame.GATEWAY
    assert "offers no login" in result.reason


async def test_greylisting_is_waited_out() -> None:
    """451 twice, then 250: to the sender these are two times later, and one mail."""
    server = MailServer(to_recipient=["451 4.7.1 Greylisted, try again", "451 4.7.1 again"])
    async with server.running():
        results = [await sent(gateway(server)) for _ in range(3)]
    assert [type(result) for result in results] == [Deferred, Deferred, Accepted]
    assert all(result.busy for result in results if isinstance(result, Deferred))
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("reply", "blame"),
    [
        ("550 5.1.1 <ann@customer.example>: no such user", Blame.NUMBER),
        ("553 5.1.3 bad address", Blame.NUMBER),
        ("550 no", Blame.NUMBER),
        ("551 5.7.1 Unable to relay", Blame.GATEWAY),
        ("554 5.7.1 Relay access denied", Blame.GATEWAY),
        ("530 5.7.0 Authentication required", Blame.GATEWAY),
        ("550 5.7.1 blocked by policy", Blame.MESSAGE),
        ("552 5.2.2 mailbox full", Blame.MESSAGE),
    ],
)
async def test_a_refused_recipient_is_blamed_with_care(reply: str, blame: Blame) -> None:
    server = MailServer(to_recipient=[reply])
    result = await answered(server)
    assert isinstance(result, Rejected)
    assert (result.code, result.blame) == (reply[:3], blame)
    assert TO not in result.reason
    assert server.mails == []


@pytest.mark.parametrize("step", ["to_data", "to_mail"])
async def test_a_refused_mail_is_that_mails_fault(step: str) -> None:
    result = await answered(MailServer(**{step: ["552 5.3.4 too big"]}))  # type: ignore[arg-type]
    assert isinstance(result, Rejected)
    assert (result.code, result.blame) == ("552", Blame.MESSAGE)
    assert result.reason == "the mail server answered 552 to the mail: 5.3.4 too big"


@pytest.mark.parametrize("step", ["to_sender", "to_recipient", "to_data", "to_mail"])
async def test_a_server_that_wants_it_later_works(step: str) -> None:
    server = MailServer(**{step: ["452 4.3.1 busy"]})  # type: ignore[arg-type]
    result = await answered(server)
    assert isinstance(result, Deferred)
    assert (result.code, result.busy) == ("452", True)


@pytest.mark.parametrize("reply", ["550 5.7.1 not yours", "553 5.1.8 no such domain"])
async def test_a_refused_sender_is_a_matter_of_settings(reply: str) -> None:
    result = await answered(MailServer(to_sender=[reply]))
    assert isinstance(result, Rejected)
    assert result.blame is Blame.GATEWAY


async def test_a_server_that_does_not_want_us_at_all() -> None:
    refused = await answered(MailServer(greeting="554 5.7.1 listed as spammer"))
    assert isinstance(refused, Rejected)
    assert (refused.code, refused.blame) == ("554", Blame.GATEWAY)
    later = await answered(MailServer(greeting="421 4.3.2 shutting down"))
    assert isinstance(later, Deferred)
    assert (later.code, later.busy) == ("421", False)


@pytest.mark.parametrize("how", [*Misbehaviour])
@pytest.mark.parametrize("step", ["greeting", "to_sender", "to_recipient", "to_data"])
async def test_what_breaks_before_the_mail_was_written_is_certainly_not_sent(
    step: str, how: Misbehaviour
) -> None:
    planned = how if step == "greeting" else [how]
    server = MailServer(**{step: planned})  # type: ignore[arg-type]
    result = await answered(server, timeout=0.5)
    assert isinstance(result, Deferred)
    assert not result.busy
    assert server.mails == []


@pytest.mark.parametrize("how", [*Misbehaviour])
async def test_what_breaks_after_the_mail_was_written_is_perhaps_sent(how: Misbehaviour) -> None:
    server = MailServer(to_mail=[how])
    result = await answered(server, timeout=1)
    assert isinstance(result, Uncertain)
    assert len(server.mails) == 1


async def test_it_never_takes_longer_than_it_may() -> None:
    for step in ("to_recipient", "to_mail"):
        server = MailServer(**{step: [Misbehaviour.HANG]})  # type: ignore[arg-type]
        async with server.running(), asyncio.timeout(60):  # it hangs for ever
            await sent(gateway(server, timeout=1))


async def test_a_refused_connection_sent_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refuses, and nobody else gets it
        result = await sent(gateway(MailServer(port=taken.getsockname()[1])))
    assert isinstance(result, Deferred)
    assert result.reason.startswith("no connection: ")


async def test_an_unknown_host_sent_nothing() -> None:
    result = await sent(gateway(MailServer(port=25), host="nowhere.invalid", allow_plain=True))
    assert isinstance(result, Deferred)


@pytest.mark.parametrize(
    "to",
    ["", "+15551234567", "Ann <ann@a.org>", "ann@a.org\r\nRCPT TO:<x@y.org>", "ann@a.org,b@a.org"],
)
async def test_only_an_address_is_written_to(to: str) -> None:
    server = MailServer()
    async with server.running():
        result = await sent(gateway(server), to=to)
    assert isinstance(result, Rejected)
    assert result.blame is Blame.NUMBER
    assert server.connections == 0


@pytest.mark.parametrize(
    "to", ["5551234567@txt.att.net", "5551234567@VTEXT.com", "15551234567@tmomail.net"]
)
async def test_a_carriers_address_for_texts_is_refused(to: str) -> None:
    server = MailServer()
    async with server.running():
        result = await sent(gateway(server), to=to)
    assert isinstance(result, Rejected)
    assert "send a text" in result.reason
    assert server.connections == 0


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.text(st.sampled_from(".\r\nABC:=? é\x00\u202e😀\ud800"), max_size=300),
    st.text(st.sampled_from("\r\nBcc: x@.é=?utf-8Q\u2028"), max_size=100),
)
async def test_nothing_in_a_mail_is_a_command_or_a_second_mail(body: str, subject: str) -> None:
    server = MailServer()
    async with server.running():
        result = await sent(gateway(server), body=body, subject=subject)
    assert isinstance(result, Accepted)
    assert server.envelopes == [("office@example.com", [TO])]
    (mail,) = server.mails
    assert mail["Bcc"] is None
    assert len(mail.get_all("Subject") or []) == 1


async def test_a_mail_of_ten_kilobytes_in_one_line_arrives_whole() -> None:
    server = MailServer()
    body = "ü" * 10_240
    async with server.running():
        assert isinstance(await sent(gateway(server), body=body), Accepted)
    assert max(map(len, server.raw[0].split(b"\r\n"))) <= 998
    plain = server.mails[0].get_body(("plain",))
    assert plain is not None
    assert plain.get_content().strip() == body


async def test_check_goes_as_far_as_the_login_and_sends_nothing(
    certificates: Certificates,
) -> None:
    server = MailServer()
    mail = {"security": "starttls", "username": USER, "ca": certificates.ca}
    async with server.running(tls_context=certificates.server, login=True):
        async with gateway(server, password=PASSWORD, **mail) as good:
            said = await good.check()
        async with gateway(server, password="wrong", **mail) as bad:
            with pytest.raises(GatewayProblem, match="answered 535 to the login"):
                await bad.check()
    assert said == f"127.0.0.1:{server.port} takes the login of {USER} (TLSv1.3)"
    assert server.envelopes == []


async def test_check_says_what_is_wrong() -> None:
    async with MailServer().running() as server:
        async with gateway(server) as open_one:
            assert "answers (without encryption)" in await open_one.check()
        async with gateway(server, security="starttls") as wanting:
            with pytest.raises(GatewayProblem, match="offers no STARTTLS"):
                await wanting.check()
    async with (
        MailServer(greeting=Misbehaviour.HANG).running() as silent,
        gateway(silent, timeout=0.3) as waiting,
    ):
        with pytest.raises(GatewayProblem, match="does not answer in time"):
            await waiting.check()
    async with gateway(server) as nobody:
        with pytest.raises(GatewayProblem, match="no connection"):
            await nobody.check()


async def test_a_mail_server_cannot_be_asked() -> None:
    async with gateway(MailServer(port=25)) as mail:
        assert await mail.lookup(message(to=TO), ()) == Absent()
        assert not mail.capabilities.can_lookup
        assert not mail.capabilities.idempotent
        assert mail.capabilities.channel is Channel.EMAIL


async def test_secrets_addresses_and_bodies_are_never_shown(
    caplog: pytest.LogCaptureFixture, certificates: Certificates
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = []
    for reply in ("", f"550 {TO} unknown", f"451 {TO} later"):
        server = MailServer(to_recipient=[reply] if reply else [])
        mail = {"security": "tls", "username": USER, "password": PASSWORD, "ca": certificates.ca}
        async with server.running(implicit=certificates.server, login=True):
            built = gateway(server, **mail)
            shown += [repr(built.settings), repr(vars(built))]
            shown.append(repr(await sent(built, body="Dear Ann", subject="About your call")))
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("mail.")]
    everything = "\n".join([*shown, *ours])
    for hidden in (PASSWORD, TO, "Dear Ann", "About your call"):
        assert hidden not in everything


def test_it_is_known_as_a_gateway_for_mail() -> None:
    configured = ConfiguredGateway("smtp", Settings(host="mail.example.com", sender=SENDER))
    assert configured.channel is Channel.EMAIL
    assert configured.build().capabilities.channel is Channel.EMAIL


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"security": "none"}, "only to localhost or a private address"),
        ({"security": "none", "host": "8.8.8.8"}, "only to localhost or a private address"),
        ({"security": "none", "host": "mail"}, "only to localhost or a private address"),
        ({"username": "x"}, "give username and password, or neither"),
        ({"password": "x"}, "give username and password, or neither"),
        ({"sender": "Miller"}, "not one e-mail address; such as"),
        ({"sender": "a@b.de, c@d.de"}, "not one e-mail address; such as"),
        ({"reply_to": "Miller <a@b.de>"}, "not an e-mail address; such as"),
        ({"unsubscribe_url": "http://example.com/{key}"}, "should match pattern"),
        ({"unsubscribe_url": "https://example.com/>\r\nX: y"}, "should match pattern"),
        ({"ca": "/nowhere.pem"}, "no certificates there: No such file"),
        ({"timeout": 11}, "less than or equal to 10"),
        ({"host": "mail.example.com\r\nQUIT"}, "should match pattern"),
    ],
)
def test_mistakes_in_the_settings_are_told(changes: dict[str, Any], problem: str) -> None:
    values = {"host": "mail.example.com", "sender": SENDER}
    with pytest.raises(ValidationError, match=problem):
        Settings.model_validate(values | changes)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "192.168.1.5", "10.0.0.1", "::1"])
def test_plain_mail_goes_to_near_hosts_only_or_where_it_is_allowed(host: str) -> None:
    assert Settings(host=host, sender=SENDER, security="none").security == "none"
    assert Settings(host="mail", sender=SENDER, security="none", allow_plain=True).allow_plain


def test_a_relative_ca_starts_at_the_configuration(certificates: Certificates) -> None:
    made = Settings.model_validate(
        {"host": "mail", "sender": SENDER, "ca": certificates.ca.name},
        context={"folder": certificates.ca.parent},
    )
    assert made.ca == certificates.ca
    assert made.timeout == timedelta(seconds=10).total_seconds()
    assert re.fullmatch(r"/.*", str(Path(made.ca)))


@pytest.mark.parametrize("unit", ["a", "@", "ann.lee@example.com "])
def test_words_without_end_are_cut_before_addresses_are_looked_for(unit: str) -> None:
    """Looked for in a million letters, addresses would stop the service."""
    said = smtp._said(unit * (1_000_000 // len(unit)))
    assert len(said) <= 200
    assert "ann" not in said
