"""Logging in at the office's OpenID provider, and coming back from there."""

import structlog
from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.store import accounts, audit, sessions
from pbx_bridge.store.accounts import User
from pbx_bridge.web.access.guard import GUARD
from pbx_bridge.web.access.oidc import OidcProblem, Person, Provider, Why
from pbx_bridge.web.access.origin import local_path
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get
from pbx_bridge.web.views.login import login_page

log = structlog.get_logger()


class _NotLetIn(Exception):  # noqa: N818 - it rolls the transaction back
    """Who was proven is not let in here; the text says why."""


async def leave(visit: Visit) -> web.StreamResponse:
    """Send the browser to the provider. A link does: its answer is bound to this browser."""
    guard, provider = visit.request.app[GUARD], _provider(visit)
    wanted = local_path(visit.query.get("next", "/"))
    try:
        address, secret = await provider.begin(wanted, visit.now)
    except OidcProblem as problem:
        return await _failed(visit, problem)
    guard.remember(visit.request, secret)
    return web.Response(status=303, headers={"Location": address, "Cache-Control": "no-store"})


async def come_back(visit: Visit) -> web.StreamResponse:
    """Log in whom the provider proves."""
    guard, provider = visit.request.app[GUARD], _provider(visit)
    secret = guard.remembered(visit.request)
    try:
        person = await provider.finish(visit.query, secret, visit.now)
    except OidcProblem as problem:
        return await _failed(visit, problem)

    def begin(tx: Connection) -> None:
        user = _user(visit, tx, person)
        guard.begin(tx, visit.request, user, visit.now)
        audit.note(
            tx,
            at=visit.now,
            who=user.name,
            action="login",
            detail="by the OpenID provider",
            address=guard.address(visit.request),
        )

    try:
        await visit.inside.db.run(begin)
    except _NotLetIn as problem:
        return login_page(visit, wanted="/", wrong=str(problem), status=403)
    return visit.to(local_path(person.wanted))


def _user(visit: Visit, tx: Connection, person: Person) -> User:
    """Give the user whom a person is; new ones are made, and roles are as the provider says."""
    known = accounts.by_subject(tx, person.subject)
    if known is None:
        made = accounts.add(
            tx,
            name=person.name,
            role=person.role,
            now=visit.now,
            display_name=person.display_name,
            subject=person.subject,
        )
        if made is None:
            raise _NotLetIn(
                visit.gettext(
                    "Somebody here is called %s already, with a password of this page. "
                    "An administrator has to sort that out."
                )
                % person.name
            )
        return made
    if known.disabled_at is not None:
        raise _NotLetIn(visit.gettext("An administrator has disabled you here."))
    if known.role is not person.role:
        accounts.change(tx, known.row_id, role=person.role)
        sessions.end_all(tx, known.row_id)
        audit.note(
            tx,
            at=visit.now,
            who="",
            action="user.role",
            subject=known.name,
            detail=f"{known.role.value} to {person.role.value}, by the OpenID provider",
        )
    return known


def _provider(visit: Visit) -> Provider:
    provider = visit.request.app[GUARD].provider
    if provider is None:
        raise web.HTTPNotFound
    return provider


async def _failed(visit: Visit, problem: OidcProblem) -> web.Response:
    """Say in plain words why, to the person; the details are for the log."""
    address = visit.request.app[GUARD].address(visit.request)
    log.warning("oidc_login_failed", why=problem.why, problem=str(problem), address=address)
    status = 502 if problem.why in {"unreachable", "not_as_described"} else 403
    return login_page(visit, wanted="/", wrong=_words(visit, problem.why), status=status)


def _words(visit: Visit, why: Why) -> str:
    _ = visit.gettext
    words: dict[Why, str] = {
        "unreachable": _("The company login does not answer. Try again in a minute."),
        "not_as_described": _("The company login is not set up rightly. It is in the log."),
        "refused": _("The company login did not let you in, or you went back."),
        "too_late": _("That took too long, or began in another browser. Try again."),
        "not_proven": _("What the company login said could not be proven. It is in the log."),
        "no_role": _("None of your groups may use this page. Ask an administrator."),
        "no_name": _("The company login does not tell your name. It is in the log."),
    }
    return words[why]


ROUTES = (
    get("/login/oidc", leave, role=None),
    get("/login/oidc/callback", come_back, role=None),
)
