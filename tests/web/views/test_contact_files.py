"""Contacts from files: looked at before anything is written; and into files, without formulas."""

import base64
import io
import re
import zlib
from html import unescape

import pytest
from aiohttp import FormData

from pbx_bridge.contacts import files
from pbx_bridge.contacts.reading import Manner
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.roles import Role
from pbx_bridge.store import contact_origins
from pbx_bridge.store import contacts as stored
from pbx_bridge.web.views.contact_files import LARGEST_FILE
from tests.web.site import CSRF, Site
from tests.web.views.test_contacts import A, B, C, add, contact, done, send, text

FILE = f"""\
Name,Phone,E-Mail,Tags
Ann Baker,{A},ann@new.example,friend
Eve,{B},,
Bob,911,,
"""


async def look(
    page: Site, body: bytes | str = FILE, kind: str = "", role: Role = Role.ADMIN
) -> tuple[int, str]:
    """Send a file to be looked at."""
    form = FormData({"csrf": CSRF, "kind": kind}, quote_fields=False)
    file = io.BytesIO(body.encode() if isinstance(body, str) else body)
    form.add_field("file", file, filename="list<b>.csv", content_type="text/csv")
    answer = await (await page.client(role)).post("/contacts/import/preview", data=form)
    return answer.status, await answer.text()


def hidden(said: str) -> dict[str, str]:
    """Give what the form of a preview carries."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', said)
    return {name: unescape(value) for name, value in found}


def tile(said: str, name: str) -> int:
    found = re.search(rf'id="{name}">(\d+)<', said)
    assert found is not None
    return int(found[1])


async def test_a_file_is_looked_at_and_then_taken_in(page: Site) -> None:
    row = await add(page, Contact(name="Ann Baker", email="ann@example.com", numbers={A: ""}))
    status, said = await look(page, kind="customer")
    assert status == 200
    counts = [tile(said, name) for name in ("new", "changed", "same", "skipped", "told")]
    assert counts == [1, 1, 0, 1, 3]
    assert "list&lt;b&gt;.csv" in said
    assert "<ins><bdi>friend</bdi></ins>" in said
    assert "decided here by hand" in said  # the other e-mail address
    assert "Bob left out: neither a number nor an e-mail address" in said
    assert len(await page.db.read(stored.everyone)) == 1
    assert await done(page) == []
    status, where = await send(page, "/contacts/import", hidden(said), Role.ADMIN)
    assert (status, where) == (303, "/contacts")
    ann = await contact(page, row)
    assert (ann.email, ann.tags, ann.kind) == (
        "ann@example.com", frozenset({"friend"}), CallerKind.CUSTOMER
    )  # fmt: skip
    assert await done(page) == [("admin", "contacts.import", "list<b>.csv", "1 new, 1 changed")]
    assert page.asked.told == 1
    _, said = await look(page, kind="customer")
    assert "Nothing would change" in said


async def test_what_changed_since_it_was_looked_at_is_shown_again(page: Site) -> None:
    _, said = await look(page)
    sent = hidden(said)
    await add(page, Contact(name="Eva", numbers={B: ""}))
    status, said = await send(page, "/contacts/import", sent, Role.ADMIN)
    assert status == 409
    assert "Contacts changed since you looked" in said
    assert len(await page.db.read(stored.everyone)) == 1
    status, _ = await send(page, "/contacts/import", hidden(said), Role.ADMIN)
    assert status == 303
    assert len(await page.db.read(stored.everyone)) == 2


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("a,b\n1,2\n", "no column is known"),
        (b"PK\x03\x04\x00\xff\x00\x00", "not text"),
        ("name,notes\nAnn,x\n", "no column for numbers"),
        (b"x" * (LARGEST_FILE + 1), "larger than 4 MiB"),
    ],
)
async def test_what_cannot_be_read_is_told(page: Site, body: bytes | str, problem: str) -> None:
    status, said = await look(page, body)
    assert status == 422
    assert problem in said


@pytest.mark.parametrize(
    "body",
    ["", "%%%", base64.b64encode(b"no zlib").decode(),
     base64.b64encode(zlib.compress(b"x" * (LARGEST_FILE + 9))).decode()],
)  # fmt: skip
async def test_what_comes_back_may_be_anything(page: Site, body: str) -> None:
    form = {"csrf": CSRF, "body": body, "name": "x", "kind": "", "fingerprint": "x"}
    status, _ = await send(page, "/contacts/import", form, Role.ADMIN)
    assert status in {400, 409, 422}
    assert await page.db.read(stored.everyone) == []


async def test_hostile_text_in_a_file_is_only_text(page: Site) -> None:
    nasty = '"<script>alert(1)</script>\u202e=cmd|x"'
    _, said = await look(page, f"name,phone,company\n{nasty},{A},{nasty}\n{nasty},911,x\n")
    assert "<script>alert" not in said
    assert "\u202e" not in said
    assert "&lt;script&gt;" in said


async def test_no_file_is_told(page: Site) -> None:
    status, said = await send(page, "/contacts/import/preview", {"csrf": CSRF}, Role.ADMIN)
    assert status == 422
    assert "Choose a file first." in said


@pytest.mark.parametrize("ending", ["csv", "vcf"])
async def test_all_contacts_are_handed_out_and_merged_when_they_come_back(
    page: Site, ending: str
) -> None:
    row = await add(page, Contact(name="=1+1", notes="@x", numbers={A: "mobile"}))
    client = await page.client(Role.ADMIN)
    form = {"csrf": CSRF, "format": ending}
    answer = await client.post("/contacts/export", data=form)
    assert answer.status == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="contacts.{ending}"'
    body = await answer.read()
    if ending == "csv":
        assert b",'=1+1," in body
        assert b",'@x," in body
        assert b"'+12125550142" in body
    (told,) = files.read(body, Manner("US")).told
    assert told.said.contact.name == "=1+1"
    standing = await page.db.read(lambda tx: contact_origins.standing(tx, row))
    assert standing is not None
    assert [origin.source for origin in standing.origins] == ["file"]
    assert await done(page) == [("admin", "contacts.export", "", "1 contacts")]
    _, said = await look(page, body)
    assert "Nothing would change" in said


async def test_files_are_for_admins(page: Site) -> None:
    await add(page, Contact(name="Carl", numbers={C: ""}))
    for role in (Role.VIEWER, Role.AGENT):
        await text(page, "/contacts/import", role, status=403)
        assert (await look(page, role=role))[0] == 403
        for path in ("/contacts/import", "/contacts/export"):
            status, _ = await send(page, path, {"csrf": CSRF, "format": "csv"}, role)
            assert status == 403
    assert "Show what would change" in await text(page, "/contacts/import", Role.ADMIN)
    assert await done(page) == []
    assert len(await page.db.read(stored.everyone)) == 1
