"""A machine that stands still, as when it is suspended: counted at the gateway by number."""

import asyncio
import signal
from collections import Counter
from pathlib import Path

from tests.reliability.storm import SHORT, seed_of, storm
from tests.service import until

#: How long the service does not see that its line is gone. The PBX's records are read from so much
#: before the last sign of life, so it has to be longer to show anything.
STANDS_STILL = SHORT["ledger.WATERMARK_MARGIN"] + 4


async def test_who_was_missed_while_the_machine_stood_still_is_texted(
    tmp_path: Path, *, nightly: bool
) -> None:
    async with storm(tmp_path, seed_of(nightly=nightly), per_second=4) as going:
        async with going.callers.calling():
            service = await going.start()
            for turn in range(1, 20 if nightly else 2):
                await service.told("pbx_up", times=turn)
                await service.told("message_accepted", times=turn)
                service.signal(signal.SIGSTOP)
                before = len(going.callers.missed)
                going.pbx.hang_up_on_all()  # as Asterisk does with a client that takes nothing
                await asyncio.sleep(STANDS_STILL)
                await until(lambda: len(going.callers.missed) >= before + 5)  # noqa: B023
                service.signal(signal.SIGCONT)
            await service.told("pbx_up", times=turn + 1)
            assert await service.stops() == 0
        await going.settle()
    assert going.lost() == {}
    assert going.office.texts == Counter(going.callers.missed)
