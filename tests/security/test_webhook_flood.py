"""The whole service, flooded by strangers: memory stays, honest webhooks and calls are served."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from pbx_bridge.core.delivery import State
from tests.gateways.fakes import TOKEN
from tests.security.flood import ATTACKERS, flooded
from tests.service import Service, office, until
from tests.test_both_ways import PUBLIC, Way, free_port

#: Missed calls, and receipts of their texts, during the flood.
IN_CI, NIGHTLY = 20, 500
#: Of more memory than before, in kB. The bombs alone would be four times 60 MB, again and again.
MOST_MORE = 80_000
PATIENCE = 300.0


@pytest.fixture
async def way(tmp_path: Path) -> AsyncIterator[Way]:
    async with office(tmp_path) as place:
        made = Way(place, free_port())
        made.configure()
        yield made


def peak(service: Service) -> int:
    """Give the most memory that the process ever had, in kB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{service.pid}/status").read_text())
    assert found is not None
    return int(found[1])


def files(service: Service) -> int:
    return len(list(Path(f"/proc/{service.pid}/fd").iterdir()))


async def honest(way: Way, key: str, ref: str) -> None:
    """Tell of a delivery as Twilio does, from an address of its own, until it is taken."""
    path = f"/hooks/test/status?m={key}"
    fields = {"MessageSid": ref, "MessageStatus": "delivered"}
    signature = RequestValidator(TOKEN).compute_signature(PUBLIC + path, fields)
    headers = {"X-Twilio-Signature": signature, "X-Forwarded-For": "54.172.60.1"}
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with (
                    aiohttp.ClientSession() as http,
                    http.post(
                        f"http://127.0.0.1:{way.port}{path}", data=fields, headers=headers
                    ) as answer,
                ):
                    if answer.status == 204:
                        return
                    assert answer.status == 503, answer.status
            except aiohttp.ClientError:
                pass  # its connection made room for a stranger's: as providers do, again
            await asyncio.sleep(0.1)


async def test_a_flood_stops_neither_webhooks_nor_calls(way: Way, *, nightly: bool) -> None:
    """RELIABILITY F31, F40: slow heads and bodies, huge ones, gzip bombs, noise, forgeries."""
    calls = NIGHTLY if nightly else IN_CI
    service = await way.place.start_watching()
    await way.missed(service)
    before = peak(service)
    paths = ("/hooks/test/status", "/hooks/test/reply", "/hooks/none", "/")
    async with flooded(way.port, *paths) as done:
        await until(lambda: len(done) == len(ATTACKERS), PATIENCE)
        callers = [way.place.pbx.misses() for _ in range(calls)]
        await until(lambda: len(way.place.texts) == calls + 1, PATIENCE)
        texts = [one for one in await way.messages() if one.to in callers]

        async def all_accepted() -> bool:
            nonlocal texts
            texts = [one for one in await way.messages() if one.to in callers]
            return all(one.state is State.ACCEPTED for one in texts)

        await until(all_accepted, PATIENCE)
        for text in texts:
            await honest(way, text.key, text.gateway_ref)
        most_files = files(service)
    assert most_files < 600  # they all want to be connected; there are 400 places
    after = await way.messages()
    assert {one.state for one in after if one.to in callers} == {State.DELIVERED}
    assert all(times == 1 for times in way.place.texts.values())
    assert set(callers) <= set(way.place.texts)
    assert peak(service) - before < MOST_MORE
    assert service.runs
    assert "Traceback" not in "".join(service.raw)
    assert await service.stops() == 0
