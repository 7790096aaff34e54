"""What lives on the PBX now, by its own account: CoreShowChannels and BridgeList.

AMI has no replay, so after a gap this is the only way to know which calls are still there. Asterisk
answers CoreShowChannels in one piece, but the events behind it in the stream may be older than it;
the tracker takes them in any order.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from pbx_bridge.core.events import LiveChannel
from pbx_bridge.sources.ami.link import Link
from pbx_bridge.sources.ami.translate import is_holding, unescape, value, whole

Headers = Mapping[str, str]

#: The channel on which Asterisk handles texts: no call, and once there, it stays.
_NO_CALL = "Message/"
#: Of an hour, a minute and a second.
_SECONDS = (3600, 60, 1)
#: No call is older; a number beyond all time would be an error.
_OLDEST = timedelta(days=365)


async def take(link: Link, timeout: float) -> tuple[LiveChannel, ...]:  # noqa: ASYNC109
    """Ask the PBX for all channels and the bridges they are in.

    Raises:
        Refused: the account lacks `write = reporting`.
        LinkLost, TimeoutError: no answer.

    """
    bridges = await link.ask_list({"Action": "BridgeList"}, timeout=timeout)
    channels = await link.ask_list({"Action": "CoreShowChannels"}, timeout=timeout)
    return assemble(channels, bridges)


async def boot_of(link: Link, timeout: float) -> str:  # noqa: ASYNC109
    """Name the run of the PBX by when it started, in the PBX's own words.

    Raises:
        Refused, LinkLost, TimeoutError: as `take`.

    """
    status = await link.ask({"Action": "CoreStatus"}, timeout=timeout)
    return boot_from(status)


def boot_from(status: Headers) -> str:
    """Read the answer to CoreStatus."""
    return f"{status.get('CoreStartupDate', '')}T{status.get('CoreStartupTime', '')}".strip("T")


def assemble(channels: Iterable[Headers], bridges: Iterable[Headers]) -> tuple[LiveChannel, ...]:
    """Make a snapshot of the two lists."""
    by_id = {bridge.get("BridgeUniqueid", ""): bridge for bridge in bridges}
    return tuple(
        _live(channel, by_id.get(channel.get("BridgeId", "")))
        for channel in channels
        if channel.get("Uniqueid") and not channel.get("Channel", "").startswith(_NO_CALL)
    )


def _live(channel: Headers, bridge: Headers | None) -> LiveChannel:
    return LiveChannel(
        channel_id=channel["Uniqueid"],
        linkedid=channel.get("Linkedid", ""),
        name=channel.get("Channel", ""),
        state=whole(channel.get("ChannelState", "")),
        context=channel.get("Context", ""),
        exten=channel.get("Exten", ""),
        number=value(channel.get("CallerIDNum", "")),
        caller_name=unescape(channel.get("CallerIDName", "")),
        bridge_id=channel.get("BridgeId", ""),
        holding=bridge is not None
        and is_holding(bridge.get("BridgeType", ""), bridge.get("BridgeTechnology", "")),
        conference=bridge is not None and bridge.get("BridgeCreator", "") == "ConfBridge",
        age=_age(channel.get("Duration", "")),
    )


def _age(duration: str) -> timedelta:
    """Read `00:01:30`: the PBX cuts off what is no whole second, so it may be one more."""
    parts = duration.split(":")
    if len(parts) != len(_SECONDS):
        return timedelta()
    seconds = sum(whole(part) * each for part, each in zip(parts, _SECONDS, strict=True))
    return min(timedelta(seconds=seconds + 1), _OLDEST)
