"""What the office's CRMs say of callers, looked up behind everybody's back."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from pbx_bridge import crm, ports
from pbx_bridge.core.customer import CustomerStatus
from pbx_bridge.crm import MOST_WAITING, REST, Looked, Lookup
from pbx_bridge.store import crm as stored
from pbx_bridge.store.db import Database
from tests.destinations.hubspots import FakeHubSpot
from tests.destinations.office import CALLER, Clock, FakeCrm
from tests.destinations.zohos import FakeZoho
from tests.gateways.fakes import Behaviour, Request, answer

OTHER = "+12125550199"


@asynccontextmanager
async def looking(
    db: Database, clock: Clock, crms: Mapping[str, ports.Crm], **changes: Any
) -> AsyncIterator[Lookup]:
    lookup = Lookup(db, now=clock)
    lookup.attach({name: Looked(one, **changes) for name, one in crms.items()})
    task = asyncio.get_running_loop().create_task(lookup.run())
    try:
        yield lookup
    finally:
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled(), task.exception()


async def known(db: Database, number: str = CALLER) -> CustomerStatus | None:
    return await db.read(lambda tx: stored.get(tx, number))


async def test_who_calls_is_looked_up_once_a_day(db: Database) -> None:
    fake = FakeHubSpot()
    ann = fake.know(CALLER, "Ann Lee", "customer")
    async with (
        fake.connected() as hubspot,
        looking(db, fake.clock, {"hubspot": hubspot}) as lookup,
    ):
        for _ in range(3):
            lookup.wanted(CALLER)
            lookup.wanted(CALLER)
            await lookup.idle()
        assert len(fake.requests) == 1
        assert await known(db) == CustomerStatus(remote_id=ann, name="Ann Lee", status="customer")
        fake.people[0]["properties"]["lifecyclestage"] = "evangelist"
        fake.clock.forward(hours=23)
        lookup.wanted(CALLER)
        await lookup.idle()
        assert len(fake.requests) == 1
        fake.clock.forward(hours=2)
        lookup.wanted(CALLER)
        await lookup.idle()
    found = await known(db)
    assert found is not None
    assert found.status == "evangelist"


async def test_that_nobody_knows_a_number_is_known_too(db: Database) -> None:
    fake = FakeHubSpot()
    async with (
        fake.connected() as hubspot,
        looking(db, fake.clock, {"hubspot": hubspot}, fresh_for=timedelta(hours=1)) as lookup,
    ):
        lookup.wanted(CALLER)
        await lookup.idle()
        lookup.wanted(CALLER)
        await lookup.idle()
        assert len(fake.requests) == 1
        assert await known(db) is None
        fake.know(CALLER)
        fake.clock.forward(minutes=61)
        lookup.wanted(CALLER)
        await lookup.idle()
    assert await known(db) is not None


@pytest.mark.parametrize("number", ["", "anonymous", "101", "2125550143"])
async def test_what_is_no_number_is_not_looked_up(db: Database, number: str) -> None:
    fake = FakeHubSpot()
    async with (
        fake.connected() as hubspot,
        looking(db, fake.clock, {"hubspot": hubspot}) as lookup,
    ):
        lookup.wanted(number)
        await lookup.idle()
    assert fake.requests == []


async def test_without_a_crm_there_is_nothing_to_do(db: Database) -> None:
    async with looking(db, Clock(), {}) as lookup:
        lookup.wanted(CALLER)
        await lookup.idle()
    assert await known(db) is None


async def test_a_crm_that_cannot_be_asked_rests_and_the_other_is_asked(db: Database) -> None:
    broken, good = FakeHubSpot(instead=lambda _: answer(500)), FakeZoho()
    good.know(CALLER)
    clock = Clock()
    async with (
        broken.connected() as hubspot,
        good.connected() as zoho,
        looking(db, clock, {"hubspot": hubspot, "zoho": zoho}) as lookup,
    ):
        with capture_logs() as logs:
            for number in (CALLER, OTHER, CALLER):
                lookup.wanted(number)
                await lookup.idle()
        assert len(broken.requests) == 1
        assert await known(db) is not None
        (line,) = [one for one in logs if one["event"] == "crm_lookup_failed"]
        assert line["connector"] == "hubspot"
        assert "answered 500" in line["problem"]
        assert CALLER not in str(line)
        clock.forward(seconds=REST.total_seconds() + 1)
        lookup.wanted(CALLER)
        await lookup.idle()
    assert len(broken.requests) == 2


async def test_who_hangs_is_given_up(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crm, "TIMEOUT", timedelta(seconds=0.2))
    fake = FakeHubSpot(instead=lambda _: Behaviour.HANG)
    async with (
        fake.connected() as hubspot,
        looking(db, fake.clock, {"hubspot": hubspot}) as lookup,
    ):
        with capture_logs() as logs:
            lookup.wanted(CALLER)
            await lookup.idle()
    assert [one["event"] for one in logs] == ["crm_lookup_failed"]


async def test_wanting_is_never_waiting(db: Database) -> None:
    """However slow a CRM is, and however many call; what is too much is dropped and said once."""
    hung = asyncio.Event()

    def hang(_: Request) -> Behaviour:
        hung.set()
        return Behaviour.HANG

    fake: FakeCrm = FakeHubSpot(instead=hang)
    async with (
        fake.connected() as hubspot,
        looking(db, fake.clock, {"hubspot": hubspot}) as lookup,
    ):
        with capture_logs() as logs:
            for count in range(MOST_WAITING + 50):
                lookup.wanted(f"+1212{count:07}")
        await asyncio.wait_for(hung.wait(), 5)
    dropped = [one for one in logs if one["event"] == "crm_lookups_dropped"]
    assert len(dropped) == 1
