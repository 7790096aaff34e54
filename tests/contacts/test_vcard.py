"""vCards of every version, and of every program."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.contacts import vcard
from pbx_bridge.contacts.files import read
from pbx_bridge.contacts.reading import LONGEST_LINE, Manner, Reading, Unreadable
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.told import Field
from tests.contacts.examples import contacts

US = Manner("US")
ANN, BOB = "+12125550142", "+12125550143"


def card(*lines: str, version: str = "3.0") -> str:
    return "\r\n".join(("BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""))


def said(text: str | bytes, manner: Manner = US) -> list[Contact]:
    body = text if isinstance(text, bytes) else text.encode()
    return [one.said.contact for one in read(body, manner).told]


APPLE = card(
    "PRODID:-//Apple Inc.//macOS 14//EN",
    "N:Baker;Ann;M.;Dr.;",
    "FN:Dr. Ann M. Baker",
    "ORG:Acme\\, Inc.;Sales",
    "EMAIL;type=INTERNET;type=HOME:old@example.com",
    "EMAIL;type=INTERNET;type=WORK;type=pref:Ann@Example.com",
    "TEL;type=CELL;type=VOICE;type=pref:(212) 555-0142",
    "item1.TEL:+1 212 555 0143",
    "item1.X-ABLabel:_$!<Work>!$_",
    "item2.TEL:+1 212 555 0144",
    "item2.X-ABLabel:Boat",
    "NOTE:one\\ntwo\\, three",
    "CATEGORIES:VIP,South",
    "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ",
    " SkZJRgABAQ==",
    "UID:1234-ABCD",
)
CARDS = {
    "Apple's": (
        APPLE,
        Contact(
            name="Dr. Ann M. Baker",
            company="Acme, Inc.",
            tags=frozenset({"vip", "south"}),
            email="ann@example.com",
            notes="one\ntwo, three",
            numbers={ANN: "mobile", BOB: "work", "+12125550144": "Boat"},
        ),
    ),
    "4.0, with URIs": (
        card(
            "FN:Ann",
            'TEL;VALUE=uri;TYPE="voice,cell";PREF=1:tel:+1-212-555-0142;ext=12',
            "TEL;VALUE=uri;TYPE=work:tel:+1%2D212-555-0143",
            "LANG;PREF=1:en-GB",
            "TZ:Europe/London",
            "KIND:individual",
            version="4.0",
        ),
        Contact(
            name="Ann", language="en", zone="Europe/London", numbers={ANN: "mobile", BOB: "work"}
        ),
    ),
    "2.1, with types without their name": (
        card("N:Baker;Ann", "TEL;CELL;PREF:2125550142", "TEL;WORK;VOICE:2125550143", version="2.1"),
        Contact(name="Ann Baker", numbers={ANN: "mobile", BOB: "work"}),
    ),
    "2.1, quoted-printable over two lines": (
        card(
            "FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Zo=C3=AB =",
            "M=C3=BCller",
            "NOTE;QUOTED-PRINTABLE:one=0D=0Atwo",
            "TEL:2125550142",
            version="2.1",
        ),
        Contact(name="Zoë Müller", notes="one\ntwo", numbers={ANN: ""}),
    ),
    "2.1, in Latin letters of its own": (
        card(
            "FN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:Zo=EB",
            "TEL;HOME:2125550142",
            version="2.1",
        ),
        Contact(name="Zoë", numbers={ANN: "home"}),
    ),
    "2.1, with a photograph whose lines are not folded": (
        card(
            "FN:Ann", "PHOTO;JPEG;BASE64:", "/9j/4AAQ", "SkZJ", "", "TEL:2125550142", version="2.1"
        ),
        Contact(name="Ann", numbers={ANN: ""}),
    ),
    "2.1, with a card inside": (
        card("FN:Ann", "AGENT:", card("FN:Eve", "TEL:2125550143").strip(), "TEL:2125550142"),
        Contact(name="Ann", numbers={ANN: ""}),
    ),
    "in base64": (
        card("FN;ENCODING=b:Wm/Dqw==", "TEL:2125550142"),
        Contact(name="Zoë", numbers={ANN: ""}),
    ),
    "with commas that should have been escaped": (
        card("FN:Baker, Ann", "NOTE:calls, often", "TEL:2125550142"),
        Contact(name="Baker, Ann", notes="calls, often", numbers={ANN: ""}),
    ),
    "with folded lines": (
        card("FN:An", " n Ba", "\tker", "TEL:2125550142"),
        Contact(name="Ann Baker", numbers={ANN: ""}),
    ),
    "without a name": (
        card("ORG:Acme", "TEL:2125550142", "TZ:-05:00"),
        Contact(company="Acme", numbers={ANN: ""}),
    ),
    "with several notes": (
        card("FN:Ann", "NOTE:a", "NOTE:b", "TEL:2125550142"),
        Contact(name="Ann", notes="a\n\nb", numbers={ANN: ""}),
    ),
    "with a colon in a parameter": (
        card("FN:Ann", 'TEL;X-LABEL="a:b;c";TYPE=HOME:2125550142'),
        Contact(name="Ann", numbers={ANN: "home"}),
    ),
    "with properties of ours": (
        card("FN:Ann", "X-PBX-BRIDGE-KIND:staff", "X-PBX-BRIDGE-OWNER:Eve", "TEL:2125550142"),
        Contact(name="Ann", kind=CallerKind.STAFF, owner="Eve", numbers={ANN: ""}),
    ),
}


@pytest.mark.parametrize("case", CARDS)
@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_a_card(case: str, ending: str) -> None:
    text, contact = CARDS[case]
    assert said(text.replace("\r\n", ending)) == [contact]


def test_a_file_of_many() -> None:
    text = card("FN:Ann", "TEL:2125550142") + "\r\n" + card("FN:Bob", "UID:b", "TEL:2125550143")
    reading = read(b"\xef\xbb\xbf" + text.encode(), US)
    assert [(one.uid, one.line) for one in reading.told] == [("", 1), ("b", 7)]


def test_lists_of_cards_are_no_contacts() -> None:
    text = card("FN:Customers", "KIND:group", "MEMBER:urn:uuid:1", version="4.0")
    assert said(text + card("FN:Customers", "X-ADDRESSBOOKSERVER-KIND:group")) == []


def test_a_card_speaks_of_what_it_could_say() -> None:
    (one,) = read(card("FN:Ann", "TEL:2125550142").encode(), US).told
    assert one.said.fields == frozenset(Field) - {Field.KIND, Field.OWNER}
    (one,) = read(card("FN:Ann").encode(), Manner("US", CallerKind.CUSTOMER)).told
    assert one.said.fields == frozenset(Field) - {Field.OWNER}
    assert one.said.contact.kind is CallerKind.CUSTOMER


GOOD = card("FN:Bob", "TEL:2125550143")
#: What cannot be read of a card, in which line, and whether the card is lost by that.
WRONG = {
    "no end": ("BEGIN:VCARD\nFN:Ann\n" + GOOD, 1, "the card does not end: no END:VCARD", True),
    "no end of the last": (GOOD + "BEGIN:VCARD\nFN:Ann\n", 6, "the card does not end", True),
    "a line that is none": (card("FN:Ann", "what is this") + GOOD, 4, "what stands there", True),
    "no such characters": (
        card("FN;CHARSET=x;QUOTED-PRINTABLE:=C3") + GOOD,
        3,
        "FN cannot be",
        True,
    ),
    "broken characters": (
        card("FN;CHARSET=UTF-8;QUOTED-PRINTABLE:=C3") + GOOD,
        3,
        "FN cannot",
        True,
    ),
    "broken base64": (card("FN;ENCODING=b:Wm") + GOOD, 3, "FN cannot be read", True),
    "two encodings": (card("FN;ENCODING=QUOTED-PRINTABLE,X:a") + GOOD, 3, "FN cannot be", True),
    "too long": (card(f"NOTE:{'x' * (LONGEST_LINE + 1)}") + GOOD, 3, "NOTE cannot be read", True),
    "too many lines": (card(*["TEL:2125550142"] * 2000) + GOOD, 1, "a card of more than", True),
    "no numbers": (card("FN:Ann", "TEL:911", "TEL:101") + GOOD, 1, "no number of US: '911'", False),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_one_card_is_told_and_the_others_are_read(case: str) -> None:
    text, line, problem, lost = WRONG[case]
    reading = read(text.encode(), US)
    (remark,) = reading.remarks
    assert (remark.line, remark.lost) == (line, lost)
    assert remark.text.startswith(problem)
    assert reading.told[-1].said.contact.name == "Bob" or case == "no end of the last"


def test_what_has_no_card_is_none() -> None:
    with pytest.raises(Unreadable, match="there is no BEGIN:VCARD"):
        vcard.read("BEGIN:VCALENDAR\nEND:VCALENDAR\n", US)
    assert vcard.read("", US) == Reading()


#: Lines on which other parsers never come to an end.
EVIL = {
    "commas": "TEL;TYPE=" + "," * 1_000_000,
    "parameters": "TEL" + ";A=B" * 300_000 + ":2125550142",
    "quotes": "TEL;X=" + '"' * 1_000_001 + ":2125550142",
    "one line of ten megabytes": "NOTE:" + "\\," * 5_000_000,
    "ten megabytes of folded lines": "PHOTO:" + "\r\n x" * 3_000_000,
    "cards in cards": "AGENT:\r\nBEGIN:VCARD\r\n" * 200_000,
    "ends": "END:VCARD\r\n" * 500_000,
    "nothing": "\0" * 5_000_000,
}


@pytest.mark.parametrize("case", EVIL)
def test_no_card_takes_for_ever(case: str) -> None:
    began = time.process_time()
    read(card("FN:Ann", EVIL[case]).encode(), US)
    assert time.process_time() - began < 20


def test_a_photograph_of_megabytes_is_passed_over() -> None:
    text = card("FN:Ann", "PHOTO;ENCODING=b:" + "A" * 5_000_000, "TEL:2125550142")
    assert said(text) == [Contact(name="Ann", numbers={ANN: ""})]


@given(st.lists(contacts, max_size=3))
def test_what_is_written_is_read_as_it_was(given: list[Contact]) -> None:
    text = "".join(vcard.write([(f"id{n}", contact) for n, contact in enumerate(given)]))
    reading = vcard.read(text, US)
    assert [one.said.contact for one in reading.told] == given
    assert [one.uid for one in reading.told] == [f"id{n}" for n in range(len(given))]
    assert reading.remarks == []


_PIECES = st.sampled_from(
    ["BEGIN:VCARD\n", "END:VCARD\n", "FN:Ann\n", "TEL;TYPE=CELL:", "TEL:", "2125550142\n", ";", ":",
     ",", "=", '"', "\\", "\n", " ", "\t", "ENCODING=QUOTED-PRINTABLE", "ENCODING=b", "CHARSET=",
     "utf-7", "AGENT:\n", "\0", "\u202e", "é", "ORG:", "N:", "item1.", "X-ABLABEL:", "UID:"]
)  # fmt: skip


@given(st.lists(_PIECES | st.text(max_size=5), max_size=40))
def test_nothing_that_anybody_writes_does_harm(pieces: list[str]) -> None:
    text = "BEGIN:VCARD\n" + "".join(pieces)
    try:
        reading = read(text.encode(errors="replace"), US)
    except Unreadable:
        return
    for one in reading.told:
        assert "\n" not in one.said.contact.name
        assert not {"\0", "\u202e"} & set(one.said.contact.name)
    for remark in reading.remarks:
        assert remark.line >= 1
