"""Whether following up wins callers back, in figures."""

from collections.abc import Iterable
from datetime import timedelta

from pbx_bridge.core.proportion import Interval
from pbx_bridge.core.recovery import Comparison, Figures, RecoveredBy, Report


def figures_objects(told: Report) -> Iterable[dict[str, object]]:
    """Give a line for each group, one for all, and one for what was held out."""
    for name, group in told.groups:
        yield {"group": name, **figures_object(group)}
    yield {"group": None, **figures_object(told.total)}
    if told.comparison.held_out.of:
        yield {
            "compared": "recovered",
            **comparison_object(told.comparison),
        }
        yield {"compared": "spoke or booked", **comparison_object(told.replies_aside)}


def figures_object(group: Figures) -> dict[str, object]:
    return {
        "callers": group.recovered.of,
        "recovered": group.recovered.count,
        "recovered_share": group.recovered.value,
        "recovered_interval": _bounds(group.interval),
        "by": {way.value: group.by.get(way, 0) for way in RecoveredBy},
        "may_yet": group.young,
        "texted": group.texted,
        "replied": group.replied.count,
        "opted_out": group.opted_out.count,
        "seconds_to_text_p50": _number(group.text_p50),
        "seconds_to_text_p95": _number(group.text_p95),
    }


def comparison_object(comparison: Comparison) -> dict[str, object]:
    return {
        "treated": {"callers": comparison.treated.of, "count": comparison.treated.count},
        "held_out": {"callers": comparison.held_out.of, "count": comparison.held_out.count},
        "difference": comparison.treated.value - comparison.held_out.value,
        "difference_interval": _bounds(comparison.interval),
        "enough": comparison.is_enough,
        "in_words": str(comparison),
    }


def _bounds(interval: Interval) -> list[float]:
    return [interval.low, interval.high]


def _number(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()
