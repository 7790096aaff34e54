"""Figures: what was missed and won back, as pictures with the numbers under them, and as CSV."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from babel.dates import format_date, format_skeleton, get_day_names
from sqlalchemy import Connection

from pbx_bridge import spreadsheet
from pbx_bridge.core.call import Reason
from pbx_bridge.core.charts import columns, lines, shade, share_of
from pbx_bridge.core.clocks import hours
from pbx_bridge.core.figure_sheet import (
    FigureSheet,
    GroupRow,
    StepRow,
    figure_sheet,
    grouped_by,
)
from pbx_bridge.core.pricing import from_micros
from pbx_bridge.core.proportion import Share
from pbx_bridge.core.recovery import Figures, RecoveredBy, slices
from pbx_bridge.core.span import Chosen, NoSpan, Span, day_of, query, span
from pbx_bridge.store import figures as stored
from pbx_bridge.store.figures import Bill
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get
from pbx_bridge.web.words import N_, REASONS

#: A bar in a table is so long at most, in the picture's own measure.
_BAR = 120
_PATH = "/figures"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What figures are asked for."""

    span: Span
    line: str | None

    def link(self, of: Span) -> str:
        """Give the path to the figures of another time, of the same line."""
        return f"{_PATH}?{self._query(of)}"

    def file(self, table: str) -> str:
        """Give the path to a table of these figures as a file."""
        return f"{_PATH}.csv?{self._query(self.span, of=table)}"

    def _query(self, chosen: Span, **more: str) -> str:
        return urlencode(query(chosen) | ({} if self.line is None else {"line": self.line}) | more)


@dataclass(frozen=True, slots=True)
class _Found:
    sheet: FigureSheet
    bill: Bill
    lines: list[str]


async def show(visit: Visit) -> web.Response:
    """Show the figures of a time."""
    today = day_of(visit.now, visit.office_zone)
    wrong = ""
    try:
        asked = _asked(visit.query, today)
    except NoSpan as problem:
        wrong = visit.told(str(problem))
        asked = _Asked(span({}, today), visit.query.get("line") or None)
    found = await visit.inside.db.survey(_reading(visit, asked))
    return visit.page(
        "figures.html",
        status=422 if wrong else 200,
        title=visit.gettext("Figures"),
        wrong=wrong,
        asked=asked,
        today=today,
        periods=_periods(visit, asked, today),
        earlier=asked.link(asked.span.earlier()),
        later=None if (later := asked.span.later(today)) is None else asked.link(later),
        downloads=[(visit.gettext(name), asked.file(of)) for of, name in _FILES.items()],
        **_facts(visit, asked, found),
    )


async def download(visit: Visit) -> web.Response:
    """Give one of the tables as CSV, which no spreadsheet takes a formula from."""
    today = day_of(visit.now, visit.office_zone)
    of = visit.query.get("of", "days")
    write = _TABLES.get(of)
    if write is None:
        raise web.HTTPNotFound
    try:
        asked = _asked(visit.query, today)
    except NoSpan as problem:
        raise web.HTTPBadRequest(text=str(problem)) from problem
    found = await visit.inside.db.survey(_reading(visit, asked))
    headings, rows = write(found.sheet)
    file = io.StringIO(newline="")
    spreadsheet.write(file, headings, rows)
    name = f"figures-{of}-{asked.span.first}-{asked.span.last}.csv"
    return web.Response(
        # By this mark alone Excel knows UTF-8.
        body=file.getvalue().encode("utf-8-sig"),
        content_type="text/csv",
        charset="utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


ROUTES = (get(_PATH, show), get(f"{_PATH}.csv", download))


def _asked(asked: Mapping[str, str], today: date) -> _Asked:
    return _Asked(span(asked, today), asked.get("line") or None)


def _reading(visit: Visit, asked: _Asked) -> Callable[[Connection], _Found]:
    zone = visit.office_zone
    since, until = asked.span.bounds(zone)
    definition = visit.inside.config().recovery.definition()
    now, line = visit.now, asked.line

    def read(tx: Connection) -> _Found:
        sliced = slices(since, until, grouped_by(asked.span), zone)
        sheet = figure_sheet(
            asked.span,
            zone,
            stored.hours(tx, [*hours(since, until, zone), until], line=line),
            stored.missed_by(tx, since, until, line=line),
            stored.cohorts(tx, sliced.cuts, now, definition, line=line),
            sliced,
        )
        bill = stored.bill(tx, since, until, line=line)
        return _Found(sheet, bill, stored.lines(tx, since, until))

    return read


def _periods(visit: Visit, asked: _Asked, today: date) -> list[dict[str, Any]]:
    names = {
        Chosen.DAY: (visit.gettext("Today"), "d"),
        Chosen.WEEK: (visit.gettext("7 days"), "w"),
        Chosen.MONTH: (visit.gettext("30 days"), "m"),
        Chosen.YEAR: (visit.gettext("A year"), "y"),
    }
    return [
        {
            "name": name,
            "key": key,
            "link": asked.link(span({"period": chosen}, today)),
            "is_chosen": asked.span.chosen is chosen,
        }
        for chosen, (name, key) in names.items()
    ]


def _facts(visit: Visit, asked: _Asked, found: _Found) -> dict[str, Any]:
    """Give what the template draws."""
    config, sheet = visit.inside.config(), found.sheet
    labels = [_label(visit, asked.span, row.day) for row in sheet.steps]
    most = max(map(max, sheet.week))
    kept = config.retention.outbound_calls
    since, _ = asked.span.bounds(visit.office_zone)
    lines_known = sorted({*found.lines, *filter(None, [asked.line])})
    return {
        "sheet": sheet,
        "total": sheet.told.total,
        "definition": config.recovery.definition(),
        "window_days": f"{config.recovery.definition().window / timedelta(days=1):g}",
        "least_seconds": int(config.recovery.definition().min_conversation.total_seconds()),
        "labels": labels,
        "lines": lines_known,
        "calls_chart": columns(
            labels, [(row.missed, row.calls - row.missed) for row in sheet.steps]
        ),
        "callers_chart": columns(labels, [_fates(row) for row in sheet.steps]),
        "waits_chart": lines(
            labels,
            [
                [_seconds(row.figures.text_p50) for row in sheet.steps],
                [_seconds(row.figures.text_p95) for row in sheet.steps],
            ],
        ),
        "weekdays": [
            (name, [(count, shade(count, most)) for count in hours])
            for name, hours in zip(_weekdays(visit), sheet.week, strict=True)
        ],
        "heat_summary": _heat_summary(visit, sheet),
        "by_line": _bars(sheet.lines, str),
        "by_reason": _bars(sheet.reasons, lambda name: _reason(visit, name)),
        "bill": found.bill,
        "cost": from_micros(found.bill.cost_micros),
        "currency": config.spending.currency,
        "ways": RecoveredBy,
        "percent": _percent,
        "outbound_kept": kept.days if visit.now - since > kept else None,
        "is_by_week": asked.span.is_by_week,
    }


def _fates(row: StepRow) -> tuple[int, int, int]:
    """Give how many were recovered, may yet be, and were not."""
    recovered = row.figures.recovered
    return (
        recovered.count,
        row.figures.young,
        recovered.of - recovered.count - row.figures.young,
    )


def _label(visit: Visit, of: Span, day: date) -> str:
    if of.days == 1:
        return str(format_date(day, "medium", locale=visit.language))
    return str(format_skeleton("MMMd", day, locale=visit.language))


def _weekdays(visit: Visit) -> list[str]:
    names: Mapping[int, str] = get_day_names("abbreviated", locale=visit.language)
    return [names[day] for day in range(len(names))]


def _heat_summary(visit: Visit, sheet: FigureSheet) -> str:
    """Say in a sentence or two what the heat map shows."""
    if sheet.peak is None:
        return visit.gettext("Nothing was missed in this time.")
    names: Mapping[int, str] = get_day_names("wide", locale=visit.language)
    said = visit.ngettext(
        "Most were missed on %(day)s from %(from)d:00 to %(to)d:00: %(count)d call.",
        "Most were missed on %(day)s from %(from)d:00 to %(to)d:00: %(count)d calls.",
        sheet.peak.count,
    ) % {
        "day": names[sheet.peak.weekday],
        "from": sheet.peak.hour,
        "to": sheet.peak.hour + 1,
        "count": sheet.peak.count,
    }
    if sheet.peak.quiet_days:
        quiet = ", ".join(names[day] for day in sheet.peak.quiet_days)
        said += " " + visit.gettext("Nothing was missed on: %s.") % quiet
    return said


def _bars(rows: Sequence[GroupRow], name_of: Callable[[str], str]) -> list[dict[str, Any]]:
    most = max((row.missed for row in rows), default=0)
    return [
        {"row": row, "name": name_of(row.name), "length": share_of(row.missed, most, _BAR)}
        for row in rows
    ]


def _reason(visit: Visit, name: str) -> str:
    try:
        said = visit.gettext(REASONS[Reason(name)])
    except (ValueError, KeyError):
        return name or visit.gettext("The call is forgotten")
    return said[:1].upper() + said[1:]


def _percent(share: Share) -> str:
    return f"{share.value:.0%}" if share.of else ""


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()


# -- files ----------------------------------------------------------------------------------

_Table = tuple[Sequence[str], list[list[str]]]
_OF_CALLERS = (
    "callers_followed_up", "recovered", "by_conversation", "by_reply", "by_booking", "may_yet",
    "texted", "replied", "opted_out", "seconds_to_text_p50", "seconds_to_text_p95",
)  # fmt: skip
_FILES = {
    "days": N_("By day"),
    "lines": N_("By line"),
    "reasons": N_("By reason"),
    "hours": N_("By hour of the week"),
}


def _by_day(sheet: FigureSheet) -> _Table:
    rows = [
        [row.day.isoformat(), str(row.calls), str(row.missed), *_cells(row.figures)]
        for row in sheet.steps
    ]
    total = ["all", str(sheet.calls), str(sheet.missed), *_cells(sheet.told.total)]
    return ("from", "calls", "missed_calls", *_OF_CALLERS), [*rows, total]


def _by_group(
    heading: str, of: Callable[[FigureSheet], Sequence[GroupRow]]
) -> Callable[[FigureSheet], _Table]:
    def table(sheet: FigureSheet) -> _Table:
        rows = [[row.name, str(row.missed), *_cells(row.figures)] for row in of(sheet)]
        return (heading, "missed_calls", *_OF_CALLERS), rows

    return table


def _by_hour(sheet: FigureSheet) -> _Table:
    names: Mapping[int, str] = get_day_names("abbreviated", locale="en")
    headings = ("weekday", *(f"{hour:02}:00" for hour in range(24)))
    rows = [[names[day], *map(str, hours)] for day, hours in enumerate(sheet.week)]
    return headings, rows


def _cells(of: Figures) -> list[str]:
    return [
        str(of.recovered.of),
        str(of.recovered.count),
        *(str(of.by.get(way, 0)) for way in RecoveredBy),
        str(of.young),
        str(of.texted),
        str(of.replied.count),
        str(of.opted_out.count),
        _exact(of.text_p50),
        _exact(of.text_p95),
    ]


def _exact(length: timedelta | None) -> str:
    return "" if length is None else f"{length.total_seconds():.3f}"


_TABLES: Mapping[str, Callable[[FigureSheet], _Table]] = {
    "days": _by_day,
    "lines": _by_group("line", lambda sheet: sheet.lines),
    "reasons": _by_group("reason", lambda sheet: sheet.reasons),
    "hours": _by_hour,
}
