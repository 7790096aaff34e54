"""What a plan could not do, in words for the person who can."""

from collections.abc import Iterator

from pbx_bridge.core.matching import Plan, Skipped, Step
from pbx_bridge.core.merge import Conflict


def conflicts(plan: Plan) -> Iterator[tuple[int, str]]:
    """Give each conflict with the line of the entry, 0 if there are no lines."""
    for step, conflict in plan.conflicts:
        yield step.line, _conflict(step, conflict)


def skipped(one: Skipped) -> str:
    """Say why an entry was left out."""
    advice = ""
    if len(one.rows) > 1:
        rows = " ".join(map(str, one.rows))
        advice = f"; if they are one person, `pbx-bridge contacts merge {rows}`"
    return f"{one.who or 'an entry without a name'} left out: {one.why}{advice}"


def _conflict(step: Step, conflict: Conflict) -> str:
    name = step.contact.name or step.contact.company or "no name"
    who = name if step.row_id is None else f"contact {step.row_id} ({name})"
    field, _, element = conflict.key.partition(":")
    if element:
        here, there = ("no" if side is None else "yes" for side in (conflict.here, conflict.told))
        if here == there:  # a number that both have, with other labels
            here, there = repr(conflict.here), repr(conflict.told)
        return f"{who}: {field} {element}: here {here}, there {there}; {conflict.why}"
    return f"{who}: {field}: here {conflict.here!r}, there {conflict.told!r}; {conflict.why}"
