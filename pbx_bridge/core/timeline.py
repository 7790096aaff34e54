"""A call drawn on a time axis: what its steps mean as lanes, bars and marks, and where they go.

Nothing here draws. Places are units of the picture's own measure, from its upper left corner.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from math import ceil, floor

from pbx_bridge.core.call import Step, StepKind

#: The picture: the names of the lanes at the left, then the axis.
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 760, 132, 24, 30, 26
LANE, BAR = 34, 20
#: What happens in an instant is drawn so wide that one can see and point at it.
NARROWEST = 4.0
#: More phones than this are counted, not drawn; all are in the table.
MOST_LANES = 10
#: A call longer than this has its quiet stretches cut short, each to `CUT_TO`.
UNCUT = timedelta(minutes=3)
CUT_TO = timedelta(minutes=1)
#: Labels of the axis need so much room.
TICK_ROOM = 56.0
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


class Phase(StrEnum):
    """What lasts for a while."""

    RING = "ring"
    TALK = "talk"
    HOLD = "hold"
    QUEUE = "queue"
    MENU = "menu"  #: something answered that is no person: a menu, an announcement, the dialplan
    VOICEMAIL = "voicemail"
    PARKED = "parked"
    APPLICATION = "application"
    UNSEEN = "unseen"  #: the feed was down


@dataclass(frozen=True, slots=True)
class Span:
    """Something that lasts. `who` is with whom or where; `outcome` how ringing ended."""

    phase: Phase
    begins: datetime
    ends: datetime
    who: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """What happened to one party; the caller's has no name."""

    who: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """A call as lanes; `marks` are the steps that happen in an instant, all at the caller's."""

    begins: datetime
    ends: datetime
    lanes: tuple[Lane, ...]
    marks: tuple[Step, ...]
    more: int  #: phones that are not among the lanes


_MARKS = frozenset(
    {
        StepKind.ARRIVED,
        StepKind.MESSAGE_LEFT,
        StepKind.TRANSFERRED,
        StepKind.PICKED_UP,
        StepKind.FORWARDED,
        StepKind.HANGUP_REQUESTED,
        StepKind.ENDED,
    }
)
#: What ends when something else begins with the caller.
_EXCLUSIVE = (Phase.MENU, Phase.PARKED, Phase.APPLICATION)


def story(steps: Sequence[Step], begins: datetime, ends: datetime) -> Story:
    """Tell what the steps of a call mean; what is open at the end lasts until then."""
    telling = _Telling(begins, max([ends, begins, *(step.at for step in steps)]))
    for step in sorted(steps, key=lambda step: step.at):  # stable: as told within an instant
        telling.take(step)
    return telling.story(tuple(step for step in steps if step.kind in _MARKS))


@dataclass(slots=True)
class _Telling:
    begins: datetime
    ends: datetime
    caller: list[Span] = field(default_factory=list)
    phones: dict[str, list[Span]] = field(default_factory=dict)
    open_: dict[Phase, Span] = field(default_factory=dict)  # of the caller
    ringing: dict[str, list[datetime]] = field(default_factory=dict)

    def take(self, step: Step) -> None:  # noqa: C901, PLR0912 - one branch a kind
        at, who = step.at, step.who
        match step.kind:
            case StepKind.STATUS if step.detail == "up":
                if not self.open_.keys() - {Phase.UNSEEN}:
                    self._open(Phase.MENU, at)
            case StepKind.RINGING:
                self.ringing.setdefault(who, []).append(at)
                self.phones.setdefault(who, [])
            case StepKind.RING_ENDED | StepKind.FORWARDED:
                self._rang(who, at, step.detail)
            case StepKind.CONNECTED:
                self._close(at, *(phase for phase in Phase if phase is not Phase.UNSEEN))
                self._rang(who, at, "ANSWER")
                self._open(Phase.TALK, at, who)
            case StepKind.HELD:
                self._open(Phase.HOLD, at, who)
            case StepKind.RESUMED:
                self._close(at, Phase.HOLD)
            case StepKind.DISCONNECTED:
                self._close(at, Phase.TALK, Phase.HOLD)
            case StepKind.QUEUE_JOINED:
                self._close(at, *_EXCLUSIVE)
                self._open(Phase.QUEUE, at, who)
            case StepKind.QUEUE_LEFT:
                self._close(at, Phase.QUEUE)
            case StepKind.VOICEMAIL:
                self._close(at, *_EXCLUSIVE)
                self._open(Phase.VOICEMAIL, at, who)
            case StepKind.PARKED:
                self._close(at, Phase.MENU, Phase.TALK, Phase.HOLD)
                self._open(Phase.PARKED, at, who)
            case StepKind.APPLICATION:
                self._close(at, Phase.MENU)
                self._open(Phase.APPLICATION, at, who)
            case StepKind.FEED_LOST:
                self._open(Phase.UNSEEN, at)
            case StepKind.FEED_RESTORED:
                self._close(at, Phase.UNSEEN)
            case StepKind.HANGUP_REQUESTED:
                self._close(at, Phase.MENU, Phase.QUEUE, Phase.HOLD, Phase.TALK, Phase.PARKED)
            case _:
                pass

    def story(self, marks: tuple[Step, ...]) -> Story:
        self._close(self.ends, *Phase)
        for who in self.ringing:
            while self.ringing[who]:
                self._rang(who, self.ends, "")
        phones = [Lane(who, tuple(spans)) for who, spans in self.phones.items()]
        shown = phones[:MOST_LANES]
        # What began later is drawn over what it interrupts: hold over talk.
        caller = sorted(self.caller, key=lambda span: span.begins)
        lanes = (Lane("", tuple(caller)), *shown)
        return Story(self.begins, self.ends, lanes, marks, len(phones) - len(shown))

    def _open(self, phase: Phase, at: datetime, who: str = "") -> None:
        self._close(at, phase)
        self.open_[phase] = Span(phase, at, at, who)

    def _close(self, at: datetime, *phases: Phase) -> None:
        for phase in phases:
            begun = self.open_.pop(phase, None)
            if begun is None or (phase is Phase.MENU and begun.begins == at):
                continue  # the channel comes Up a moment before a person is connected
            span = Span(phase, begun.begins, at, begun.who)
            self.caller.append(span)
            if phase is Phase.TALK and begun.who:
                self.phones.setdefault(begun.who, []).append(span)

    def _rang(self, who: str, at: datetime, outcome: str) -> None:
        begun = self.ringing.get(who)
        if begun:
            self.phones[who].append(Span(Phase.RING, begun.pop(0), at, who, outcome))


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    span: Span


@dataclass(frozen=True, slots=True)
class Row:
    """A lane's place: `y` is its middle."""

    y: float
    who: str


@dataclass(frozen=True, slots=True)
class Pin:
    x: float
    y: float
    step: Step


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    after: timedelta  #: since the call began


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the axis leaves out a quiet stretch."""

    x: float
    length: timedelta  #: of the stretch


@dataclass(frozen=True, slots=True)
class Drawing:
    """Where everything goes."""

    width: int
    height: int
    left: int
    right: int  #: where the axis ends
    rows: tuple[Row, ...]
    bars: tuple[Bar, ...]
    pins: tuple[Pin, ...]
    ticks: tuple[Tick, ...]
    cuts: tuple[Cut, ...]


def drawing(told: Story) -> Drawing:
    """Give every part of a story its place."""
    axis = Axis(told)
    rows = tuple(Row(TOP + LANE * n + LANE / 2, lane.who) for n, lane in enumerate(told.lanes))
    bars = [
        Bar(x := axis.x(span.begins), row.y - BAR / 2, max(NARROWEST, axis.x(span.ends) - x), span)
        for row, lane in zip(rows, told.lanes, strict=True)
        for span in lane.spans
    ]
    return Drawing(
        width=WIDTH,
        height=TOP + LANE * len(rows) + BOTTOM,
        left=LEFT,
        right=WIDTH - RIGHT,
        rows=rows,
        bars=tuple(bars),
        pins=tuple(Pin(axis.x(step.at), rows[0].y, step) for step in told.marks),
        ticks=axis.ticks(),
        cuts=axis.cuts,
    )


class Axis:
    """Instants to places. Where nothing happens for long in a long call, time is cut short."""

    def __init__(self, told: Story) -> None:
        self._begins = told.begins
        at = {told.begins, told.ends, *(step.at for step in told.marks)}
        at |= {t for lane in told.lanes for span in lane.spans for t in (span.begins, span.ends)}
        self._at = sorted(t for t in at if told.begins <= t <= told.ends)
        cutting = told.ends - told.begins > UNCUT
        lengths = [later - t for t, later in pairwise(self._at)]
        shown = [min(one, CUT_TO) if cutting else one for one in lengths]
        whole = sum(shown, timedelta()) or timedelta(seconds=1)
        self._scale = (WIDTH - LEFT - RIGHT) / whole.total_seconds()  # for a second
        self._x = [float(LEFT)]
        for one in shown:
            self._x.append(self._x[-1] + one.total_seconds() * self._scale)
        self._is_cut = [one != real for one, real in zip(shown, lengths, strict=True)]
        self.cuts = tuple(
            Cut((self._x[n] + self._x[n + 1]) / 2, lengths[n])
            for n, is_cut in enumerate(self._is_cut)
            if is_cut
        )

    def x(self, at: datetime) -> float:
        """Give the place of an instant; one outside of the call is put at its nearer end."""
        n = max(0, bisect_right(self._at, at) - 1)
        if n + 1 >= len(self._at):
            return round(self._x[-1], 1)
        part = max(timedelta(), at - self._at[n]) / (self._at[n + 1] - self._at[n])
        return round(self._x[n] + part * (self._x[n + 1] - self._x[n]), 1)

    def ticks(self) -> tuple[Tick, ...]:
        """Give round times since the beginning, as close as their labels allow."""
        step = next((s for s in _TICKS_S if s * self._scale >= TICK_ROOM), _TICKS_S[-1])
        kept: list[Tick] = []
        for after in self._round_times(step):
            tick = Tick(self.x(self._begins + after), after)
            if not kept or tick.x - kept[-1].x >= TICK_ROOM:
                kept.append(tick)
        end = Tick(round(self._x[-1], 1), self._at[-1] - self._begins)
        if end.x - kept[-1].x >= TICK_ROOM:
            kept.append(end)
        return tuple(kept)

    def _round_times(self, step: int) -> Iterator[timedelta]:
        """Give the multiples of so many seconds that lie where time is not cut short."""
        yield timedelta()
        for (begins, ends), is_cut in zip(pairwise(self._at), self._is_cut, strict=True):
            if not is_cut:
                first = ceil((begins - self._begins).total_seconds() / step)
                last = floor((ends - self._begins).total_seconds() / step)
                yield from (timedelta(seconds=n * step) for n in range(first, last + 1))
