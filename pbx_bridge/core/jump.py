"""What follows when the clock of the machine is set: told by a second clock that nobody sets.

In the service time goes on evenly, as the wall clock had it, until all that waits is moved with it.
So whatever was to be done in ten minutes is done in ten minutes, whatever the clock shows then; and
what was to be done at eight o'clock is done when the clock shows eight.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

#: Less is no jump: a clock that is kept right moves by so much, and no text waits long for it.
LEAST = timedelta(seconds=5)
#: What happened earlier stays as it was written down: nothing that waits hangs on it.
LATELY = timedelta(days=2)

_MINUTE = timedelta(minutes=1)

T = TypeVar("T")


class EvenTime:
    """Time that goes on evenly; `wall` and `elapsed` are readings of the two clocks.

    `elapsed` is since the machine was started, the time in which it slept counted.
    """

    def __init__(self, wall: datetime, elapsed: timedelta) -> None:
        self.origin = wall - elapsed  #: what the wall clock would have shown at the start

    def at(self, elapsed: timedelta) -> datetime:
        """Give the time."""
        return self.origin + elapsed

    def jump(self, wall: datetime, elapsed: timedelta) -> timedelta:
        """Tell by how much the wall clock was set, forward is more than nothing; 0 if it was not.

        What is too little to count is followed at once.
        """
        by = wall - self.at(elapsed)
        if abs(by) >= LEAST:
            return by
        self.origin += by
        return timedelta()

    def follow(self, by: timedelta) -> None:
        """Go by the wall clock as it was set."""
        self.origin += by


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """The clock was set: `at` is what it showed just before, `by` how far it was set forward.

    `since` is from when on, by the clock as it was, that was the clock that times were written by;
    None if nobody knows of any other.
    """

    at: datetime
    by: timedelta
    since: datetime | None = None

    @property
    def horizon(self) -> datetime:
        """What is earlier stays as it is."""
        return self.at - LATELY

    def concerns(self, times: list[datetime]) -> bool:
        """Tell whether a row with these times was written by the clock that was set."""
        if self.since is None:
            return True
        return max((at for at in times if at <= self.at), default=self.at) >= self.since

    def moved(self, at: datetime) -> datetime:
        """Give a time of such a row as the clock that was set has it.

        What is to be done at a full minute was arranged for what the clock shows then.
        """
        if at < self.horizon or (at > self.at and not at.timestamp() % _MINUTE.total_seconds()):
            return at
        return at + self.by

    def of_record(self, at: datetime, now: datetime) -> timedelta:
        """Tell by how much to move the time of a record, perhaps from before the clock was set.

        Set forward, it is if the clock had not shown that time yet; set back, if that is still to
        come.
        """
        before = at <= self.at and (self.by > timedelta() or at > now)
        return self.by if before else timedelta()


def moved(record: T, by: timedelta) -> T:
    """Give a dataclass with all its times moved."""
    values: dict[str, Any] = {
        one.name: value + by
        for one in fields(record)  # type: ignore[arg-type]  # whatever the dataclass
        if one.init and isinstance(value := getattr(record, one.name), datetime)
    }
    return replace(record, **values) if values else record  # type: ignore[type-var]
