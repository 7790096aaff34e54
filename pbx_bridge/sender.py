"""Takes due messages out of the database, to their gateway, and writes down what came of it.

A message is claimed in a committed transaction before the first byte goes out, and its outcome is
written even while the service is being stopped. What a crash leaves in between is perhaps sent: it
is found at the next start, and settled by asking the gateway.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from pbx_bridge import consequences
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.announcement import TextChanged
from pbx_bridge.core.delivery import (
    NO_CAPABILITIES,
    Absent,
    Accepted,
    AskSchedule,
    Deferred,
    Found,
    LookupResult,
    Message,
    Rejected,
    RetrySchedule,
    SendResult,
    State,
    Step,
    Uncertain,
    after_attempt,
    after_lookup,
)
from pbx_bridge.core.happening import NOBODY_LISTENS, Happened, Listeners
from pbx_bridge.core.jump import moved
from pbx_bridge.core.liveness import OutboxFacts, Pulse
from pbx_bridge.core.pricing import NO_PRICES, PriceList
from pbx_bridge.core.routing import (
    SOUND,
    Circuit,
    CircuitRules,
    Standing,
    Wait,
    Way,
    after_result,
    choose,
    reroute,
    trying,
)
from pbx_bridge.core.text import shorten
from pbx_bridge.ports import Announce, Clock, Gateway
from pbx_bridge.store import correspondents, outbox, standings
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.db import Database
from pbx_bridge.store.grouping import Grouped
from pbx_bridge.store.lock import Taken
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.outbox import Assigned, Outcome, Recheck
from pbx_bridge.store.problem import StoreUnavailable

T = TypeVar("T")
log = structlog.get_logger()

#: The wall clock may be set while we sleep, so never sleep for longer than this.
LONGEST_SLEEP = timedelta(seconds=60)
#: Until the next try when the database could not be written.
STORE_PAUSE = timedelta(seconds=5)


GOOD = {State.ACCEPTED, State.DELIVERED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the office set down about its gateways; replaced as a whole when that changes."""

    prices: Mapping[str, PriceList] = field(default_factory=dict)
    #: From one segment to the next, of gateways that take them at some rate.
    intervals: Mapping[str, timedelta] = field(default_factory=dict)
    last_resort: str | None = None
    currency: str = "USD"
    circuits: CircuitRules = field(default_factory=CircuitRules)


class Sender:
    """The loop between outbox and gateways.

    `now` gives aware UTC times, `jitter` numbers in [0, 1). `recheck` has the last word before a
    message goes out. `timeout` is for one request to a gateway. At most `concurrency` requests run
    at a time. `checkpoint` is told the points at which a crash would matter, for tests. `announce`
    is told what became of a message; `raised` is called when an alert may wait for the staff,
    `happened` when other programs may be told something.
    """

    def __init__(  # noqa: PLR0913 - wired once, by name
        self,
        db: Database,
        gateways: Mapping[str, Gateway],
        *,
        now: Clock,
        jitter: Callable[[], float],
        recheck: Recheck,
        schedule: RetrySchedule | None = None,
        asking: AskSchedule | None = None,
        terms: Terms | None = None,
        timeout: timedelta = timedelta(seconds=10),
        concurrency: int = 16,
        checkpoint: Callable[[str], None] = lambda _: None,
        announce: Announce = lambda _: None,
        raised: Callable[[], None] = lambda: None,
        happened: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._gateways = gateways
        self._now = now
        self._jitter = jitter
        self._recheck = recheck
        self._schedule = schedule or RetrySchedule()
        self._asking = asking or AskSchedule()
        self._timeout = timeout
        self._concurrency = concurrency
        self._checkpoint = checkpoint
        self._woken = asyncio.Event()
        self._next_due: datetime | None = None  # as of the last look into the outbox
        self._stopping = False
        self._finished = asyncio.Event()
        self._finished.set()  # while it does not run there is nothing to wait for
        self._in_hand: set[asyncio.Task[None]] = set()
        self._more_may_be_due = False  # than the last look told, by what was written down since
        self._pulse = Pulse(time.monotonic)
        self._requests: dict[int, float] = {}  # by message: since when a gateway is asked
        self._claimed_at = time.monotonic()
        self.terms = terms or Terms()
        self._announce = announce
        self._raised = raised
        self._happened = happened
        self.listeners: Listeners = NOBODY_LISTENS  #: replaced when the configuration is read again
        self._outcomes = Grouped(db, self._write_outcomes, self._as_clock_was_set)
        self._set_by = timedelta()  # that the clock was set, all in all
        #: When each gateway takes the next by its rate. Only the writer's thread touches it.
        self._free_at: dict[str, datetime] = {}

    def wake(self) -> None:
        """Look at the outbox now: a row was added, or brought forward."""
        self._woken.set()

    def clock_set(self, by: timedelta) -> None:
        """Go by the clock as it was set, also with what is in hand."""
        self._set_by += by
        self._free_at = {}  # paces are kept again from the next text on

    def facts(self) -> OutboxFacts:
        """Give what the watchdog is to know."""
        return OutboxFacts(
            due=self._pulse.due,
            sending=len(self._requests),
            oldest_request=min(self._requests.values(), default=None),
            claimed_at=self._claimed_at,
        )

    async def run(self) -> None:
        """Send for ever; after `drain` return when nothing is in hand. A bug of ours ends it."""
        self._finished.clear()
        recovered = False
        try:
            async with asyncio.TaskGroup() as tasks:
                while not self._stopping:
                    self._woken.clear()
                    try:
                        if not recovered:
                            await self._recover()
                            recovered = True
                        await self._take(tasks)
                        await self._sleep()
                    except StoreUnavailable as problem:
                        log.error("sender_waits_for_database", problem=str(problem))  # noqa: TRY400
                        await self._wait(STORE_PAUSE)
        finally:
            self._finished.set()

    async def drain(self, timeout: timedelta) -> bool:  # noqa: ASYNC109 - bounded by cancelling
        """Take nothing new and finish what is in hand; what is not done by then is broken off.

        A request broken off is written down as uncertain. Tell whether everything was finished.
        """
        self._stopping = True
        self.wake()
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await self._finished.wait()
        except TimeoutError:
            for task in self._in_hand:
                task.cancel()
            await self._finished.wait()
            return False
        return True

    async def _recover(self) -> None:
        """Settle what an earlier run was sending when it died."""
        now = self._now()
        result = Uncertain("the service stopped while sending it")

        def step_for(row: MessageRecord) -> tuple[Step, SendResult]:
            return self._after_attempt(row, result, now), result

        found = await self._db.run(lambda tx: outbox.recover_sending(tx, now, step_for))
        if found:
            log.warning("messages_of_unknown_fate_at_start", count=found)

    async def _take(self, tasks: asyncio.TaskGroup) -> None:
        """Claim as much as there are free hands for; lookups go first, they are older."""
        now = self._now()
        free = self._concurrency - len(self._in_hand)
        if free <= 0:
            return
        lease = self._timeout + self._asking.unreachable
        asked: list[MessageRecord] = []
        due: list[MessageRecord] = []

        def claim(tx: Connection) -> Taken | None:
            standing = standings.everyone(tx)
            assign = partial(self._assign, standing)
            asked.extend(outbox.claim_lookups(tx, now, free, lease))
            room = free - len(asked)
            if room:
                due.extend(outbox.claim_due(tx, now, room, self._recheck, assign))
            self._next_due = outbox.next_due(tx)
            return outbox.taken(tx, due[-1], now) if due else None

        try:
            await self._db.take(claim)
        except asyncio.CancelledError:
            await self._put_back(due)  # claimed, and certainly not sent
            raise
        if due:
            self._claimed_at = time.monotonic()
            self._checkpoint("claimed")
        for row in asked:
            asking = tasks.create_task(self._ask(row))
            self._hold(asking)
            asking.add_done_callback(lambda _: self.wake())
        for message in due:
            self._hold(tasks.create_task(self._send(message)))

    def _assign(
        self,
        standing: dict[str, Standing],
        tx: Connection,
        row: MessageRecord,
        now: datetime,
    ) -> Assigned | Wait:
        """Choose the gateway for a message (for `outbox.claim_due`)."""
        terms = self.terms
        several = len(row.route) > 1
        way = Way(
            route=row.route or (row.gateway,),
            tried=row.tried,
            preferred=correspondents.get(tx, row.to).gateway if several else "",
            last_resort=terms.last_resort,
            expires_at=row.expires_at,
        )
        choice = choose(way, standing, self._free_at, self._gateways, now)
        if isinstance(choice, Wait):
            return choice
        gateway = choice.gateway
        known = standing.get(gateway, SOUND)
        tried = trying(known, now, terms.circuits)
        if tried != known:
            standing[gateway] = tried
            standings.save(tx, gateway, tried, now)
        if (interval := terms.intervals.get(gateway)) is not None:
            free_at = max(now, self._free_at.get(gateway, now))
            self._free_at[gateway] = free_at + interval * max(1, row.segments)
        return Assigned(gateway, terms.prices.get(gateway, NO_PRICES).of(row.region, row.segments))

    async def _put_back(self, claimed: list[MessageRecord]) -> None:
        now = self._now()
        result = Deferred("the service was stopped before sending it", busy=True)
        for row in claimed:
            await self._settle(self._outcome(row, result, now, 0.0))

    def _hold(self, task: asyncio.Task[None]) -> None:
        self._in_hand.add(task)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        # Else the last look has told when the next is due, and a look costs a transaction.
        if len(self._in_hand) >= self._concurrency or self._more_may_be_due:
            self._more_may_be_due = False
            self.wake()
        self._in_hand.discard(task)

    async def _sleep(self) -> None:
        """Sleep until the next row is due, or somebody wakes us."""
        if self._stopping:
            return
        delay = LONGEST_SLEEP
        # With no hand free only a free one helps, and it wakes us.
        if len(self._in_hand) < self._concurrency and self._next_due is not None:
            delay = min(delay, self._next_due - self._now())
        await self._wait(delay)

    async def _wait(self, delay: timedelta) -> None:
        self._pulse.back_in(delay)
        try:
            async with asyncio.timeout(max(0.0, delay.total_seconds())):
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            self._pulse.waits()  # for the database

    def _as_clock_was_set(self, outcome: Outcome) -> Outcome:
        """Give an outcome by the clock as it is set now: it may have waited for others."""
        by = self._set_by - outcome.set_by
        if not by:
            return outcome
        row, step = moved(outcome.row, by), moved(outcome.step, by)
        return replace(moved(outcome, by), row=row, step=step, set_by=self._set_by)

    async def _settle(self, outcome: Outcome) -> MessageRecord:
        return await self._surely(lambda: self._outcomes.put(outcome))

    @staticmethod
    async def _surely(write: Callable[[], Awaitable[T]]) -> T:
        """Write an outcome down, also while being cancelled, for as long as the disk refuses it."""
        while True:
            try:
                return await write()
            except StoreUnavailable as problem:
                log.error("outcome_waits_for_database", problem=str(problem))  # noqa: TRY400
                await asyncio.sleep(STORE_PAUSE.total_seconds())

    def _write_outcomes(self, tx: Connection, outcomes: list[Outcome]) -> list[MessageRecord]:
        """Write outcomes down with all that follows from them."""
        terms = self.terms
        settled = outbox.settle_attempts(tx, outcomes)
        before = standings.everyone(tx)
        after = dict(before)
        reached: list[tuple[str, str]] = []
        for row, outcome in zip(settled, outcomes, strict=True):
            stands = row
            after[row.gateway] = after_result(
                after.get(row.gateway, SOUND), outcome.result, outcome.now, terms.circuits
            )
            match outcome.result:
                case Accepted(ref):
                    reached.append((row.to, row.gateway))
                    if ref and self._has_receipts(row.gateway):
                        stands = consequences.early_receipts(tx, row, outcome.now, terms.currency)
                case Rejected() as refusal:
                    consequences.refused(tx, row, refusal, outcome.now)
                case Deferred(_, retry_after, busy=True) if retry_after is not None:
                    free = outcome.now + min(retry_after, self._schedule.longest_retry_after)
                    self._free_at[row.gateway] = max(self._free_at.get(row.gateway, free), free)
                case _:
                    pass
            self._tell_change(tx, row, outcome.now)
            if stands.state is not row.state:
                self._tell_change(tx, stands, outcome.now)
        correspondents.reached(tx, reached, outcomes[-1].now)
        for gateway, standing in after.items():
            if standing != before.get(gateway, SOUND):
                now = outcomes[-1].now
                standings.save(tx, gateway, standing, now)
                _tell_circuit(tx, gateway, before.get(gateway, SOUND), standing, now)
                if standing.circuit is Circuit.CLOSED:
                    outbox.circuit_closed(tx, now)
                    self._more_may_be_due = True
        return settled

    def _tell_change(self, tx: Connection, row: MessageRecord, now: datetime) -> None:
        consequences.tell_change(tx, row, now, self.listeners, self.terms.currency)

    def _has_receipts(self, name: str) -> bool:
        gateway = self._gateways.get(name)
        return gateway is not None and gateway.capabilities.receipts

    def _outcome(
        self, row: MessageRecord, result: SendResult, now: datetime, seconds: float
    ) -> Outcome:
        """Tell what follows from an answer, for the message and its way."""
        step, tried = reroute(
            self._after_attempt(row, result, now),
            result,
            gateway=row.gateway,
            route=row.route,
            tried=row.tried,
            known=self._gateways,
            now=now,
        )
        price = result.price if isinstance(result, Accepted) else None
        return Outcome(
            row=row,
            step=step,
            result=result,
            now=now,
            seconds=seconds,
            tried=tried,
            cost_micros=consequences.micros(price, self.terms.currency),
            set_by=self._set_by,
        )

    async def _send(self, row: MessageRecord) -> None:
        """Send one claimed message and write down what came of it, whatever happens meanwhile."""
        gateway, set_by = self._gateways.get(row.gateway), self._set_by
        started = time.monotonic()
        broken_off: asyncio.CancelledError | None = None
        result: SendResult
        if gateway is None:
            result = Rejected(f"no gateway is named {row.gateway!r} in the configuration")
        else:
            self._requests[row.message_id] = started
            try:
                self._checkpoint("before_send")
                async with asyncio.timeout(self._timeout.total_seconds()):
                    result = await gateway.send(_fitting(row, gateway))
                self._checkpoint("after_send")
            except TimeoutError:
                result = Uncertain(f"no answer within {self._timeout.total_seconds():g} s")
            except asyncio.CancelledError as request:
                broken_off = request
                result = Uncertain("the service was stopped while sending it")
            except Exception:
                # A bug in that gateway must not stop the others; the message may have left.
                log.exception("gateway_failed", message=row.message_id, gateway=row.gateway)
                result = Uncertain("the gateway's program failed while sending it; see the log")
            finally:
                self._requests.pop(row.message_id, None)
        now, row = self._now(), moved(row, self._set_by - set_by)
        outcome = self._outcome(row, result, now, time.monotonic() - started)
        self._checkpoint("before_settle")
        if broken_off is not None:
            with suppress(StoreUnavailable):  # then it stays SENDING, as after a crash
                await self._outcomes.put(outcome)
            raise broken_off
        settled = await self._settle(outcome)
        self._checkpoint("settled")
        if not isinstance(result, Accepted):
            self._more_may_be_due = True  # perhaps again, by this gateway or another
            self._raised()
        self._tell(settled, outcome.step)

    async def _ask(self, row: MessageRecord) -> None:
        """Ask a gateway about one message of unknown fate."""
        gateway, set_by = self._gateways.get(row.gateway), self._set_by
        started = time.monotonic()
        if gateway is None or not gateway.capabilities.can_lookup:
            await self._give_up_asking(row)
            return
        try:
            taken = await self._db.read(lambda tx: stored_messages.taken_refs(tx, row.to))
        except StoreUnavailable as problem:  # it comes again when its lease is over
            log.error("sender_waits_for_database", problem=str(problem))  # noqa: TRY400
            return
        result: LookupResult
        self._requests[row.message_id] = started
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                result = await gateway.lookup(_fitting(row, gateway), taken)
        except TimeoutError:
            result = Deferred(f"no answer within {self._timeout.total_seconds():g} s")
        except Exception:
            log.exception("gateway_failed", message=row.message_id, gateway=row.gateway)
            result = Deferred("the gateway's program failed when asked; see the log")
        finally:
            self._requests.pop(row.message_id, None)
        now, row = self._now(), moved(row, self._set_by - set_by)
        seconds = time.monotonic() - started

        def settle(tx: Connection) -> Step:
            # Two messages to one number may have found the same answer at the same time.
            known = isinstance(result, Found) and result.gateway_ref in stored_messages.taken_refs(
                tx, row.to
            )
            said = Absent() if known else result
            step = after_lookup(
                said,
                lookups_done=row.lookups,
                attempts=row.attempts,
                now=now,
                expires_at=row.expires_at,
                schedule=self._schedule,
                asking=self._asking,
            )
            outbox.settle_lookup(tx, row.message_id, step, said, now=now, seconds=seconds)
            self._tell_change(tx, _after(row, step), now)
            return step

        step = await self._surely(lambda: self._db.run(settle))
        self._tell(_after(row, step), step)

    async def _give_up_asking(self, row: MessageRecord) -> None:
        """Settle a message whose gateway could be asked once, and cannot as now configured."""
        now = self._now()
        step = self._after_attempt(row, Uncertain(row.detail), now)
        said = Deferred(f"the gateway {row.gateway!r} cannot be asked as now configured")

        def settle(tx: Connection) -> None:
            outbox.settle_lookup(tx, row.message_id, step, said, now=now, seconds=0.0)
            self._tell_change(tx, _after(row, step), now)

        await self._surely(lambda: self._db.run(settle))
        self._tell(_after(row, step), step)

    def _after_attempt(self, message: MessageRecord, result: SendResult, now: datetime) -> Step:
        gateway = self._gateways.get(message.gateway)
        return after_attempt(
            result,
            attempts=message.attempts,
            now=now,
            expires_at=message.expires_at,
            schedule=self._schedule,
            asking=self._asking,
            jitter=self._jitter(),
            capabilities=gateway.capabilities if gateway else NO_CAPABILITIES,
        )

    def _tell(self, row: MessageRecord, step: Step) -> None:
        """Say what became of a message; in the log neither its text nor the whole number."""
        tell = log.info if row.state in GOOD else log.warning
        tell(
            f"message_{row.state}",
            message=row.message_id,
            to=f"…{row.to[-3:]}",
            gateway=row.gateway,
            detail=row.detail,
            code=row.code,
            next_at=step.next_at,
        )
        self._announce(
            TextChanged(
                at=self._now(),
                message=row.message_id,
                call=row.call_row,
                to=row.to,
                state=row.state.value,
                gateway=row.gateway,
                detail=row.detail,
            )
        )
        if self.listeners.of(Happened.MESSAGE_CHANGED):
            self._happened()


def _after(row: MessageRecord, step: Step) -> MessageRecord:
    return replace(row, state=step.state, detail=step.detail, code=step.code)


def _fitting(row: MessageRecord, gateway: Gateway) -> Message:
    """Give a message as the gateway is to send it: no longer than it takes."""
    message = row.as_message()
    return replace(message, body=shorten(message.body, gateway.capabilities.max_length))


def _tell_circuit(
    tx: Connection, gateway: str, before: Standing, after: Standing, now: datetime
) -> None:
    """Let the staff know when a gateway is no longer used, and when it is again."""
    closed = after.circuit is Circuit.CLOSED
    if closed is (before.circuit is Circuit.CLOSED):
        return
    if closed:
        text = f"the gateway {gateway} works again"
    else:
        text = f"the gateway {gateway} is not used for now: {after.reason}"
    tell = log.info if closed else log.error
    tell("circuit_closed" if closed else "circuit_opened", gateway=gateway, reason=after.reason)
    raise_alert(tx, now=now, kind=AlertKind.CIRCUIT, subject=gateway, text=text)
