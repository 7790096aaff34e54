"""Where a contact comes from."""

from dataclasses import replace

from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.matching import called, plan
from pbx_bridge.core.origin import Origin, tellers, unheard
from pbx_bridge.core.told import Field, Statement
from tests.core.test_matching import ANN, BOOK, A, having, origin, standing, told


def test_a_caller_id_s_name_gives_way_to_any_source_s() -> None:
    step = called(None, A, "ANN B")
    assert step is not None
    known = standing(1, step.contact, step.origin)
    assert known.suggested == {"name", f"numbers:{A}"}
    made = plan(BOOK, [told("1", having(A, name="Ann Baker"))], [known])
    assert made.steps[0].contact.name == "Ann Baker"
    assert made.conflicts == []


def test_but_not_once_a_source_or_a_person_has_said_the_same() -> None:
    step = called(None, A, "Ann")
    assert step is not None
    said = standing(1, step.contact, step.origin, origin("1", having(A, name="Ann")))
    assert said.suggested == frozenset()
    by_hand = standing(1, step.contact, step.origin, edited="name")
    assert by_hand.suggested == {f"numbers:{A}"}


def test_what_a_source_has_not_heard_yet() -> None:
    here = replace(ANN, name="Anne", tags=frozenset({"vip"}), kind=CallerKind.CUSTOMER)
    fields = frozenset(Field) - {Field.KIND}
    there = Origin(source=BOOK, uid="1", said=Statement(ANN, fields))
    known = standing(1, here, there, edited="name tags:vip kind email owner")
    assert unheard(known, there) == ("name", "tags:vip")


def test_who_tells_what_stands_here() -> None:
    one, two = origin("1", having(A, name="Ann")), origin("2", having(A, name="Anne"))
    known = standing(1, having(A, name="Ann"), one, two)
    assert tellers(known, "name") == (BOOK,)
    assert tellers(known, f"numbers:{A}") == (BOOK,)
    assert tellers(standing(1, having(A, name="Eve"), one), "name") == ()
    assert tellers(known, "email") == ()
