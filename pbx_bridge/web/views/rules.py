"""The rules in force, read aloud, with hours and texts, and the simulator beside them."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from babel import dates
from markupsafe import Markup

from pbx_bridge import proofs
from pbx_bridge.config import Config, ConfigError, doubtful, load
from pbx_bridge.config.forms import REASONS
from pbx_bridge.core.clocks import DAY
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.hours import HORIZON, Schedule
from pbx_bridge.core.lint import Linted
from pbx_bridge.core.period import Period
from pbx_bridge.core.roles import Role
from pbx_bridge.objects.rules import rule_sentences, sequence_steps
from pbx_bridge.web import evidence, words
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get, post
from pbx_bridge.web.said import CALLERS, STEPS, TRACKS
from pbx_bridge.web.trying import Trial, blank, tried

#: Holidays and closures that are shown of each place.
_COMING = 5


@dataclass(frozen=True, slots=True)
class Closed:
    """A holiday or closure as it is shown: whole days by their dates."""

    begins: datetime
    ends: datetime | None  #: None: one whole day
    days: bool
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Office, or a line with hours of its own."""

    name: str  #: empty: the office
    hours: str  #: empty: always
    zone: str
    is_open: bool
    next_open: datetime | None
    coming: Sequence[Closed]


@dataclass(frozen=True, slots=True)
class Text:
    """A text that callers can get, filled in for an example caller."""

    what: str
    language: str
    linted: Linted


async def show(visit: Visit) -> web.Response:
    """Show the rules, and a blank simulator."""
    return await _page(visit, Trial(sent=blank()))


async def try_call(visit: Visit) -> web.Response:
    """Show what would be done about a call; nothing is done."""
    trial = await tried(visit, await visit.form())
    status = 422 if trial.problems else 200
    if visit.wants_part:
        return visit.part("rules_trial.html", status=status, **_about(visit, trial))
    return await _page(visit, trial, status=status)


async def _page(visit: Visit, trial: Trial, *, status: int = 200) -> web.Response:
    config = visit.inside.config()
    texts = await asyncio.to_thread(_texts, visit, config)
    return visit.page(
        "rules.html",
        status=status,
        title=visit.gettext("Rules"),
        config=config,
        rules=list(rule_sentences(config)),
        sequences=list(sequence_steps(config)),
        notes=await asyncio.to_thread(_notes, visit, config),
        places=list(_places(visit, config)),
        texts=texts,
        reasons=[(reason, visit.inside.rules().reasons[reason]) for reason in REASONS],
        is_admin=visit.who.role.may(Role.ADMIN),
        kinds=list(CallerKind),
        **_about(visit, trial),
    )


def _about(visit: Visit, trial: Trial) -> dict[str, Any]:
    """Give what the templates of the simulator need."""
    zone = visit.office_zone if trial.found is None else trial.found.office_zone

    def clock(at: datetime) -> str:
        """Write a time as the clock of the office, or of the line's site, shows it."""
        shown = at.astimezone(zone)
        return str(dates.format_datetime(shown, "EEE, d MMM y, HH:mm:ss", locale=visit.language))

    return {
        "clock": clock,
        "trial": trial,
        "checks": evidence.CHECKS,
        "reason_words": words.REASONS,
        "caller_words": CALLERS,
        "track_words": TRACKS,
        "step_words": STEPS,
    }


def _notes(visit: Visit, config: Config) -> list[str | Markup]:
    """Say what is doubtful in the rules, and whether the file says something else by now."""
    path = visit.inside.config_path
    try:
        notes = [visit.ours(str(problem)) for problem in doubtful(config, path)]
        same = load(path) == config
    except (OSError, UnicodeDecodeError):
        return [visit.gettext("The configuration's file cannot be read now.")]
    except ConfigError as error:
        count = len(error.problems)
        said = visit.ngettext(
            "The file was changed, and has a mistake: what is shown here is in force.",
            "The file was changed, and has %(n)d mistakes: what is shown here is in force.",
            count,
        )
        return [said % {"n": count} if "%" in said else said]
    if not same:
        notes.append(
            visit.gettext(
                "The file was changed since the service read it. It counts from the next reload."
            )
        )
    return notes


def _places(visit: Visit, config: Config) -> Iterator[Place]:
    hours, now = visit.inside.rules().hours, visit.now
    yield _place("", hours.office, config.office.timezone, now)
    for line in config.lines:
        if line.site is not None or line.open is not None:
            schedule = hours.of(line.number)
            zone = schedule.zone if isinstance(schedule.zone, ZoneInfo) else config.office.timezone
            yield _place(line.name or line.number, schedule, zone, now)


def _place(name: str, schedule: Schedule, zone: ZoneInfo, now: datetime) -> Place:
    return Place(
        name=name,
        hours=schedule.hours,
        zone=zone.key,
        is_open=schedule.is_open(now),
        next_open=schedule.next_open(now),
        coming=[_closed(one, zone) for one in schedule.coming(now, now + HORIZON)[:_COMING]],
    )


def _closed(period: Period, zone: ZoneInfo) -> Closed:
    begins, ends = (bound.astimezone(zone) for bound in period.bounds(zone))
    if not begins.time() == ends.time() == time():
        return Closed(begins, ends, days=False, name=period.name)
    last = datetime.combine(ends.date() - DAY, time(12), zone)
    first = datetime.combine(begins.date(), time(12), zone)
    return Closed(first, None if last == first else last, days=True, name=period.name)


def _texts(visit: Visit, config: Config) -> list[Text]:
    around = proofs.circumstances(config)
    return [
        Text(_what(visit, proof.what), proof.language, proof.linted(around))
        for proof in proofs.in_force(config)
    ]


def _what(visit: Visit, named: str) -> str:
    """Say for which calls a text is: reasons in words."""
    known = {reason.value: said for reason, said in words.REASONS.items()}
    return ", ".join(
        visit.gettext(known[one]) if one in known else visit.told(one) for one in named.split(", ")
    )


ROUTES = (get("/rules", show), post("/rules/try", try_call, Role.VIEWER))
