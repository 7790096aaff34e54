"""The PBX of these tests says the same by its events as by its records."""

import random
from pathlib import Path
from zoneinfo import ZoneInfo

from pbx_bridge.core.call import Disposition
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.sources.records import cel
from tests.reliability.recorded_pbx import Callers, RecordedPbx

INBOUND = Inbound(contexts=("from-trunk",))


async def test_each_shape_is_judged_alike_by_events_and_by_records(tmp_path: Path) -> None:
    pbx = RecordedPbx(tmp_path / "cel.csv")
    callers = Callers(pbx, random.Random(1), per_second=1)  # noqa: S311 - nothing secret
    for _ in range(60):
        callers.call()
    await callers.all_end()
    assert pbx.cel is not None
    rows = [cel.parse(line, ZoneInfo("UTC")) for line in pbx.cel.read_text().splitlines()]
    found = {
        call.caller.number: call.disposition
        for call in cel.judge([row for row in rows if row is not None], INBOUND)
    }
    missed = {n for n, disposition in found.items() if disposition is Disposition.MISSED}
    assert missed == set(callers.missed)
    assert set(found) - missed == set(callers.answered)
