"""Every call, and all that is known of one: its time axis, what was judged, sent and answered."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.core.call import Disposition, Reason, Step, StepKind
from pbx_bridge.core.office import Rules
from pbx_bridge.core.timeline import drawing, story
from pbx_bridge.store import calls, contacts
from pbx_bridge.store.calls import ROW_ID_DIGITS, CallRecord, DecisionRecord, Explanation
from pbx_bridge.store.paging import Mark
from pbx_bridge.web import evidence, words
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get

_PATH = "/calls"
#: Calls on a page.
SHOWN = 50
#: What somebody looks for is a name or a number.
_LONGEST_SEARCH = 100
#: In the middle of a day: clocks are not changed then.
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which calls are looked for; what makes no sense is left out, and `wrong` says so."""

    text: str = ""
    line: str = ""
    reason: Reason | None = None
    disposition: Disposition | None = None
    day: date | None = None
    mark: Mark | None = None
    wrong: bool = False

    def query(self, mark: Mark | None) -> str:
        """Write it as a query of the address, from below another row on."""
        said = {
            "q": self.text,
            "line": self.line,
            "reason": self.reason,
            "became": self.disposition,
            "day": self.day.isoformat() if self.day else "",
            "before": "" if mark is None else f"{mark.at.isoformat()}_{mark.row}",
        }
        return urlencode({name: value for name, value in said.items() if value})

    def link(self, mark: Mark | None = None) -> str:
        """Give the path to these calls."""
        query = self.query(mark)
        return f"{_PATH}?{query}" if query else _PATH

    @property
    def is_set(self) -> bool:
        return bool(self.query(None))

    def find(self, tx: Connection, zone: ZoneInfo) -> list[CallRecord]:
        """Find a page of such calls, and one more if there are more."""
        begins = None if self.day is None else _midnight(self.day, zone)
        ends = None if self.day is None else _midnight(self.day + _DAY, zone)
        return calls.recent(
            tx,
            limit=SHOWN + 1,
            since=begins,
            until=ends,
            text=self.text or None,
            line=self.line or None,
            disposition=self.disposition,
            reason=self.reason,
            mark=self.mark,
        )


def filtered(query: Mapping[str, str]) -> Filter:
    """Read what is looked for from the query of an address."""
    said = {name: query.get(name, "").replace("\x00", "").strip() for name in _FIELDS}
    read: dict[str, Any] = {"text": said["q"][:_LONGEST_SEARCH], "line": said["line"]}
    for name, (field, parse) in _PARSED.items():
        with suppress(ValueError, OverflowError):
            read[field] = parse(said[name]) if said[name] else None
    wrong = any(said[name] and field not in read for name, (field, _) in _PARSED.items())
    return Filter(**read, wrong=wrong)


def _mark(said: str) -> Mark:
    at, _, row = said.rpartition("_")
    instant = datetime.fromisoformat(at)
    if instant.tzinfo is None or not (
        row.isascii() and row.isdigit() and len(row) <= ROW_ID_DIGITS
    ):
        raise ValueError(said)
    return Mark(instant, int(row))


def _date(said: str) -> date:
    day = date.fromisoformat(said)
    _ = day - _DAY, day + 2 * _DAY  # has neighbours
    return day


_FIELDS = ("q", "line", "reason", "became", "day", "before")
_PARSED = {
    "reason": ("reason", Reason),
    "became": ("disposition", Disposition),
    "day": ("day", _date),
    "before": ("mark", _mark),
}


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


async def listing(visit: Visit) -> web.StreamResponse:
    """List calls, the newest first; the address keeps what is looked for."""
    wanted = filtered(visit.query)

    def look(tx: Connection) -> tuple[list[CallRecord], dict[str, str], list[str]]:
        found = wanted.find(tx, visit.zone)
        names = contacts.names_of(tx, [record.caller_e164 or "" for record in found])
        return found, names, calls.lines(tx)

    found, names, lines = await visit.inside.db.read(look)
    shown = found[:SHOWN]
    after = None
    if len(found) > SHOWN:
        last = shown[-1]
        after = visit.url(wanted.link(Mark(last.call.began, last.row_id)))
    facts: dict[str, Any] = {
        "wanted": wanted,
        "records": shown,
        "names": names,
        "named_lines": _line_names(visit.inside.rules(), lines, wanted.line, shown),
        "lines": sorted({*lines, wanted.line} - {""}),
        "before": visit.url(wanted.link()) if wanted.mark else None,
        "after": after,
        "said": evidence,
        "words": words,
        "reasons": list(Reason),
    }
    return visit.page("calls.html", title=visit.gettext("Calls"), **facts)


def _line_names(
    rules: Rules, lines: Sequence[str], asked: str, records: Sequence[CallRecord]
) -> dict[str, str]:
    """Give the office's names for lines as the PBX says them."""
    those = {*lines, asked, *(record.call.line for record in records)} - {""}
    named = ((called, rules.line(called)) for called in those)
    return {called: line.name for called, line in named if line is not None and line.name}


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step as the table has it."""

    at: datetime
    exact: str  #: its time of day to the millisecond, in the viewer's zone
    after: timedelta  #: since the call began
    what: str
    who: str
    detail: str


async def explain(visit: Visit) -> web.StreamResponse:
    """Show all that is known of one call.

    Raises:
        web.HTTPNotFound: there is no such call, or not any more.

    """
    row = int(visit.request.match_info["call"])

    def look(tx: Connection) -> tuple[Explanation | None, dict[str, str]]:
        told = calls.explanation(tx, row)
        if told is None or told.record.caller_e164 is None:
            return told, {}
        return told, contacts.names_of(tx, [told.record.caller_e164])

    told, names = await visit.inside.db.read(look)
    if told is None:
        raise web.HTTPNotFound(text=visit.gettext("This call is not known, or is forgotten."))
    call = told.record.call
    line = visit.inside.rules().line(call.line)
    told_story = story(told.steps, call.began, call.ended or visit.now)
    return visit.page(
        "call.html",
        title=visit.gettext("Call"),
        told=told,
        call=call,
        record=told.record,
        name=names.get(told.record.caller_e164 or "", "") or call.caller.name,
        line=(line.name if line else "") or call.line,
        picture=drawing(told_story),
        story=told_story,
        steps=[_row(visit, step, call.began) for step in told.steps],
        decisions=[(made, _verdict(visit, made)) for made in told.decisions],
        attempts={
            message.message_id: [a for a in told.attempts if a.message_id == message.message_id]
            for message in told.messages
        },
        receipts={
            message.message_id: [r for r in told.receipts if r.message_id == message.message_id]
            for message in told.messages
        },
        said=evidence,
        words=words,
    )


def _row(visit: Visit, step: Step, began: datetime) -> StepRow:
    who, detail = step.who, step.detail
    if step.kind in _BY:
        who = _known(visit, evidence.DETAILS, who)
    elif step.kind is StepKind.RING_ENDED:
        detail = _known(visit, evidence.RINGING_ENDED, detail)
    elif step.kind in _OWN_DETAILS:
        detail = _known(visit, evidence.DETAILS, detail)
    exact = step.at.astimezone(visit.zone).strftime("%H:%M:%S.%f")[:-3]
    what = visit.gettext(evidence.STEPS[step.kind])
    return StepRow(step.at, exact, step.at - began, what, who, detail)


#: Steps that say who did it, and those whose detail is one of the service's own words.
_BY = frozenset({StepKind.HANGUP_REQUESTED, StepKind.ENDED})
_OWN_DETAILS = frozenset({StepKind.STATUS, StepKind.CALLER_ID, StepKind.TRANSFERRED})


def _known(visit: Visit, table: Mapping[str, str], name: str) -> str:
    return visit.gettext(table[name]) if name in table else name


def _verdict(visit: Visit, made: DecisionRecord) -> str:
    """Say in a sentence what was decided."""
    if made.outcome == "skip":
        return visit.gettext("No text was sent at once.")
    if made.outcome == "shadow":
        return visit.gettext("A text would be sent; the service is in shadow mode.")
    return visit.gettext("A text was to be sent.")


ROUTES = (
    get(_PATH, listing),
    get(_PATH + f"/{{call:\\d{{1,{ROW_ID_DIGITS}}}}}", explain),
)
