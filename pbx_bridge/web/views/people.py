"""Who may use the page: invite, change the role, disable, let somebody set another password."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.core.accounts import login_name
from pbx_bridge.core.roles import Role
from pbx_bridge.store import accounts, invites, sessions
from pbx_bridge.store.accounts import User
from pbx_bridge.store.invites import Invite
from pbx_bridge.web.access import links
from pbx_bridge.web.access.guard import GUARD
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get, post


class _Refused(Exception):  # noqa: N818 - it rolls the transaction back
    """What cannot be done, in words."""


@dataclass(frozen=True, slots=True)
class _People:
    """Users, and links that are not used yet."""

    users: list[User]
    invites: list[Invite]


async def show(visit: Visit) -> web.StreamResponse:
    """List everybody."""
    return await _page(visit)


async def invite(visit: Visit) -> web.StreamResponse:
    """Make a link for a new user; it is shown this once."""
    form = await visit.form()
    role = _role(form["role"])
    name = login_name(form["name"]) if form["name"] else ""
    if name is None:
        wrong = visit.gettext("Small letters, digits and . _ - @, at most 63.")
        return await _page(visit, wrong=wrong, typed=form["name"], status=422)

    def write(tx: Connection) -> str:
        if name and accounts.by_name(tx, name) is not None:
            raise _Refused(visit.gettext("Somebody has this name. Choose another one."))
        visit.audit(tx, "user.invite", name, f"as {role.value}")
        return links.invite(tx, role, created_by=visit.who.name, now=visit.now, name=name)

    try:
        secret = await visit.inside.db.run(write)
    except _Refused as problem:
        return await _page(visit, wrong=str(problem), typed=name, status=422)
    return _link_page(visit, secret, name)


async def change_role(visit: Visit) -> web.StreamResponse:
    """Give somebody another role; whoever it is has to log in again."""
    role = _role((await visit.form())["role"])

    def write(tx: Connection, user: User) -> str:
        if user.role is role:
            return visit.gettext("Nothing is changed.")
        _keep_an_admin(visit, tx, user)
        accounts.change(tx, user.row_id, role=role)
        sessions.end_all(tx, user.row_id)
        visit.audit(tx, "user.role", user.name, f"{user.role.value} to {role.value}")
        return visit.gettext("%s has another role now, and has to log in again.") % user.name

    return await _done(visit, write)


async def disable(visit: Visit) -> web.StreamResponse:
    """Let somebody in no longer, from this moment on."""

    def write(tx: Connection, user: User) -> str:
        _keep_an_admin(visit, tx, user)
        accounts.change(tx, user.row_id, disabled_at=visit.now)
        sessions.end_all(tx, user.row_id)
        invites.withdraw_for(tx, user.row_id)
        visit.audit(tx, "user.disable", user.name)
        return visit.gettext("%s is logged out everywhere and cannot log in.") % user.name

    return await _done(visit, write)


async def enable(visit: Visit) -> web.StreamResponse:
    """Let somebody in again."""

    def write(tx: Connection, user: User) -> str:
        accounts.change(tx, user.row_id, disabled_at=None)
        visit.audit(tx, "user.enable", user.name)
        return visit.gettext("%s can log in again.") % user.name

    return await _done(visit, write)


async def reset(visit: Visit) -> web.StreamResponse:
    """Make a link by which somebody sets another password; the sessions end now."""

    def write(tx: Connection) -> tuple[str, str] | None:
        user = accounts.get(tx, _asked_for(visit))
        if user is None or user.disabled_at is not None:
            return None
        if user.subject is not None:
            raise _Refused(
                visit.gettext("%s logs in elsewhere; there is no password here.") % user.name
            )
        sessions.end_all(tx, user.row_id)
        visit.audit(tx, "user.reset", user.name)
        secret = links.another_password(tx, user, created_by=visit.who.name, now=visit.now)
        return user.name, secret

    try:
        made = await visit.inside.db.run(write)
    except _Refused as problem:
        return await _page(visit, refused=str(problem), status=409)
    if made is None:
        raise web.HTTPNotFound
    return _link_page(visit, made[1], made[0])


async def withdraw(visit: Visit) -> web.StreamResponse:
    """Have a link hold no longer."""
    row_id = int(visit.request.match_info["invite"])

    def write(tx: Connection) -> bool:
        gone = invites.withdraw(tx, row_id)
        if gone is not None:
            visit.audit(tx, "user.uninvite", gone.name, f"as {gone.role.value}")
        return gone is not None

    if not await visit.inside.db.run(write):
        raise web.HTTPNotFound
    return visit.to("/people", notice=visit.gettext("That link does not hold any more."))


def _role(written: str) -> Role:
    try:
        return Role(written)
    except ValueError:
        raise web.HTTPBadRequest from None


def _asked_for(visit: Visit) -> int:
    return int(visit.request.match_info["user"])


def _keep_an_admin(visit: Visit, tx: Connection, user: User) -> None:
    if user.role is Role.ADMIN and accounts.is_last_admin(tx, user.row_id):
        raise _Refused(visit.gettext("Nobody else is an administrator: make somebody one before."))


async def _done(visit: Visit, write: Callable[[Connection, User], str]) -> web.StreamResponse:
    """Do something to the user that the address names, and say what was done."""

    def work(tx: Connection) -> str | None:
        user = accounts.get(tx, _asked_for(visit))
        return None if user is None else write(tx, user)

    try:
        said = await visit.inside.db.run(work)
    except _Refused as problem:
        return await _page(visit, refused=str(problem), status=409)
    if said is None:
        raise web.HTTPNotFound
    return visit.to("/people", notice=said)


async def _page(
    visit: Visit, *, wrong: str = "", typed: str = "", refused: str = "", status: int = 200
) -> web.Response:
    def read(tx: Connection) -> _People:
        return _People(accounts.everybody(tx), invites.waiting(tx, visit.now))

    found = await visit.inside.db.read(read)
    names = {user.row_id: user.name for user in found.users}
    return visit.page(
        "people.html",
        status=status,
        title=visit.gettext("People"),
        users=found.users,
        invites=found.invites,
        names=names,
        roles=list(Role),
        wrong=wrong,
        typed=typed,
        refused=refused,
    )


def _link_page(visit: Visit, secret: str, name: str) -> web.Response:
    settings = visit.request.app[GUARD].settings
    return visit.page(
        "people_link.html",
        title=visit.gettext("A link to hand over"),
        link=links.address(settings.url, secret),
        name=name,
    )


ROUTES = (
    get("/people", show, Role.ADMIN),
    post("/people/invite", invite, Role.ADMIN),
    post("/people/{user:[0-9]{1,15}}/role", change_role, Role.ADMIN),
    post("/people/{user:[0-9]{1,15}}/disable", disable, Role.ADMIN),
    post("/people/{user:[0-9]{1,15}}/enable", enable, Role.ADMIN),
    post("/people/{user:[0-9]{1,15}}/reset", reset, Role.ADMIN),
    post("/people/invites/{invite:[0-9]{1,15}}/withdraw", withdraw, Role.ADMIN),
)
