"""The three-way merge, as a manual, and what holds whatever sources tell."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.contact import NOBODY, CallerKind, Contact
from pbx_bridge.core.merge import Conflict, built, differing, flat, joined, merge
from pbx_bridge.core.told import ALL_FIELDS, Field, Statement
from tests.contacts.examples import contacts

ANN, ANNA, ANNE = Contact(name="Ann"), Contact(name="Anna"), Contact(name="Anne")
NUMBER = "+12125550142"

BY_HAND, BY_ANOTHER = "decided here by hand", "another source told it"
#: What the source told last (None: nothing yet), tells now, what stands here; marks of a person;
#: what stands here then, and why not if it is not what the source tells.
NAMES = {
    "nothing changed": ("Ann", "Ann", "Ann", (), "Ann", ""),
    "only the source changed it": ("Ann", "Anna", "Ann", (), "Anna", ""),
    "only a person changed it": ("Ann", "Ann", "Anne", ("name",), "Anne", ""),
    "both changed it": ("Ann", "Anna", "Anne", ("name",), "Anne", BY_HAND),
    "both changed it to the same": ("Ann", "Anne", "Anne", ("name",), "Anne", ""),
    "another source changed it, this one not": ("Ann", "Ann", "Anne", (), "Anne", ""),
    "another source changed it, then this one": ("Ann", "Anna", "Anne", (), "Anna", ""),
    "the source empties it": ("Ann", "", "Ann", (), "", ""),
    "the source empties what another changed": ("Ann", "", "Anne", (), "Anne", ""),
    "the source empties what a person changed": ("Ann", "", "Anne", ("name",), "Anne", BY_HAND),
    "a person emptied it": ("Ann", "Anna", "", ("name",), "", BY_HAND),
    "told for the first time, nothing here": (None, "Ann", "", (), "Ann", ""),
    "told for the first time, the same here": (None, "Ann", "Ann", (), "Ann", ""),
    "told for the first time, another here": (None, "Ann", "Anne", (), "Anne", BY_ANOTHER),
    "told for the first time, a person's here": (None, "Ann", "Anne", ("name",), "Anne", BY_HAND),
    "told for the first time, emptied by a person": (None, "Ann", "", ("name",), "", BY_HAND),
    "nothing told for the first time": (None, "", "Anne", (), "Anne", ""),
    "told at last": ("", "Ann", "", (), "Ann", ""),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_field(case: str) -> None:
    before, now, here, edited, then, why = NAMES[case]
    merged = merge(
        Statement(Contact(name=now)),
        None if before is None else Statement(Contact(name=before)),
        Contact(name=here),
        edited=edited,
    )
    assert merged.contact.name == then
    assert merged.changed == (("name",) if then != here else ())
    conflict = Conflict("name", here or None, now or None, why)
    assert merged.conflicts == ((conflict,) if why else ())


def test_what_only_a_caller_id_said_gives_way() -> None:
    merged = merge(Statement(ANNA), None, ANN, suggested=("name",))
    assert (merged.contact, merged.conflicts) == (ANNA, ())


def test_of_what_a_source_does_not_speak_it_changes_nothing() -> None:
    here = Contact(name="Ann", notes="pays late")
    told = Statement(Contact(), frozenset({Field.NAME}))
    assert merge(told, Statement(here), here).contact == Contact(notes="pays late")


def test_the_kind_of_who_is_just_known_is_like_an_empty_field() -> None:
    customer = Contact(kind=CallerKind.CUSTOMER)
    assert merge(Statement(customer), None, NOBODY).contact == customer
    assert merge(Statement(NOBODY), None, customer).contact == customer
    assert merge(Statement(NOBODY), Statement(customer), customer).contact == NOBODY


def tagged(*tags: str) -> Contact:
    return Contact(tags=frozenset(tags))


#: Last told, told now, here; marks; then.
TAGS = {
    "one is added there": (("a",), ("a", "b"), ("a", "own"), (), ("a", "b", "own")),
    "one is gone there": (("a", "b"), ("a",), ("a", "b", "own"), (), ("a", "own")),
    "one was taken away here": (("a", "b"), ("a", "b"), ("a",), ("tags:b",), ("a",)),
    "and is told again there": (("a",), ("a", "b"), ("a",), ("tags:b",), ("a",)),
    "one was given here": (("a",), ("a",), ("a", "own"), ("tags:own",), ("a", "own")),
    "then there, and is gone there": (("own",), (), ("own",), ("tags:own",), ("own",)),
    "told for the first time": (None, ("a", "b"), ("own",), (), ("a", "b", "own")),
    "one that is here no more is gone there": (("a",), (), (), (), ()),
}


@pytest.mark.parametrize("case", TAGS)
def test_the_elements_of_a_list(case: str) -> None:
    before, now, here, edited, then = TAGS[case]
    last = None if before is None else Statement(tagged(*before))
    merged = merge(Statement(tagged(*now)), last, tagged(*here), edited=edited)
    assert merged.contact == tagged(*then)


def test_what_another_source_tells_too_stays_when_one_tells_it_no_more() -> None:
    here = tagged("a", "b")
    told = merge(Statement(tagged()), Statement(here), here, others=[Statement(tagged("a"))])
    assert told.contact == tagged("a")


#: The label last told, told now, here (None: no such number); marked; the label then.
LABELS = {
    "told, nothing here": (None, "work", None, False, "work"),
    "told, without a label here": (None, "work", "", False, "work"),
    "told without a label, with one here": (None, "", "work", False, "work"),
    "told without a label, a person's here": (None, "", "work", True, "work"),
    "told with another label": (None, "home", "work", False, "work"),
    "the label changed there": ("home", "mobile", "home", False, "mobile"),
    "the label went there": ("home", "", "home", False, ""),
    "the number went there": ("home", None, "home", False, None),
    "a person took it away": ("home", "mobile", None, True, None),
}


@pytest.mark.parametrize("case", LABELS)
def test_a_number_and_its_label(case: str) -> None:
    def having(label: str | None) -> Contact:
        return Contact(numbers={} if label is None else {NUMBER: label})

    before, now, here, marked, then = LABELS[case]
    merged = merge(
        Statement(having(now)),
        None if before is None else Statement(having(before)),
        having(here),
        edited={f"numbers:{NUMBER}"} if marked else (),
    )
    assert merged.contact == having(then)


@given(contacts)
def test_laying_out_and_building_are_inverse(contact: Contact) -> None:
    assert built(flat(contact)) == contact


@given(contacts, contacts)
def test_differences_are_named(one: Contact, other: Contact) -> None:
    assert (differing(one, other) == ()) == (one == other)


@given(contacts, contacts)
def test_of_two_that_are_joined_the_first_has_the_word(kept: Contact, other: Contact) -> None:
    both = flat(joined(kept, other))
    assert flat(kept).items() <= both.items()
    assert both.keys() == flat(kept).keys() | flat(other).keys()


statements = st.builds(
    Statement, contacts, st.frozensets(st.sampled_from(list(Field))) | st.just(ALL_FIELDS)
)


@given(statements, st.none() | statements, contacts, st.data())
def test_to_hear_the_same_again_changes_nothing(
    told: Statement, before: Statement | None, here: Contact, data: st.DataObject
) -> None:
    keys = sorted(flat(here).keys() | flat(told.contact).keys())
    edited = data.draw(st.sets(st.sampled_from(keys)) if keys else st.just(set()))
    once = merge(told, before, here, edited=edited)
    again = merge(told, told, once.contact, edited=edited)
    assert (again.contact, again.changed, again.conflicts) == (once.contact, (), ())


@given(st.lists(st.tuples(st.booleans(), statements), max_size=6), contacts, contacts)
def test_no_sequence_of_changes_at_two_sources_undoes_what_a_person_decided(
    history: list[tuple[bool, Statement]], here: Contact, wanted: Contact
) -> None:
    edited = set(differing(here, wanted))
    last: dict[bool, Statement] = {}
    now = wanted
    for source, told in history:
        others = [said for name, said in last.items() if name is not source]
        merged = merge(told, last.get(source), now, edited=edited, others=others)
        last[source], now = told, merged.contact
        assert set(merged.changed).isdisjoint(edited)
    decided = flat(wanted)
    for key in edited:
        assert flat(now).get(key) == decided.get(key)


@given(statements, contacts)
def test_without_a_person_the_source_s_word_stands_in_the_end(
    told: Statement, here: Contact
) -> None:
    """What one source says of an empty contact, and then changes, is what stands here."""
    first = merge(told, None, NOBODY)
    said = flat(told.contact, told.fields)
    assert flat(first.contact) == said
    later = Statement(here, told.fields)
    second = merge(later, told, first.contact)
    assert flat(second.contact, told.fields) == flat(here, told.fields)
    assert second.conflicts == ()
    assert replace(second.contact) == second.contact
