"""CSV as people and programs write it."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.contacts import table
from pbx_bridge.contacts.files import read
from pbx_bridge.contacts.reading import LONGEST_LINE, Manner, Reading, Unreadable
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.told import ALL_FIELDS, Field
from tests.contacts.examples import contacts, texts

US = Manner("US")
ANN, BOB = "+12125550142", "+12125550143"


def said(reading: Reading) -> list[Contact]:
    return [one.said.contact for one in reading.told]


#: What other programs write; each is Ann with her mobile, and what else it has.
FILES = {
    "commas": "name,phone\nAnn,(212) 555-0142\n",
    "semicolons": 'name;phone\n"Ann";212-555-0142\n',
    "tabs": "name\tphone\nAnn\t212.555.0142\n",
    "bars": "name|phone\nAnn|+1 212 555 0142\n",
    "what Excel says first": "sep=;\nname;phone\nAnn;2125550142\n",
    "old Macintosh": "name,phone\rAnn,2125550142\r",
    "empty lines": "\n\nname,phone\n\n,\nAnn,2125550142\n\n",
    "columns that nobody knows": "foo,name,bar,phone\n1,Ann,2,2125550142\n",
    "parts of a name": "First Name,Last Name,Phone Number\n,Ann,2125550142\n",
    "German": "Nachname;Telefon\nAnn;+1 212 555 0142\n",
    "French": "Nom;Téléphone\nAnn;+1 212 555 0142\n",
    "numbers kept as text": "name,phone\nAnn,'+12125550142\n",
    "several in a cell": "name,phone\nAnn,212 555 0142 ::: 212 555 0142\n",
    "extensions": "name,phone\nAnn,212 555 0142 ext. 5\n",
    "short rows": "name,phone,notes\nAnn,2125550142\n",
    "no headings": "Ann,2125550142\nAnn,2125550142\n",
    "no headings, other order": "1,2125550142,Ann\n2,2125550142,Ann\n",
}


@pytest.mark.parametrize("case", FILES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_it_is_read(case: str, encoding: str) -> None:
    reading = read(FILES[case].encode(encoding), US)
    assert said(reading)[-1] == Contact(name="Ann", numbers={ANN: ""})


def test_google_s_file() -> None:
    text = (
        "First Name,Middle Name,Last Name,Organization Name,Notes,Labels,E-mail 1 - Label,"
        "E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value\n"
        'Ann,M,Baker,Acme,"one\ntwo",VIP ::: * myContacts,* Work,Ann@Example.com,'
        "Mobile,+1 212-555-0142,Work,212-555-0143\n"
    )
    assert said(read(text.encode(), US)) == [
        Contact(
            name="Ann M Baker",
            company="Acme",
            tags=frozenset({"vip"}),
            email="ann@example.com",
            notes="one\ntwo",
            numbers={ANN: "Mobile", BOB: "Work"},
        )
    ]


def test_outlook_s_file() -> None:
    text = (
        "First Name,Last Name,Company,Business Fax,Business Phone,Mobile Phone,Categories,"
        "E-mail Address,Language,Notes\n"
        "Ann,Baker,Acme,212-555-0199,212-555-0143,212-555-0142,VIP;South,a@b.example,German,x\n"
    )
    assert said(read(text.encode(), US)) == [
        Contact(
            name="Ann Baker",
            company="Acme",
            tags=frozenset({"vip", "south"}),
            language="de",
            email="a@b.example",
            notes="x",
            numbers={ANN: "mobile", BOB: "work"},
        )
    ]


def test_a_file_speaks_only_of_its_columns() -> None:
    (one,) = read(b"name,phone\nAnn,2125550142\n", US).told
    assert one.said.fields == {Field.NAME, Field.NUMBERS}
    assert (one.uid, one.line) == ("", 2)
    (one,) = read(b"id,phone\n=7,2125550142\n", Manner("US", CallerKind.CUSTOMER)).told
    assert one.said.fields == {Field.KIND, Field.NUMBERS}
    assert (one.uid, one.said.contact.kind) == ("=7", CallerKind.CUSTOMER)


def test_what_cannot_be_used_is_told_with_its_line() -> None:
    text = (
        "name,phone,mobile,e-mail,kind,language,zone\n"
        '"Ann\nBaker",2125550142,911,nobody,friend,Klingon,Mars/Phobos\n'
        "Bob,12,,,staff,en,Europe/Berlin\n"
    )
    reading = read(text.encode(), Manner("US", CallerKind.CUSTOMER))
    assert [(remark.line, remark.text) for remark in reading.remarks] == [
        (2, "no kind of contact: 'friend'; known are blocked, customer, known, staff"),
        (2, "no language: 'Klingon'; two letters, such as en"),
        (2, "no time zone: 'Mars/Phobos'; such as America/New_York"),
        (2, "no e-mail address: 'nobody'"),
        (2, "no number of US: '911'"),
        (4, "no number of US: '12'"),
    ]
    ann, bob = said(reading)
    assert ann == Contact(name="Ann Baker", kind=CallerKind.CUSTOMER, numbers={ANN: ""})
    assert bob == Contact(name="Bob", kind=CallerKind.STAFF, language="en", zone="Europe/Berlin")
    assert reading.is_incomplete  # without an id, Bob could be anybody who is known


#: Files of no use, where that shows, and what is said.
USELESS = {
    "no column for numbers": ("name,notes\nAnn,x\n", 1, "no column for numbers; one needs the"),
    "nothing known": ("foo,bar\n1,2\n", 1, "no column is known: give each a heading"),
    "a line too long": (f"name,phone\n{'x' * (LONGEST_LINE + 1)}\n", 2, "a line of more than"),
    "ten megabytes in a line": ("name,phone\n" + "x," * 5_000_000, 2, "a line of more than"),
    "a quote not closed": ('name,phone\n"Ann,\n' + "xxx\n" * 99_999, 2, "not CSV: field"),
    "many columns": (f"name,phone\n{',' * 600}\n", 2, "more than 500 columns"),
}


@pytest.mark.parametrize("case", USELESS)
def test_a_file_of_no_use_is_told_with_its_line(case: str) -> None:
    text, line, problem = USELESS[case]
    with pytest.raises(Unreadable) as refused:
        read(text.encode(), US)
    assert refused.value.line == line
    assert refused.value.problem.startswith(problem)


def test_an_empty_file_has_nothing() -> None:
    assert read(b"", US) == read(b"\n \n", US) == read(b"name,phone\n", US) == Reading()


def written(*contacts: Contact) -> str:
    file = io.StringIO(newline="")
    table.write(file, [(f"id{n}", contact) for n, contact in enumerate(contacts)])
    return file.getvalue()


@given(st.lists(contacts, max_size=3))
def test_what_is_written_is_read_as_it_was(given: list[Contact]) -> None:
    reading = table.read(written(*given), US)
    assert said(reading) == given
    assert reading.remarks == []
    for n, one in enumerate(reading.told):
        assert one.uid == f"id{n}"
        assert one.said.fields == ALL_FIELDS


def test_no_cell_is_a_formula() -> None:
    text = written(Contact(name="=HYPERLINK(1)", notes="@SUM(A1)\n+1", numbers={ANN: "-1"}))
    row = text.splitlines()[1]
    assert row.startswith("id0,'=HYPERLINK(1),")
    for cell in ("'@SUM(A1)", ",'-1,", ",'+12125550142"):
        assert cell in text


@given(texts)
def test_defusing_can_be_undone(cell: str) -> None:
    assert table.plain(table.defused(cell)) == cell
    assert not table.defused(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@given(
    st.binary(max_size=400)
    | st.text(st.sampled_from("name,phone;\t|\"'\n\r=+\0\u202e2125550142é"), max_size=300).map(
        lambda text: f"name,phone\n{text}".encode()
    )
)
def test_nothing_that_anybody_writes_does_harm(body: bytes) -> None:
    try:
        reading = read(body, US)
    except Unreadable:
        return
    for one in reading.told:
        assert not {"\0", "\u202e"} & set(one.said.contact.name)
