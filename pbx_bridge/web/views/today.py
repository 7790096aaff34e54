"""The start page: how today goes in a sentence, who needs somebody, and whether all works.

Who is an administrator of a new installation is led to the guide instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge import history
from pbx_bridge.core.digest import midnight
from pbx_bridge.core.limits import Budget, Spent
from pbx_bridge.core.liveness import State
from pbx_bridge.core.office import Rules
from pbx_bridge.core.proportion import percentile
from pbx_bridge.core.recovery import Cohort, Definition
from pbx_bridge.core.roles import Role
from pbx_bridge.core.routing import Circuit, Standing
from pbx_bridge.core.task import Task
from pbx_bridge.store import calls, figures, inbox, outbox, standings
from pbx_bridge.store.call_backs import CallBackRecord
from pbx_bridge.store.inbox import CallerRow, Counts, Which
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get
from pbx_bridge.web.views.missed import about_rows, called_back, closed_lately
from pbx_bridge.web.words import PARTS

#: Callers shown who need somebody.
SHOWN = 8
#: Share of a spending limit from which it is told as nearly reached.
NEARLY = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What happened since midnight, by the office's clock."""

    missed: int
    texted: int
    median: timedelta | None  #: from the end of a call until a gateway took its text
    replied: int
    reached: int  #: spoken to since, or booked
    waiting: int  #: open tasks, of whatever day


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the page shows, read in one transaction."""

    day: Day
    rows: Sequence[CallerRow]
    call_backs: Mapping[str, CallBackRecord]
    counts: Counts
    standing: dict[str, Standing]
    queued: int
    oldest_due: datetime | None
    spent: Spent


@dataclass(frozen=True, slots=True)
class Light:
    """One thing of the health strip: good, wait, bad or calm, what it is, and how it stands."""

    kind: str
    name: str
    text: str


async def today(visit: Visit) -> web.Response:
    """Show the start page."""
    rules, now = visit.inside.rules(), visit.now
    if await _is_new(visit):
        return visit.to("/setup")
    day = now.astimezone(visit.office_zone).date()
    since = midnight(day, visit.office_zone)
    me = visit.who.name

    def read(tx: Connection) -> tuple[Facts, Task | None]:
        return _read(tx, rules, since, now, me), closed_lately(tx, visit)

    found, closed = await visit.inside.db.read(read)
    facts: dict[str, Any] = {
        "title": visit.gettext("Today"),
        "day": found.day,
        "sentence": sentence(visit, found.day, shadow=rules.shadow),
        "rows": found.rows,
        "call_backs": found.call_backs,
        "counts": found.counts,
        "lights": lights(visit, found, rules),
        "closed": closed,
        "here": "/",
        **about_rows(visit),
    }
    if visit.wants_part:
        return visit.part("today_now.html", **facts)
    return visit.page("today.html", **facts)


async def _is_new(visit: Visit) -> bool:
    """Tell whether this is an administrator, and nothing was ever seen here."""
    if not (visit.who.role.may(Role.ADMIN) and visit.inside.rules().shadow):
        return False
    return not await visit.inside.db.read(lambda tx: calls.recent(tx, limit=1))


def _read(tx: Connection, rules: Rules, since: datetime, now: datetime, me: str) -> Facts:
    definition = Definition(min_conversation=rules.min_conversation)
    counts = inbox.counts(tx, me, now)
    queued, oldest_due = outbox.waiting(tx, now)
    rows = needing(
        inbox.rows(tx, Which.OVERDUE, now=now, limit=SHOWN),
        inbox.rows(tx, Which.OPEN, now=now, limit=SHOWN),
    )
    return Facts(
        day=_day(
            figures.missed_calls(tx, since, now),
            figures.cohorts(tx, (since, now), now, definition),
            counts.open,
        ),
        rows=rows,
        call_backs=called_back(tx, rows),
        counts=counts,
        standing=standings.everyone(tx),
        queued=queued,
        oldest_due=oldest_due,
        spent=history.spending(tx, rules, now),
    )


def _day(missed: int, cohorts: Sequence[Cohort], waiting: int) -> Day:
    waits = sorted(wait for one in cohorts for wait in one.waits)
    median = percentile(waits, 0.5)
    return Day(
        missed=missed,
        texted=len(waits),
        median=None if median is None else timedelta(microseconds=median),
        replied=sum(one.replied for one in cohorts),
        reached=sum(one.spoke_or_booked for one in cohorts),
        waiting=waiting,
    )


def needing(overdue: Sequence[CallerRow], newest: Sequence[CallerRow]) -> list[CallerRow]:
    """Give who needs somebody first: what is overdue, then who called last."""
    late = {row.task.task_id for row in overdue}
    return [*overdue, *(row for row in newest if row.task.task_id not in late)][:SHOWN]


def sentence(visit: Visit, day: Day, *, shadow: bool) -> list[str]:
    """Give the parts of the sentence about today, each in words."""
    parts = [
        visit.ngettext("%(n)d call missed", "%(n)d calls missed", day.missed) % {"n": day.missed}
    ]
    if shadow:
        parts.append(visit.gettext("shadow mode: nobody is texted"))
    else:
        parts.append(visit.ngettext("%(n)d texted", "%(n)d texted", day.texted) % {"n": day.texted})
    parts.append(visit.ngettext("%(n)d replied", "%(n)d replied", day.replied) % {"n": day.replied})
    parts.append(
        visit.ngettext("%(n)d reached since", "%(n)d reached since", day.reached)
        % {"n": day.reached}
    )
    parts.append(visit.ngettext("%(n)d waits", "%(n)d wait", day.waiting) % {"n": day.waiting})
    return parts


_KINDS = {State.OK: "good", State.WAITS: "wait", State.WRONG: "bad", State.HUNG: "bad"}


def lights(visit: Visit, found: Facts, rules: Rules) -> list[Light]:
    """Say whether all works: phone systems, database, gateways, what waits, and the money."""
    shown = [
        Light(_KINDS[finding.state], _part(visit, finding.what), visit.told(finding.text))
        for finding in visit.inside.verdict().findings
        if finding.what.startswith("pbx ") or finding.state is not State.OK
    ]
    for name in visit.inside.config().texting.gateways:
        standing = found.standing.get(name)
        if standing is None or standing.circuit is Circuit.CLOSED:
            shown.append(Light("good", name, visit.gettext("takes texts")))
        else:
            reason = visit.told(standing.reason) or visit.gettext("not used for now")
            shown.append(Light("bad", name, reason))
    if found.queued:
        waits = visit.ngettext("%(n)d text waits", "%(n)d texts wait", found.queued)
        late = found.oldest_due is not None and visit.now - found.oldest_due > timedelta(minutes=5)
        name = visit.gettext("outbox")
        shown.append(Light("bad" if late else "calm", name, waits % {"n": found.queued}))
    return [*shown, *_money(visit, rules.budget, found.spent)]


def _part(visit: Visit, named: str) -> str:
    """Name a part of the service that was judged."""
    kind, _, name = named.partition(" ")
    if kind == "pbx":
        return visit.gettext("phone system %s") % name
    return visit.gettext(PARTS[named]) if named in PARTS else named


def _money(visit: Visit, budget: Budget, spent: Spent) -> list[Light]:
    """Say what was spent of each limit that there is."""
    limits = (
        (visit.gettext("24 hours"), spent.day, budget.per_day),
        (visit.gettext("this month"), spent.month, budget.per_month),
    )
    return [
        Light(
            "bad" if used >= most else "wait" if used >= NEARLY * most else "good",
            visit.gettext("spent in %s") % span,
            visit.gettext("%(used)s of %(most)s")
            % {"used": budget.spell(used), "most": budget.spell(most)},
        )
        for span, used, most in limits
        if most is not None
    ]


ROUTES = (get("/", today),)
