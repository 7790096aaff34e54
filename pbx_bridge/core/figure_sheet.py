"""All that the figures of a time say, counted once: for the page, its pictures and its files."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo

from pbx_bridge.core.recovery import Cohort, Figures, GroupedBy, Report, Slices, figures, report
from pbx_bridge.core.span import Span
from pbx_bridge.core.tally import DayTally, Hour, Peak, Week, by_day, by_hour_of_week, peak

#: What nobody was followed up on in has.
NO_FIGURES = figures(())


@dataclass(frozen=True, slots=True)
class StepRow:
    """A day, or a week by its Monday."""

    day: date
    calls: int
    missed: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A line, or a reason."""

    name: str
    missed: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class FigureSheet:
    calls: int
    missed: int
    told: Report  #: its groups are the days or weeks on which anybody was missed
    steps: tuple[StepRow, ...]  #: every day or week, the first first
    week: Week
    peak: Peak | None
    lines: tuple[GroupRow, ...]  #: most missed first
    reasons: tuple[GroupRow, ...]


def grouped_by(of: Span) -> GroupedBy:
    """Tell by what the missed callers of a time are to be counted for its sheet."""
    return GroupedBy.WEEK if of.is_by_week else GroupedBy.DAY


def figure_sheet(  # noqa: PLR0913, PLR0917 - what a sheet is made of
    of: Span,
    zone: tzinfo,
    hours: Sequence[Hour],
    missed_by: Iterable[tuple[str, str, int]],
    cohorts: Sequence[Cohort],
    sliced: Slices,
) -> FigureSheet:
    """Count all; days and hours are those of `zone`. `missed_by` has line, reason and count.

    The cohorts are those of the time as it is `sliced`: by what `grouped_by` tells.
    """
    told = report(cohorts, by=grouped_by(of), of=sliced)
    by_line: Counter[str] = Counter()
    by_reason: Counter[str] = Counter()
    for line, reason, count in missed_by:
        by_line[line] += count
        by_reason[reason] += count
    week = by_hour_of_week(hours, zone)
    return FigureSheet(
        calls=sum(hour.calls for hour in hours),
        missed=sum(hour.missed for hour in hours),
        told=told,
        steps=tuple(_steps(of, by_day(hours, zone), dict(told.groups))),
        week=week,
        peak=peak(week),
        lines=_groups(by_line, cohorts, lambda cohort: cohort.line),
        reasons=_groups(by_reason, cohorts, lambda cohort: cohort.reason),
    )


def _steps(
    of: Span, days: Mapping[date, DayTally], groups: Mapping[str, Figures]
) -> Iterable[StepRow]:
    calls: Counter[date] = Counter()
    missed: Counter[date] = Counter()
    for day, tally in days.items():
        calls[of.step_of(day)] += tally.calls
        missed[of.step_of(day)] += tally.missed
    for step in of.steps():
        yield StepRow(step, calls[step], missed[step], groups.get(step.isoformat(), NO_FIGURES))


def _groups(
    missed: Mapping[str, int], cohorts: Iterable[Cohort], name_of: Callable[[Cohort], str]
) -> tuple[GroupRow, ...]:
    followed: dict[str, list[Cohort]] = {}
    for cohort in cohorts:
        if not cohort.held_out:
            followed.setdefault(name_of(cohort), []).append(cohort)
    rows = [
        GroupRow(name, missed.get(name, 0), figures(followed.get(name, ())))
        for name in {*missed, *followed}
    ]
    return tuple(sorted(rows, key=lambda row: (-row.missed, -row.figures.recovered.of, row.name)))
