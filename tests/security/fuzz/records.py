"""Lines of CDR, CEL and the queue log, which have callers' text in them."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from pbx_bridge.core.tracker import Inbound
from pbx_bridge.sources.ami.frames import decode
from pbx_bridge.sources.records import cdr, cel, queue_log
from pbx_bridge.sources.records.tail import fields_of
from tests.real_calls import FOLDER
from tests.sources.records.files import EVER

ZONE = ZoneInfo("America/New_York")
LONGEST = 4000
_NAMES = (
    "start", "end", "answer", "duration", "billsec", "src", "dst", "dcontext", "channel",
    "dstchannel", "lastapp", "lastdata", "disposition", "uniqueid", "linkedid", "did",
    "eventtime", "eventtype", "cid_name", "cid_num", "exten", "context", "channame", "appname",
    "appdata", "extra",
)  # fmt: skip


def check(data: bytes) -> None:
    """No line raises anything; what is judged of lines ends when it began, or later."""
    lines = [decode(line.rstrip(b"\r")) for line in data.split(b"\n")]
    columns = [dict(zip(_NAMES, fields_of(line), strict=False)) for line in lines]
    inbound = Inbound()
    old = [cdr.parse(line, ZONE, old=True) for line in lines]
    told = [cdr.parse(line, ZONE) for line in lines]
    told += [cdr.from_columns(row, ZONE) for row in columns]
    calls = cdr.judge([row for row in told if row is not None], inbound)
    for rows in (told, old):
        list(cdr.follow((row for row in rows if row is not None), inbound))
    events = [cel.parse(line) for line in lines] + [cel.parse(line, ZONE) for line in lines]
    events += [cel.from_columns(row, ZONE) for row in columns]
    calls += cel.judge([row for row in events if row is not None], inbound)
    queue = [row for line in lines if (row := queue_log.parse(line)) is not None]
    calls += queue_log.judge(queue, EVER)
    calls += queue_log.follow(queue)
    for call in calls:
        repr(call)


def seeds() -> Iterator[bytes]:
    for path in sorted((FOLDER / "records").iterdir()):
        lines = path.read_bytes().split(b"\n")
        for at in range(0, len(lines), max(1, len(lines) // 6)):
            yield b"\n".join(lines[at : at + 8])[:LONGEST]
    yield b'"2026-11-23 16:06:58","","","1e10","9","2125550142","+1646","from-trunk","PJSIP/1"'
