"""A time of calls looked back on: who was missed, when, and what was or would have been done.

Figures only, counted from judged calls; nothing is extrapolated and no money is invented: what a
lost customer is worth nobody here knows.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from pbx_bridge.core.afterwards import Acquaintances, Afterwards, Dialled
from pbx_bridge.core.call import Disposition, Reason
from pbx_bridge.core.outcomes import TEXTED

HOURS, WEEKDAYS = 24, 7
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NO_LINE = "no line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """An inbound call, what was decided about it, and the texts that came of it."""

    began: datetime
    ended: datetime
    caller: str  #: E.164; empty without a number
    line: str
    queue: str  #: that the caller waited in last; empty if in none
    disposition: Disposition
    reason: Reason
    answered_at: datetime | None
    outcome: str  #: `TEXTED`, or the name of what objected
    texts: int = 0
    segments: int = 0
    cost_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """One missed call, for a list. Its cost is 0 where nobody told a price."""

    at: datetime
    line: str
    caller: str
    known: bool
    reason: Reason
    outcome: str
    texts: int
    segments: int
    cost_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of a time; calls that began in it."""

    since: datetime
    until: datetime
    zone: tzinfo
    inbound: int = 0
    answered: int = 0
    missed: int = 0
    unknown: int = 0  #: nobody can tell how they ended
    by_line_hour: Mapping[str, Sequence[int]]  #: missed calls, 24 numbers; the most missed first
    by_weekday_hour: Sequence[Sequence[int]]  #: missed calls, Monday first
    by_reason: Mapping[Reason, tuple[int, int]]  #: missed, and of these texted
    callers: int = 0  #: different numbers among the missed
    from_known: int = 0  #: missed calls of callers who had spoken to the office before
    from_new: int = 0
    without_number: int = 0
    outcomes: Mapping[str, int]  #: of the missed calls, the most frequent first
    texts: int = 0
    segments: int = 0
    cost_micros: int = 0
    afterwards: Afterwards
    calls: Sequence[Missed] = ()

    @property
    def texted(self) -> int:
        """Count the missed calls whose callers were texted, or would have been."""
        return self.outcomes.get(TEXTED, 0)


def review(  # noqa: PLR0913 - what there is to look at
    calls: Iterable[Looked],
    dialled: Iterable[Dialled] | None,
    *,
    since: datetime,
    until: datetime,
    known_until: datetime,
    zone: tzinfo,
    country: str,
) -> Figures:
    """Count; `calls` are in the order in which they began, also some from before `since`.

    `dialled` is None where the records do not tell of calls from the office; `known_until` is when
    the records end.
    """
    tally = _Tally(since, until, min(until, known_until), zone, country, dialled)
    for call in calls:
        tally.take(call)
    return tally.figures()


class _Tally:
    """The counts so far."""

    def __init__(  # noqa: PLR0913, PLR0917 - as `review`
        self,
        since: datetime,
        until: datetime,
        known_until: datetime,
        zone: tzinfo,
        country: str,
        dialled: Iterable[Dialled] | None,
    ) -> None:
        self._since, self._until, self._known_until = since, until, known_until
        self._zone = zone
        self._acquaintances = Acquaintances(dialled, country)
        self._dispositions: Counter[Disposition] = Counter()
        self._lines: dict[str, list[int]] = {}
        self._weekdays = [[0] * HOURS for _ in range(WEEKDAYS)]
        self._reasons: dict[Reason, tuple[int, int]] = {}
        self._missed: list[Missed] = []

    def take(self, call: Looked) -> None:
        if self._since <= call.began < self._until:
            self._dispositions[call.disposition] += 1
            if call.disposition is Disposition.MISSED:
                self._take_missed(call)
        if call.answered_at is not None and call.caller:
            self._acquaintances.answered(call.caller, call.answered_at)

    def _take_missed(self, call: Looked) -> None:
        local = call.began.astimezone(self._zone)
        line = call.line or (f"queue {call.queue}" if call.queue else NO_LINE)
        self._lines.setdefault(line, [0] * HOURS)[local.hour] += 1
        self._weekdays[local.weekday()][local.hour] += 1
        missed, texted = self._reasons.get(call.reason, (0, 0))
        self._reasons[call.reason] = (missed + 1, texted + (call.outcome == TEXTED))
        if call.caller:
            self._acquaintances.was_missed(call.caller, call.began, call.ended)
        self._missed.append(
            Missed(
                at=call.began,
                line=line,
                caller=call.caller,
                known=bool(call.caller) and self._acquaintances.known(call.caller, call.began),
                reason=call.reason,
                outcome=call.outcome,
                texts=call.texts,
                segments=call.segments,
                cost_micros=call.cost_micros,
            )
        )

    def figures(self) -> Figures:
        missed = self._missed
        outcomes = Counter(one.outcome for one in missed)
        return Figures(
            since=self._since,
            until=self._until,
            zone=self._zone,
            inbound=self._dispositions.total(),
            answered=self._dispositions[Disposition.ANSWERED],
            missed=len(missed),
            unknown=self._dispositions[Disposition.UNOBSERVED],
            by_line_hour=dict(
                sorted(self._lines.items(), key=lambda item: (-sum(item[1]), item[0]))
            ),
            by_weekday_hour=self._weekdays,
            by_reason=dict(sorted(self._reasons.items(), key=lambda item: (-item[1][0], item[0]))),
            callers=self._acquaintances.missed,
            from_known=sum(one.known for one in missed),
            from_new=sum(bool(one.caller) and not one.known for one in missed),
            without_number=sum(not one.caller for one in missed),
            outcomes=dict(sorted(outcomes.items(), key=lambda item: (-item[1], item[0]))),
            texts=sum(one.texts for one in missed),
            segments=sum(one.segments for one in missed),
            cost_micros=sum(one.cost_micros for one in missed),
            afterwards=self._acquaintances.afterwards(self._known_until, self._zone),
            calls=missed,
        )
