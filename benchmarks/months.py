"""Months of calls made of real ones: what a PBX writes down of them, and what is true of them.

Each call is one that Asterisk 22 recorded (tests/recordings/records), at another time, from another
number, to another line, with identities of its own. So the records are as real as the calls were,
there are as many as one likes, and the truth is counted here, by nobody's rules but those below.
"""

import csv
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

RECORDS = Path(__file__).parent.parent / "tests" / "recordings" / "records"
LINES = ("+16465550101", "+16465550102", "+16465550103")
ZONE = ZoneInfo("America/New_York")

#: Callers of the recorded calls, and what became of them; without those who met people that were
#: there long before, and whom the records of one call do not have.
SHAPES = {
    "+12125551067": "rang_no_answer",
    "+12125551068": "rang_cancelled",
    "+12125551071": "busy",
    "+12125551073": "unavailable",
    "+12125551078": "voicemail_hangup",
    "+12125551055": "queue_abandoned",
    "+12125551024": "announcement_only",
    "+12125551017": "ivr_abandoned",
    "+12125551069": "answered",
    "+12125551052": "answered",
    "+12125551081": "answered",
}
MISSED = [caller for caller, reason in SHAPES.items() if reason != "answered"]
ANSWERED = [caller for caller, reason in SHAPES.items() if reason == "answered"]
#: What CDR makes of some of them: less, but never an answer of a missed call.
BY_CDR = {
    "rang_cancelled": "rang_no_answer",
    "queue_abandoned": "queue_unserved",
    "ivr_abandoned": "announcement_only",
}
_OUTBOUND = "2125550702"
_STAMP = re.compile(r"\b(1795\d{6})\.(\d+)\b")
_SERIAL = re.compile(r"-([0-9a-f]{8})\b(?!-)")
_BRIDGE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-([0-9a-f]{12})")


@dataclass(frozen=True)
class Shape:
    """What was written down of one recorded call."""

    number: str
    began: float
    cel: tuple[tuple[str, ...], ...]
    cdr: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class MadeCall:
    """What is true of a call."""

    number: str
    line: str
    began: datetime
    ended: datetime
    reason: str  #: `answered`, or how it was missed
    outbound: bool = False

    @property
    def missed(self) -> bool:
        return not self.outbound and self.reason != "answered"


@dataclass
class Month:
    """What a PBX wrote down of a time, and what is true of it."""

    calls: list[MadeCall] = field(default_factory=list)
    cel: list[tuple[float, str]] = field(default_factory=list)
    cdr: list[tuple[str, str]] = field(default_factory=list)
    serial: int = 0

    def add(self, shape: Shape, at: datetime, number: str, line: str, reason: str) -> MadeCall:
        """Let a call like a recorded one begin then."""
        self.serial += 1
        shift = round(at.timestamp()) - int(shape.began)
        change = _Change(self.serial, shift, shape, number, line)
        last = 0.0
        for row in shape.cel:
            stamp = float(row[1]) + shift
            last = max(last, stamp)
            cells = (row[0], f"{stamp:.6f}", *map(change.text, row[2:]))
            self.cel.append((stamp, _csv(cells)))
        for row in shape.cdr:
            cells = (*map(change.text, row[:9]), *map(change.time, row[9:12]), *row[12:16])
            self.cdr.append((cells[11], _csv((*cells, *map(change.text, row[16:20]), row[20]))))
        call = MadeCall(
            number=number,
            line=line,
            began=datetime.fromtimestamp(shape.began + shift, UTC),
            ended=datetime.fromtimestamp(last, UTC),
            reason=reason,
            outbound=shape.number == _OUTBOUND,
        )
        self.calls.append(call)
        return call

    def cel_cells(self) -> list[list[str]]:
        """Give the channel events in order, cell by cell."""
        return _cells(self.cel)

    def cdr_cells(self) -> list[list[str]]:
        """Give the details in order, cell by cell."""
        return _cells(self.cdr)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write the channel events and the details; give both files."""
        cel, cdr = folder / "cel" / "Master.csv", folder / "cdr" / "Master.csv"
        for path, rows in ((cel, self.cel), (cdr, self.cdr)):
            path.parent.mkdir(exist_ok=True)
            # Rows of one call keep their order: sorting is stable.
            rows.sort(key=lambda row: row[0])
            path.write_text("".join(row for _, row in rows))
        return cel, cdr


class _Change:
    """How the cells of a recorded call become those of another."""

    def __init__(self, serial: int, shift: int, shape: Shape, number: str, line: str) -> None:
        self._serial, self._shift = serial, shift
        self._old, self._new = shape.number.removeprefix("+"), number.removeprefix("+")
        if shape.number == _OUTBOUND:  # dialled within the country, and once with its code
            self._new = self._new.removeprefix("1")
        self._line = line

    def text(self, cell: str) -> str:
        cell = cell.replace(self._old, self._new)
        cell = re.sub(r"\+1646555\d{4}", self._line, cell)
        cell = _STAMP.sub(self._stamp, cell)
        cell = _BRIDGE.sub(lambda found: found[0][:-12] + f"{self._serial:012x}", cell)
        return _SERIAL.sub(lambda found: f"-{self._serial:06x}{found[1][-2:]}", cell)

    def time(self, cell: str) -> str:
        if not cell:
            return ""
        local = datetime.fromisoformat(cell).replace(tzinfo=UTC) + timedelta(seconds=self._shift)
        return f"{local:%Y-%m-%d %H:%M:%S}"

    def _stamp(self, found: re.Match[str]) -> str:
        return f"{int(found[1]) + self._shift}.{self._serial * 1000 + int(found[2])}"


@cache
def shapes() -> dict[str, Shape]:
    """Read the recorded calls, by who called; the one from the office by what was dialled."""
    cel, cdr = (_read(RECORDS / f"22-{kind}.csv") for kind in ("cel", "cdr"))
    found: dict[str, Shape] = {}
    for number in (*SHAPES, _OUTBOUND):
        linkedid = next(
            row[15]
            for row in cel
            if number in (row[3], row[7]) and row[0] == "CHAN_START" and row[14] == row[15]
        )
        events = tuple(row for row in cel if row[15] == linkedid)
        details = tuple(row for row in cdr if row[19] == linkedid)
        found[number] = Shape(number, float(events[0][1]), events, details)
    return found


def busy_month(  # noqa: PLR0913 - what makes a month
    calls: int,
    *,
    seed: int,
    first: datetime,
    days: int = 28,
    missed_share: float = 0.3,
    called_back_share: float = 0.4,
) -> Month:
    """Make a month: callers who come again, missed at all hours, some called back."""
    chance = random.Random(seed)  # noqa: S311 - made-up calls
    month, known = Month(), shapes()
    people = [f"+1212{2000000 + 7919 * n % 7000000:07d}" for n in range(max(3, calls * 2 // 3))]
    hours = [h for h in range(24) for _ in range(8 if 9 <= h < 17 else 2 if 7 <= h < 21 else 1)]
    for _ in range(calls):
        day = first.astimezone(ZONE) + timedelta(days=chance.randrange(days))
        at = day.replace(
            hour=chance.choice(hours), minute=chance.randrange(60), second=chance.randrange(60)
        )
        is_missed = chance.random() < missed_share
        shape = chance.choice(MISSED if is_missed else ANSWERED)
        number, line = chance.choice(people), chance.choice(LINES)
        call = month.add(known[shape], at, number, line, SHAPES[shape])
        if is_missed and chance.random() < called_back_share:
            back = call.ended + timedelta(minutes=chance.randrange(2, 3 * 24 * 60))
            month.add(known[_OUTBOUND], back, number, line, "answered")
    return month


@dataclass(frozen=True)
class Truth:
    """What the makers of a month know of it, counted without any of the code under test."""

    inbound: int
    missed: int
    by_reason: Counter[str]
    by_line_hour: Counter[tuple[str, int]]
    by_weekday_hour: Counter[tuple[int, int]]
    callers: int
    texted: int
    spoken_before: int
    not_called_back: int
    judged: int


def truth(calls: Sequence[MadeCall], *, cooldown: timedelta, delay: timedelta) -> Truth:
    """Count what is true, for rules with a cool-down, a delay and no other limits."""
    in_order = sorted(calls, key=lambda call: call.ended)
    missed = [call for call in calls if call.missed]
    last_text: dict[tuple[str, str], datetime] = {}
    texted = spoken = 0
    for call in in_order:
        if not call.missed:
            continue
        before = last_text.get((call.number, call.line))
        if before is not None and call.ended - before < cooldown:
            continue
        if any(_talks(other, call, call.ended + delay) for other in calls):
            spoken += 1
            continue
        texted += 1
        last_text[call.number, call.line] = call.ended
    known_until = max(call.ended for call in calls)
    firsts: dict[str, MadeCall] = {}
    for call in sorted(missed, key=lambda call: call.began):
        firsts.setdefault(call.number, call)
    judged = [call for call in firsts.values() if _deadline(call) <= known_until]
    return Truth(
        inbound=sum(not call.outbound for call in calls),
        missed=len(missed),
        by_reason=Counter(call.reason for call in missed),
        by_line_hour=Counter((call.line, call.began.astimezone(ZONE).hour) for call in missed),
        by_weekday_hour=Counter(
            (local.weekday(), local.hour)
            for local in (call.began.astimezone(ZONE) for call in missed)
        ),
        callers=len(firsts),
        texted=texted,
        spoken_before=spoken,
        judged=len(judged),
        not_called_back=sum(
            not any(
                back.outbound and back.number == call.number
                and call.ended <= back.began <= _deadline(call)
                for back in calls
            )
            for call in judged
        ),
    )  # fmt: skip


def _talks(other: MadeCall, call: MadeCall, until: datetime) -> bool:
    return (
        other.number == call.number
        and other.reason == "answered"
        and call.ended < other.began < until
    )


def _deadline(call: MadeCall) -> datetime:
    day = call.ended.astimezone(ZONE) + timedelta(days=1)
    while day.weekday() in {5, 6}:
        day += timedelta(days=1)
    return day


def _read(path: Path) -> list[tuple[str, ...]]:
    with path.open(newline="") as file:
        return [tuple(row) for row in csv.reader(file)]


def _csv(cells: Sequence[str]) -> str:
    return ",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in cells) + "\n"


def _cells(rows: Iterable[tuple[object, str]]) -> list[list[str]]:
    return list(csv.reader(row for _, row in rows))
