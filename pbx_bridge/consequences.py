"""What follows from a gateway's answer or receipt, besides the state of the one message.

Runs in the database's writer thread, in the transaction that writes the answer down.
"""

from datetime import datetime

from sqlalchemy import Connection

from pbx_bridge.core import loops
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.delivery import Blame, Channel, Price, Purpose, Receipt, Rejected, State
from pbx_bridge.core.happening import Listeners
from pbx_bridge.core.payloads import message_changed
from pbx_bridge.core.pricing import from_micros, to_micros
from pbx_bridge.core.saying import say
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.store import consents, correspondents, events, followups, outbox, receipts
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.messages import MessageRecord

#: Codes by which gateways say that they do not know us: HTTP, SMTP, Twilio.
CREDENTIAL_CODES = frozenset({"401", "403", "530", "535", "20003"})

#: Messages to customers; what staff are told is nobody else's business.
TOLD_PURPOSES = frozenset({Purpose.FOLLOW_UP, Purpose.CONFIRMATION, Purpose.WRITTEN})
#: Where other programs are told that a message got to: not that it waits, or is on its way.
TOLD_STATES = frozenset(State) - {State.QUEUED, State.SENDING, State.SHADOW}


def refused(tx: Connection, row: MessageRecord, refusal: Rejected, now: datetime) -> None:
    """Draw the consequences of a refusal, at once or by receipt."""
    detail = refusal.reason
    match refusal.blame:
        case Blame.MESSAGE:
            return
        case Blame.NUMBER:
            if row.channel is Channel.SMS:
                correspondents.untextable(tx, row.to, detail, now)
            text = f"{row.to} cannot be reached by {row.channel}, so please call: {detail}"
            raise_alert(tx, now=now, kind=AlertKind.UNTEXTABLE, subject=row.to, text=text)
        case Blame.OPTED_OUT:
            opted_out(tx, row, detail, now)
        case Blame.FILTERED:
            text = f"a carrier took a text through {row.gateway} for spam: {detail}; look at it"
            raise_alert(tx, now=now, kind=AlertKind.CONTENT, subject=row.gateway, text=text)
        case Blame.LOOP:
            correspondents.mute(tx, row.to, now + loops.MUTE, detail, now)
            text = f"a machine seems to answer at {row.to}; it gets no texts for a day: {detail}"
            raise_alert(tx, now=now, kind=AlertKind.LOOP, subject=row.to, text=text)
        case Blame.GATEWAY:
            unknown = refusal.code in CREDENTIAL_CODES
            kind = AlertKind.CREDENTIAL if unknown else AlertKind.GATEWAY
            text = f"the gateway {row.gateway} refuses texts: {detail} {refusal.code}".rstrip()
            raise_alert(tx, now=now, kind=kind, subject=row.gateway, text=text)


def opted_out(tx: Connection, row: MessageRecord, detail: str, now: datetime) -> None:
    """Take over a STOP that the gateway knows of and we did not."""
    if consents.opted_out(tx, row.to) is not None:
        return
    given = ConsentRecord(
        address=row.to,
        at=now,
        kind=ConsentKind.OPT_OUT,
        source=ConsentSource.GATEWAY,
        detail=f"{row.gateway}: {detail}",
        reply_row=None,
    )
    consents.record(tx, given)
    followups.stop_for(
        tx, row.to, now, SkipReason.OPTED_OUT.value, say("opted out, says the gateway")
    )


def received(
    tx: Connection, gateway: str, told: Receipt, now: datetime, currency: str
) -> MessageRecord | None:
    """Take a receipt; give its message as it now stands, None if nothing changed."""
    row = stored_messages.of_receipt(tx, gateway, told)
    if not receipts.record(tx, gateway, told, None if row is None else row.message_id, now):
        return None
    return None if row is None else _applied(tx, row, told, now, currency)


def early_receipts(
    tx: Connection, row: MessageRecord, now: datetime, currency: str
) -> MessageRecord:
    """Take the receipts that came before the gateway's answer had told its id.

    Gives the message as it now stands.
    """
    for told in receipts.early(tx, row.gateway, row.gateway_ref, row.message_id):
        row = _applied(tx, row, told, now, currency)
    return row


def tell_change(
    tx: Connection, row: MessageRecord, now: datetime, listeners: Listeners, currency: str
) -> None:
    """Let other programs know where a message to a customer got to; of each state once."""
    if row.purpose not in TOLD_PURPOSES or row.state not in TOLD_STATES:
        return
    told = message_changed(
        f"{row.key}-{row.state}",
        row.as_message(),
        at=now,
        call_row=row.call_row,
        follow_up=row.follow_up,
        line=row.line,
        segments=row.segments,
        cost=Price(from_micros(row.cost_micros), currency) if row.priced_by else None,
        detail=row.detail,
        code=row.code,
    )
    events.record(tx, told, listeners.of(told.kind))


def _applied(
    tx: Connection, row: MessageRecord, told: Receipt, now: datetime, currency: str
) -> MessageRecord:
    after = outbox.apply_receipt(tx, row, told, now, micros(told.price, currency))
    if told.state is State.UNDELIVERED and after.state is State.UNDELIVERED:
        if row.state is not State.UNDELIVERED:
            refused(tx, row, Rejected(told.detail, told.code, told.blame), now)
    elif told.state is State.DELIVERED:
        correspondents.reached(tx, [(row.to, row.gateway)], now)
    return after


def micros(price: Price | None, currency: str) -> int | None:
    """Give a gateway's own price in the office's currency; None if it cannot be counted."""
    if price is None or price.currency != currency:
        return None
    return to_micros(price.amount)
