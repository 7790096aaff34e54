"""The table of operations, the routes and the description are one."""

from pbx_bridge.core.roles import Role
from pbx_bridge.web.api.openapi import description
from pbx_bridge.web.api.operations import OPERATIONS, PREFIX
from pbx_bridge.web.views import routes
from tests.web.api.filled import Api


def test_each_route_below_the_api_is_described() -> None:
    paths = description(OPERATIONS, "/")["paths"]
    described = {
        (method.upper(), PREFIX + path) for path, methods in paths.items() for method in methods
    }
    served = {(one.method, one.path) for one in routes() if one.path.startswith("/api/")}
    assert served == described


def test_each_has_a_name_of_its_own_and_says_what_it_does() -> None:
    names = [one.name for one in OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(one.summary and one.summary[0].isupper() for one in OPERATIONS)


def test_nothing_is_changed_by_who_may_only_look() -> None:
    looks = {one.name for one in OPERATIONS if one.role is Role.VIEWER and one.method != "GET"}
    assert looks <= {"simulate", "preview_message"}
    assert all(one.role is Role.VIEWER for one in OPERATIONS if one.method == "GET")


async def test_the_description_is_there_for_programs(api: Api) -> None:
    told = await api.json("GET", "/openapi.json", role=Role.VIEWER)
    assert told["openapi"] == "3.1.0"
    assert told["servers"] == [{"url": "/api/v1"}]
    assert (await api.ask("GET", "/openapi.json", role=None)).status == 401
