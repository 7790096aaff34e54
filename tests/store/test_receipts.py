"""What gateways told later."""

from collections.abc import Callable

from sqlalchemy import Connection

from pbx_bridge.core.delivery import Blame, Receipt, State
from pbx_bridge.store import receipts
from pbx_bridge.store.db import Database
from tests.store.examples import NOON, queue_message

SENT = Receipt(state=State.ACCEPTED, gateway_ref="SM1")
LOST = Receipt(
    state=State.UNDELIVERED, gateway_ref="SM1", code="30006", detail="a landline",
    blame=Blame.NUMBER,
)  # fmt: skip


async def test_a_receipt_is_kept_once(db: Database) -> None:
    message_id = await db.run(queue_message)
    assert message_id is not None

    def put(told: Receipt) -> Callable[[Connection], bool]:
        return lambda tx: receipts.record(tx, "twilio", told, message_id, NOON)

    for told, new in ((SENT, True), (LOST, True), (SENT, False), (LOST, False)):
        assert await db.run(put(told)) is new
    assert await db.run(lambda tx: receipts.record(tx, "other", SENT, message_id, NOON))
    kept = await db.read(lambda tx: receipts.of_messages(tx, [message_id]))
    assert [(one.gateway, one.state, one.code, one.detail) for one in kept] == [
        ("twilio", State.ACCEPTED, "", ""),
        ("twilio", State.UNDELIVERED, "30006", "a landline"),
        ("other", State.ACCEPTED, "", ""),
    ]


async def test_what_came_too_early_waits_for_its_message(db: Database) -> None:
    message_id = await db.run(queue_message)
    assert message_id is not None
    await db.run(lambda tx: receipts.record(tx, "twilio", LOST, None, NOON))
    assert await db.run(lambda tx: receipts.early(tx, "twilio", "SM2", message_id)) == []
    assert await db.run(lambda tx: receipts.early(tx, "twilio", "SM1", message_id)) == [LOST]
    assert await db.run(lambda tx: receipts.early(tx, "twilio", "SM1", message_id)) == []
    assert len(await db.read(lambda tx: receipts.of_messages(tx, [message_id]))) == 1
