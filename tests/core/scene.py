"""Calls told event by event, in the order in which Asterisk tells them (TELEPHONY catalogue)."""

from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pbx_bridge.core import events as ev
from pbx_bridge.core.call import Call, CallEnded, Observation
from pbx_bridge.core.events import CallEvent, ChannelState, LiveChannel
from pbx_bridge.core.tracker import CallTracker, Inbound

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Scene:
    """Feeds a tracker, one second a step unless told otherwise."""

    def __init__(self, inbound: Inbound | None = None) -> None:
        self.tracker = CallTracker(inbound or Inbound())
        self.now = START
        self.told: list[Observation] = []
        self.names: dict[str, str] = {}

    # -- events -----------------------------------------------------------------------------

    def feed(self, event: CallEvent) -> None:
        self.told += self.tracker.receive(event)

    def wait(self, seconds: float) -> Self:
        self.now += timedelta(seconds=seconds)
        return self

    def arrives(
        self,
        caller: str = "c",
        number: str = "+12125550142",
        *,
        exten: str = "+12125550100",
        context: str = "from-trunk",
        state: int = ChannelState.RING,
        called: str = "Ann",
    ) -> Self:
        name = f"PJSIP/trunk-{caller}"
        self.names[caller] = name
        self.feed(
            ev.ChannelCreated(self.now, caller, caller, name, state, context, exten, number, called)
        )
        return self

    def leg(
        self,
        leg: str,
        *,
        name: str | None = None,
        linkedid: str = "c",
        context: str = "from-office",
        exten: str = "s",
        state: int = ChannelState.DOWN,
    ) -> Self:
        self.names[leg] = name or f"PJSIP/{leg}-{leg}"
        self.feed(
            ev.ChannelCreated(
                self.now, leg, linkedid, self.names[leg], state, context, exten, "", ""
            )
        )
        return self

    def rings(self, leg: str, by: str = "c", **more: Any) -> Self:
        if leg not in self.names:
            self.leg(leg, **more)
        self.feed(ev.DialBegun(self.now, by, leg, self.names[leg], leg))
        return self

    def dial_ends(
        self, leg: str, status: str = "NOANSWER", by: str = "c", forward: str = ""
    ) -> Self:
        self.feed(ev.DialEnded(self.now, by, leg, status, forward))
        return self

    def up(self, *channels: str, context: str = "", exten: str = "") -> Self:
        for channel in channels:
            self.feed(ev.StateChanged(self.now, channel, ChannelState.UP, context, exten))
        return self

    def local(self, one: str, two: str) -> Self:
        """Make both halves of a Local channel and pair them."""
        self.leg(one, name=f"Local/x@y-{one}{two};1")
        self.leg(two, name=f"Local/x@y-{one}{two};2")
        self.feed(ev.LocalPaired(self.now, one, two))
        return self

    def enters(
        self,
        bridge: str,
        *channels: str,
        holding: bool = False,
        conference: bool = False,
        state: int = ChannelState.UP,
    ) -> Self:
        for channel in channels:
            self.feed(
                ev.BridgeEntered(
                    self.now,
                    channel,
                    bridge,
                    holding,
                    conference,
                    self.names.get(channel, f"PJSIP/{channel}-{channel}"),
                    state,
                    "c",
                )
            )
        return self

    def leaves(self, bridge: str, *channels: str) -> Self:
        for channel in channels:
            self.feed(ev.BridgeLeft(self.now, channel, bridge))
        return self

    def transferred(
        self, *transferers: str, bridges: tuple[str, ...] = ("b",), to: str = "102", blind: bool
    ) -> Self:
        self.feed(ev.Transferred(self.now, blind, "c", transferers, bridges, to))
        return self

    def holds(self, leg: str) -> Self:
        self.feed(ev.HoldChanged(self.now, leg, holds=True))
        return self

    def resumes(self, leg: str) -> Self:
        self.feed(ev.HoldChanged(self.now, leg, holds=False))
        return self

    def joins(self, queue: str, channel: str = "c", place: int = 1) -> Self:
        self.feed(ev.QueueJoined(self.now, channel, queue, place))
        return self

    def quits(self, queue: str, channel: str = "c") -> Self:
        self.feed(ev.QueueLeft(self.now, channel, queue))
        return self

    def runs(self, application: str, data: str = "", on: str = "c") -> Self:
        self.feed(ev.ApplicationStarted(self.now, on, application, data))
        return self

    def sets(self, name: str, value: str, on: str = "c") -> Self:
        self.feed(ev.VariableSet(self.now, on, name, value))
        return self

    def caller_hangs_up(self, caller: str = "c", context: str = "") -> Self:
        self.feed(ev.HangupRequested(self.now, caller, by_far_end=True, context=context))
        return self

    def pbx_hangs_up(self, caller: str = "c", context: str = "") -> Self:
        self.feed(ev.HangupRequested(self.now, caller, by_far_end=False, context=context))
        return self

    def gone(self, *channels: str, context: str = "from-trunk") -> Self:
        for channel in channels:
            self.feed(ev.ChannelHungUp(self.now, channel, 16, context))
        return self

    def live(
        self, channel: str, *, state: int = ChannelState.UP, bridge: str = "", linkedid: str = "c"
    ) -> LiveChannel:
        """Describe a channel as a snapshot shows it."""
        return LiveChannel(
            channel, linkedid, self.names[channel], state, "macro-dial", "s", "+12125550142", "",
            bridge, holding=False, conference=False,
        )  # fmt: skip

    # -- results ----------------------------------------------------------------------------

    @property
    def ended(self) -> list[Call]:
        return [told.call for told in self.told if isinstance(told, CallEnded)]

    @property
    def verdict(self) -> tuple[str, str]:
        (call,) = self.ended
        return call.disposition.value, call.reason.value
