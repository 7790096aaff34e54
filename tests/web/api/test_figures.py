"""Figures by the API."""

from datetime import datetime

from pbx_bridge.core.recovery import GroupedBy, report, slices
from pbx_bridge.objects.figures import figures_objects
from pbx_bridge.store import figures
from tests.web.api.filled import Api


async def test_they_are_those_of_the_command(api: Api) -> None:
    told = await api.json("GET", "/figures?by=reason")
    inside = api.door.page.inside
    definition = inside.config().recovery.definition()
    since, until = told["since"], told["until"]
    sliced = slices(
        datetime.fromisoformat(since),
        datetime.fromisoformat(until),
        GroupedBy.REASON,
        inside.config().office.timezone,
    )
    cohorts = await inside.db.read(
        lambda tx: figures.cohorts(tx, sliced.cuts, inside.now(), definition)
    )
    expected = list(figures_objects(report(cohorts, by=GroupedBy.REASON, of=sliced)))
    assert told["total"]["callers"] == sum(one.callers for one in cohorts) > 5
    assert [one["group"] for one in told["groups"]] == [one["group"] for one in expected[:-1]]
    assert told["groups"][0]["recovered"] == expected[0]["recovered"]
    assert told["compared"] is None
    assert told["definition"].startswith("Recovered: within 7 days")


async def test_a_time_that_cannot_be_is_refused(api: Api) -> None:
    upside_down = {"since": "2026-11-20T00:00:00Z", "until": "2026-11-19T00:00:00Z"}
    told = await api.json("GET", "/figures", 422, params=upside_down)
    assert "before `until`" in told["detail"]
    told = await api.json("GET", "/figures?since=2001-11-20T00:00:00Z", 422)
    assert "at most 400 days" in told["detail"]
    long_ago = await api.json("GET", "/figures?until=0001-01-01T00:00:00Z")
    assert long_ago["total"]["callers"] == 0
