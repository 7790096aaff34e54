"""A test call ticks its stages off by what is known of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pbx_bridge.core import scenario
from pbx_bridge.core.call import Reason
from pbx_bridge.core.delivery import State
from pbx_bridge.core.proving import Known, Stage, Standing, progress
from pbx_bridge.core.scenario import Scenario

NOW = datetime(2026, 11, 28, 19, tzinfo=UTC)
(MISSED,) = scenario.calls(Scenario(at=NOW, line="+12125550100"), "+12125550142")
(TALKED,) = scenario.calls(Scenario(at=NOW, reason=Reason.PERSON), "+12125550142")
RINGS = replace(MISSED, ended=None)
TEXT = Known(call=MISSED, outcome="text", due_at=NOW + timedelta(seconds=40))
DONE, WAITS, LATER = Standing.DONE, Standing.WAITS, Standing.LATER
STOPPED, SHADOW = Standing.STOPPED, Standing.SHADOW


@pytest.mark.parametrize(
    ("known", "standings"),
    [
        (Known(), [WAITS, LATER, LATER, LATER, LATER]),
        (Known(call=RINGS), [DONE, WAITS, LATER, LATER, LATER]),
        (Known(call=MISSED), [DONE, DONE, WAITS, LATER, LATER]),
        (Known(call=TALKED), [DONE, DONE, STOPPED, LATER, LATER]),
        (Known(call=MISSED, outcome="skip"), [DONE, DONE, STOPPED, LATER, LATER]),
        (replace(TEXT, text=State.QUEUED), [DONE, DONE, DONE, WAITS, LATER]),
        (replace(TEXT, text=State.SENDING), [DONE, DONE, DONE, WAITS, LATER]),
        (replace(TEXT, text=State.ACCEPTED), [DONE, DONE, DONE, DONE, WAITS]),
        (replace(TEXT, text=State.DELIVERED), [DONE, DONE, DONE, DONE, DONE]),
        (replace(TEXT, text=State.UNDELIVERED), [DONE, DONE, DONE, DONE, STOPPED]),
        (replace(TEXT, text=State.FAILED), [DONE, DONE, DONE, STOPPED, LATER]),
        (replace(TEXT, text=State.UNCERTAIN), [DONE, DONE, DONE, STOPPED, LATER]),
        (replace(TEXT, text=State.CANCELLED), [DONE, DONE, DONE, STOPPED, LATER]),
        (replace(TEXT, text=State.SHADOW), [DONE, DONE, DONE, SHADOW, SHADOW]),
        (replace(TEXT, text=State.QUEUED, is_shadow=True), [DONE, DONE, DONE, SHADOW, SHADOW]),
    ],
)
def test_stages_follow_from_what_is_written_down(known: Known, standings: list[Standing]) -> None:
    found = progress(known)
    assert [one.stage for one in found] == list(Stage)
    assert [one.standing for one in found] == standings


def test_what_stopped_it_is_told_as_it_was_written() -> None:
    skipped = progress(Known(call=MISSED, outcome="skip", why="texted an hour ago"))
    assert skipped[2].detail == "texted an hour ago"
    failed = progress(replace(TEXT, text=State.FAILED, detail="no such number"))
    assert failed[3].detail == "no such number"
    assert progress(replace(TEXT, text=State.EXPIRED))[3].detail == "expired"
