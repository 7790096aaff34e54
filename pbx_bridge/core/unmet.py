"""Why a rule does not match, in words: what is so, and what the rule asks for."""

from dataclasses import fields
from typing import Any

from pbx_bridge.core.aloud import conditions_aloud, duration_aloud
from pbx_bridge.core.rules import Conditions, Situation


def unmet(asked: Conditions, name: str, situation: Situation) -> str:
    """Say why a condition does not hold; `name` is that of its field (`Conditions.failing`)."""
    return f"{_so(name, situation)} (asked: {conditions_aloud(_alone(asked, name))})"


def _alone(asked: Conditions, name: str) -> Conditions:
    """Give a condition without the others."""
    names = {name, "within"} if name == "calls" else {name}
    given: dict[str, Any] = {
        one.name: getattr(asked, one.name) for one in fields(Conditions) if one.name in names
    }
    return Conditions(**given)


def _so(name: str, own: Situation) -> str:
    """Say what is so; of what is read aloud as a condition that is enough."""
    said = {
        "lines": f"they called {_listed(own.line, 'a line without a name')}",
        "queues": f"they were in {f'the queue {own.queue}' if own.queue else 'no queue'}",
        "extensions": f"{_listed(own.extensions, 'no extension that is known')} rang",
        "tags": f"they are tagged {_listed(own.tags, 'nothing')}",
        "without_tags": f"they are tagged {_listed(own.tags, 'nothing')}",
        "countries": f"their number is of {own.country or 'no country'}",
        "crm_status": f"their status in the CRM is {own.crm_status or 'not known'}",
        "calls": f"we missed {_counted(len(own.missed_at) + 1)} of theirs, however long ago",
        "wait": f"they waited in queues for {duration_aloud(own.wait)}",
        "ring": f"phones rang for {duration_aloud(own.ring)}",
    }
    return said.get(name) or conditions_aloud(_as_it_is(name, own))


def _as_it_is(name: str, own: Situation) -> Conditions:
    given: dict[str, Any] = {
        "reasons": frozenset({own.reason}),
        "hours": frozenset({own.track}),
        "callers": frozenset({own.caller}),
        "languages": frozenset({own.language}),
        "voicemail": frozenset({own.voicemail}),
        "has_email": own.has_email,
        "consented": own.consented,
    }
    return Conditions(**{name: given[name]})


def _listed(names: frozenset[str], nothing: str) -> str:
    return ", ".join(sorted(names)) or nothing


def _counted(calls: int) -> str:
    return "1 call" if calls == 1 else f"{calls} calls"
