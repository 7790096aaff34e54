"""Webhooks of Twilio: proved by their signature, then read.

Twilio signs the address that it calls, and the form that it posts, with the account's auth token
and HMAC-SHA1. Where a Webhook Rule says so it signs with a shared key instead, and names the
algorithm in a header of its own (Twilio's `webhook-shared-keys` page); the header chooses which of
the two secrets must have been used, and nothing else. An API key signs nothing.

The signature has no time in it: a request that is played back is genuine. It tells nothing new,
and the same receipt or reply twice does no harm.
"""

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

from multidict import MultiDict
from twilio.request_validator import (  # type: ignore[import-untyped]
    HMAC_SHA1,
    HMAC_SHA256,
    RequestValidator,
    get_signature_algorithm,
)

from pbx_bridge.gateways import _twilio_news as news
from pbx_bridge.ports import Forged, HookAnswer, HookRequest

SIGNATURE = "x-twilio-signature"
SETTINGS = "x-twilio-webhooks-signature-settings"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
BODY_HASH = "bodySHA256"
#: A message with ten pictures has some sixty.
MOST_FIELDS = 500
#: Twilio signs names and values with nothing between them. So whoever has a genuine request could
#: make a field of the end of a value, or let an id swallow the field after it and be another one:
#: names have nothing but these, and ids are no longer.
NAME = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
LONGEST_ID = 34

STATUS = "status"  #: below `/hooks/NAME`: what became of a message
REPLY = "reply"  #: below `/hooks/NAME`: a message from a customer
NOTHING_TO_SAY = "<Response/>"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What webhooks may be signed with; what is None proves nothing."""

    auth_token: str | None
    webhook_secret: str | None

    def of(self, settings: str) -> tuple[str, str]:
        """Give the secret and the algorithm for a request with this header.

        Raises:
            Forged: there is no such secret here, or no such algorithm.

        """
        if settings:
            algorithm = str(get_signature_algorithm(settings)).upper()
            if algorithm not in {HMAC_SHA1, HMAC_SHA256}:
                raise Forged("signed by an algorithm that is not known here")
            if self.webhook_secret is None:
                raise Forged(
                    "signed with a shared key: set webhook_secret to prove it, or take the"
                    " Webhook Rule away"
                )
            return self.webhook_secret, algorithm
        if self.auth_token is None:
            raise Forged("there is no auth_token to prove it: an API key cannot; set auth_token")
        return self.auth_token, HMAC_SHA1


def read(request: HookRequest, secrets: Secrets) -> HookAnswer:
    """Prove a request and tell its news.

    Raises:
        Forged: Twilio did not sign it.
        ValueError: it is genuine, but no status and no message.

    """
    query, fields = _proven(request, secrets)
    if request.tail == STATUS:
        receipt = news.receipt(
            status=_one_of(fields, "MessageStatus", "SmsStatus"),
            ref=_one_of(fields, "MessageSid", "SmsSid"),
            key=query.get("m", ""),
            code=fields.get("ErrorCode", ""),
            said=fields.get("ErrorMessage", ""),
        )
        return HookAnswer(news=() if receipt is None else (receipt,), status=204)
    if request.tail == REPLY:
        reply = news.reply(
            ref=_one_of(fields, "MessageSid", "SmsSid"),
            sender=fields.get("From", ""),
            recipient=fields.get("To", ""),
            body=_body(fields),
            media=fields.get("NumMedia", ""),
            opt_out=fields.get("OptOutType", ""),
        )
        return HookAnswer(news=(reply,), content_type="text/xml", body=NOTHING_TO_SAY)
    raise ValueError(f"Twilio has no such webhook here; there are {STATUS} and {REPLY}")


def _proven(request: HookRequest, secrets: Secrets) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Give the query and the fields of a request that Twilio signed."""
    secret, algorithm = secrets.of(request.headers.get(SETTINGS, "").strip())
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        # What was signed is what is read: the whole address, not the server's idea of its query.
        query = _pairs(urlsplit(request.url).query)
        text = request.body.decode()
        if kind not in {JSON, FORM} and text:
            raise Forged("neither a form nor JSON")
        # Of JSON the address has the hash, and only the address is signed. The library would take
        # the text and the hash too, but breaks where it does not find the hash.
        if kind == JSON and not _is_hash_of(request.body, query.get(BODY_HASH, "")):
            raise Forged(f"JSON without its {BODY_HASH}")
        signed = MultiDict[str]() if kind == JSON else _pairs(text)
        if not all(NAME.fullmatch(name) for name in signed):
            raise Forged("a field has a name that none of Twilio's has")
        genuine = RequestValidator(secret).validate(
            request.url, signed, request.headers.get(SIGNATURE, ""), algorithm
        )
    except ValueError:  # not text, too many fields, no address: nothing that Twilio sends
        raise Forged("it cannot be read") from None
    if not genuine:
        raise Forged("the signature is wrong: another auth_token, or not the public_url it called")
    if kind == JSON:
        return _single(query), _json(text)
    return _single(query), _single(signed) or _single(query)  # a GET has its fields there


def _is_hash_of(body: bytes, claimed: str) -> bool:
    return hmac.compare_digest(sha256(body).hexdigest().encode(), claimed.encode())


def _pairs(text: str) -> MultiDict[str]:
    pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    return MultiDict(pairs)


def _single(fields: MultiDict[str]) -> dict[str, str]:
    """Take fields that come once.

    Twilio signs a name's values sorted and without doubles, so that one which comes with several
    could be turned around by anybody on the way.
    """
    if any(len(set(fields.getall(name))) > 1 for name in fields):
        raise Forged("a field comes twice")
    return dict(fields)


def _json(text: str) -> dict[str, str]:
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError("JSON too deep") from None
    if not isinstance(document, dict):
        raise ValueError("JSON, but no object")  # noqa: TRY004 - answered 400
    return {
        name: str(value)
        for name, value in document.items()
        if isinstance(value, str | int) and not isinstance(value, bool)
    }


def _one_of(fields: Mapping[str, str], name: str, old_name: str) -> str:
    value = fields.get(name) or fields.get(old_name) or ""
    if not value:
        raise ValueError(f"a webhook without {name}")
    if len(value) > LONGEST_ID:
        raise Forged(f"a {name} longer than any of Twilio's")
    return value


def _body(fields: Mapping[str, str]) -> str:
    """Give the words, which may be none, but are always told."""
    if "Body" not in fields:
        raise ValueError("a message without Body")
    return fields["Body"]
