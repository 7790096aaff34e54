"""What may become of a message, and what follows from a gateway's answer.

The law is `TRANSITIONS`: every other change of state is a bug. `UNCERTAIN` is a state, not an
error: a request that broke after it may have left, or a message found in `SENDING` at start, was
perhaps delivered. It is never sent again unless the gateway can be asked, or is idempotent.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class State(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"  #: claimed; committed before the first byte goes out
    ACCEPTED = "accepted"  #: the gateway took it
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"  #: the gateway refused it for good, or the attempts are used up
    UNCERTAIN = "uncertain"  #: perhaps sent; to be settled by asking, else left so
    CANCELLED = "cancelled"  #: no longer wanted before it went out
    EXPIRED = "expired"  #: too late to be of use
    SHADOW = "shadow"  #: would have been sent; the service is in shadow mode


TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.SENDING, State.CANCELLED, State.EXPIRED, State.SHADOW}),
    State.SENDING: frozenset({State.QUEUED, State.ACCEPTED, State.FAILED, State.UNCERTAIN}),
    State.UNCERTAIN: frozenset(
        {
            State.ACCEPTED,
            State.QUEUED,
            State.FAILED,
            State.EXPIRED,
            State.CANCELLED,
            State.DELIVERED,
            State.UNDELIVERED,
        }
    ),
    State.ACCEPTED: frozenset({State.DELIVERED, State.UNDELIVERED}),
    State.DELIVERED: frozenset(),
    State.UNDELIVERED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
    State.EXPIRED: frozenset(),
    State.SHADOW: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The gateway took the message; `gateway_ref` is its id for it (may be empty)."""

    gateway_ref: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused for good: sending the same again would be refused again."""

    reason: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Deferred:
    """Certainly not sent, may be tried again (no connection, too many requests)."""

    reason: str
    retry_after: timedelta | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Perhaps sent: the connection broke, timed out or answered nonsense after the request left."""

    reason: str


SendResult = Accepted | Rejected | Deferred | Uncertain


@dataclass(frozen=True, slots=True)
class Found:
    """Asked afterwards, the gateway knows the message."""

    gateway_ref: str


@dataclass(frozen=True, slots=True)
class Absent:
    """Asked afterwards, the gateway does not know the message (yet)."""


LookupResult = Found | Absent | Deferred
"""`Deferred`: the gateway could not be asked now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A text on its way. `key` is ours and never changes: an idempotency key for the gateway."""

    message_id: int
    key: str
    to: str  #: E.164
    body: str = field(repr=False)
    gateway: str
    created_at: datetime
    due_at: datetime
    expires_at: datetime
    attempts: int
    state: State


class ImpossibleTransition(Exception):  # noqa: N818 - names the fact, as `StopIteration` does
    """A message was about to change its state against `TRANSITIONS`: a bug in this program."""

    def __init__(self, old: State, new: State) -> None:
        super().__init__(f"a message cannot go from {old} to {new}")


def moved(old: State, new: State) -> State:
    """Give `new` if a message in `old` may go there.

    Raises:
        ImpossibleTransition: it may not; staying where one is, is no transition either.

    """
    if new not in TRANSITIONS[old]:
        raise ImpossibleTransition(old, new)
    return new


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySchedule:
    """When to try again what certainly did not go out, and when to give up."""

    base: timedelta = timedelta(seconds=4)  #: upper bound of the first wait
    factor: float = 2.0  #: by which that bound grows with every attempt
    cap: timedelta = timedelta(minutes=2)  #: beyond which it does not grow
    max_attempts: int = 30  #: mostly the end of the message's life comes first
    longest_retry_after: timedelta = timedelta(hours=1)  #: a gateway may not ask for more

    def wait(self, attempts: int, jitter: float) -> timedelta:
        """Give the wait after attempt number `attempts` (1 is the first).

        `jitter` in [0, 1) spreads it evenly between nothing and the bound ("full jitter"), so that
        messages which failed together do not come back together.
        """
        bound = self.base
        for _ in range(attempts - 1):  # not a power: that overflows for a large count
            if bound >= self.cap:
                break
            bound *= self.factor
        return min(bound, self.cap) * jitter


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSchedule:
    """When to ask a gateway about a message of unknown fate.

    `settle` must be longer than the time-out of a send, the gateway's slowest acceptance and the
    lag of its list together: asked too early it does not know a message that it will still send.
    """

    settle: timedelta = timedelta(seconds=60)
    again: tuple[timedelta, ...] = (timedelta(seconds=30), timedelta(seconds=120))
    unreachable: timedelta = timedelta(seconds=60)  #: until the next try if it could not be asked
    give_up: timedelta = timedelta(hours=24)  #: after the message expired, nobody asks any more

    @property
    def answers_needed(self) -> int:
        """How many times "I do not know it" must be heard to be believed."""
        return 1 + len(self.again)


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a gateway can do about a message of unknown fate (see `ports.Gateway`)."""

    idempotent: bool
    can_lookup: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of a message now. `next_at` is when to send or ask again; None is never."""

    state: State
    next_at: datetime | None
    detail: str
    code: str = ""


def after_attempt(  # noqa: PLR0911, PLR0913 - an answer each; a fact each
    result: SendResult,
    *,
    attempts: int,
    now: datetime,
    expires_at: datetime,
    schedule: RetrySchedule,
    asking: AskSchedule,
    jitter: float,
    abilities: Abilities,
) -> Step:
    """Tell what follows from the gateway's answer to attempt number `attempts`."""
    match result:
        case Accepted():
            return Step(State.ACCEPTED, None, "")
        case Rejected(reason, code):
            return Step(State.FAILED, None, reason, code)
        case Deferred(reason, retry_after, code):
            if attempts >= schedule.max_attempts:
                return Step(
                    State.FAILED, None, f"given up after {attempts} attempts: {reason}", code
                )
            wait = schedule.wait(attempts, jitter)
            if retry_after is not None:
                wait = max(wait, min(retry_after, schedule.longest_retry_after))
            # Not beyond its end: then it is due once more, only to be found expired.
            return Step(State.QUEUED, min(now + wait, expires_at), reason, code)
        case Uncertain(reason):
            if abilities.can_lookup:
                return Step(State.UNCERTAIN, now + asking.settle, reason)
            again = now + schedule.wait(attempts, jitter)
            if abilities.idempotent and attempts < schedule.max_attempts and again < expires_at:
                return Step(State.QUEUED, again, f"perhaps sent, safe to repeat: {reason}")
            return Step(State.UNCERTAIN, None, reason)


def after_lookup(  # noqa: PLR0911, PLR0913 - an answer each; a fact each
    result: LookupResult,
    *,
    lookups_done: int,
    attempts: int,
    now: datetime,
    expires_at: datetime,
    schedule: RetrySchedule,
    asking: AskSchedule,
) -> Step:
    """Tell what follows from the gateway's answer about a message of unknown fate.

    `lookups_done` counts the earlier answers "I do not know it" since the last attempt.
    """
    match result:
        case Found():
            return Step(State.ACCEPTED, None, "the gateway has it")
        case Deferred(reason, retry_after, code):
            if now >= expires_at + asking.give_up:
                return Step(
                    State.UNCERTAIN, None, f"the gateway could never be asked: {reason}", code
                )
            wait = asking.unreachable
            if retry_after is not None:
                wait = max(wait, min(retry_after, schedule.longest_retry_after))
            return Step(
                State.UNCERTAIN, now + wait, f"the gateway could not be asked: {reason}", code
            )
        case Absent():
            if lookups_done + 1 < asking.answers_needed:
                again = now + asking.again[lookups_done]
                return Step(State.UNCERTAIN, again, "the gateway does not know it yet")
            if now >= expires_at:
                return Step(
                    State.EXPIRED, None, "never reached the gateway, and now it is too late"
                )
            if attempts >= schedule.max_attempts:
                detail = f"given up after {attempts} attempts: never reached the gateway"
                return Step(State.FAILED, None, detail)
            return Step(State.QUEUED, now, "never reached the gateway")
