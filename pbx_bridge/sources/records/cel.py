"""Channel event logging (CEL): nearly an AMI stream after the fact, so the tracker judges it.

Read from cel_custom's CSV in the column order of Asterisk's own `cel_custom.conf.sample`, or from
the columns of a database. Needs `events = ALL` in cel.conf, and `voicemail`, `queue` among its
`apps`. CEL knows no DialBegin: a leg whose Linkedid is the caller's counts as rung from its start
on.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pbx_bridge.core import events as ev
from pbx_bridge.core.call import Call, CallEnded, Observation, OutboundCall
from pbx_bridge.core.events import CallEvent, ChannelState
from pbx_bridge.core.number import dialled_digits
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.sources.records.tail import fields_of, lines_since, local_time

_COLUMNS = 20
#: The legs' ends stand so much before the caller's at most, and so many rows.
_LEGS_END, _LEGS_ROWS = timedelta(seconds=5), 5000
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


def rows(path: Path, since: datetime, timezone: ZoneInfo | None = None) -> list[Row]:
    """Read the rows at or after `since`.

    Raises:
        OSError: the file cannot be read.

    """
    lines = lines_since(path, since, lambda line: _time(fields_of(line), timezone))
    return [row for line in lines if (row := parse(line, timezone)) is not None]


def parse(line: str, timezone: ZoneInfo | None = None) -> Row | None:
    """Read one row; None for damage. `timezone` is that of times that cel.conf has written out."""
    fields = fields_of(line)
    at = _time(fields, timezone)
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


def from_columns(columns: Mapping[str, str], timezone: ZoneInfo) -> Row | None:
    """Read a row of a database, by Asterisk's names of the columns; None for damage."""
    at = local_time(columns.get("eventtime", ""), timezone) or _epoch(columns.get("eventtime", ""))
    channel_id = columns.get("uniqueid", "")
    if at is None or not channel_id:
        return None
    return Row(
        at=at,
        event=columns.get("eventtype", ""),
        name=columns.get("cid_name", ""),
        number=columns.get("cid_num", ""),
        exten=columns.get("exten", ""),
        context=columns.get("context", ""),
        channel=columns.get("channame", ""),
        application=columns.get("appname", ""),
        data=columns.get("appdata", ""),
        channel_id=channel_id,
        linkedid=columns.get("linkedid", ""),
        extra=_extra(columns.get("extra", "")),
    )


def judge(rows: Iterable[Row], inbound: Inbound) -> list[Call]:
    """Judge the inbound calls whose end is among the rows."""
    return [told.call for _, told in observe(rows, inbound) if isinstance(told, CallEnded)]


def observe(rows: Iterable[Row], inbound: Inbound) -> Iterator[tuple[datetime, Observation]]:
    """Tell what the service would have seen, and when, as the rows come; however many there are.

    Calls from the office are told too. Of a call whose end is not among the rows none is told.
    """
    tracker = CallTracker(inbound)
    for event in _events(rows, inbound):
        for told in tracker.receive(event):
            if isinstance(told, OutboundCall):
                yield event.at, told
            else:
                yield event.at, replace(told, call=replace(told.call, source="cel"))


def _events(  # noqa: C901, PLR0912, PLR0915 - one case an event
    rows: Iterable[Row], inbound: Inbound
) -> Iterator[CallEvent]:
    is_inbound = inbound.matcher()
    states: dict[str, int] = {}
    conferring: set[str] = set()
    unreached: set[str] = set()  # in a Dial of which no leg has come
    dialled: dict[str, str] = {}  # what a call from the office asks for
    gave_up: set[str] = set()
    for row in _foreseen(rows, gave_up):
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
                if root and not rings_in:
                    dialled[row.channel_id] = row.exten
                if not root and not row.channel.endswith(";2"):
                    yield ev.DialBegun(
                        row.at,
                        row.linkedid,
                        row.channel_id,
                        row.channel,
                        dialled.get(row.linkedid, ""),
                    )
            case "ANSWER":
                states[row.channel_id] = ChannelState.UP
                if row.channel_id != row.linkedid:
                    yield ev.DialEnded(row.at, "", row.channel_id, "ANSWER", "")
                yield ev.StateChanged(
                    row.at, row.channel_id, ChannelState.UP, row.context, row.exten
                )
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
                    if row.channel_id in dialled:
                        both = (dialled[row.channel_id], row.data)
                        dialled[row.channel_id] = max(both, key=_digits)
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
                yield ev.HangupRequested(row.at, row.channel_id, _by_far_end(row), row.context)
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
                gave_up.discard(row.channel_id)
                dialled.pop(row.channel_id, None)
                states.pop(row.channel_id, None)
                yield ev.ChannelHungUp(row.at, row.channel_id, 0, row.context)
            case _:
                pass


def _foreseen(rows: Iterable[Row], gave_up: set[str]) -> Iterator[Row]:
    """Give the rows, with `gave_up` a little ahead of them.

    The legs' ends stand before the caller's, so who gave up first has to be known beforehand.
    """
    ahead: deque[Row] = deque()
    for row in rows:
        ahead.append(row)
        if row.event == "HANGUP" and _by_far_end(row) and row.extra.get("dialstatus") == "CANCEL":
            gave_up.add(row.channel_id)
        while row.at - ahead[0].at > _LEGS_END or len(ahead) > _LEGS_ROWS:
            yield ahead.popleft()
    yield from ahead


def _digits(text: str) -> int:
    return len(dialled_digits(text))


def _by_far_end(row: Row) -> bool:
    return row.extra.get("hangupsource", "") == row.channel


def _status(row: Row) -> str:
    return _STATUS_OF_CAUSE.get(row.extra.get("hangupcause", ""), "NOANSWER")


def _time(fields: list[str], timezone: ZoneInfo | None) -> datetime | None:
    text = fields[1] if len(fields) > 1 else ""
    written_out = None if timezone is None else local_time(text, timezone)
    return written_out or _epoch(text)


def _epoch(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _extra(text: str) -> dict[str, str]:
    try:
        extra = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return {str(k): str(v) for k, v in extra.items()} if isinstance(extra, dict) else {}
