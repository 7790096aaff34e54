"""Programs that may use the API: a token for each, shown once."""

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.core.roles import Role
from pbx_bridge.core.text import clean
from pbx_bridge.store import tokens
from pbx_bridge.web.access import opaque
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get, post

#: What a program may be called: it stands in the audit log.
LONGEST_NAME = 60


async def show(visit: Visit) -> web.StreamResponse:
    """List all tokens, but not the tokens themselves: nobody can."""
    return await _page(visit)


async def make(visit: Visit) -> web.StreamResponse:
    """Make a token, and show it this once."""
    form = await visit.form()
    name = clean(form["name"])
    try:
        role = Role(form["role"])
    except ValueError:
        raise web.HTTPBadRequest from None
    if not 0 < len(name) <= LONGEST_NAME:
        wrong = visit.gettext("Say what it is for, in at most %d characters.") % LONGEST_NAME
        return await _page(visit, wrong=wrong, typed=name, status=422)
    token = opaque.new_token()

    def write(tx: Connection) -> None:
        tokens.make(
            tx,
            name=name,
            token=opaque.digest(token),
            role=role,
            created_by=visit.who.name,
            now=visit.now,
        )
        visit.audit(tx, "token.make", name, f"as {role.value}")

    await visit.inside.db.run(write)
    return visit.page(
        "tokens_made.html",
        title=visit.gettext("A token to copy"),
        token=token,
        name=name,
    )


async def revoke(visit: Visit) -> web.StreamResponse:
    """Have a token hold no longer, from this moment on."""
    row_id = int(visit.request.match_info["token"])

    def write(tx: Connection) -> str | None:
        gone = tokens.revoke(tx, row_id, visit.now)
        if gone is None:
            return None
        visit.audit(tx, "token.revoke", gone.name)
        return gone.name

    name = await visit.inside.db.run(write)
    if name is None:
        raise web.HTTPNotFound
    return visit.to("/tokens", notice=visit.gettext("The token of %s is revoked.") % name)


async def _page(
    visit: Visit, *, wrong: str = "", typed: str = "", status: int = 200
) -> web.Response:
    return visit.page(
        "tokens.html",
        status=status,
        title=visit.gettext("API tokens"),
        tokens=await visit.inside.db.read(tokens.everyone),
        roles=list(Role),
        wrong=wrong,
        typed=typed,
        longest=LONGEST_NAME,
    )


ROUTES = (
    get("/tokens", show, Role.ADMIN),
    post("/tokens", make, Role.ADMIN),
    post("/tokens/{token:[0-9]{1,15}}/revoke", revoke, Role.ADMIN),
)
