"""What gateways tell, and what follows from it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import count, permutations
from typing import Any

import pytest
from sqlalchemy import Connection, select

from pbx_bridge.config import defaults
from pbx_bridge.conversation import Conversation, Noted
from pbx_bridge.core.announcement import ReplyArrived, TextChanged
from pbx_bridge.core.delivery import (
    Accepted,
    Blame,
    Channel,
    Price,
    Purpose,
    Receipt,
    State,
    Step,
)
from pbx_bridge.core.happening import Happened, Listeners
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.ports import News
from pbx_bridge.store import (
    calls,
    consents,
    correspondents,
    events,
    ladders,
    outbox,
    receipts,
    replies,
)
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.consents import ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.replies import ReplyRecord
from pbx_bridge.store.schema import alert
from pbx_bridge.urgent import Urgency
from tests.store.examples import BOOT, MISSED, NOON, PBX, minutes, queue_message

NUMBER = "+12125550143"
STOP = Reply(gateway_ref="IN1", sender=NUMBER, body="Stop!", recipient="+12125550100")


@dataclass
class World:
    """A database with a text that went out at noon, about a call, through `modem`."""

    db: Database
    conversation: Conversation
    answering: set[str]
    message_id: int = 0
    call_row: int = 0

    async def told(self, *news: News, gateway: str = "modem", after: float = 1) -> Noted:
        now = NOON + minutes(after)
        return await self.db.run(lambda tx: self.conversation.take(tx, gateway, news, now))

    async def wrote(self, body: str, after: float = 1, **more: Any) -> Noted:
        self.refs = getattr(self, "refs", count())
        values: dict[str, Any] = {"gateway_ref": f"R{next(self.refs)}", "sender": NUMBER}
        gateway = more.pop("gateway", "modem")
        reply = Reply(body=body, **(values | more))
        return await self.told(reply, gateway=gateway, after=after)

    async def message(self) -> MessageRecord:
        found = await self.db.read(lambda tx: stored_messages.get(tx, self.message_id))
        assert found is not None
        return found

    async def answers(self) -> list[MessageRecord]:
        found = await self.db.read(lambda tx: stored_messages.recent(tx, limit=99))
        return [one for one in found if one.purpose is Purpose.CONFIRMATION][::-1]

    async def replies(self) -> list[ReplyRecord]:
        return (await self.db.read(lambda tx: replies.recent(tx, limit=99)))[::-1]

    async def alerts(self) -> list[tuple[str, str]]:
        query = select(alert.c.kind, alert.c.text).order_by(alert.c.id)
        return await self.db.read(lambda tx: [tuple(row) for row in tx.execute(query)])

    async def is_out(self, number: str = NUMBER) -> bool:
        return await self.db.read(lambda tx: consents.opted_out(tx, number)) is not None


@pytest.fixture
async def world(db: Database) -> World:
    keys = count()
    answering: set[str] = set()
    rules = replace(defaults(), shadow=False)
    conversation = Conversation(rules, lambda: f"new-{next(keys)}", answering.__contains__, "USD")
    made = World(db, conversation, answering)

    def fill(tx: Connection) -> None:
        row = calls.finish(tx, PBX, BOOT, MISSED, NUMBER)
        assert row is not None
        made.call_row = row
        made.message_id = queue_message(tx, call_row=row, to=NUMBER, gateway="modem") or 0
        outbox.claim_due(tx, NOON, 1, lambda *_: None)
        accepted = Step(State.ACCEPTED, None, "")
        outbox.settle_attempt(tx, made.message_id, accepted, Accepted("SM1"), now=NOON, seconds=0.1)

    await db.run(fill)
    return made


# -- receipts -------------------------------------------------------------------------------

SENT = Receipt(state=State.ACCEPTED, gateway_ref="SM1")
DELIVERED = Receipt(state=State.DELIVERED, gateway_ref="SM1")
LOST = Receipt(state=State.UNDELIVERED, gateway_ref="SM1", code="30003", detail="switched off")


@pytest.mark.parametrize("order", list(permutations([SENT, LOST, DELIVERED, DELIVERED])))
async def test_receipts_in_any_order_end_the_same(world: World, order: tuple[Receipt, ...]) -> None:
    for told in order:
        await world.told(told)
    assert (await world.message()).state is State.DELIVERED
    kept = await world.db.read(lambda tx: receipts.of_messages(tx, [world.message_id]))
    assert len(kept) == 3


async def test_a_receipt_says_why_in_words_and_is_announced_once(world: World) -> None:
    first, second = await world.told(LOST), await world.told(LOST)
    message = await world.message()
    assert (message.state, message.code, message.detail) == (
        State.UNDELIVERED, "30003", "switched off",
    )  # fmt: skip
    (told,) = first.announcements
    assert isinstance(told, TextChanged)
    assert (told.state, told.call, told.detail) == ("undelivered", world.call_row, "switched off")
    assert second.announcements == []
    assert first.raised
    assert not second.raised


async def test_our_own_key_finds_a_message_whose_answer_was_lost(world: World) -> None:
    def forget(tx: Connection) -> None:
        queue_message(tx, key="lost", to=NUMBER, gateway="modem")
        (row,) = outbox.claim_due(tx, NOON, 1, lambda *_: None)
        world.message_id = row.message_id

    await world.db.run(forget)
    await world.told(Receipt(state=State.ACCEPTED, gateway_ref="SM9", key="lost"))
    message = await world.message()
    assert (message.state, message.gateway_ref) == (State.ACCEPTED, "SM9")
    await world.told(Receipt(state=State.DELIVERED, gateway_ref="SM9"))
    assert (await world.message()).state is State.DELIVERED


@pytest.mark.parametrize(
    "strange",
    [
        Receipt(state=State.DELIVERED, gateway_ref="SM2"),
        Receipt(state=State.DELIVERED, key="no such key"),
    ],
)
async def test_a_receipt_for_nothing_of_ours_is_kept_and_changes_nothing(
    world: World, strange: Receipt
) -> None:
    await world.told(strange)
    assert (await world.message()).state is State.ACCEPTED


async def test_another_gateways_receipt_is_not_ours(world: World) -> None:
    await world.told(DELIVERED, gateway="other")
    assert (await world.message()).state is State.ACCEPTED


async def test_what_follows_from_a_receipt_follows_once(world: World) -> None:
    landline = replace(LOST, code="30006", detail="a landline", blame=Blame.NUMBER)
    await world.told(landline, landline)
    await world.told(landline)
    known = await world.db.read(lambda tx: correspondents.get(tx, NUMBER))
    assert known.untextable == "a landline"
    assert [kind for kind, _ in await world.alerts()] == ["untextable"]


async def test_a_receipt_tells_what_it_cost(world: World) -> None:
    await world.told(replace(DELIVERED, price=Price(Decimal("0.0083"), "USD")))
    message = await world.message()
    assert (message.cost_micros, message.priced_by) == (8300, "gateway")
    await world.told(replace(SENT, code="x", price=Price(Decimal(7), "EUR")))
    assert (await world.message()).cost_micros == 8300


# -- replies --------------------------------------------------------------------------------


async def test_a_reply_is_matched_with_the_text_and_the_call_that_caused_it(world: World) -> None:
    noted = await world.wrote("Yes, please call me back")
    (reply,) = await world.replies()
    assert (reply.meaning, reply.message_id, reply.call_row) == (
        Meaning.REPLY, world.message_id, world.call_row,
    )  # fmt: skip
    (told,) = noted.announcements
    assert isinstance(told, ReplyArrived)
    assert (told.sender, told.body, told.call) == (
        NUMBER, "Yes, please call me back", world.call_row,
    )  # fmt: skip
    assert await world.alerts() == [("reply", f"{NUMBER} writes: “Yes, please call me back”")]
    assert await world.answers() == []


async def test_a_reply_stops_what_still_waits(world: World) -> None:
    def later(tx: Connection) -> None:
        due_at = NOON + minutes(9)
        world.message_id = queue_message(tx, key="later", to=NUMBER, due_at=due_at) or 0

    await world.db.run(later)
    await world.wrote("I found somebody else")
    message = await world.message()
    assert (message.state, message.code) == (State.CANCELLED, "replied")


async def test_the_same_reply_told_twice_is_one(world: World) -> None:
    first, second = await world.told(STOP), await world.told(STOP)
    assert len(await world.replies()) == 1
    assert len(await world.answers()) == 1
    assert first.queued
    assert second == Noted()


async def test_a_reply_out_of_nowhere_is_kept_too(world: World) -> None:
    await world.wrote("Hello?", sender="+12125550199")
    (reply,) = await world.replies()
    assert (reply.sender_e164, reply.message_id, reply.call_row) == ("+12125550199", None, None)
    assert [kind for kind, _ in await world.alerts()] == ["reply"]


async def test_stop_is_confirmed_once_and_then_nothing_is_sent(world: World) -> None:
    def later(tx: Connection) -> None:
        due_at = NOON + minutes(9)
        world.message_id = queue_message(tx, key="later", to=NUMBER, due_at=due_at) or 0

    await world.db.run(later)
    noted = await world.told(STOP)
    (answer,) = await world.answers()
    assert (answer.to, answer.gateway, answer.route) == (NUMBER, "modem", ("modem",))
    assert (answer.purpose, answer.channel, answer.state) == (
        Purpose.CONFIRMATION, Channel.SMS, State.QUEUED,
    )  # fmt: skip
    assert answer.expires_at - answer.created_at == timedelta(minutes=5)
    assert "the office" in answer.body
    assert noted.queued
    assert await world.is_out()
    message = await world.message()
    assert (message.state, message.code) == (State.CANCELLED, "opted_out")
    given = await world.db.read(lambda tx: consents.opted_out(tx, NUMBER))
    assert given is not None
    assert (given.source, given.detail) == (ConsentSource.REPLY, "“Stop!”")
    assert given.reply_row == (await world.replies())[0].row_id
    await world.wrote("STOP", after=2)
    assert len(await world.answers()) == 1


async def test_the_confirmation_goes_out_although_its_number_is_on_the_list(world: World) -> None:
    await world.told(STOP)
    claimed = await world.db.run(
        lambda tx: outbox.claim_due(tx, NOON + minutes(2), 9, lambda *_: None)
    )
    assert [row.purpose for row in claimed] == [Purpose.CONFIRMATION]


async def test_where_the_gateway_answers_itself_we_do_not(world: World) -> None:
    world.answering.add("twilio")
    await world.told(STOP, gateway="twilio")
    assert await world.is_out()
    assert await world.answers() == []
    handled = replace(STOP, gateway_ref="IN2", sender="+12125550144", handled=Meaning.OPT_OUT)
    await world.told(handled)
    assert await world.is_out("+12125550144")
    assert await world.answers() == []


async def test_start_lets_texts_come_again_and_is_confirmed(world: World) -> None:
    await world.told(STOP)
    await world.wrote("START", after=3)
    assert not await world.is_out()
    assert [one.step for one in await world.answers()] == ["opt_out", "opt_in"]
    await world.wrote("start", after=4)  # nothing to confirm, so people look at it
    assert len(await world.answers()) == 2


async def test_help_is_answered_at_most_once_a_day(world: World) -> None:
    """Or a machine that says it by itself would be answered for ever."""
    for after in (1, 30, 90, 1440, 1442):
        await world.wrote("HELP", after=after)
    answers = await world.answers()
    assert [one.created_at - NOON for one in answers] == [minutes(1), minutes(1442)]


async def test_stop_start_and_help_are_done_but_answered_twice_at_most(world: World) -> None:
    for after, word in ((1, "HELP"), (90, "STOP"), (180, "START"), (270, "STOP")):
        await world.wrote(word, after=after)
    answers = await world.answers()
    assert [one.created_at - NOON for one in answers] == [minutes(1), minutes(90)]
    opted_out = await world.db.read(lambda tx: consents.opted_out(tx, NUMBER))
    assert opted_out is not None
    assert opted_out.at - NOON == minutes(270)


async def test_urgent_is_told_at_once_and_to_whom_it_may_concern(world: World) -> None:
    await world.wrote("URGENT water is coming through the ceiling")
    query = select(alert.c.kind, alert.c.urgent, alert.c.reply, alert.c.subject)
    (row,) = await world.db.read(lambda tx: tx.execute(query).all())
    assert tuple(row) == ("urgent", True, (await world.replies())[0].row_id, NUMBER)


async def test_urgent_has_those_on_call_phoned_if_so_configured(world: World) -> None:
    await world.wrote("URGENT", after=1)
    assert await world.db.read(ladders.recent) == []
    world.conversation.urgency = Urgency()
    await world.wrote("is anybody there?", after=2)
    assert await world.db.read(ladders.recent) == []
    await world.wrote("URGENT water is coming", after=3)
    (ladder,) = await world.db.read(ladders.recent)
    assert (ladder.number, ladder.wrote, ladder.call_row) == (NUMBER, True, world.call_row)
    query = select(alert.c.id).where(alert.c.kind == "urgent").order_by(alert.c.id.desc())
    assert await world.db.read(lambda tx: tx.execute(query).scalars().first()) == ladder.alert_id


async def test_cancel_opts_out_and_people_look_at_it(world: World) -> None:
    await world.wrote("Cancel")
    assert await world.is_out()
    assert [kind for kind, _ in await world.alerts()] == ["opt_out", "reply"]


@pytest.mark.parametrize("sender", ["SAFARICOM", "72975", "800", "", "+1\r\nX", "x" * 200])
async def test_names_and_short_codes_are_kept_and_never_answered(world: World, sender: str) -> None:
    await world.wrote("STOP HELP START", sender=sender)
    (reply,) = await world.replies()
    assert (reply.sender, reply.sender_e164) == (sender, None)
    assert reply.detail
    assert await world.answers() == []
    assert await world.alerts() == []


async def test_a_number_of_our_own_is_never_answered(world: World) -> None:
    rules = world.conversation.rules
    world.conversation.rules = replace(rules, own_numbers=frozenset({NUMBER}))
    await world.wrote("HELP")
    await world.wrote("STOP")
    assert [reply.detail for reply in await world.replies()] == ["the office's own number"] * 2
    assert await world.answers() == []


async def test_a_machine_that_writes_without_end_is_muted_and_told_of(world: World) -> None:
    for n in range(6):
        await world.wrote("HELP", after=1 + n / 100)
    known = await world.db.read(lambda tx: correspondents.get(tx, NUMBER))
    assert known.muted_until is not None
    assert known.muted_until - NOON > timedelta(hours=24)
    assert len(await world.answers()) == 1
    assert "loop" in [kind for kind, _ in await world.alerts()]


async def test_a_muted_customer_may_still_opt_out(world: World) -> None:
    until = NOON + timedelta(days=1)
    await world.db.run(lambda tx: correspondents.mute(tx, NUMBER, until, "a machine", NOON))
    await world.told(STOP)
    assert await world.is_out()
    assert await world.answers() == []


async def test_two_of_us_that_write_to_each_other_end_it(world: World) -> None:
    """Our own answers, told back to us by a robot for a day, lead to no more than one answer."""
    body = "HELP"
    now: Callable[[int], float] = lambda n: 1 + n / 2  # noqa: E731
    for n in range(200):
        await world.wrote(body, after=now(n))
        sent = await world.answers()
        body = sent[-1].body if n % 2 and sent else "HELP"
    assert len(await world.answers()) <= 2


@pytest.mark.parametrize(
    "body",
    ["", "\x00\x1b[2J", "'; DROP TABLE reply; --", "<script>alert(1)</script>", "\u202eSTOP"],
)
async def test_hostile_words_are_kept_as_they_came(world: World, body: str) -> None:
    await world.wrote(body)
    assert [reply.body for reply in await world.replies()] == [body]


async def test_a_long_text_is_not_quoted_whole_in_an_alert(world: World) -> None:
    await world.wrote("word " * 2000)
    ((_, text),) = await world.alerts()
    assert len(text) < 400


async def test_in_shadow_mode_a_stop_counts_and_nothing_is_sent(world: World) -> None:
    world.conversation.rules = replace(world.conversation.rules, shadow=True)
    await world.told(STOP)
    assert await world.is_out()
    assert [one.shadow for one in await world.answers()] == [True]


# -- other programs -------------------------------------------------------------------------


async def told(world: World) -> list[tuple[str, str, object]]:
    found = await world.db.read(lambda tx: events.recent(tx, limit=99))
    return [
        (one.happening.kind.value, one.happening.number, one.happening.data.get("state"))
        for one in found[::-1]
    ]


async def test_other_programs_are_told_of_replies_and_receipts_once(world: World) -> None:
    world.conversation.listeners = Listeners.among({"hook": frozenset(Happened)})
    for _ in range(2):
        await world.told(SENT, LOST, STOP)
    await world.told(DELIVERED)
    await world.wrote("Your code is 1234", sender="AMAZON")
    assert await told(world) == [
        # It had been accepted before anybody listened.
        ("message.changed", NUMBER, "accepted"),
        ("message.changed", NUMBER, "undelivered"),
        ("reply.received", NUMBER, None),
        ("message.changed", NUMBER, "delivered"),
        ("reply.received", "", None),
    ]
    (reply,) = [
        one.happening.data
        for one in await world.db.read(lambda tx: events.recent(tx, limit=99))
        if one.happening.data.get("meaning") == "opt_out"
    ]
    assert (reply["body"], reply["call"], reply["message"]) == (
        "Stop!", world.call_row, world.message_id,
    )  # fmt: skip


async def test_with_nobody_listening_nothing_is_kept_for_others(world: World) -> None:
    await world.told(DELIVERED, STOP)
    assert await told(world) == []
