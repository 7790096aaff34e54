"""Whether the service is alive: from small facts that its loops leave behind, a verdict.

Two questions with two answers. Would a restart help? Then the watchdog must not be told that all is
well. Does the service do its work? That is what `pbx-bridge health` tells. A PBX or gateway that is
down answers both with "it is alive": it waits, as it should. A full disk is no reason to restart,
but the service does not do its work.

All instants are seconds of one monotonic clock: clocks that are set change nothing.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from pbx_bridge.core.saying import say

#: A loop that wakes so late answers nobody in time. A machine that is busy makes it two or three.
LOOP_MAY_LAG = timedelta(seconds=10)
#: A transaction takes milliseconds, on a poor disk a second. Nothing that ends takes so long.
DATABASE_MAY_TAKE = timedelta(seconds=60)
#: A backup may hold the file for a moment.
LOCK_IS_NORMAL = timedelta(seconds=60)
#: So much later than it said itself a loop may come back: the machine may be busy.
LOOP_MAY_BE_LATE = timedelta(seconds=60)
#: A request to a gateway is broken off after 10 s; one that is still there then is stuck.
REQUEST_MAY_TAKE = timedelta(seconds=90)
#: What is due is claimed within a minute even if nobody wakes the sender.
DUE_MAY_WAIT = timedelta(seconds=150)


class Phase(StrEnum):
    """Where in its life the service is."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class State(StrEnum):
    """How one thing stands, from well to worst."""

    OK = "ok"
    WAITS = "waits"  #: for the world outside; it goes on by itself
    WRONG = "wrong"  #: the service cannot do its work; somebody has to act, a restart is no use
    HUNG = "hung"  #: a restart is what helps


class Pulse:
    """By when a loop will be heard of again, by its own word.

    `clock` gives monotonic seconds. While it waits for the database it promises nothing: the writer
    is judged by itself.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.due = math.inf

    def back_in(self, time: timedelta) -> None:
        """Promise to be back by then."""
        self.due = self._clock() + max(0.0, time.total_seconds())

    def waits(self) -> None:
        """Promise nothing: what it waits for is judged by itself."""
        self.due = math.inf


@dataclass(frozen=True, slots=True)
class WriterFacts:
    """How the thread that writes the database stands."""

    busy_since: float | None = None  #: that it has ended nothing, though it has something to do
    locked_since: float | None = None  #: that another program holds the file
    refused: str = ""  #: why the last transaction that wanted to write could not


@dataclass(frozen=True, slots=True)
class PbxFacts:
    """How the watch of one PBX stands."""

    name: str
    problem: str  #: why it is not connected; empty while it is
    due: float = math.inf  #: see `Pulse`
    connects: int = 0  #: how often it was connected to, and seen whole
    events: int = 0  #: that it told


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxFacts:
    """How the messages on their way out stand."""

    due: float = math.inf  #: of the sender, see `Pulse`
    sending: int = 0  #: requests in hand
    oldest_request: float | None = None  #: when it was begun
    claimed_at: float = -math.inf  #: when the sender last took a message
    waiting: int = 0
    due_since: float | None = None  #: when the oldest of those that are due became so


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the verdict depends on."""

    phase: Phase
    mode: str = ""  #: for people: whether anything is sent
    lag: float = 0.0  #: of the event loop, in seconds
    writer: WriterFacts = WriterFacts()
    reading_since: float | None = None  #: that the database was asked something, still unanswered
    pbxs: Sequence[PbxFacts] = ()
    outbox: OutboxFacts = OutboxFacts()
    unjudged: int = 0  #: events of PBXs that wait
    ended: Sequence[str] = ()  #: tasks that should run, and do not any more


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the verdict."""

    what: str
    state: State
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from the facts."""

    findings: tuple[Finding, ...] = field(default=())

    @property
    def alive(self) -> bool:
        """Whether a restart would be of no use: the watchdog may be told that all is well."""
        return all(finding.state is not State.HUNG for finding in self.findings)

    @property
    def works(self) -> bool:
        """Whether the service does its work, or waits as it should."""
        return all(finding.state in (State.OK, State.WAITS) for finding in self.findings)

    def summary(self) -> str:
        """Give one line for people: what is not well first."""
        order = sorted(self.findings, key=lambda one: list(State).index(one.state), reverse=True)
        return "; ".join(f"{one.what}: {one.text}" for one in order)


def judge(facts: Facts, now: float) -> Verdict:
    """Judge the facts as of `now`."""
    findings = [_service(facts), _loop(facts)]
    if facts.phase is Phase.RUNNING:  # before and after that nobody promises anything
        findings.append(_database(facts, now))
        findings += [_pbx(pbx, now) for pbx in facts.pbxs]
        findings += [_inbox(facts), _outbox(facts, now), *_ended(facts.ended)]
    return Verdict(tuple(findings))


def _service(facts: Facts) -> Finding:
    if facts.phase is Phase.RUNNING:
        return Finding("service", State.OK, facts.mode)
    starting = facts.phase is Phase.STARTING
    return Finding("service", State.WRONG, say("starting") if starting else say("stopping"))


def _loop(facts: Facts) -> Finding:
    text = say("late by {lag:.1f} s", lag=facts.lag) if facts.lag >= 1 else say("answers at once")
    late = facts.lag > LOOP_MAY_LAG.total_seconds()
    return Finding("loop", State.HUNG if late else State.OK, text)


def _database(facts: Facts, now: float) -> Finding:
    what, writer, limit = "database", facts.writer, DATABASE_MAY_TAKE.total_seconds()
    if writer.locked_since is not None:
        since = now - writer.locked_since
        text = say(
            "locked by another program for {since:.0f} s: end that (a shell, a backup)", since=since
        )
        normal = since <= LOCK_IS_NORMAL.total_seconds()
        return Finding(what, State.WAITS if normal else State.WRONG, text)
    if writer.busy_since is not None and now - writer.busy_since > limit:
        since = now - writer.busy_since
        return Finding(
            what, State.HUNG, say("a transaction does not end, for {since:.0f} s", since=since)
        )
    if facts.reading_since is not None and now - facts.reading_since > limit:
        since = now - facts.reading_since
        return Finding(
            what, State.HUNG, say("a question is not answered, for {since:.0f} s", since=since)
        )
    if writer.refused:
        return Finding(what, State.WRONG, writer.refused)
    return Finding(what, State.OK, say("writes"))


def _pbx(pbx: PbxFacts, now: float) -> Finding:
    what = f"pbx {pbx.name}"
    if late := _late(pbx.due, now):
        return Finding(
            what,
            State.HUNG,
            say("its watch has not been heard of, late by {late:.0f} s", late=late),
        )
    if pbx.problem:
        return Finding(what, State.WAITS, say("reconnecting: {problem}", problem=pbx.problem))
    return Finding(what, State.OK, say("connected"))


def _inbox(facts: Facts) -> Finding:
    text = (
        say("{unjudged} events wait to be judged", unjudged=facts.unjudged)
        if facts.unjudged
        else say("all events judged")
    )
    return Finding("calls", State.OK, text)


def _outbox(facts: Facts, now: float) -> Finding:
    outbox = facts.outbox
    return next(
        (Finding("outbox", State.HUNG, text) for text in _outbox_hangs(facts, now)),
        Finding(
            "outbox",
            State.OK,
            say(
                "{waiting} wait, {sending} are being sent",
                waiting=outbox.waiting,
                sending=outbox.sending,
            ),
        ),
    )


def _outbox_hangs(facts: Facts, now: float) -> Iterator[str]:
    outbox, writer = facts.outbox, facts.writer
    if late := _late(outbox.due, now):
        yield say("the sender has not been heard of, late by {late:.0f} s", late=late)
    if (oldest := outbox.oldest_request) is not None:
        since = now - oldest
        if since > REQUEST_MAY_TAKE.total_seconds():
            yield say("a request to a gateway does not end, for {since:.0f} s", since=since)
    # Behind a database that is locked or full nothing can move; that is told by itself.
    if outbox.due_since is not None and writer.locked_since is None and not writer.refused:
        since = now - max(outbox.due_since, outbox.claimed_at)
        if since > DUE_MAY_WAIT.total_seconds():
            yield say(
                "{waiting} wait, and none that is due was taken for {since:.0f} s",
                waiting=outbox.waiting,
                since=since,
            )


def _ended(names: Sequence[str]) -> Iterator[Finding]:
    for name in names:
        yield Finding(f"task {name}", State.HUNG, say("has ended, and should not"))


def _late(due: float, now: float) -> float:
    """Give by how many seconds a loop is later than may be, counted from its promise; else 0."""
    late = now - due
    return late if late > LOOP_MAY_BE_LATE.total_seconds() else 0.0
