"""Whom the entries of a source mean."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.contact import Contact
from pbx_bridge.core.matching import Gone, Plan, Skipped, called, plan
from pbx_bridge.core.merge import Conflict, flat
from pbx_bridge.core.origin import CALL, FILE, Origin, Standing
from pbx_bridge.core.told import Field, Statement, Told

A, B, C = "+12125550101", "+12125550102", "+12125550103"
BOOK = "book"


def having(*numbers: str, name: str = "", **fields: Any) -> Contact:
    return Contact(name=name, numbers=dict.fromkeys(numbers, ""), **fields)


def told(uid: str, contact: Contact, **more: Any) -> Told:
    return Told(uid=uid, said=Statement(contact), **more)


def origin(uid: str, contact: Contact, source: str = BOOK) -> Origin:
    return Origin(source=source, uid=uid, said=Statement(contact))


def standing(row: int, contact: Contact, *origins: Origin, edited: str = "") -> Standing:
    return Standing(row_id=row, contact=contact, edited=frozenset(edited.split()), origins=origins)


ANN = having(A, name="Ann", email="ann@example.com")
BOB = having(B, name="Bob")


def rows(made: Plan) -> list[int | None]:
    return [step.row_id for step in made.steps]


def test_who_is_not_known_is_new() -> None:
    made = plan(BOOK, [told("1", ANN, line=7, etag="e")], [standing(5, BOB)])
    (step,) = made.steps
    assert (step.row_id, step.contact, step.line, made.created) == (None, ANN, 7, [step])
    assert step.origin == replace(origin("1", ANN), etag="e")


def test_the_source_s_own_id_counts_before_the_numbers() -> None:
    known = [standing(1, ANN, origin("1", ANN)), standing(2, BOB)]
    moved = having(A, C, name="Ann", email="ann@example.com")
    made = plan(BOOK, [told("1", moved)], known)
    assert rows(made) == [1]
    assert made.changed[0].changed == (f"numbers:{C}",)


def test_any_number_that_both_have_is_enough() -> None:
    made = plan(BOOK, [told("1", having(A, C, name="Anna"))], [standing(1, ANN), standing(2, BOB)])
    (step,) = made.steps
    assert (step.row_id, step.contact.numbers) == (1, {A: "", C: ""})
    assert step.conflicts == (Conflict("name", "Ann", "Anna", "another source told it"),)


def test_who_would_be_two_is_none() -> None:
    made = plan(BOOK, [told("1", having(A, B, name="Eve"))], [standing(1, ANN), standing(2, BOB)])
    assert made.steps == ()
    why = "its numbers belong to 2 contacts: Ann (1) and Bob (2)"
    assert made.skipped == (Skipped(0, "Eve", why, (1, 2)),)


def test_by_e_mail_only_if_that_is_asked_for_and_no_number_says_more() -> None:
    entry = told("", having(C, name="Ann", email="ann@example.com"))
    assert rows(plan(FILE, [entry], [standing(1, ANN)])) == [None]
    made = plan(FILE, [entry], [standing(1, ANN)], by_email=True)
    assert (rows(made), made.steps[0].by_email) == ([1], True)
    by_number = told("", having(B, email="ann@example.com"))
    made = plan(FILE, [by_number], [standing(1, ANN), standing(2, BOB)], by_email=True)
    assert (rows(made), made.steps[0].by_email) == ([2], False)


def test_an_address_of_two_means_nobody() -> None:
    known = [standing(1, ANN), standing(2, replace(BOB, email=ANN.email))]
    made = plan(FILE, [told("", Contact(email=ANN.email))], known, by_email=True)
    why = "its address belongs to 2 contacts: Ann (1) and Bob (2)"
    assert made.skipped == (Skipped(0, ANN.email, why, (1, 2)),)


def test_two_entries_of_a_source_are_two_people_also_with_one_number() -> None:
    """The switchboard of a company stands in the cards of all who work there."""
    entries = [told("1", having(A, C, name="Ann")), told("2", having(B, C, name="Bob"))]
    made = plan(BOOK, entries, [])
    assert rows(made) == [None, None]
    assert made.steps[1].contact == BOB
    assert made.conflicts == [
        (made.steps[1], Conflict(f"numbers:{C}", None, "", "the number of Ann"))
    ]
    only = plan(BOOK, [entries[0], told("2", having(C, name="Bob"))], [])
    assert only.skipped == (
        Skipped(0, "Bob", f"another contact has its number: {C} is the number of Ann"),
    )


def test_the_same_holds_in_a_file_without_ids() -> None:
    made = plan(FILE, [told("", ANN, line=2), told("", having(A, name="Bob"), line=3)], [])
    assert [step.origin.uid for step in made.steps] == [f"tel:{A}"]
    assert [one.line for one in made.skipped] == [3]


def test_an_earlier_file_s_id_does_not_make_somebody_another() -> None:
    known = standing(1, ANN, origin(f"tel:{A}", ANN, FILE))
    assert rows(plan(FILE, [told("theirs-1", ANN)], [known])) == [1]


def test_an_id_that_a_book_has_no_more_does_not_either() -> None:
    """A card that was moved."""
    known = standing(1, ANN, origin("old", ANN))
    made = plan(BOOK, [told("new", ANN)], [known], gone=["old"])
    assert rows(made) == [1]
    assert made.gone == (Gone(1, "old", removes=False),)
    assert rows(plan(BOOK, [told("new", having(A, C))], [known])) == [None]  # it is still there


def test_one_that_was_moved_and_changed_is_followed() -> None:
    known = standing(1, ANN, origin("old", ANN))
    (step,) = plan(BOOK, [told("new", replace(ANN, name="Anna"))], [known], gone=["old"]).steps
    assert (step.row_id, step.contact.name, step.conflicts) == (1, "Anna", ())


def test_an_entry_that_is_told_twice_counts_once() -> None:
    made = plan(BOOK, [told("1", ANN, line=2), told("1", BOB, line=9)], [])
    assert made.skipped == (Skipped(9, "Bob", "told twice; see line 2"),)
    assert plan(BOOK, [told("1", ANN), told("1", BOB)], []).skipped[0].why == "told twice"


@pytest.mark.parametrize(
    ("contact", "who"),
    [(Contact(name="Eve"), "Eve"), (Contact(company="Acme"), "Acme"), (Contact(), "")],
)
def test_who_cannot_be_recognised_again_is_left_out(contact: Contact, who: str) -> None:
    made = plan(FILE, [told("", contact, line=4)], [])
    assert made.skipped == (Skipped(4, who, "neither a number nor an e-mail address"),)


def test_one_with_an_address_only_is_taken() -> None:
    made = plan(FILE, [told("", Contact(email="eve@example.com"))], [])
    assert made.steps[0].origin.uid == "mailto:eve@example.com"


def test_a_file_without_ids_is_recognised_by_any_of_its_numbers() -> None:
    both = having(A, C, name="Ann")
    known = standing(1, both, origin(f"tel:{C}", both, FILE))
    made = plan(FILE, [told("", having(A, C, name="Anna"))], [known])
    (step,) = made.steps
    assert (step.origin.uid, step.contact.name) == (f"tel:{C}", "Anna")


def test_what_a_later_file_is_silent_about_is_not_forgotten() -> None:
    known = standing(1, ANN, origin("1", ANN, FILE))
    phones = Told(uid="1", said=Statement(having(A), frozenset({Field.NUMBERS})))
    (step,) = plan(FILE, [phones], [known]).steps
    assert step.contact == ANN
    assert step.origin.said == Statement(ANN)


def test_what_one_file_tells_no_more_another_does_not_keep() -> None:
    """Files are one source, of which the last word counts; an address book has a word too."""
    tagged = having(A, name="Ann", tags=frozenset({"vip"}))
    entry = told("1", having(A, name="Ann"))
    files = standing(1, tagged, origin("1", tagged, FILE), origin(f"tel:{A}", tagged, FILE))
    assert plan(FILE, [entry], [files]).steps[0].contact.tags == frozenset()
    both = standing(1, tagged, origin("1", tagged, FILE), origin("1", tagged))
    assert plan(FILE, [entry], [both]).steps[0].contact.tags == {"vip"}
    assert plan(BOOK, [entry], [both]).steps[0].contact.tags == {"vip"}


def test_a_number_that_a_person_moved_is_not_asked_about_again() -> None:
    known = [
        standing(1, having(C, name="Ann"), origin("1", ANN), edited=f"numbers:{A}"),
        standing(2, having(A, B, name="Bob")),
    ]
    (step,) = plan(BOOK, [told("1", ANN)], known).steps
    assert step.contact.numbers == {C: ""}
    assert step.conflicts == ()


def test_a_number_that_is_given_up_can_be_taken_in_the_same_reading() -> None:
    known = [standing(1, ANN, origin("1", ANN)), standing(2, BOB, origin("2", BOB))]
    entries = [
        told("1", having(C, name="Ann", email=ANN.email)),
        told("2", having(A, B, name="Bob")),
    ]
    made = plan(BOOK, entries, known)
    assert [step.contact.numbers for step in made.steps] == [{C: ""}, {A: "", B: ""}]
    assert made.conflicts == []


def test_two_entries_of_one_contact_are_merged_one_after_the_other() -> None:
    """A person joined what are two cards in the book."""
    both = having(A, B, name="Ann")
    known = standing(1, both, origin("1", having(A, name="Ann")), origin("2", BOB))
    entries = [
        told("1", having(A, name="Ann", notes="x")),
        told("2", having(B, name="Bob", owner="y")),
    ]
    made = plan(BOOK, entries, [known])
    assert rows(made) == [1, 1]
    assert made.steps[1].contact == replace(both, notes="x", owner="y")


def test_who_is_gone_goes_unless_somebody_else_spoke_of_them() -> None:
    known = [
        standing(1, ANN, origin("1", ANN)),
        standing(2, BOB, origin("2", BOB), edited="notes"),
        standing(3, having(C), origin("3", having(C)), origin(C, having(C), CALL)),
        standing(4, Contact(), origin("4", Contact()), origin("x", Contact(), FILE)),
    ]
    made = plan(BOOK, [], known, gone=["1", "2", "3", "4", "unknown"])
    assert made.gone == (
        Gone(1, "1", removes=True),
        Gone(2, "2", removes=False),
        Gone(3, "3", removes=True),
        Gone(4, "4", removes=False),
    )


def test_a_caller_id_makes_a_contact_or_names_one() -> None:
    step = called(None, A, "Ann Baker")
    assert step is not None
    assert (step.row_id, step.contact) == (None, having(A, name="Ann Baker"))
    named = called(standing(1, having(A)), A, "Ann Baker")
    assert named is not None
    assert (named.row_id, named.contact.name, named.changed) == (1, "Ann Baker", ("name",))


@pytest.mark.parametrize(
    ("known", "name"),
    [
        (standing(1, ANN), "Eve"),
        (standing(1, having(A)), ""),
        (standing(1, having(A), edited="name"), "Eve"),
    ],
    ids=["named already", "no name", "a person took the name away"],
)
def test_else_it_does_nothing(known: Standing, name: str) -> None:
    assert called(known, A, name) is None


uids = st.sampled_from(["1", "2", "3", "4"])
people = st.builds(
    Contact,
    name=st.sampled_from(["", "Ann", "Bob"]),
    tags=st.frozensets(st.sampled_from("ab")),
    email=st.sampled_from(["", "ann@example.com"]),
    numbers=st.dictionaries(st.sampled_from([A, B, C]), st.sampled_from(["", "work"]), max_size=2),
)
readings = st.dictionaries(uids, people, max_size=4)


def taken(known: dict[int, Standing], made: Plan) -> dict[int, Standing]:
    """Do what a plan says, in memory."""
    after = dict(known)
    for step in made.steps:
        row = step.row_id or max(after, default=0) + 1
        before = after.get(row) or standing(row, Contact())
        rest = [o for o in before.origins if (o.source, o.uid) != (made.source, step.origin.uid)]
        after[row] = replace(before, contact=step.contact, origins=(*rest, step.origin))
    for gone in made.gone:
        left = after[gone.row_id]
        rest = [o for o in left.origins if (o.source, o.uid) != (made.source, gone.uid)]
        after[gone.row_id] = replace(left, origins=tuple(rest))
        if gone.removes:
            del after[gone.row_id]
    return after


@given(st.lists(st.tuples(st.sampled_from([BOOK, "other"]), readings), max_size=5), st.data())
def test_whatever_sources_tell_a_number_has_one_owner_and_people_the_last_word(
    history: list[tuple[str, dict[str, Contact]]], data: st.DataObject
) -> None:
    known: dict[int, Standing] = {}
    last: dict[str, set[str]] = {}
    for source, reading in history:
        row = data.draw(st.sampled_from([0, *known]))
        if row:
            name = data.draw(st.sampled_from(["By hand", ""]))
            known[row] = replace(
                known[row],
                contact=replace(known[row].contact, name=name),
                edited=known[row].edited | {"name"},
            )
        decided = {row: one.contact.name for row, one in known.items() if one.edited}
        entries = [told(uid, contact) for uid, contact in reading.items()]
        gone = last.get(source, set()) - reading.keys()
        made = plan(source, entries, known.values(), gone=gone)
        known = taken(known, made)
        last[source] = set(reading)
        numbers = [number for one in known.values() for number in one.contact.numbers]
        assert len(numbers) == len(set(numbers))
        assert {row: known[row].contact.name for row in decided} == decided
        again = plan(source, entries, known.values())
        assert again.created == []
        assert again.changed == []


@given(readings)
def test_a_source_alone_is_mirrored(reading: dict[str, Contact]) -> None:
    """But for numbers that two of its entries have, and entries that nobody could recognise."""
    made = plan(BOOK, [told(uid, contact) for uid, contact in reading.items()], [])
    for step in made.steps:
        said = flat(reading[step.origin.uid])
        assert flat(step.contact).items() <= said.items()
        refused = {conflict.key for conflict in step.conflicts}
        assert said.keys() - flat(step.contact).keys() == refused
