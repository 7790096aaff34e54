"""The rules in force, and what they would do."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field
from sqlalchemy import Connection

from pbx_bridge import simulate as simulation
from pbx_bridge.core import sentence
from pbx_bridge.core.call import Disposition, Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.hours import Track
from pbx_bridge.core.roles import Role
from pbx_bridge.core.rules import Conditions, Span
from pbx_bridge.core.sentence import EXAMPLE, LONGEST, Known, NotUnderstood
from pbx_bridge.core.sequence import Action
from pbx_bridge.objects.rules import rule_sentences, sequence_steps
from pbx_bridge.objects.simulation import Money, simulation_object
from pbx_bridge.simulate import Impossible, Simulation
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.api.problems import Refusal
from pbx_bridge.web.api.shapes import Asked, Given, Line
from pbx_bridge.web.frame import Visit


class RuleShown(Given):
    """A rule; the first that matches a missed call wins."""

    name: str
    built_in: bool
    sequence: str = Field(description="what it leads to; empty: nothing is done")
    sentence: str = Field(description="how it reads aloud")
    conditions: dict[str, Any] = Field(
        description="what must all be so: lists of which one is enough, numbers, times in seconds"
    )


class SequenceShown(Given):
    """A sequence that a rule leads to."""

    name: str
    steps: list[str] = Field(description="as they read aloud")


class RulesShown(Given):
    """The rules in the order in which they are asked, and their sequences."""

    shadow: bool = Field(description="everything is decided, and nothing is sent")
    rules: list[RuleShown]
    sequences: list[SequenceShown]


class Imagined(Asked):
    """A call that somebody imagines."""

    words: str = Field(
        default="",
        max_length=LONGEST,
        description="the call in plain words, as `pbx-bridge simulate` takes them",
        examples=[EXAMPLE],
    )
    number: Line | None = Field(
        default=None, description="a real caller, of whom counts what is known"
    )


class SimulatedCall(Given):
    began: datetime
    ended: datetime
    caller: str
    caller_kind: CallerKind
    line: str
    disposition: Disposition
    reason: Reason
    ring_seconds: float
    wait_seconds: float
    queue: str
    calls: int


class RuleAsked(Given):
    name: str
    built_in: bool
    asked: bool = Field(description="false: one before it matched, or none is asked at all")
    matches: bool
    unmet: list[str] = Field(description="why it does not match")


class CheckMade(Given):
    check: str
    passes: bool
    reason: str | None
    detail: str | None


class SimulatedText(Given):
    to: str
    body: str
    encoding: str
    segments: int
    price: float | None
    currency: str | None
    gateway: str
    due_at: datetime
    note: str


class SimulatedStep(Given):
    name: str
    action: Action
    when: str
    due_at: datetime
    done: bool
    reason: str | None
    detail: str | None
    unmet: list[str]
    goes_at: datetime | None
    words: str
    subject: str
    task_due_at: datetime | None
    owner: str


class Simulated(Given):
    """What would be done about a call. Nothing was done."""

    call: SimulatedCall
    hours: Track
    language: str
    rules: list[RuleAsked]
    rule: str | None = Field(description="the one that matches")
    sequence: str | None
    checks: list[CheckMade]
    text: SimulatedText | None
    shadow: bool
    joins: datetime | None = Field(description="since when the follow-up goes on that it joins")
    replaces: str | None
    refilled: str | None
    steps: list[SimulatedStep]


@operation("GET", "/rules", Role.VIEWER, tag="rules")
async def rules(visit: Visit) -> RulesShown:
    """Give the rules in force, as they are asked and as they read aloud."""
    config = visit.inside.config()
    conditions = {rule.name: rule.conditions for rule in config.rulebook()}
    return RulesShown(
        shadow=visit.inside.rules().shadow,
        rules=[
            RuleShown(**told, sentence=said, conditions=_conditions(conditions[told["name"]]))
            for told, said in rule_sentences(config)
        ],
        sequences=[SequenceShown(name=name, steps=steps) for name, steps in sequence_steps(config)],
    )


@operation("POST", "/simulate", Role.VIEWER, tag="rules", refuses=(422,))
async def simulate(visit: Visit, body: Imagined) -> Simulated:
    """Tell what would be done about a call that is only imagined.

    Every rule and why it does not match, every check, the text with its price, and each later step.
    """
    config, in_force = visit.inside.config(), visit.inside.rules()
    lines = {line.name: line.number for line in config.lines if line.name}
    known = Known(country=in_force.country, lines=lines)
    given = {} if body.number is None else {"number": body.number}

    def played(tx: Connection) -> Simulation:
        imagined = sentence.read(body.words, visit.now, in_force.zone, known, given)
        if body.number is None:
            return simulation.simulate(imagined, in_force)
        return simulation.as_known(tx, imagined, in_force)

    try:
        found = await visit.inside.db.read(played)
    except NotUnderstood as error:
        wrong = [("body.words", said) for said in error.problems]
        raise Refusal(422, f"body.words: {wrong[0][1]}", wrong) from error
    except Impossible as error:
        raise Refusal(422, str(error)) from error
    return Simulated.model_validate(simulation_object(found, Money(config.spending.currency)))


def _conditions(asked: Conditions) -> dict[str, Any]:
    """Give what a rule asks for, for programs; what it does not ask about is left out."""
    usual = Conditions()
    return {
        field.name: _value(getattr(asked, field.name))
        for field in dataclasses.fields(asked)
        if getattr(asked, field.name) != getattr(usual, field.name)
    }


def _value(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Span):
        return {"least": _value(value.least), "most": _value(value.most)}
    return value


OPERATIONS = (rules, simulate)
