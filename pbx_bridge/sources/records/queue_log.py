"""The queue log: says who was served in a queue and who gave up, not who they were.

So it can only settle calls that we know from before. CONNECT proves an answer. ABANDON proves that
nobody answered only if the caller stood in the queue already before we looked away; otherwise a
person may have spoken to the caller first.

Where it is all there is (`follow`), it tells of the calls that stood in queues, and of those that
left one unserved that nobody knows what became of them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pbx_bridge.core.call import (
    Call,
    Caller,
    Disposition,
    HungUpBy,
    QueueVisit,
    Reason,
    Step,
    StepKind,
)
from pbx_bridge.sources.records.tail import lines_since

_COLUMNS = 5
_CALLER = 6  #: in the row of ENTERQUEUE
_SERVED_END = frozenset({"COMPLETECALLER", "COMPLETEAGENT", "BLINDTRANSFER", "ATTENDEDTRANSFER"})
_UNSERVED = frozenset({"EXITWITHTIMEOUT", "EXITEMPTY", "EXITWITHKEY"})
_BACK = frozenset({"ENTERQUEUE", "CONNECT", "ABANDON"})  #: in a queue again
#: Who left a queue and enters no other in this time went elsewhere.
_ELSEWHERE = timedelta(hours=1)
#: How many rows go by until we look for those.
_BETWEEN_LOOKS = 1000


@dataclass(frozen=True, slots=True)
class Row:
    at: datetime
    channel_id: str
    queue: str
    agent: str
    event: str
    caller: str = ""  #: where the caller enters


def rows(path: Path, since: datetime) -> list[Row]:
    """Read the rows at or after `since`.

    Raises:
        OSError: the file cannot be read.

    """
    lines = lines_since(path, since, lambda line: _time(line.partition("|")[0]))
    return [row for line in lines if (row := parse(line)) is not None]


def parse(line: str) -> Row | None:
    """Read one row; None for damage."""
    fields = line.split("|")
    at = _time(fields[0])
    if at is None or len(fields) < _COLUMNS:
        return None
    caller = fields[_CALLER] if fields[4] == "ENTERQUEUE" and len(fields) > _CALLER else ""
    return Row(at, fields[1], fields[2], fields[3], fields[4], caller)


def judge(rows: Iterable[Row], blind_since: datetime) -> list[Call]:
    """Judge the calls that the rows settle; nothing was seen after `blind_since`."""
    entered: dict[str, Row] = {}
    settled: dict[str, Call] = {}
    for row in rows:
        if row.event == "ENTERQUEUE":
            entered[row.channel_id] = row
        elif row.event == "CONNECT":
            settled[row.channel_id] = _call(row, entered.get(row.channel_id, row), row.agent)
        elif row.event == "ABANDON" and row.channel_id not in settled:
            waited = entered.get(row.channel_id)
            if waited is not None and waited.at <= blind_since:
                settled[row.channel_id] = _call(row, waited, "")
    return list(settled.values())


def follow(rows: Iterable[Row]) -> Iterator[Call]:
    """Give the calls that stood in queues, about in the order of their end, as the rows come."""
    entered: dict[str, Row] = {}
    served: dict[str, Row] = {}
    left: dict[str, Row] = {}
    for n, row in enumerate(rows, 1):
        key = row.channel_id
        if row.event in _BACK:
            left.pop(key, None)
        if row.event == "ENTERQUEUE":
            entered.setdefault(key, row)
        elif row.event == "CONNECT" and key in entered:
            served.setdefault(key, row)
        elif row.event in _SERVED_END and key in served:
            answered = served.pop(key)
            yield replace(_call(answered, entered.pop(key), answered.agent), ended=row.at)
        elif row.event == "ABANDON" and key in entered and key not in served:
            yield _call(row, entered.pop(key), "")
        elif row.event in _UNSERVED and key in entered and key not in served:
            left[key] = row
        if n % _BETWEEN_LOOKS == 0:
            yield from _gone(left, entered, row.at - _ELSEWHERE)
    yield from _gone(left, entered, None)
    for key, answered in served.items():  # still speaking when the log ends
        yield _call(answered, entered[key], answered.agent)


def _gone(left: dict[str, Row], entered: dict[str, Row], before: datetime | None) -> Iterator[Call]:
    """Take away those who left a queue before then, and give them as unobserved."""
    for row in [row for row in left.values() if before is None or row.at < before]:
        del left[row.channel_id]
        call = _call(row, entered.pop(row.channel_id), "")
        yield replace(call, disposition=Disposition.UNOBSERVED, reason=Reason.FEED_GAP)


def _call(row: Row, entered: Row, agent: str) -> Call:
    return Call(
        call_id=row.channel_id,
        began=entered.at,
        ended=row.at,
        disposition=Disposition.ANSWERED if agent else Disposition.MISSED,
        reason=Reason.PERSON if agent else Reason.QUEUE_ABANDONED,
        caller=Caller(entered.caller, "", withheld=False),
        line="",
        trunk="",
        answered_at=row.at if agent else None,
        answered_by=agent,
        hung_up_by=HungUpBy.UNKNOWN,
        ring_seconds=0.0,
        rung=(),
        queue=QueueVisit(row.queue, 0, (row.at - entered.at).total_seconds()),
        voicemail_seconds=0.0,
        mailbox="",
        steps=(Step(row.at, StepKind.STATUS, row.queue, f"queue log {row.event}"),),
        source="queue_log",
    )


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None
