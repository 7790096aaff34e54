"""What makes it urgent, and whether those on call are phoned because of it: in one transaction.

A caller writes URGENT, or calls a second time while nobody is there. Whoever forges numbers could
have staff phoned all night, so it is done only so often; and then staff are told that it was not.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.call import Call, Disposition
from pbx_bridge.core.number import Number
from pbx_bridge.core.office import Rules
from pbx_bridge.store import callers, ladders
from pbx_bridge.store.alerts import raise_alert

HOUR = timedelta(hours=1)
#: As long as the limit for a night counts back.
NIGHT = timedelta(hours=12)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Urgency:
    """Because of whom those on call are phoned, and how often at most."""

    known_only: bool = False  #: only because of callers whom the office knows
    again_within: timedelta | None = timedelta(hours=2)  #: a second missed call, out of hours
    same_caller: timedelta = timedelta(minutes=30)  #: not sooner because of the same one
    per_hour: int = 4
    per_night: int = 10


def phone_those_on_call(  # noqa: PLR0913 - whom it is about, and why
    tx: Connection,
    urgency: Urgency,
    rules: Rules,
    *,
    alert_id: int,
    number: Number,
    line: str,
    wrote: bool,
    call_row: int | None,
    now: datetime,
) -> bool:
    """Have those on call phoned because of an urgent alert, unless something is against it."""
    why = _against(tx, urgency, rules, number, now)
    if why is None:
        ladder = ladders.open_ladder(
            tx,
            alert_id=alert_id,
            number=number.e164,
            line=line,
            wrote=wrote,
            call_row=call_row,
            now=now,
        )
        log.warning("ladder_opened", ladder=ladder, alert=alert_id, wrote=wrote)
        return True
    log.warning("ladder_not_opened", alert=alert_id, why=why)
    return False


def called_again(  # noqa: PLR0911, PLR0913 - the call, and what there is to judge it by
    tx: Connection,
    urgency: Urgency,
    rules: Rules,
    *,
    row: int,
    call: Call,
    number: Number | None,
    now: datetime,
) -> bool:
    """Take a missed call; if it is the second out of hours, raise an urgent alert and phone.

    Tells whether an alert was raised. A withheld number cannot be called back.
    """
    within = urgency.again_within
    if within is None or number is None or call.caller.withheld:
        return False
    if call.disposition is not Disposition.MISSED or call.ended is None or now - call.ended > HOUR:
        return False
    if rules.hours.of(call.line).is_open(call.began):
        return False
    lately = [
        ended
        for ended in callers.missed(tx, number.e164, now, row)
        if call.began - within <= ended <= call.began
    ]
    if not lately:
        return False
    spoken = ladders.spoken_since(
        tx, number.e164, number.national, min(lately), rules.min_conversation
    )
    if spoken is not None:  # it is another matter
        return False
    if _against(tx, urgency, rules, number, now) is not None:
        return False
    text = f"{number.e164} called again while nobody was there, and was missed again"
    alert_id = raise_alert(
        tx, now=now, kind=AlertKind.URGENT, subject=number.e164, text=text, urgent=True
    )
    phone_those_on_call(
        tx,
        urgency,
        rules,
        alert_id=alert_id,
        number=number,
        line=call.line,
        wrote=False,
        call_row=row,
        now=now,
    )
    return True


def _against(
    tx: Connection, urgency: Urgency, rules: Rules, number: Number, now: datetime
) -> str | None:
    """Say why nobody is phoned."""
    if number.e164 in rules.blocked_numbers or number.e164 in rules.own_numbers:
        return "the number is blocked, or our own"
    if urgency.known_only and not ladders.is_known(tx, number.e164):
        return "the caller is not known"
    if ladders.runs_for(tx, number.e164):
        return "those on call are being phoned because of this caller"
    if ladders.opened_since(tx, now - urgency.same_caller, number.e164):
        return "those on call were phoned because of this caller a moment ago"
    for most, since, span in (
        (urgency.per_hour, HOUR, "an hour"),
        (urgency.per_night, NIGHT, "12 hours"),
    ):
        if ladders.opened_since(tx, now - since) >= most:
            text = (
                f"nobody is phoned because of {number.e164}: it was done {most} times in {span};"
                " [ladder] per_hour and per_night say how often it may be"
            )
            raise_alert(tx, now=now, kind=AlertKind.LADDER, subject="limit", text=text)
            return f"the limit for {span} is reached"
    return None
