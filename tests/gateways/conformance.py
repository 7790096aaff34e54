"""What every gateway over HTTP must do, whatever the other side does.

A gateway's test module has a class that inherits `Conformance` and says how to build the gateway.
"""

import asyncio
import logging
import socket
from abc import abstractmethod

import pytest
import structlog

from pbx_bridge.core.delivery import Accepted, Deferred, Rejected, SendResult, Uncertain
from pbx_bridge.gateways import _web
from pbx_bridge.ports import Gateway
from tests.gateways.fakes import TOKEN, Answer, Behaviour, Told, answer, message

BODY = "Sorry we missed you"
NUMBER = "+15551234567"


async def sent(gateway: Gateway, seconds: float = 5) -> SendResult:
    """Send as the sender does, which limits the time."""
    async with gateway:
        try:
            async with asyncio.timeout(seconds):
                return await gateway.send(message(to=NUMBER, body=BODY))
        except TimeoutError:
            return Uncertain("no answer")


class Conformance:
    """Inherit this, and say how to build the gateway and what its provider answers."""

    #: An answer that means "taken", and the id in it.
    TAKEN: bytes
    REF: str

    @abstractmethod
    def gateway(self, url: str) -> Gateway:
        """Build the gateway for a provider at `url`, with TOKEN as its secret."""

    async def _answered(self, reply: Answer, seconds: float = 5) -> SendResult:
        async with Told(reply).running() as server:
            result = await sent(self.gateway(server.url), seconds)
            assert len(server.requests) == 1, "a request is never repeated by the gateway itself"
        return result

    async def test_it_is_taken(self) -> None:
        assert await self._answered(self.TAKEN) == Accepted(self.REF)

    async def test_every_status_has_its_meaning(self) -> None:
        for status in range(300, 600):
            result = await self._answered(answer(status, '{"message": "no", "code": 1}'))
            if status in (408, 409):
                continue  # providers differ
            expected: type = Uncertain
            if status in (425, 429):
                expected = Deferred if status == 429 else type(result)
            elif 400 <= status < 500:
                expected = Rejected
            assert type(result) is expected, status

    async def test_too_many_requests_says_when_to_come_back(self) -> None:
        result = await self._answered(answer(429, "{}", Retry_After="17"))
        assert isinstance(result, Deferred)
        assert result.retry_after is not None
        assert result.retry_after.total_seconds() == 17

    async def test_a_refused_connection_sent_nothing(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, not listening: refuses, and nobody else gets it
            result = await sent(self.gateway(f"http://127.0.0.1:{taken.getsockname()[1]}"))
        assert isinstance(result, Deferred)

    async def test_an_unknown_host_sent_nothing(self) -> None:
        assert isinstance(await sent(self.gateway("http://nowhere.invalid")), Deferred)

    async def test_a_failed_handshake_sent_nothing(self) -> None:
        async def speak_no_tls(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example.com ESMTP\r\n")
            writer.close()

        server = await asyncio.start_server(speak_no_tls, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            result = await sent(self.gateway(f"https://127.0.0.1:{port}"))
        assert isinstance(result, Deferred)

    async def test_a_connection_that_does_not_come_about_sent_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_web, "CONNECT_SECONDS", 0.2)
        async with Told(Behaviour.HANG).running() as server:
            url = server.url.replace("http:", "https:")  # it waits for our request, we for its TLS
            assert isinstance(await sent(self.gateway(url), seconds=5), Deferred)

    @pytest.mark.parametrize("behaviour", [Behaviour.CUT, Behaviour.RESET, Behaviour.HALF])
    async def test_a_connection_that_breaks_after_the_request_is_uncertain(
        self, behaviour: Behaviour
    ) -> None:
        assert isinstance(await self._answered(behaviour), Uncertain)

    async def test_no_answer_is_uncertain(self) -> None:
        assert isinstance(await self._answered(Behaviour.HANG, seconds=0.3), Uncertain)

    @pytest.mark.parametrize(
        "reply",
        [
            answer(200, "<html>Welcome to the hotel's wireless network</html>"),
            answer(201, "[]"),
            answer(201, "null"),
            answer(201, "{}"),
            answer(201, b"\xff\xfe\x00"),
            answer(201, "[" * 60_000),
            answer(201, b"\x1f\x8b", Content_Encoding="gzip"),
            answer(204),
            b"HTTP/1.1 201 Created\r\nContent-Length: nonsense\r\n\r\n{}",
            b"hello\r\n\r\n",
            b"",
        ],
    )
    async def test_nonsense_is_uncertain(self, reply: bytes) -> None:
        assert isinstance(await self._answered(reply), Uncertain)

    async def test_an_endless_answer_is_not_read(self) -> None:
        async with Told(Behaviour.FLOOD).running() as server:
            assert isinstance(await sent(self.gateway(server.url)), Uncertain)
        assert server.flooded < 25_000_000  # what the kernel's buffers hold

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_redirect_is_not_followed(self, status: int) -> None:
        async with Told(self.TAKEN).running() as elsewhere:
            result = await self._answered(answer(status, "", Location=elsewhere.url))
            assert isinstance(result, Uncertain)
            assert elsewhere.requests == []

    @pytest.mark.parametrize("to", ["", "911", "+1", "whatsapp:+15551234567", "+1555\r\nX-Evil: 1"])
    async def test_only_numbers_in_e164_are_texted(self, to: str) -> None:
        async with Told(self.TAKEN).running() as server, self.gateway(server.url) as gateway:
            assert isinstance(await gateway.send(message(to=to)), Rejected)
            assert server.requests == []

    async def test_secrets_texts_and_numbers_are_never_shown(
        self, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        said = f'{{"message": "{NUMBER} is bad", "code": 21211, "sid": "x"}}'
        with structlog.testing.capture_logs() as logged:
            gateway = self.gateway("http://127.0.0.1:9")
            shown = [repr(gateway), repr(vars(gateway)), str(vars(gateway).get("settings"))]
            replies = (self.TAKEN, answer(400, said), answer(500, said), Behaviour.CUT)
            shown += [repr(await self._answered(reply)) for reply in replies]
        captured = capsys.readouterr()
        mine = [record.getMessage() for record in caplog.records if record.name != "asyncio"]
        everything = "\n".join([*shown, *mine, repr(logged), captured.out, captured.err])
        for hidden in (TOKEN, BODY, NUMBER, NUMBER[1:]):
            assert hidden not in everything
