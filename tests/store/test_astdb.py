"""What each PBX's AstDB is to hold, and what that follows from."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pbx_bridge.core.astdb import LAST, MISSED
from pbx_bridge.core.call import Caller, OutboundCall
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.store import astdb, calls, contacts
from pbx_bridge.store.db import Database
from tests.store.examples import ANSWERED, BOOT, CALLER, LIVE, NOON, PBX, minutes
from tests.store.examples import MISSED as LOST
from tests.store.plans import scans

ONE, TWO = (MISSED, "125550143"), (LAST, "125550143")
LATER = NOON + minutes(1)


async def test_what_is_wanted_is_to_do_until_it_is_done(db: Database) -> None:
    await db.run(lambda tx: astdb.want(tx, PBX, {ONE: "7", TWO: "102"}, NOON))
    assert await db.read(lambda tx: astdb.to_do(tx, PBX)) == {ONE: "7", TWO: "102"}
    assert await db.read(lambda tx: astdb.to_do(tx, "branch")) == {}
    await db.run(lambda tx: astdb.done(tx, PBX, {ONE: "7"}, LATER))
    assert await db.read(lambda tx: astdb.to_do(tx, PBX)) == {TWO: "102"}
    assert await db.read(lambda tx: astdb.held(tx, PBX)) == {ONE: "7", TWO: "102"}


async def test_what_changed_meanwhile_is_still_to_do(db: Database) -> None:
    await db.run(lambda tx: astdb.want(tx, PBX, {ONE: "7"}, NOON))
    await db.run(lambda tx: astdb.want(tx, PBX, {ONE: "8"}, NOON))
    await db.run(lambda tx: astdb.done(tx, PBX, {ONE: "7"}, LATER))
    assert await db.read(lambda tx: astdb.to_do(tx, PBX)) == {ONE: "8"}


async def test_what_went_is_known_no_more(db: Database) -> None:
    await db.run(lambda tx: astdb.want(tx, PBX, {ONE: "7"}, NOON))
    await db.run(lambda tx: astdb.want(tx, PBX, {ONE: ""}, NOON))
    assert await db.read(lambda tx: astdb.to_do(tx, PBX)) == {ONE: ""}
    await db.run(lambda tx: astdb.done(tx, PBX, {ONE: ""}, LATER))
    assert await db.read(lambda tx: astdb.held(tx, PBX)) == {}


async def test_after_a_start_all_is_put_again(db: Database) -> None:
    for pbx in (PBX, "branch"):
        await db.run(lambda tx, pbx=pbx: astdb.want(tx, pbx, {ONE: "7"}, NOON))  # type: ignore[misc]
        await db.run(lambda tx, pbx=pbx: astdb.done(tx, pbx, {ONE: "7"}, NOON))  # type: ignore[misc]
    await db.run(lambda tx: astdb.put_all_again(tx, [PBX]))
    assert await db.read(lambda tx: astdb.to_do(tx, PBX)) == {ONE: "7"}
    assert await db.read(lambda tx: astdb.to_do(tx, "branch")) == {}


async def test_what_is_seen_is_who_called_and_who_was_called(db: Database) -> None:
    withheld = replace(LOST, call_id="2.2", caller=Caller("5551234567", "", withheld=True))
    told = [LOST, replace(ANSWERED, call_id="1.1", began=NOON + minutes(3)), withheld]
    for call in told:
        await db.run(lambda tx, call=call: calls.finish(tx, PBX, BOOT, call, CALLER))  # type: ignore[misc]
    rings = replace(LIVE, call_id="3.3")
    await db.run(lambda tx: calls.begin(tx, PBX, BOOT, rings, CALLER))
    outbound = OutboundCall(
        call_id="9.9", dialled="15551234567", began=NOON, answered_at=NOON, ended=LATER
    )
    await db.run(lambda tx: calls.upsert_outbound(tx, PBX, BOOT, outbound))
    seen = await db.read(lambda tx: astdb.seen(tx, NOON, timedelta(seconds=20)))
    assert [(one.e164, one.answered_by) for one in seen.came] == [
        (CALLER, "PJSIP/101"),
        (CALLER, ""),
    ]
    assert [one.dialled for one in seen.went] == ["15551234567"]
    assert seen.trunks == {"PJSIP/trunk"}
    short = await db.read(lambda tx: astdb.seen(tx, NOON, timedelta(seconds=61)))
    assert short.went == ()
    nothing = await db.read(lambda tx: astdb.seen(tx, NOON + minutes(9), timedelta()))
    assert nothing.came == ()


@pytest.mark.parametrize("kind", [CallerKind.BLOCKED, CallerKind.CUSTOMER])
async def test_whom_the_office_blocked_is_not_in_it(db: Database, kind: CallerKind) -> None:
    known = Contact(name="Ann", kind=kind, numbers={CALLER: ""})
    await db.run(lambda tx: contacts.create(tx, known, by="eve", now=NOON))
    await db.run(lambda tx: calls.finish(tx, PBX, BOOT, LOST, CALLER))
    seen = await db.read(lambda tx: astdb.seen(tx, NOON, timedelta()))
    assert len(seen.came) == (0 if kind is CallerKind.BLOCKED else 1)


async def test_no_question_goes_through_a_whole_table(db: Database) -> None:
    assert await db.run(lambda tx: scans(tx, astdb.STATEMENTS)) == []
