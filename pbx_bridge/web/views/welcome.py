"""Where a one-time link leads: name and password, then one is in."""

from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.core.accounts import (
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    login_name,
    password_fits,
)
from pbx_bridge.store import accounts, audit, invites
from pbx_bridge.store.accounts import User
from pbx_bridge.store.invites import Invite
from pbx_bridge.web.access import opaque
from pbx_bridge.web.access.guard import GUARD
from pbx_bridge.web.access.passwords import TooBusy
from pbx_bridge.web.frame import Form, Visit
from pbx_bridge.web.routes import get, post

Wrong = dict[str, str]


class _NameTaken(Exception):  # noqa: N818 - it rolls the transaction back
    """Somebody has this name."""


@dataclass(frozen=True, slots=True)
class _NewUser:
    """Who is to become a user."""

    name: str
    display_name: str


async def show(visit: Visit) -> web.StreamResponse:
    """Ask for what is missing. Looking does not use the link up: mail scanners look too."""
    found = await _found(visit, visit.query.get("link", ""))
    if found is None:
        return _no_link(visit)
    return _page(visit, visit.query.get("link", ""), *found)


async def welcome(visit: Visit) -> web.StreamResponse:
    """Use the link up: make the user, or set the password, and log in."""
    guard = visit.request.app[GUARD]
    form = await visit.form()
    found = await _found(visit, form["link"])
    if found is None:
        return _no_link(visit)
    invite, user = found
    name = user.name if user else invite.name or login_name(form["name"]) or ""
    wrong = new_password_mistakes(visit, form)
    if not name:
        wrong["name"] = visit.gettext("Small letters, digits and . _ - @, at most 63.")
    if wrong:
        return _page(visit, form["link"], invite, user, form=form, wrong=wrong)
    try:
        hashed = await guard.logins.passwords.hash(form["password"])
    except TooBusy:
        wrong["password"] = visit.gettext("Too many people log in at this moment. Try again.")
        return _page(visit, form["link"], invite, user, form=form, wrong=wrong)

    def use(tx: Connection) -> bool:
        return _use(visit, tx, invite, user or _NewUser(name, form["display_name"][:100]), hashed)

    try:
        if not await visit.inside.db.run(use):
            return _no_link(visit)
    except _NameTaken:
        wrong["name"] = visit.gettext("Somebody has this name. Choose another one.")
        return _page(visit, form["link"], invite, user, form=form, wrong=wrong)
    return visit.to("/", notice=visit.gettext("Welcome, %s.") % name)


def _use(visit: Visit, tx: Connection, invite: Invite, who: User | _NewUser, hashed: str) -> bool:
    """Use the link up for a user; tell whether it still held."""
    guard = visit.request.app[GUARD]
    if not invites.use(tx, invite.row_id, visit.now):
        return False
    user = who
    if isinstance(user, _NewUser):
        made = accounts.add(
            tx,
            name=user.name,
            role=invite.role,
            now=visit.now,
            display_name=user.display_name,
        )
        if made is None:
            raise _NameTaken
        user = made
    accounts.change(tx, user.row_id, password=hashed)
    guard.begin_anew(tx, visit.request, user, visit.now)
    audit.note(
        tx,
        at=visit.now,
        who=user.name,
        action="user.join" if invite.user is None else "password.set",
        subject=user.name,
        detail=f"as {user.role.value}, by a link of {invite.created_by or 'the console'}",
        address=guard.address(visit.request),
    )
    return True


def new_password_mistakes(visit: Visit, form: Form) -> Wrong:
    """Say what is wrong with a new password and its repetition."""
    if not password_fits(form["password"]):
        return {
            "password": visit.gettext("From %(least)d to %(most)d characters.")
            % {"least": SHORTEST_PASSWORD, "most": LONGEST_PASSWORD}
        }
    if form["password"] != form["again"]:
        return {"again": visit.gettext("The two are not the same.")}
    return {}


async def _found(visit: Visit, link: str) -> tuple[Invite, User | None] | None:
    """Give what a link is good for, and for whom; None for one that does not hold."""
    if not 0 < len(link) <= opaque.LONGEST:
        return None

    def read(tx: Connection) -> tuple[Invite, User | None] | None:
        invite = invites.find(tx, opaque.digest(link), visit.now)
        if invite is None:
            return None
        user = None if invite.user is None else accounts.get(tx, invite.user)
        if user is not None and user.disabled_at is not None:
            return None
        return invite, user

    return await visit.inside.db.read(read)


def _page(  # noqa: PLR0913 - what the form has in it
    visit: Visit,
    link: str,
    invite: Invite,
    user: User | None,
    *,
    form: Form | None = None,
    wrong: Wrong | None = None,
) -> web.Response:
    return visit.page(
        "welcome.html",
        status=422 if wrong else 200,
        title=visit.gettext("Welcome"),
        link=link,
        invite=invite,
        user=user,
        name=form["name"] if form else "",
        display_name=form["display_name"] if form else "",
        wrong=wrong or {},
        least=SHORTEST_PASSWORD,
        form_token=visit.request.app[GUARD].form_token(visit.request),
    )


def _no_link(visit: Visit) -> web.Response:
    return visit.page(
        "error.html",
        status=410,
        title=visit.gettext("This link does not hold any more"),
        said=visit.gettext("Each link is good for one time, and for some days."),
        advice=visit.gettext("Ask for another one whoever gave it to you."),
        code=410,
    )


ROUTES = (get("/welcome", show, role=None), post("/welcome", welcome, role=None))
