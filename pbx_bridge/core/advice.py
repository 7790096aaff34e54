"""What somebody here can do about a message that has not arrived."""

from dataclasses import dataclass
from enum import StrEnum

from pbx_bridge.core.delivery import Blame, State


class Advice(StrEnum):
    NOTHING = "nothing"  #: it arrived, is on its way, or is no longer wanted
    WAIT = "wait"  #: it goes by itself
    CIRCUIT = "circuit"  #: it goes once the gateway is used again
    ASKED = "asked"  #: perhaps sent; the gateway will be asked
    PERHAPS = "perhaps"  #: perhaps sent; nobody can be asked, and it is not sent again
    CALL = "call"  #: the number can get no texts
    STOPPED = "stopped"  #: the recipient wants none
    WORDS = "words"  #: a carrier took it for spam
    MACHINE = "machine"  #: a machine answers there
    GATEWAY = "gateway"  #: the account or its registration has to be mended
    TOO_LATE = "too_late"  #: it was not sent before it was of no use any more
    REFUSED = "refused"  #: this one message was refused


#: Code of a message that waits for a circuit, as the outbox writes it.
FOR_CIRCUIT = "circuit"
_BY_BLAME = {
    Blame.NUMBER: Advice.CALL,
    Blame.OPTED_OUT: Advice.STOPPED,
    Blame.FILTERED: Advice.WORDS,
    Blame.LOOP: Advice.MACHINE,
    Blame.GATEWAY: Advice.GATEWAY,
}
_OF_STATE = {State.EXPIRED: Advice.TOO_LATE, State.SENDING: Advice.WAIT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known of a message that has not arrived, and of its recipient."""

    state: State
    code: str = ""
    will_be_asked: bool = False  #: the gateway, about its unknown fate
    blame: Blame | None = None  #: of the receipt that says it was not delivered
    untextable: bool = False  #: a gateway said that the number can get no texts
    opted_out: bool = False
    gateway_refuses: bool = False  #: its gateway's circuit is open for the very reason it failed


def advice(of: Situation) -> Advice:
    """Say what can be done."""
    if of.state is State.QUEUED:
        return Advice.CIRCUIT if of.code == FOR_CIRCUIT else Advice.WAIT
    if of.state is State.UNCERTAIN:
        return Advice.ASKED if of.will_be_asked else Advice.PERHAPS
    if of.state in {State.FAILED, State.UNDELIVERED}:
        return _of_failure(of)
    return _OF_STATE.get(of.state, Advice.NOTHING)


def _of_failure(of: Situation) -> Advice:
    if of.blame in _BY_BLAME:
        return _BY_BLAME[of.blame]
    if of.opted_out:
        return Advice.STOPPED
    if of.untextable:
        return Advice.CALL
    return Advice.GATEWAY if of.gateway_refuses else Advice.REFUSED
