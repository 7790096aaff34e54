"""A happening of each kind, as one could be: to try a webhook with, and to document it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from pbx_bridge.core import payloads
from pbx_bridge.core.call import Call, Caller, Disposition, HungUpBy, QueueVisit, Reason
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.delivery import Message, Price, State
from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.core.reply import Meaning, Reply

#: A number that nobody has.
NUMBER = "+12125550143"
LINE = "+12125550100"

_CONTACT = Contact(
    name="Dana Reyes",
    company="Reyes Bakery",
    kind=CallerKind.CUSTOMER,
    tags=frozenset({"maintenance"}),
    language="en",
    zone="America/New_York",
    email="dana@example.com",
    owner="Kim",
    numbers={NUMBER: "mobile"},
)


def sample(kind: Happened, key: str, at: datetime) -> Happening:
    """Give a happening of a kind, made up."""
    return _SAMPLES[kind](key, at)


def _call_missed(key: str, at: datetime) -> Happening:
    call = Call(
        call_id="1764000001.2",
        began=at - timedelta(seconds=42),
        ended=at,
        disposition=Disposition.MISSED,
        reason=Reason.QUEUE_ABANDONED,
        caller=Caller("2125550143", "REYES BAKERY", withheld=False),
        line=LINE,
        trunk="PJSIP/trunk",
        answered_at=None,
        answered_by="",
        hung_up_by=HungUpBy.CALLER,
        ring_seconds=18.4,
        rung=(),
        queue=QueueVisit("sales", 2, 38.5),
        voicemail_seconds=0.0,
        mailbox="",
        steps=(),
    )
    return payloads.call_missed(
        key,
        call,
        at=at,
        call_row=17,
        pbx="office",
        number=NUMBER,
        line_name="Sales",
        caller_kind="customer",
        contact_row=5,
        contact=_CONTACT,
        rule="after hours on the sales line",
        sequence="customers",
        texted=True,
    )


def _message_changed(key: str, at: datetime) -> Happening:
    message = Message(
        message_id=23,
        key=key,
        to=NUMBER,
        body="Hi, this is Miller & Sons. Sorry we missed your call! How can we help?",
        gateway="twilio",
        created_at=at - timedelta(seconds=25),
        due_at=at,
        expires_at=at,
        attempts=1,
        state=State.DELIVERED,
    )
    return payloads.message_changed(
        key,
        message,
        at=at,
        call_row=17,
        follow_up=9,
        line=LINE,
        segments=1,
        cost=Price(Decimal("0.0079"), "USD"),
    )


def _reply_received(key: str, at: datetime) -> Happening:
    reply = Reply(gateway_ref="SM1", sender=NUMBER, body="Can you come on Tuesday?", recipient=LINE)
    return payloads.reply_received(
        key,
        reply,
        at=at,
        reply_row=4,
        gateway="twilio",
        number=NUMBER,
        meaning=Meaning.REPLY,
        message=23,
        call_row=17,
    )


def _contact_changed(key: str, at: datetime) -> Happening:
    return payloads.contact_changed(
        key, _CONTACT, at=at, contact_row=5, change="changed", source="address-book"
    )


def _task_opened(key: str, at: datetime) -> Happening:
    return payloads.task_opened(
        key,
        at=at,
        task=12,
        title="Call Dana Reyes back",
        number=NUMBER,
        name="Dana Reyes",
        line=LINE,
        calls=2,
        owner="Kim",
        due_at=at + timedelta(hours=2),
        call_row=17,
        follow_up=9,
    )


def _task_closed(key: str, at: datetime) -> Happening:
    return payloads.task_closed(
        key,
        at=at,
        task=12,
        title="Call Dana Reyes back",
        number=NUMBER,
        how="spoken",
        closed_by="PJSIP/101",
        name="Dana Reyes",
        line=LINE,
        calls=2,
        owner="Kim",
        due_at=at + timedelta(hours=1),
        call_row=17,
        follow_up=9,
    )


def _follow_up_stopped(key: str, at: datetime) -> Happening:
    return payloads.follow_up_stopped(
        key,
        at=at,
        follow_up=9,
        number=NUMBER,
        reason="spoken",
        detail="spoke to PJSIP/101 for 95 s",
        line=LINE,
        rule="after hours on the sales line",
        sequence="customers",
        calls=2,
        opened_at=at - timedelta(minutes=50),
        call_row=17,
    )


def _booking_made(key: str, at: datetime) -> Happening:
    return payloads.booking_made(
        key,
        at=at,
        booking=3,
        number=NUMBER,
        starts_at=at + timedelta(days=2),
        source="calendar",
        detail="Boiler service",
        follow_up=9,
    )


def _step_reached(key: str, at: datetime) -> Happening:
    return payloads.step_reached(
        key,
        at=at,
        event="new_lead",
        step="tell-the-crm",
        follow_up=9,
        number=NUMBER,
        line=LINE,
        rule="after hours on the sales line",
        sequence="customers",
        calls=2,
        call_row=17,
        contact_row=5,
        contact=_CONTACT,
    )


_SAMPLES: Mapping[Happened, Callable[[str, datetime], Happening]] = {
    Happened.CALL_MISSED: _call_missed,
    Happened.MESSAGE_CHANGED: _message_changed,
    Happened.REPLY_RECEIVED: _reply_received,
    Happened.CONTACT_CHANGED: _contact_changed,
    Happened.TASK_OPENED: _task_opened,
    Happened.TASK_CLOSED: _task_closed,
    Happened.FOLLOW_UP_STOPPED: _follow_up_stopped,
    Happened.BOOKING_MADE: _booking_made,
    Happened.STEP_REACHED: _step_reached,
}
