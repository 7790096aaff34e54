"""`users`: who may use the page; one-time links for them."""

import getpass
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import click
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.cli.options import (
    Misuse,
    Report,
    config_option,
    json_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import local, print_json, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.config.web import Web
from pbx_bridge.core.accounts import login_name
from pbx_bridge.core.roles import Role
from pbx_bridge.store import accounts, audit, invites, sessions
from pbx_bridge.store.accounts import User
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.web.access import links

T = TypeVar("T")


class _Users(click.Group):
    """A group that lists when nothing else is asked for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


_role_option = click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    help="viewer looks, agent works on calls, admin changes all. "
    "[default: agent; admin while there is nobody]",
)
_name_argument = click.argument("name")


@click.group(cls=_Users)
def users() -> None:
    """See and change who may use the page; make one-time links for them.

    No password is typed here: whoever has a link sets one in the browser.

    \b
    Examples:
      pbx-bridge users
      pbx-bridge users add anna --role admin
      pbx-bridge users reset anna
      pbx-bridge users disable anna
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is


@users.command("list")
@config_option
@json_option
def list_(config_path: Path | None, *, as_json: bool) -> None:
    """List users, and links that are not used yet.

    \b
    Examples:
      pbx-bridge users list --json
    """  # noqa: D301 - see above
    config = load_config(config_path)
    now, zone = clock.utc_now(), config.office.timezone
    with told_plainly(StoreProblem):
        found = run_async(_read(config, accounts.everybody))
        waiting = run_async(_read(config, lambda tx: invites.waiting(tx, now)))
    if as_json:
        print_json(_user_object(user) for user in found)
        return
    if found:
        print_table(
            f"users, times in {zone}",
            ("name", "called", "role", "extension", "state", "last here"),
            [
                (
                    user.name,
                    user.display_name,
                    user.role.value,
                    user.extension,
                    "disabled" if user.disabled_at else "may log in",
                    local(user.seen_at, zone),
                )
                for user in found
            ],
        )
    else:
        print_line("nobody can log in yet; `pbx-bridge users link` makes a link for the first")
    names = {user.row_id: user.name for user in found}
    for one in waiting:
        whom = names.get(one.user or 0) or one.name or "anybody"
        print_line(f"a link for {whom} ({one.role}) holds until {local(one.expires_at, zone)}")


@users.command()
@config_option
@_name_argument
@_role_option
def add(config_path: Path | None, name: str, role: str | None) -> None:
    """Print a link by which NAME sets a password and is in.

    \b
    Examples:
      pbx-bridge users add anna --role admin
    """  # noqa: D301 - see above
    config = load_config(config_path)
    web, wanted = _page(config), login_name(name)
    if wanted is None:
        raise Misuse(f"{name!r} is no name: small letters, digits and . _ - @, at most 63")

    def write(tx: Connection, now: datetime) -> tuple[str, Role]:
        if accounts.by_name(tx, wanted) is not None:
            raise Report(f"there is {wanted} already; `pbx-bridge users reset {wanted}`")
        given = _given(tx, role)
        _note(tx, now, "user.invite", wanted, f"as {given.value}")
        return links.invite(tx, given, created_by=_caller(), now=now, name=wanted), given

    secret, given = _write(config, write)
    print_line(f"for {wanted}, as {given.value}, one time, within {links.INVITE_LASTS.days} days:")
    print_line(links.address(web.url, secret))


@users.command()
@config_option
@_role_option
def link(config_path: Path | None, role: str | None) -> None:
    """Print a link for one new user, who chooses a name.

    \b
    Examples:
      pbx-bridge users link --role viewer
    """  # noqa: D301 - see above
    config = load_config(config_path)
    web = _page(config)

    def write(tx: Connection, now: datetime) -> tuple[str, Role]:
        given = _given(tx, role)
        _note(tx, now, "user.invite", "", f"as {given.value}")
        return links.invite(tx, given, created_by=_caller(), now=now), given

    secret, given = _write(config, write)
    print_line(f"for one {given.value}, one time, within {links.INVITE_LASTS.days} days:")
    print_line(links.address(web.url, secret))


@users.command()
@config_option
@_name_argument
def reset(config_path: Path | None, name: str) -> None:
    """Log NAME out everywhere, and print a link that sets another password.

    \b
    Examples:
      pbx-bridge users reset anna
    """  # noqa: D301 - see above
    config = load_config(config_path)
    web = _page(config)

    def write(tx: Connection, now: datetime) -> str:
        user = _find(tx, name)
        if user.disabled_at is not None:
            raise Report(f"{user.name} is disabled; `pbx-bridge users enable {user.name}`")
        if user.subject is not None:
            raise Report(f"{user.name} logs in at the OpenID provider; there is no password here")
        sessions.end_all(tx, user.row_id)
        _note(tx, now, "user.reset", user.name)
        return links.another_password(tx, user, created_by=_caller(), now=now)

    secret = _write(config, write)
    print_line(f"for {name}, one time, within a day:")
    print_line(links.address(web.url, secret))


@users.command("role")
@config_option
@_name_argument
@click.argument("role", type=click.Choice([role.value for role in Role]))
def role_(config_path: Path | None, name: str, role: str) -> None:
    """Give NAME another role; it is logged out everywhere.

    \b
    Examples:
      pbx-bridge users role anna admin
    """  # noqa: D301 - see above

    def write(tx: Connection, now: datetime) -> str:
        user = _find(tx, name)
        if user.role == role:
            return f"{user.name} is {role} already"
        _keep_an_admin(tx, user)
        accounts.change(tx, user.row_id, role=Role(role))
        sessions.end_all(tx, user.row_id)
        _note(tx, now, "user.role", user.name, f"{user.role.value} to {role}")
        return f"{user.name} is {role} now, and has to log in again"

    print_line(_write(load_config(config_path), write))


@users.command()
@config_option
@_name_argument
def disable(config_path: Path | None, name: str) -> None:
    """Log NAME out everywhere, and let it in no more.

    \b
    Examples:
      pbx-bridge users disable anna
    """  # noqa: D301 - see above

    def write(tx: Connection, now: datetime) -> str:
        user = _find(tx, name)
        _keep_an_admin(tx, user)
        accounts.change(tx, user.row_id, disabled_at=now)
        sessions.end_all(tx, user.row_id)
        invites.withdraw_for(tx, user.row_id)
        _note(tx, now, "user.disable", user.name)
        return f"{user.name} is logged out everywhere and cannot log in"

    print_line(_write(load_config(config_path), write))


@users.command()
@config_option
@_name_argument
def enable(config_path: Path | None, name: str) -> None:
    """Let NAME in again.

    \b
    Examples:
      pbx-bridge users enable anna
    """  # noqa: D301 - see above

    def write(tx: Connection, now: datetime) -> str:
        user = _find(tx, name)
        accounts.change(tx, user.row_id, disabled_at=None)
        _note(tx, now, "user.enable", user.name)
        return f"{user.name} can log in again"

    print_line(_write(load_config(config_path), write))


# -------------------------------------------------------------------------------------------


def _page(config: Config) -> Web:
    if config.web is None:
        raise Misuse("there is no page: the configuration has no [web]; docs/access.md")
    return config.web


def _given(tx: Connection, role: str | None) -> Role:
    if role is not None:
        return Role(role)
    return Role.ADMIN if accounts.nobody(tx) else Role.AGENT


def _find(tx: Connection, name: str) -> User:
    user = accounts.by_name(tx, login_name(name) or "")
    if user is None:
        known = ", ".join(one.name for one in accounts.everybody(tx)) or "nobody"
        raise Report(f"no user {name!r}; there are {known}")
    return user


def _keep_an_admin(tx: Connection, user: User) -> None:
    if user.role is Role.ADMIN and accounts.is_last_admin(tx, user.row_id):
        raise Report("nobody else is an administrator: make somebody one before")


def _caller() -> str:
    return f"{getpass.getuser()} on the console"


def _note(tx: Connection, now: datetime, action: str, subject: str, detail: str = "") -> None:
    audit.note(tx, at=now, who=_caller(), action=action, subject=subject, detail=detail)


def _user_object(user: User) -> dict[str, object]:
    return {
        "name": user.name,
        "display_name": user.display_name,
        "role": user.role.value,
        "extension": user.extension,
        "disabled_at": user.disabled_at,
        "created_at": user.created_at,
        "seen_at": user.seen_at,
    }


async def _read(config: Config, query: Callable[[Connection], T]) -> T:
    async with Database.read_only(config.database.path) as database:
        return await database.read(query)


def _write(config: Config, write: Callable[[Connection, datetime], T]) -> T:
    async def work() -> T:
        async with Database.open(config.database.path) as database:
            return await database.run(lambda tx: write(tx, clock.utc_now()))

    with told_plainly(StoreProblem):
        return run_async(work())
