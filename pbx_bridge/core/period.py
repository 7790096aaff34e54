"""Times of the calendar, and sets of times to ask whether an instant is in them."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo

from pbx_bridge.core.clocks import instant

Bounds = tuple[datetime, datetime]
"""From the first until just before the second."""


@dataclass(frozen=True, slots=True)
class Period:
    """A time for which an office is closed, or open, for once; `ends` is not in it.

    A day, or a time without a zone, is by the clock of the place that the period is for.
    """

    begins: date  #: or a datetime
    ends: date
    name: str = ""  #: why, in whoever's words wrote it

    def bounds(self, zone: tzinfo) -> Bounds:
        """Give the instants between which it is, in UTC."""
        return _instant(self.begins, zone), _instant(self.ends, zone)


def _instant(point: date, zone: tzinfo) -> datetime:
    if not isinstance(point, datetime):
        return instant(point, time(), zone)
    if point.tzinfo is None:
        return instant(point.date(), point.time(), zone)
    return point.astimezone(UTC)


class Times:
    """A set of instants: stretches of time that do not touch, in order."""

    __slots__ = ("_begins", "spans")

    def __init__(self, spans: Iterable[Bounds]) -> None:
        self.spans = _joined(spans)
        self._begins = [begins for begins, _ in self.spans]

    def __contains__(self, at: datetime) -> bool:
        index = bisect_right(self._begins, at) - 1
        return index >= 0 and at < self.spans[index][1]

    def first(self, at: datetime) -> datetime | None:
        """Give the first instant from `at` on that is in it."""
        index = bisect_right(self._begins, at) - 1
        if index >= 0 and at < self.spans[index][1]:
            return at
        return self._begins[index + 1] if index + 1 < len(self.spans) else None

    def without(self, others: "Times") -> "Times":
        """Give those that are not in the others."""
        rest: list[Bounds] = []
        taken = iter(others.spans)
        other = next(taken, None)
        for begins, ends in self.spans:
            at = begins
            while other is not None and other[0] < ends:
                if at < other[0]:
                    rest.append((at, other[0]))
                at = max(at, other[1])
                if other[1] > ends:  # it may reach into the next one too
                    break
                other = next(taken, None)
            if at < ends:
                rest.append((at, ends))
        return Times(rest)


def _joined(spans: Iterable[Bounds]) -> list[Bounds]:
    joined: list[Bounds] = []
    for begins, ends in sorted(spans):
        if begins >= ends:
            continue
        if joined and begins <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], ends))
        else:
            joined.append((begins, ends))
    return joined
