"""The queue log: says who was served in a queue and who gave up, not who they were.

So it can only settle calls that we know from before. CONNECT proves an answer. ABANDON proves that
nobody answered only if the caller stood in the queue already before we looked away; otherwise a
person may have spoken to the caller first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
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


@dataclass(frozen=True, slots=True)
class Row:
    at: datetime
    channel_id: str
    queue: str
    agent: str
    event: str


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
    return Row(at, fields[1], fields[2], fields[3], fields[4])


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


def _call(row: Row, entered: Row, agent: str) -> Call:
    return Call(
        call_id=row.channel_id,
        began=entered.at,
        ended=row.at,
        disposition=Disposition.ANSWERED if agent else Disposition.MISSED,
        reason=Reason.PERSON if agent else Reason.QUEUE_ABANDONED,
        caller=Caller("", "", withheld=False),
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
