"""One SMPP session by itself; what it does for its gateway is tried in test_smpp.py."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.gateways._smpp import Access, BindRefused, Lost, NotSent, Session, submission
from pbx_bridge.gateways._smpp import Address as Phone
from tests.gateways.smsc import GENERIC_NACK, PASSWORD, SYSTEM_ID, Smsc


def access(smsc: Smsc, password: str = PASSWORD) -> Access:
    return Access(
        host="127.0.0.1",
        port=smsc.port,
        system_id=SYSTEM_ID,
        password=password,
        connect_timeout=0.5,
    )


def nothing_comes(_delivery: object) -> None:
    raise AssertionError("nothing was sent to us")


@given(st.binary(max_size=100))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    async def read() -> None:
        async with Smsc().running() as smsc:
            session = await Session.open(access(smsc), lambda _: None)
            session._take(5, 0, 1, body)
            session.abort()
            await session.run()

    asyncio.run(read())


async def test_over_is_over() -> None:
    async with Smsc().running() as smsc:
        session = await Session.open(access(smsc), nothing_comes)
        running = asyncio.get_running_loop().create_task(session.run())
        smsc.cut()
        assert await running
        text = submission(
            b"text",
            ucs2=False,
            in_parts=False,
            source=Phone("1", 1, 1),
            destination=Phone("2", 1, 1),
            validity=timedelta(minutes=5),
            receipt=True,
            service_type="",
        )
        with pytest.raises(NotSent):
            await session.submit(text, 1)
        session.answer(1, 0)  # of no effect, and no error
        session.close()
    assert smsc.submitted == []


async def test_a_refused_bind_leaves_nothing_open() -> None:
    async with Smsc().running() as smsc:
        with pytest.raises(BindRefused) as refusal:
            await Session.open(access(smsc, "wrong"), nothing_comes)
        assert refusal.value.status == 0x0E
        assert smsc.writer is not None
        await asyncio.sleep(0.05)
        assert smsc.writer.is_closing()


async def test_an_smsc_that_knows_no_transceivers_says_so() -> None:
    class Old(Smsc):
        def _bind(self, sequence: int, body: bytes) -> None:  # noqa: ARG002
            self.send(GENERIC_NACK, b"", 0, sequence)

    async with Old().running() as smsc:
        with pytest.raises(Lost, match="transceiver"):
            await Session.open(access(smsc), nothing_comes)


async def test_a_bind_that_is_not_answered_ends() -> None:
    async with Smsc(answers_binds=False).running() as smsc:
        with pytest.raises(TimeoutError):
            await Session.open(access(smsc), nothing_comes)
