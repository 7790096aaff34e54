"""What happens to an Asterisk while people call: reloaded, restarted, frozen, upgraded.

Counted at the gateway, by number: whoever was missed is texted once, or is unobserved and listed as
such; whoever was answered is not texted.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from .conftest import one_asterisk
from .office import DIRECT, WITH_VOICEMAIL, Call, Office
from .sipp import SippRunner
from .test_gaps import Watch, rings, watching

if TYPE_CHECKING:
    from .asterisk import Asterisk

RELOADS = ("module reload", "manager reload", "dialplan reload", "logger rotate", "core reload")
OTHER = {"16": "22", "22": "16"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    """One that all may happen to without harm to other tests."""
    async with one_asterisk(request) as server:
        yield server


async def all_are_true(
    watch: Watch, missed: list[Call], answered: list[Call], *, seen: bool = False
) -> None:
    """See that nobody was forgotten, texted twice, or texted after an answer.

    With `seen` nothing was hidden from the service, so nobody may be unobserved.
    """
    states = []
    for call in missed:
        disposition, reason, texted = await watch.service.judged(call)
        states.append(reason)
        assert disposition in ({"missed"} if seen else {"missed", "unobserved"}), reason
        assert texted is (disposition == "missed")
        await watch.only_record_of(call)
    for call in answered:
        disposition, reason, texted = await watch.service.judged(call)
        states.append(reason)
        assert disposition in ({"answered"} if seen else {"answered", "unobserved"}), reason
        assert not texted
    await asyncio.sleep(1)  # in which a second one would come
    texts = [text.to for text in watch.service.gateway.texts]
    assert len(texts) == len(set(texts)), texts
    assert not {call.number for call in answered} & set(texts)
    print(states)  # noqa: T201 - the figures for whoever asks for them (-s)


async def command(office: Office, words: str) -> None:
    await office.ami(Action="Command", Command=words)


async def afterwards(office: Office) -> tuple[list[Call], list[Call]]:
    """Let one be missed and one be answered, when all is over."""
    await office.sipp.kill_all()  # some may not have heard of the end of their calls
    office.control = await office.asterisk.ami()
    office.sipp = SippRunner(office.asterisk.tree, office.asterisk.inside)
    await office.phone("101")
    await office.phone("102", ring=300)
    missed = await office.place(DIRECT)
    answered = await office.place(WITH_VOICEMAIL, talk=500)
    await asyncio.gather(missed.ended(), answered.ended())
    return [missed], [answered]


async def test_reloaded_while_they_ring_and_talk(office: Office) -> None:
    async with watching(office.asterisk) as watch:
        await office.phone("101")
        await office.phone("102", ring=200)
        missed, answered = [], []
        for words in RELOADS:
            missed.append(await office.place(DIRECT))
            answered.append(await office.place(WITH_VOICEMAIL, talk=1500))
            await rings(office, missed[-1])
            await command(office, words)
        for call in (*missed, *answered):
            await call.ended(60)
        await all_are_true(watch, missed, answered, seen=True)


async def test_restarted_gracefully_while_they_ring_and_talk(office: Office) -> None:
    """It takes nobody any more, waits for the calls there are, and starts anew."""
    async with watching(office.asterisk) as watch:
        await office.phone("101")
        await office.phone("102", ring=200)
        answered = [await office.place(WITH_VOICEMAIL, talk=2500)]
        missed = [await office.place(DIRECT)]
        await rings(office, missed[0])
        watch._mark = len(watch.service.log)
        with contextlib.suppress(ConnectionError):  # it answers nothing any more
            await command(office, "core restart gracefully")
        await office.asterisk.wait_booted()
        await watch.back()
        more = await afterwards(office)
        await watch.searched()
        await all_are_true(watch, missed + more[0], answered + more[1])


@pytest.mark.parametrize("noticed", [True, False], ids=["noticed", "unnoticed"])
async def test_frozen_while_they_ring_and_talk(
    office: Office,
    noticed: bool,  # noqa: FBT001
    nightly: bool,  # noqa: FBT001
) -> None:
    """SIGSTOP: it answers nothing, and nobody is told; then it goes on as if nothing had been."""
    if not (noticed or nightly):
        pytest.skip("the shorter pause is for the nightly run")
    async with watching(office.asterisk) as watch:
        await office.phone("101")
        await office.phone("102", ring=200)
        answered = [await office.place(WITH_VOICEMAIL, talk=8_000)]
        await office.happened("BridgeEnter", BridgeNumChannels="2")
        missed = [await office.place(DIRECT)]
        await rings(office, missed[0])
        watch._mark = len(watch.service.log)
        office.asterisk.send_signal(signal.SIGSTOP)
        try:
            if noticed:
                await watch.noticed()
            else:
                await asyncio.sleep(2)
        finally:
            office.asterisk.send_signal(signal.SIGCONT)
        if noticed:
            await watch.back()
        for call in (*missed, *answered):
            await call.sipp.wait(60)
        await office.quiet(60)
        more = await afterwards(office)
        await all_are_true(watch, missed + more[0], answered + more[1])


async def test_upgraded_while_they_ring_and_talk(office: Office) -> None:
    """Another version on the same ports and folders, while the service watches."""
    async with watching(office.asterisk) as watch:
        await office.phone("101")
        await office.phone("102", ring=200)
        answered = [await office.place(WITH_VOICEMAIL, talk=20_000)]
        await office.happened("BridgeEnter", BridgeNumChannels="2")
        missed = [await office.place(DIRECT)]
        await rings(office, missed[0])
        watch._mark = len(watch.service.log)
        before = office.asterisk.version
        await office.asterisk.become(OTHER[before])
        await watch.back()
        await watch.searched()
        more = await afterwards(office)
        await all_are_true(watch, missed + more[0], answered + more[1])
        assert office.asterisk.version != before
