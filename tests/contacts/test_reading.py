"""From bytes to text, and what else files of contacts have in common."""

import pytest

from pbx_bridge.contacts import reading
from pbx_bridge.contacts.reading import Reading, Unreadable, decoded, e164, zone
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.told import Statement, Told

TEXT = "Zoë,1\nMüller,2\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_encodings_are_told_apart(encoding: str) -> None:
    assert decoded(TEXT.encode(encoding)) == TEXT


@pytest.mark.parametrize(
    ("body", "line", "problem"),
    [
        (b"a\nb\n\xff\0\1", 3, "not text, but binary data"),
        (b"\xff\xfe\x00\xd8a", 0, "not text in utf-16"),
        (b"\xef\xbb\xbf\xff", 0, "not text in utf-8-sig"),
    ],
)
def test_what_is_no_text(body: bytes, line: int, problem: str) -> None:
    with pytest.raises(Unreadable, match=problem) as refused:
        decoded(body)
    assert refused.value.line == line


def test_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST_FILE", 10)
    assert decoded(b"x" * 10) == "x" * 10
    with pytest.raises(Unreadable, match="larger than"):
        decoded(b"x" * 11)
    monkeypatch.setattr(reading, "MOST_ENTRIES", 1)
    one = Told(said=Statement(Contact()), line=3)
    full = Reading([one])
    with pytest.raises(Unreadable, match="line 3: more than 1 contacts; split the file"):
        full.add(one)


def test_remarks_are_bounded_but_it_is_not_forgotten_that_entries_were_lost() -> None:
    found = Reading()
    for n in range(2000):
        found.remark(n, "x")
    assert (len(found.remarks), found.is_incomplete) == (reading.MOST_REMARKS, False)
    found.remark(2000, "y", lost=True)
    found.remark(2001, "z", lost=True)
    assert (found.remarks[-1].text, found.is_incomplete) == ("y", True)


@pytest.mark.parametrize(
    ("written", "number"),
    [("(212) 555-0142", "+12125550142"), ("212 555 0142 ext 5", "+12125550142"), ("911", ""),
     ("+44 20 7946 0018", "+442079460018"), ("", ""), ("ext", "")],
)  # fmt: skip
def test_numbers(written: str, number: str) -> None:
    assert e164(written, "US") == number


def test_zones() -> None:
    assert zone(" Europe/Berlin ") == "Europe/Berlin"
    assert zone("Europe/Atlantis") == zone("../etc/passwd") == ""
