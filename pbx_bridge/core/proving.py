"""How far a test call has come: seen, judged, its text queued, accepted, delivered.

Nothing is remembered: each stage follows from what is written down about the call.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pbx_bridge.core.call import Call, Disposition
from pbx_bridge.core.delivery import State


class Stage(StrEnum):
    SEEN = "seen"
    JUDGED = "judged"
    QUEUED = "queued"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"


class Standing(StrEnum):
    DONE = "done"
    WAITS = "waits"  #: for what comes next
    LATER = "later"  #: an earlier stage is to come first
    STOPPED = "stopped"  #: it will not come
    SHADOW = "shadow"  #: it would, but in shadow mode nothing is sent


@dataclass(frozen=True, slots=True)
class Passed:
    """One stage, how it stands, and what is known of it, as it was written down."""

    stage: Stage
    standing: Standing
    detail: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is written down about a test call."""

    call: Call | None = None  #: None: no call of that number was seen
    outcome: str = ""  #: of the last decision: `text`, `shadow` or `skip`; empty: none yet
    why: str = ""  #: of the decision
    decided_at: datetime | None = None
    text: State | None = None  #: how the text stands; None: there is none
    is_shadow: bool = False
    due_at: datetime | None = None
    updated_at: datetime | None = None
    detail: str = ""  #: what the gateway said


_ACCEPTED = frozenset({State.ACCEPTED, State.DELIVERED, State.UNDELIVERED})
_ON_ITS_WAY = frozenset({State.QUEUED, State.SENDING})


def progress(known: Known) -> tuple[Passed, ...]:
    """Tell how each stage stands, in their order."""
    passed = (_seen(known), _judged(known), _queued(known), _accepted(known), _delivered(known))
    return tuple(_after(before, one) for before, one in zip((None, *passed), passed, strict=False))


def _after(before: Passed | None, one: Passed) -> Passed:
    if before is None or before.standing in {Standing.DONE, Standing.SHADOW}:
        return one
    return Passed(one.stage, Standing.LATER) if one.standing is Standing.WAITS else one


def _seen(known: Known) -> Passed:
    if known.call is None:
        return Passed(Stage.SEEN, Standing.WAITS)
    return Passed(Stage.SEEN, Standing.DONE, known.call.line, known.call.began)


def _judged(known: Known) -> Passed:
    call = known.call
    if call is None or call.ended is None:
        return Passed(Stage.JUDGED, Standing.WAITS)
    return Passed(Stage.JUDGED, Standing.DONE, call.reason.value, call.ended)


def _queued(known: Known) -> Passed:
    call = known.call
    if known.text is not None:
        return Passed(Stage.QUEUED, Standing.DONE, "", known.due_at)
    if known.outcome == "skip":
        return Passed(Stage.QUEUED, Standing.STOPPED, known.why, known.decided_at)
    if call is not None and call.ended is not None and call.disposition is not Disposition.MISSED:
        return Passed(Stage.QUEUED, Standing.STOPPED, known.why)
    return Passed(Stage.QUEUED, Standing.WAITS)


def _accepted(known: Known) -> Passed:
    state = known.text
    if state is None:
        stopped = _queued(known).standing is Standing.STOPPED
        return Passed(Stage.ACCEPTED, Standing.LATER if stopped else Standing.WAITS)
    if state is State.SHADOW or (known.is_shadow and state in _ON_ITS_WAY):
        return Passed(Stage.ACCEPTED, Standing.SHADOW)
    if state in _ACCEPTED:
        return Passed(Stage.ACCEPTED, Standing.DONE, "", known.updated_at)
    if state in _ON_ITS_WAY:
        return Passed(Stage.ACCEPTED, Standing.WAITS, known.detail, known.due_at)
    return Passed(Stage.ACCEPTED, Standing.STOPPED, known.detail or state.value, known.updated_at)


def _delivered(known: Known) -> Passed:
    before = _accepted(known)
    if before.standing is Standing.SHADOW:
        return Passed(Stage.DELIVERED, Standing.SHADOW)
    if before.standing is not Standing.DONE:
        return Passed(Stage.DELIVERED, Standing.LATER)
    if known.text is State.DELIVERED:
        return Passed(Stage.DELIVERED, Standing.DONE, "", known.updated_at)
    if known.text is State.UNDELIVERED:
        return Passed(Stage.DELIVERED, Standing.STOPPED, known.detail, known.updated_at)
    return Passed(Stage.DELIVERED, Standing.WAITS)
