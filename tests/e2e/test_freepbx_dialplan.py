"""The snippets in a dialplan of FreePBX's shape, put in as docs/dialplan.md tells it."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pbx_bridge.store.consents import ConsentKind

from . import freepbx as pbx
from .asterisk import CONF, ROOT, Asterisk, Place, write
from .conftest import one_asterisk
from .office import Office, fresh_number
from .service import RunningService
from .test_dialplan import CONTROL, RULES, becomes, said, speaks_with

CUSTOM = "6465550330"  # an inbound route to the custom destination
SNIPPETS = ("consent.conf", "missed-first.conf", "last-colleague.conf")


def shown(context: str) -> str:
    """Give what the documentation shows of a context."""
    text = (ROOT / "docs" / "dialplan.md").read_text("utf-8")
    (block,) = re.findall(rf"(?ms)^ *```ini\n( *\[{context}\]\n.*?)^ *```", text)
    return re.sub(r"(?m)^  (?=\S| same)", "", str(block))


class WithSnippets(pbx.FreePbx):
    """FreePBX's configuration, and what its administrator added by our documentation."""

    def install(self, etc: Path, place: Place) -> None:
        super().install(etc, place)
        (etc / "snippets").mkdir()
        for name in SNIPPETS:
            shutil.copy(CONF / "snippets" / name, etc / "snippets")
        custom = (etc / "extensions_custom.conf").read_text("utf-8")
        custom += f"\n[from-pstn-custom](+)\nexten => {CUSTOM},1,Goto(closed-with-consent,s,1)\n\n"
        custom += shown("closed-with-consent") + "\n" + shown("from-trunk-known") + "\n"
        custom = custom.replace("custom/press-1-for-texts", "vm-press&digits/1")
        custom += "".join(f'#include "snippets/{name}"\n' for name in SNIPPETS)
        account = (CONF / "manager.d" / "pbxbridge-texts.conf").read_text("utf-8")
        site = (etc / "pjsip_site.conf").read_text("utf-8")
        files = {
            "extensions_custom.conf": custom,
            "manager_custom.conf": account + "\n" + CONTROL,
            "pjsip_site.conf": site.replace(
                "context = from-pstn\n", "context = from-trunk-known\n"
            ),
        }
        write(etc, files)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asterisk(request: pytest.FixtureRequest) -> AsyncIterator[Asterisk]:
    async with one_asterisk(request, WithSnippets()) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(asterisk: Asterisk) -> AsyncIterator[RunningService]:
    running = RunningService(
        asterisk,
        pbx={
            "username": '"pbxbridge-texts"',
            "inbound_contexts": None,
            "trunks": None,
            "answered_applications": None,
            "control": '{ username = "pbxbridge-astdb", secret = "change-me" }',
            "dialplan": "{ consent = true, missed_first = true, last_colleague = true }",
        },
        more=RULES,
    )
    await running.start()
    try:
        yield running
    finally:
        await running.close()


async def test_freepbx_consent_at_a_custom_destination(
    office: Office, service: RunningService
) -> None:
    call = await office.place(CUSTOM, caller=fresh_number().removeprefix("+1"), keys=[(900, "1")])
    await call.ended(40)
    (given,) = await said(service, f"+1{call.number}")
    assert given.kind is ConsentKind.OPT_IN
    assert CUSTOM in given.detail


@pytest.mark.usefixtures("service")
async def test_freepbx_who_was_missed_comes_first_in_the_queue(office: Office) -> None:
    number = fresh_number()
    missed = await office.place(pbx.DIRECT, caller=number, ring=1500)
    await missed.ended()
    await becomes(office, "pbxbridge-missed", number[-9:], None)
    start = len(office.control.messages)
    waits = await office.place(pbx.QUEUE, talk=8000)
    assert await place_in_queue(office, waits.number, start) == "1"
    again = await office.place(pbx.QUEUE, caller=number.removeprefix("+1"), talk=3000)
    assert await place_in_queue(office, again.number, start) == "1 of 2"
    await again.ended(60)
    await waits.ended(60)


async def place_in_queue(office: Office, caller: str, start: int) -> str:
    joined = await office.control.wait_for(
        lambda m: m.get("Event") == "QueueCallerJoin" and m["CallerIDNum"] == caller,
        start=start,
        timeout=20,
    )
    assert joined["Queue"] == "400"
    return joined["Position"] + ("" if joined["Count"] == "1" else f" of {joined['Count']}")


@pytest.mark.usefixtures("service")
async def test_freepbx_the_colleague_of_last_time_is_rung_first(office: Office) -> None:
    number = fresh_number()
    await speaks_with(office, "102", pbx.WITH_VOICEMAIL, number)
    anna = await office.phone("101", ring=300, talk=1000)
    ben = await office.phone("102", ring=300, talk=1000)
    call = await office.place(pbx.DIRECT, caller=number.removeprefix("+1"))
    await call.ended(40)
    assert ben.answered
    assert not anna.rung_for(number)
    await ben.kill()
    again = await office.place(pbx.DIRECT, caller=number.removeprefix("+1"))
    await again.ended(40)
    assert anna.answered
