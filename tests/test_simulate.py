"""What is simulated is what happens: the same call, judged by the ledger on a real database."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from pbx_bridge.core import scenario
from pbx_bridge.core.call import (
    Call,
    CallBegan,
    CallEnded,
    Observation,
    Reason,
    VoicemailReached,
)
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.customer import CustomerStatus
from pbx_bridge.core.delivery import State
from pbx_bridge.core.follow_up import PlannedState
from pbx_bridge.core.number import example
from pbx_bridge.core.office import Moment, Rules
from pbx_bridge.core.policy import Send
from pbx_bridge.core.quiet import QuietHours, Window
from pbx_bridge.core.rules import Conditions, Rule
from pbx_bridge.core.scenario import Scenario
from pbx_bridge.core.sentence import Known, read
from pbx_bridge.core.sequence import (
    Action,
    After,
    OnBusinessDay,
    Sequence,
    SequenceStep,
    When,
)
from pbx_bridge.history import FIRST_STEP
from pbx_bridge.ledger import Ledger, Told
from pbx_bridge.simulate import Impossible, Simulation, as_known, simulate
from pbx_bridge.store import calls as stored_calls
from pbx_bridge.store import consents, contacts, crm, followups, outbox
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.calls import DecisionRecord, Explanation
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.followups import StepRecord
from pbx_bridge.store.messages import MessageRecord
from tests.test_example import complete

SALES = "+12125550100"
#: A Tuesday, 14:00 in New York.
NOW = datetime(2026, 11, 24, 19, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CONFIG = complete()
RULES = replace(CONFIG.rules(), shadow=False)
KNOWN = Known(country="US", lines={"Sales": SALES})


def told(words: str, rules: Rules = RULES) -> Simulation:
    return simulate(read(words, NOW, rules.zone, KNOWN), rules)


# -- the issue's own sentence, by the rules of the example file -----------------------------------


def test_a_new_caller_on_a_saturday_gets_the_booking_link() -> None:
    found = told("a new caller, sales line, Saturday 14:05, abandoned after 20 s")
    assert found.call.reason is Reason.RANG_CANCELLED
    assert found.facts.track.value == "weekend"
    assert found.matched is not None
    assert found.matched.name == "new callers on the sales line after hours"
    assert found.sequence == "booking"
    assert found.text is not None
    assert found.text.body == (
        "Hello, this is Miller & Sons. Sorry that we missed your call. Choose a time that suits"
        " you: https://example.com/book Reply STOP to opt out."
    )
    assert (found.text.counted.encoding, found.text.counted.parts) == ("GSM-7", 1)
    assert found.text.price == 0
    here = [
        (step.step.name, f"{step.due_at.astimezone(found.office_zone):%a %H:%M:%S}",
         step.objection.reason.value if step.objection else "")
        for step in found.steps
    ]  # fmt: skip
    assert here == [
        ("task", "Sat 19:05:20", ""),
        ("mail", "Sat 20:05:20", "conditions"),
        ("alert", "Sat 21:05:20", ""),
        ("text-2", "Mon 14:30:00", "no_consent"),
        ("webhook", "Tue 17:00:00", ""),
    ]
    (mail,) = [step for step in found.steps if step.step.name == "mail"]
    assert mail.unmet == ("no e-mail address is known (asked: an e-mail address is known)",)


def test_an_existing_customer_hears_of_a_technician() -> None:
    found = told("existing customer, sales line, Saturday 14:05, abandoned after 20 s")
    assert found.sequence == "technician"
    first, *others = found.rules
    assert first.unmet == ("they are customers (asked: they are new callers)",)
    assert others[0].matches
    assert not others[1].asked


def test_a_call_that_nothing_is_done_about_asks_no_rule() -> None:
    found = told("new caller, hung up after 0 s")
    assert not any(rule.asked for rule in found.rules)
    assert not found.follows
    assert found.verdicts[-1].check == "too_short"
    assert found.steps == ()


def test_a_second_call_joins_the_follow_up_of_the_first() -> None:
    found = told("new caller, 2nd call within the hour")
    assert found.joins == found.call.began - timedelta(minutes=30) + timedelta(seconds=20)
    assert found.verdicts[-1].check == "cooling_down"
    assert found.facts.calls == 2


@pytest.mark.parametrize(
    ("words", "refilled"),
    [
        ("2nd call within 30 s, abandoned after 5 s", "2 calls. STOP ends."),
        # The text is due while the caller waits again, and so is held.
        ("in the queue x, 2nd call within 60 s, abandoned after 20 s", "2 calls. STOP ends."),
        ("2nd call within 10 min, abandoned after 20 s", ""),
    ],
)
def test_a_second_call_changes_the_text_that_still_waits(words: str, refilled: str) -> None:
    reasons = {
        reason: replace(rule, template="{calls} calls. STOP ends.")
        for reason, rule in RULES.reasons.items()
    }
    assert told(f"new caller, {words}", replace(RULES, reasons=reasons)).refilled == refilled


def test_a_third_call_may_replace_the_follow_up() -> None:
    found = told("new caller, 3rd call within the hour", OWN_RULES)
    assert (found.sequence, found.replaces) == ("urgent", "default")
    assert found.joins is None


@pytest.mark.parametrize(
    ("words", "check"),
    [
        ("customer, sales line, busy, texted 2 h ago", "cooling_down"),
        ("customer, sales line, busy, texted 5 h ago", None),
        ("customer, sales line, busy, opted out", "opted_out"),
        ("new caller, sales line, busy, wrote STOP", "opted_out"),
    ],
)
def test_what_was_before_counts(words: str, check: str | None) -> None:
    found = told(words)
    assert (found.verdicts[-1].check if found.text is None else None) == check
    assert found.follows


def test_a_country_without_mobile_numbers_is_told() -> None:
    with pytest.raises(Impossible, match="TA"):
        simulate(Scenario(at=NOW, country="TA"), RULES)


# -- the same on a database -----------------------------------------------------------------------

AT_ONCE = After(timedelta())


def step(name: str, action: Action, when: When, words: str, **more: Any) -> SequenceStep:
    return SequenceStep(name=name, action=action, when=when, words=words, **more)


HOUSE = Sequence(
    name="default",
    steps=(
        step("text", Action.TEXT, AT_ONCE, "{calls}: {caller}, {time}, {next_open|now}"),
        step("task", Action.TASK, AT_ONCE, "Call {caller_name|them}"),
        step("mail", Action.MAIL, After(HOUR), "{day}", subject="Hi"),
        step("text-2", Action.TEXT, After(9 * HOUR), "x {calls}"),
        step("text-3", Action.TEXT, OnBusinessDay(time(9, 30)), "y", needs_consent=True),
        step(
            "alert",
            Action.ALERT,
            OnBusinessDay(time(17), 2, of_caller=False),
            "{caller}",
            only=Conditions(calls=2, within=DAY),
        ),
    ),
)
REPEATED = Rule(
    name="again and again", conditions=Conditions(calls=3, within=2 * HOUR), sequence="urgent"
)
URGENT = Sequence(
    name="urgent",
    steps=(
        step("alert", Action.ALERT, AT_ONCE, "{calls}"),
        step("text", Action.TEXT, After(timedelta(minutes=10)), "z"),
    ),
)
#: Texts from nine to eight, and nobody is answered later who did not call just now.
DAYTIME = QuietHours(Window(time(9), time(20)), immediate_within=timedelta(minutes=2))
OWN_RULES = replace(
    RULES,
    rulebook=(REPEATED, *RULES.rulebook),
    sequences={**RULES.sequences, "default": HOUSE, "urgent": URGENT},
    allowed_countries=frozenset({"US", "GB"}),
    mail_route=("mail",),
)
AT_VOICEMAIL = replace(
    OWN_RULES,
    reasons={
        reason: replace(rule, act_on=Moment.VOICEMAIL_ENTERED)
        for reason, rule in OWN_RULES.reasons.items()
    },
)
STRICT = replace(
    OWN_RULES,
    cooldown=timedelta(minutes=10),
    quiet=replace(DAYTIME, immediate_within=None),
    expires_after=12 * HOUR,
    limits=replace(OWN_RULES.limits, per_number_per_day=1, per_number_per_week=3),
)
OFFICES = {"example": RULES, "own": OWN_RULES, "voicemail": AT_VOICEMAIL, "strict": STRICT,
           "shadow": replace(OWN_RULES, shadow=True),
           "without mail": replace(OWN_RULES, mail_route=())}  # fmt: skip


@dataclass
class Real:
    """An office where the calls that are imagined come in."""

    db: Database
    rules: Rules
    now: datetime = NOW
    keys: Any = field(default_factory=count)
    planned: list[StepRecord] = field(default_factory=list)  #: when the last call was decided on

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.rules, lambda: f"k-{next(self.keys)}", has_records=False)

    async def knows(self, imagined: Scenario, number: str, began: datetime) -> None:
        """Have had to do with the caller what is imagined."""
        long_ago = began - 40 * DAY
        contact = scenario.contact(imagined, number)

        def write(tx: Connection) -> None:
            if contact is not None:
                contacts.create(tx, contact, by="test", now=long_ago)
            if imagined.consented:
                given = ConsentRecord(
                    address=number, at=long_ago, kind=ConsentKind.OPT_IN,
                    source=ConsentSource.OFFICE, detail="on paper", reply_row=None,
                )  # fmt: skip
                consents.record(tx, given)
            if imagined.crm_status:
                status = CustomerStatus(remote_id="1", name="", status=imagined.crm_status)
                crm.put(tx, "crm", number, status, long_ago)

        await self.db.run(write)
        if imagined.kind not in {CallerKind.NEW, CallerKind.ANONYMOUS}:
            once = Scenario(at=long_ago, reason=Reason.PERSON)
            (answered,) = scenario.calls(once, number)
            await self.tell(CallEnded(replace(answered, call_id="once")), long_ago + HOUR)

    async def tell(self, what: Observation, now: datetime) -> None:
        await self.until(now)
        await self.db.run(lambda tx: self.ledger.record(tx, [Told("office", "boot", what)], now))

    async def rings(self, ended: Call) -> None:
        began = replace(ended, ended=None, steps=(), queue=None)
        await self.until(ended.began)
        before = {step.row_id for step in await self.db.read(_settled)}
        await self.tell(CallBegan(began), ended.began)
        entered = scenario.entering_voicemail(ended)
        if entered is not None:
            await self.tell(VoicemailReached(entered), entered.steps[-1].at)
        assert ended.ended is not None
        if entered is not None and self._decides_at_voicemail():
            self.planned = await self.db.read(partial(_planned, before=before))
            await self.tell(CallEnded(ended), ended.ended)
        else:
            await self.tell(CallEnded(ended), ended.ended)
            self.planned = await self.db.read(partial(_planned, before=before))

    def _decides_at_voicemail(self) -> bool:
        rule = self.rules.reasons.get(Reason.VOICEMAIL_HANGUP)
        return rule is not None and rule.act_on is Moment.VOICEMAIL_ENTERED

    async def until(self, at: datetime | None) -> None:
        """Let time pass, with all that is due in it done at its time."""
        while True:
            due = await self.db.read(followups.next_step_or_message)
            if due is None or (at is not None and due > at):
                break
            self.now = max(self.now, due)
            await self.db.run(self._work)
        self.now = self.now if at is None else at

    def _work(self, tx: Connection) -> None:
        self.ledger.do_due(tx, self.now)
        outbox.claim_due(tx, self.now, 100, self.ledger.recheck)


def _steps(tx: Connection) -> list[StepRecord]:
    newest = followups.recent(tx, limit=1)
    return followups.steps_of(tx, newest[0].row_id) if newest else []


def _settled(tx: Connection) -> list[StepRecord]:
    return [step for step in _steps(tx) if step.state is not PlannedState.WAITING]


def _planned(tx: Connection, *, before: set[int]) -> list[StepRecord]:
    """Give the steps that a call led to, also those that were done at once."""
    planned = [step for step in _steps(tx) if step.row_id not in before]
    return sorted(planned, key=lambda step: step.due_at)


@dataclass
class Found:
    """What the database has of the last call."""

    decision: DecisionRecord
    explanation: Explanation
    planned: list[StepRecord]
    steps: dict[str, StepRecord]
    messages: dict[int, MessageRecord]


async def really(imagined: Scenario, rules: Rules, folder: Path) -> Found:
    """Let it happen."""
    number = imagined.number or example(imagined.country or rules.country)
    assert number is not None
    every = scenario.calls(imagined, number)
    async with Database.open(folder / "real.db") as db:
        office = Real(db, rules, every[0].began - 60 * DAY)
        await office.knows(imagined, number, every[0].began)
        for call in every:
            await office.rings(call)

        def look(tx: Connection) -> Explanation:
            record = stored_calls.latest(tx, "office", "imagined-0")
            assert record is not None
            found = stored_calls.explanation(tx, record.row_id)
            assert found is not None
            return found

        found = await db.read(look)
        await office.until(None)
        steps = await db.read(_steps)
        messages = await db.read(lambda tx: stored_messages.recent(tx, limit=1000))
        return Found(
            decision=found.decisions[0],
            explanation=found,
            planned=office.planned,
            steps={step.name: step for step in steps},
            messages={message.message_id: message for message in messages},
        )


def agree(imagined: Scenario, rules: Rules, folder: Path) -> None:
    """Compare what is simulated with what happens, down to the words."""
    said = simulate(imagined, rules)
    real = asyncio.run(really(imagined, rules, folder))
    decided = real.decision
    assert decided.checks == tuple(
        (v.check, "objects" if v.objection else "passes", v.objection.detail if v.objection else "")
        for v in said.verdicts
    )
    asked = [rule for rule in said.rules if rule.asked]
    assert decided.matched_rule == (asked[-1].rule.name if asked else "")
    if asked:
        assert decided.track == said.facts.track.value
    messages = real.explanation.messages
    first = [one for one in messages if one.step == FIRST_STEP]
    if isinstance(said.decision, Send):
        assert said.text is not None
        (message,) = first
        assert (message.to, message.body) == (said.text.to, said.text.body)
        assert (message.due_at, message.gateway) == (said.text.due_at, said.text.gateway)
        assert message.segments == said.text.counted.parts
        assert decided.outcome == ("shadow" if rules.shadow else "text")
    else:
        assert first == []
        assert (decided.outcome, decided.rule) == ("skip", said.decision.reason.value)
        assert decided.detail == said.decision.detail
    if not said.follows:
        return
    assert decided.sequence == said.sequence
    assert [(one.name, one.due_at) for one in real.planned] == [
        (one.step.name, one.due_at) for one in said.steps
    ]
    for outcome in said.steps:
        step = real.steps[outcome.step.name]
        sent = None if step.message_id is None else real.messages[step.message_id]
        why = step.reason
        if sent is not None and sent.state is State.CANCELLED:
            why = sent.code
        assert why == (outcome.objection.reason.value if outcome.objection else ""), outcome
        if sent is not None:
            assert sent.body == outcome.said
            if outcome.goes_at is not None:
                assert sent.due_at == outcome.goes_at
        if outcome.step.action is Action.MAIL and sent is not None:
            assert sent.subject == outcome.subject


SENTENCES = (
    "a new caller, sales line, Saturday 14:05, abandoned after 20 s",
    "existing customer, sales line, Saturday 14:05",
    "existing customer tagged vip, to +12125550101, tomorrow 7:30, left a message",
    "customer with an e-mail address, Friday 22:30",
    "anonymous, busy",
    "staff, 9:00",
    "blocked, 9:00",
    "from GB, busy, agreed to texts",
    "from CA, busy",
    "from +12125550100, busy",
    "new caller, 2nd call within the hour",
    "new caller, 3rd call within the hour",
    "customer, 4th call within 3 days, sales line",
    "new caller, in the queue support, abandoned after 2 min, 25 December noon",
    "left no message",
    "phones down",
    "answered",
    "rejected",
    "lost in a transfer",
    "feed_gap",
    "known caller, speaks Spanish, midnight",
    "hung up in the menu after 0 s",
)  # fmt: skip


@pytest.mark.parametrize("office", ["example", "own"])
@pytest.mark.parametrize("words", SENTENCES)
def test_what_is_said_happens(words: str, office: str, tmp_path: Path) -> None:
    rules = OFFICES[office]
    agree(read(words, NOW, rules.zone, KNOWN), rules, tmp_path)


@pytest.mark.parametrize(
    ("words", "office"),
    [
        ("customer, e-mail known", "without mail"),
        ("customer", "shadow"),
        ("left a message, phones rang for 5 s, after 20 s", "voicemail"),
        ("agreed to texts, 22:30", "strict"),
        ("3rd call within 60 s, abandoned after 5 s", "own"),
        ("3rd call within 60 s, abandoned after 5 s", "shadow"),
    ],
)
def test_it_happens_in_other_offices(words: str, office: str, tmp_path: Path) -> None:
    rules = OFFICES[office]
    agree(read(words, NOW, rules.zone, KNOWN), rules, tmp_path)


_LENGTHS = st.none() | st.integers(0, 200).map(lambda seconds: timedelta(seconds=seconds))
SCENARIOS = st.builds(
    Scenario,
    at=st.integers(0, 2 * 365 * 86400).map(lambda after: NOW + timedelta(seconds=after)),
    caller=st.none() | st.sampled_from(CallerKind),
    country=st.sampled_from(("", "GB", "CA")),
    name=st.sampled_from(("", "BAKER ANN", "{office}", "WIRELESS CALLER")),
    tags=st.frozensets(st.sampled_from(("vip", "contract", "supplier"))),
    email=st.booleans(),
    consented=st.booleans(),
    language=st.sampled_from(("", "", "es")),
    crm_status=st.sampled_from(("", "lead")),
    line=st.sampled_from((SALES, "+12125550101", "")),
    reason=st.none() | st.sampled_from(Reason),
    lasts=_LENGTHS,
    ring=_LENGTHS,
    wait=_LENGTHS,
    queue=st.sampled_from(("", "support")),
    extension=st.sampled_from(("", "101")),
    calls=st.integers(1, 4),
    within=st.integers(10, 400_000).map(lambda seconds: timedelta(seconds=seconds)),
)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(imagined=SCENARIOS, office=st.sampled_from(sorted(OFFICES)))
def test_whatever_is_imagined_happens(imagined: Scenario, office: str) -> None:
    assume(not scenario.contradictions(imagined))
    with TemporaryDirectory() as folder:
        agree(imagined, OFFICES[office], Path(folder))


# -- a real caller --------------------------------------------------------------------------------


def as_real(words: str, folder: Path, fill: Callable[[Connection], object]) -> Simulation:
    async def work() -> Simulation:
        async with Database.open(folder / "real.db") as db:
            await db.run(fill)
        async with Database.read_only(folder / "real.db") as db:
            imagined = read(words, NOW, RULES.zone, KNOWN, {"number": "(212) 555-0142"})
            return await db.read(lambda tx: as_known(tx, imagined, RULES))

    return asyncio.run(work())


CALLER = "+12125550142"


def opt_out(tx: Connection) -> None:
    given = ConsentRecord(
        address=CALLER, at=NOW - DAY, kind=ConsentKind.OPT_OUT, source=ConsentSource.OFFICE,
        detail="on the phone", reply_row=None,
    )  # fmt: skip
    consents.record(tx, given)


def test_of_a_real_caller_counts_what_is_known(tmp_path: Path) -> None:
    def fill(tx: Connection) -> None:
        known = Contact(name="Ann Baker", kind=CallerKind.CUSTOMER, numbers={CALLER: ""})
        contacts.create(tx, known, by="test", now=NOW - DAY)

    found = as_real("sales line, Saturday 14:05", tmp_path, fill)
    assert found.caller is CallerKind.CUSTOMER
    assert found.sequence == "technician"
    assert [step.said for step in found.steps] == ["Call Ann first thing"]


def test_a_real_caller_who_opted_out_is_not_texted(tmp_path: Path) -> None:
    found = as_real("busy", tmp_path, opt_out)
    assert found.verdicts[-1].check == "opted_out"
    assert found.follows


def test_a_real_caller_may_have_a_follow_up_already(tmp_path: Path) -> None:
    def fill(tx: Connection) -> None:
        (call,) = scenario.calls(Scenario(at=NOW - HOUR, line=SALES), CALLER)
        ledger = Ledger(RULES, lambda: "k", has_records=False)
        ended = NOW - HOUR + timedelta(seconds=20)
        ledger.record(tx, [Told("office", "boot", CallEnded(call))], ended)

    found = as_real("sales line", tmp_path, fill)
    assert found.joins == NOW - HOUR + timedelta(seconds=20)
    assert found.facts.calls == 2
    assert found.verdicts[-1].check == "cooling_down"
    # The mail is due while the caller rings again, and so is held.
    assert [one.step.name for one in found.steps] == ["mail", "text-2"]
    assert found.steps[0].due_at == NOW + timedelta(seconds=30)


def test_a_follow_up_whose_sequence_is_gone_is_none(tmp_path: Path) -> None:
    def fill(tx: Connection) -> None:
        (call,) = scenario.calls(Scenario(at=NOW - HOUR, line=SALES), CALLER)
        gone = Rule(name="all", sequence="gone")
        sequence = Sequence(name="gone", steps=HOUSE.steps)
        rules = replace(RULES, rulebook=(gone,), sequences={"gone": sequence})
        ledger = Ledger(rules, lambda: "k", has_records=False)
        ledger.record(tx, [Told("office", "boot", CallEnded(call))], NOW - HOUR)

    assert as_real("sales line", tmp_path, fill).joins is None


@pytest.mark.parametrize(
    ("words", "number", "problem"),
    [
        ("busy", "12", "not a telephone number"),
        ("customer tagged vip", CALLER, "leave out what kind of caller it is, tags"),
        ("2nd call", CALLER, "leave out earlier calls"),
        ("texted 1h ago, opted out", CALLER, "leave out earlier texts, an opt-out"),
        ("e-mail known, agreed to texts, speaks Spanish", CALLER, "consent, a language"),
    ],
)
def test_what_is_made_up_of_a_real_caller_is_told(
    words: str, number: str, problem: str, tmp_path: Path
) -> None:
    imagined = replace(read(words, NOW, RULES.zone, KNOWN), number=number)

    async def work() -> Simulation:
        async with Database.open(tmp_path / "real.db") as db:
            return await db.read(lambda tx: as_known(tx, imagined, RULES))

    with pytest.raises(Impossible, match=problem):
        asyncio.run(work())
