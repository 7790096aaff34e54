"""Recordings judged by today's rules, as the live service would have judged them."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pbx_bridge import config
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.recording import RecordingProblem, times_path
from pbx_bridge.replay import Judged, replay
from tests.core.scene import START
from tests.core.test_policy import RULES
from tests.real_calls import RECORDINGS, RealCalls
from tests.sources.ami.fake import FakeAmi, Headers, event

BANNER = "Asterisk Call Manager/11.0.0\r\n"
NUMBER = "+12125550142"


class Tape:
    """Writes a recording, as `record` would have."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds = 0.0
        self._lines: list[dict[str, object]] = []
        self._raw = b""
        self._serial = 0

    def wait(self, seconds: float) -> "Tape":
        self.seconds += seconds
        return self

    def connects(self) -> "Tape":
        self._mark("connect")
        return self.say(BANNER)

    def closes(self) -> "Tape":
        self._mark("close")
        return self

    def say(self, text: str) -> "Tape":
        self._mark("data", off=len(self._raw), len=len(text.encode()))
        self._raw += text.encode()
        return self

    def _mark(self, kind: str, **more: int) -> None:
        self._lines.append({"ev": kind, "t": START.timestamp() + self.seconds, **more})

    def snapshot(self, *channels: Headers) -> "Tape":
        ami = FakeAmi(channels=list(channels))
        for action in ("CoreStatus", "BridgeList", "CoreShowChannels"):
            self.say(ami.answer({"Action": action, "ActionID": action}) or "")
        return self

    def arrives(self, caller: str = "1.1", number: str = NUMBER) -> "Tape":
        return self.say(
            event(
                "Newchannel", **self.channel(caller), CallerIDNum=number, CallerIDName="Ann",
                Context="from-trunk", Exten="+12125550100", ChannelState="4",
            )
        )  # fmt: skip

    def rings(self, caller: str = "1.1", seconds: float = 20) -> "Tape":
        """Let a phone ring for so long, and give up."""
        leg = f"9{caller}"
        self.say(event("Newchannel", **{**self.channel(leg), "Linkedid": caller}, ChannelState="0"))
        self.say(event("DialBegin", Uniqueid=caller, DestUniqueid=leg, DestChannel="PJSIP/101-1"))
        self.wait(seconds)
        self.say(event("DialEnd", Uniqueid=caller, DestUniqueid=leg, DialStatus="NOANSWER"))
        return self.gone(leg)

    def answered(self, caller: str = "1.1") -> "Tape":
        leg = f"8{caller}"
        self.say(event("Newchannel", **{**self.channel(leg), "Linkedid": caller}, ChannelState="6"))
        for channel_id in (leg, caller):
            entered = {**self.channel(channel_id), "ChannelState": "6", "BridgeUniqueid": "b1"}
            self.say(event("BridgeEnter", **entered, BridgeType="basic"))
        return self.wait(10).gone(leg)

    def gone(self, channel_id: str = "1.1") -> "Tape":
        return self.say(event("Hangup", **self.channel(channel_id), Context="x", Cause="16"))

    @staticmethod
    def channel(channel_id: str) -> Headers:
        kind = "trunk" if channel_id[0] not in "89" else "101"
        return {
            "Channel": f"PJSIP/{kind}-{channel_id}",
            "Uniqueid": channel_id,
            "Linkedid": channel_id,
        }

    def save(self) -> None:
        self.path.write_bytes(self._raw)
        lines = "".join(json.dumps(line) + "\n" for line in self._lines)
        times_path(self.path).write_text(lines)

    async def judged(self, **rules: object) -> list[Judged]:
        self.save()
        return await judged(self.path, **rules)


async def judged(path: Path, **changes: object) -> list[Judged]:
    rules = replace(RULES, **changes)  # type: ignore[arg-type]
    return [call async for call in replay(path, rules, Inbound())]


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    return Tape(tmp_path / "monday.ami")


async def test_a_missed_call_says_all_that_other_tools_read(tape: Tape) -> None:
    (call,) = await tape.connects().arrives().rings().gone().judged()
    assert call.capture == str(tape.path)
    assert (call.caller, call.caller_id) == (NUMBER, NUMBER)
    assert call.line == "+12125550100"
    assert (call.disposition.value, call.reason.value) == ("missed", "rang_no_answer")
    assert (call.would_text, call.rule) == (True, "rang_no_answer")
    assert call.why == "rang_no_answer: nobody spoke to the caller"
    assert (call.began, call.ended) == (START, START + timedelta(seconds=20))


async def test_an_answered_call_says_by_whom(tape: Tape) -> None:
    (call,) = await tape.connects().arrives().answered().gone().judged()
    assert (call.disposition.value, call.would_text, call.rule) == ("answered", False, "answered")
    assert call.answered_by == "101"
    assert call.why == "answered by 101"


async def test_a_caller_who_gets_through_before_the_text_leaves_is_not_texted(tape: Tape) -> None:
    tape.connects().arrives().rings().gone().wait(5)
    missed, answered = await tape.arrives("1.2").answered("1.2").gone("1.2").judged()
    assert (missed.disposition.value, missed.would_text) == ("missed", False)
    assert missed.rule == "spoken_since"
    assert (answered.disposition.value, answered.would_text) == ("answered", False)


async def test_a_caller_who_gets_through_after_the_text_left_was_texted(tape: Tape) -> None:
    tape.connects().arrives().rings().gone().wait(25)
    missed, answered = await tape.arrives("1.2").answered("1.2").gone("1.2").judged()
    assert (missed.would_text, answered.would_text) == (True, False)


async def test_the_cooldown_counts_from_call_to_call_of_a_recording(tape: Tape) -> None:
    tape.connects().arrives().rings().gone().wait(60)
    tape.arrives("1.2").rings("1.2").gone("1.2").wait(4 * 3600)
    calls = await tape.arrives("1.3").rings("1.3").gone("1.3").judged()
    assert [call.would_text for call in calls] == [True, False, True]
    assert calls[1].rule == "cooling_down"


async def test_two_callers_do_not_cool_each_other_down(tape: Tape) -> None:
    tape.connects().arrives().rings().gone()
    calls = await tape.arrives("1.2", "+12125550143").rings("1.2").gone("1.2").judged()
    assert [call.would_text for call in calls] == [True, True]


async def test_shadow_mode_or_not_the_answer_is_the_same(tape: Tape) -> None:
    tape.connects().arrives().rings().gone()
    assert await tape.judged(shadow=True) == await tape.judged(shadow=False)


async def test_a_call_that_ended_in_a_gap_is_unobserved(tape: Tape) -> None:
    tape.connects().arrives().closes().wait(9).connects().snapshot()
    (call,) = await tape.judged()
    assert (call.disposition.value, call.reason.value) == ("unobserved", "feed_gap")
    assert (call.would_text, call.rule) == (False, "unobserved")


async def test_a_call_that_rang_on_through_a_gap_is_judged(tape: Tape) -> None:
    ringing = {**tape.channel("1.1"), "ChannelState": "4"}
    tape.connects().arrives().closes().wait(9).connects().snapshot(ringing).rings().gone()
    (call,) = await tape.judged()
    assert (call.disposition.value, call.would_text) == ("missed", True)


async def test_a_call_that_may_have_been_answered_in_a_gap_is_unobserved(tape: Tape) -> None:
    up = {**tape.channel("1.1"), "ChannelState": "6"}
    tape.connects().arrives().closes().wait(9).connects().snapshot(up).rings().gone()
    (call,) = await tape.judged()
    assert (call.disposition.value, call.would_text) == ("unobserved", False)


async def test_a_gap_that_no_snapshot_ends_leaves_the_call_unobserved(tape: Tape) -> None:
    (call,) = await tape.connects().arrives().closes().wait(9).connects().gone().judged()
    assert (call.disposition.value, call.reason.value) == ("unobserved", "feed_gap")


async def test_a_call_that_lived_at_the_first_connection_is_judged_from_there(tape: Tape) -> None:
    ringing = {
        **tape.channel("1.1"), "ChannelState": "4", "Context": "from-trunk",
        "CallerIDNum": NUMBER, "Exten": "+12125550100",
    }  # fmt: skip
    (call,) = await tape.connects().snapshot(ringing).rings().gone().judged()
    assert (call.caller, call.disposition.value) == (NUMBER, "missed")


async def test_a_call_still_on_the_line_at_the_end_is_unobserved(tape: Tape) -> None:
    (call,) = await tape.connects().arrives().judged()
    assert (call.disposition.value, call.reason.value) == ("unobserved", "never_ended")
    assert not call.would_text


async def test_a_caller_who_had_hung_up_at_the_end_is_judged(tape: Tape) -> None:
    """The Hangup itself may wait for a dialplan that has still something to do."""
    tape.connects().arrives().wait(20)
    tape.say(event("HangupRequest", **tape.channel("1.1"), Cause="16"))
    (call,) = await tape.judged()
    assert (call.disposition.value, call.would_text) == ("missed", True)


async def test_without_times_the_length_of_a_call_does_not_count(tape: Tape) -> None:
    tape.connects().arrives()
    tape.say(event("HangupRequest", **tape.channel("1.1"), Cause="16")).gone()
    (timed,) = await tape.judged(min_ring=timedelta(seconds=4))
    assert (timed.would_text, timed.rule) == (False, "too_short")
    times_path(tape.path).unlink()
    (untimed,) = await judged(tape.path, min_ring=timedelta(seconds=4))
    assert untimed.would_text


async def test_a_recording_of_no_call_gives_none(tape: Tape) -> None:
    assert await tape.connects().closes().judged() == []


async def test_an_empty_file_gives_none(tmp_path: Path) -> None:
    path = tmp_path / "empty.ami"
    path.touch()
    assert await judged(path) == []


async def test_a_recording_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingProblem, match="No such file"):
        await judged(tmp_path / "none.ami")


async def test_calls_come_in_the_order_in_which_they_began(tape: Tape) -> None:
    tape.connects().arrives("1.1").wait(1).arrives("1.2", "+12125550143")
    calls = await tape.wait(1).gone("1.2").wait(1).gone("1.1").judged()
    assert [call.call for call in calls] == ["1.1", "1.2"]


async def test_a_day_of_calls_is_judged_to_the_last(tape: Tape) -> None:
    """Caps included: they count the texts that would have been sent."""
    tape.connects()
    for n in range(300):
        tape.arrives(f"1.{n}", f"+1212{2000000 + n}").rings(f"1.{n}", 15).gone(f"1.{n}")
    calls = await tape.judged(max_per_hour=50, max_per_day=200)
    assert len(calls) == 300
    texted = [call for call in calls if call.would_text]
    assert len(texted) == 100  # fifty in each of the first two hours
    assert {call.rule for call in calls if not call.would_text} == {"hourly_cap"}


@pytest.mark.parametrize("calls", RECORDINGS[::5], ids=str)
async def test_without_its_sidecar_a_real_recording_is_judged_alike(
    calls: RealCalls, tmp_path: Path
) -> None:
    """Except what only time tells: how long a caller listened, and when another call came."""
    path = tmp_path / calls.path.name
    shutil.copyfile(calls.path, path)

    async def verdicts(of: Path) -> list[tuple[str, str, str]]:
        found = [call async for call in replay(of, config.defaults(), Inbound())]
        return [(call.call, call.disposition.value, call.reason.value) for call in found]

    assert await verdicts(path) == await verdicts(calls.path)
