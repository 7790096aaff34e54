"""Run recordings through today's rules: who would have been texted, and why not.

The whole service runs, on a database of its own that is thrown away, in shadow mode, with the
recording's clock instead of ours. So a replay judges, delays, cools down and cancels exactly as
the live service would, only as fast as it can, and it sends nothing.
"""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from sqlalchemy import Connection

from pbx_bridge import recording
from pbx_bridge.core.call import Disposition, Reason
from pbx_bridge.core.delivery import State
from pbx_bridge.core.office import Rules
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.followup import FollowUp
from pbx_bridge.sources import recorded
from pbx_bridge.store import calls, followups, outbox
from pbx_bridge.store.db import Database

_PBX = "recording"
_MANY = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One inbound call of a recording, and what today's rules make of it."""

    capture: str
    call: str
    began: datetime
    ended: datetime | None
    caller: str  #: E.164, or as received if it is no number
    caller_id: str  #: as received
    line: str
    disposition: Disposition
    reason: Reason
    answered_by: str
    would_text: bool
    rule: str  #: the check that objected, or the reason texted about
    why: str


async def replay(path: Path, rules: Rules, inbound: Inbound) -> AsyncIterator[Judged]:
    """Judge the inbound calls of one recording, in the order in which they began.

    Raises:
        RecordingProblem: the recording cannot be read.

    """
    moments = list(recording.read(path))
    rules = replace(rules, shadow=True)
    if not recorded.timed(moments):
        # Without times nobody can say how long a caller waited.
        limits = replace(rules.limits, stranger_min_ring=timedelta(0))
        rules = replace(rules, min_ring=timedelta(0), limits=limits)
    with tempfile.TemporaryDirectory(prefix="pbx-bridge-replay-") as folder:
        async with Database.open(Path(folder) / "replay.db") as db:
            await _Replay(db, rules, inbound).run(moments)
            for record in reversed(await db.read(lambda tx: calls.recent(tx, limit=_MANY))):
                yield await _judged(db, path, record)


class _Replay:
    """One recording on its way through the service."""

    def __init__(self, db: Database, rules: Rules, inbound: Inbound) -> None:
        self._db = db
        self._clock = datetime.fromtimestamp(0, UTC)
        self._queued = False
        self._tracker = CallTracker(inbound)
        keys = count(1)
        self._followup = FollowUp(
            db,
            {_PBX: self._tracker},
            rules,
            now=lambda: self._clock,
            new_key=lambda: f"replay-{next(keys)}",
            wake=self._wake,
            planned=self._wake,
        )

    async def run(self, moments: list[recording.Moment]) -> None:
        for event in recorded.events(moments):
            await self._advance(event.at)
            await self._followup.handle([(_PBX, event)])
        # Whoever had hung up is done; whoever was still on the line we know nothing more of.
        await self._advance(self._clock + timedelta(minutes=1))
        await self._followup.abandon(self._clock, Reason.NEVER_ENDED)
        while self._queued:
            await self._advance(self._clock + timedelta(hours=1))

    async def _advance(self, until: datetime) -> None:
        """Let the time pass, with all that is due in it."""
        while (deadline := self._tracker.next_deadline()) is not None and deadline <= until:
            self._clock = max(self._clock, deadline)
            await self._followup.expire(self._clock)
        while self._queued:
            due = await self._db.read(followups.next_step_or_message)
            if due is None:
                self._queued = False
            elif due > until:
                break
            else:
                self._clock = max(self._clock, due)
                await self._db.run(self._do_due)
        self._clock = max(self._clock, until)

    def _do_due(self, tx: Connection) -> None:
        """Do the steps that are due, then what they queued."""
        self._followup.do_due(tx, self._clock)
        outbox.claim_due(tx, self._clock, _MANY, self._followup.recheck)

    def _wake(self) -> None:
        self._queued = True


async def _judged(db: Database, path: Path, record: calls.CallRecord) -> Judged:
    explanation = await db.read(lambda tx: calls.explanation(tx, record.row_id))
    assert explanation is not None  # noqa: S101 - nobody deletes from this database
    call, decision = record.call, record.decision
    rule = decision.rule if decision is not None else ""
    why = decision.detail if decision is not None else ""
    would_text = record.message_state is State.SHADOW
    if would_text:
        why = f"{call.reason}: nobody spoke to the caller"
    elif explanation.messages and decision is not None and decision.outcome == "shadow":
        message = explanation.messages[-1]
        rule, why = message.code, message.detail
    return Judged(
        capture=str(path),
        call=call.call_id,
        began=call.began,
        ended=call.ended,
        caller=record.caller_e164 or call.caller.number,
        caller_id=call.caller.number,
        line=call.line,
        disposition=call.disposition,
        reason=call.reason,
        answered_by=call.answered_by,
        would_text=would_text,
        rule=rule,
        why=why,
    )
