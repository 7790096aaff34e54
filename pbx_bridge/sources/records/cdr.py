"""Call detail records: a row for each path that a call took, on by default in every Asterisk.

They cannot see who really spoke: a caller in a menu, a queue or voicemail is ANSWERED too. So a
call counts as answered if any row of it was answered by a real channel, and is left unknown if it
was in an application that may have joined it to somebody (conference, parking, a voice bot): both
err on the side of not texting. Needs `loguniqueid` and `newcdrcolumns` in cdr.conf, to tell which
rows are one call, and, where the dialplan leaves the inbound context, the `trunks` of the PBX in
our configuration.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pbx_bridge.core.call import (
    Call,
    Caller,
    Disposition,
    HungUpBy,
    OutboundCall,
    Reason,
    Step,
    StepKind,
)
from pbx_bridge.core.graph import endpoint_of
from pbx_bridge.core.number import dialled_digits
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.sources.records.tail import fields_of, lines_since, local_time

#: accountcode,src,dst,dcontext,clid,channel,dstchannel,lastapp,lastdata,start,answer,end,duration,
#: billsec,disposition,amaflags,uniqueid,userfield,peeraccount,linkedid,sequence
_COLUMNS = 20
_START, _ANSWER, _END = 9, 10, 11
#: Without `newcdrcolumns` a row ends with uniqueid and userfield.
_OLD_COLUMNS = 18
#: A call's rows come together, but for one that was handed on and went on.
_TOGETHER = timedelta(hours=4)
#: How many rows go by until we look for calls that are complete.
_BETWEEN_LOOKS = 1000
#: An extension is shorter.
_OUTSIDE_DIGITS = 7

#: Applications in which nobody speaks to the caller, or whose answer has a row with a far channel.
_NOBODY_SPEAKS = frozenset(
    (
        "",
        *("Answer", "BackGround", "Busy", "Congestion", "Dial", "ExecIf", "Gosub", "GosubIf"),
        *("Goto", "GotoIf", "GotoIfTime", "Hangup", "Log", "Macro", "MacroExit", "MixMonitor"),
        *("MusicOnHold", "NoOp", "PlayTones", "Playback", "Progress", "Queue", "Read", "ResetCDR"),
        *("Return", "Ringing", "SayAlpha", "SayDigits", "SayNumber", "SayUnixTime", "Set"),
        *("StartMusicOnHold", "StopMixMonitor", "StopMusicOnHold", "StopPlayTones", "UserEvent"),
        *("Verbose", "VoiceMail", "Wait", "WaitExten", "Zapateller"),
    )
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
    answer: datetime | None = None
    line: str = ""  #: the number called, where the dialplan has put it into a column of its own


def rows(path: Path, since: datetime, timezone: ZoneInfo) -> list[Row]:
    """Read the rows of calls that ended at or after `since`.

    Raises:
        OSError: the file cannot be read.

    """
    lines = lines_since(path, since, lambda line: _time(fields_of(line), _END, timezone))
    return [row for line in lines if (row := parse(line, timezone)) is not None]


def parse(line: str, timezone: ZoneInfo, *, old: bool = False) -> Row | None:
    """Read one row; None for damage, or if the columns that we need are not written.

    With `old` a row without a Linkedid is taken as well. Then nobody can tell what happened behind
    a Local channel, and a call that one of these answered is judged unknown.
    """
    fields = fields_of(line)
    start, end = _time(fields, _START, timezone), _time(fields, _END, timezone)
    if start is None or end is None:
        return None
    if old and _OLD_COLUMNS <= len(fields) < _COLUMNS and fields[16]:
        fields += [""] * (_COLUMNS - len(fields))
        fields[19] = fields[16]
    if len(fields) < _COLUMNS:
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
        answer=_time(fields, _ANSWER, timezone),
    )


def from_columns(columns: Mapping[str, str], timezone: ZoneInfo) -> Row | None:
    """Read a row of a database, by Asterisk's names of the columns; None for damage."""
    start = local_time(columns.get("start", ""), timezone)
    channel_id = columns.get("uniqueid", "")
    if start is None or not channel_id:
        return None
    answered = columns.get("disposition", "") == "ANSWERED"
    end = local_time(columns.get("end", ""), timezone)
    end = end or start + _seconds(columns.get("duration", ""))
    answer = local_time(columns.get("answer", ""), timezone)
    if answer is None and answered:
        answer = end - _seconds(columns.get("billsec", ""))
    return Row(
        source=columns.get("src", "") or columns.get("cnum", ""),
        destination=columns.get("dst", ""),
        context=columns.get("dcontext", ""),
        channel=columns.get("channel", ""),
        far_channel=columns.get("dstchannel", ""),
        application=columns.get("lastapp", ""),
        data=columns.get("lastdata", ""),
        start=start,
        end=end,
        disposition=columns.get("disposition", ""),
        channel_id=channel_id,
        linkedid=columns.get("linkedid", "") or channel_id,
        answer=answer,
        line=columns.get("did", ""),
    )


def judge(rows: Iterable[Row], inbound: Inbound) -> list[Call]:
    """Judge the inbound calls among the rows."""
    judged = _Judge(inbound)
    calls: dict[str, list[Row]] = {}
    for row in rows:
        calls.setdefault(row.linkedid, []).append(row)
    found = (judged.inbound(linkedid, parts) for linkedid, parts in calls.items())
    return [
        call
        for call in found
        if call is not None and call.disposition is not Disposition.UNOBSERVED
    ]


def follow(rows: Iterable[Row], inbound: Inbound) -> Iterator[Call | OutboundCall]:
    """Judge all calls, in the order of their end, as the rows come; however many there are.

    The rows are in the order in which the calls began or ended. A call of which they do not tell
    whether a person spoke to the caller is given as unobserved.

    The context of a row is the last of its call, on FreePBX seldom that of the trunk. So an
    endpoint through which one call came in is a trunk, and all its calls come from outside.
    """
    judged = _Judge(inbound)
    open_calls: dict[str, list[Row]] = {}
    latest: datetime | None = None
    for n, row in enumerate(rows, 1):
        open_calls.setdefault(row.linkedid, []).append(row)
        judged.learn(row)
        latest = row.start if latest is None else max(latest, row.start)
        if n % _BETWEEN_LOOKS == 0:
            complete = {
                linkedid: parts
                for linkedid, parts in open_calls.items()
                if _end(parts) + _TOGETHER < latest
            }
            for linkedid in complete:
                del open_calls[linkedid]
            yield from judged.all(complete)
    yield from judged.all(open_calls)


class _Judge:
    """Judges calls of which all rows are there."""

    def __init__(self, inbound: Inbound) -> None:
        self._is_inbound = inbound.matcher()
        self._trunks = set(inbound.trunks)

    def learn(self, row: Row) -> None:
        """Take the endpoint of an inbound call for a trunk."""
        first = row.channel_id == row.linkedid and not row.channel.startswith("Local/")
        if first and (row.line or self._is_inbound(row.context)):
            self._trunks.add(endpoint_of(row.channel))

    def all(self, calls: Mapping[str, list[Row]]) -> Iterator[Call | OutboundCall]:
        for linkedid, parts in sorted(calls.items(), key=lambda item: _end(item[1])):
            call = self.inbound(linkedid, parts)
            if call is not None:
                yield call
            else:
                yield from self._outbound(linkedid, parts)

    def inbound(self, linkedid: str, parts: list[Row]) -> Call | None:
        roots = [row for row in parts if row.channel_id == linkedid]
        if not any(map(self._from_outside, roots)) or roots[0].channel.startswith("Local/"):
            return None
        call = _call(roots, parts, self._is_inbound)
        if call.answered_at or _all_is_told(roots, parts):
            return call
        return replace(call, disposition=Disposition.UNOBSERVED, reason=Reason.FEED_GAP)

    def _from_outside(self, row: Row) -> bool:
        return (
            bool(row.line)
            or self._is_inbound(row.context)
            or endpoint_of(row.channel) in self._trunks
        )

    def _outbound(self, linkedid: str, parts: list[Row]) -> Iterator[OutboundCall]:
        """Find the calls to outside numbers: by how many digits were dialled."""
        for row in parts:
            digits = max(dialled_digits(row.destination), dialled_digits(row.data), key=len)
            reaches = row.far_channel and not row.far_channel.startswith("Local/")
            if self._from_outside(row) or not reaches or len(digits) < _OUTSIDE_DIGITS:
                continue
            yield OutboundCall(
                call_id=f"{linkedid}/{row.far_channel}",
                dialled=digits,
                began=row.start,
                answered_at=(row.answer or row.start) if row.disposition == "ANSWERED" else None,
                ended=row.end,
            )


def _end(parts: list[Row]) -> datetime:
    return max(row.end for row in parts)


def _seconds(text: str) -> timedelta:
    try:
        return timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        return timedelta(0)


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
        line=first.line or (first.destination if line_is_told else ""),
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
    return local_time(fields[column], timezone) if column < len(fields) else None
