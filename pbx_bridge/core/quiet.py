"""When a text may arrive: the hours in which people are not to be woken, by their own clock.

A number tells at best a few zones in which its owner may be. A text may go when it is a good time
in all of them. Zones come in as objects: which rules of summer time they follow is theirs to know.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from pbx_bridge.core.clocks import DAY, clock_set, offset

EVERY_DAY = frozenset(range(7))
#: So far ahead is looked for a good time: a week, for whom only one day will do, and its edges.
HORIZON = 9


@dataclass(frozen=True, slots=True)
class Window:
    """When texts may go: from `opens` until just before `closes`, over midnight if that is earlier.

    The same time twice is the whole day. A day of the week is the day that the clock shows.
    """

    opens: time
    closes: time
    days: frozenset[int] = EVERY_DAY  #: Monday is 0

    def holds(self, local: datetime) -> bool:
        """Tell whether it is open when the clock on the wall shows this."""
        if local.weekday() not in self.days:
            return False
        now = local.time()
        if self.opens < self.closes:
            return self.opens <= now < self.closes
        return now >= self.opens or now < self.closes


@dataclass(frozen=True, slots=True)
class QuietHours:
    """An office's setting."""

    window: Window  #: when texts may go
    #: Who called so lately is awake, and may be answered at any hour; None: nobody is.
    immediate_within: timedelta | None


def allowed(at: datetime, zones: Sequence[tzinfo], window: Window) -> bool:
    """Tell whether the window is open in all these zones; where nobody knows any, it is not."""
    return bool(zones) and all(window.holds(at.astimezone(zone)) for zone in zones)


def next_allowed(at: datetime, zones: Sequence[tzinfo], window: Window) -> datetime | None:
    """Give the first instant from `at` on at which it is allowed.

    None if there is none within a week: without zones, or if they never agree.
    """
    if allowed(at, zones, window):
        return at
    for moment in sorted({m for zone in zones for m in _changes(at, zone, window) if m > at}):
        if allowed(moment, zones, window):
            return moment
    return None


def _changes(at: datetime, zone: tzinfo, window: Window) -> Iterator[datetime]:
    """Give the instants at which a window may open: its hour, a new day, a clock that is set."""
    today = at.astimezone(zone).date()
    for days in range(HORIZON):
        for shown in (window.opens, time()):
            there = datetime.combine(today + days * DAY, shown, zone)
            for fold in (0, 1):  # in autumn a clock shows an hour twice
                yield there.replace(fold=fold).astimezone(UTC)
    for days in range(HORIZON):
        day = at.astimezone(UTC) + days * DAY
        if offset(day, zone) != offset(day + DAY, zone):
            yield clock_set(day, day + DAY, zone)
