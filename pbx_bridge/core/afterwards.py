"""Who spoke to whom, and when: whether a missed caller was rung back, or got through in the end."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from statistics import median

from pbx_bridge.core.number import parse

_SATURDAY = 5
#: What was dialled is found by its last digits, then compared whole.
_LAST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Dialled:
    """A call from the office to an outside number, as dialled."""

    digits: str
    began: datetime
    answered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Afterwards:
    """What became of the callers who were missed and had a number.

    Of each caller counts the first missed call. A working day ends on the next day from Monday to
    Friday, at the same time of the day; nobody here knows the holidays. Whose working day is not
    over when the records end is not judged.
    """

    judged: int = 0
    got_through: int = 0  #: called again and was answered, within the working day
    called_back: int | None = 0  #: rung from here within it; None: the records do not tell
    reached: int | None = 0  #: of these, answered
    not_called_back: int | None = 0
    left_alone: int | None = 0  #: neither
    median_delay: timedelta | None = None  #: from the end of the missed call to the ring back
    gave_up: int = 0  #: tried several times in the whole time, and never got through


def next_working_day(at: datetime, zone: tzinfo) -> datetime:
    """Give the same time of day on the next day from Monday to Friday."""
    later = at.astimezone(zone) + timedelta(days=1)
    while later.weekday() >= _SATURDAY:
        later += timedelta(days=1)
    return later.astimezone(UTC)


@dataclass(slots=True)
class _Caller:
    """What is known of a number."""

    missed: int = 0  #: in the time
    first_began: datetime | None = None  #: the first missed call
    first_ended: datetime | None = None
    talks: list[datetime] = field(default_factory=list)  #: when they were answered here


class Acquaintances:
    """The callers of a time and before, by their numbers in E.164."""

    def __init__(self, dialled: Iterable[Dialled] | None, country: str) -> None:
        """Begin with the calls from the office; None: the records do not tell of those."""
        self._country = country
        self._tells_dialled = dialled is not None
        self._dialled: dict[str, list[Dialled]] = defaultdict(list)
        for one in dialled or ():
            self._dialled[one.digits[-_LAST_DIGITS:]].append(one)
        self._callers: dict[str, _Caller] = defaultdict(_Caller)

    @property
    def missed(self) -> int:
        """Count the numbers whose calls were missed."""
        return sum(1 for caller in self._callers.values() if caller.missed)

    def answered(self, number: str, at: datetime) -> None:
        """Take note that a call of theirs was answered."""
        self._callers[number].talks.append(at)

    def was_missed(self, number: str, began: datetime, ended: datetime) -> None:
        """Take note of a missed call; the first of a number comes first."""
        caller = self._callers[number]
        caller.missed += 1
        if caller.first_began is None:
            caller.first_began, caller.first_ended = began, ended

    def known(self, number: str, at: datetime) -> bool:
        """Tell whether somebody here had spoken to them before."""
        if any(talk < at for talk in self._callers[number].talks):
            return True
        return any(
            one.answered_at is not None and one.answered_at < at for one in self._rung(number)
        )

    def afterwards(self, until: datetime, zone: tzinfo) -> Afterwards:
        """Say what became of those who were missed; what came after `until` nobody knows."""
        judged = got_through = called_back = reached = not_called_back = left_alone = gave_up = 0
        delays: list[float] = []
        for number, caller in self._callers.items():
            began, ended = caller.first_began, caller.first_ended
            if began is None or ended is None:
                continue
            back = [one for one in self._rung(number) if one.began >= ended]
            talks = [at for at in caller.talks if at >= began]
            in_vain = not talks and all(one.answered_at is None for one in back)
            gave_up += caller.missed > 1 and in_vain
            deadline = next_working_day(ended, zone)
            if deadline > until:
                continue
            judged += 1
            in_time = [one for one in back if one.began <= deadline]
            through = any(at <= deadline for at in talks)
            got_through += through
            called_back += bool(in_time)
            not_called_back += not in_time
            left_alone += not in_time and not through
            reached += any(one.answered_at is not None for one in in_time)
            if in_time:
                first = min(one.began for one in in_time)
                delays.append((first - ended).total_seconds())
        told = self._tells_dialled
        return Afterwards(
            judged=judged,
            got_through=got_through,
            called_back=called_back if told else None,
            reached=reached if told else None,
            not_called_back=not_called_back if told else None,
            left_alone=left_alone if told else None,
            median_delay=timedelta(seconds=median(delays)) if delays else None,
            gave_up=gave_up,
        )

    def _rung(self, number: str) -> list[Dialled]:
        """Give the calls from here to a number: dialled by its end, whatever stood before."""
        read = parse(number, self._country)
        if read is None:
            return []
        found = self._dialled.get(read.national[-_LAST_DIGITS:], [])
        return [one for one in found if one.digits.endswith(read.national)]
