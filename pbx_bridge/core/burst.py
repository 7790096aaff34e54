"""The burst breaker: stops texts when something is not as it usually is, and feels its way back.

It trips on more texts than usual, on too many strangers, on texts that do not arrive and on
carriers that call us spam. What follows is the same as with a fuse: first nothing for a while, then
one text a minute to see, and after three good ones all as before.

A burst or a crowd of strangers holds back strangers only: who has had to do with the office is
texted meanwhile, under all the other limits. When carriers refuse, nobody is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pbx_bridge.core.saying import say

#: In so long a time texts are counted.
WINDOW = timedelta(minutes=10)
#: What is usual is known from so long before.
MEMORY = timedelta(weeks=4)
#: Good texts that end it.
PROBES = 3
LONGEST = timedelta(hours=4)
#: Texts that do not arrive count for so long, refusals for an hour.
FATES_FOR = timedelta(hours=24)
REFUSALS_FOR = timedelta(hours=1)
#: How carriers say that they take us for spam or fraud: filtered, fraud-blocked, account limit,
#: not registered (Twilio); spam for now, spam for good (Telnyx).
SPAM_CODES = frozenset({"30007", "30450", "30454", "30034", "40002", "40003"})
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Circuit(StrEnum):
    CLOSED = "closed"  #: all is well
    OPEN = "open"
    HALF_OPEN = "half_open"  #: one text a minute, to see


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstRules:
    """An office's settings: beyond which it trips."""

    floor: int  #: so many texts in ten minutes are never a burst
    factor: float  #: nor so many times what is usual
    strangers_floor: int  #: so many in ten minutes are never a crowd of strangers
    strangers_percent: int
    undelivered_of: int  #: of the last so many texts that ended
    undelivered_percent: int
    refusals: int  #: carriers' refusals in an hour
    open_for: timedelta  #: the first time; doubled each time that a trial fails


@dataclass(frozen=True, slots=True)
class Held:
    """Texts that were wanted in one minute, and held back."""

    minute: int  #: since 1970
    texts: int
    strangers: int  #: of these


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """How it stands."""

    circuit: Circuit = Circuit.CLOSED
    since: datetime = _EVER
    until: datetime | None = None  #: while open: when to try
    open_for: timedelta = timedelta(0)  #: how long this time
    why: str = ""  #: it tripped
    everybody: bool = False  #: it holds back those too who are no strangers
    held: tuple[Held, ...] = ()  #: in the window
    usual: float = 0.0  #: texts in ten minutes
    usual_at: datetime = _EVER  #: when that was counted

    def held_in_window(self, now: datetime) -> tuple[int, int]:
        """Count the texts held back lately, and those to strangers among them."""
        first = _minute(now - WINDOW)
        lately = [held for held in self.held if held.minute > first]
        return sum(h.texts for h in lately), sum(h.strangers for h in lately)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen lately. What cannot matter, as the breaker stands, may be left out."""

    stranger: bool = False  #: the text that is wanted now would go to one
    texts: int = 0  #: queued in the window
    strangers: int = 0  #: of these
    minute: int = 0  #: queued in the last minute
    ended: int = 0  #: of the last `undelivered_of`, since it was closed
    undelivered: int = 0  #: of these
    refusals: int = 0  #: in the last hour, since it was closed
    good_probes: int = 0  #: since it is half open
    bad_probes: int = 0


def judge(
    breaker: Breaker, seen: Evidence, rules: BurstRules, now: datetime
) -> tuple[Breaker, str]:
    """Tell how the breaker stands when a text is wanted, and why that is held back (or "")."""
    breaker = _stands(breaker, seen, rules, now)
    if not (seen.stranger or breaker.everybody):
        return breaker, ""
    match breaker.circuit:
        case Circuit.OPEN:
            return breaker, say(
                "held back until {until:%H:%M} UTC: {why}", until=breaker.until, why=breaker.why
            )
        case Circuit.HALF_OPEN if seen.minute:
            return breaker, say("one text a minute is tried: {why}", why=breaker.why)
        case _:
            return breaker, ""


def hold(breaker: Breaker, now: datetime, *, stranger: bool) -> Breaker:
    """Write down that a text was wanted and held back, by this or by another limit."""
    minute = _minute(now)
    last = next((held for held in breaker.held if held.minute == minute), Held(minute, 0, 0))
    kept = (h for h in breaker.held if _minute(now - WINDOW) < h.minute and h.minute != minute)
    return replace(
        breaker, held=(*kept, Held(minute, last.texts + 1, last.strangers + int(stranger)))
    )


def usual(times: Sequence[datetime]) -> float:
    """Give how many texts there are in ten minutes, on average, where there are any."""
    slots = Counter(int(at.timestamp() // WINDOW.total_seconds()) for at in times)
    return len(times) / len(slots) if slots else 0.0


def _stands(breaker: Breaker, seen: Evidence, rules: BurstRules, now: datetime) -> Breaker:
    match breaker.circuit:
        case Circuit.CLOSED:
            if why := _refused(seen, rules):
                return _opened(breaker, rules.open_for, now, why, everybody=True)
            if why := _pace(breaker, seen, rules, now):
                return _opened(breaker, rules.open_for, now, why, everybody=False)
        case Circuit.OPEN if breaker.until is None or now >= breaker.until:
            return replace(breaker, circuit=Circuit.HALF_OPEN, since=now, until=None)
        case Circuit.HALF_OPEN if seen.bad_probes:
            longer = min(breaker.open_for * 2, LONGEST)
            why = say("the texts sent to try did not arrive")
            return _opened(breaker, longer, now, why, everybody=True)
        case Circuit.HALF_OPEN if seen.good_probes >= PROBES:
            if not _pace(breaker, seen, rules, now):
                return replace(breaker, circuit=Circuit.CLOSED, since=now, why="", everybody=False)
        case _:
            pass
    return breaker


def _opened(
    breaker: Breaker,
    how_long: timedelta,
    now: datetime,
    why: str,
    *,
    everybody: bool,
) -> Breaker:
    return replace(
        breaker,
        circuit=Circuit.OPEN,
        since=now,
        until=now + how_long,
        open_for=how_long,
        why=why,
        everybody=everybody,
    )


def _pace(breaker: Breaker, seen: Evidence, rules: BurstRules, now: datetime) -> str:
    """Say what is wrong with how many texts are wanted, with the one that is wanted now."""
    held, held_strangers = breaker.held_in_window(now)
    wanted = seen.texts + held + 1
    strangers = seen.strangers + held_strangers + int(seen.stranger)
    most = max(rules.floor, rules.factor * breaker.usual)
    if wanted > most:
        return say("{n} texts wanted within ten minutes, more than {most:.0f}", n=wanted, most=most)
    if wanted > rules.strangers_floor and strangers * 100 > wanted * rules.strangers_percent:
        return say(
            "{strangers} of {n} texts wanted within ten minutes are to strangers",
            strangers=strangers,
            n=wanted,
        )
    return ""


def _refused(seen: Evidence, rules: BurstRules) -> str:
    """Say what is wrong with what became of the texts."""
    if seen.refusals >= rules.refusals:
        return say("carriers refused {n} texts within an hour as spam or fraud", n=seen.refusals)
    bad, ended = seen.undelivered * 100, seen.ended
    if ended >= rules.undelivered_of and bad > ended * rules.undelivered_percent:
        return say(
            "{undelivered} of the last {n} texts did not arrive",
            undelivered=seen.undelivered,
            n=ended,
        )
    return ""


def _minute(at: datetime) -> int:
    return int(at.timestamp() // 60)
