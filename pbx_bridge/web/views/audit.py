"""Who did what, for administrators."""

from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.core.roles import Role
from pbx_bridge.store import audit
from pbx_bridge.store.audit import AuditRecord, Wanted
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get

PAGE = 50
_FIELDS = ("who", "action", "subject", "since", "until")


async def show(visit: Visit) -> web.StreamResponse:
    """List what was done, the newest first."""
    asked = {name: visit.query.get(name, "").strip()[:200] for name in _FIELDS}
    wanted = Wanted(
        who=asked["who"],
        action=asked["action"],
        subject=asked["subject"],
        since=_midnight(visit, asked["since"]),
        until=_midnight(visit, asked["until"], timedelta(days=1)),
    )
    before = visit.query.get("before", "")
    older_than = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None  # noqa: PLR2004

    def read(tx: Connection) -> tuple[list[AuditRecord], list[str]]:
        found = audit.page(tx, wanted, limit=PAGE + 1, before=older_than)
        return found, audit.actions(tx)

    found, actions = await visit.inside.db.read(read)
    kept = {name: value for name, value in asked.items() if value}
    shown = found[:PAGE]
    return visit.page(
        "audit.html",
        title=visit.gettext("Audit log"),
        entries=shown,
        actions=actions,
        asked=asked,
        filtered=bool(kept),
        newest=_address(visit, kept) if older_than is not None else "",
        older=_address(visit, kept | {"before": str(shown[-1].row_id)})
        if len(found) > PAGE
        else "",
    )


def _midnight(visit: Visit, written: str, later: timedelta = timedelta()) -> datetime | None:
    """Give the beginning of a day in the viewer's zone; None for what is no day."""
    try:
        day = date.fromisoformat(written) + later
        return datetime.combine(day, time(), visit.zone)
    except (ValueError, OverflowError):
        return None


def _address(visit: Visit, query: dict[str, str]) -> str:
    return visit.url("/audit") + (f"?{urlencode(query)}" if query else "")


ROUTES = (get("/audit", show, Role.ADMIN),)
