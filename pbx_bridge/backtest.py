"""A PBX's past through the very rules of today: who would have been texted, and at what price.

There is no second policy. What happened goes through the ledger as it did, into a database that is
thrown away, by the clock of the past; and whatever falls due between two happenings is done at its
own time, in shadow mode. So delays, cool-downs, caps, quiet hours, spending and who has spoken to
whom since count as they would have.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count, islice
from pathlib import Path

from sqlalchemy import Connection

from pbx_bridge.core.office import Rules
from pbx_bridge.core.review import Figures, Looked, review
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.core.unfolding import Happening
from pbx_bridge.ledger import Ledger, Told
from pbx_bridge.past import Past, Places
from pbx_bridge.sources.records.account import Account
from pbx_bridge.store import followups, outbox
from pbx_bridge.store import review as looking_back
from pbx_bridge.store.db import Database

#: Whoever was answered, texted or rung so long before counts as known, and towards the limits.
WARM_UP = timedelta(days=30)
#: Happenings that go through the ledger in one transaction.
_AT_ONCE = 500
_MANY = 1_000_000
_PBX = "past"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a backtest found, and in what."""

    figures: Figures
    accounts: tuple[Account, ...]
    example: str  #: the last text that would have gone out; empty if none


async def backtest(  # noqa: PLR0913 - the past, the rules, when
    places: Places,
    rules: Rules,
    inbound: Inbound,
    *,
    since: datetime,
    until: datetime,
    tell: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Judge the calls that began in a time; `tell` hears how many more bytes were read.

    Raises:
        PastProblem: the past cannot be read.

    """
    rules = replace(rules, shadow=True)
    with (
        tempfile.TemporaryDirectory(prefix="pbx-bridge-backtest-") as folder,
        Past(places, inbound, since=since - WARM_UP, until=until, tell=tell) as past,
    ):
        async with Database.open(Path(folder) / "backtest.db") as db:
            run = _Run(rules)
            happenings = past.happenings()
            while part := list(islice(happenings, _AT_ONCE)):
                await db.run(partial(run.take, part))
            await db.run(run.end)
            accounts = tuple(past.accounts)
            look = partial(_look, rules, since, until, accounts, past.tells_dialled)
            example = await db.run(partial(looking_back.last_text, since=since, until=until))
            return Outcome(figures=await db.run(look), accounts=accounts, example=example)


class _Run:
    """The past on its way through the ledger."""

    def __init__(self, rules: Rules) -> None:
        keys = count(1)
        self._ledger = Ledger(rules, lambda: f"backtest-{next(keys)}", has_records=False)
        self._clock = datetime.fromtimestamp(0, UTC)
        self._due: datetime | None = None  #: when there is next something to do

    def take(self, happenings: list[Happening], tx: Connection) -> None:
        """Let something more of the past happen."""
        for at, what in happenings:
            self._do_due(tx, at)
            self._clock = max(self._clock, at)
            todo = self._ledger.record(tx, [Told(_PBX, "", what)], self._clock)
            if todo.queued or todo.planned:
                self._due = followups.next_step_or_message(tx)

    def end(self, tx: Connection) -> None:
        """Do what is still due after the last that happened."""
        self._do_due(tx, None)

    def _do_due(self, tx: Connection, until: datetime | None) -> None:
        """Do all that is due until then, each at its own time; None: whatever its time.

        The one place in which the clock goes on by itself.
        """
        while self._due is not None and (until is None or self._due <= until):
            self._clock = max(self._clock, self._due)
            self._ledger.do_due(tx, self._clock)
            outbox.claim_due(tx, self._clock, _MANY, self._ledger.recheck)
            self._due = followups.next_step_or_message(tx)


def _look(  # noqa: PLR0913, PLR0917 - what there is to look at
    rules: Rules,
    since: datetime,
    until: datetime,
    accounts: tuple[Account, ...],
    tells_dialled: bool,  # noqa: FBT001 - bound once, above
    tx: Connection,
) -> Figures:
    """Look back on the calls."""
    earliest = since - WARM_UP
    return review(
        _with_line_names(looking_back.calls(tx, earliest, rules.price), rules),
        looking_back.dialled(tx, earliest) if tells_dialled else None,
        since=since,
        until=until,
        known_until=max((each.last for each in accounts if each.last is not None), default=until),
        zone=rules.zone,
        country=rules.country,
    )


def _with_line_names(calls: Iterator[Looked], rules: Rules) -> Iterator[Looked]:
    """Call the lines what the office calls them."""
    for call in calls:
        line = rules.line(call.line)
        yield replace(call, line=line.name) if line is not None and line.name else call
