"""What customers wrote."""

from sqlalchemy import Connection

from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.store import replies
from pbx_bridge.store.db import Database
from pbx_bridge.store.replies import ReplyRecord
from tests.store.examples import CALLER, NOON, minutes, queue_message

HELLO = Reply(gateway_ref="SM1", sender=CALLER, body="Yes; DROP TABLE reply", recipient="+1555")


def put(tx: Connection, reply: Reply = HELLO, after: float = 0, **more: object) -> ReplyRecord:
    values: dict[str, object] = {
        "now": NOON + minutes(after),
        "sender_e164": CALLER,
        "meaning": Meaning.REPLY,
        "detail": "",
        "message_id": None,
        "call_row": None,
    }
    return replies.insert(tx, "twilio", reply, **(values | more))  # type: ignore[arg-type]


async def test_a_reply_is_kept_as_it_came(db: Database) -> None:
    message_id = await db.run(queue_message)
    assert not await db.read(lambda tx: replies.is_known(tx, "twilio", HELLO))
    kept = await db.run(lambda tx: put(tx, message_id=message_id))
    assert await db.read(lambda tx: replies.recent(tx, limit=9)) == [kept]
    assert await db.read(lambda tx: replies.of_messages(tx, [message_id or 0])) == [kept]
    assert await db.read(lambda tx: replies.is_known(tx, "twilio", HELLO))
    assert not await db.read(lambda tx: replies.is_known(tx, "modem", HELLO))


async def test_what_somebody_wrote_lately(db: Database) -> None:
    for n in range(4):
        reply = Reply(gateway_ref=f"SM{n}", sender=CALLER, body=f"no {n}")
        await db.run(lambda tx, reply=reply, n=n: put(tx, reply, n))  # type: ignore[misc]
    lately = await db.read(lambda tx: replies.lately(tx, CALLER, NOON + minutes(2)))
    assert lately == [(NOON + minutes(2), "no 2"), (NOON + minutes(3), "no 3")]
    newest = await db.read(
        lambda tx: replies.recent(tx, limit=1, since=NOON + minutes(1), sender=CALLER)
    )
    assert [one.body for one in newest] == ["no 3"]
