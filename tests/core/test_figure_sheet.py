"""All that the figures of a time say."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

from pbx_bridge.core.figure_sheet import NO_FIGURES, figure_sheet, grouped_by
from pbx_bridge.core.recovery import Cohort, RecoveredBy, slices
from pbx_bridge.core.span import Chosen, Span
from pbx_bridge.core.tally import Hour

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = Span(Chosen.OWN, date(2026, 11, 22), date(2026, 11, 24))


SLICED = slices(*WEEK.bounds(UTC), grouped_by(WEEK), UTC)


def cohort(recovered: RecoveredBy | None, *, held_out: bool = False, line: str = "A") -> Cohort:
    """Make one of a caller who was missed on the second day."""
    by = Counter() if recovered is None else Counter([recovered])
    return Cohort(stretch=1, line=line, reason="busy", held_out=held_out, callers=1, by=by)


def test_every_day_is_there_also_without_calls() -> None:
    sheet = figure_sheet(
        WEEK,
        UTC,
        [Hour(NOON, 3, 2), Hour(NOON + DAY, 1, 0)],
        [("A", "busy", 2)],
        [cohort(RecoveredBy.REPLY), cohort(None, held_out=True)],
        SLICED,
    )
    assert [(row.day.day, row.calls, row.missed) for row in sheet.steps] == [
        (22, 0, 0), (23, 3, 2), (24, 1, 0),
    ]  # fmt: skip
    assert sheet.steps[0].figures == NO_FIGURES
    assert sheet.steps[1].figures == sheet.told.total
    assert (sheet.calls, sheet.missed, sheet.week[0][12]) == (4, 2, 2)
    assert sheet.peak is not None


def test_lines_and_reasons_are_those_of_either_count() -> None:
    sheet = figure_sheet(
        WEEK,
        UTC,
        [],
        [("A", "busy", 2), ("B", "busy", 5), ("B", "parked", 1)],
        [cohort(None), cohort(None, line="C"), cohort(None, line="D", held_out=True)],
        SLICED,
    )
    assert [(row.name, row.missed, row.figures.recovered.of) for row in sheet.lines] == [
        ("B", 6, 0), ("A", 2, 1), ("C", 0, 1),
    ]  # fmt: skip
    assert [(row.name, row.missed) for row in sheet.reasons] == [("busy", 7), ("parked", 1)]
    assert sheet.peak is None
