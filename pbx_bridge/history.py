"""What a decision depends on, looked up: the caller's history, the counts, how the breaker stands.

Called by the ledger inside its transaction, in the order of `policy.CHECKS`, so that a call that is
not to be texted anyway costs no queries. Which time zones there are is asked here too: the core is
given zones, not their names.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection

from pbx_bridge.core import burst, policy, recovery
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.burst import Breaker, Circuit, Evidence
from pbx_bridge.core.contact import NOBODY, CallerKind, Contact
from pbx_bridge.core.delivery import Channel
from pbx_bridge.core.facts import Facts, caller_kind
from pbx_bridge.core.later import LaterFacts
from pbx_bridge.core.limits import Counts, Spent, block
from pbx_bridge.core.number import Number, parse, zones
from pbx_bridge.core.office import Rules
from pbx_bridge.core.skip import Skip, SkipReason
from pbx_bridge.store import alerts, callers, calls, contacts, crm, followups, guards, limits
from pbx_bridge.store.followups import FollowUpRecord
from pbx_bridge.store.messages import MessageRecord

#: What is usual is counted anew so often.
USUAL_FOR = timedelta(days=1)
#: Steps of a sequence that answer a call at once; the office's own zone will do for these.
FIRST_STEP = "first_text"


def about_the_caller(
    tx: Connection, facts: Facts, row: int, since: datetime | None = None
) -> Facts:
    """Add what is known of the caller, and which rule matches.

    `since` is when the follow-up began, for a step of it; else the call itself counts.
    """
    number, call, rules, now = facts.number, facts.call, facts.rules, facts.now
    if number is None:  # nobody knows who it was, and nobody can be asked about
        return _ruled(facts)
    since = since or call.began
    known = callers.caller(tx, number.e164, number.national, since)
    contact, customer = contacts.of_number(tx, number.e164), crm.get(tx, number.e164)
    facts = replace(
        facts,
        contact=None if contact is None else contact.contact,
        crm_status="" if customer is None else customer.status,
        missed_at=callers.missed(tx, number.e164, now, row),
        opted_out_at=known.opted_out_at,
        muted_until=known.muted_until,
        muted_why=known.muted_why,
        known_untextable=known.untextable,
        spoken_at=_spoken_at(tx, number, rules, since, now, row),
        replied_at=known.replied_at,
        booked_at=known.booked_at,
        stranger=known.stranger,
        held_out=_held_out(number, rules, now),
    )
    is_customer = caller_kind(facts) is CallerKind.CUSTOMER
    return _ruled(replace(facts, consented=known.consented or is_customer))


def about_the_text(tx: Connection, facts: Facts) -> Facts:
    """Add what is left of `ABOUT_THE_CALLER`, once it is known that a text is to be thought of."""
    number, call, rules, now = facts.number, facts.call, facts.rules, facts.now
    if number is None:
        return facts
    counted = limits.of_number(
        tx,
        number.e164,
        call.line,
        block=block(number.e164, rules.limits.block_digits),
        cooldown=rules.cooldown,
        now=now,
        shadow=rules.shadow,
    )
    return replace(
        facts,
        last_text=counted.last_about_line,
        zones=zones_of(number, rules, facts.who, first=True) if _minds_the_hour(facts) else (),
        counts=Counts(
            number_day=counted.day,
            number_week=counted.week,
            block_hour=counted.block_hour,
            block_day=counted.block_day,
        ),
    )


def _minds_the_hour(facts: Facts) -> bool:
    return facts.step is None and policy.minds_the_hour(facts)


def _ruled(facts: Facts) -> Facts:
    return replace(facts, asked=facts.ruling)


def _spoken_at(  # noqa: PLR0913, PLR0917 - whose, and since when
    tx: Connection,
    number: Number,
    rules: Rules,
    since: datetime,
    now: datetime,
    except_row: int | None = None,
) -> datetime | None:
    return calls.spoken_since(
        tx,
        number.e164,
        number.national,
        since,
        except_row,
        now=now,
        long_enough=rules.min_conversation,
    )


def _held_out(number: Number, rules: Rules, now: datetime) -> bool:
    if rules.holdout is None:
        return False
    sticks_for, salt = rules.holdout.sticks_for, rules.holdout.salt
    chance = recovery.chance_of(number.e164, now, sticks_for=sticks_for, salt=salt)
    return recovery.held_out(chance, rules.holdout.percent)


def about_all(tx: Connection, facts: Facts) -> Facts:
    """Add what `LIMITS` needs; the breaker is moved on, and people are told if it turned."""
    rules, now = facts.rules, facts.now
    region = _number(facts).region
    seen = limits.of_all(
        tx, facts.call.line, region, window=burst.WINDOW, now=now, shadow=rules.shadow
    )
    counts = replace(
        facts.counts,
        line_hour=seen.line_hour,
        region_day=seen.region_day,
        strangers_hour=seen.strangers_hour,
        strangers_day=seen.strangers_day,
        minute=seen.minute,
        hour=seen.hour,
        day=seen.day,
    )
    return replace(
        facts,
        counts=counts,
        spent=_spent(tx, rules, now, waiting=True),
        burst=_breaker(tx, facts, seen),
    )


_NO_MONEY = "The spending limit is reached: {}. No more texts go out;"
_NO_STRANGERS = (
    "{}, as many as the limit (strangers_per_day) allows: many new customers, or somebody with"
    " forged numbers. No more texts go to callers who never had to do with the office;"
)


def held(tx: Connection, facts: Facts, objection: Skip) -> None:
    """Write down that a text was wanted and one of `LIMITS` held it back."""
    rules, now = facts.rules, facts.now
    if rules.burst is not None:
        guards.keep_breaker(tx, burst.hold(guards.breaker(tx), now, stranger=facts.stranger))
    told = {
        SkipReason.DAILY_SPENDING: (now - limits.DAY, AlertKind.SPENDING, _NO_MONEY),
        SkipReason.MONTHLY_SPENDING: (_month(rules, now), AlertKind.SPENDING, _NO_MONEY),
        SkipReason.STRANGERS_DAILY_CAP: (now - limits.DAY, AlertKind.BURST, _NO_STRANGERS),
    }.get(objection.reason)
    if told is None:
        return
    since, kind, words = told
    if guards.first_since(tx, objection.reason.value, since, now):
        alerts.raise_alert(
            tx,
            now=now,
            kind=kind,
            subject=objection.reason.value,
            text=f"{words.format(objection.detail)} missed calls are still written down.",
        )


def about_later(tx: Connection, row: MessageRecord, rules: Rules, now: datetime) -> LaterFacts:
    """Gather what may have changed since a message was queued."""
    mail = row.channel is Channel.EMAIL
    to = row.to
    if mail and row.follow_up is not None:  # about a call of whom it is for
        told = followups.get(tx, row.follow_up)
        to = row.to if told is None else told.recipient
    first = row.step == FIRST_STEP
    later = _later(tx, to, rules, now, since=row.created_at, first=first, call_row=row.call_row)
    opted_out_at = later.opted_out_at
    if mail:
        by_mail = callers.recipient(tx, row.to, row.created_at)
        opted_out_at = opted_out_at or by_mail.opted_out_at
    return replace(
        later,
        expires_at=row.expires_at,
        answers_call=first,
        wakes=not mail,
        known_untextable="" if mail else later.known_untextable,
        opted_out_at=opted_out_at,
        price=rules.price(row.gateway, row.region, row.segments),
        spent=_spent(tx, rules, now, waiting=False),
    )


def about_written(  # noqa: PLR0913 - to whom, what it costs, and until when it is of use
    tx: Connection,
    to: str,
    rules: Rules,
    now: datetime,
    *,
    expires_at: datetime,
    price: int,
) -> LaterFacts:
    """Gather what is against a text that somebody here writes by hand, now or when it is due."""
    lately = rules.quiet.immediate_within if rules.quiet is not None else None
    heard_at = None if lately is None else callers.heard(tx, to, now - lately)
    later = _later(tx, to, rules, now, since=heard_at or now, first=True, call_row=None)
    return replace(
        later,
        expires_at=expires_at,
        answers_call=heard_at is not None,
        price=price,
        spent=_spent(tx, rules, now, waiting=False),
    )


def about_follow_up(
    tx: Connection, follow_up: FollowUpRecord, rules: Rules, now: datetime
) -> LaterFacts:
    """Gather what may have ended a follow-up, or is to be waited for, before its next step."""
    return _later(
        tx,
        follow_up.recipient,
        rules,
        now,
        since=follow_up.opened_at,
        first=False,
        call_row=follow_up.call_row,
    )


def _later(  # noqa: PLR0913 - whom it is for, and since when
    tx: Connection,
    to: str,
    rules: Rules,
    now: datetime,
    *,
    since: datetime,
    first: bool,
    call_row: int | None,
) -> LaterFacts:
    number = parse(to, rules.country)
    known = callers.recipient(tx, to, since)
    later = LaterFacts(
        to=to,
        rules=rules,
        now=now,
        queued_at=since,
        expires_at=datetime.max.replace(tzinfo=UTC),
        zones=(rules.zone,),
        opted_out_at=known.opted_out_at,
        muted_until=known.muted_until,
        muted_why=known.muted_why,
        known_untextable=known.untextable,
        replied_at=known.replied_at,
        booked_at=known.booked_at,
    )
    if number is None:
        return later
    contact = contacts.of_number(tx, number.e164)
    return replace(
        later,
        zones=zones_of(number, rules, NOBODY if contact is None else contact.contact, first=first),
        spoken_at=_spoken_at(tx, number, rules, since, now),
        in_call=calls.in_call(tx, to, number.national, now, call_row),
    )


def zones_of(number: Number, rules: Rules, contact: Contact, *, first: bool) -> Sequence[tzinfo]:
    """Give the zones in which somebody may be.

    What the office knows of a contact counts before what the number tells. Where neither tells, the
    office's own zone does for the answer to a call; for what comes later nothing does.
    """
    found = (_loaded((contact.zone,)) if contact.zone else ()) or _loaded(zones(number))
    return found or ((rules.zone,) if first else ())


@lru_cache(maxsize=256)
def _loaded(names: tuple[str, ...]) -> tuple[tzinfo, ...]:
    try:
        return tuple(ZoneInfo(name) for name in names)
    # libphonenumber may know a zone that is newer than this system; what stands in a damaged row
    # may be no name at all, or a folder's. Neither tells a zone.
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ()


def _spent(tx: Connection, rules: Rules, now: datetime, *, waiting: bool) -> Spent:
    """Sum up what texts cost, those that are not billed yet at the price that is expected."""
    budget = rules.budget

    def since(start: datetime) -> int:
        return sum(
            bill.micros + rules.price(bill.gateway, bill.region, bill.unbilled_segments)
            for bill in limits.bills(tx, start, shadow=rules.shadow, waiting=waiting)
        )

    return Spent(
        day=since(now - limits.DAY) if budget.per_day is not None else 0,
        month=since(_month(rules, now)) if budget.per_month is not None else 0,
    )


def spending(tx: Connection, rules: Rules, now: datetime) -> Spent:
    """Sum up what texts cost in 24 hours and in this month, those that wait among them.

    Unlike what a text is judged by, this is counted also where there is no limit.
    """
    limited = replace(rules.budget, per_day=0, per_month=0)
    return _spent(tx, replace(rules, budget=limited), now, waiting=True)


def _month(rules: Rules, now: datetime) -> datetime:
    """Give when the month began, by the office's calendar."""
    here = now.astimezone(rules.zone)
    return here.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


def _breaker(tx: Connection, facts: Facts, seen: limits.OfAll) -> str:
    """Let the breaker judge; give why it holds back this text, or nothing."""
    rules, now = facts.rules, facts.now
    if rules.burst is None:
        return ""
    before = guards.breaker(tx)
    known = _with_the_usual(tx, before, facts, seen)
    after, objection = burst.judge(known, _evidence(tx, known, facts, seen), rules.burst, now)
    if after != before:
        guards.keep_breaker(tx, after)
    if after.circuit is not before.circuit:
        alerts.raise_alert(
            tx,
            now=now,
            kind=AlertKind.BURST,
            subject="texts",
            text=_news(after, rules),
        )
    return objection


def _with_the_usual(tx: Connection, breaker: Breaker, facts: Facts, seen: limits.OfAll) -> Breaker:
    """Count what is usual, where that can matter; weeks of texts are not counted every time."""
    now, rules = facts.now, facts.rules
    wanted = seen.window + breaker.held_in_window(now)[0] + 1
    fresh = now - breaker.usual_at < USUAL_FOR
    if rules.burst is None or wanted <= rules.burst.floor or fresh:
        return breaker
    times = limits.times(tx, now - burst.MEMORY, now - burst.WINDOW, shadow=rules.shadow)
    return replace(breaker, usual=burst.usual(times), usual_at=now)


def _evidence(tx: Connection, breaker: Breaker, facts: Facts, seen: limits.OfAll) -> Evidence:
    """Gather what can matter as the breaker stands."""
    now = facts.now
    evidence = Evidence(
        stranger=facts.stranger,
        texts=seen.window,
        strangers=seen.window_strangers,
        minute=seen.minute,
    )
    if breaker.circuit is Circuit.HALF_OPEN:
        probes = limits.fates(tx, breaker.since)
        return replace(evidence, good_probes=probes.good, bad_probes=probes.bad)
    if breaker.circuit is Circuit.OPEN or not seen.bad_day or facts.rules.burst is None:
        return evidence
    most = facts.rules.burst.undelivered_of
    last = limits.last_ended(tx, max(now - burst.FATES_FOR, breaker.since), most)
    hour_ago = max(now - burst.REFUSALS_FOR, breaker.since)
    return replace(
        evidence,
        ended=last.good + last.bad,
        undelivered=last.bad,
        refusals=limits.refusals(tx, hour_ago, burst.SPAM_CODES),
    )


def _news(breaker: Breaker, rules: Rules) -> str:
    whom = "Texts" if breaker.everybody else "Texts to strangers"
    prefix = "In shadow mode: " if rules.shadow else ""
    match breaker.circuit:
        case Circuit.OPEN:
            assert breaker.until is not None  # noqa: S101 - it is set with the state
            until = breaker.until.astimezone(rules.zone)
            return (
                f"{prefix}{whom} are held back until {until:%H:%M}: {breaker.why}."
                " Missed calls are still written down."
            )
        case Circuit.HALF_OPEN:
            return f"{prefix}{whom} are tried again, one a minute, after: {breaker.why}."
        case Circuit.CLOSED:
            return f"{prefix}Texts go out again as usual."


def _number(facts: Facts) -> Number:
    assert facts.number is not None  # noqa: S101 - without one nothing is looked up
    return facts.number
