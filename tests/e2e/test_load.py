"""A busy PBX: who was missed is texted exactly once, whom somebody answered not at all.

With `--nightly` for ten minutes; then `-s` shows the figures (docs/reliability.md). PBX_BRIDGE_RATE
sets the calls a second: `python -m benchmarks.highest_rate` finds what a machine carries.
"""

from __future__ import annotations

import os
from collections import Counter

from .asterisk import Asterisk
from .load import Load
from .service import RunningService

#: Calls a second, and for how long.
SHORT = (5.0, 45)
NIGHTLY = (20.0, 600)


async def test_under_load_every_missed_caller_is_texted_once_and_no_other(
    asterisk: Asterisk, *, nightly: bool
) -> None:
    rate, seconds = NIGHTLY if nightly else SHORT
    rate = float(os.environ.get("PBX_BRIDGE_RATE", rate))
    service = RunningService(asterisk, delay="0s", records=(), most=10**6)
    try:
        await service.start()
        load = Load(asterisk, service, rate, round(rate * seconds))
        await load.run()
    finally:
        await service.close()
    print(f"{load.report()}\nload average {os.getloadavg()}")  # noqa: T201 - figures, with -s
    missed, answered = load.seen.gave_up, load.seen.answered
    assert load.made > load.calls / 2, "the test bed could not make the calls"
    assert load.texts == Counter(set(load.texts)), "somebody was texted twice"
    assert missed.keys() - load.texts.keys() == set()
    assert answered & load.texts.keys() == set()
