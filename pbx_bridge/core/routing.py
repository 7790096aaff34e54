"""Which gateway a message goes to: the first of its route that works and was not tried in vain.

A *circuit* stands for each gateway: after failures in a row, or a refusal for a reason of the
gateway's own (credentials, registration), it opens and nobody tries for a while; then one message
may try, alone, and what comes of that closes it or opens it for longer.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pbx_bridge.core.delivery import (
    Accepted,
    Blame,
    Deferred,
    Rejected,
    SendResult,
    State,
    Step,
    Uncertain,
)
from pbx_bridge.core.saying import say


class Circuit(StrEnum):
    CLOSED = "closed"  #: in use
    OPEN = "open"  #: not used until a time
    HALF_OPEN = "half_open"  #: one message tries, the others wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a gateway stands."""

    circuit: Circuit = Circuit.CLOSED
    failures: int = 0  #: in a row; once it is open, how often it opened in a row
    until: datetime | None = None  #: when the next may try, unless the circuit is closed
    reason: str = ""  #: of the last failure, in words


SOUND = Standing()


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitRules:
    """When circuits open, and for how long; each further failure doubles the time."""

    threshold: int = 5  #: failures in a row
    pause: timedelta = timedelta(seconds=30)
    longest_pause: timedelta = timedelta(minutes=10)
    #: After a refusal of the gateway's own: it needs a person, but perhaps is mended already.
    refused_pause: timedelta = timedelta(minutes=5)
    #: How long the one who tries has, before another may.
    trial: timedelta = timedelta(minutes=2)


class Tried(StrEnum):
    """What came of a gateway, for one message."""

    LATER = "later"  #: could not be reached: the others of the route come first now
    NEVER = "never"  #: refuses it for a reason of its own


@dataclass(frozen=True, slots=True)
class Use:
    """Send through this gateway now."""

    gateway: str


@dataclass(frozen=True, slots=True)
class Wait:
    """None may be used before `until`."""

    until: datetime
    why: str
    for_circuit: bool = False  #: it may end sooner, when that circuit closes


Choice = Use | Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """All that decides about the gateway for one message."""

    route: tuple[str, ...]  #: in the order in which to try them
    tried: Mapping[str, str]  #: gateway to `Tried`
    preferred: str  #: the one by which the recipient knows us; empty if none
    last_resort: str | None  #: used only when no other of the route can be
    expires_at: datetime


def choose(
    way: Way,
    standings: Mapping[str, Standing],
    free_at: Mapping[str, datetime],
    known: Collection[str],
    now: datetime,
) -> Choice:
    """Choose the gateway for a message.

    `free_at` tells when a gateway takes the next by its rate, `known` which are configured. With
    none of them configured the first is chosen, whose absence is then what fails the message.
    """
    usable = [g for g in way.route if g in known and way.tried.get(g) != Tried.NEVER]
    if not usable:
        return Use(way.route[0])
    fresh = [g for g in usable if g not in way.tried] or usable
    fresh.sort(key=lambda g: (g == way.last_resort, g != way.preferred))
    waits: list[Wait] = []
    for gateway in fresh:
        standing = standings.get(gateway, SOUND)
        if standing.until is not None and now < standing.until:
            why = say("{gateway} is not used now: {why}", gateway=gateway, why=standing.reason)
            waits.append(Wait(standing.until, why, for_circuit=True))
            continue
        free = free_at.get(gateway, now)
        if free > now:
            waits.append(Wait(free, say("{gateway} takes no more at a time", gateway=gateway)))
            if free < way.expires_at:
                break  # its turn comes in time; no reason to go to another
            continue
        return Use(gateway)
    return min(waits, key=lambda wait: wait.until)


def trying(standing: Standing, now: datetime, rules: CircuitRules) -> Standing:
    """Give how a gateway stands once a message was handed to it."""
    if standing.circuit is Circuit.CLOSED:
        return standing
    return replace(standing, circuit=Circuit.HALF_OPEN, until=now + rules.trial)


def after_result(
    standing: Standing, result: SendResult, now: datetime, rules: CircuitRules
) -> Standing:
    """Give how a gateway stands after its answer, or none."""
    match result:
        case Rejected(reason, _, Blame.GATEWAY):
            return _opened(standing, reason, now, rules, rules.refused_pause)
        case Accepted() | Rejected() | Deferred(busy=True):
            return SOUND
        case Deferred(reason) | Uncertain(reason):
            if standing.circuit is Circuit.CLOSED and standing.failures + 1 < rules.threshold:
                return Standing(failures=standing.failures + 1, reason=reason)
            return _opened(standing, reason, now, rules, rules.pause)


def _opened(
    standing: Standing, reason: str, now: datetime, rules: CircuitRules, pause: timedelta
) -> Standing:
    again = 0 if standing.circuit is Circuit.CLOSED else min(standing.failures, 16)
    wait = min(pause * 2**again, max(pause, rules.longest_pause))
    return Standing(circuit=Circuit.OPEN, failures=again + 1, until=now + wait, reason=reason)


def reroute(  # noqa: PLR0913 - what there is to know
    step: Step,
    result: SendResult,
    *,
    gateway: str,
    route: Collection[str],
    tried: Mapping[str, str],
    known: Collection[str],
    now: datetime,
) -> tuple[Step, dict[str, str]]:
    """Let another gateway of the route try what this one certainly did not send.

    Gives the step, and what is known of the gateways from now on. What was perhaps sent never goes
    to another gateway: that one cannot know.
    """
    tried = dict(tried)
    match result:
        case Rejected(blame=Blame.GATEWAY):
            tried[gateway] = Tried.NEVER
        case Deferred(busy=False):
            tried[gateway] = Tried.LATER
        case _:
            return step, tried
    others = [g for g in route if g in known and tried.get(g) != Tried.NEVER]
    if any(g not in tried for g in others):
        return Step(State.QUEUED, now, step.detail, step.code), tried
    # All were tried: from the beginning, those that could not be reached.
    never = {g: how for g, how in tried.items() if how == Tried.NEVER}
    if others and step.state is State.FAILED and isinstance(result, Rejected):
        return Step(State.QUEUED, now, step.detail, step.code), never
    return step, never
