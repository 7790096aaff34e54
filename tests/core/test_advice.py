"""What somebody can do about a message that has not arrived."""

from typing import Any

import pytest

from pbx_bridge.core.advice import FOR_CIRCUIT, Advice, Situation, advice
from pbx_bridge.core.delivery import Blame, State


@pytest.mark.parametrize(
    ("state", "more", "said"),
    [
        (State.QUEUED, {}, Advice.WAIT),
        (State.QUEUED, {"code": FOR_CIRCUIT}, Advice.CIRCUIT),
        (State.SENDING, {}, Advice.WAIT),
        (State.UNCERTAIN, {"will_be_asked": True}, Advice.ASKED),
        (State.UNCERTAIN, {}, Advice.PERHAPS),
        (State.FAILED, {}, Advice.REFUSED),
        (State.FAILED, {"untextable": True}, Advice.CALL),
        (State.FAILED, {"opted_out": True, "untextable": True}, Advice.STOPPED),
        (State.FAILED, {"gateway_refuses": True}, Advice.GATEWAY),
        (State.FAILED, {"gateway_refuses": True, "untextable": True}, Advice.CALL),
        (State.UNDELIVERED, {"blame": Blame.NUMBER}, Advice.CALL),
        (State.UNDELIVERED, {"blame": Blame.FILTERED, "untextable": True}, Advice.WORDS),
        (State.UNDELIVERED, {"blame": Blame.LOOP}, Advice.MACHINE),
        (State.UNDELIVERED, {"blame": Blame.OPTED_OUT}, Advice.STOPPED),
        (State.UNDELIVERED, {"blame": Blame.GATEWAY}, Advice.GATEWAY),
        (State.UNDELIVERED, {"blame": Blame.MESSAGE}, Advice.REFUSED),
        (State.UNDELIVERED, {"blame": Blame.MESSAGE, "opted_out": True}, Advice.STOPPED),
        (State.EXPIRED, {"untextable": True}, Advice.TOO_LATE),
        (State.CANCELLED, {}, Advice.NOTHING),
        (State.DELIVERED, {"opted_out": True}, Advice.NOTHING),
        (State.ACCEPTED, {}, Advice.NOTHING),
        (State.SHADOW, {}, Advice.NOTHING),
    ],
)
def test_what_can_be_done(state: State, more: dict[str, Any], said: Advice) -> None:
    assert advice(Situation(state=state, **more)) is said


def test_every_blame_leads_to_some_advice() -> None:
    for blame in Blame:
        found = advice(Situation(state=State.UNDELIVERED, blame=blame))
        assert found is not Advice.NOTHING
