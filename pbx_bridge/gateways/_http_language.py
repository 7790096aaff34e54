"""The language in which a configuration describes an HTTP gateway.

Placeholders are `{to}`, `{to_digits}` (without the plus), `{to_nanp}` (ten digits, for North
America only), `{text}`, `{key}` (ours, never changes), `{from}`, `{alphabet}` (see `Alphabet`), and
the names in `secrets` and `params`. In json, form and query there are three more, and a field
that has one is left out where it has no value: `{hook_url}` (where our webhooks arrive),
`{gsm_text}` and `{ucs2_hex}` (the text, in the alphabet that it needs).
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlencode

from pydantic import BeforeValidator, Field, model_validator

from pbx_bridge.core.delivery import Message
from pbx_bridge.core.text import segments
from pbx_bridge.gateways import _http_presets
from pbx_bridge.gateways._http_news import Hooks, Replies
from pbx_bridge.gateways._template import (
    ESCAPES,
    GSM_TEXT,
    HOOK_URL,
    OPTIONAL,
    UCS2_HEX,
    address,
    as_it_is,
    fill,
    filled,
    in_json,
    pairs,
    require_known,
    require_url,
    strings,
)
from pbx_bridge.gateways._values import Cost, Meaning, Pattern, Status, Table
from pbx_bridge.secret import Secret

OF_MESSAGE = frozenset({"to", "to_digits", "to_nanp", "text", "key", "from", "alphabet"})
OF_POLL = frozenset({"today", "yesterday"})  #: dates in UTC, such as 2026-01-31
OF_ITEM = frozenset({"index", "id"})
RESERVED = OF_MESSAGE | OF_POLL | OF_ITEM | OPTIONAL
#: Without quotes around its placeholder this is no JSON any more.
HOSTILE = 'x", "y": "\\'
#: A text beyond which no gateway goes.
LONGEST_TEXT = 1600
NANP_DIGITS = 11  #: with the leading 1


class BasicAuth(Table):
    username: str = Field(pattern="^[^:]+$")
    password: Secret


class Success(Table):
    """How an answer says that the text was taken: by status, and perhaps by what it says."""

    status: frozenset[Status] = frozenset(range(200, 300))
    json_path: str | None = None
    equals: str | int | bool | None = None
    matches: Pattern | None = None
    body_matches: Pattern | None = None  #: the text of the answer, if it is no JSON

    @model_validator(mode="after")
    def _path_with_one_rule(self) -> Self:
        rules = (self.equals is not None) + (self.matches is not None)
        if rules != (self.json_path is not None):
            raise ValueError("json_path goes together with either equals or matches")
        if self.json_path is not None and self.body_matches is not None:
            raise ValueError("give either json_path or body_matches")
        return self


class Lookup(Table):
    """How to ask whether a message was taken: a GET, and where in its JSON the id stands."""

    url: str
    json_path: str


class Alphabet(Table):
    """What the service calls the two alphabets of SMS, for those that have to be told."""

    gsm: str
    ucs2: str


class Delete(Table):
    """How to remove from the device what was read: {index} in the list, or {id}."""

    url: str
    method: Literal["DELETE", "POST", "GET"] = "DELETE"


class Poll(Table):
    """`[gateways.NAME.poll]`: replies of a device that has to be asked."""

    url: str
    query: dict[str, str] | None = None
    every: float = Field(default=20.0, ge=1, le=3600)  #: seconds
    items: str = ""  #: where the list of replies stands; empty: the answer is the list
    none: Pattern | None = None  #: an answer that matches says that there are none
    replies: Replies
    delete: Delete | None = None


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Param = Annotated[str, BeforeValidator(_as_text)]


class Settings(Table):
    """`[gateways.NAME]` with `type = "http"`."""

    type: Literal["http"] = "http"
    preset: str | None = None
    url: str
    method: Literal["POST", "PUT", "GET"] = "POST"
    headers: dict[str, Secret] = Field(default_factory=dict)
    query: dict[str, str] | None = None
    json_body: dict[str, Any] | list[Any] | None = Field(default=None, alias="json")
    form: dict[str, str] | None = None
    body: str | None = None
    content_type: str = "text/plain"  #: of `body`; it tells how to escape in it
    sender: str = Field(default="", alias="from")
    params: dict[str, Param] = Field(default_factory=dict)
    secrets: dict[str, Secret] = Field(default_factory=dict)
    basic_auth: BasicAuth | None = None
    bearer: Secret | None = None
    success: Success = Success()
    id_path: str | None = None
    id_body: Pattern | None = None  #: its first group is the id, in an answer that is no JSON
    error_path: str | None = None  #: where in the JSON of a refusal its reason stands
    error_code_path: str | None = None
    error_body: Pattern | None = None  #: its first group is reason and code of a refusal
    errors: dict[str, Meaning] = Field(default_factory=dict)  #: by code, or else by HTTP status
    permanent_status: frozenset[Status] | None = None  #: None: 4xx, but for those not clear
    retry_status: frozenset[Status] = frozenset({425, 429})
    cost: Cost | None = None  #: where an answer tells it
    idempotency_header: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]+$")
    idempotent: bool = False  #: the service sends one {key} only once
    handles_optout: bool = False  #: the service answers STOP, START and HELP itself
    alphabet: Alphabet | None = None
    max_length: int = Field(default=LONGEST_TEXT, ge=1, le=LONGEST_TEXT)
    lookup: Lookup | None = None
    check_url: str | None = None
    timeout: float = Field(default=10.0, gt=0, le=10)  #: seconds; the sender waits no longer
    hooks: Hooks | None = None
    poll: Poll | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, written: Any) -> Any:
        if isinstance(written, Mapping) and isinstance(written.get("preset"), str):
            return _http_presets.completed(written)
        return written

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        bodies = [self.json_body, self.form, self.body]
        if sum(body is not None for body in bodies) > 1:
            raise ValueError("give one of json, form and body")
        if self.basic_auth is not None and self.bearer is not None:
            raise ValueError("give either basic_auth or bearer")
        if self.id_path is not None and self.id_body is not None:
            raise ValueError("give either id_path or id_body")
        self._names_differ()
        self._require_templates()
        if self.hooks is not None:
            self._require_provable(self.hooks)
        return self

    def _names_differ(self) -> None:
        for kind, names in (("secret", self.secrets.keys()), ("param", self.params.keys())):
            if clash := RESERVED & names:
                raise ValueError(f"a {kind} cannot be named {', '.join(sorted(clash))}")
        if both := self.secrets.keys() & self.params.keys():
            raise ValueError(f"{', '.join(sorted(both))} is in secrets and in params")

    def _require_templates(self) -> None:
        own = frozenset(self.secrets) | frozenset(self.params)
        known = OF_MESSAGE | own
        require_url("url", self.url, known, self.params)
        if self.lookup is not None:
            require_url("lookup.url", self.lookup.url, known, self.params)
        if self.check_url is not None:
            require_url("check_url", self.check_url, own, self.params)
        for name, value in self.headers.items():
            require_known(f"headers.{name}", value.reveal(), known - {"text"})
        for where, fields in (
            ("json", self.json_body),
            ("form", self.form),
            ("query", self.query),
        ):
            for template in strings(fields):
                require_known(where, template, known | OPTIONAL)
        if self.body is not None:
            self._require_safe_body(self.body, known)
        if self.poll is not None:
            self._require_poll(self.poll, own)

    def _require_poll(self, poll: Poll, own: frozenset[str]) -> None:
        require_url("poll.url", poll.url, own | OF_POLL, self.params)
        for template in strings(poll.query):
            require_known("poll.query", template, own | OF_POLL)
        if poll.delete is not None:
            require_url("poll.delete.url", poll.delete.url, own | OF_ITEM, self.params)

    def _require_safe_body(self, body: str, known: frozenset[str]) -> None:
        kind = self._kind()
        if kind not in ESCAPES:
            raise ValueError(f"content_type of body must be one of {', '.join(ESCAPES)}")
        if kind == "application/json":
            # Here a `{word}` that is no placeholder may be JSON, so JSON is what decides.
            probe = dict.fromkeys(known, HOSTILE) | {"to_digits": "1", "to_nanp": "1"}
            try:
                json.loads(fill(body, probe, in_json))
            except ValueError as error:
                raise ValueError(
                    f"body is not JSON once it is filled ({error}); is every placeholder in quotes?"
                ) from None
        else:
            require_known("body", body, known)

    def _require_provable(self, hooks: Hooks) -> None:
        secret = self.secrets.get(hooks.signature.secret)
        if secret is None:
            raise ValueError(
                f"hooks.signature.secret names {hooks.signature.secret}, which is not in secrets"
            )
        hooks.signature.require_usable(secret.reveal())

    def _kind(self) -> str:
        return self.content_type.partition(";")[0].strip().lower()

    def reaches(self, message: Message) -> bool:
        """Tell whether the number can be written as the request wants it."""
        templates = [self.url, self.body or "", *strings(self.json_body)]
        templates += [*strings(self.form), *strings(self.query)]
        return bool(_nanp(message.to)) or not any("{to_nanp}" in text for text in templates)

    def values(self, message: Message | None, hook_url: str = "") -> dict[str, str]:
        """Give the value of every placeholder."""
        values = {name: secret.reveal() for name, secret in self.secrets.items()}
        values |= self.params | {HOOK_URL: hook_url}
        if message is not None:
            gsm = segments(message.body).encoding == "GSM-7"
            values |= {
                GSM_TEXT: message.body if gsm else "",
                UCS2_HEX: "" if gsm else message.body.encode("utf-16-be", "replace").hex(),
                "alphabet": self._alphabet_name(gsm=gsm),
                "to": message.to,
                "to_digits": message.to.removeprefix("+"),
                "to_nanp": _nanp(message.to),
                "text": message.body,
                "key": message.key,
                "from": self.sender,
            }
        return values

    def _alphabet_name(self, *, gsm: bool) -> str:
        if self.alphabet is None:
            return ""
        return self.alphabet.gsm if gsm else self.alphabet.ucs2

    def address(
        self, url: str, values: Mapping[str, str], query: Mapping[str, str] | None = None
    ) -> str:
        """Fill a URL of these settings, and put a query behind it."""
        where = address(url, self.params, values)
        if query:
            where += ("&" if "?" in where else "?") + urlencode(pairs(query, values))
        return where

    def encoded(self, values: Mapping[str, str]) -> tuple[bytes | None, str | None]:
        """Give the body of a request and its content type."""
        if self.json_body is not None:
            document = filled(self.json_body, values)
            return json.dumps(document, ensure_ascii=False).encode(), "application/json"
        if self.form is not None:
            form = urlencode(pairs(self.form, values)).encode()
            return form, "application/x-www-form-urlencoded"
        if self.body is not None:
            return fill(self.body, values, ESCAPES[self._kind()]).encode(), self.content_type
        return None, None

    def header_values(self, values: Mapping[str, str]) -> dict[str, str]:
        """Give the headers that every request has."""
        return {
            name: fill(value.reveal(), values, as_it_is) for name, value in self.headers.items()
        }


def _nanp(to: str) -> str:
    digits = to.removeprefix("+")
    return digits[1:] if len(digits) == NANP_DIGITS and digits.startswith("1") else ""
