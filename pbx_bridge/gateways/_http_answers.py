"""What an answer to "send this" means, by the rules of the settings."""

import re
from typing import Any

from pbx_bridge.core.delivery import (
    Accepted,
    Blame,
    Deferred,
    Rejected,
    SendResult,
    Uncertain,
)
from pbx_bridge.core.saying import say
from pbx_bridge.gateways import _web
from pbx_bridge.gateways._http_language import Settings, Success
from pbx_bridge.gateways._http_news import parse_json
from pbx_bridge.gateways._number import LONGEST_QUOTE, quoted
from pbx_bridge.gateways._values import MISSING, Meaning, at_path, scalar

#: Answers to a request that may all the same have been carried out.
UNCLEAR = frozenset({408, 409})
#: Answers that are about the account, not about the message.
UNAUTHORISED = frozenset({401, 403})


def to_result(reply: _web.Reply, settings: Settings) -> SendResult:
    """Tell what an answer means."""
    document = json_of(reply.text)
    if reply.status in settings.success.status:
        return _taken(reply, document, settings)
    code = _code(reply, document, settings)
    # What a service says is worth more than the status that it says it with: Telnyx refuses a
    # number that said STOP with 403, as if the account were wrong.
    if (meaning := settings.errors.get(code)) is not None:
        return _meant(meaning, code, reply)
    words = _words(reply, document, settings)
    if reply.status in settings.retry_status:
        return Deferred(words, reply.retry_after, code, busy=True)
    permanent = settings.permanent_status
    if permanent is None:
        permanent = frozenset(range(400, 500)) - UNCLEAR
    if reply.status in permanent:
        blame = Blame.GATEWAY if reply.status in UNAUTHORISED else Blame.MESSAGE
        return Rejected(words, code, blame)
    return Uncertain(words)


def json_of(text: str | None) -> Any:
    """Read JSON; None if it is none."""
    try:
        return parse_json(text or "")
    except ValueError:
        return None


def _taken(reply: _web.Reply, document: Any, settings: Settings) -> SendResult:
    refusal = _refusal(reply, document, settings)
    if refusal is not None:
        return refusal
    if settings.id_body is not None:
        found = re.search(settings.id_body, reply.text or "")
        ref: Any = _group(found) if found is not None else MISSING
    else:
        ref = at_path(document, settings.id_path) if settings.id_path is not None else ""
    if not isinstance(ref, str | int) or isinstance(ref, bool):
        where = settings.id_path or "an id"
        return Uncertain(
            say("the gateway answered {status} without {where}", status=reply.status, where=where)
        )
    price = settings.cost.of(document) if settings.cost is not None else None
    return Accepted(str(ref)[:LONGEST_QUOTE], price)


def _refusal(reply: _web.Reply, document: Any, settings: Settings) -> SendResult | None:
    """Tell how an answer with a status of success refuses; None: it does not."""
    rule = settings.success
    if rule.json_path is not None:
        said = at_path(document, rule.json_path)
        if said is MISSING:
            return Uncertain(
                say(
                    "the gateway answered {status} without {json_path}",
                    status=reply.status,
                    json_path=rule.json_path,
                )
            )
        return None if _agrees(said, rule) else _refused(reply, document, settings)
    if reply.text is None:
        return Uncertain(
            say("the gateway answered {status} with no readable text", status=reply.status)
        )
    if rule.body_matches is None or re.search(rule.body_matches, reply.text):
        return None
    if settings.error_body is not None and re.search(settings.error_body, reply.text):
        return _refused(reply, document, settings)
    return Uncertain(say("the gateway answered {status} with something else", status=reply.status))


def _refused(reply: _web.Reply, document: Any, settings: Settings) -> SendResult:
    code = _code(reply, document, settings)
    if (meaning := settings.errors.get(code)) is not None:
        return _meant(meaning, code, reply)
    words = _words(reply, document, settings)
    return Rejected(words, code if code != str(reply.status) else "")


def _meant(meaning: Meaning, code: str, reply: _web.Reply) -> SendResult:
    words = say("the gateway answered {status}: {words}", status=code, words=meaning.means)
    if meaning.later:
        return Deferred(words, reply.retry_after, code, busy=True)
    if meaning.unclear:
        return Uncertain(words)
    return Rejected(words, code, meaning.blame)


def _agrees(said: Any, rule: Success) -> bool:
    if rule.matches is not None:
        return isinstance(said, str | int) and re.search(rule.matches, str(said)) is not None
    return type(said) is type(rule.equals) and bool(said == rule.equals)


def _code(reply: _web.Reply, document: Any, settings: Settings) -> str:
    """Give the gateway's own code for a refusal, else the HTTP status."""
    code = scalar(document, settings.error_code_path)
    if not code and settings.error_body is not None:
        found = re.search(settings.error_body, reply.text or "")
        code = _group(found) if found is not None else ""
    return quoted(code) or str(reply.status)


def _group(found: re.Match[str]) -> str:
    return (found[1] if found.re.groups else found[0]) or ""


def _words(reply: _web.Reply, document: Any, settings: Settings) -> str:
    words = say("the gateway answered {status}", status=reply.status)
    if 300 <= reply.status < 400:  # noqa: PLR2004 - HTTP
        words = say(
            "the gateway answered {status}, a redirect, which is not followed: correct the url",
            status=reply.status,
        )
    said = scalar(document, settings.error_path)
    if not said and settings.error_body is not None:
        found = re.search(settings.error_body, reply.text or "")
        said = _group(found) if found is not None else ""
    return say("{said}: {words}", said=words, words=quoted(said)) if said else words
