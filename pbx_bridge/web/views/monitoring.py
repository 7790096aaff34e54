"""How the service stands, for whatever watches it: /healthz and /metrics.

Anybody who reaches the page learns that it is well, and no more. The rest is for who has a token,
for who is logged in, and for addresses that the configuration names.
"""

import asyncio
import shutil
from ipaddress import ip_address

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge import logs
from pbx_bridge.core.limits import Spent
from pbx_bridge.history import spending
from pbx_bridge.metrics import CONTENT_TYPE, Readings
from pbx_bridge.web.access.origin import client_address, networks
from pbx_bridge.web.api.health import told
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get


async def healthz(visit: Visit) -> web.Response:
    """Tell the truth in the status, and each finding to whom that concerns."""
    verdict = visit.inside.verdict()
    status = 200 if verdict.works else 503
    headers = {"Cache-Control": "no-store"}
    if visit.visitor is None and not _is_on_this_machine(visit):
        word = "ok" if verdict.works else "not well"
        return web.Response(status=status, text=f"{word}\n", headers=headers)
    body = told(verdict).model_dump_json().encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


async def metrics(visit: Visit) -> web.Response:
    """Give the metrics as Prometheus reads them."""
    if visit.visitor is None and not _may_scrape(visit):
        raise web.HTTPUnauthorized(
            text="send a token (Authorization: Bearer), or name this address in [web] metrics_from"
        )
    inside, rules = visit.inside, visit.inside.rules()

    def spent(tx: Connection) -> Spent:
        return spending(tx, rules, visit.now)

    disk = await asyncio.to_thread(shutil.disk_usage, inside.db.path.parent)
    readings = Readings(
        now=visit.now,
        facts=inside.facts(),
        verdict=inside.verdict(),
        gateways=tuple(inside.config().gateways),
        spent=await inside.db.read(spent),
        budget=rules.budget,
        browsers=inside.changes.listening,
        log_lines={**logs.counted},
        disk_free=disk.free,
    )
    body = await inside.metrics.text(inside.db, readings)
    headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
    return web.Response(body=body, headers=headers)


def _address(visit: Visit) -> str:
    settings = visit.inside.config().web
    proxies = () if settings is None else networks(settings.proxies)
    forwarded = visit.request.headers.getall("X-Forwarded-For", [])
    return client_address(visit.request.remote or "", forwarded, proxies)


def _may_scrape(visit: Visit) -> bool:
    settings = visit.inside.config().web
    allowed = () if settings is None else networks(settings.metrics_from)
    try:
        address = ip_address(_address(visit))
    except ValueError:
        return False
    return any(address in network for network in allowed)


def _is_on_this_machine(visit: Visit) -> bool:
    """Tell whether somebody on this machine asks; behind a reverse proxy nobody can tell."""
    settings = visit.inside.config().web
    if settings is None or settings.public_url is not None:
        return False
    try:
        return ip_address(_address(visit)).is_loopback
    except ValueError:
        return False


ROUTES = (get("/healthz", healthz, role=None), get("/metrics", metrics, role=None))
