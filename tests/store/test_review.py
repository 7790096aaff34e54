"""Calls with what was decided and texted about them."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from pbx_bridge.core.afterwards import Dialled
from pbx_bridge.core.call import Call, Disposition, OutboundCall
from pbx_bridge.core.review import Looked
from pbx_bridge.core.skip import Skip, SkipReason
from pbx_bridge.store import calls, outbox, review
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord
from tests.store.examples import ANSWERED, BOOT, CALLER, LIVE, MISSED, NOON, PBX, minutes

EARLY = NOON - timedelta(days=1)


def price(gateway: str, region: str, segments: int) -> int:
    assert (gateway, region) == ("console", "US")
    return 7900 * segments


def ended(tx: Connection, call: Call, rule: str = "") -> int:
    row = calls.finish(tx, PBX, BOOT, call, CALLER)
    assert row is not None
    if rule:
        calls.save_decision(
            tx, row, at=NOON, moment="call_ended", outcome="skip", rule=rule, detail="", checks=()
        )
    return row


def queue(tx: Connection, row: int, step: str = "first_text", body: str = "Hello") -> int:
    message = outbox.insert(
        tx, call_row=row, step=step, key=f"{row}-{step}", to=CALLER, body=body, gateway="console",
        line="", created_at=NOON, due_at=NOON, expires_at=NOON + timedelta(hours=1), shadow=True,
        region="US",
    )  # fmt: skip
    assert message is not None
    return message


def wanted(_tx: Connection, _row: MessageRecord, _now: object) -> None:
    return None


def spoken(_tx: Connection, _row: MessageRecord, _now: object) -> Skip:
    return Skip(SkipReason.SPOKEN_SINCE, "")


async def test_a_call_that_was_texted_says_so_with_its_price(db: Database) -> None:
    def fill(tx: Connection) -> list[Looked]:
        row = ended(tx, MISSED, "quiet_hours")
        queue(tx, row)
        queue(tx, row, "second_text")
        outbox.claim_due(tx, NOON, 9, wanted)
        return list(review.calls(tx, EARLY, price))

    (call,) = await db.run(fill)
    assert (call.outcome, call.texts, call.segments, call.cost_micros) == ("texted", 2, 2, 15800)
    assert (call.began, call.ended, call.caller) == (MISSED.began, MISSED.ended, CALLER)
    assert (call.line, call.queue) == (MISSED.line, "sales")


async def test_a_text_that_fell_away_says_why(db: Database) -> None:
    def fill(tx: Connection) -> list[Looked]:
        queue(tx, ended(tx, MISSED, "rang_no_answer"))
        outbox.claim_due(tx, NOON, 9, spoken)
        late = replace(MISSED, call_id="2", began=NOON + minutes(1), ended=NOON + minutes(2))
        queue(tx, ended(tx, late))
        outbox.claim_due(tx, NOON + timedelta(hours=2), 9, wanted)
        return list(review.calls(tx, EARLY, price))

    first, second = await db.run(fill)
    assert (first.outcome, first.texts, first.cost_micros) == ("spoken_since", 0, 0)
    assert second.outcome == "expired"


async def test_a_call_that_was_not_texted_says_what_objected_last(db: Database) -> None:
    def fill(tx: Connection) -> list[Looked]:
        row = ended(tx, MISSED, "other_moment")
        calls.save_decision(
            tx, row, at=NOON, moment="call_ended", outcome="skip", rule="blocked", detail="",
            checks=(),
        )  # fmt: skip
        ended(tx, replace(ANSWERED, call_id="2", began=NOON + minutes(1)), "answered")
        ended(tx, replace(MISSED, call_id="3", began=NOON + minutes(2)))
        calls.begin(tx, PBX, BOOT, replace(LIVE, call_id="4"), CALLER)
        return list(review.calls(tx, EARLY, price))

    first, second, third = await db.run(fill)
    assert (first.outcome, second.outcome, third.outcome) == ("blocked", "answered", "")
    assert second.disposition is Disposition.ANSWERED
    assert second.answered_at == ANSWERED.answered_at


async def test_calls_come_in_the_order_of_their_beginning_from_a_time_on(db: Database) -> None:
    def fill(tx: Connection) -> list[Looked]:
        for after in (5, 1, 3, -5000):
            ended(tx, replace(MISSED, call_id=f"{after}", began=NOON + minutes(after)))
        return list(review.calls(tx, EARLY, price))

    found = await db.run(fill)
    assert [call.began for call in found] == [NOON + minutes(n) for n in (1, 3, 5)]


async def test_calls_from_the_office_are_told(db: Database) -> None:
    def fill(tx: Connection) -> list[Dialled]:
        for call_id, began, answered in (("1", 5, 6), ("2", 1, None), ("3", -5000, None)):
            at = None if answered is None else NOON + minutes(answered)
            told = OutboundCall(
                call_id=call_id, dialled="2125550142", began=NOON + minutes(began), answered_at=at
            )
            calls.upsert_outbound(tx, PBX, BOOT, told)
        return list(review.dialled(tx, EARLY))

    assert await db.run(fill) == [
        Dialled("2125550142", NOON + minutes(1), None),
        Dialled("2125550142", NOON + minutes(5), NOON + minutes(6)),
    ]


async def test_the_last_text_that_would_have_gone_out_is_shown(db: Database) -> None:
    later = NOON + minutes(1)

    def fill(tx: Connection) -> tuple[str, str]:
        row = ended(tx, MISSED)
        none = review.last_text(tx, EARLY, later)
        queue(tx, row, body="Hello Ann")
        outbox.claim_due(tx, NOON, 9, wanted)
        queue(tx, ended(tx, replace(MISSED, call_id="2")), body="falls away")
        outbox.claim_due(tx, NOON, 9, spoken)
        assert review.last_text(tx, later, later + minutes(1)) == ""
        return none, review.last_text(tx, EARLY, later)

    assert await db.run(fill) == ("", "Hello Ann")
