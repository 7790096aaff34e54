"""How the service stands."""

from typing import Annotated

from pydantic import Field, WithJsonSchema

from pbx_bridge.core.liveness import State, Verdict
from pbx_bridge.core.roles import Role
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.api.shapes import Given
from pbx_bridge.web.frame import Visit

#: Named by itself in the description: what becomes of messages is a `State` too.
Stands = Annotated[str, WithJsonSchema({"type": "string", "enum": [str(one) for one in State]})]


class FindingShown(Given):
    """One thing, and how it stands."""

    what: str
    state: Stands = Field(
        description="`ok`; `waits`: for the world outside; `wrong`: somebody has to act;"
        " `hung`: only a restart helps"
    )
    text: str


class Health(Given):
    """Whether the service does its work."""

    works: bool = Field(description="it does its work, or waits as it should")
    alive: bool = Field(description="false: only a restart helps")
    findings: list[FindingShown]


@operation("GET", "/health", Role.VIEWER, tag="health")
async def health(visit: Visit) -> Health:
    """Tell how the service stands, as `pbx-bridge health` does."""
    return told(visit.inside.verdict())


def told(verdict: Verdict) -> Health:
    """Give a verdict for programs."""
    return Health(
        works=verdict.works,
        alive=verdict.alive,
        findings=[
            FindingShown(what=one.what, state=one.state.value, text=one.text)
            for one in verdict.findings
        ],
    )


OPERATIONS = (health,)
