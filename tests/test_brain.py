"""Whatever happens, in whatever order: no step after a stop, none twice, none at night, none lost.

Calls, replies, bookings, closed tasks, restarts and a clock that is set are drawn at random.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import select

from pbx_bridge.core.call import Call, CallEnded, Reason
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.delivery import Channel, State
from pbx_bridge.core.follow_up import FollowUpState, PlannedState
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.store import contacts, followups, messages
from pbx_bridge.store.calls import LONGEST_LIVE_CALL
from pbx_bridge.store.schema import message as message_table
from tests.brain import DAYTIME, ENDINGS, MANY, NEW_YORK, Brain, Sent, rules

#: A customer with an address, somebody who is known by a START, and a stranger.
CUSTOMER, WRITER, STRANGER = "+12125550142", "+12125550143", "+12125550144"
CALLERS = st.sampled_from([CUSTOMER, WRITER, STRANGER])
REASONS = st.sampled_from(
    [Reason.RANG_NO_ANSWER, Reason.BUSY, Reason.QUEUE_ABANDONED, Reason.VOICEMAIL_MESSAGE]
)
LINES = st.sampled_from(["+12125550100", "+12125550101"])
#: Around the night in which clocks go back in New York.
BEGIN = datetime(2026, 10, 29, 15, 0, tzinfo=UTC)
#: Why a step that was planned may not have been done, though nothing ended its follow-up.
SKIPS = {
    reason.value
    for reason in (
        SkipReason.CONDITIONS, SkipReason.NO_CONSENT, SkipReason.NO_ADDRESS, SkipReason.TOO_LATE,
        SkipReason.OPTED_OUT, SkipReason.MUTED, SkipReason.NUMBER_DAILY_CAP,
        SkipReason.NUMBER_WEEKLY_CAP,
    )
}  # fmt: skip


class Office(RuleBasedStateMachine):
    """An office to which things happen, and what has to be so at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.brain = Brain(BEGIN, rules())
        self.seen = 0
        self.live: dict[str, Call] = {}
        self.consented = {CUSTOMER, WRITER}
        #: Follow-ups that something has ended. By what came first, not by the clock: that is set.
        self.ended: set[int] = set()
        with self.brain.transaction() as tx:
            known = Contact(
                name="Ann Baker", kind=CallerKind.CUSTOMER, email="ann@example.com",
                numbers={CUSTOMER: ""},
            )  # fmt: skip
            contacts.create(tx, known, by="test", now=BEGIN)
        self.brain.writes(WRITER, "Hello, are you open on Saturdays?")
        self.brain.passes(timedelta(minutes=1))

    def teardown(self) -> None:
        """Let everything come to its end: nothing is lost."""
        for number in list(self.live):
            self.hangs_up(number)
        self.brain.passes(timedelta(days=12))
        self.nothing_is_sent_that_must_not_be()
        with self.brain.transaction() as tx:
            for told in followups.recent(tx, limit=MANY):
                assert told.state is not FollowUpState.OPEN
                for step in followups.steps_of(tx, told.row_id):
                    assert step.state is not PlannedState.WAITING
                    if step.state is PlannedState.SKIPPED:
                        assert step.reason in SKIPS, step
                    if step.state is PlannedState.CANCELLED:
                        assert told.reason
                    if step.message_id is not None:
                        assert messages.get(tx, step.message_id) is not None
            waiting = tx.execute(
                select(message_table.c.id).where(message_table.c.state == State.QUEUED.value)
            )
            assert waiting.all() == []
        self.brain.close()

    # -- what happens -----------------------------------------------------------------------

    @rule(number=CALLERS, reason=REASONS, line=LINES)
    def is_missed(self, number: str, reason: Reason, line: str) -> None:
        if number not in self.live:
            self.brain.passes(timedelta(seconds=30))
            self.brain.missed(number, reason, line=line)

    @rule(number=CALLERS)
    def is_answered(self, number: str) -> None:
        if number not in self.live:
            self.brain.passes(timedelta(seconds=30))
            self.brain.answered(number)
            self._ends(number)

    @rule(number=CALLERS)
    def rings(self, number: str) -> None:
        if number not in self.live:
            self.live[number] = self.brain.rings(number)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def somebody_hangs_up(self, data: st.DataObject) -> None:
        self.hangs_up(data.draw(st.sampled_from(sorted(self.live))))

    def hangs_up(self, number: str) -> None:
        live = self.live.pop(number)
        self.brain.passes(timedelta(seconds=15))
        ended = self.brain.call(number, call_id=live.call_id, began=live.began)
        self.brain.tell(CallEnded(ended))

    @rule(number=CALLERS, seconds=st.sampled_from([None, 3.0, 19.0, 21.0, 300.0]))
    def is_called_back(self, number: str, seconds: float | None) -> None:
        self.brain.passes(timedelta(seconds=(seconds or 0) + 10))
        self.brain.called_back(number, seconds)
        if seconds is not None and seconds >= 20:
            self._ends(number)

    @rule(number=CALLERS, body=st.sampled_from(["Thank you", "Is it urgent? Yes", "HELP"]))
    def writes(self, number: str, body: str) -> None:
        self.brain.passes(timedelta(minutes=5))
        self.brain.writes(number, body)
        self.consented.add(number)
        if body != "HELP":
            self._ends(number)

    @rule(number=CALLERS, word=st.sampled_from(["STOP", "START"]))
    def opts(self, number: str, word: str) -> None:
        self.brain.passes(timedelta(minutes=5))
        self.brain.writes(number, word)
        if word == "STOP":
            self._ends(number)
        else:
            self.consented.add(number)

    @rule(number=CALLERS)
    def books(self, number: str) -> None:
        self.brain.passes(timedelta(minutes=1))
        self.brain.books(number)
        self._ends(number)

    @rule(number=CALLERS)
    def somebody_closes_the_task(self, number: str) -> None:
        self.brain.passes(timedelta(minutes=1))
        if self.brain.closes_task(number):
            self._ends(number)

    @rule(
        length=st.one_of(
            st.timedeltas(timedelta(), timedelta(minutes=2)),
            st.timedeltas(timedelta(), timedelta(hours=30)),
        )
    )
    def time_passes(self, length: timedelta) -> None:
        self.brain.passes(length)

    @rule(back=st.timedeltas(timedelta(), timedelta(hours=3)))
    def the_clock_is_set_back(self, back: timedelta) -> None:
        self.brain.now -= back

    @rule(ahead=st.timedeltas(timedelta(), timedelta(hours=7)))
    def the_clock_is_set_ahead(self, ahead: timedelta) -> None:
        """Or the machine slept: nothing was done at its time."""
        self.brain.now += ahead

    @rule()
    def the_service_is_started_again(self) -> None:
        self.brain.start()

    # -- what has to be so ------------------------------------------------------------------

    @invariant()
    def nothing_is_sent_that_must_not_be(self) -> None:
        new, self.seen = self.brain.sent[self.seen :], len(self.brain.sent)
        for sent in new:
            self._was_wanted(sent)
        follow_ups = [(one.message.follow_up, one.message.step, one.message.call_row)
                      for one in self.brain.sent]  # fmt: skip
        assert len(follow_ups) == len(set(follow_ups)), "a step was done twice"

    def _was_wanted(self, sent: Sent) -> None:
        message = sent.message
        assert message.follow_up is not None
        with self.brain.transaction() as tx:
            told = followups.get(tx, message.follow_up)
        assert told is not None
        number = told.recipient
        assert told.row_id not in self.ended, f"after a stop: {sent}"
        live = self.live.get(number)
        assert live is None or sent.at - live.began >= LONGEST_LIVE_CALL, "on the phone with us"
        if message.step != "first_text" and message.channel is Channel.SMS:
            local = sent.at.astimezone(NEW_YORK)
            assert DAYTIME.holds(local), f"at {local:%H:%M} in the night"
            assert number in self.consented, "without consent"

    def _ends(self, number: str) -> None:
        self.nothing_is_sent_that_must_not_be()  # what went out before
        with self.brain.transaction() as tx:
            mine = followups.recent(tx, limit=MANY, recipient=number)
        self.ended |= {one.row_id for one in mine}


@pytest.mark.parametrize("reason", sorted(ENDINGS))
def test_the_model_knows_every_ending(reason: SkipReason) -> None:
    """Each of them is a thing that may happen above."""
    happenings: dict[SkipReason, Any] = {
        SkipReason.SPOKEN_SINCE: (Office.is_answered, Office.is_called_back),
        SkipReason.REPLIED: Office.writes,
        SkipReason.OPTED_OUT: Office.opts,
        SkipReason.BOOKED: Office.books,
        SkipReason.TASK_CLOSED: Office.somebody_closes_the_task,
    }
    assert happenings[reason]


TestOffice = Office.TestCase
TestOffice.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
