"""A recorded call told again is the same call, of somebody else."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from pbx_bridge.core import events as ev
from pbx_bridge.core.call import Call, CallEnded, Disposition, OutboundCall
from pbx_bridge.core.events import CallEvent
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.demo.retelling import Teller, tale
from pbx_bridge.sources import recorded

AT = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
LINE = "+12125550100"
BECAME = {
    "no_answer": ("missed", "rang_no_answer"),
    "caller_gives_up": ("missed", "rang_cancelled"),
    "busy": ("missed", "busy"),
    "queue_abandoned": ("missed", "queue_abandoned"),
    "closed": ("missed", "announcement_only"),
    "voicemail_message": ("missed", "voicemail_message"),
    "voicemail_hangup": ("missed", "voicemail_hangup"),
    "called_back": ("missed", "queue_unserved"),
    "answered": ("answered", "answered"),
    "ring_group_answered": ("answered", "answered"),
    "voicemail_operator": ("answered", "answered"),
    "lost_in_transfer": ("answered", "lost_in_transfer"),
}


def teller(serial: int = 7, name: str = "ANN SMITH") -> Teller:
    return Teller(number="+19175550123", name=name, line=LINE, serial=serial)


def events(name: str, by: Teller, pace: float = 1.0) -> list[CallEvent]:
    return list(recorded.events(tale(name).retold(by, AT, pace)))


def judged(told: Sequence[CallEvent]) -> list[CallEnded | OutboundCall]:
    tracker = CallTracker(Inbound())
    observations = [one for event in told for one in tracker.receive(event)]
    observations += tracker.expire(told[-1].at + timedelta(hours=1))
    return [one for one in observations if isinstance(one, CallEnded | OutboundCall)]


def ended(told: Sequence[CallEvent]) -> Call:
    (call,) = [one.call for one in judged(told) if isinstance(one, CallEnded)]
    return call


@pytest.mark.parametrize(("name", "became"), BECAME.items(), ids=list(BECAME))
def test_it_becomes_what_it_was_of_another_caller_on_another_line(
    name: str, became: tuple[str, str]
) -> None:
    call = ended(events(name, teller()))
    assert (call.disposition.value, call.reason.value) == became
    assert (call.caller.number, call.caller.name) == ("+19175550123", "ANN SMITH")
    assert (call.line, call.began) == (LINE, AT)


def test_a_withheld_number_stays_withheld() -> None:
    call = ended(events("withheld", Teller(number="", line=LINE, serial=1)))
    assert call.caller.withheld
    assert call.disposition is Disposition.MISSED


def test_whom_they_called_back_is_the_new_caller() -> None:
    dialled = [
        one for one in judged(events("called_back", teller())) if isinstance(one, OutboundCall)
    ]
    assert dialled
    assert all(one.dialled.endswith("9175550123") for one in dialled)


def test_two_tellings_have_nothing_in_common_by_which_one_is_taken_for_the_other() -> None:
    first, second = (
        events("ring_group_answered", teller(1)),
        events("ring_group_answered", teller(2)),
    )
    assert not _identities(first) & _identities(second)
    assert len(_identities(first)) == len(_identities(second))


def _identities(told: Sequence[CallEvent]) -> set[str]:
    channels = {one.channel_id for one in told if isinstance(one, ev.ChannelCreated)}
    names = {one.name for one in told if isinstance(one, ev.ChannelCreated)}
    bridges = {one.bridge_id for one in told if isinstance(one, ev.BridgeEntered)}
    return channels | names | bridges


def test_told_slowly_all_of_it_takes_longer() -> None:
    quick, slow = events("no_answer", teller()), events("no_answer", teller(), pace=10)
    assert slow[-1].at - AT == 10 * (quick[-1].at - AT)
    assert ended(slow).ring_seconds == pytest.approx(10 * ended(quick).ring_seconds, rel=0.01)


@pytest.mark.parametrize(
    "name", ['"><svg onload=alert(1)>', "100% \u202egnp.exe", "a\r\nEvent: Hangup"]
)
def test_a_hostile_name_is_only_a_name(name: str) -> None:
    call = ended(events("no_answer", teller(name=name)))
    assert call.caller.name == name.replace("\r", " ").replace("\n", " ")
