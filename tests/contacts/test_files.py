"""A file is what it looks like."""

import pytest

from pbx_bridge.contacts import files
from pbx_bridge.contacts.files import NO_VCARDS, read
from pbx_bridge.contacts.reading import Manner, Unreadable

US = Manner("US")
CARD = b"BEGIN:VCARD\nVERSION:3.0\nFN:Ann\nTEL:2125550142\nEND:VCARD\n"


@pytest.mark.parametrize(
    "body",
    [CARD, b"\n\n" + CARD.replace(b"BEGIN", b"begin"), CARD.decode().encode("utf-16"),
     b"name,phone\nAnn,2125550142\n"],
)  # fmt: skip
def test_it_is_told_by_its_beginning(body: bytes) -> None:
    (one,) = read(body, US).told
    assert one.said.contact.name == "Ann"


def test_without_its_library_vcards_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "has_vcards", lambda: False)
    with pytest.raises(Unreadable) as refused:
        read(CARD, US)
    assert str(refused.value) == NO_VCARDS
    assert read(b"name,phone\nAnn,2125550142\n", US).told
