"""The figures of a backtest: as tables for people, as an object for programs, as a spreadsheet."""

import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, TextIO

from rich.text import Text

from pbx_bridge import spreadsheet
from pbx_bridge.cli.tables import console, print_line, print_table
from pbx_bridge.core.afterwards import Afterwards
from pbx_bridge.core.charts import shade
from pbx_bridge.core.outcomes import words
from pbx_bridge.core.pricing import from_micros
from pbx_bridge.core.review import DAYS, HOURS, Figures
from pbx_bridge.sources.records.account import Account, blind_to

_MOST_LINES = 20
#: From few to many, as in the picture.
_SHADES = ("color(223)", "color(216)", "color(209)", "color(202)", "color(166)", "color(124)")
_CSV_COLUMNS = (
    "began", "line", "caller", "known", "reason", "outcome", "in words", "texts", "segments",
    "cost",
)  # fmt: skip


def print_figures(figures: Figures, accounts: Sequence[Account], currency: str) -> None:
    """Print all of it; on a terminal the week with blocks of colour."""
    print_line(period(figures))
    for line in sources(figures, accounts):
        print_line(line)
    print_line("")
    print_table(
        "calls from outside",
        ("", "calls", "share"),
        [
            ("all", f"{figures.inbound}", ""),
            ("answered", f"{figures.answered}", _share(figures.answered, figures.inbound)),
            ("missed", f"{figures.missed}", _share(figures.missed, figures.inbound)),
            ("outcome unknown", f"{figures.unknown}", _share(figures.unknown, figures.inbound)),
        ],
    )
    if not figures.missed:
        return
    print_line("")
    _print_lines(figures)
    print_line("")
    if sys.stdout.isatty():
        _print_week(figures)
    else:
        rows = [(day, *map(_count, hours)) for day, hours in _week(figures)]
        hours = tuple(f"{hour}" for hour in range(HOURS))
        print_table("missed calls by weekday and hour", ("", *hours), rows)
    print_line("")
    reasons = [(r, f"{n}", f"{texted}") for r, (n, texted) in figures.by_reason.items()]
    print_table("how they were missed", ("reason", "calls", "texted"), reasons)
    print_line("")
    outcomes = [(words(name), f"{n}") for name, n in figures.outcomes.items()]
    print_table("outcomes", ("what would have been done", "calls"), outcomes)
    print_line("")
    for line in (callers(figures), cost(figures, currency), *afterwards(figures.afterwards)):
        print_line(line)


def period(figures: Figures) -> str:
    """Say which time it is about."""
    since, until = (at.astimezone(figures.zone) for at in (figures.since, figures.until))
    return f"{since:%d %b %Y %H:%M} to {until:%d %b %Y %H:%M}, times in {figures.zone}"


def sources(figures: Figures, accounts: Sequence[Account]) -> Iterator[str]:
    """Say what was read, and what it cannot tell."""
    for account in accounts:
        if account.first is None or account.last is None:
            yield f"read: {account.kind}, {account.place}: nothing in that time"
            continue
        first, last = (at.astimezone(figures.zone) for at in (account.first, account.last))
        damaged = f", {account.damaged} unreadable" if account.damaged else ""
        yield (
            f"read: {account.kind}, {account.place}: {account.rows} rows{damaged},"
            f" {first:%d %b %Y %H:%M} to {last:%d %b %Y %H:%M}"
        )
        for blind in blind_to(account.kind):
            yield f"  {blind}"


def callers(figures: Figures) -> str:
    """Say who they were, as far as the records know."""
    return (
        f"{figures.callers} different callers were missed: {figures.from_new} calls of new ones,"
        f" {figures.from_known} of callers who had spoken to the office before,"
        f" {figures.without_number} without a number"
    )


def cost(figures: Figures, currency: str) -> str:
    """Say what the texts would have cost; nothing is said where no price is known."""
    text = f"{figures.texts} texts in {figures.segments} segments would have gone out"
    if not figures.texts:
        return "no texts would have gone out"
    if not figures.cost_micros:
        return f"{text}; what they cost is not known: give --price, or prices in the configuration"
    return f"{text}, for {_amount(figures.cost_micros)} {currency}"


def afterwards(told: Afterwards) -> Iterator[str]:
    """Say what became of the callers without us."""
    if not told.judged:
        yield "what became of the callers is not known yet: no working day is over"
        return
    of = f"of {told.judged} missed callers"
    if told.called_back is None:
        yield f"whether {told.judged} missed callers were called back is not in these records"
    else:
        yield f"{told.not_called_back} {of} were not called back within a working day"
        reached = f", and {told.reached} of them reached"
        delay = f"; half of them within {_duration(told.median_delay)}" if told.median_delay else ""
        yield f"{told.called_back} {of} were called back{reached}{delay}"
    yield f"{told.got_through} {of} called again themselves and were answered in that time"
    if told.left_alone is not None:
        yield f"{told.left_alone} {of} had neither"
    yield f"callers who tried more than once and never got through: {told.gave_up}"
    yield "(a working day: until the same time on the next day from Monday to Friday)"


def figures_object(figures: Figures, accounts: Sequence[Account], currency: str) -> dict[str, Any]:
    """Give what `--json` prints: a promise to other programs."""
    after = figures.afterwards
    return {
        "since": figures.since,
        "until": figures.until,
        "timezone": str(figures.zone),
        "sources": [
            {
                "kind": account.kind.name.lower(),
                "place": account.place,
                "rows": account.rows,
                "unreadable": account.damaged,
                "first": account.first,
                "last": account.last,
                "cannot_tell": blind_to(account.kind),
            }
            for account in accounts
        ],
        "inbound": figures.inbound,
        "answered": figures.answered,
        "missed": figures.missed,
        "unknown": figures.unknown,
        "missed_by_line_and_hour": {k: list(v) for k, v in figures.by_line_hour.items()},
        "missed_by_weekday_and_hour": dict(_week(figures)),
        "missed_by_reason": {str(r): n for r, (n, _) in figures.by_reason.items()},
        "texted_by_reason": {str(r): n for r, (_, n) in figures.by_reason.items()},
        "callers": figures.callers,
        "from_new_callers": figures.from_new,
        "from_known_callers": figures.from_known,
        "without_number": figures.without_number,
        "outcomes": dict(figures.outcomes),
        "texted": figures.texted,
        "texts": figures.texts,
        "segments": figures.segments,
        "cost": str(from_micros(figures.cost_micros)) if figures.cost_micros else None,
        "currency": currency,
        "afterwards": {
            "callers_judged": after.judged,
            "called_back": after.called_back,
            "reached": after.reached,
            "not_called_back": after.not_called_back,
            "got_through_themselves": after.got_through,
            "neither": after.left_alone,
            "median_delay_s": after.median_delay.total_seconds() if after.median_delay else None,
            "tried_more_than_once_in_vain": after.gave_up,
        },
    }


def write_csv(file: TextIO, figures: Figures) -> None:
    """Write the missed calls, one a line."""
    rows = (
        (
            f"{call.at.astimezone(figures.zone):%Y-%m-%d %H:%M:%S}",
            call.line,
            call.caller,
            "" if not call.caller else "yes" if call.known else "no",
            call.reason.value,
            call.outcome,
            words(call.outcome),
            f"{call.texts}",
            f"{call.segments}",
            f"{from_micros(call.cost_micros)}" if call.cost_micros else "",
        )
        for call in figures.calls
    )
    spreadsheet.write(file, _CSV_COLUMNS, rows)


def _print_lines(figures: Figures) -> None:
    """Print lines by hour, only the hours in which anybody was missed."""
    busy = [hour for hour in range(HOURS) if any(of[hour] for of in figures.by_line_hour.values())]
    rows = [
        (line, f"{sum(hours)}", *(_count(hours[hour]) for hour in busy))
        for line, hours in list(figures.by_line_hour.items())[:_MOST_LINES]
    ]
    if (more := len(figures.by_line_hour) - _MOST_LINES) > 0:
        rows.append((f"and {more} more", "", *("" for _ in busy)))
    columns = ("line", "all", *(f"{hour}h" for hour in busy))
    print_table("missed calls by line and hour", columns, rows)


def _print_week(figures: Figures) -> None:
    """Print the week's hours as blocks, the darker the more."""
    most = max(map(max, figures.by_weekday_hour))
    here = console()
    here.print(Text("missed calls by weekday and hour", style="italic"))
    here.print(Text("    " + "".join(f"{hour:>3}" for hour in range(HOURS))))
    for day, hours in _week(figures):
        row = Text(f"{day} ")
        for count in hours:
            dark = shade(count, most)
            if dark:
                row.append(f"{count:>3}", style=f"black on {_SHADES[dark - 1]}")
            else:
                row.append("  ·", style="dim")
        here.print(row)


def _week(figures: Figures) -> Iterator[tuple[str, Sequence[int]]]:
    yield from zip(DAYS, figures.by_weekday_hour, strict=True)


def _count(count: int) -> str:
    return f"{count}" if count else ""


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _amount(micros: int) -> str:
    return f"{from_micros(micros).quantize(Decimal('0.01'))}"


def _duration(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004
