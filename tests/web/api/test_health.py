"""How the service stands, by the API."""

from pbx_bridge.core.liveness import Finding, State, Verdict
from pbx_bridge.web.api.health import told
from tests.web.api.filled import Api


async def test_it_tells_each_finding(api: Api) -> None:
    assert await api.json("GET", "/health") == {"works": True, "alive": True, "findings": []}


def test_a_verdict_for_programs() -> None:
    verdict = Verdict((Finding("loop", State.OK, "well"), Finding("database", State.WRONG, "full")))
    given = told(verdict)
    assert (given.works, given.alive) == (False, True)
    assert [one.model_dump(mode="json") for one in given.findings] == [
        {"what": "loop", "state": "ok", "text": "well"},
        {"what": "database", "state": "wrong", "text": "full"},
    ]
