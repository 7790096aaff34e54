"""Logging in and out."""

from datetime import timedelta

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.core.roles import Role
from pbx_bridge.store import audit
from pbx_bridge.web.access.guard import GUARD
from pbx_bridge.web.access.logins import Refused
from pbx_bridge.web.access.origin import local_path
from pbx_bridge.web.access.passwords import TooBusy
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get, post


async def show(visit: Visit) -> web.StreamResponse:
    """Ask for name and password."""
    if visit.visitor is not None:
        return visit.to(local_path(visit.query.get("next", "/")))
    return login_page(visit, wanted=visit.query.get("next", "/"))


async def log_in(visit: Visit) -> web.StreamResponse:
    """Log in who has the right name and password."""
    guard = visit.request.app[GUARD]
    form = await visit.form()
    wanted, name = form["next"], form["name"]
    address = guard.address(visit.request)
    try:
        found = await guard.logins.prove(name, form["password"], address, visit.now)
    except TooBusy:
        problem = visit.gettext("Too many people log in at this moment. Try again.")
        return login_page(visit, wanted=wanted, name=name, wrong=problem, status=503)
    if isinstance(found, Refused):
        status = 429 if found.wait else 403
        return login_page(
            visit, wanted=wanted, name=name, wrong=_refusal(visit, found.wait), status=status
        )
    user = found

    def begin(tx: Connection) -> None:
        guard.begin(tx, visit.request, user, visit.now)
        audit.note(tx, at=visit.now, who=user.name, action="login", address=address)

    await visit.inside.db.run(begin)
    return visit.to(local_path(wanted))


async def log_out(visit: Visit) -> web.StreamResponse:
    """End the session here, on the server too."""
    guard = visit.request.app[GUARD]

    def end(tx: Connection) -> None:
        guard.end(tx, visit.request)
        visit.audit(tx, "logout")

    await visit.inside.db.run(end)
    # Their windows hear no more; those of other sessions come back by themselves.
    visit.inside.changes.end(str(visit.who.user_id))
    return visit.to("/login", notice=visit.gettext("You are logged out."))


def login_page(
    visit: Visit, *, wanted: str, name: str = "", wrong: str = "", status: int = 200
) -> web.Response:
    """Show the form, perhaps with what was wrong."""
    guard = visit.request.app[GUARD]
    provider = guard.provider
    return visit.page(
        "login.html",
        status=status,
        title=visit.gettext("Log in"),
        wanted=local_path(wanted),
        name=name,
        wrong=wrong,
        provider=provider.settings.label if provider else "",
        form_token=guard.form_token(visit.request),
    )


def _refusal(visit: Visit, wait: timedelta) -> str:
    if not wait:
        return visit.gettext("Name or password is wrong.")
    minutes = -(-int(wait.total_seconds()) // 60)
    return (
        visit.ngettext(
            "Too many tries. Try again in %d minute.",
            "Too many tries. Try again in %d minutes.",
            minutes,
        )
        % minutes
    )


ROUTES = (
    get("/login", show, role=None),
    post("/login", log_in, role=None),
    post("/logout", log_out, Role.VIEWER),
)
