"""What AMI messages mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core import events as ev
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.sources.ami.frames import WANTED, Frame, FrameReader
from pbx_bridge.sources.ami.translate import is_holding, is_withheld, translate, unescape, whole
from tests.core.scene import START

from .fake import NEWCHANNEL, event


def read(text: str) -> ev.CallEvent | None:
    (frame,) = FrameReader().feed(text.encode())
    return translate(frame, START)


def test_newchannel() -> None:
    assert read(NEWCHANNEL) == ev.ChannelCreated(
        START, "1764000000.1", "1764000000.1", "PJSIP/trunk-00000001", 4, "from-trunk",
        "+12125550100", "+12125550142", "Ann",
    )  # fmt: skip


@pytest.mark.parametrize(("name", "holds"), [("Hold", True), ("Unhold", False)])
def test_hold(name: str, holds: bool) -> None:  # noqa: FBT001
    text = event(name, Channel="PJSIP/101-00000039", Uniqueid="1.57", Linkedid="1.56")
    assert read(text) == ev.HoldChanged(START, "1.57", holds=holds)


@pytest.mark.parametrize(
    ("escaped", "name"),
    [
        (r"O\'Brien", "O'Brien"),
        (r"a\\b \"c\" \?", 'a\\b "c" ?'),
        (r"x\r\ny", "x\r\ny"),
        ("<unknown>", ""),
        ("\\", "\\"),
    ],
)
def test_caller_names_are_unescaped_once(escaped: str, name: str) -> None:
    assert unescape(escaped) == name


@pytest.mark.parametrize(
    ("presentation", "withheld"),
    [
        ("0 (Presentation Allowed, Not Screened)", False),
        ("35 (Presentation Prohibited, Network Number)", True),
        ("67 (Number Unavailable)", False),
        ("prohib_not_screened", True),
        ("allowed", False),
        ("", None),
    ],
)
def test_presentation(presentation: str, withheld: bool | None) -> None:  # noqa: FBT001
    assert is_withheld(presentation) is withheld


@pytest.mark.parametrize(("text", "n"), [("6", 6), ("", 0), ("x", 0), ("-1", 0), ("²", 0)])
def test_whole_numbers_never_raise(text: str, n: int) -> None:
    assert whole(text) == n


def test_holding_bridges() -> None:
    assert is_holding("parking", "holding_bridge")
    assert is_holding("base", "holding_bridge")
    assert is_holding("agent_hold", "simple_bridge")
    assert not is_holding("basic", "simple_bridge")


def test_states_that_say_nothing_are_passed_over() -> None:
    assert read(event("Newstate", ChannelState="5", Uniqueid="1")) is None
    up = event("Newstate", ChannelState="6", Context="from-pstn", Exten="s", Uniqueid="1")
    assert read(up) == ev.StateChanged(START, "1", 6, "from-pstn", "s")


def test_a_failed_transfer_is_none() -> None:
    assert read(event("BlindTransfer", Result="Fail")) is None
    assert isinstance(read(event("BlindTransfer", Result="Success")), ev.Transferred)


def test_messagewaiting_counts_only_with_a_caller() -> None:
    assert FrameReader().feed(event("MessageWaiting", Mailbox="101").encode()) == []
    told = read(event("MessageWaiting", Uniqueid="1", Mailbox="101@default"))
    assert told == ev.MessageRecorded(START, "1", "101@default")


HEADERS = st.sampled_from(
    ["Uniqueid", "Linkedid", "DestUniqueid", "Channel", "DestChannel", "ChannelState", "Context",
     "Exten", "CallerIDNum", "BridgeUniqueid", "BridgeType", "BridgeTechnology", "DialStatus",
     "Application", "AppData", "Variable", "Value", "LocalOneUniqueid", "LocalTwoUniqueid",
     "Queue", "Position", "TransfereeUniqueid", "TransfererUniqueid", "ParkeeUniqueid"]
)  # fmt: skip
VALUES = st.sampled_from(
    ["", "1.1", "1.2", "1.3", "4", "6", "0", "from-trunk", "PJSIP/trunk-1", "PJSIP/101-1",
     "Local/1@x-1;1", "Local/1@x-1;2", "+12125550142", "VoiceMail", "Queue", "VMSTATUS",
     "DIALSTATUS", "SUCCESS", "holding_bridge", "parking", "ANSWER", "b1", "b2", "Success"]
)  # fmt: skip
NAMES = st.sampled_from(sorted(WANTED))


@given(st.lists(st.tuples(NAMES, st.dictionaries(HEADERS, VALUES, max_size=10)), max_size=60))
def test_no_sequence_of_messages_however_damaged_raises_or_leaks(
    told: list[tuple[bytes, dict[str, str]]],
) -> None:
    tracker = CallTracker(Inbound())
    for name, headers in told:
        raw = b"Event: " + name + "".join(f"\r\n{k}: {v}" for k, v in headers.items()).encode()
        meaning = translate(Frame(name, raw), START)
        if meaning is not None:
            tracker.receive(meaning)
    tracker.receive(ev.FeedRestored(START, "boot", ()))
    assert tracker.held == 0, "a PBX without channels has no calls"
