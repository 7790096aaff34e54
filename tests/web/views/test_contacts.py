"""Contacts on the page: looked for, edited, merged, forgotten; what others wrote harms nobody."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from pbx_bridge.contacts import files
from pbx_bridge.contacts.reading import Manner
from pbx_bridge.contacts.taking import planned, take
from pbx_bridge.core import number
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.happening import NOBODY_LISTENS
from pbx_bridge.core.roles import Role
from pbx_bridge.store import consents
from pbx_bridge.store import contacts as stored
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.schema import audit
from tests.store.examples import NOON
from tests.web.site import CSRF, Site

A, B, C = "+12125550142", "+12125550143", "+12125550144"
HOSTILE = '<script>alert("1")</script>\u202egnp.exe\x1b[2J{{ 7 * 7 }}'
ANN = Contact(
    name="Ann Baker", company="Müller", kind=CallerKind.CUSTOMER, tags=frozenset({"vip"}),
    language="es", email="ann@example.com", owner="eve", notes="one\ntwo", numbers={A: "mobile"},
)  # fmt: skip
FORM = {
    "csrf": CSRF, "name": "Bob", "company": "", "kind": "staff", "email": "", "tags": "a, b",
    "owner": "", "language": "", "zone": "", "notes": "", "number": "212 555 0143", "label": "work",
}  # fmt: skip


async def add(page: Site, contact: Contact = ANN, by: str = "eve") -> int:
    made = await page.db.run(lambda tx: stored.create(tx, contact, by=by, now=NOON))
    return made.row_id


async def text(page: Site, path: str, role: Role = Role.VIEWER, status: int = 200) -> str:
    answer = await (await page.client(role)).get(path)
    said = await answer.text()
    assert answer.status == status, said
    return said


async def send(
    page: Site, path: str, form: dict[str, str], role: Role = Role.AGENT
) -> tuple[int, str]:
    """Send a form; give the status and where it leads, or what it says."""
    answer = await (await page.client(role)).post(path, data=form, allow_redirects=False)
    return answer.status, answer.headers.get("Location") or await answer.text()


async def done(page: Site) -> list[tuple[str, str, str, str]]:
    """Give what the audit log has."""

    def read(tx: Connection) -> list[tuple[str, str, str, str]]:
        rows = tx.execute(select(audit).order_by(audit.c.id))
        return [(row.who, row.action, row.subject, row.detail) for row in rows]

    return await page.db.read(read)


async def contact(page: Site, row: int) -> Contact:
    record = await page.db.read(lambda tx: stored.get(tx, row))
    assert record is not None
    return record.contact


async def version(page: Site, row: int) -> str:
    said = await text(page, f"/contacts/{row}/edit", Role.AGENT)
    found = re.search(r'name="version" value="([^"]+)"', said)
    assert found is not None
    return found[1]


async def test_the_list_is_searched_and_paged(page: Site) -> None:
    def fill(tx: Connection) -> None:
        those = [Contact(name=f"Person {n:03}", numbers={f"+1212556{n:04}": ""}) for n in range(60)]
        stored.insert(tx, those, NOON)

    assert "No contacts yet" in await text(page, "/contacts")
    await page.db.run(fill)
    await add(page)
    said = await text(page, "/contacts")
    assert "61 contacts" in said
    assert "Ann Baker" in said
    assert "Person 048" in said
    assert "Person 049" not in said
    assert 'href="/contacts?page=2"' in said
    second = await text(page, "/contacts?page=2")
    assert "Person 059" in second
    assert "Previous page" in second
    for asked in ("text=MÜLLER", "text=212-555-0142", "text=0142", "tag=vip", "kind=customer"):
        said = await text(page, f"/contacts?{asked}")
        assert "1 contact<" in said, asked
        assert "Ann Baker" in said
    assert "No such contact" in await text(page, "/contacts?text=nobody")
    assert "61 contacts" in await text(page, "/contacts?page=-1&kind=alien")
    assert "Show all" in await text(page, "/contacts?page=999&text=x")


async def test_a_contact_is_shown_with_where_it_comes_from(page: Site) -> None:
    reading = files.read(b"name,phone,company\nAnn,2125550142,Miller\n", Manner("US"))
    await page.db.run(lambda tx: take(tx, planned(tx, reading), NOBODY_LISTENS, NOON))

    def fill(tx: Connection) -> int:
        (record,) = stored.everyone(tx)
        stored.edit(
            tx, record.row_id, Contact(name="Ann B", company="Miller", numbers={A: ""}),
            by="eve", now=NOON + timedelta(hours=1),
        )  # fmt: skip
        said = ConsentRecord(
            address=A, at=NOON, kind=ConsentKind.OPT_OUT, source=ConsentSource.REPLY,
            detail=HOSTILE, reply_row=None,
        )  # fmt: skip
        consents.record(tx, said)
        return record.row_id

    row = await page.db.run(fill)
    said = await text(page, f"/contacts/{row}")
    assert "(set by eve)" in said
    assert "(from file)" in said
    assert "wants no texts, since" in said
    assert "(by reply)" in said
    assert "opted out" in said
    assert '<script>alert("1")' not in said
    assert 'href="/conversation/%2B12125550142"' in said
    assert "opted out" in await text(page, "/contacts")
    assert "Edit<" not in said  # a viewer looks
    assert "Edit<" in await text(page, f"/contacts/{row}", Role.AGENT)
    await text(page, "/contacts/4711", status=404)


async def test_a_contact_is_written_down(page: Site) -> None:
    assert 'value="+12125550143"' in await text(
        page, "/contacts/new?number=212+555+0143", Role.AGENT
    )
    status, where = await send(page, "/contacts/new", FORM)
    assert status == 303
    made = await contact(page, int(where.removeprefix("/contacts/")))
    assert made == Contact(
        name="Bob", kind=CallerKind.STAFF, tags=frozenset({"a", "b"}), numbers={B: "work"}
    )
    assert await done(page) == [("agent", "contact.create", "contact 1", B)]
    assert page.asked.told == 1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"number": "911"}, "&#39;911&#39; is no number of US; write it as +1 212 555 0143"),
        ({"number": "", "name": "Eve"}, "Neither a number nor an e-mail address."),
        ({"email": "nobody"}, "&#39;nobody&#39; is no e-mail address"),
        ({"zone": "Mars"}, "&#39;Mars&#39; is no time zone"),
        ({"language": "español"}, "is no language"),
        ({"kind": "alien"}, "is no kind"),
        ({"number": "212 555 0142"}, "+12125550142 belongs to contact 1 (Ann Baker)"),
    ],
)
async def test_what_cannot_be_is_told_and_the_form_stays(
    page: Site, changes: dict[str, str], problem: str
) -> None:
    await add(page)
    status, said = await send(page, "/contacts/new", FORM | changes)
    assert status == 422
    assert problem in said
    assert f'value="{changes.get("name", "Bob")}"' in said
    assert 'value="a, b"' in said
    assert await done(page) == []


async def test_a_contact_is_edited_and_only_what_differs_is_the_visitor_s_word(page: Site) -> None:
    row = await add(page)
    said = await text(page, f"/contacts/{row}/edit", Role.AGENT)
    assert 'value="ann@example.com"' in said
    assert "one\ntwo</textarea>" in said
    form = FORM | {
        "version": await version(page, row), "name": "Ann B", "company": "Müller",
        "kind": "customer", "tags": "vip", "language": "es", "email": "ann@example.com",
        "owner": "eve", "notes": "one\r\ntwo", "number": A, "label": "work",
    }  # fmt: skip
    status, where = await send(page, f"/contacts/{row}/edit", form)
    assert (status, where) == (303, f"/contacts/{row}")
    record = await page.db.read(lambda tx: stored.get(tx, row))
    assert record is not None
    assert (record.contact.name, dict(record.contact.numbers)) == ("Ann B", {A: "work"})
    assert record.edited["name"] == record.edited[f"numbers:{A}"] == "agent"
    assert record.edited["email"] == "eve"
    assert await done(page) == [("agent", "contact.edit", f"contact {row}", "name, numbers")]
    status, said = await send(page, f"/contacts/{row}/edit", form | {"name": "Anne"})
    assert status == 409
    assert "changed this contact meanwhile" in said
    assert (await contact(page, row)).name == "Ann B"


async def test_several_numbers_and_one_that_another_has(page: Site) -> None:
    row = await add(page)
    await add(page, Contact(name="Carl", numbers={C: ""}))
    client = await page.client(Role.AGENT)
    form = [*(FORM | {"version": await version(page, row)}).items()]
    more = [("number", A), ("label", ""), ("number", ""), ("label", "nothing")]
    answer = await client.post(f"/contacts/{row}/edit", data=form + more, allow_redirects=False)
    assert answer.status == 303
    assert dict((await contact(page, row)).numbers) == {A: "", B: "work"}
    form = [*(FORM | {"version": await version(page, row)}).items(), ("number", C), ("label", "")]
    answer = await client.post(f"/contacts/{row}/edit", data=form)
    assert answer.status == 422
    assert f"{C} belongs to contact 2 (Carl)" in await answer.text()


async def test_two_become_one(page: Site) -> None:
    one = await add(page)
    two = await add(page, Contact(name="A. Baker", owner="bob", numbers={B: ""}))
    said = await text(page, f"/contacts/{one}/merge?text=baker", Role.AGENT)
    assert f"other={two}&amp;text=baker" in said
    said = await text(page, f"/contacts/{one}/merge?other={two}", Role.AGENT)
    assert "Nothing is written yet" in said
    assert said.count(number.spaced(B)) == 2  # the other, and the two together
    status, where = await send(page, f"/contacts/{one}/merge", {"csrf": CSRF, "other": str(two)})
    assert (status, where) == (303, f"/contacts/{one}")
    made = await contact(page, one)
    assert (made.name, sorted(made.numbers), made.owner) == ("Ann Baker", [A, B], "eve")
    assert await page.db.read(lambda tx: stored.get(tx, two)) is None
    assert await done(page) == [
        ("agent", "contact.merge", f"contact {one}", f"took in contact {two}")
    ]
    for other in (str(one), "", "x", "99999999999999999999"):
        status, _ = await send(page, f"/contacts/{one}/merge", {"csrf": CSRF, "other": other})
        assert status == 400
    status, _ = await send(page, f"/contacts/{one}/merge", {"csrf": CSRF, "other": "4711"})
    assert status == 404


async def test_a_contact_is_forgotten(page: Site) -> None:
    row = await add(page)
    status, where = await send(page, f"/contacts/{row}/remove", {"csrf": CSRF})
    assert (status, where) == (303, "/contacts")
    assert await page.db.read(stored.everyone) == []
    assert await done(page) == [("agent", "contact.remove", f"contact {row}", A)]
    status, _ = await send(page, f"/contacts/{row}/remove", {"csrf": CSRF})
    assert status == 404


async def test_what_others_wrote_harms_nobody(page: Site) -> None:
    nasty = Contact(
        name=HOSTILE, company=HOSTILE, tags=frozenset({HOSTILE}), owner=HOSTILE, notes=HOSTILE,
        numbers={A: HOSTILE},
    )  # fmt: skip

    def fill(tx: Connection) -> None:
        stored.insert(tx, [nasty, Contact(name="Bob", numbers={B: ""})], NOON)

    await page.db.run(fill)
    for path in ("/contacts", "/contacts/1", "/contacts/1/edit", "/contacts/1/merge?other=2",
                 "/contacts/2/merge?text=script", "/contacts?text=%3Cscript%3E",
                 "/contacts/new?number=%3Cscript%3E&name=%3Cscript%3E"):  # fmt: skip
        said = await text(page, path, Role.ADMIN)
        assert "<script>alert" not in said, path
        assert "\u202e" not in said, path
        assert "\x1b" not in said, path
        assert "49" not in re.findall(r"\b49\b", said), path


@pytest.mark.parametrize(
    "path", ["/contacts/new", "/contacts/1/edit", "/contacts/1/merge", "/contacts/1/remove"]
)
async def test_a_viewer_changes_nothing(page: Site, path: str) -> None:
    await add(page)
    status, _ = await send(page, path, FORM, Role.VIEWER)
    assert status == 403
    assert await done(page) == []
    if not path.endswith("remove"):
        await text(page, path, Role.VIEWER, status=403)
