"""What the PBX wrote down itself: for calls whose outcome we did not see.

AMI has no replay. Where Asterisk keeps records that this machine can read, the calls of a gap are
judged from them afterwards: channel events (CEL) first, since they tell of bridges and so obey the
one rule; call detail records (CDR) where there is no CEL; the queue log for what it can say.
Whatever none of them proves stays unknown.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from pbx_bridge.core.call import Call
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.sources.records import cdr, cel, queue_log

#: A call may have begun this long before the gap in which it ended.
LONGEST_CALL = timedelta(hours=4)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFiles:
    """Where a PBX's records are. `timezone` is that of times without their own."""

    cel_csv: Path | None
    cdr_csv: Path | None
    queue_log: Path | None
    timezone: ZoneInfo

    def __bool__(self) -> bool:
        return bool(self.cel_csv or self.cdr_csv or self.queue_log)


async def read(files: RecordFiles, inbound: Inbound, since: datetime) -> list[Call]:
    """Give the inbound calls that ended at or after `since`, as far as the records judge them.

    A file that cannot be read is reported and does without.
    """
    return await asyncio.to_thread(_read, files, inbound, since)


def _read(files: RecordFiles, inbound: Inbound, since: datetime) -> list[Call]:
    found: dict[str, Call] = {}
    earliest = since - LONGEST_CALL
    for kind, path in (
        ("cel", files.cel_csv),
        ("cdr", files.cdr_csv),
        ("queue_log", files.queue_log),
    ):
        if path is None:
            continue
        try:
            if kind == "cel":
                calls = cel.judge(cel.rows(path, earliest, files.timezone), inbound)
            elif kind == "cdr":
                calls = cdr.judge(cdr.rows(path, earliest, files.timezone), inbound)
            else:
                calls = queue_log.judge(queue_log.rows(path, earliest), since)
        except OSError as error:
            log.warning("records_unreadable", path=str(path), problem=error.strerror)
            continue
        for call in calls:
            if call.ended is not None and call.ended >= since:
                found.setdefault(call.call_id, call)
    return sorted(found.values(), key=lambda call: call.began)
