"""How a gateway stands, and what went through it."""

from typing import Any

from pbx_bridge.core.pricing import from_micros
from pbx_bridge.core.routing import Standing
from pbx_bridge.store.messages import Traffic


def gateway_object(
    name: str, kind: str, standing: Standing, traffic: Traffic, currency: str
) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "circuit": standing.circuit,
        "until": standing.until,
        "reason": standing.reason,
        "taken": traffic.taken,
        "delivered": traffic.delivered,
        "failed": traffic.failed,
        "cost": str(from_micros(traffic.cost_micros)),
        "currency": currency,
    }
