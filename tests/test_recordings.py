"""Every recorded call, replayed through the whole service, becomes what it truly was."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pbx_bridge import config
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.replay import Judged, replay
from tests.real_calls import RECORDINGS, RealCalls, Truth


async def replayed(calls: RealCalls) -> list[Judged]:
    rules, inbound = config.defaults(), Inbound()
    if calls.settings is not None:
        settings = config.load(calls.settings)
        rules, inbound = settings.rules(), settings.pbx[0].inbound()
    # The recorded conversations last a second or two.
    rules = replace(rules, min_conversation=timedelta())
    return [judged async for judged in replay(calls.path, rules, inbound)]


def as_truth(judged: Judged) -> Truth:
    return Truth(judged.caller_id, judged.disposition.value, judged.reason.value, judged.would_text)


@pytest.mark.parametrize("calls", RECORDINGS, ids=str)
async def test_a_recorded_call_is_judged_as_it_was(calls: RealCalls) -> None:
    """Of several calls of one caller one is texted about; which one is no matter of truth."""
    judged = [as_truth(call) for call in await replayed(calls)]
    assert sorted(judged, key=str) == sorted(calls.truth, key=str)


def test_every_kind_of_call_is_among_the_recordings() -> None:
    """One recording for each row of the catalogue that a SIP caller can produce, and no fewer."""
    rows = {calls.name[:6] for calls in RECORDINGS if calls.path.parent.name == "22"}
    assert len(rows) >= 65
    truths = [truth for calls in RECORDINGS for truth in calls.truth]
    assert {truth.disposition for truth in truths} == {"answered", "missed"}
    assert len({truth.reason for truth in truths}) >= 15
