"""A call back from the click to its end, event by event as Asterisk 16 and 22 told them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Self

import pytest

from pbx_bridge.core import events as ev
from pbx_bridge.core.call_back import (
    GRACE,
    LONGEST_DIALLING,
    LONGEST_TALK,
    SETTLES,
    CallBackOutcome,
    CallBackState,
    Following,
    Progress,
    Refusal,
    ending,
    forbidden,
    leads_to_customer,
    tag,
)
from pbx_bridge.core.events import ChannelState
from pbx_bridge.core.number import Number, parse

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RING = timedelta(seconds=25)


def number(text: str = "+12125550143", country: str = "US") -> Number:
    found = parse(text, country)
    assert found is not None
    return found


OURS = tag(number(), "f00d")


class Click:
    """Feeds one call back, one second a step."""

    def __init__(self) -> None:
        self.now = START
        self.following = Following(OURS, Progress(wanted_at=START), RING)

    def feed(self, event: ev.CallEvent) -> Self:
        self.following.take(event)
        self.now += timedelta(seconds=1)
        return self

    def leg(self, leg: str = OURS, name: str = "PJSIP/101-01", linkedid: str = OURS) -> Self:
        return self.feed(
            ev.ChannelCreated(self.now, leg, linkedid, name, ChannelState.DOWN, "x", "s", "", "")
        )

    def answers(self) -> Self:
        return self.feed(ev.StateChanged(self.now, OURS, ChannelState.UP))

    def dials(
        self, leg: str = "t", name: str = "PJSIP/trunk-02", dialled: str = "+12125550143@trunk"
    ) -> Self:
        return self.leg(leg, name).feed(ev.DialBegun(self.now, OURS, leg, name, dialled))

    def dial_ends(self, status: str, leg: str = "t") -> Self:
        return self.feed(ev.DialEnded(self.now, OURS, leg, status, ""))

    def enters(self, leg: str = "t", *, holding: bool = False) -> Self:
        return self.feed(
            ev.BridgeEntered(
                self.now, leg, "b", holding, conference=False, name="", state=6, linkedid=OURS
            )
        )

    def gone(self, leg: str = OURS, cause: int = 16) -> Self:
        return self.feed(ev.ChannelHungUp(self.now, leg, cause, "x"))

    def live(self, leg: str, name: str, *, state: int = 6, bridge: str = "b") -> ev.LiveChannel:
        return ev.LiveChannel(
            leg, OURS, name, state, "x", "s", "+12125550143", "", bridge, holding=False,
            conference=False,
        )  # fmt: skip

    @property
    def progress(self) -> Progress:
        return self.following.progress

    @property
    def so_far(self) -> tuple[CallBackState, CallBackOutcome | None]:
        return self.progress.state, self.progress.outcome


def ringing() -> Click:
    return Click().leg()


def customer_rings() -> Click:
    return ringing().answers().dials()


def talking() -> Click:
    return customer_rings().dial_ends("ANSWER").enters(OURS).enters()


def test_from_the_click_to_the_end_of_the_talk() -> None:
    click = Click()
    states = [click.progress.state]
    states += [further().progress.state for further in (click.leg, click.answers, click.dials)]
    states.append(click.dial_ends("ANSWER").enters(OURS).progress.state)
    states.append(click.enters().progress.state)
    assert states == [
        CallBackState.WANTED,
        CallBackState.COLLEAGUE_RINGS,
        CallBackState.COLLEAGUE_RINGS,
        CallBackState.CUSTOMER_RINGS,
        CallBackState.CUSTOMER_RINGS,
        CallBackState.TALKING,
    ]
    assert click.progress.outcome is None
    for _ in range(120):
        click.feed(ev.StateChanged(click.now, "else", ChannelState.UP))
    click.gone("t")
    assert click.so_far == (CallBackState.ENDED, CallBackOutcome.TALKED)
    assert click.progress.talked == timedelta(seconds=121)
    ended = click.progress
    assert click.gone().progress == ended


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [
        (17, CallBackOutcome.COLLEAGUE_BUSY),
        (21, CallBackOutcome.COLLEAGUE_REFUSED),
        (19, CallBackOutcome.COLLEAGUE_NO_ANSWER),
        (20, CallBackOutcome.COLLEAGUE_UNREACHABLE),
        (0, CallBackOutcome.COLLEAGUE_NO_ANSWER),
    ],
)
def test_why_the_colleague_did_not_answer(cause: int, outcome: CallBackOutcome) -> None:
    assert ringing().gone(cause=cause).so_far == (CallBackState.ENDED, outcome)


@pytest.mark.parametrize(
    ("status", "cause", "outcome"),
    [
        ("BUSY", 17, CallBackOutcome.COLLEAGUE_BUSY),
        ("NOANSWER", 21, CallBackOutcome.COLLEAGUE_REFUSED),
        ("CHANUNAVAIL", 3, CallBackOutcome.COLLEAGUE_UNREACHABLE),
        ("NOANSWER", 0, CallBackOutcome.COLLEAGUE_NO_ANSWER),
    ],
)
def test_behind_a_local_channel_the_phone_itself_says_why(
    status: str, cause: int, outcome: CallBackOutcome
) -> None:
    click = (
        Click().leg(name="Local/101@extensions-1;1").leg(f"{OURS};2", "Local/101@extensions-1;2")
    )
    click.leg("p", "PJSIP/101-01")
    click.feed(ev.DialBegun(click.now, f"{OURS};2", "p", "PJSIP/101-01", "101"))
    click.dial_ends(status, "p").gone("p", cause).gone(f"{OURS};2", 0)
    assert click.progress.under_way
    assert click.gone(cause=0).so_far == (CallBackState.ENDED, outcome)


@pytest.mark.parametrize(
    ("status", "cause", "outcome"),
    [
        ("BUSY", 17, CallBackOutcome.CUSTOMER_BUSY),
        ("NOANSWER", 19, CallBackOutcome.CUSTOMER_NO_ANSWER),
        ("NOANSWER", 0, CallBackOutcome.CUSTOMER_NO_ANSWER),
        ("NOANSWER", 21, CallBackOutcome.CUSTOMER_REFUSED),
        ("NOANSWER", 1, CallBackOutcome.CUSTOMER_UNREACHABLE),
        ("CONGESTION", 34, CallBackOutcome.CUSTOMER_UNREACHABLE),
    ],
)
@pytest.mark.parametrize("first", ["t", OURS])
def test_why_the_customer_did_not_answer(
    status: str, cause: int, outcome: CallBackOutcome, first: str
) -> None:
    """Whichever leg's end is told first: they end in the same millisecond."""
    click = customer_rings().dial_ends(status)
    second = OURS if first == "t" else "t"
    click.gone(first, cause).gone(second, cause)
    assert click.so_far == (CallBackState.ENDED, outcome)


def test_the_busy_tone_is_told_while_the_colleague_still_hears_it() -> None:
    click = customer_rings().dial_ends("BUSY").gone("t", 17)
    assert click.so_far == (CallBackState.CUSTOMER_RINGS, CallBackOutcome.CUSTOMER_BUSY)
    # What the dialplan does then ends the colleague's leg for another reason.
    assert click.gone(cause=34).so_far == (CallBackState.ENDED, CallBackOutcome.CUSTOMER_BUSY)


def test_another_trunk_is_tried() -> None:
    click = customer_rings().dial_ends("CONGESTION").gone("t", 34)
    assert click.dials("u").so_far == (CallBackState.CUSTOMER_RINGS, None)
    click.dial_ends("ANSWER", "u").enters("u")
    assert click.so_far == (CallBackState.TALKING, None)


def test_the_colleague_hangs_up_before_the_customer_answers() -> None:
    click = customer_rings().dial_ends("CANCEL").gone(cause=0).gone("t", 16)
    assert click.so_far == (CallBackState.ENDED, CallBackOutcome.COLLEAGUE_HUNG_UP)
    click = customer_rings().gone(cause=0)
    assert click.so_far == (CallBackState.ENDED, CallBackOutcome.COLLEAGUE_HUNG_UP)


def test_no_route_leads_to_the_customer() -> None:
    click = ringing().answers().gone(cause=1)
    assert click.so_far == (CallBackState.ENDED, CallBackOutcome.CUSTOMER_UNREACHABLE)


def test_the_first_leg_may_go_while_they_talk() -> None:
    """Asterisk takes the halves of a Local channel out of a conversation."""
    click = talking().gone()
    assert click.so_far == (CallBackState.TALKING, None)
    assert click.gone("t").so_far == (CallBackState.ENDED, CallBackOutcome.TALKED)


def test_a_colleagues_mobile_is_not_the_customer() -> None:
    click = Click().leg(name="Local/101@from-internal-1;1")
    click.dials("m", "PJSIP/trunk-01", "+12125550199@trunk").dial_ends("ANSWER", "m").enters("m")
    assert click.so_far == (CallBackState.COLLEAGUE_RINGS, None)


def test_waiting_in_a_holding_bridge_is_no_talk() -> None:
    assert customer_rings().enters(holding=True).so_far == (CallBackState.CUSTOMER_RINGS, None)


def test_legs_of_other_calls_are_not_ours() -> None:
    click = ringing()
    before = click.progress
    click.leg("x", linkedid="x").gone("x", 17)
    click.feed(ev.DialBegun(click.now, "x", "x", "PJSIP/trunk-9", "+12125550143@trunk"))
    assert click.progress == before


# -- what the PBX answers ---------------------------------------------------------------------


def test_the_pbx_says_that_nobody_answered() -> None:
    click = ringing()
    assert click.following.responded(answered=False, reason="3", at=click.now)
    assert click.so_far == (CallBackState.ENDED, CallBackOutcome.COLLEAGUE_NO_ANSWER)
    click = ringing()
    assert click.following.responded(answered=False, reason="5", at=click.now)
    assert click.so_far == (CallBackState.ENDED, CallBackOutcome.COLLEAGUE_BUSY)


def test_why_it_failed_may_be_told_a_moment_later() -> None:
    click = ringing()
    assert not click.following.responded(answered=False, reason="0", at=click.now)
    assert click.following.due() == click.now + SETTLES
    assert click.gone(cause=21).so_far == (CallBackState.ENDED, CallBackOutcome.COLLEAGUE_REFUSED)


def test_a_phone_that_is_not_registered_has_no_leg() -> None:
    click = Click()
    click.following.placed()
    click.following.responded(answered=False, reason="0", at=click.now)
    assert not click.following.expire(click.now)
    assert click.following.expire(click.now + SETTLES)
    assert click.so_far == (CallBackState.ENDED, CallBackOutcome.COLLEAGUE_UNREACHABLE)


def test_the_answer_counts_by_whichever_connection_it_comes() -> None:
    click = ringing()
    assert click.following.responded(answered=True, reason="4", at=click.now)
    at = click.progress.answered_at
    assert click.answers().progress.answered_at == at
    assert not click.following.responded(answered=False, reason="0", at=click.now)


def test_what_was_not_placed_is_over() -> None:
    click = Click()
    assert click.following.unplaced(CallBackOutcome.NOT_PERMITTED, click.now, "Permission denied")
    assert click.so_far == (CallBackState.ENDED, CallBackOutcome.NOT_PERMITTED)
    assert click.progress.detail == "Permission denied"
    assert not click.following.unplaced(CallBackOutcome.NOT_PLACED, click.now, "again")


def test_a_silent_pbx_may_have_begun_to_ring() -> None:
    click = Click()
    assert click.following.unsure("no answer within 5 s")
    assert click.so_far == (CallBackState.WANTED, None)
    assert click.progress.detail == "no answer within 5 s"
    assert click.leg().so_far == (CallBackState.COLLEAGUE_RINGS, None)
    assert click.answers().progress.detail == ""
    assert not click.following.unsure("too late")


def test_of_which_nothing_is_heard_is_lost() -> None:
    click = Click()
    click.following.unsure("no answer")
    over = START + RING + GRACE
    assert not click.following.expire(over - timedelta(seconds=1))
    assert click.following.expire(over)
    assert click.so_far == (CallBackState.ENDED, CallBackOutcome.LOST)
    assert not click.following.expire(over)


def test_dialling_and_talks_have_an_end_too() -> None:
    click = customer_rings()
    assert click.progress.rang_at is not None
    assert click.following.expire(click.progress.rang_at + LONGEST_DIALLING)
    assert click.so_far == (CallBackState.ENDED, CallBackOutcome.LOST)
    click = customer_rings().dial_ends("BUSY")
    assert click.following.expire(click.now + LONGEST_DIALLING)
    assert click.so_far == (CallBackState.ENDED, CallBackOutcome.CUSTOMER_BUSY)
    click = talking()
    assert not click.following.expire(click.now + LONGEST_DIALLING)
    assert click.following.expire(click.now + LONGEST_TALK)
    assert click.so_far == (CallBackState.ENDED, CallBackOutcome.TALKED)
    assert "not seen" in click.progress.detail


# -- after a time in which nobody looked --------------------------------------------------------


def test_what_lives_goes_on() -> None:
    click = Click()
    colleague = click.live(OURS, "PJSIP/101-01", state=ChannelState.RINGING, bridge="")
    assert click.following.adopt([colleague], click.now)
    assert click.so_far == (CallBackState.COLLEAGUE_RINGS, None)
    colleague = replace(colleague, state=ChannelState.UP)
    customer = click.live("t", "PJSIP/trunk-02", state=ChannelState.RINGING, bridge="")
    assert click.following.adopt([colleague, customer], click.now)
    assert click.so_far == (CallBackState.CUSTOMER_RINGS, None)
    talk = [replace(leg, state=ChannelState.UP, bridge_id="b") for leg in (colleague, customer)]
    assert click.following.adopt(talk, click.now)
    assert click.so_far == (CallBackState.TALKING, None)
    assert not click.following.adopt(talk, click.now)
    assert click.gone("t").so_far == (CallBackState.ENDED, CallBackOutcome.TALKED)


@pytest.mark.parametrize(
    ("click", "outcome"),
    [
        (Click(), CallBackOutcome.LOST),
        (ringing(), CallBackOutcome.LOST),
        (customer_rings().dial_ends("BUSY"), CallBackOutcome.CUSTOMER_BUSY),
        (talking(), CallBackOutcome.TALKED),
    ],
)
def test_what_does_not_live_is_over(click: Click, outcome: CallBackOutcome) -> None:
    other = replace(click.live("o", "PJSIP/103-09"), linkedid="o")
    assert click.following.adopt([other], click.now)
    assert click.so_far == (CallBackState.ENDED, outcome)
    assert ("not seen" in click.progress.detail) == (outcome is CallBackOutcome.TALKED)
    assert not click.following.adopt([other], click.now)


def test_an_end_that_was_not_told_is_found_by_the_second_audit() -> None:
    click, other = talking(), replace(Click().live("o", "PJSIP/103-09"), linkedid="o")
    there = click.live("t", "PJSIP/trunk-02")
    audits = [(other,), (replace(there, linkedid="o"),), (other,), (other,)]
    ended = [click.following.audited(audit, click.now) for audit in audits]
    assert ended == [False, False, False, True]
    assert click.so_far == (CallBackState.ENDED, CallBackOutcome.TALKED)
    assert not click.following.audited((), click.now)
    assert not any(Click().following.audited((), START) for _ in range(3)), "not placed yet"


# -- names and numbers ------------------------------------------------------------------------


def test_the_name_says_which_leg_leads_to_the_customer() -> None:
    assert OURS == "pbxbridge-callback-2125550143-f00d"
    assert ending(OURS) == "2125550143"
    assert ending("1764000001.1") is None
    assert ending("pbxbridge-urgent-f00d") is None
    assert leads_to_customer(OURS, "912125550143")
    assert not leads_to_customer(OURS, "12125550199")
    assert not leads_to_customer("1764000001.1", "12125550143")
    assert not leads_to_customer("pbxbridge-callback-", "12125550143")


@pytest.mark.parametrize(
    ("called", "country", "why"),
    [
        ("+12125550143", "US", None),
        ("+4930901820", "DE", None),  # a landline can be called
        ("+19005551234", "US", Refusal.COSTLY),
        ("+447911123456", "US", Refusal.COUNTRY),
        ("+881612345678", "US", Refusal.COSTLY),
        ("+12125550100", "US", Refusal.OWN_NUMBER),
    ],
)
def test_whom_nobody_is_to_call(called: str, country: str, why: Refusal | None) -> None:
    found = forbidden(number(called), allowed={country, "001"}, own={"+12125550100"})
    assert (None if found is None else found[0]) == why


def test_no_allowed_countries_are_all_of_them() -> None:
    assert forbidden(number("+447911123456"), allowed=(), own=()) is None
