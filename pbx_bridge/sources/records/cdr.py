"""Call detail records: a row for each path that a call took, on by default in every Asterisk.

They cannot see who really spoke: a caller in a menu, a queue or voicemail is ANSWERED too. So a
call counts as answered if any row of it was answered by a real channel, and is left unknown if it
was in an application that may have joined it to somebody (conference, parking, a voice bot): both
err on the side of not texting. Needs `loguniqueid` and `newcdrcolumns` in cdr.conf, to tell which
rows are one call, and, where the dialplan leaves the inbound context, the `trunks` of the PBX in
our configuration.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pbx_bridge.core.call import (
    Call,
    Caller,
    Disposition,
    HungUpBy,
    Reason,
    Step,
    StepKind,
)
from pbx_bridge.core.graph import endpoint_of
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.sources.records.tail import fields_of, lines_since

#: accountcode,src,dst,dcontext,clid,channel,dstchannel,lastapp,lastdata,start,answer,end,duration,
#: billsec,disposition,amaflags,uniqueid,userfield,peeraccount,linkedid,sequence
_COLUMNS = 20
_START, _END = 9, 11

#: Applications in which nobody speaks to the caller, or whose answer has a row with a far channel.
_NOBODY_SPEAKS = frozenset(
    {
        "",
        "Answer",
        "BackGround",
        "Busy",
        "Congestion",
        "Dial",
        "Goto",
        "Hangup",
        "NoOp",
        "Playback",
        "Progress",
        "Queue",
        "Read",
        "Return",
        "Ringing",
        "Set",
        "VoiceMail",
        "Wait",
        "WaitExten",
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    source: str
    destination: str
    context: str
    channel: str
    far_channel: str
    application: str
    data: str
    start: datetime
    end: datetime
    disposition: str
    channel_id: str
    linkedid: str


def rows(path: Path, since: datetime, timezone: ZoneInfo) -> list[Row]:
    """Read the rows of calls that ended at or after `since`.

    Raises:
        OSError: the file cannot be read.

    """
    lines = lines_since(path, since, lambda line: _time(fields_of(line), _END, timezone))
    return [row for line in lines if (row := parse(line, timezone)) is not None]


def parse(line: str, timezone: ZoneInfo) -> Row | None:
    """Read one row; None for damage, or if the columns that we need are not written."""
    fields = fields_of(line)
    start, end = _time(fields, _START, timezone), _time(fields, _END, timezone)
    if start is None or end is None or len(fields) < _COLUMNS:
        return None
    return Row(
        source=fields[1],
        destination=fields[2],
        context=fields[3],
        channel=fields[5],
        far_channel=fields[6],
        application=fields[7],
        data=fields[8],
        start=start,
        end=end,
        disposition=fields[14],
        channel_id=fields[16],
        linkedid=fields[19],
    )


def judge(rows: Iterable[Row], inbound: Inbound) -> list[Call]:
    """Judge the inbound calls among the rows."""
    is_inbound = inbound.matcher()
    calls: dict[str, list[Row]] = {}
    for row in rows:
        calls.setdefault(row.linkedid, []).append(row)
    judged: list[Call] = []
    for linkedid, parts in calls.items():
        roots = [row for row in parts if row.channel_id == linkedid]
        from_outside = any(
            is_inbound(row.context) or endpoint_of(row.channel) in inbound.trunks for row in roots
        )
        if from_outside and not roots[0].channel.startswith("Local/"):
            call = _call(roots, parts, is_inbound)
            if call.answered_at or _all_is_told(roots, parts):
                judged.append(call)
    return judged


def _all_is_told(roots: list[Row], parts: list[Row]) -> bool:
    """Whether there was no way to reach a person that leaves no row of its own."""
    if any(row.application not in _NOBODY_SPEAKS for row in roots):
        return False
    told = {row.channel for row in parts}
    # Behind a Local channel that answered, and has no row for its other half, agents may wait.
    return all(
        row.far_channel.removesuffix(";1") + ";2" in told
        for row in roots
        if row.disposition == "ANSWERED" and row.far_channel.startswith("Local/")
    )


def _call(roots: list[Row], parts: list[Row], is_inbound: Callable[[str], bool]) -> Call:
    first, last = roots[0], roots[-1]
    # Once the dialplan has gone elsewhere, the destination is an extension of its own.
    line_is_told = first.destination != "s" and is_inbound(first.context)
    by = next(
        (
            row
            for row in parts
            if row.disposition == "ANSWERED"
            and row.far_channel
            and not row.far_channel.startswith("Local/")
        ),
        None,
    )
    ended = max(row.end for row in roots)
    return Call(
        call_id=first.channel_id,
        began=min(row.start for row in roots),
        ended=ended,
        disposition=Disposition.MISSED if by is None else Disposition.ANSWERED,
        reason=_way(parts, last) if by is None else Reason.PERSON,
        caller=Caller(first.source, "", withheld=False),
        line=first.destination if line_is_told else "",
        trunk=endpoint_of(first.channel),
        answered_at=None if by is None else by.start,
        answered_by="" if by is None else endpoint_of(by.far_channel),
        hung_up_by=HungUpBy.UNKNOWN,
        ring_seconds=0.0,
        rung=(),
        queue=None,
        voicemail_seconds=0.0,
        mailbox="",
        steps=tuple(
            Step(
                row.end,
                StepKind.STATUS,
                endpoint_of(row.far_channel) if row.far_channel else "",
                f"{row.application} {row.disposition}",
            )
            for row in parts
        ),
        source="cdr",
    )


def _way(parts: list[Row], last: Row) -> Reason:
    applications = {row.application for row in parts}
    dispositions = {row.disposition for row in parts if row.far_channel}
    if "VoiceMail" in applications:
        return Reason.VOICEMAIL_HANGUP
    if "Queue" in applications:
        return Reason.QUEUE_UNSERVED
    if "NO ANSWER" in dispositions:
        return Reason.RANG_NO_ANSWER
    if "BUSY" in dispositions or last.disposition == "BUSY":
        return Reason.BUSY
    if "FAILED" in dispositions or last.disposition == "FAILED":
        return Reason.UNAVAILABLE
    return Reason.ANNOUNCEMENT_ONLY


def _time(fields: list[str], column: int, timezone: ZoneInfo) -> datetime | None:
    try:
        local = datetime.strptime(fields[column], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone)
        return local.astimezone(UTC)
    except (IndexError, ValueError, OverflowError):
        return None
