"""The first-run guide: from a PBX that is not connected to texts that are sent, step by step."""

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.check import Finding
from pbx_bridge.core import number as numbers
from pbx_bridge.core.delivery import State
from pbx_bridge.core.proving import Stage, Standing
from pbx_bridge.core.roles import Role
from pbx_bridge.web import guide, words
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get, post
from pbx_bridge.web.said import STAGES
from pbx_bridge.web.words import N_

#: In which the browser keeps the number that the test call comes from, and since when.
COOKIE = "pbxb_test"
#: A test call is soon made.
_PATIENCE = timedelta(hours=6)
_NOTHING_SAID = {"tested": {}, "typed": "", "wrong": "", "to": "", "wrong_to": ""}
_KEY = re.compile(r"[\w-]{1,64}", re.ASCII)
#: How each state of a test text reads, and the kind of its badge.
TEXT_STATES: dict[State, tuple[str, str]] = {
    State.QUEUED: ("wait", N_("waits")),
    State.SENDING: ("wait", N_("being sent")),
    State.ACCEPTED: ("good", N_("accepted by the gateway")),
    State.DELIVERED: ("good", N_("delivered")),
    State.UNDELIVERED: ("bad", N_("not delivered")),
    State.FAILED: ("bad", N_("failed")),
    State.UNCERTAIN: ("wait", N_("perhaps sent")),
    State.CANCELLED: ("calm", N_("cancelled")),
    State.EXPIRED: ("bad", N_("too late")),
    State.SHADOW: ("calm", N_("shadow mode: not sent")),
}


async def show(visit: Visit) -> web.Response:
    """Show every step, and how it stands."""
    return await _page(visit)


async def show_progress(visit: Visit) -> web.Response:
    """Show how far the test call and the test texts have come."""
    return visit.part("setup_progress.html", **await _progress(visit))


async def test_pbx(visit: Visit) -> web.Response:
    """Log in to a PBX as the service does, and tell what came of it."""
    name = (await visit.form())["pbx"]
    config = visit.inside.config()
    if name not in {pbx.name for pbx in config.pbx}:
        raise web.HTTPNotFound
    return await _tested(visit, f"pbx {name}", await guide.tested_pbx(config, name))


async def test_gateway(visit: Visit) -> web.Response:
    """Ask a gateway whether it would take texts."""
    name = (await visit.form())["gateway"]
    config = visit.inside.config()
    if name not in config.gateways:
        raise web.HTTPNotFound
    return await _tested(visit, f"gateway {name}", await guide.tested_gateway(config, name))


async def _tested(visit: Visit, what: str, findings: Sequence[Finding]) -> web.Response:
    if visit.wants_part:
        return visit.part("setup_findings.html", findings=findings)
    return await _page(visit, tested={what: findings})


async def watch_for_call(visit: Visit) -> web.Response:
    """Look out for a test call from a number."""
    said = (await visit.form())["number"]
    number = numbers.normalise(said, visit.inside.rules().country)
    if number is None:
        wrong = visit.gettext("This is not a telephone number; such as +12125550142.")
        return await _page(visit, typed=said, wrong=wrong, status=422)
    answer = visit.to("/setup#test")
    answer.set_cookie(
        COOKIE,
        quote(f"{number} {int(visit.now.timestamp())}"),
        max_age=int(_PATIENCE.total_seconds()),
        path=visit.url("") or "/",
        httponly=True,
        samesite="Lax",
        secure=visit.secure,
    )
    return answer


async def send_test(visit: Visit) -> web.Response:
    """Send a test text to a number, also in shadow mode."""
    form, config = await visit.form(), visit.inside.config()
    to = numbers.normalise(form["to"], config.office.country)
    if to is None or not _KEY.fullmatch(form["key"]):
        wrong = visit.gettext("This is not a telephone number; such as +12125550142.")
        return await _page(visit, to=form["to"], wrong_to=wrong, status=422)

    def queue(tx: Connection) -> bool:
        queued = guide.queue_test(tx, config, to, f"test-{form['key']}", visit.now)
        if queued:
            visit.audit(tx, "setup.test_text", to)
        return queued

    if not await visit.inside.db.run(queue):
        wrong = visit.gettext("That are too many tests in an hour. Try again later.")
        return await _page(visit, to=form["to"], wrong_to=wrong, status=429)
    visit.inside.queued()
    return visit.to("/setup#test-text", notice=visit.gettext("The test text is on its way."))


async def _page(visit: Visit, *, status: int = 200, **said: Any) -> web.Response:
    """Show the guide; `said` is what a form is shown again with, or what a test found."""
    config = visit.inside.config()
    hours = visit.inside.rules().hours
    return visit.page(
        "setup.html",
        status=status,
        title=visit.gettext("Setup"),
        config=config,
        watches=await guide.watches(visit.inside),
        ways=guide.ways(config),
        faulty=await asyncio.to_thread(guide.faulty_texts, config),
        has_hours=bool(hours.office.hours or hours.lines),
        office_hours=hours.office.hours,
        test_body=guide.test_body(config),
        key=visit.inside.new_key(),
        **_NOTHING_SAID | said,
        **await _progress(visit),
    )


async def _progress(visit: Visit) -> dict[str, Any]:
    """Look how far the test call and the test texts have come."""
    wanted = _wanted(visit)

    def look(tx: Connection) -> dict[str, Any]:
        found: dict[str, Any] = {"test_texts": guide.test_texts(tx, visit.now)}
        row, passed = (None, []) if wanted is None else guide.test_call(tx, *wanted)
        return found | {"row": row, "passed": passed}

    number, since = (None, None) if wanted is None else wanted
    found = await visit.inside.db.read(look)
    return found | {
        "test_number": number,
        "test_since": since,
        "standings": Standing,
        "stages": Stage,
        "stage_words": STAGES,
        "reason_words": words.REASONS,
        "text_states": TEXT_STATES,
        "shadow": visit.inside.rules().shadow,
    }


def _wanted(visit: Visit) -> tuple[str, datetime] | None:
    """Give the number of the test call, and since when it is looked out for."""
    number, _, since = unquote(visit.request.cookies.get(COOKIE, "")).partition(" ")
    known = numbers.normalise(number, visit.inside.rules().country)
    if known is None or not (since.isascii() and since.isdigit() and len(since) <= 11):  # noqa: PLR2004 - seconds
        return None
    at = datetime.fromtimestamp(int(since), UTC)
    return (known, at) if visit.now - _PATIENCE <= at <= visit.now + _PATIENCE else None


ROUTES = (
    get("/setup", show, Role.ADMIN),
    get("/setup/progress", show_progress, Role.ADMIN),
    post("/setup/pbx", test_pbx, Role.ADMIN),
    post("/setup/gateway", test_gateway, Role.ADMIN),
    post("/setup/call", watch_for_call, Role.ADMIN),
    post("/setup/text", send_test, Role.ADMIN),
)
