"""Those on call are phoned by a PBX of FreePBX's shape, their mobiles by its outbound routes."""

# ruff: noqa: ASYNC110 - polling is the trade of a test bed
from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pbx_bridge.core.ladder import LegOutcome
from pbx_bridge.store.schema import outbound_call

from . import freepbx as pbx
from .asterisk import CONF, Asterisk, Place, write
from .conftest import one_asterisk
from .office import Office
from .service import RunningService
from .test_ladder import CONTROL, PRESS_1, Night, rung, went

SNIPPET = "urgent-ladder.conf"
#: The context in which desk phones dial is the default.
LADDER = """
[hours]
open = "off"

[ladder]
people = [{ name = "Anna", phone = "101" }, { name = "Ben", phone = "12125550903" }]
ring = "5s"
listen = "8s"
"""


class WithLadder(pbx.FreePbx):
    """FreePBX's configuration, and what its administrator added by docs/urgent.md."""

    def install(self, etc: Path, place: Place) -> None:
        super().install(etc, place)
        (etc / "snippets").mkdir()
        shutil.copy(CONF / "snippets" / SNIPPET, etc / "snippets")
        accounts = [
            (CONF / "manager.d" / f"{name}.conf").read_text("utf-8")
            for name in ("pbxbridge", "pbxbridge-control")
        ]
        custom = (etc / "extensions_custom.conf").read_text("utf-8")
        files = {
            "extensions_custom.conf": f'{custom}\n#include "snippets/{SNIPPET}"\n',
            "manager_custom.conf": "\n".join(accounts),
        }
        write(etc, files)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    async with one_asterisk(request, WithLadder()) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(asterisk: Asterisk) -> AsyncIterator[RunningService]:
    running = RunningService(
        asterisk,
        pbx={
            "inbound_contexts": None,
            "trunks": None,
            "answered_applications": None,
            "control": CONTROL,
        },
        more=LADDER,
    )
    await running.start()
    try:
        yield running
    finally:
        await running.close()


async def test_freepbx_a_second_missed_call_rings_the_desk_and_then_the_mobile(
    office: Office, service: RunningService
) -> None:
    night = Night(office, service)
    anna = await office.phone_refuses("101", "486 Busy Here")
    ben = await office.mobile(ring=800, keys=PRESS_1)
    for times in (1, 2):
        call = await office.place(pbx.CLOSED, caller=night.customer)
        await call.ended(40)
        await night.missed(night.customer, times)
    ended = await night.ended()
    assert went(ended) == [("Anna", LegOutcome.REFUSED), ("Ben", LegOutcome.TOOK)]
    assert (rung(anna), rung(ben), ended.wrote) == (1, 1, False)
    await office.quiet()
    assert await service.read(lambda tx: list(tx.execute(outbound_call.select()))) == []
    async with asyncio.timeout(20):
        while not any("Ben will call you" in text.text for text in service.gateway.texts):
            await asyncio.sleep(0.1)
