"""One-time links: for a new user, for another password, for the first administrator."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from pbx_bridge.core.roles import Role
from pbx_bridge.store import accounts, invites
from pbx_bridge.store.accounts import User
from pbx_bridge.web.access import opaque

#: For so long a new user's link holds,
INVITE_LASTS = timedelta(days=3)
#: and one that gets somebody in at once.
RESET_LASTS = timedelta(days=1)


def invite(tx: Connection, role: Role, *, created_by: str, now: datetime, name: str = "") -> str:
    """Make what the link of a new user ends with; the name is the user's choice if empty."""
    secret = opaque.new()
    invites.make(
        tx,
        token=opaque.digest(secret),
        role=role,
        created_by=created_by,
        now=now,
        expires_at=now + INVITE_LASTS,
        name=name,
    )
    return secret


def another_password(tx: Connection, user: User, *, created_by: str, now: datetime) -> str:
    """Make what the link ends with by which a user sets another password."""
    secret = opaque.new()
    invites.make(
        tx,
        token=opaque.digest(secret),
        role=user.role,
        created_by=created_by,
        now=now,
        expires_at=now + RESET_LASTS,
        user=user.row_id,
    )
    return secret


def first_administrator(tx: Connection, now: datetime) -> str | None:
    """Make what the link of the first administrator ends with; None: there are users.

    It is made anew at each start, and the one before holds no longer.
    """
    if not accounts.nobody(tx):
        return None
    invites.withdraw_first(tx)
    secret = opaque.new()
    invites.make(
        tx,
        token=opaque.digest(secret),
        role=Role.ADMIN,
        created_by="",
        now=now,
        expires_at=now + RESET_LASTS,
    )
    return secret


def address(url: str, secret: str) -> str:
    """Give the whole link; `url` is where browsers find the page."""
    return f"{url}/welcome?link={secret}"
