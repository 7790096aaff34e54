"""What columns are called."""

import pytest

from pbx_bridge.contacts.headings import Column, meaning

HEADINGS = {
    Column.UID: "id; UID; Contact ID",
    Column.NAME: "name; Full Name; Display Name; Kunde; nombre; Nom",
    Column.GIVEN: "First Name; Vorname; Given_Name",
    Column.FAMILY: "Last name; Surname; Nachname; apellidos",
    Column.COMPANY: "Company; Organization Name; Firma; Organisation",
    Column.KIND: "kind; Type",
    Column.TAGS: "Tags; Labels; Group Membership; Categories",
    Column.LANGUAGE: "Language; Sprache; lang",
    Column.ZONE: "Time zone; timezone; zone",
    Column.EMAIL: "E-mail; E-Mail Address; email; E-mail 1 - Value; Work E-mail; Courriel",
    Column.OWNER: "Owner; Account Manager",
    Column.NOTES: "Notes; Comments; Bemerkungen",
    Column.NUMBER: "phone; Tel.; Telefon; numbers; Phone 1 - Value; Phone Number; Teléfono",
    Column.LABEL: "Phone 1 - Label; Phone 2 - Type",
}


@pytest.mark.parametrize("column", HEADINGS)
def test_what_a_column_holds(column: Column) -> None:
    for heading in HEADINGS[column].split("; "):
        found = meaning(heading)
        assert found is not None, heading
        assert found[0] is column, heading


@pytest.mark.parametrize(
    ("heading", "label"),
    [("Mobile Phone", "mobile"), ("Handy", "mobile"), ("cell", "mobile"), ("Home Phone 2", "home"),
     ("Business Phone", "work"), ("Work phone", "work"), ("Company Main Phone", ""), ("phone", "")],
)  # fmt: skip
def test_numbers_have_labels_by_their_headings(heading: str, label: str) -> None:
    assert meaning(heading) == (Column.NUMBER, label)


@pytest.mark.parametrize(
    "heading",
    ["", "foo", "Fax", "Business Fax", "+12125550142", "Birthday", "x" * 100_000, "é" * 99],
)
def test_a_heading_that_says_nothing(heading: str) -> None:
    assert meaning(heading) is None
