"""The page on which the API's description is read."""

from pbx_bridge.core.roles import Role
from pbx_bridge.web.api.operations import OPERATIONS
from tests.web.site import Site


async def test_each_operation_is_explained(page: Site) -> None:
    answer = await (await page.client(Role.VIEWER)).get("/api")
    text = await answer.text()
    assert answer.status == 200
    for one in OPERATIONS:
        assert f'<article id="do-{one.name}">' in text
        assert f"{one.method} {one.path}" in text
    assert 'href="/api/v1/openapi.json"' in text
    assert "style=" not in text


async def test_nobody_reads_it_unasked(page: Site) -> None:
    answer = await (await page.client(None)).get("/api", allow_redirects=False)
    assert answer.status == 303
