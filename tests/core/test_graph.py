"""The one rule: whose media reaches whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.events import ChannelState
from pbx_bridge.core.graph import Channel, Graph, endpoint_of


class Office(Graph):
    """A graph told in a line."""

    def leg(self, name: str, state: int = ChannelState.UP) -> Channel:
        channel = self.channels[name] = Channel(name, name, state)
        return channel

    def locals(self, name: str) -> tuple[Channel, Channel]:
        one, two = self.leg(f"Local/{name};1"), self.leg(f"Local/{name};2")
        self.pair(one, two)
        return one, two

    def meet(self, bridge: str, *channels: Channel, holding: bool = False) -> None:
        for channel in channels:
            self.enter(channel, bridge, holding=holding, conference=False)

    def hears(self, channel: Channel) -> set[str]:
        return {other.name for other in self.connected(channel)}


@pytest.fixture
def office() -> Office:
    return Office()


def test_alone_nobody_is_heard_but_oneself(office: Office) -> None:
    caller = office.leg("PJSIP/trunk-1")
    assert office.hears(caller) == {"PJSIP/trunk-1"}
    office.meet("b", caller)
    assert office.hears(caller) == {"PJSIP/trunk-1"}


def test_in_one_bridge_all_hear_each_other(office: Office) -> None:
    caller, phone = office.leg("PJSIP/trunk-1"), office.leg("PJSIP/101-2")
    office.meet("b", caller, phone)
    assert office.hears(caller) == office.hears(phone) == {"PJSIP/trunk-1", "PJSIP/101-2"}


def test_in_a_holding_bridge_nobody_hears_anybody(office: Office) -> None:
    parked, other = office.leg("PJSIP/trunk-1"), office.leg("PJSIP/trunk-2")
    office.meet("lot", parked, other, holding=True)
    assert office.hears(parked) == {"PJSIP/trunk-1"}


def test_through_a_local_channel_both_its_bridges_are_one(office: Office) -> None:
    caller, phone = office.leg("PJSIP/trunk-1"), office.leg("PJSIP/101-2")
    one, two = office.locals("x@y-3")
    office.meet("near", caller, one)
    assert office.hears(caller) == {"PJSIP/trunk-1"}
    office.meet("far", two, phone)
    assert office.hears(caller) == office.hears(phone) == {"PJSIP/trunk-1", "PJSIP/101-2"}


def test_a_chain_of_local_channels_carries_as_far_as_it_goes(office: Office) -> None:
    caller, phone = office.leg("PJSIP/trunk-1"), office.leg("PJSIP/101-2")
    near = caller
    for n in range(5):
        one, two = office.locals(f"x@y-{n}")
        office.meet(f"b{n}", near, one)
        near = two
    office.meet("last", near, phone)
    assert "PJSIP/101-2" in office.hears(caller)


def test_behind_a_local_channel_a_holding_bridge_is_silent(office: Office) -> None:
    caller, parked = office.leg("PJSIP/trunk-1"), office.leg("PJSIP/101-2")
    one, two = office.locals("x@y-3")
    office.meet("near", caller, one)
    office.meet("lot", two, parked, holding=True)
    assert office.hears(caller) == {"PJSIP/trunk-1"}


def test_local_channels_in_a_circle_end(office: Office) -> None:
    caller = office.leg("PJSIP/trunk-1")
    one, two = office.locals("x@y-3")
    office.meet("b", caller, one, two)
    assert office.hears(caller) == {"PJSIP/trunk-1"}


def test_who_enters_another_bridge_has_left_the_first(office: Office) -> None:
    caller, phone = office.leg("PJSIP/trunk-1"), office.leg("PJSIP/101-2")
    office.meet("b", caller, phone)
    office.meet("c", caller)
    assert office.hears(phone) == {"PJSIP/101-2"}
    assert set(office.bridges) == {"b", "c"}


def test_a_bridge_that_the_last_one_leaves_is_gone(office: Office) -> None:
    caller, phone = office.leg("PJSIP/trunk-1"), office.leg("PJSIP/101-2")
    office.meet("b", caller, phone)
    office.remove(phone)
    office.leave(caller)
    office.leave(caller)
    assert (office.bridges, set(office.channels)) == ({}, {"PJSIP/trunk-1"})


def test_a_half_of_a_local_channel_that_is_gone_takes_its_pairing_along(office: Office) -> None:
    one, two = office.locals("x@y-3")
    office.remove(one)
    assert two.pair is None


@pytest.mark.parametrize(
    ("name", "state", "person"),
    [
        ("PJSIP/101-1", ChannelState.UP, True),
        ("SIP/101-1", ChannelState.UP, True),
        ("DAHDI/i1/5550142-1", ChannelState.UP, True),
        ("PJSIP/101-1", ChannelState.RINGING, False),
        ("Local/101@x-1;1", ChannelState.UP, False),
        ("CBAnn/room-1;2", ChannelState.UP, False),
        ("Recorder/ARI-1;2", ChannelState.UP, False),
        ("UnicastRTP/127.0.0.1:5-1", ChannelState.UP, False),
        ("AudioSocket/127.0.0.1-1", ChannelState.UP, False),
    ],
)
def test_a_person_is_a_real_leg_that_is_up(name: str, state: int, *, person: bool) -> None:
    assert Channel("1.1", name, state).person is person


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("PJSIP/trunk-0000001a", "trunk"),
        ("PJSIP/sales-2-0000001a", "sales-2"),
        ("Local/101@from-queue-0000001a;1", "Local/101@from-queue-0000001a;1"),
        ("IAX2/office-123", "office"),
        ("no-slash", "no-slash"),
        ("", ""),
    ],
)
def test_the_endpoint_is_in_the_name_of_a_channel(name: str, endpoint: str) -> None:
    assert endpoint_of(name) == endpoint


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3), st.booleans()), max_size=60))
def test_whoever_hears_is_heard(moves: list[tuple[int, int, bool]]) -> None:
    """And however channels come and go, members and bridges agree."""
    office = Office()
    legs = [office.leg(f"PJSIP/{n}-{n}") for n in range(4)]
    for pair in ("a@x-1", "b@x-2"):
        legs += office.locals(pair)
    for which, bridge, entering in moves:
        if entering:
            office.meet(f"b{bridge}", legs[which])
        else:
            office.leave(legs[which])
    for one in legs:
        for other in office.connected(one):
            assert one.local or one in office.connected(other)
    for meeting in office.bridges.values():
        assert meeting.members
        assert all(member.bridge is meeting for member in meeting.members)
