"""The ladder: those on call are phoned one after the other until one of them takes it.

Pure: what was done so far and the time go in, what to do next comes out. Nobody is rung while
somebody is being rung; after it was taken nobody is. Who has quiet hours is passed over. A call of
which nothing was heard any more, as when service or PBX was restarted, counts as not taken when its
time is over: the PBX itself ends it by then.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class LadderState(StrEnum):
    RUNNING = "running"
    TAKEN = "taken"  #: somebody pressed 1
    NOBODY = "nobody"  #: nobody did, in all rounds
    STOPPED = "stopped"  #: it was not needed any more: taken otherwise, or the caller was spoken to


class LegOutcome(StrEnum):
    """What became of one call to one person."""

    TOOK = "took"  #: pressed 1
    PASSED = "passed"  #: pressed 2: the next one, please
    NO_KEY = "no_key"  #: answered and pressed nothing, as voicemail does
    NO_ANSWER = "no_answer"
    REFUSED = "refused"  #: busy, refused or not reachable: an originating PBX does not say which
    LOST = "lost"  #: nothing more was heard of it: a restart of the service or the PBX
    NOT_PLACED = "not_placed"  #: the PBX could not be told to ring; the same person is next


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody on call. `there` tells when not to be rung."""

    name: str
    phone: str = field(repr=False)  #: as it would be dialled from a desk phone
    there: Callable[[datetime], bool] = lambda _at: True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Whom to ring, in this order, for how long, how often."""

    people: Sequence[Person]
    rounds: int = 3
    ring: timedelta = timedelta(seconds=25)  #: for somebody to answer
    listen: timedelta = timedelta(seconds=60)  #: and then to press a key
    pause: timedelta = timedelta(minutes=2)  #: between rounds
    retry: timedelta = timedelta(seconds=15)  #: until a PBX that could not be told is tried again
    give_up: timedelta = timedelta(hours=1)  #: whatever happens, nobody is rung later than this
    grace: timedelta = timedelta(seconds=10)  #: for the news of the end of a call to come

    def over_at(self, leg: "Leg") -> datetime:
        """Give when a call is surely over of which nothing was heard."""
        if leg.answered_at is not None:
            return leg.answered_at + self.listen + self.grace
        return leg.placed_at + self.ring + self.grace


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One call to one person. `round` and `place` count from 0."""

    round: int
    place: int
    placed_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: LegOutcome | None = None  #: None: under way


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """What was done so far."""

    opened_at: datetime
    state: LadderState = LadderState.RUNNING
    legs: tuple[Leg, ...] = ()  #: in the order in which they were placed


@dataclass(frozen=True, slots=True)
class Ring:
    """Ring this person now."""

    round: int
    place: int
    person: Person


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until then, unless something is heard. `ringing`: a call is under way."""

    until: datetime
    ringing: bool = False


@dataclass(frozen=True, slots=True)
class CallOver:
    """Take the call that is under way for over: `outcome`."""

    outcome: LegOutcome


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nobody took it. `why` is for people."""

    why: str


@dataclass(frozen=True, slots=True)
class Done:
    """There is nothing to do any more."""


Step = Ring | Wait | CallOver | GiveUp | Done


def next_step(  # noqa: PLR0911 - one a line
    ladder: Ladder, pattern: Pattern, now: datetime
) -> Step:
    """Tell what to do next."""
    if ladder.state is not LadderState.RUNNING:
        return Done()
    last = ladder.legs[-1] if ladder.legs else None
    if last is not None and last.outcome is None:
        return _under_way(last, pattern, now)
    if now >= ladder.opened_at + pattern.give_up:
        return GiveUp("its time was over")
    if last is not None and last.outcome is LegOutcome.NOT_PLACED:
        ended = last.ended_at or last.placed_at
        if now < ended + pattern.retry:
            return Wait(ended + pattern.retry)
        return _ring(ladder, pattern, now, last.round, last.place)
    if last is None:
        return _ring(ladder, pattern, now, 0, 0)
    return _ring(ladder, pattern, now, last.round, last.place + 1)


def _under_way(leg: Leg, pattern: Pattern, now: datetime) -> Step:
    over = pattern.over_at(leg)
    # A clock that was set back by much would have us wait for hours.
    if now < over and now >= leg.placed_at - pattern.listen:
        return Wait(over, ringing=True)
    return CallOver(LegOutcome.LOST if leg.answered_at is None else LegOutcome.NO_KEY)


def _ring(ladder: Ladder, pattern: Pattern, now: datetime, round_: int, place: int) -> Step:
    """Ring the first from here on who may be rung."""
    found = _from(pattern, now, round_, place)
    if found is None:
        rung = any(leg.outcome is not LegOutcome.NOT_PLACED for leg in ladder.legs)
        return GiveUp("nobody took it" if rung else "nobody is on call at this hour")
    if found.round > round_ and ladder.legs:
        last = ladder.legs[-1]
        begins = (last.ended_at or last.placed_at) + pattern.pause
        if now < begins:
            return Wait(begins)
    return found


def _from(pattern: Pattern, now: datetime, round_: int, place: int) -> Ring | None:
    while round_ < pattern.rounds:
        for index in range(place, len(pattern.people)):
            person = pattern.people[index]
            if person.there(now):
                return Ring(round_, index, person)
        round_, place = round_ + 1, 0
    return None


#: OriginateResponse's Reason of a phone that rang until the time was over. Whatever else happens,
#: Asterisk 16 and 22 say 0.
_RANG = "3"


def not_answered(reason: str) -> LegOutcome:
    """Understand why a call was not answered, by the PBX's number for it."""
    return LegOutcome.NO_ANSWER if reason == _RANG else LegOutcome.REFUSED
