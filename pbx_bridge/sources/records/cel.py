"""Channel event logging (CEL): nearly an AMI stream after the fact, so the tracker judges it.

Read from cel_custom's CSV in the column order of Asterisk's own `cel_custom.conf.sample`. Needs
`events = ALL` in cel.conf, and `voicemail`, `queue` among its `apps`. CEL knows no DialBegin: a leg
whose Linkedid is the caller's counts as rung from its start on.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pbx_bridge.core import events as ev
from pbx_bridge.core.call import Call, CallEnded
from pbx_bridge.core.events import CallEvent, ChannelState
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.sources.records.tail import fields_of, lines_since

_COLUMNS = 20
#: As `Dial` reads them (Q.850, and 26 for "answered elsewhere"); any other is NOANSWER.
_STATUS_OF_CAUSE = {
    "3": "CHANUNAVAIL",
    "17": "BUSY",
    "20": "CHANUNAVAIL",
    "26": "CANCEL",
    "34": "CONGESTION",
}


@dataclass(frozen=True, slots=True)
class Row:
    at: datetime
    event: str
    name: str
    number: str
    exten: str
    context: str
    channel: str
    application: str
    data: str
    channel_id: str
    linkedid: str
    extra: dict[str, str]


def rows(path: Path, since: datetime) -> list[Row]:
    """Read the rows at or after `since`.

    Raises:
        OSError: the file cannot be read.

    """
    lines = lines_since(path, since, lambda line: _time(fields_of(line)))
    return [row for line in lines if (row := parse(line)) is not None]


def parse(line: str) -> Row | None:
    """Read one row; None for damage."""
    fields = fields_of(line)
    at = _time(fields)
    if at is None or len(fields) < _COLUMNS:
        return None
    return Row(
        at=at,
        event=fields[0],
        name=fields[2],
        number=fields[3],
        exten=fields[7],
        context=fields[8],
        channel=fields[9],
        application=fields[10],
        data=fields[11],
        channel_id=fields[14],
        linkedid=fields[15],
        extra=_extra(fields[19]),
    )


def judge(rows: Iterable[Row], inbound: Inbound) -> list[Call]:
    """Judge the inbound calls whose end is among the rows."""
    tracker = CallTracker(inbound)
    ended: list[Call] = []
    for event in _events(list(rows), inbound):
        ended += [
            replace(told.call, source="cel")
            for told in tracker.receive(event)
            if isinstance(told, CallEnded)
        ]
    return ended


def _events(  # noqa: C901, PLR0912, PLR0915 - one case an event
    rows: list[Row], inbound: Inbound
) -> Iterator[CallEvent]:
    is_inbound = inbound.matcher()
    states: dict[str, int] = {}
    conferring: set[str] = set()
    unreached: set[str] = set()  # in a Dial of which no leg has come
    # The legs' ends stand before the caller's, so who gave up first has to be known beforehand.
    gave_up = {
        row.channel_id
        for row in rows
        if row.event == "HANGUP" and _by_far_end(row) and row.extra.get("dialstatus") == "CANCEL"
    }
    for row in rows:
        match row.event:
            case "CHAN_START":
                root = row.channel_id == row.linkedid
                # A leg that the PBX itself originates through a trunk has no extension.
                rings_in = root and is_inbound(row.context) and row.exten not in {"", "s"}
                states[row.channel_id] = ChannelState.RING if rings_in else ChannelState.DOWN
                yield ev.ChannelCreated(
                    row.at, row.channel_id, row.linkedid, row.channel, states[row.channel_id],
                    row.context, row.exten, row.number, row.name,
                )  # fmt: skip
                unreached.discard(row.linkedid)
                if not root and not row.channel.endswith(";2"):
                    yield ev.DialBegun(
                        row.at, row.linkedid, row.channel_id, row.channel, row.channel
                    )
            case "ANSWER":
                states[row.channel_id] = ChannelState.UP
                if row.channel_id != row.linkedid:
                    yield ev.DialEnded(row.at, "", row.channel_id, "ANSWER", "")
                yield ev.StateChanged(row.at, row.channel_id, ChannelState.UP)
            case "BRIDGE_ENTER":
                yield ev.BridgeEntered(
                    row.at,
                    row.channel_id,
                    row.extra.get("bridge_id", ""),
                    holding=row.extra.get("bridge_technology", "") == "holding_bridge",
                    conference=row.channel_id in conferring,
                    name=row.channel,
                    # Who was there before the part that is read may be an agent who waited for
                    # hours, or a colleague in the conference: somebody who speaks.
                    state=states.get(row.channel_id, ChannelState.UP),
                    linkedid=row.linkedid,
                )
            case "BRIDGE_EXIT":
                yield ev.BridgeLeft(row.at, row.channel_id, row.extra.get("bridge_id", ""))
            case "APP_START" if row.application == "Queue":
                yield ev.QueueJoined(row.at, row.channel_id, row.data.partition(",")[0], 0)
            case "APP_END" if row.application == "Queue":
                yield ev.QueueLeft(row.at, row.channel_id, row.data.partition(",")[0])
            case "APP_START":
                if row.application == "ConfBridge":
                    conferring.add(row.channel_id)
                elif row.application == "Dial" and row.channel_id == row.linkedid:
                    unreached.add(row.channel_id)
                yield ev.ApplicationStarted(row.at, row.channel_id, row.application, row.data)
            case "PARK_START":
                yield ev.Parked(row.at, row.channel_id, "")
            case "BLINDTRANSFER":
                yield ev.Transferred(
                    row.at,
                    blind=True,
                    transferee_id=row.extra.get("transferee_channel_uniqueid", ""),
                    transferers=(row.channel_id,),
                    bridges=(row.extra.get("bridge_id", ""),),
                    target=row.extra.get("extension", ""),
                )
            case "HANGUP":
                if row.linkedid in gave_up:
                    yield ev.HangupRequested(row.at, row.linkedid, by_far_end=True)
                yield ev.HangupRequested(row.at, row.channel_id, _by_far_end(row))
                status = row.extra.get("dialstatus", "")
                if not status and row.channel_id in unreached:
                    status = "CHANUNAVAIL"
                if status:
                    yield ev.VariableSet(row.at, row.channel_id, "DIALSTATUS", status)
                if row.channel_id != row.linkedid:
                    yield ev.DialEnded(row.at, "", row.channel_id, _status(row), "")
            case "CHAN_END":
                conferring.discard(row.channel_id)
                unreached.discard(row.channel_id)
                states.pop(row.channel_id, None)
                yield ev.ChannelHungUp(row.at, row.channel_id, 0, row.context)
            case _:
                pass


def _by_far_end(row: Row) -> bool:
    return row.extra.get("hangupsource", "") == row.channel


def _status(row: Row) -> str:
    return _STATUS_OF_CAUSE.get(row.extra.get("hangupcause", ""), "NOANSWER")


def _time(fields: list[str]) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(fields[1]), UTC)
    except (IndexError, ValueError, OverflowError, OSError):
        return None


def _extra(text: str) -> dict[str, str]:
    try:
        extra = json.loads(text) if text else {}
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in extra.items()} if isinstance(extra, dict) else {}
