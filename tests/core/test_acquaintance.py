"""How somebody who calls is regarded, and by what name greeted."""

import pytest

from pbx_bridge.core.acquaintance import caller_kind, greeting_name
from pbx_bridge.core.contact import CallerKind, Contact

CUSTOMER = Contact(kind=CallerKind.CUSTOMER)

KINDS = {
    "a stranger": (None, {"stranger": True}, CallerKind.NEW),
    "somebody who was here before": (None, {}, CallerKind.KNOWN),
    "a contact": (Contact(), {"stranger": True}, CallerKind.KNOWN),
    "a customer": (CUSTOMER, {"stranger": True}, CallerKind.CUSTOMER),
    "staff": (Contact(kind=CallerKind.STAFF), {}, CallerKind.STAFF),
    "blocked": (Contact(kind=CallerKind.BLOCKED), {}, CallerKind.BLOCKED),
    "withheld": (CUSTOMER, {"withheld": True}, CallerKind.ANONYMOUS),
    "no number": (None, {"has_number": False}, CallerKind.ANONYMOUS),
}


@pytest.mark.parametrize("case", KINDS)
def test_who_calls(case: str) -> None:
    contact, differs, kind = KINDS[case]
    facts = {"withheld": False, "stranger": False, "has_number": True} | differs
    assert caller_kind(contact, **facts) is kind


NAMES = {
    "Ann Baker": "Ann",
    "ANN BAKER": "Ann",
    "Baker, Ann": "Ann",
    "Ann": "Ann",
    "Zoë Müller": "Zoë",
    "Dr. Ann Baker": "Dr. Ann Baker",
    "Mrs Baker": "Mrs Baker",
    "Baker Plumbing": "Baker Plumbing",
    "Baker & Sons": "Baker & Sons",
    "Baker Co.": "Baker Co.",
    "Acme, Inc.": "Acme, Inc.",
    "http://evil.example": "Bob Cole",  # no name: the caller ID's
    "": "Bob Cole",
}


@pytest.mark.parametrize("name", NAMES)
def test_by_what_name(name: str) -> None:
    found = greeting_name(Contact(name=name), "BOB COLE")
    assert found == NAMES[name]


def test_a_company_is_greeted_by_its_whole_name() -> None:
    assert greeting_name(Contact(name="Acme Tools", company="Acme Tools"), "") == "Acme Tools"


def test_without_a_contact_the_caller_id_counts_if_it_is_a_name() -> None:
    assert greeting_name(None, "ANN BAKER") == "Ann Baker"
    assert greeting_name(Contact(), "WIRELESS CALLER") == ""
