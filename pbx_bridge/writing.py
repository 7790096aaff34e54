"""Texts that somebody here writes by hand: judged, and put into the outbox like any other."""

import hashlib
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from pbx_bridge import history
from pbx_bridge.core.composing import (
    LONGEST_WAIT,
    Composed,
    Suggestion,
    compose,
    price,
    suggestions,
    tidy,
)
from pbx_bridge.core.delivery import Channel, Purpose, State
from pbx_bridge.core.number import parse
from pbx_bridge.core.office import Rules
from pbx_bridge.store import calls, contacts, outbox
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.messages import MessageRecord

STEP = "written"
#: States in which a text certainly did not arrive, so that sending it again is no second one.
FAILED = frozenset({State.FAILED, State.UNDELIVERED, State.EXPIRED})


class Refused(Exception):  # noqa: N818 - names the fact
    """A text may not go; `composed` tells why."""

    def __init__(self, composed: Composed) -> None:
        self.composed = composed
        super().__init__(composed.objection.detail if composed.objection else composed.fault)


class NotAgain(Exception):  # noqa: N818 - names the fact
    """A message cannot be sent again; the text says why."""


def draft(tx: Connection, rules: Rules, to: str, written: str, now: datetime) -> Composed:
    """Tell how a text would go out now, and what is against it; nothing is written down."""
    number = parse(to, rules.country)
    body = tidy(written)
    e164 = to if number is None else number.e164
    last = calls.of_numbers(tx, [e164], limit=1)
    line = last[0].call.line if last else ""
    region = "" if number is None else number.region
    facts = history.about_written(
        tx,
        e164,
        rules,
        now,
        expires_at=now + LONGEST_WAIT,
        price=price(body, rules.route_for(line), region, rules),
    )
    return compose(body, number, line, facts, now)


def send(  # noqa: PLR0913 - what to send, to whom, and who says so
    tx: Connection,
    rules: Rules,
    to: str,
    written: str,
    now: datetime,
    *,
    key: str,
    by: str,
    step: str = STEP,
    call_row: int | None = None,
) -> int:
    """Queue a text; give its id. The same `key` again queues nothing, and gives the first one's.

    Raises:
        Refused: it may not go; nothing was written down.

    """
    known = stored_messages.of_key(tx, key)
    if known is not None:
        return known.message_id
    composed = draft(tx, rules, to, written, now)
    if not composed.may_go:
        raise Refused(composed)
    message_id = outbox.insert(
        tx,
        call_row=call_row,
        step=step,
        key=key,
        to=composed.to,
        body=composed.body,
        gateway=composed.route[0],
        route=composed.route,
        line=_line(tx, composed.to),
        created_at=now,
        due_at=composed.due_at,
        expires_at=composed.expires_at,
        shadow=composed.shadow,
        purpose=Purpose.WRITTEN,
        segments=composed.parts,
        region=composed.region,
        author=by,
    )
    assert message_id is not None  # noqa: S101 - of a call, the step names the message
    return message_id


def again(tx: Connection, rules: Rules, message_id: int, now: datetime, *, by: str) -> int:
    """Send a text that failed once more, as a message of its own; give its id.

    Raises:
        NotAgain: it did not fail, is no text, or was sent again already.
        Refused: it may not go now.

    """
    failed = stored_messages.get(tx, message_id)
    if failed is None:
        raise NotAgain(f"there is no message {message_id}")
    if failed.channel is not Channel.SMS or failed.state not in FAILED:
        raise NotAgain(f"message {message_id} is {failed.state}: only a text that failed")
    key = key_of_again(failed)
    if stored_messages.has_key(tx, key):
        raise NotAgain(f"message {message_id} was sent again already")
    return send(
        tx,
        rules,
        failed.to,
        failed.body,
        now,
        key=key,
        by=by,
        step=f"again-{message_id}",
        call_row=failed.call_row,
    )


def suggested(tx: Connection, rules: Rules, to: str, now: datetime) -> list[Suggestion]:
    """Give the texts of the configuration, filled in for a number."""
    number = parse(to, rules.country)
    e164 = to if number is None else number.e164
    known = contacts.of_number(tx, e164)
    last = calls.of_numbers(tx, [e164], limit=1)
    return suggestions(
        rules,
        number,
        None if known is None else known.contact,
        last[0].call if last else None,
        now,
    )


def may_go_again(tx: Connection, rows: Collection[MessageRecord]) -> frozenset[int]:
    """Tell which of some messages failed and were not sent again yet."""
    keys = {
        row.message_id: key_of_again(row)
        for row in rows
        if row.channel is Channel.SMS and row.state in FAILED
    }
    known = stored_messages.known_keys(tx, keys.values())
    return frozenset(message_id for message_id, key in keys.items() if key not in known)


def key_of_again(failed: MessageRecord) -> str:
    """Give the key of the message that repeats another: there is one at most."""
    return hashlib.sha256(f"{failed.key} again".encode()).hexdigest()[:32]


def _line(tx: Connection, e164: str) -> str:
    last = calls.of_numbers(tx, [e164], limit=1)
    return last[0].call.line if last else ""
