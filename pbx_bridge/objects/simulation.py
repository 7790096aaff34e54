"""What came of a simulation."""

from dataclasses import dataclass
from typing import Any

from pbx_bridge.core.aloud import when_aloud
from pbx_bridge.core.pricing import from_micros
from pbx_bridge.core.rehearsal import Outcome
from pbx_bridge.core.skip import Skip
from pbx_bridge.simulate import Simulation, Text


@dataclass(frozen=True, slots=True)
class Money:
    """How prices are written."""

    currency: str

    def spell(self, micros: int) -> str:
        amount = f"{from_micros(micros).normalize():f}"
        return f"${amount}" if self.currency == "USD" else f"{amount} {self.currency}"


def simulation_object(found: Simulation, money: Money) -> dict[str, Any]:
    """Give a simulation for programs: its shape is a promise."""
    call, facts = found.call, found.facts
    matched = found.matched
    return {
        "call": {
            "began": call.began,
            "ended": facts.ended,
            "caller": call.caller.number,
            "caller_kind": found.caller,
            "line": call.line,
            "disposition": call.disposition,
            "reason": call.reason,
            "ring_seconds": call.ring_seconds,
            "wait_seconds": 0.0 if call.queue is None else call.queue.wait_seconds,
            "queue": "" if call.queue is None else call.queue.queue,
            "calls": facts.calls,
        },
        "hours": facts.track,
        "language": facts.language,
        "rules": [
            {
                "name": told.rule.name,
                "built_in": told.rule.built_in,
                "asked": told.asked,
                "matches": told.matches,
                "unmet": told.unmet,
            }
            for told in found.rules
        ],
        "rule": None if matched is None else matched.name,
        "sequence": found.sequence or None,
        "checks": [
            {"check": verdict.check, **_objection(verdict.objection)} for verdict in found.verdicts
        ],
        "text": None if found.text is None else _text_object(found.text, money),
        "shadow": found.shadow,
        "joins": found.joins,
        "replaces": found.replaces or None,
        "refilled": found.refilled or None,
        "steps": [_step_object(one) for one in found.steps],
    }


def _objection(objection: Skip | None) -> dict[str, Any]:
    if objection is None:
        return {"passes": True, "reason": None, "detail": None}
    return {"passes": False, "reason": objection.reason, "detail": objection.detail}


def _text_object(text: Text, money: Money) -> dict[str, Any]:
    return {
        "to": text.to,
        "body": text.body,
        "encoding": text.counted.encoding,
        "segments": text.counted.parts,
        "price": float(from_micros(text.price)) if text.price else None,
        "currency": money.currency if text.price else None,
        "gateway": text.gateway,
        "due_at": text.due_at,
        "note": text.note,
    }


def _step_object(one: Outcome) -> dict[str, Any]:
    objection = one.objection
    return {
        "name": one.step.name,
        "action": one.step.action,
        "when": when_aloud(one.step),
        "due_at": one.due_at,
        "done": objection is None,
        "reason": None if objection is None else objection.reason,
        "detail": None if objection is None else objection.detail,
        "unmet": one.unmet,
        "goes_at": one.goes_at,
        "words": one.said,
        "subject": one.subject,
        "task_due_at": one.task_due_at,
        "owner": one.owner,
    }
