"""[connectors.NAME]: the office's CRM, told of calls and texts, and asked who a caller is."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pbx_bridge import crm, destinations, ports
from pbx_bridge.config.problems import Mistake, mistakes, show
from pbx_bridge.config.values import Duration, did_you_mean

#: Short, since it stands in every row of what was told.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")


class Upkeep(BaseModel):
    """What every connector may have beside its own settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    refresh_after: Duration = Field(
        default=crm.DAY,
        description="for how long a customer's status is taken as it was last read",
        examples=["24h"],
    )


@dataclass(frozen=True, slots=True)
class ConfiguredConnector:
    """A [connectors.NAME] table: a kind of CRM, its settings, and what all of them have."""

    kind: str
    settings: BaseModel
    upkeep: Upkeep = field(default_factory=Upkeep)

    @property
    def refresh_after(self) -> timedelta:
        return self.upkeep.refresh_after

    def build(self, around: ports.Surroundings = ports.ALONE) -> ports.Crm:
        """Make the connector; it is used as a context manager."""
        made: ports.Crm = destinations.load(self.kind).Destination(self.settings, around)
        return made


def read(
    written: object, context: dict[str, Any]
) -> tuple[list[Mistake], dict[str, ConfiguredConnector]]:
    """Give each table to the connector that its `type` names."""
    if not isinstance(written, dict):
        return [Mistake(("connectors",), show(written), "not a table; write [connectors.NAME]")], {}
    found: list[Mistake] = []
    configured: dict[str, ConfiguredConnector] = {}
    for name, table in written.items():
        path = ("connectors", name)
        kind = table.get("type") if isinstance(table, dict) else None
        if not isinstance(table, dict):
            found.append(Mistake(path, "", "not a table; write [connectors.NAME]"))
        elif _NAME.fullmatch(name) is None:
            found.append(
                Mistake(path, "", "not such a name; at most 50 of letters, digits, - and _")
            )
        elif kind is None:
            known = ", ".join(destinations.KINDS)
            found.append(Mistake((*path, "type"), "", f"missing; one of {known}"))
        elif kind not in destinations.KINDS:
            right = did_you_mean(kind, destinations.KINDS)
            found.append(Mistake((*path, "type"), show(kind), f"no such kind; {right}"))
        else:
            common = {key: table[key] for key in Upkeep.model_fields if key in table}
            own = {key: value for key, value in table.items() if key not in common}
            model = destinations.load(kind).Settings
            try:
                settings = model.model_validate(own, context=context)
                upkeep = Upkeep.model_validate(common)
            except ValidationError as error:
                found += mistakes(error, Upkeep if error.title == "Upkeep" else model, path)
            else:
                configured[name] = ConfiguredConnector(kind, settings, upkeep)
    return found, configured
