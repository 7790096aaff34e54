"""Static files have names of their own content, and nothing else can be asked for."""

import gzip

from pbx_bridge.core.roles import Role
from pbx_bridge.web.assets import FOLDER, Assets
from tests.web.site import Site


async def test_a_file_comes_packed_and_is_kept(page: Site) -> None:
    name = Assets().name("app.css")
    client = await page.client(None)
    answer = await client.get(f"/static/{name}")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "immutable" in answer.headers["Cache-Control"]
    assert await answer.text() == (FOLDER / "app.css").read_text("utf-8")


async def test_without_packing_it_comes_plain(page: Site) -> None:
    client = await page.client(None)
    answer = await client.get(
        f"/static/{Assets().name('app.js')}", headers={"Accept-Encoding": "identity"}
    )
    assert "Content-Encoding" not in answer.headers


async def test_nothing_outside_can_be_asked_for(page: Site) -> None:
    client = await page.client(Role.ADMIN)
    for name in ("app.css", "README.md", "..%2Fserver.py", "%2e%2e/server.py", "app.00000000.css"):
        assert (await client.get(f"/static/{name}")).status == 404


def test_all_scripts_and_styles_together_are_small() -> None:
    sizes = [
        len(gzip.compress(path.read_bytes()))
        for path in FOLDER.iterdir()
        if path.suffix in {".js", ".css", ".svg"}
    ]
    assert sum(sizes) < 100_000
