"""What somebody sets for oneself: phone, language, zone, shortcuts, password, sessions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import available_timezones

from aiohttp import web
from babel import Locale
from sqlalchemy import Connection

from pbx_bridge.core.accounts import SHORTEST_PASSWORD, is_extension
from pbx_bridge.core.browsers import browser_name
from pbx_bridge.core.roles import Role
from pbx_bridge.store import accounts, sessions
from pbx_bridge.store.accounts import User
from pbx_bridge.store.sessions import Session
from pbx_bridge.web.access.guard import GUARD
from pbx_bridge.web.access.logins import Refused
from pbx_bridge.web.access.passwords import TooBusy
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get, post
from pbx_bridge.web.views.welcome import new_password_mistakes

_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class _Mine:
    """A user with the browsers that are logged in."""

    user: User
    sessions: list[Session]


@dataclass(frozen=True, slots=True)
class _Browser:
    """A browser that is logged in, as it is shown."""

    row_id: int
    called: str
    agent: str
    address: str
    created_at: datetime
    seen_at: datetime

    @classmethod
    def of(cls, visit: Visit, session: Session) -> "_Browser":
        program, system = browser_name(session.agent)
        called = program or session.agent[:60] or visit.gettext("An unknown browser")
        if system:
            called = visit.gettext("%(program)s on %(system)s") % {
                "program": called,
                "system": system,
            }
        return cls(
            session.row_id,
            called,
            session.agent,
            session.address,
            session.created_at,
            session.seen_at,
        )


async def show(visit: Visit) -> web.StreamResponse:
    """Show what is set."""
    return await _page(visit)


async def change(visit: Visit) -> web.StreamResponse:
    """Set what is not secret."""
    form = await visit.form()
    wrong = {}
    if form["extension"] and not is_extension(form["extension"]):
        wrong["extension"] = visit.gettext("An extension of the office: at most six digits.")
    if form["zone"] and form["zone"] not in available_timezones():
        wrong["zone"] = visit.gettext("No such time zone. Choose one from the list.")
    if wrong:
        return await _page(visit, wrong, typed={name: form[name] for name in ("extension", "zone")})
    language = form["language"] if form["language"] in visit.languages else ""

    def write(tx: Connection) -> None:
        accounts.change(
            tx,
            visit.who.user_id,
            display_name=form["display_name"][:100] or visit.who.name,
            extension=form["extension"],
            language=language,
            zone=form["zone"],
            shortcuts="shortcuts" in form,
        )
        visit.audit(tx, "profile.change", visit.who.name, f"extension {form['extension'] or '-'}")

    await visit.inside.db.run(write)
    return visit.to("/me", notice=visit.gettext("Saved."))


async def change_password(visit: Visit) -> web.StreamResponse:
    """Set another password: every other browser has to log in again."""
    guard = visit.request.app[GUARD]
    form = await visit.form()
    wrong = new_password_mistakes(visit, form)
    if wrong:
        return await _page(visit, wrong)
    try:
        found = await guard.logins.prove(
            visit.who.name, form["current"], visit.who.address, visit.now
        )
        if isinstance(found, Refused):
            told = (
                visit.gettext("Too many tries. Wait a quarter of an hour.")
                if found.wait
                else visit.gettext("This is not your password.")
            )
            return await _page(visit, {"current": told})
        hashed = await guard.logins.passwords.hash(form["password"])
    except TooBusy:
        told = visit.gettext("Too many people log in at this moment. Try again.")
        return await _page(visit, {"current": told})
    user = found

    def write(tx: Connection) -> None:
        accounts.change(tx, user.row_id, password=hashed)
        guard.begin_anew(tx, visit.request, user, visit.now)
        visit.audit(tx, "password.change", user.name)

    await visit.inside.db.run(write)
    return visit.to(
        "/me", notice=visit.gettext("The password is changed. Other browsers are logged out.")
    )


async def end_session(visit: Visit) -> web.StreamResponse:
    """Log one of one's own browsers out."""
    row_id = int(visit.request.match_info["session"])

    def write(tx: Connection) -> bool:
        ended = sessions.end(tx, row_id, visit.who.user_id)
        if ended:
            visit.audit(tx, "session.end", visit.who.name)
        return ended

    if not await visit.inside.db.run(write):
        raise web.HTTPNotFound
    return visit.to("/me", notice=visit.gettext("That browser is logged out."))


async def end_others(visit: Visit) -> web.StreamResponse:
    """Log all of one's own browsers out but this one."""
    here = visit.request.app[GUARD].session(visit.request)

    def write(tx: Connection) -> None:
        sessions.end_all(tx, visit.who.user_id, but=here.row_id if here else None)
        visit.audit(tx, "session.end", visit.who.name, "all others")

    await visit.inside.db.run(write)
    return visit.to("/me", notice=visit.gettext("All other browsers are logged out."))


async def _page(
    visit: Visit, wrong: Mapping[str, str] = _NOTHING, typed: Mapping[str, str] = _NOTHING
) -> web.Response:
    def read(tx: Connection) -> _Mine | None:
        user = accounts.get(tx, visit.who.user_id)
        return None if user is None else _Mine(user, sessions.of(tx, user.row_id, visit.now))

    mine = await visit.inside.db.read(read)
    if mine is None:
        raise web.HTTPNotFound
    here = visit.request.app[GUARD].session(visit.request)
    return visit.page(
        "profile.html",
        status=422 if wrong else 200,
        title=visit.gettext("My profile"),
        user=mine.user,
        extension=typed.get("extension", mine.user.extension),
        zone=typed.get("zone", mine.user.zone),
        languages={code: Locale.parse(code).get_display_name() for code in visit.languages},
        zones=sorted(available_timezones()),
        sessions=[_Browser.of(visit, session) for session in mine.sessions],
        here=here.row_id if here else 0,
        wrong=wrong,
        least=SHORTEST_PASSWORD,
    )


ROUTES = (
    get("/me", show),
    post("/me", change, Role.VIEWER),
    post("/me/password", change_password, Role.VIEWER),
    post("/me/sessions/others/end", end_others, Role.VIEWER),
    post("/me/sessions/{session:[0-9]{1,15}}/end", end_session, Role.VIEWER),
)
