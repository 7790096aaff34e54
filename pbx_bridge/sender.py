"""Takes due messages out of the database, to their gateway, and writes down what came of it.

A message is claimed in a committed transaction before the first byte goes out, and its outcome is
written even while the service is being stopped. What a crash leaves in between is perhaps sent: it
is found at the next start, and settled by asking the gateway.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from pbx_bridge.core.delivery import (
    NO_CAPABILITIES,
    Absent,
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
from pbx_bridge.ports import Clock, Gateway
from pbx_bridge.store import outbox
from pbx_bridge.store.db import Database
from pbx_bridge.store.outbox import MessageRecord, Recheck
from pbx_bridge.store.problem import StoreUnavailable

T = TypeVar("T")
log = structlog.get_logger()

#: The wall clock may be set while we sleep, so never sleep for longer than this.
LONGEST_SLEEP = timedelta(seconds=60)
#: Until the next try when the database could not be written.
STORE_PAUSE = timedelta(seconds=5)


GOOD = {State.ACCEPTED, State.DELIVERED}


class Sender:
    """The loop between outbox and gateways.

    `now` gives aware UTC times, `jitter` numbers in [0, 1). `recheck` has the last word before a
    message goes out. `timeout` is for one request to a gateway. At most `concurrency` requests run
    at a time. `checkpoint` is told the points at which a crash would matter, for tests.
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
        timeout: timedelta = timedelta(seconds=10),
        concurrency: int = 8,
        checkpoint: Callable[[str], None] = lambda _: None,
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

    def wake(self) -> None:
        """Look at the outbox now: a row was added, or brought forward."""
        self._woken.set()

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
            return self._after_attempt(row.as_message(), result, now), result

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
        due: list[Message] = []

        def claim(tx: Connection) -> None:
            asked.extend(outbox.claim_lookups(tx, now, free, lease))
            due.extend(outbox.claim_due(tx, now, free - len(asked), self._recheck))
            self._next_due = outbox.next_due(tx)

        try:
            await self._db.run(claim)
        except asyncio.CancelledError:
            await self._put_back(due)  # claimed, and certainly not sent
            raise
        if due:
            self._checkpoint("claimed")
        for row in asked:
            self._hold(tasks.create_task(self._ask(row)))
        for message in due:
            self._hold(tasks.create_task(self._send(message)))

    async def _put_back(self, claimed: list[Message]) -> None:
        now = self._now()
        result = Deferred("the service was stopped before sending it")
        for message in claimed:
            step = self._after_attempt(message, result, now)
            await self._settle(partial(_settle_send, message.message_id, step, result, now, 0.0))

    def _hold(self, task: asyncio.Task[None]) -> None:
        self._in_hand.add(task)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._in_hand.discard(task)
        self.wake()

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
        try:
            async with asyncio.timeout(max(0.0, delay.total_seconds())):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _settle(self, fn: Callable[[Connection], T]) -> T:
        """Write an outcome down, also while being cancelled, for as long as the disk refuses it."""
        while True:
            try:
                return await self._db.run(fn)
            except StoreUnavailable as problem:
                log.error("outcome_waits_for_database", problem=str(problem))  # noqa: TRY400
                await asyncio.sleep(STORE_PAUSE.total_seconds())

    async def _send(self, message: Message) -> None:
        """Send one claimed message and write down what came of it, whatever happens meanwhile."""
        gateway = self._gateways.get(message.gateway)
        started = time.monotonic()
        broken_off: asyncio.CancelledError | None = None
        result: SendResult
        if gateway is None:
            result = Rejected(f"no gateway is named {message.gateway!r} in the configuration")
        else:
            try:
                self._checkpoint("before_send")
                async with asyncio.timeout(self._timeout.total_seconds()):
                    result = await gateway.send(message)
                self._checkpoint("after_send")
            except TimeoutError:
                result = Uncertain(f"no answer within {self._timeout.total_seconds():g} s")
            except asyncio.CancelledError as request:
                broken_off = request
                result = Uncertain("the service was stopped while sending it")
            except Exception:
                # A bug in that gateway must not stop the others; the message may have left.
                log.exception("gateway_failed", message=message.message_id, gateway=message.gateway)
                result = Uncertain("the gateway's program failed while sending it; see the log")
        now = self._now()
        step = self._after_attempt(message, result, now)
        seconds = time.monotonic() - started
        self._checkpoint("before_settle")
        outcome = partial(_settle_send, message.message_id, step, result, now, seconds)
        if broken_off is not None:
            with suppress(StoreUnavailable):  # then it stays SENDING, as after a crash
                await self._db.run(outcome)
            raise broken_off
        await self._settle(outcome)
        self._checkpoint("settled")
        _tell(message.message_id, message.to, message.gateway, step)

    async def _ask(self, row: MessageRecord) -> None:
        """Ask a gateway about one message of unknown fate."""
        gateway = self._gateways.get(row.gateway)
        started = time.monotonic()
        if gateway is None or not gateway.capabilities.can_lookup:
            await self._give_up_asking(row)
            return
        try:
            taken = await self._db.read(lambda tx: outbox.taken_refs(tx, row.to))
        except StoreUnavailable as problem:  # it comes again when its lease is over
            log.error("sender_waits_for_database", problem=str(problem))  # noqa: TRY400
            return
        result: LookupResult
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                result = await gateway.lookup(row.as_message(), taken)
        except TimeoutError:
            result = Deferred(f"no answer within {self._timeout.total_seconds():g} s")
        except Exception:
            log.exception("gateway_failed", message=row.message_id, gateway=row.gateway)
            result = Deferred("the gateway's program failed when asked; see the log")
        now = self._now()
        seconds = time.monotonic() - started

        def settle(tx: Connection) -> Step:
            # Two messages to one number may have found the same answer at the same time.
            known = isinstance(result, Found) and result.gateway_ref in outbox.taken_refs(
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
            return step

        step = await self._settle(settle)
        _tell(row.message_id, row.to, row.gateway, step)

    async def _give_up_asking(self, row: MessageRecord) -> None:
        """Settle a message whose gateway could be asked once, and cannot as now configured."""
        now = self._now()
        step = self._after_attempt(row.as_message(), Uncertain(row.detail), now)
        said = Deferred(f"the gateway {row.gateway!r} cannot be asked as now configured")
        await self._settle(
            lambda tx: outbox.settle_lookup(tx, row.message_id, step, said, now=now, seconds=0.0)
        )
        _tell(row.message_id, row.to, row.gateway, step)

    def _after_attempt(self, message: Message, result: SendResult, now: datetime) -> Step:
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


def _settle_send(  # noqa: PLR0913, PLR0917 - bound by `partial`
    message_id: int, step: Step, result: SendResult, now: datetime, seconds: float, tx: Connection
) -> None:
    outbox.settle_attempt(tx, message_id, step, result, now=now, seconds=seconds)


def _tell(message_id: int, to: str, gateway: str, step: Step) -> None:
    """Log what became of a message: neither its text nor the whole number."""
    tell = log.info if step.state in GOOD else log.warning
    tell(
        f"message_{step.state}",
        message=message_id,
        to=f"…{to[-3:]}",
        gateway=gateway,
        detail=step.detail,
        code=step.code,
        next_at=step.next_at,
    )
