"""Forged calls, through the ledger, on a real database and a clock of its own.

The attack is a good one: numbers in runs, random numbers of the office's own country, dear foreign
and premium numbers; what is texted is reported as delivered, as those who are paid for it do, and
numbers that were texted are used again. The calls come at random times. Between them customers
call whom the office knows, and newcomers whom it does not.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from sqlalchemy import Connection, select

from pbx_bridge.core.call import Call, CallEnded, Caller, Disposition, Reason
from pbx_bridge.core.delivery import Accepted, State, Step
from pbx_bridge.core.office import Rules
from pbx_bridge.ledger import Ledger, Told
from pbx_bridge.store import calls, outbox
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.db import Database
from pbx_bridge.store.schema import alert, message
from tests.core.scene import START
from tests.core.test_policy import MISSED

PBX = "office"
DAY = timedelta(days=1)
#: Calls in one transaction, to be quicker than life.
AT_ONCE = 50
#: Texts to these are dear, or go to nobody who called.
FOREIGN = (
    "+1876210{:04}", "+1242359{:04}", "+1900234{:04}", "+88216123{:03}", "+1800555{:04}",
    "+232762{:05}", "+3706123{:04}", "+44701234{:04}", "+371251{:05}",
)  # fmt: skip
HOME_AREAS = (312, 415, 617, 713)

Numbers = Callable[[int, random.Random, list[str]], str]
"""Give the number of a forged call by its place in the attack, and by whom was texted before."""


def mixed(n: int, chance: random.Random, texted: list[str]) -> str:
    """Give a number of every kind, each as often as the others."""
    kind = chance.randrange(4)
    if kind == 0:
        return f"+1212555{n % 10_000:04}"  # one after the other
    if kind == 1:
        return chance.choice(FOREIGN).format(n % 1000)
    if kind == 2 and texted:
        return chance.choice(texted)
    return random_at_home(n, chance, texted)


def random_at_home(_n: int, chance: random.Random, _texted: list[str]) -> str:
    return f"+1{chance.choice(HOME_AREAS)}{chance.randrange(2_000_000, 9_999_999)}"


def _one_after_the_other(start: int) -> Numbers:
    return lambda n, _chance, _texted: f"+{start + n}"


def _of(*forms: str) -> Numbers:
    return lambda n, chance, _texted: chance.choice(forms).format(n % 1000)


#: Ways to choose the numbers. Texts to all but those at home are dear, or go to nobody who called.
KINDS: Mapping[str, Numbers] = {
    "random, own country": random_at_home,
    "in a row, own country": _one_after_the_other(13122000000),
    "premium and freephone": _of("+1900234{:04}", "+1800555{:04}", "+44909879{:04}"),
    "satellite": _of("+88216123{:03}0", "+88162345{:04}", "+870773{:06}"),
    "neighbouring countries": _of("+1416555{:04}", "+1604555{:04}", "+52155123{:05}"),
    "islands that dial like us": _of("+1876210{:04}", "+1242359{:04}", "+1473403{:04}"),
    "far away": _of("+232762{:05}", "+3706123{:04}", "+44701234{:04}", "+371251{:05}"),
    "one victim": lambda _n, _chance, _texted: "+13125550142",
    "of every kind, again": mixed,
}


@dataclass
class Figures:
    """What an attack came to."""

    calls: int = 0
    texts: int = 0
    micros: int = 0
    #: What the texts to forged numbers cost, of `micros`.
    lost: int = 0
    most_in_an_hour: int = 0
    customers: int = 0
    customers_texted: int = 0
    newcomers: int = 0
    newcomers_texted: int = 0
    most_in_a_day: int = 0
    per_number: Counter[str] = field(default_factory=Counter)
    alerts: int = 0
    judged: Counter[str] = field(default_factory=Counter)


class Attack:
    def __init__(
        self,
        db: Database,
        rules: Rules,
        *,
        seed: int = 1,
        numbers: Numbers = mixed,
        over: timedelta = DAY,
    ) -> None:
        self.db = db
        self._numbers = numbers
        self._over = over
        self.now = START
        self.figures = Figures()
        self._chance = random.Random(seed)  # noqa: S311 - a repeatable attack
        keys = count()
        self._ids = count()
        self._ledger = Ledger(rules, lambda: f"key-{next(keys)}", has_records=False)
        self._forged_texts: list[str] = []
        self._customers: set[str] = set()
        self._newcomers: set[str] = set()
        self._sent: list[datetime] = []
        self._moments: list[datetime] = []

    async def run(self, forged: int, customers: int, newcomers: int = 0) -> Figures:
        """Let so many forged calls come, and at even times among them customers and newcomers.

        Customers were spoken to a week before; newcomers call for the first time.
        """
        known = [f"+1646{2_000_000 + 991 * n}" for n in range(customers)]
        self._customers.update(known)
        await self.db.run(lambda tx: self._answered(tx, known))
        self.now += timedelta(days=7)
        every = forged // customers
        new_every = forged // newcomers if newcomers else 0
        spread = sorted(self._chance.random() for _ in range(forged))
        self._moments = [self.now + self._over * part for part in spread]
        for first in range(0, forged, AT_ONCE):
            some = range(first, min(first + AT_ONCE, forged))
            await self.db.run(
                lambda tx, some=some: self._some(tx, some, every, known, new_every)  # type: ignore[misc]
            )
        await self.db.run(self._add_up)
        return self.figures

    def _some(
        self, tx: Connection, some: range, every: int, known: list[str], new_every: int
    ) -> None:
        for n in some:
            self.now = self._moments[n]
            if to := self._missed(tx, self._numbers(n, self._chance, self._forged_texts)):
                self._forged_texts.append(to)
            if new_every and n % new_every == new_every // 3:
                self.figures.newcomers += 1
                newcomer = f"+1773{2_000_000 + 7919 * self.figures.newcomers}"
                self._newcomers.add(newcomer)
                self._missed(tx, newcomer)
            if known and n % every == every // 2:
                self.figures.customers += 1
                self._missed(tx, known.pop())

    def _missed(self, tx: Connection, number: str) -> str:
        """Miss a call; give whom that made us text, or nobody."""
        before = self.figures.texts
        self._judge(tx, self._call(number, self.now - timedelta(seconds=20), self.now))
        return number if self.figures.texts > before else ""

    def _judge(self, tx: Connection, call: Call) -> None:
        """Judge a call, send what is due, and have the carrier report it delivered at once."""
        self.figures.calls += 1
        self._ledger.record(tx, [Told(PBX, "boot", CallEnded(call))], self.now)
        record = calls.find(tx, call.call_id)
        assert record is not None
        assert record.decision is not None
        self.figures.judged[record.decision.rule] += 1
        later = self.now + timedelta(seconds=20)
        for text in outbox.claim_due(tx, later, 100, self._ledger.recheck):
            self.figures.texts += 1
            self.figures.per_number[text.to] += 1
            self._sent = [at for at in self._sent if later - at < DAY] + [later]
            hour = sum(later - at < timedelta(hours=1) for at in self._sent)
            self.figures.most_in_an_hour = max(self.figures.most_in_an_hour, hour)
            self.figures.most_in_a_day = max(self.figures.most_in_a_day, len(self._sent))
            outbox.settle_attempt(
                tx, text.message_id, Step(State.ACCEPTED, None, ""), Accepted(text.key),
                now=later, seconds=0.1,
            )  # fmt: skip
            row = stored_messages.get(tx, text.message_id)
            assert row is not None
            price = self._ledger.rules.price(row.gateway, row.region, row.segments)
            if text.to not in self._customers | self._newcomers:
                self.figures.lost += price
            tx.execute(
                message.update()
                .where(message.c.id == text.message_id)
                .values(state=State.DELIVERED.value, cost_micros=price, priced_by="list")
            )

    def _answered(self, tx: Connection, numbers: list[str]) -> None:
        for number in numbers:
            call = self._call(number, self.now, self.now + timedelta(minutes=1))
            spoke = replace(
                call, disposition=Disposition.ANSWERED, reason=Reason.PERSON, answered_at=call.began
            )
            self._ledger.record(tx, [Told(PBX, "boot", CallEnded(spoke))], self.now)

    def _call(self, number: str, began: datetime, ended: datetime) -> Call:
        caller = Caller(number, "", withheld=False)
        call_id = f"1764000000.{next(self._ids)}"
        return replace(MISSED, call_id=call_id, caller=caller, began=began, ended=ended)

    def _add_up(self, tx: Connection) -> None:
        costs = tx.execute(select(message.c.cost_micros)).scalars().all()
        self.figures.micros = sum(costs)
        self.figures.customers_texted = len(self._customers & self.figures.per_number.keys())
        self.figures.newcomers_texted = len(self._newcomers & self.figures.per_number.keys())
        self.figures.alerts = len(tx.execute(select(alert.c.id)).all())
