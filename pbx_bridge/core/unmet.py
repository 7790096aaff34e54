"""Why a rule does not match, in words: what is so, and what the rule asks for."""

from dataclasses import fields
from typing import Any

from pbx_bridge.core.aloud import conditions_aloud, duration_aloud
from pbx_bridge.core.rules import Conditions, Situation
from pbx_bridge.core.saying import Saying, say, say_n

_NOTHING = say("nothing")
_NO_NAME = say("a line without a name")
_NO_COUNTRY = say("no country")
_NOT_KNOWN = say("not known")


def unmet(asked: Conditions, name: str, situation: Situation) -> Saying:
    """Say why a condition does not hold; `name` is that of its field (`Conditions.failing`)."""
    wanted = conditions_aloud(_alone(asked, name))
    return say("{so} (asked: {conditions})", so=_so(name, situation), conditions=wanted)


def _alone(asked: Conditions, name: str) -> Conditions:
    """Give a condition without the others."""
    names = {name, "within"} if name == "calls" else {name}
    given: dict[str, Any] = {
        one.name: getattr(asked, one.name) for one in fields(Conditions) if one.name in names
    }
    return Conditions(**given)


def _so(name: str, own: Situation) -> Saying:
    """Say what is so; of what is read aloud as a condition that is enough."""
    tags = say("they are tagged {tags}", tags=_listed(own.tags, _NOTHING))
    missed = len(own.missed_at) + 1
    said = {
        "lines": say("they called {lines}", lines=_listed(own.line, _NO_NAME)),
        "queues": say("they were in the queue {queues}", queues=own.queue)
        if own.queue
        else say("they were in no queue"),
        "extensions": say("{extensions} rang", extensions=", ".join(sorted(own.extensions)))
        if own.extensions
        else say("no extension that is known rang"),
        "tags": tags,
        "without_tags": tags,
        "countries": say("their number is of {countries}", countries=own.country or _NO_COUNTRY),
        "crm_status": say(
            "their status in the CRM is {status}", status=own.crm_status or _NOT_KNOWN
        ),
        "calls": say_n(
            "we missed {n} call of theirs, however long ago",
            "we missed {n} calls of theirs, however long ago",
            missed,
        ),
        "wait": say("they waited in queues for {time}", time=duration_aloud(own.wait)),
        "ring": say("phones rang for {time}", time=duration_aloud(own.ring)),
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


def _listed(names: frozenset[str], nothing: Saying) -> str:
    return ", ".join(sorted(names)) or nothing
