"""The calls of some weeks: recorded ones, at plausible times, from people who come again."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pbx_bridge.demo.people import SALES, SERVICE, Person
from pbx_bridge.demo.retelling import Teller

DAYS = 28
#: By the hour of a working day: few early, most before noon and after lunch.
_BY_HOUR = {7: 1, 8: 3, 9: 7, 10: 9, 11: 8, 12: 5, 13: 6, 14: 8, 15: 7, 16: 6, 17: 4, 18: 2, 20: 1}
_WEEKDAY, _SATURDAY, _SUNDAY = 16, 6, 2
#: How often, and by how much longer than recorded, where a talk lasts two seconds: least and most.
_IN_HOURS: dict[str, tuple[float, float, float]] = {
    "answered": (9, 30, 240),
    "ring_group_answered": (7, 20, 90),
    "voicemail_operator": (1, 6, 30),
    "no_answer": (5, 4, 10),
    "caller_gives_up": (3, 4, 14),
    "queue_abandoned": (3, 12, 70),
    "busy": (2, 10, 30),
    "called_back": (2, 10, 40),
    "voicemail_message": (2, 2, 5),
    "press_1_refused": (1, 1.5, 3),
    "lost_in_transfer": (1, 6, 20),
    "withheld": (1, 4, 9),
}
_CLOSED: dict[str, tuple[float, float, float]] = {
    "closed": (6, 1.5, 2.5),
    "voicemail_message": (3, 2, 6),
    "voicemail_hangup": (2, 2, 4),
}
#: Whoever was not reached tries again, and then somebody is there, as often as this.
_TRIES_AGAIN = 0.3
#: Of today's callers more still wait.
_LATELY = timedelta(hours=20)
_ANSWERED = ("answered", "ring_group_answered", "voicemail_operator", "called_back")
#: The first of them are known; this share of the calls is theirs.
_REGULARS, _BY_REGULARS = 30, 0.35
_OPENS, _CLOSES, _SATURDAY_CLOSES = 8, 17, 12


@dataclass(frozen=True, slots=True)
class Planned:
    """A call to be: which recording, when, by whom, and how slowly it is told."""

    at: datetime
    tale: str
    by: Person
    teller: Teller
    pace: float

    @property
    def answered(self) -> bool:
        return self.tale in _ANSWERED


def plan(
    until: datetime,
    zone: ZoneInfo,
    everybody: tuple[Person, ...],
    chance: random.Random,
    *,
    days: int = DAYS,
) -> list[Planned]:
    """Plan the calls of the days before `until`, in the order in which they begin."""
    planned: list[Planned] = []
    serial = 0
    for at in _times(until, zone, chance, days):
        kinds = _IN_HOURS if _is_open(at) else _CLOSED
        planned.append(_call(at, kinds, serial := serial + 1, everybody, chance))
        call = planned[-1]
        again = at + timedelta(minutes=chance.randint(15, 150))
        waits = call.answered or again > until - _LATELY
        if not waits and chance.random() < _TRIES_AGAIN:
            pace = chance.uniform(30, 200)
            serial += 1
            teller = Teller(
                number=call.by.number, name=call.by.name, line=call.teller.line, serial=serial
            )
            planned.append(Planned(again, "answered", call.by, teller, pace))
    return sorted(planned, key=lambda call: call.at)


def _call(
    at: datetime,
    kinds: dict[str, tuple[float, float, float]],
    serial: int,
    everybody: tuple[Person, ...],
    chance: random.Random,
) -> Planned:
    (tale,) = chance.choices(list(kinds), [weight for weight, _, _ in kinds.values()])
    _, least, most = kinds[tale]
    # Some call often, most once or twice.
    by = chance.choice(everybody[:_REGULARS] if chance.random() < _BY_REGULARS else everybody)
    line = SALES if chance.random() < 0.4 else SERVICE  # noqa: PLR2004 - a share
    number = "" if tale == "withheld" else by.number
    teller = Teller(number=number, name=by.name, line=line, serial=serial)
    return Planned(at, tale, by, teller, chance.uniform(least, most))


def _times(until: datetime, zone: ZoneInfo, chance: random.Random, days: int) -> Iterator[datetime]:
    midnight = until.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for back in range(days, -1, -1):
        day = midnight - timedelta(days=back)
        usual = (_SUNDAY, _SATURDAY, _WEEKDAY)[(day.weekday() < 6) + (day.weekday() < 5)]  # noqa: PLR2004 - Saturday and Friday
        for _ in range(max(1, round(chance.gauss(usual, usual / 5)))):
            (hour,) = chance.choices(list(_BY_HOUR), list(_BY_HOUR.values()))
            seconds = chance.randrange(3600)
            at = day.replace(hour=hour) + timedelta(seconds=seconds)
            if at < until - timedelta(minutes=20):
                yield at


def _is_open(at: datetime) -> bool:
    closes = {5: _SATURDAY_CLOSES, 6: 0}.get(at.weekday(), _CLOSES)
    return _OPENS <= at.hour < closes
