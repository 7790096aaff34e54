"""What figures are made of."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, update

from pbx_bridge.core.call import OutboundCall, Reason
from pbx_bridge.core.delivery import Accepted, Purpose, Rejected, SendResult, State, Step
from pbx_bridge.core.digest import Happened
from pbx_bridge.core.recovery import Conversation, Definition, RecoveredBy, Traces
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.store import bookings, calls, consents, figures, outbox, replies
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.schema import follow_up, message
from tests.store.examples import ANSWERED, BOOT, MISSED, NOON, PBX, minutes, queue_message

CALLER, OTHER = "+12125550143", "+442071838750"
DAY = timedelta(days=1)


def missed(tx: Connection, number: int = 1, **changes: Any) -> int:
    call = replace(MISSED, call_id=f"17.{number}", **changes)
    row = calls.finish(tx, PBX, BOOT, call, CALLER)
    assert row is not None
    return row


def opened(tx: Connection, call_row: int | None = None, **changes: Any) -> int:
    """Write a follow-up down."""
    at: datetime = changes.pop("opened_at", NOON)
    values: dict[str, Any] = {
        "call": call_row, "recipient": CALLER, "line": "Sales", "rule": "", "sequence": "usual",
        "calls": 1, "opened_at": at, "last_call_at": at, "state": "open", "reason": "",
        "detail": "", "held_out": False, "updated_at": at,
    }  # fmt: skip
    row: int = tx.execute(
        follow_up.insert().values(values | changes).returning(follow_up.c.id)
    ).scalar_one()
    return row


def texted(
    tx: Connection, of: int, key: str, result: SendResult, at: datetime, **changes: Any
) -> None:
    message_id = queue_message(tx, key=key, step=key, **changes)
    assert message_id is not None
    tx.execute(update(message).where(message.c.id == message_id).values(follow_up=of))
    outbox.claim_due(tx, at, 1, lambda *_: None)
    state = State.ACCEPTED if isinstance(result, Accepted) else State.FAILED
    outbox.settle_attempt(tx, message_id, Step(state, None, ""), result, now=at, seconds=1.0)


async def test_a_case_has_its_reason_and_when_its_first_text_was_taken(db: Database) -> None:
    def fill(tx: Connection) -> None:
        row = opened(tx, missed(tx), calls=2)
        texted(tx, row, "a", Rejected("no"), NOON + minutes(1))
        texted(tx, row, "b", Accepted("SM1"), NOON + minutes(2))
        texted(tx, row, "c", Accepted("SM2"), NOON + minutes(3))
        opened(tx, recipient=OTHER, held_out=True, opened_at=NOON + minutes(9))
        other = opened(tx, recipient="", opened_at=NOON + minutes(10))
        texted(tx, other, "d", Accepted("SM3"), NOON + minutes(11), purpose=Purpose.CONFIRMATION)
        opened(tx, opened_at=NOON + DAY)

    await db.run(fill)
    one, two, three = await db.read(lambda tx: figures.cases(tx, NOON, NOON + DAY))
    assert (one.recipient, one.line, one.reason, one.calls) == (
        CALLER,
        "Sales",
        "rang_no_answer",
        2,
    )
    assert one.texted_at == NOON + minutes(2)
    assert (two.recipient, two.reason, two.held_out, two.texted_at) == (OTHER, "", True, None)
    assert three.texted_at is None  # what confirms a STOP is no follow-up


async def test_conversations_in_both_directions(db: Database) -> None:
    def fill(tx: Connection) -> None:
        calls.finish(tx, PBX, BOOT, replace(ANSWERED, call_id="17.2"), CALLER)
        calls.finish(tx, PBX, BOOT, replace(ANSWERED, call_id="17.3"), "+12125550199")
        calls.finish(tx, PBX, BOOT, replace(ANSWERED, call_id="17.4"), None)
        for n, (dialled, answered, ended) in enumerate(
            (
                ("912125550143", NOON + minutes(10), NOON + minutes(12)),
                ("00442071838750", NOON + minutes(20), None),  # they still talk
                ("2125550143", None, NOON + minutes(30)),
                ("5550143", NOON + minutes(40), NOON + minutes(41)),  # another area
            )
        ):
            calls.upsert_outbound(
                tx, PBX, BOOT,
                OutboundCall(
                    call_id=f"18.{n}", dialled=dialled, began=NOON, answered_at=answered,
                    ended=ended,
                ),
            )  # fmt: skip

    await db.run(fill)
    found = await db.read(
        lambda tx: figures.traces(tx, [CALLER, OTHER, "anonymous"], NOON, NOON + minutes(60))
    )
    assert found == {
        CALLER: Traces(
            conversations=(
                Conversation(NOON + minutes(0.2), minutes(0.3)),
                Conversation(NOON + minutes(10), minutes(2)),
            )
        ),
        OTHER: Traces(conversations=(Conversation(NOON + minutes(20), minutes(40)),)),
    }


@pytest.mark.parametrize(
    ("meaning", "detail", "counts"),
    [
        (Meaning.REPLY, "", True),
        (Meaning.URGENT, "the word 'urgent'", True),
        (Meaning.OPT_OUT, "the word 'stop'", False),
        (Meaning.HELP, "the word 'help'", False),
        (Meaning.REPLY, "the same words came back three times", False),  # a machine
    ],
)
async def test_only_people_reply(
    db: Database, meaning: Meaning, detail: str, *, counts: bool
) -> None:
    def fill(tx: Connection) -> None:
        what = Reply(gateway_ref="SM9", sender=CALLER, body="Yes please")
        replies.insert(
            tx, "twilio", what, now=NOON + minutes(5), sender_e164=CALLER, meaning=meaning,
            detail=detail, message_id=None, call_row=None,
        )  # fmt: skip

    await db.run(fill)
    found = await db.read(lambda tx: figures.traces(tx, [CALLER], NOON, NOON + DAY))
    assert found == ({CALLER: Traces(replies=(NOON + minutes(5),))} if counts else {})


async def test_bookings_and_opt_outs(db: Database) -> None:
    def fill(tx: Connection) -> None:
        bookings.insert(
            tx, key="k", number=CALLER, at=NOON + minutes(7), starts_at=None, source="cal.com"
        )
        for kind, after in ((ConsentKind.OPT_OUT, 8), (ConsentKind.OPT_IN, 9)):
            consents.record(
                tx,
                ConsentRecord(
                    address=CALLER, at=NOON + minutes(after), kind=kind,
                    source=ConsentSource.REPLY, detail="", reply_row=None,
                ),
            )  # fmt: skip

    await db.run(fill)
    assert await db.read(lambda tx: figures.traces(tx, [CALLER], NOON, NOON + DAY)) == {
        CALLER: Traces(bookings=(NOON + minutes(7),), opt_outs=(NOON + minutes(8),))
    }


async def test_what_came_of_everybody_and_of_a_day(db: Database) -> None:
    def fill(tx: Connection) -> None:
        missed(tx, 1)
        missed(tx, 2, reason=Reason.BUSY, began=NOON + minutes(1))
        missed(tx, 3, began=NOON + DAY)
        calls.begin(tx, PBX, BOOT, replace(MISSED, call_id="17.4", ended=None), CALLER)
        opened(tx)
        opened(tx, recipient=OTHER)
        opened(tx, recipient="+12125550177", held_out=True)
        bookings.insert(
            tx, key="k", number=OTHER, at=NOON + minutes(7), starts_at=None, source="cal.com"
        )

    await db.run(fill)
    rules, now = Definition(), NOON + 2 * DAY
    outcomes = await db.read(lambda tx: figures.outcomes(tx, NOON, NOON + DAY, now, rules))
    assert [outcome.recovered for outcome in outcomes] == [None, RecoveredBy.BOOKING, None]
    day = await db.read(lambda tx: figures.happened(tx, NOON, NOON + DAY, now, rules))
    assert day == Happened(missed=2, followed_up=2, booked=1)
