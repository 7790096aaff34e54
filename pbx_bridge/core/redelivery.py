"""When what happened is told again to a destination that did not take it, and when no more.

The schedule is the one that Standard Webhooks recommends. A destination that cannot be reached, or
wants nothing now, holds up what comes after: the order is kept. One that refuses a single thing
(`Rejected`) does not: that is tried again on its own.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pbx_bridge.core.delivery import Accepted, Blame, Deferred, Rejected, SendResult, Uncertain


class DeliveryState(StrEnum):
    WAITING = "waiting"  #: for its turn, or for the destination to be back
    REFUSED = "refused"  #: tried again on its own, without holding up others
    DELIVERED = "delivered"
    FAILED = "failed"  #: given up; only a replay tells it again
    DROPPED = "dropped"  #: its destination is no longer configured


#: States of deliveries that still go out.
OPEN = frozenset({DeliveryState.WAITING, DeliveryState.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeliverySchedule:
    """When to try again, and when to give up."""

    waits: tuple[timedelta, ...] = (
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=5),
        timedelta(hours=10),
        timedelta(hours=14),
        timedelta(hours=20),
        timedelta(hours=24),
    )
    spread: float = 0.1  #: by how much of itself a wait is at most longer
    longest_retry_after: timedelta = timedelta(hours=24)  #: a destination may not ask for more

    @property
    def attempts(self) -> int:
        """How often one thing is told at most."""
        return len(self.waits) + 1

    @property
    def life(self) -> timedelta:
        """After how long a thing is too old to be told."""
        return sum(self.waits, timedelta()) * (1 + self.spread)

    def wait(self, failures: int, jitter: float) -> timedelta:
        """Give the wait after so many failures in a row; `jitter` in [0, 1) spreads it."""
        chosen = self.waits[min(max(failures, 1), len(self.waits)) - 1]
        return chosen * (1 + self.spread * jitter)


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationStanding:
    """How a destination stands."""

    failures: int = 0  #: in a row
    failing_since: datetime | None = None
    until: datetime | None = None  #: nothing is told before
    told: bool = False  #: the staff know that it fails
    disabled: bool = False  #: until its configuration changes
    fingerprint: str = ""  #: of the settings that it stands so with
    detail: str = ""  #: of the last failure


SOUND = DestinationStanding()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a delivery, and of its destination."""

    state: DeliveryState
    due_at: datetime
    standing: DestinationStanding
    detail: str = ""
    code: str = ""
    too_old: datetime | None = None  #: what was first wanted by then is given up with it


def after_delivery(  # noqa: PLR0913 - a fact each
    result: SendResult,
    standing: DestinationStanding,
    *,
    attempts: int,
    since: datetime,
    now: datetime,
    schedule: RedeliverySchedule,
    jitter: float,
) -> Fate:
    """Tell what follows from a destination's answer to attempt number `attempts` (1 is the first).

    `since` is when the delivery was first wanted. Telling twice does no harm (receivers know a
    thing by its key), so what was perhaps told is told again.
    """
    if isinstance(result, Accepted):
        recovered = DestinationStanding(fingerprint=standing.fingerprint)
        return Fate(state=DeliveryState.DELIVERED, due_at=now, standing=recovered)
    failing = replace(
        standing,
        failures=standing.failures + 1,
        failing_since=standing.failing_since or now,
        detail=result.reason,
    )
    if isinstance(result, Rejected):
        if result.blame is Blame.GATEWAY:
            return _disabled(result, failing, now)
        # Whether the destination itself works is not known from that.
        failing = replace(failing, failures=standing.failures)
        fate = _aside(result, failing, now + schedule.wait(attempts, jitter))
    else:
        fate = _held(result, failing, now, schedule, jitter)
    if attempts >= schedule.attempts or now - since >= schedule.life:
        times = f"{attempts} {'attempt' if attempts == 1 else 'attempts'}"
        detail = f"given up after {times}: {fate.detail}"
        return replace(fate, state=DeliveryState.FAILED, detail=detail)
    return fate


def _disabled(result: Rejected, failing: DestinationStanding, now: datetime) -> Fate:
    return Fate(
        state=DeliveryState.WAITING,
        due_at=now,
        standing=replace(failing, disabled=True),
        detail=result.reason,
        code=result.code,
    )


def _aside(result: Rejected, failing: DestinationStanding, due_at: datetime) -> Fate:
    return Fate(
        state=DeliveryState.REFUSED,
        due_at=due_at,
        standing=failing,
        detail=result.reason,
        code=result.code,
    )


def _held(
    result: Deferred | Uncertain,
    failing: DestinationStanding,
    now: datetime,
    schedule: RedeliverySchedule,
    jitter: float,
) -> Fate:
    """Let a destination wait, and with it all that is for it."""
    wait, code = schedule.wait(failing.failures, jitter), ""
    if isinstance(result, Deferred):
        code = result.code
        if result.retry_after is not None:
            wait = max(wait, min(result.retry_after, schedule.longest_retry_after))
    dead = failing.failing_since is not None and now - failing.failing_since >= schedule.life
    return Fate(
        state=DeliveryState.WAITING,
        due_at=now,  # as soon as the destination is back
        standing=replace(failing, until=now + wait),
        detail=result.reason,
        code=code,
        too_old=now - schedule.life if dead else None,
    )


def as_configured(standing: DestinationStanding, fingerprint: str) -> DestinationStanding:
    """Give how a destination stands with settings of this fingerprint: others begin afresh.

    An empty fingerprint is never the same: such a destination is tried again at every start.
    """
    if fingerprint and standing.fingerprint == fingerprint:
        return standing
    return DestinationStanding(fingerprint=fingerprint)
