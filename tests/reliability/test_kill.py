"""kill -9 at random instants under load, counted at the gateway by number.

Calls go on all the while, so those that end while no service runs have to be found in the PBX's
records. In CI it is killed 25 times, each night a thousand. PBX_BRIDGE_KILLS says how often
instead, PBX_BRIDGE_SEED repeats the choices of another run.
"""

from collections import Counter
from pathlib import Path

from pbx_bridge.core.delivery import State
from tests.reliability.storm import Storm, how_often, seed_of, storm
from tests.service import Plain


def _kills(*, nightly: bool) -> int:
    return how_often("PBX_BRIDGE_KILLS", nightly=nightly, in_ci=25)


async def _rage(going: Storm, kills: int) -> None:
    async with going.callers.calling():
        for done in range(1, kills + 1):
            await going.killed_soon()
            if done % 50 == 0:
                print(f"{done} kills")  # noqa: T201
    await going.settle()


def _print(seed: int, going: Storm, sent: Counter[str]) -> None:
    """Print the figures, for whoever asks for them (-s) or looks at a failure."""
    callers = going.callers
    print(  # noqa: T201 - see above
        f"seed {seed}: {going.kills} kills, {len(callers.missed) + len(callers.answered)} calls, "
        f"{len(callers.missed)} missed, {sent.total()} texts to {len(sent)} numbers, "
        f"texted though answered {going.in_vain(sent)}, "
        f"lost {len(going.lost())}, doubled {sum(n > 1 for n in sent.values())}, "
        f"of unknown fate at a start {going.unknown_at_start}, "
        f"at the end {Counter(text.state.value for text in going.texts().values())}, "
        f"records read {going.notes['records_read']} times, integrity {going.integrity()}"
    )


async def test_no_text_is_lost_and_none_doubled_where_the_gateway_can_be_asked(
    tmp_path: Path, *, nightly: bool
) -> None:
    seed = seed_of(nightly=nightly)
    async with storm(tmp_path, seed, per_second=5) as going:
        await _rage(going, _kills(nightly=nightly))
        sent = going.office.texts
    _print(seed, going, sent)
    assert going.lost() == {}
    assert {number: sent[number] for number in going.callers.missed} == dict.fromkeys(
        going.callers.missed, 1
    )
    assert {text.state for text in going.texts().values()} == {State.ACCEPTED}
    # One of 614 answered callers was texted (seed 301, docs/reliability.md), and why is not known
    # yet: nights look for it.
    assert not nightly or set(sent) == set(going.callers.missed)
    assert going.unknown_at_start > 0, "never killed while it sent: nothing was shown"
    assert going.integrity() == ["ok"]


async def test_where_it_cannot_be_asked_none_is_doubled_and_each_unknown_says_so(
    tmp_path: Path, *, nightly: bool
) -> None:
    seed = seed_of(nightly=nightly)
    async with storm(tmp_path, seed, asks=False) as going:
        await _rage(going, _kills(nightly=nightly) // 4)
        reply = going.office.server.reply
        assert isinstance(reply, Plain)
        sent = reply.taken
    _print(seed, going, sent)
    assert going.lost() == {}
    assert max(sent.values()) == 1
    texts = going.texts()
    assert set(sent) <= set(texts) == set(going.callers.missed)
    assert {text.state for text in texts.values()} <= {State.ACCEPTED, State.UNCERTAIN}
    for number in going.callers.missed:
        assert sent[number] or texts[number].state is State.UNCERTAIN
        assert texts[number].state is State.ACCEPTED or texts[number].detail
    assert going.integrity() == ["ok"]
