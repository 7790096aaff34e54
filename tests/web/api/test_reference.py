"""The description laid out for a page."""

from pbx_bridge.web.api.openapi import description
from pbx_bridge.web.api.operations import OPERATIONS
from pbx_bridge.web.api.reference import chapters, shapes

TOLD = description(OPERATIONS, "/api/v1")


def test_each_operation_is_in_one_chapter() -> None:
    names = [action.name for chapter in chapters(TOLD) for action in chapter.actions]
    assert sorted(names) == sorted(one.name for one in OPERATIONS)


def test_what_is_sent_and_answered() -> None:
    (contact,) = (
        action
        for chapter in chapters(TOLD)
        for action in chapter.actions
        if action.name == "put_contact"
    )
    assert (contact.method, contact.path, contact.role) == ("PUT", "/contacts/{id}", "agent")
    assert (contact.body, contact.answer, contact.status) == ("ContactSaid", "ContactShown", "200")
    assert [(one.name, one.where, one.required) for one in contact.parameters] == [
        ("id", "path", True),
        ("If-Match", "header", False),
    ]
    assert "412" in dict(contact.refuses)


def test_each_shape_that_is_named_is_shown() -> None:
    known = {shape.name: shape for shape in shapes(TOLD)}
    named = {value.shape for shape in known.values() for value in shape.values if value.shape}
    named |= {a.answer for chapter in chapters(TOLD) for a in chapter.actions if a.answer}
    assert named <= set(known)
    state = next(value for value in known["FindingShown"].values if value.name == "state")
    assert state.kind == "ok, waits, wrong, hung"
    limits = {value.name: value.kind for value in known["ContactSaid"].values}
    assert limits["name"] == "string at most 200"
    assert limits["tags"] == "list of string at most 64"
    assert "answered" in known["Disposition"].choices
