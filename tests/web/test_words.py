"""Words for what the service knows by short names."""

from enum import Enum

import pytest

from pbx_bridge.core.call import Reason
from pbx_bridge.core.delivery import State
from pbx_bridge.core.sequence import Action
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.core.snoozing import Until
from pbx_bridge.core.task import ClosedHow
from pbx_bridge.web import words


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (Reason, words.REASONS),
        (State, words.STATES),
        (Action, words.ACTIONS),
        (ClosedHow, words.CLOSED),
        (Until, words.UNTIL),
    ],
)
def test_every_name_has_a_word(names: type[Enum], said: dict[object, object]) -> None:
    assert [name for name in names if name not in said] == []
    assert all(said.values())


def test_badges_are_of_known_kinds() -> None:
    assert {kind for kind, _ in words.STATES.values()} <= {"good", "wait", "bad", "calm"}


def test_why_there_is_no_text() -> None:
    assert words.why_not(SkipReason.OPTED_OUT) == "wants no more texts (STOP)"
    assert words.why_not("hourly_cap") == ""
    assert words.why_not("no such reason") == ""
