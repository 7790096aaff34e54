"""What may become of a message, and what follows from a gateway's answer.

The law is `TRANSITIONS`: every other change of state is a bug. `UNCERTAIN` is a state, not an
error: a request that broke after it may have left, or a message found in `SENDING` at start, was
perhaps delivered. It is never sent again unless the gateway can be asked, or is idempotent.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from pbx_bridge.core.attachment import Attachment
from pbx_bridge.core.saying import say


class Channel(StrEnum):
    SMS = "sms"
    EMAIL = "email"


class Purpose(StrEnum):
    """What a message is for, and so which rules hold for it."""

    FOLLOW_UP = "follow_up"  #: about a missed call: every rule holds
    CONFIRMATION = "confirmation"  #: answers STOP, START or HELP: once, and also to who opted out
    URGENT = "urgent"  #: tells who wrote URGENT, or called again, who will call
    WRITTEN = "written"  #: by somebody here, to one customer: a person decided that it goes
    ALERT = "alert"  #: to the office's own people
    TEST = "test"  #: asked for by the person at the keyboard


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


#: What a receipt can lead to, however late it comes; the later of these in order wins.
_BY_RECEIPT = (State.ACCEPTED, State.UNDELIVERED, State.DELIVERED)
_ANY_RECEIPT = frozenset(_BY_RECEIPT)

TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.SENDING, State.CANCELLED, State.EXPIRED, State.SHADOW})
    | _ANY_RECEIPT,
    State.SENDING: frozenset({State.QUEUED, State.FAILED, State.UNCERTAIN}) | _ANY_RECEIPT,
    State.UNCERTAIN: frozenset({State.QUEUED, State.FAILED, State.EXPIRED, State.CANCELLED})
    | _ANY_RECEIPT,
    State.ACCEPTED: frozenset({State.UNDELIVERED, State.DELIVERED}),
    State.UNDELIVERED: frozenset({State.DELIVERED}),
    State.DELIVERED: frozenset(),
    # A receipt for what was given up is the truth about it, and we were wrong.
    State.FAILED: _ANY_RECEIPT,
    State.CANCELLED: _ANY_RECEIPT,
    State.EXPIRED: _ANY_RECEIPT,
    State.SHADOW: frozenset(),
}


class Blame(StrEnum):
    """Whose fault a refusal is, and so what follows from it besides the message's end."""

    MESSAGE = "message"  #: this text alone; nothing else follows
    NUMBER = "number"  #: it can get no texts (a landline, unknown): remembered
    OPTED_OUT = "opted_out"  #: the recipient said STOP to the gateway: on our own list too
    FILTERED = "filtered"  #: a carrier took it for spam: staff look at the words
    LOOP = "loop"  #: two machines answer each other: the conversation is muted
    GATEWAY = "gateway"  #: account, registration or settings: its circuit opens, staff are told


@dataclass(frozen=True, slots=True)
class Price:
    """What a message cost, by the gateway's own word."""

    amount: Decimal  #: never negative
    currency: str  #: ISO 4217, such as `USD`


@dataclass(frozen=True, slots=True)
class Accepted:
    """The gateway took the message; `gateway_ref` is its id for it (may be empty)."""

    gateway_ref: str
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused for good: sending the same again through this gateway would be refused again."""

    reason: str
    code: str = ""
    blame: Blame = Blame.MESSAGE


@dataclass(frozen=True, slots=True)
class Deferred:
    """Certainly not sent, may be tried again.

    `busy`: the gateway works and wants less or later (429); otherwise it could not be reached,
    which counts against it.
    """

    reason: str
    retry_after: timedelta | None = None
    code: str = ""
    busy: bool = False


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
class Receipt:
    """What a gateway tells later about a message that it took: a delivery receipt (DLR).

    It names the message by the gateway's id, or by our own `key` where the gateway gives that back.
    Receipts come late, twice and in any order; `after_receipt` makes the same of them all the same.
    """

    state: State  #: ACCEPTED (on its way), UNDELIVERED or DELIVERED
    gateway_ref: str = ""
    key: str = ""
    code: str = ""  #: the gateway's own
    detail: str = ""  #: what that means, in plain words
    blame: Blame = Blame.MESSAGE  #: of an UNDELIVERED one
    price: Price | None = None

    def __post_init__(self) -> None:
        if self.state not in _ANY_RECEIPT or not (self.gateway_ref or self.key):
            raise ValueError("a receipt names a message and tells that it was accepted or ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A text on its way. `key` is ours and never changes: an idempotency key for the gateway."""

    message_id: int
    key: str
    to: str  #: E.164; by e-mail an address
    body: str = field(repr=False)
    gateway: str
    created_at: datetime
    due_at: datetime
    expires_at: datetime
    attempts: int
    state: State
    channel: Channel = Channel.SMS
    purpose: Purpose = Purpose.FOLLOW_UP
    subject: str = field(default="", repr=False)  #: of an e-mail
    attachments: tuple[Attachment, ...] = ()  #: of an e-mail to the office's own people


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
class Capabilities:
    """What a gateway declares that it can do; everything else is decided from that."""

    channel: Channel = Channel.SMS
    #: Sending the same `Message.key` twice delivers once: an uncertain message may be sent again.
    idempotent: bool = False
    #: `lookup` can tell whether a message of unknown fate was taken.
    can_lookup: bool = False
    #: Tells later what became of a message (`Receipt`).
    receipts: bool = False
    #: Brings replies.
    inbound: bool = False
    #: Answers STOP, START and HELP itself, so we must not.
    handles_optout: bool = False
    #: Characters it takes at most in one message.
    max_length: int = 1600
    #: Tells what each message cost.
    tells_price: bool = False


#: Of a gateway that is no longer configured: it can be asked nothing, and not be repeated.
NO_CAPABILITIES = Capabilities()


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
    capabilities: Capabilities,
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
                    State.FAILED,
                    None,
                    say("given up after {n} attempts: {why}", n=attempts, why=reason),
                    code,
                )
            wait = schedule.wait(attempts, jitter)
            if retry_after is not None:
                wait = max(wait, min(retry_after, schedule.longest_retry_after))
            # Not beyond its end: then it is due once more, only to be found expired.
            return Step(State.QUEUED, min(now + wait, expires_at), reason, code)
        case Uncertain(reason):
            if capabilities.can_lookup:
                return Step(State.UNCERTAIN, now + asking.settle, reason)
            again = now + schedule.wait(attempts, jitter)
            if capabilities.idempotent and attempts < schedule.max_attempts and again < expires_at:
                return Step(
                    State.QUEUED, again, say("perhaps sent, safe to repeat: {why}", why=reason)
                )
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
            return Step(State.ACCEPTED, None, say("the gateway has it"))
        case Deferred(reason, retry_after, code):
            if now >= expires_at + asking.give_up:
                return Step(
                    State.UNCERTAIN,
                    None,
                    say("the gateway could never be asked: {why}", why=reason),
                    code,
                )
            wait = asking.unreachable
            if retry_after is not None:
                wait = max(wait, min(retry_after, schedule.longest_retry_after))
            return Step(
                State.UNCERTAIN,
                now + wait,
                say("the gateway could not be asked: {why}", why=reason),
                code,
            )
        case Absent():
            if lookups_done + 1 < asking.answers_needed:
                again = now + asking.again[lookups_done]
                return Step(State.UNCERTAIN, again, say("the gateway does not know it yet"))
            if now >= expires_at:
                return Step(
                    State.EXPIRED, None, say("never reached the gateway, and now it is too late")
                )
            if attempts >= schedule.max_attempts:
                detail = say("given up after {n} attempts: never reached the gateway", n=attempts)
                return Step(State.FAILED, None, detail)
            return Step(State.QUEUED, now, say("never reached the gateway"))


def after_receipt(state: State, receipt: Receipt) -> State:
    """Tell in which state a message is after a receipt.

    DELIVERED beats UNDELIVERED beats ACCEPTED beats whatever we thought, so that any number of
    receipts in any order leads to the same end. A message in shadow mode never went out.
    """
    if state is State.SHADOW:
        return state
    rank = _BY_RECEIPT.index
    if state in _ANY_RECEIPT and rank(state) >= rank(receipt.state):
        return state
    return moved(state, receipt.state)
