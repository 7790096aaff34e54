"""How many decisions the pure core makes in a second: rules, checks, words and the plan of steps.

    python -m benchmarks.decisions [CALLS]

No database and no clock: what is measured is `core/` alone, on one core of this machine.
"""

import statistics
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pbx_bridge.config import defaults
from pbx_bridge.core import follow_up, policy
from pbx_bridge.core.call import Call, Caller, Disposition, HungUpBy, Reason
from pbx_bridge.core.facts import Facts
from pbx_bridge.core.follow_up import Clocks
from pbx_bridge.core.hours import Hours, Schedule, Track
from pbx_bridge.core.number import parse
from pbx_bridge.core.office import Moment, Rules
from pbx_bridge.core.rules import Conditions, Rule

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
ROUNDS = 5
#: Rules of an office's own that are asked in vain before the built-in ones.
OWN_RULES = 20


def main() -> None:
    """Measure decisions with the built-in rules alone, and after twenty of an office's own."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    office = replace(
        defaults("US"),
        zone=NEW_YORK,
        hours=Hours(
            office=Schedule(zone=NEW_YORK, hours="Mo-Fr 09:00-17:00; PH off", country="US")
        ),
    )
    own = tuple(
        Rule(
            name=f"rule {n}",
            conditions=Conditions(lines=frozenset({f"line {n}"}), hours=frozenset({Track.WEEKEND})),
            sequence="default",
        )
        for n in range(OWN_RULES)
    )
    for what, rules in (
        ("built-in rules", office),
        (f"{OWN_RULES} rules before them", replace(office, rulebook=(*own, *office.rulebook))),
    ):
        rates = [calls / _seconds(calls, rules) for _ in range(ROUNDS)]
        print(
            f"{what}: {statistics.median(rates):,.0f} decisions/s"
            f" ({min(rates):,.0f} to {max(rates):,.0f})"
        )


def _seconds(calls: int, rules: Rules) -> float:
    facts = [_facts(n, rules) for n in range(calls)]
    started = time.perf_counter()
    for one in facts:
        _decide(one)
    return time.perf_counter() - started


def _decide(facts: Facts) -> None:
    known = replace(facts, asked=facts.ruling)
    decision = policy.conclude(known, policy.explain(known))
    assert isinstance(decision, policy.Send)
    sequence = known.sequence
    assert sequence is not None
    schedule = known.rules.hours.of(known.call.line)
    clocks = Clocks(schedule=schedule, office=NEW_YORK, caller=(NEW_YORK,))
    assert len(follow_up.plan(sequence, known.ended, clocks)) == 3


def _facts(n: int, rules: Rules) -> Facts:
    number = f"+1212555{1000 + n % 9000}"
    call = Call(
        call_id=str(n),
        began=NOW - timedelta(seconds=20),
        ended=NOW,
        disposition=Disposition.MISSED,
        reason=Reason.RANG_NO_ANSWER,
        caller=Caller(number, "Ann Baker", withheld=False),
        line="+12125550100",
        trunk="trunk",
        answered_at=None,
        answered_by="",
        hung_up_by=HungUpBy.PBX,
        ring_seconds=20.0,
        rung=(),
        queue=None,
        voicemail_seconds=0.0,
        mailbox="",
        steps=(),
    )
    return Facts(
        call=call,
        now=NOW,
        rules=rules,
        moment=Moment.CALL_ENDED,
        number=parse(number, "US"),
        zones=(NEW_YORK,),
    )


if __name__ == "__main__":
    main()
