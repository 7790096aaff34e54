"""Webhooks and CRMs: how each stands, what it was told, and telling it again."""

from datetime import timedelta
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.config import Config
from pbx_bridge.core.happening import Happened
from pbx_bridge.core.redelivery import SOUND, DeliveryState, DestinationStanding
from pbx_bridge.core.roles import Role
from pbx_bridge.store import events
from pbx_bridge.store.events import Count, DeliveryRecord
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get, post

PAGE = 25
_PATH = "/deliveries/webhooks"
_DAY = timedelta(days=1)
#: What was given up can be told again for so long: as long as events are kept at least.
_FAILED_WITHIN = timedelta(days=30)
_KINDS = {
    DeliveryState.WAITING: "wait",
    DeliveryState.REFUSED: "wait",
    DeliveryState.DELIVERED: "good",
    DeliveryState.FAILED: "bad",
    DeliveryState.DROPPED: "calm",
}
#: What has ended can be told again.
ENDED = frozenset({DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.DROPPED})


async def index(visit: Visit) -> web.Response:
    """Show how each destination stands, and what was told to whom."""
    config = visit.inside.config()
    name, state = visit.query.get("to", ""), _state(visit.query.get("state", ""))
    below = _below(visit.query.get("before", ""))

    def read(
        tx: Connection,
    ) -> tuple[dict[str, DestinationStanding], dict[str, Count], list[DeliveryRecord]]:
        found = events.recent(
            tx, limit=PAGE + 1, destination=name or None, state=state, below=below
        )
        return events.all_standings(tx), events.counts(tx, visit.now - _DAY), found

    standings, counts, found = await visit.inside.db.read(read)
    configured = _configured(config)
    names = list(dict.fromkeys([*configured, *standings, *counts]))
    asked = {"to": name, "state": state or ""}
    after = None
    if len(found) > PAGE:
        last = found[PAGE - 1]
        more = asked | {"before": f"{last.event_id}-{last.delivery_id}"}
        after = visit.url(f"{_PATH}?{urlencode(more)}")
    return visit.page(
        "destinations.html",
        title=visit.gettext("Webhooks and CRMs"),
        destinations=[
            (one, configured.get(one, ""), standings.get(one, SOUND), counts.get(one, Count()))
            for one in names
        ],
        names=names,
        configured=configured,
        asked=asked,
        found=found[:PAGE],
        kinds=_KINDS,
        states=_states(visit),
        ended=ENDED,
        newest=visit.url(f"{_PATH}?{urlencode(asked)}") if below else None,
        after=after,
    )


async def again(visit: Visit) -> web.Response:
    """Tell one thing again, with the same webhook-id."""
    delivery_id = int(visit.request.match_info["delivery"])

    def write(tx: Connection) -> DeliveryRecord | None:
        told = events.again(tx, delivery_id, visit.now)
        if told is not None:
            visit.audit(tx, "delivery.again", told.destination, told.happening.key)
        return told

    told = await visit.inside.db.run(write)
    if told is None:
        return visit.to(_PATH, notice=visit.gettext("That waits already, or is forgotten."))
    visit.inside.told()
    notice = visit.gettext("It will be told to %s again.") % told.destination
    return visit.to(f"{_PATH}?{urlencode({'to': told.destination})}", notice=notice)


async def failed_again(visit: Visit) -> web.Response:
    """Tell a destination again all that was given up in the last 30 days."""
    name = (await visit.form())["to"]
    since = visit.now - _FAILED_WITHIN

    def write(tx: Connection) -> int | None:
        if name not in _configured(visit.inside.config()):
            return None
        count = events.replay(tx, name, since, frozenset(Happened), now=visit.now, only_failed=True)
        visit.audit(tx, "delivery.replay", name, f"{count} that had failed")
        return count

    count = await visit.inside.db.run(write)
    if count is None:
        raise web.HTTPNotFound
    visit.inside.told()
    notice = visit.ngettext(
        "%(count)d event is told to %(name)s again.",
        "%(count)d events are told to %(name)s again.",
        count,
    )
    return visit.to(_PATH, notice=notice % {"count": count, "name": name})


ROUTES = (
    get(_PATH, index),
    post(rf"{_PATH}/{{delivery:\d{{1,18}}}}/again", again, Role.ADMIN),
    post(f"{_PATH}/failed", failed_again, Role.ADMIN),
)


def _configured(config: Config) -> dict[str, str]:
    """Give the destinations, each with where it is."""
    webhooks = {one.name: one.host() for one in config.webhooks}
    return webhooks | {name: one.kind for name, one in config.connectors.items()}


def _state(text: str) -> DeliveryState | None:
    return DeliveryState(text) if text in set(DeliveryState) else None


def _below(text: str) -> tuple[int, int] | None:
    event, _, delivery = text.partition("-")
    if not text:
        return None
    try:
        return int(event[:18]), int(delivery[:18])
    except ValueError:
        raise web.HTTPBadRequest from None


def _states(visit: Visit) -> dict[DeliveryState, str]:
    return {
        DeliveryState.WAITING: visit.gettext("waits"),
        DeliveryState.REFUSED: visit.gettext("refused, tried again on its own"),
        DeliveryState.DELIVERED: visit.gettext("taken"),
        DeliveryState.FAILED: visit.gettext("given up"),
        DeliveryState.DROPPED: visit.gettext("dropped: no longer configured"),
    }
