"""There are words for everything that can be known of a call."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from pbx_bridge.core import policy
from pbx_bridge.core.call import HungUpBy, StepKind
from pbx_bridge.core.follow_up import FollowUpState, PlannedState
from pbx_bridge.core.hours import Track
from pbx_bridge.core.office import Moment
from pbx_bridge.core.timeline import Phase
from pbx_bridge.core.voicemail import RecordingState
from pbx_bridge.web import evidence


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (evidence.STEPS, StepKind),
        (evidence.PHASES, Phase),
        (evidence.CHECKS, [check.__name__ for check in policy.CHECKS]),
        (evidence.MOMENTS, Moment),
        (evidence.TIMES, Track),
        (evidence.STATES, {*FollowUpState, *PlannedState}),
        (evidence.RECORDINGS, RecordingState),
    ],
)
def test_everything_has_words(table: Mapping[Any, Any], names: Iterable[str]) -> None:
    assert sorted(map(str, table)) == sorted(map(str, names))
    assert all(table.values())


def test_who_hung_up_has_words() -> None:
    assert set(HungUpBy) - set(evidence.DETAILS) == set()
