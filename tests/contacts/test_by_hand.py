"""What a person writes about a contact."""

import pytest

from pbx_bridge.contacts.by_hand import NotSo, changed, numbers
from pbx_bridge.core.contact import NOBODY, CallerKind, Contact
from pbx_bridge.core.told import Field

ANN = Contact(name="Ann", email="ann@example.com", language="es")


def test_what_is_written_replaces_what_was_and_the_rest_stays() -> None:
    after = changed(ANN, {"name": "Anna", "email": "", "kind": "staff", "zone": "Europe/Berlin"})
    assert after == Contact(name="Anna", language="es", kind=CallerKind.STAFF, zone="Europe/Berlin")
    assert changed(ANN, {}) == ANN


@pytest.mark.parametrize(
    ("field", "written", "problem"),
    [
        (Field.EMAIL, "nobody", "'nobody' is no e-mail address; such as ann@example.com"),
        (Field.LANGUAGE, "spanish", "'spanish' is no language; two letters, such as es"),
        (Field.ZONE, "Mars/City", "'Mars/City' is no time zone; such as America/New_York"),
        (Field.KIND, "vip", "'vip' is no kind; one of blocked, customer, staff, known"),
        (Field.KIND, "new", "'new' is no kind; one of blocked, customer, staff, known"),
    ],
)
def test_what_cannot_be_is_told(field: Field, written: str, problem: str) -> None:
    with pytest.raises(NotSo) as told:
        changed(NOBODY, {field.value: written})
    assert (told.value.field, str(told.value)) == (field, problem)


def test_numbers_are_the_office_s_country_s() -> None:
    assert numbers([("212 555 0142", "mobile"), ("+44 20 7183 8750", "")], "US") == {
        "+12125550142": "mobile",
        "+442071838750": "",
    }
    with pytest.raises(NotSo, match="'911' is no number of US; write it as"):
        numbers([("911", "")], "US")
