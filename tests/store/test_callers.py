"""What is known of a caller, in one statement."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from pbx_bridge.core.call import OutboundCall
from pbx_bridge.core.delivery import State
from pbx_bridge.store import callers, calls, consents, correspondents
from pbx_bridge.store.callers import Known
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.schema import message, reply
from tests.store.examples import ANSWERED, BOOT, MISSED, NOON, PBX, minutes, queue_message
from tests.store.plans import scans

WHO = "+12125550142"
NATIONAL = "2125550142"
BEGAN = NOON + timedelta(days=2)
NOTHING = Known(
    opted_out_at=None, muted_until=None, muted_why="", untextable="", replied_at=None, stranger=True
)


def known(tx: Connection) -> Known:
    return callers.caller(tx, WHO, NATIONAL, BEGAN)


def says(tx: Connection, kind: ConsentKind, hour: int) -> None:
    consents.record(
        tx,
        ConsentRecord(
            address=WHO,
            at=NOON + timedelta(hours=hour),
            kind=kind,
            source=ConsentSource.REPLY,
            detail="",
            reply_row=None,
        ),
    )


def writes(tx: Connection, hours_before: float, meaning: str = "reply", who: str = WHO) -> None:
    tx.execute(
        reply.insert().values(
            received_at=BEGAN - timedelta(hours=hours_before), gateway="g", sender=who,
            gateway_ref=f"{who}{hours_before}", sender_e164=who, recipient="", body="",
            meaning=meaning, detail="",
        )
    )  # fmt: skip


def is_called(tx: Connection, dialled: str, before: timedelta) -> None:
    outbound = OutboundCall(call_id="out", dialled=dialled, began=BEGAN - before)
    calls.upsert_outbound(tx, PBX, BOOT, outbound)


async def test_no_statement_goes_through_a_whole_table(db: Database) -> None:
    assert await db.run(lambda tx: scans(tx, callers.STATEMENTS)) == []


async def test_of_a_stranger_nothing_is_known(db: Database) -> None:
    assert await db.read(known) == NOTHING
    of_recipient = await db.read(lambda tx: callers.recipient(tx, WHO, BEGAN))
    assert of_recipient == replace(NOTHING, stranger=False)


async def test_the_last_word_about_consent_counts(db: Database) -> None:
    """As `consents` itself has it."""

    def said(tx: Connection) -> list[bool]:
        found = []
        for hour, kind in enumerate([ConsentKind.OPT_IN, ConsentKind.OPT_OUT, ConsentKind.OPT_IN,
                                     ConsentKind.OPT_OUT]):  # fmt: skip
            says(tx, kind, hour)
            stop = consents.opted_out(tx, WHO)
            assert known(tx).opted_out_at == (stop.at if stop is not None else None)
            found.append(known(tx).opted_out_at is not None)
        return found

    assert await db.run(said) == [False, True, False, True]
    assert (await db.read(known)).opted_out_at == NOON + timedelta(hours=3)


async def test_what_was_learned_of_a_number(db: Database) -> None:
    def learn(tx: Connection) -> None:
        correspondents.untextable(tx, WHO, "a landline", NOON)
        correspondents.mute(tx, WHO, BEGAN, "a machine", NOON)

    await db.run(learn)
    assert await db.read(known) == replace(
        NOTHING, untextable="a landline", muted_until=BEGAN, muted_why="a machine"
    )


async def test_a_reply_since_counts_unless_it_asks_for_help(db: Database) -> None:
    await db.run(lambda tx: writes(tx, 1))
    await db.run(lambda tx: writes(tx, -1, "help"))
    assert (await db.read(known)).replied_at is None
    await db.run(lambda tx: writes(tx, -2, "urgent"))
    await db.run(lambda tx: writes(tx, -3, who="+12125550143"))
    assert (await db.read(known)).replied_at == BEGAN + timedelta(hours=2)


ACQUAINTANCES = {
    "was answered": lambda tx: calls.finish(
        tx, PBX, BOOT, replace(ANSWERED, began=BEGAN - minutes(60)), WHO
    ),
    "wrote": lambda tx: writes(tx, 1),
    "was rung": lambda tx: is_called(tx, f"9{NATIONAL}", timedelta(days=6)),
}
STRANGERS = {
    "called just before": lambda tx: calls.finish(
        tx, PBX, BOOT, replace(MISSED, began=BEGAN - minutes(60)), WHO
    ),
    "called now": lambda tx: calls.finish(tx, PBX, BOOT, replace(ANSWERED, began=BEGAN), WHO),
    "another called": lambda tx: calls.finish(tx, PBX, BOOT, ANSWERED, "+12125550143"),
    "called in vain long ago": lambda tx: calls.finish(tx, PBX, BOOT, MISSED, WHO),
    "got a text": lambda tx: _texted(tx, State.DELIVERED),
    "was rung long ago": lambda tx: is_called(tx, NATIONAL, timedelta(days=8)),
    "is rung later": lambda tx: is_called(tx, NATIONAL, -minutes(1)),
    "another was rung": lambda tx: is_called(tx, "2125550143", minutes(1)),
}


def _texted(tx: Connection, state: State) -> None:
    queue_message(tx, to=WHO)
    tx.execute(message.update().values(state=state.value))


@pytest.mark.parametrize("how", ACQUAINTANCES)
async def test_who_is_an_acquaintance(db: Database, how: str) -> None:
    await db.run(ACQUAINTANCES[how])
    assert not (await db.read(known)).stranger


@pytest.mark.parametrize("how", STRANGERS)
async def test_who_is_a_stranger_still(db: Database, how: str) -> None:
    await db.run(STRANGERS[how])
    assert (await db.read(known)).stranger


async def test_a_number_that_is_none_is_compared_with_nothing(db: Database) -> None:
    await db.run(lambda tx: is_called(tx, NATIONAL, minutes(1)))
    found = await db.read(lambda tx: callers.caller(tx, "%", "%", BEGAN))
    assert found.stranger
