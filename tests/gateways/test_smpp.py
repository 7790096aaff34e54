"""A bind at an SMSC: what is handed in, what its answers mean, and every way to lose it."""

import asyncio
import importlib.util
import logging
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
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
from pbx_bridge.core.text import GSM_BASIC, GSM_EXTENDED
from pbx_bridge.gateways import _smpp, smpp
from pbx_bridge.gateways.smpp import Gateway, Settings, in_decimal, refused
from pbx_bridge.ports import GatewayProblem, News, Surroundings
from tests.gateways.fakes import message
from tests.gateways.smsc import (
    DELIVER_SM,
    ENQUIRE_LINK,
    PASSWORD,
    SYSTEM_ID,
    UNBIND,
    Behaviour,
    Smsc,
    read_gsm,
)
from tests.service import until

NUMBER = "+15551234567"


def settings(port: int = 2775, **changes: Any) -> Settings:
    known = {
        "type": "smpp",
        "host": "127.0.0.1",
        "port": port,
        "system_id": SYSTEM_ID,
        "password": PASSWORD,
        "source": "+12125550100",
    }
    return Settings.model_validate(known | changes)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait tenths of a second for what takes seconds in life."""
    monkeypatch.setattr(smpp, "FIRST_WAIT", 0.05)
    monkeypatch.setattr(smpp, "FIRST_WAIT_REFUSED", 0.05)
    monkeypatch.setattr(smpp, "ANSWER", 0.6)


@asynccontextmanager
async def bound(smsc: Smsc, **changes: Any) -> AsyncIterator[Gateway]:
    async with (
        smsc.running(),
        Gateway(settings(smsc.port, **changes), Surroundings(name="carrier")) as gateway,
    ):
        await gateway.check()
        yield gateway


async def sent(smsc: Smsc, body: str = "Sorry we missed you", **changes: Any) -> SendResult:
    async with bound(smsc, **changes) as gateway:
        return await gateway.send(message(body=body))


class Told:
    """Takes news as the service does."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self.failing = False
        self.slow: asyncio.Event | None = None

    async def tell(self, news: Sequence[News]) -> None:
        if self.slow is not None:
            await self.slow.wait()
        if self.failing:
            raise RuntimeError("the database is away")
        self.news += news


class NoCursor:
    async def get(self) -> str:
        raise AssertionError("the SMSC keeps what was not answered")

    async def put(self, value: str) -> None:
        raise AssertionError(value)


@asynccontextmanager
async def listening(gateway: Gateway) -> AsyncIterator[Told]:
    told = Told()
    task = asyncio.get_running_loop().create_task(gateway.listen(told.tell, NoCursor()))
    await asyncio.sleep(0)
    try:
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# -- out --------------------------------------------------------------------------------------


async def test_a_short_text_is_one_part() -> None:
    smsc = Smsc()
    left = utc_now() + timedelta(minutes=30, seconds=1)
    async with bound(smsc, system_type="SMPP", service_type="CMT") as gateway:
        assert await gateway.send(message(expires_at=left)) == Accepted("id-0")
    assert smsc.binds == [(SYSTEM_ID, PASSWORD, "SMPP")]
    (one,) = smsc.submitted
    assert one.text == "Sorry we missed you"
    assert (one.data_coding, one.esm_class, one.header) == (0, 0, b"")
    assert one.source == (1, 1, "12125550100")
    assert one.destination == (1, 1, NUMBER[1:])
    assert one.registered == 1
    assert one.service_type == "CMT"
    assert one.validity in {"000000003000000R", "000000002959000R"}
    assert smsc.unbound == 1


@pytest.mark.parametrize(
    "text",
    [
        "x" * 160,
        "x" * 161,
        "x" * 152 + "€" + "x" * 152,
        "{[~]}\\^|€\n@" * 40,
        "ж" * 70,
        "ж" * 66 + "😀" + "ж" * 66,
        'Grüße 😀 "q" ç\n' * 20,
    ],
)
async def test_a_long_text_is_put_together_again_at_the_other_end(text: str) -> None:
    smsc = Smsc()
    assert await sent(smsc, text) == Accepted("id-0")
    assert "".join(part.text for part in smsc.submitted) == text
    if len(smsc.submitted) > 1:
        headers = [part.header for part in smsc.submitted]
        reference = headers[0][2]
        assert headers == [
            bytes((0, 3, reference, len(headers), number)) for number in range(1, len(headers) + 1)
        ]
        assert all(part.esm_class == 0x40 for part in smsc.submitted)
    for part in smsc.submitted:
        octets = len(part.data) + (6 if part.header else 0)
        # What fits into an SMS: 140 octets, septets packed eight to seven.
        assert (
            octets <= 140
            if part.data_coding == 8
            else len(part.data) * 7 / 8 <= 140 - (6 if part.header else 0)
        )


async def test_texts_in_parts_have_different_references() -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway:
        for _ in range(3):
            await gateway.send(message(body="x" * 200))
    assert len({part.header[2] for part in smsc.submitted}) == 3


@given(st.text(st.sampled_from(sorted(GSM_BASIC | GSM_EXTENDED)), max_size=200))
def test_the_alphabet_of_the_library_is_that_of_the_specification(text: str) -> None:
    encoded = _smpp.gsm(text)
    assert read_gsm(encoded) == text
    assert _smpp.from_gsm(encoded) == text
    assert len(encoded) == sum(2 if c in GSM_EXTENDED else 1 for c in text)


@pytest.mark.parametrize(
    ("source", "changes", "expected"),
    [
        ("+12125550100", {}, (1, 1, "12125550100")),
        ("12345", {}, (3, 0, "12345")),
        ("Miller Sons", {}, (5, 0, "Miller Sons")),
        ("12345", {"source_ton": 0, "source_npi": 1}, (0, 1, "12345")),
    ],
)
async def test_the_sender_has_its_type(
    source: str, changes: dict[str, Any], expected: tuple[int, int, str]
) -> None:
    smsc = Smsc()
    await sent(smsc, source=source, receipts=False, **changes)
    assert smsc.submitted[0].source == expected
    assert smsc.submitted[0].registered == 0


@pytest.mark.parametrize("to", ["", "911", "+1", "alice", "+15551234567\r\n"])
async def test_only_numbers_in_e164_are_texted(to: str) -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway:
        assert isinstance(await gateway.send(message(to=to)), Rejected)
        assert isinstance(await gateway.send(message(body="")), Rejected)
    assert smsc.submitted == []


# -- answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0x58, 0x14, 0x64])
async def test_a_busy_smsc_says_later(status: int) -> None:
    result = await sent(Smsc(verdict=lambda _: status))
    assert isinstance(result, Deferred)
    assert result.busy


@pytest.mark.parametrize("status", [0x04, 0x08])
async def test_an_smsc_in_trouble_counts_against_it(status: int) -> None:
    result = await sent(Smsc(verdict=lambda _: status))
    assert isinstance(result, Deferred)
    assert not result.busy


@pytest.mark.parametrize(
    ("status", "blame", "code"),
    [
        (0x0B, Blame.NUMBER, "ESME_RINVDSTADR"),
        (0x0A, Blame.GATEWAY, "ESME_RINVSRCADR"),
        (0x45, Blame.MESSAGE, "ESME_RSUBMITFAIL"),
        (0x65, Blame.MESSAGE, "ESME_RX_P_APPN"),
        (0xFF, Blame.MESSAGE, "ESME_RUNKNOWNERR"),
        (0x0412, Blame.MESSAGE, "0x00000412"),  # a vendor's own
        (0xFFFFFFFF, Blame.MESSAGE, "0xffffffff"),
    ],
)
async def test_a_refusal_has_its_blame(status: int, blame: Blame, code: str) -> None:
    smsc = Smsc(verdict=lambda n: status if n == 0 else "next")
    async with bound(smsc) as gateway:
        result = await gateway.send(message())
        assert isinstance(result, Rejected)
        assert (result.blame, result.code) == (blame, code)
        # A status that the library does not know costs no session.
        assert await gateway.send(message()) == Accepted("next")
    assert len(smsc.binds) == 1


def test_every_status_is_a_refusal_or_a_later() -> None:
    for status in [*range(1, 0x110), 0x3FF, 0x400, 0x4FF]:
        assert isinstance(refused(status), Rejected | Deferred)


async def test_an_smsc_that_does_not_understand_it_refused_it() -> None:
    assert isinstance(await sent(Smsc(verdict=lambda _: Behaviour.NACK)), Rejected)


async def test_an_answer_without_an_id_is_an_answer() -> None:
    assert await sent(Smsc(verdict=lambda _: "")) == Accepted("")


@pytest.mark.parametrize("behaviour", [Behaviour.SILENT, Behaviour.CUT])
async def test_no_answer_is_uncertain_and_nothing_is_repeated(behaviour: Behaviour) -> None:
    smsc = Smsc(verdict=lambda _: behaviour)
    async with bound(smsc) as gateway:
        assert isinstance(await gateway.send(message()), Uncertain)
        await until(lambda: len(smsc.binds) >= (2 if behaviour is Behaviour.CUT else 1))
        await asyncio.sleep(0.1)
        assert len(smsc.submitted) == 1
        assert await gateway.lookup(message(), set()) == Absent()
        assert not gateway.capabilities.can_lookup


@pytest.mark.parametrize("status", [0x58, 0x0B])
async def test_a_first_part_refused_sends_no_other(status: int) -> None:
    smsc = Smsc(verdict=lambda _: status)
    assert isinstance(await sent(smsc, "x" * 400), Deferred | Rejected)
    assert len(smsc.submitted) == 1


@pytest.mark.parametrize(
    "verdict", [0x58, 0x0B, Behaviour.SILENT, Behaviour.CUT], ids=["busy", "no", "silent", "cut"]
)
async def test_a_text_taken_in_part_is_uncertain(verdict: int | Behaviour) -> None:
    smsc = Smsc(verdict=lambda n: verdict if n == 2 else f"id-{n}")
    result = await sent(smsc, "x" * 400)
    assert isinstance(result, Uncertain)
    assert "of 3 parts were taken" in result.reason
    assert len(smsc.submitted) == 3


# -- window and pace --------------------------------------------------------------------------


async def test_no_more_parts_are_unanswered_than_the_window_allows() -> None:
    smsc = Smsc(verdict=lambda _: Behaviour.SILENT)
    async with bound(smsc, window=2) as gateway:
        results = await asyncio.gather(*(gateway.send(message()) for _ in range(4)))
        assert len(smsc.submitted) == 2
    kinds = sorted(type(result).__name__ for result in results)
    assert kinds == ["Deferred", "Deferred", "Uncertain", "Uncertain"]
    assert all(result.busy for result in results if isinstance(result, Deferred))


async def test_a_long_text_gets_through_a_narrow_window() -> None:
    smsc = Smsc()
    assert await sent(smsc, "x" * 1000, window=1) == Accepted("id-0")
    assert len(smsc.submitted) == 7


async def test_parts_go_out_no_faster_than_allowed() -> None:
    smsc = Smsc()
    assert await sent(smsc, "x" * 600, throughput=20) == Accepted("id-0")
    times = [part.at for part in smsc.submitted]
    assert len(times) == 4
    assert times[-1] - times[0] >= 3 / 20 - 0.02


# -- the session ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"password": "wrong"}, "wrong password (ESME_RINVPASWD)"),
        ({"system_id": "nobody"}, "wrong system_id (ESME_RINVSYSID)"),
    ],
)
async def test_a_refused_bind_is_the_gateways_fault(changes: dict[str, str], says: str) -> None:
    async with (
        Smsc().running() as smsc,
        Gateway(settings(smsc.port, **changes)) as gateway,
    ):
        with pytest.raises(GatewayProblem, match="refuses the bind"):
            await gateway.check()
        result = await gateway.send(message())
        assert isinstance(result, Rejected)
        assert result.blame is Blame.GATEWAY
        assert says in result.reason


@pytest.mark.parametrize("status", [0x05, 0x08, 0x58])
async def test_a_bind_refused_for_now_is_tried_again(status: int) -> None:
    smsc = Smsc(bind_status=status)
    async with smsc.running(), Gateway(settings(smsc.port)) as gateway:
        result = await gateway.send(message())
        assert isinstance(result, Deferred)
        smsc.bind_status = 0
        await until(lambda: gateway._session is not None)
        assert await gateway.send(message()) == Accepted("id-0")


async def test_nobody_listens() -> None:
    async with Smsc().running() as smsc:
        port = smsc.port
    async with Gateway(settings(port)) as gateway:
        result = await gateway.send(message())
        assert isinstance(result, Deferred)
        with pytest.raises(GatewayProblem, match="nothing listens"):
            await gateway.check()


async def test_an_smsc_that_never_answers_the_bind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp, "READY", 0.1)
    async with (
        Smsc(answers_binds=False).running() as smsc,
        Gateway(settings(smsc.port)) as gateway,
    ):
        assert isinstance(await gateway.send(message()), Deferred)
    assert smsc.submitted == []


@pytest.mark.parametrize(
    "greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\1" + b"\0" * 12, b"\0" * 15, b""]
)
async def test_what_is_no_smsc_sent_nothing(greeting: bytes) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server, Gateway(settings(server.sockets[0].getsockname()[1])) as gateway:
        assert isinstance(await gateway.send(message()), Deferred)


async def test_after_a_restart_of_the_smsc_it_binds_again() -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway:
        await smsc.stop()
        await until(lambda: gateway._session is None)
        result = await gateway.send(message())
        assert isinstance(result, Deferred)
        await smsc.start()
        await until(lambda: gateway._session is not None)
        assert await gateway.send(message()) == Accepted("id-0")
    assert len(smsc.submitted) == 1


async def test_a_session_that_the_smsc_ends_is_made_anew() -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway:
        smsc.send(UNBIND)
        await until(lambda: len(smsc.binds) == 2)
        await until(lambda: gateway._session is not None)
        assert await gateway.send(message()) == Accepted("id-0")


async def test_an_smsc_that_falls_silent_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    smsc = Smsc()
    async with smsc.running():
        gateway = Gateway(settings(smsc.port, keep_alive=1))
        access = gateway._access
        quick = {"keep_alive": 0.05, "keep_alive_timeout": 0.05}
        monkeypatch.setattr(gateway, "_access", _replaced(access, **quick))
        async with gateway:
            await gateway.check()
            await until(lambda: smsc.links >= 3)
            assert len(smsc.binds) == 1
            smsc.answers_links = False
            await until(lambda: len(smsc.binds) >= 2)


def _replaced(access: _smpp.Access, **changes: Any) -> _smpp.Access:
    known = {name: getattr(access, name) for name in access.__slots__}
    return _smpp.Access(**(known | changes))


async def test_the_smsc_may_ask_whether_we_are_there() -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway:
        smsc.send(ENQUIRE_LINK)
        smsc.send(0x00000103)  # data_sm, which we do not do
        assert await gateway.send(message()) == Accepted("id-0")
        await until(lambda: bool(smsc.answered))
    assert list(smsc.answered.values()) == [0x03]
    assert smsc.strange == []


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Make a certificate for this machine, which it trusts itself."""
    making = (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=smsc -addext"
        " subjectAltName=IP:127.0.0.1 -keyout smsc.key -out smsc.pem"
    )
    subprocess.run(  # noqa: S603
        ["/usr/bin/openssl", *making.split()], cwd=tmp_path, check=True, capture_output=True
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "smsc.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "smsc.pem", tmp_path / "smsc.key")
    return context


async def test_over_tls(certificate: ssl.SSLContext) -> None:
    smsc = Smsc(tls=certificate)
    assert await sent(smsc, tls=True) == Accepted("id-0")


async def test_a_certificate_that_does_not_hold_gets_no_password(
    certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    smsc = Smsc(tls=certificate)
    async with smsc.running(), Gateway(settings(smsc.port, tls=True)) as gateway:
        assert isinstance(await gateway.send(message()), Deferred)
        with pytest.raises(GatewayProblem, match="a certificate that does not hold"):
            await gateway.check()
    assert smsc.binds == []


async def test_tls_where_nobody_speaks_it() -> None:
    smsc = Smsc()
    async with smsc.running(), Gateway(settings(smsc.port, tls=True)) as gateway:
        assert isinstance(await gateway.send(message()), Deferred)
    assert smsc.binds == []


# -- receipts ---------------------------------------------------------------------------------


async def receipts(smsc: Smsc, gateway: Gateway, *told: tuple[str, str, str]) -> list[Receipt]:
    async with listening(gateway) as heard:
        sequences = [smsc.receipt(*one) for one in told]
        await until(lambda: all(sequence in smsc.answered for sequence in sequences))
    assert set(smsc.answered.values()) == {0}
    return [news for news in heard.news if isinstance(news, Receipt)]


async def test_receipts_find_their_text() -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway:
        await gateway.send(message())
        found = await receipts(
            smsc,
            gateway,
            ("id-0", "ENROUTE", "000"),
            ("id-0", "DELIVRD", "000"),
            ("id-9", "UNDELIV", "0A1"),  # from before our start; no decimal number either
            ("id-9", "EXPIRED", "017"),
            ("id-9", "UNKNOWN", "000"),
            ("id-9", "nonsense", "000"),
        )
    assert [(r.gateway_ref, r.state, r.code) for r in found] == [
        ("id-0", State.ACCEPTED, ""),
        ("id-0", State.DELIVERED, ""),
        ("id-9", State.UNDELIVERED, "0A1"),
        ("id-9", State.UNDELIVERED, "017"),
    ]


async def test_a_text_in_parts_is_delivered_when_all_of_it_is() -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway:
        assert await gateway.send(message(body="x" * 400)) == Accepted("id-0")
        part = await receipts(smsc, gateway, ("id-2", "DELIVRD", "0"), ("id-0", "DELIVRD", "0"))
        assert part == []
        again = await receipts(smsc, gateway, ("id-0", "DELIVRD", "0"), ("id-1", "DELIVRD", "0"))
        assert [(r.gateway_ref, r.state) for r in again] == [("id-0", State.DELIVERED)]
        failed = await receipts(smsc, gateway, ("id-1", "UNDELIV", "1"))
        assert [(r.gateway_ref, r.state) for r in failed] == [("id-0", State.UNDELIVERED)]


@pytest.mark.parametrize(
    ("mode", "answered", "in_receipt"),
    [
        ("same", "00AB", "00AB"),
        ("decimal", "00AB", "171"),
        ("decimal", "ab", "0000000171"),
        ("hex", "171", "AB"),
        ("hex", "0171", "00ab"),
        ("hex", "x-1", "x-1"),
    ],
)
async def test_ids_may_be_hexadecimal_on_one_side(
    mode: str, answered: str, in_receipt: str
) -> None:
    smsc = Smsc(verdict=lambda _: answered)
    async with bound(smsc, receipt_ids=mode) as gateway:
        result = await gateway.send(message())
        assert isinstance(result, Accepted)
        (found,) = await receipts(smsc, gateway, (in_receipt, "DELIVRD", "000"))
    assert found.gateway_ref == result.gateway_ref


async def test_options_of_a_receipt_count_more_than_its_text() -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway, listening(gateway) as told:
        smsc.deliver(
            b"id:other stat:DELIVRD", esm_class=0x04, options={0x1E: b"id-7\0", 0x427: b"\5"}
        )
        smsc.deliver(b"", esm_class=0x04, options={0x1E: b"id-8\0", 0x427: b"\2"})
        smsc.deliver(b"no receipt at all", esm_class=0x04)
        await until(lambda: len(smsc.answered) == 3)
    assert [(r.gateway_ref, r.state) for r in told.news if isinstance(r, Receipt)] == [
        ("id-7", State.UNDELIVERED),
        ("id-8", State.DELIVERED),
    ]


@pytest.mark.parametrize(("written", "base", "number"), [("ff", 16, "255"), ("zz", 16, "zz")])
def test_an_id_in_decimal(written: str, base: int, number: str) -> None:
    assert in_decimal(written, base) == number


# -- what comes in ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "coding", "text"),
    [
        (b"STOP", 0, "STOP"),
        (b"\x00 \x1b\x65 \x7b", 0, "@ € ä"),
        (b"plain", 1, "plain"),
        ("Größe".encode("latin-1"), 3, "Größe"),
        ("😀 ж".encode("utf-16-be"), 8, "😀 ж"),
        ("привет".encode("iso8859_5"), 6, "привет"),
        (b"flash", 0x10, "flash"),
        ("ж".encode("utf-16-be"), 0x18, "ж"),
        (b"class", 0xF0, "class"),
        (b"odd\xd8", 8, None),
    ],
)
async def test_a_text_is_read_in_its_alphabet(data: bytes, coding: int, text: str | None) -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway, listening(gateway) as told:
        smsc.deliver(data, data_coding=coding)
        smsc.deliver(data, data_coding=coding, payload=True)
        await until(lambda: len(smsc.answered) == 2)
    first, second = told.news
    assert isinstance(first, Reply)
    assert isinstance(second, Reply)
    assert (first.sender, first.recipient) == ("15551234567", "12125550100")
    assert text is None or (first.body, second.body) == (text, text)
    assert first.gateway_ref != second.gateway_ref


@pytest.mark.parametrize("coding", [2, 4, 0xF4, 0xC8])
async def test_what_is_no_text_is_answered_and_passed_over(coding: int) -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway, listening(gateway) as told:
        smsc.deliver(b"\x01\x02", data_coding=coding)
        smsc.deliver(b"acknowledged", esm_class=0x08)
        smsc.deliver(b"nobody", source="")
        await until(lambda: len(smsc.answered) == 3)
    assert told.news == []
    assert set(smsc.answered.values()) == {0}


def short(reference: int, total: int, number: int) -> bytes:
    return bytes((5, 0, 3, reference, total, number))


def wide(reference: int, total: int, number: int) -> bytes:
    """A 16-bit reference, behind another element."""
    return bytes((12, 0x05, 4, 1, 2, 3, 4, 8, 4, reference >> 8, reference & 0xFF, total, number))


async def test_a_text_in_parts_is_one_reply_in_whatever_order() -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway, listening(gateway) as told:
        for header in (short, wide):
            smsc.deliver(header(7, 3, 3) + b"three", esm_class=0x40)
            smsc.deliver(header(8, 3, 1) + b"other", esm_class=0x40)
            smsc.deliver(header(7, 3, 1) + b"one ", esm_class=0x40)
            smsc.deliver(header(7, 3, 1) + b"one ", esm_class=0x40)
            smsc.deliver(header(7, 3, 2) + b"two ", esm_class=0x40, source="4915112345")
            smsc.deliver(header(7, 3, 2) + b"two ", esm_class=0x40)
        for number in (2, 1):
            options = {0x020C: b"\0\7", 0x020E: b"\2", 0x020F: bytes((number,))}
            smsc.deliver(f"part {number} ".encode(), options=options)
        smsc.deliver(short(9, 1, 1) + b"alone", esm_class=0x40)
        smsc.deliver(short(9, 2, 3) + b"damaged", esm_class=0x40)
        await until(lambda: len(smsc.answered) == 16)
    assert [news.body for news in told.news if isinstance(news, Reply)] == [
        "one two three",
        "one two three",
        "part 1 part 2 ",
        "alone",
        "damaged",
    ]


async def test_pieces_of_which_nothing_comes_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smpp, "MAX_PIECES", 2)
    smsc = Smsc()
    with structlog.testing.capture_logs() as logs:
        async with bound(smsc) as gateway, listening(gateway) as told:
            for reference in (1, 2, 3):
                smsc.deliver(short(reference, 2, 1) + b"a", esm_class=0x40)
            for reference in (3, 1):  # of the first, the beginning is forgotten
                smsc.deliver(short(reference, 2, 2) + b"b", esm_class=0x40)
            await until(lambda: len(smsc.answered) == 5)
    assert [news.body for news in told.news if isinstance(news, Reply)] == ["ab"]
    assert "pieces_dropped" in [line["event"] for line in logs]


async def test_it_is_answered_only_when_it_is_written_down() -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway, listening(gateway) as told:
        told.slow = asyncio.Event()
        sequence = smsc.deliver(b"STOP")
        # Answers to our own texts do not wait behind it.
        assert await gateway.send(message()) == Accepted("id-0")
        assert sequence not in smsc.answered
        told.slow.set()
        await until(lambda: smsc.answered.get(sequence) == 0)
    assert len(told.news) == 1


async def test_what_could_not_be_written_down_is_not_answered() -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway:
        told = Told()
        told.failing = True
        task = asyncio.get_running_loop().create_task(gateway.listen(told.tell, NoCursor()))
        await asyncio.sleep(0)
        smsc.deliver(b"STOP")
        with pytest.raises(RuntimeError):
            await task
        await gateway.send(message())
        assert smsc.answered == {}


async def test_where_nobody_listens_it_is_to_come_again() -> None:
    smsc = Smsc()
    async with bound(smsc):
        sequence = smsc.deliver(b"STOP")
        await until(lambda: sequence in smsc.answered)
    assert smsc.answered[sequence] == 0x64


@pytest.mark.parametrize("body", [b"", b"\0\1\1123", b"\0" * 12, b"\0" * 16 + b"\xff" + b"short"])
async def test_damage_is_refused_and_costs_no_session(body: bytes) -> None:
    smsc = Smsc()
    async with bound(smsc) as gateway, listening(gateway) as told:
        sequence = smsc.send(DELIVER_SM, body)
        await until(lambda: sequence in smsc.answered)
        assert smsc.answered[sequence] != 0
        assert await gateway.send(message()) == Accepted("id-0")
    assert told.news == []
    assert len(smsc.binds) == 1


# -- settings, and what nobody may see ----------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"password": "ninechars"}, "1 to 8 plain characters"),
        ({"password": ""}, ""),
        ({"password": "pässword"}, "1 to 8 plain characters"),
        ({"system_id": "x" * 16}, "at most 15"),
        ({"source": "Miller & Sons Ltd"}, "pattern"),
        ({"source": "a\0b"}, "pattern"),
        ({"window": 0}, "greater than or equal to 1"),
        ({"receipt_ids": "octal"}, "'same', 'decimal' or 'hex'"),
    ],
)
def test_wrong_settings_are_told(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as error:
        settings(**wrong)
    assert says in str(error.value)
    assert str(wrong.get("password") or "\0") not in str(error.value)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ValidationError, match=r"pip install 'pbx-bridge\[smpp\]'"):
        settings()


async def test_secrets_texts_and_numbers_are_never_shown(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    with structlog.testing.capture_logs() as logged:
        for verdict in ("id-0", 0x0B, 0x58, Behaviour.CUT, Behaviour.SILENT):
            smsc = Smsc(verdict=lambda _, v=verdict: v)  # type: ignore[misc]
            async with bound(smsc) as gateway, listening(gateway):
                result = await gateway.send(message())
                smsc.send(DELIVER_SM, b"\0damaged secret reply")
                smsc.deliver(b"secret reply", data_coding=4)
                await asyncio.sleep(0.05)
                shown = {"result": repr(result), "gateway": repr(vars(gateway))}
            logged.append({"event": repr(shown), "log_level": "info"})
    everything = repr(logged) + caplog.text + "".join(capsys.readouterr())
    for hidden in (PASSWORD, "Sorry we missed you", NUMBER, NUMBER[1:], "secret reply"):
        assert hidden not in everything
