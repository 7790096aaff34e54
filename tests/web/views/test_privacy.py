"""Privacy requests on the page."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from pbx_bridge.core.contact import Contact
from pbx_bridge.core.number import parse, spellings
from pbx_bridge.core.roles import Role
from pbx_bridge.store import contacts as stored
from tests.store.examples import MISSED
from tests.store.test_figures import missed
from tests.web.site import CSRF, Site
from tests.web.views.test_contacts import add, done, send, text

NUMBER = "+12125550143"


async def fill(page: Site) -> None:
    await page.db.run(missed)
    await add(page, Contact(name="Ann O'Hara", notes="has a dog", numbers={NUMBER: ""}))


async def test_what_is_kept_is_shown_and_handed_out(page: Site) -> None:
    assert MISSED.caller is not None
    await fill(page)
    said = await text(page, "/contacts/privacy?number=212+555+0143", Role.ADMIN)
    assert '<th scope="row">contact</th><td class="right">1</td>' in said
    client = await page.client(Role.ADMIN)
    form = {"csrf": CSRF, "number": NUMBER}
    answer = await client.post("/contacts/privacy/export", data=form)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="export-12125550143.zip"'
    with zipfile.ZipFile(io.BytesIO(await answer.read())) as packed:
        data = json.loads(packed.read("data.json"))
    assert data["tables"]["contact"][0]["notes"] == "has a dog"
    assert await done(page) == [("admin", "privacy.export", NUMBER, "")]


async def test_what_is_erased_is_in_no_byte_of_the_files(page: Site, tmp_path: Path) -> None:
    await fill(page)
    form = {"csrf": CSRF, "number": NUMBER, "again": "(212) 555-0143"}
    status, said = await send(page, "/contacts/privacy/erase", form, Role.ADMIN)
    assert status == 200
    assert '<th scope="row">contact</th><td class="right">1</td>' in said
    assert "backups elsewhere, logs" in said
    assert await page.db.read(stored.everyone) == []
    written = (tmp_path / "pbx-bridge.db").read_bytes()
    log = tmp_path / "pbx-bridge.db-wal"
    written += log.read_bytes() if log.exists() else b""
    parsed = parse(NUMBER, "US")
    assert parsed is not None
    assert [form for form in spellings(parsed) if form.encode() in written] == []
    assert b"O'Hara" not in written
    ((who, action, subject, _),) = await done(page)
    assert (who, action) == ("admin", "privacy.erase")
    assert subject.startswith("erased-")


@pytest.mark.parametrize(
    ("number", "again", "problem"),
    [
        (NUMBER, "", "Type the number once more"),
        (NUMBER, "+12125550144", "Type the number once more"),
        ("<script>", "<script>", "That is no number"),
    ],
)
async def test_nothing_is_erased_by_mistake(
    page: Site, number: str, again: str, problem: str
) -> None:
    await fill(page)
    form = {"csrf": CSRF, "number": number, "again": again}
    status, said = await send(page, "/contacts/privacy/erase", form, Role.ADMIN)
    assert status == 422
    assert problem in said
    assert "<script>" not in said.partition("<main")[2]
    assert len(await page.db.read(stored.everyone)) == 1
    assert await done(page) == []


async def test_it_is_for_admins(page: Site) -> None:
    await fill(page)
    form = {"csrf": CSRF, "number": NUMBER, "again": NUMBER}
    for role in (Role.VIEWER, Role.AGENT):
        await text(page, "/contacts/privacy", role, status=403)
        for path in ("/contacts/privacy/erase", "/contacts/privacy/export"):
            status, _ = await send(page, path, form, role)
            assert status == 403
    assert len(await page.db.read(stored.everyone)) == 1
    assert await done(page) == []


async def test_a_number_of_which_nothing_is_kept(page: Site) -> None:
    said = await text(page, "/contacts/privacy?number=%2B442071838750", Role.ADMIN)
    assert "Nothing is kept about this number" in said
