"""What holds of calls that were judged, whatever the phone system told."""

from collections import Counter
from collections.abc import Iterable

from pbx_bridge.core import events as ev
from pbx_bridge.core.call import CallEnded, Observation
from pbx_bridge.core.events import CallEvent


def end_once(events: Iterable[CallEvent], seen: Iterable[Observation]) -> None:
    """Assert that no call ends more often than a channel of that id was said to begin or live."""
    born: Counter[str] = Counter()
    for event in events:
        match event:
            case ev.ChannelCreated() | ev.BridgeEntered():
                born[event.channel_id] += 1
            case ev.FeedRestored() | ev.Audited():
                born.update(channel.channel_id for channel in event.channels or ())
            case _:
                pass
    ended = Counter(one.call.call_id for one in seen if isinstance(one, CallEnded))
    assert ended <= born, ended - born
