"""A call that somebody imagines on the page: read from a form, played, told for a template."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pbx_bridge import simulate as simulation
from pbx_bridge.config.values import parse_duration
from pbx_bridge.core import number as numbers
from pbx_bridge.core import sentence
from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.saying import say
from pbx_bridge.core.sentence import Known, NotUnderstood
from pbx_bridge.objects.simulation import Money
from pbx_bridge.simulate import Impossible, Simulation
from pbx_bridge.web.frame import Form, Visit

#: The fields of the form, as they come back when it is shown again.
FIELDS = (
    "words",
    "number",
    "caller",
    "line",
    "at",
    "reason",
    "wait",
    "tags",
    "texted",
    "opted_out",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was asked, and what would come of it, or why that cannot be told."""

    sent: Mapping[str, str]
    problems: tuple[str, ...] = ()
    found: Simulation | None = None
    money: Money | None = None


def blank() -> dict[str, str]:
    return dict.fromkeys(FIELDS, "")


async def tried(visit: Visit, form: Form) -> Trial:
    """Play the call that a form describes, by the rules in force; nothing is written."""
    sent = {name: form[name] for name in FIELDS}
    config, rules = visit.inside.config(), visit.inside.rules()
    known = Known(
        country=rules.country, lines={line.name: line.number for line in config.lines if line.name}
    )
    try:
        fields = _fields(sent, known, visit)
        imagined = sentence.read(sent["words"], visit.now, rules.zone, known, fields)
        if imagined.number and imagined.caller is None:
            found = await visit.inside.db.read(lambda tx: simulation.as_known(tx, imagined, rules))
        else:
            found = await asyncio.to_thread(simulation.simulate, imagined, rules)
    except NotUnderstood as error:
        return Trial(sent=sent, problems=error.problems)
    except Impossible as error:
        return Trial(sent=sent, problems=(error.args[0],))
    return Trial(sent=sent, found=found, money=Money(config.spending.currency))


def _fields(sent: Mapping[str, str], known: Known, visit: Visit) -> dict[str, Any]:
    """Give what the fields say of the call.

    Raises:
        NotUnderstood: with everything in them that makes no sense.

    """
    fields: dict[str, Any] = {}
    problems: list[str] = []

    def take(name: str, read: Any) -> None:
        if sent[name]:
            try:
                fields[name] = read(sent[name])
            except NotUnderstood as error:
                problems.extend(error.problems)
            except ValueError as error:
                problems.append(say("{said}: {words}", said=sent[name], words=error.args[0]))

    zone = visit.inside.rules().zone
    take("number", lambda said: _number(said, known.country))
    take("caller", CallerKind)
    take("line", lambda said: sentence.read_line(said, known))
    take("at", lambda said: sentence.read_when(said, visit.now, zone))
    take("reason", Reason)
    take("wait", _length)
    take("texted", _length)
    take("tags", lambda said: frozenset(filter(None, map(str.strip, said.lower().split(",")))))
    if sent["opted_out"]:
        fields["opted_out"] = True
    if problems:
        raise NotUnderstood(problems)
    return fields


def _number(said: str, country: str) -> str:
    found = numbers.normalise(said, country)
    if found is None:
        raise ValueError(say("not a telephone number; such as +12125550142"))
    return found


def _length(said: str) -> timedelta:
    return parse_duration(said.replace(" ", ""))
