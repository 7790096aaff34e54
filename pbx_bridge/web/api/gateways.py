"""Gateways: how each stands, what went through it, and what that cost."""

from datetime import datetime, timedelta

from pydantic import Field
from sqlalchemy import Connection

from pbx_bridge.core.pricing import from_micros
from pbx_bridge.core.roles import Role
from pbx_bridge.core.routing import SOUND, Circuit
from pbx_bridge.history import spending
from pbx_bridge.objects.gateways import gateway_object
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store import outbox, standings
from pbx_bridge.store.messages import Traffic
from pbx_bridge.web.api.doing import change
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.api.problems import no_such
from pbx_bridge.web.api.shapes import Asked, Given, Line
from pbx_bridge.web.frame import Visit

_DAY = timedelta(days=1)


class GatewayShown(Given):
    """A gateway; the figures are of 24 hours."""

    name: str
    type: str
    circuit: Circuit = Field(description="`closed`: in use; `open`: not before `until`")
    until: datetime | None
    reason: str = Field(description="why it is not used")
    taken: int = Field(description="messages that it took")
    delivered: int
    failed: int
    cost: str = Field(description="as a decimal number")
    currency: str


class GatewayList(Given):
    """Every gateway that is configured, and what may be spent."""

    items: list[GatewayShown]
    spent_day: str = Field(description="in 24 hours, as a decimal number")
    spent_month: str = Field(description="in this calendar month")
    cap_day: str | None = Field(description="texts stop at this much; null: no limit")
    cap_month: str | None
    currency: str


class NamedGateway(Asked):
    """Which gateway."""

    name: Line = Field(examples=["twilio"])


@operation("GET", "/gateways", Role.VIEWER, tag="gateways")
async def gateways(visit: Visit) -> GatewayList:
    """Tell how each gateway stands, and what was spent."""
    return await visit.inside.db.read(lambda tx: _list(visit, tx))


@operation("POST", "/gateways/{name}/close-circuit", Role.ADMIN, tag="gateways", refuses=(404,))
async def close_circuit(visit: Visit, path: NamedGateway) -> GatewayList:
    """Use a gateway again now: it was mended."""
    if path.name not in visit.inside.config().gateways:
        raise no_such("gateway", path.name)

    def write(tx: Connection, now: datetime) -> GatewayList:
        standings.save(tx, path.name, SOUND, now)
        outbox.circuit_closed(tx, now)
        return _list(visit, tx)

    found = await change(visit, "gateway.close_circuit", path.name, write)
    visit.inside.queued()
    return found


def _list(visit: Visit, tx: Connection) -> GatewayList:
    config, rules = visit.inside.config(), visit.inside.rules()
    standing, traffic = standings.everyone(tx), stored_messages.traffic(tx, visit.now - _DAY)
    spent, budget = spending(tx, rules, visit.now), rules.budget
    return GatewayList(
        items=[
            GatewayShown.model_validate(
                gateway_object(
                    name,
                    configured.kind,
                    standing.get(name, SOUND),
                    traffic.get(name, Traffic()),
                    config.spending.currency,
                )
            )
            for name, configured in config.gateways.items()
        ],
        spent_day=_money(spent.day),
        spent_month=_money(spent.month),
        cap_day=None if budget.per_day is None else _money(budget.per_day),
        cap_month=None if budget.per_month is None else _money(budget.per_month),
        currency=budget.currency,
    )


def _money(micros: int) -> str:
    return str(from_micros(micros))


OPERATIONS = (gateways, close_circuit)
