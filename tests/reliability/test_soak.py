"""An hour in which something is always about to go wrong, counted at the gateway by number.

In CI a minute of it, with `--nightly` an hour; PBX_BRIDGE_SOAK sets the seconds, PBX_BRIDGE_SEED
repeats the choices of another run. `-s` shows the figures (docs/reliability.md).
"""

import os
from collections import Counter
from pathlib import Path
from statistics import median, quantiles

from pbx_bridge.core.delivery import State
from tests.reliability.soak import Soak, soak
from tests.reliability.storm import seed_of, storm

HOUR = 3600.0
#: What a process may have more of at the end of its life than early in it. After each search of the
#: PBX's records the allocator keeps some of what that took, though Python has given it all back.
MOST_KILOBYTES = 50_000
MOST_DESCRIPTORS = 8


def _figures(seed: int, wet: Soak) -> str:
    going, lives = wet.storm, [life for life in wet.lives if life]
    found = wet.latencies()
    third = max(1, len(found) // 3)
    parts = [found[:third], found[third:-third], found[-third:]]
    return (
        f"seed {seed}: {dict(wet.happened)}, {len(going.callers.missed)} missed, "
        f"{len(going.callers.answered)} answered, {going.office.texts.total()} texts, "
        f"lost {len(going.lost())}, texted though answered {going.in_vain(going.office.texts)}, "
        f"doubled {sum(n > 1 for n in going.office.texts.values())}, "
        f"RSS at most {max(s.kilobytes for life in lives for s in life)} kB, "
        f"{len(wet.lives)} lives (samples, kB grown, descriptors grown): {wet.drift()}, "
        f"hang-up to gateway in fair weather, {len(found)} callers, by thirds, p50 and p99 in ms: "
        + str(
            [
                (round(1000 * median(part)), round(1000 * quantiles(part, n=100)[-1]))
                for part in ([seconds for _, seconds in some] for some in parts)
                if len(part) > 1
            ]
        )
        + f", events {dict(going.notes.most_common(12))}, integrity {going.integrity()}"
    )


async def test_whatever_goes_wrong_for_an_hour_each_missed_caller_is_texted_once(
    tmp_path: Path, *, nightly: bool
) -> None:
    seed = seed_of(nightly=nightly)
    seconds = float(os.environ.get("PBX_BRIDGE_SOAK", HOUR if nightly else 60))
    async with storm(tmp_path, seed, per_second=2) as going:
        async with soak(going, scale=min(1.0, seconds / HOUR * 3)) as wet:
            async with going.callers.calling():
                await wet.goes_on(seconds)
            assert await wet.service.stops() == 0
            going.note(wet.service)
            await going.settle()
        sent = going.office.texts
        print(_figures(seed, wet))  # noqa: T201 - for who asks (-s) or looks at a failure
    assert going.lost() == {}
    assert going.in_vain(sent) == {}
    assert sent == Counter(going.callers.missed)
    assert {text.state for text in going.texts().values()} == {State.ACCEPTED}
    assert going.integrity() == ["ok"]
    for _, kilobytes, descriptors in wet.drift():
        assert kilobytes < MOST_KILOBYTES
        assert descriptors < MOST_DESCRIPTORS
