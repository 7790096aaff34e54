"""Any gateway that takes a text by one HTTP request, described wholly in the configuration.

Placeholders are `{to}`, `{to_digits}` (without the plus), `{text}`, `{key}` (ours, never changes),
`{from}`, and the names in `secrets`. Each is escaped for the place where it stands, so that no text
can break out of it; a placeholder's value is never searched for further placeholders.
"""

import asyncio
import json
import re
import ssl
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, quote_plus, urlencode, urlsplit

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, model_validator
from yarl import URL

from pbx_bridge import ports
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Capabilities,
    Deferred,
    Found,
    LookupResult,
    Message,
    Rejected,
    SendResult,
    Uncertain,
)
from pbx_bridge.gateways import _web
from pbx_bridge.gateways._number import E164, LONGEST_QUOTE, quoted
from pbx_bridge.gateways._template import (
    MISSING,
    PLACEHOLDER,
    Escape,
    Pattern,
    as_it_is,
    at_path,
    fill,
    filled,
    in_xml,
    require_known,
    strings,
)
from pbx_bridge.ports import GatewayProblem
from pbx_bridge.secret import Secret

OF_MESSAGE = frozenset({"to", "to_digits", "text", "key", "from"})
#: Answers to a request that may all the same have been carried out.
UNCLEAR = frozenset({408, 409})
NOT_FOUND = (404, 410)
#: Without quotes around its placeholder this is no JSON any more.
HOSTILE = 'x", "y": "\\'


def _in_json(value: str) -> str:
    return json.dumps(value)[1:-1]


def _in_url(value: str) -> str:
    return quote(value, safe="")


ESCAPES: Mapping[str, Escape] = {
    "application/json": _in_json,
    "application/xml": in_xml,
    "text/xml": in_xml,
    "application/x-www-form-urlencoded": quote_plus,
    "text/plain": as_it_is,
}


Status = Annotated[int, Field(ge=100, le=599)]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True
    )


class BasicAuth(_Model):
    username: str = Field(pattern="^[^:]+$")
    password: Secret


class Success(_Model):
    """How an answer says that the text was taken: by status, and perhaps by a value in its JSON."""

    status: frozenset[Status] = frozenset(range(200, 300))
    json_path: str | None = None
    equals: str | int | bool | None = None
    matches: Pattern | None = None

    @model_validator(mode="after")
    def _path_with_one_rule(self) -> Self:
        rules = (self.equals is not None) + (self.matches is not None)
        if rules != (self.json_path is not None):
            raise ValueError("json_path goes together with either equals or matches")
        return self


class Lookup(_Model):
    """How to ask whether a message was taken: a GET, and where in its JSON the id stands."""

    url: str
    json_path: str


class Settings(_Model):
    """`[gateways.NAME]` with `type = "http"`."""

    type: Literal["http"] = "http"
    url: str
    method: Literal["POST", "PUT", "GET"] = "POST"
    headers: dict[str, Secret] = Field(default_factory=dict)
    json_body: dict[str, Any] | list[Any] | None = Field(default=None, alias="json")
    form: dict[str, str] | None = None
    body: str | None = None
    content_type: str = "text/plain"  #: of `body`; it tells how to escape in it
    sender: str = Field(default="", alias="from")
    secrets: dict[str, Secret] = Field(default_factory=dict)
    basic_auth: BasicAuth | None = None
    bearer: Secret | None = None
    success: Success = Success()
    id_path: str | None = None
    error_path: str | None = None  #: where in the JSON of a refusal its reason stands
    permanent_status: frozenset[Status] | None = None  #: None: 4xx, but for those not clear
    retry_status: frozenset[Status] = frozenset({425, 429})
    idempotency_header: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]+$")
    lookup: Lookup | None = None
    check_url: str | None = None
    timeout: float = Field(default=10.0, gt=0, le=10)  #: seconds; the sender waits no longer

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        bodies = [self.json_body, self.form, self.body]
        if sum(body is not None for body in bodies) > 1:
            raise ValueError("give one of json, form and body")
        if self.basic_auth is not None and self.bearer is not None:
            raise ValueError("give either basic_auth or bearer")
        if clash := OF_MESSAGE & self.secrets.keys():
            raise ValueError(f"a secret cannot be named {', '.join(sorted(clash))}")
        secrets = frozenset(self.secrets)
        known = OF_MESSAGE | secrets
        _require_url("url", self.url, known)
        if self.lookup is not None:
            _require_url("lookup.url", self.lookup.url, known)
        if self.check_url is not None:
            _require_url("check_url", self.check_url, secrets)
        for name, value in self.headers.items():
            require_known(f"headers.{name}", value.reveal(), known - {"text"})
        for template in strings(self.json_body):
            require_known("json", template, known)
        for template in (self.form or {}).values():
            require_known("form", template, known)
        if self.body is not None:
            self._require_safe_body(self.body, known)
        return self

    def _require_safe_body(self, body: str, known: frozenset[str]) -> None:
        kind = self._kind()
        if kind not in ESCAPES:
            raise ValueError(f"content_type of body must be one of {', '.join(ESCAPES)}")
        if kind == "application/json":
            # Here a `{word}` that is no placeholder may be JSON, so JSON is what decides.
            probe = dict.fromkeys(known, HOSTILE) | {"to_digits": "1"}
            try:
                json.loads(fill(body, probe, _in_json))
            except ValueError as error:
                raise ValueError(
                    f"body is not JSON once it is filled ({error}); is every placeholder in quotes?"
                ) from None
        else:
            require_known("body", body, known)

    def _kind(self) -> str:
        return self.content_type.partition(";")[0].strip().lower()

    def values(self, message: Message | None) -> dict[str, str]:
        """Give the value of every placeholder."""
        values = {name: secret.reveal() for name, secret in self.secrets.items()}
        if message is not None:
            values |= {
                "to": message.to,
                "to_digits": message.to.removeprefix("+"),
                "text": message.body,
                "key": message.key,
                "from": self.sender,
            }
        return values

    def encoded(self, values: Mapping[str, str]) -> tuple[bytes | None, str | None]:
        """Give the body of a request and its content type."""
        if self.json_body is not None:
            document = filled(self.json_body, values)
            return json.dumps(document, ensure_ascii=False).encode(), "application/json"
        if self.form is not None:
            pairs = {name: fill(text, values, as_it_is) for name, text in self.form.items()}
            return urlencode(pairs).encode(), "application/x-www-form-urlencoded"
        if self.body is not None:
            return fill(self.body, values, ESCAPES[self._kind()]).encode(), self.content_type
        return None, None


def _require_url(where: str, template: str, known: frozenset[str]) -> None:
    require_known(where, template, known)
    parts = urlsplit(template)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{where} must begin with http:// or https:// and a host")
    if PLACEHOLDER.search(parts.netloc):
        raise ValueError(f"{where} must name its host itself: nobody may choose it by a text")
    if parts.username is not None:
        raise ValueError(f"{where} has a password in it: use basic_auth, or secrets")
    _ = parts.port  # raises ValueError for nonsense


class Gateway(ports.Gateway):
    """Sends by the request that its settings describe."""

    def __init__(
        self,
        settings: Settings,
        around: ports.Surroundings = ports.ALONE,  # noqa: ARG002 - as every gateway has it
    ) -> None:
        self.settings = settings
        self.capabilities = Capabilities(
            idempotent=settings.idempotency_header is not None,
            can_lookup=settings.lookup is not None,
        )
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = _web.session()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()
        self._session = None

    async def send(self, message: Message) -> SendResult:
        if E164.fullmatch(message.to) is None:
            return Rejected("not a number in E.164")
        values = self.settings.values(message)
        body, content_type = self.settings.encoded(values)
        headers = self._headers(values)
        if content_type is not None:
            headers["Content-Type"] = content_type
        if self.settings.idempotency_header is not None:
            headers[self.settings.idempotency_header] = message.key
        try:
            async with asyncio.timeout(self.settings.timeout):
                reply = await self._request(
                    self.settings.method, self.settings.url, values, headers, body
                )
        except aiohttp.ClientError as error:
            return _web.failure(error)
        except TimeoutError:
            return Uncertain(f"no answer within {self.settings.timeout:g} s")
        return to_result(reply, self.settings)

    async def lookup(  # noqa: PLR0911 - an answer each
        self, message: Message, taken: Collection[str]
    ) -> LookupResult:
        asked = self.settings.lookup
        if asked is None:
            return Absent()
        values = self.settings.values(message)
        try:
            async with asyncio.timeout(self.settings.timeout):
                reply = await self._request("GET", asked.url, values, self._headers(values), None)
        except aiohttp.ClientError as error:
            return Deferred(_web.failure(error).reason)
        except TimeoutError:
            return Deferred(f"no answer within {self.settings.timeout:g} s")
        if reply.status in NOT_FOUND:
            return Absent()
        document = _json(reply.text)
        if reply.status not in range(200, 300) or document is None:
            return Deferred(f"the gateway answered {reply.status}", reply.retry_after)
        found = at_path(document, asked.json_path)
        if not isinstance(found, str | int) or isinstance(found, bool) or str(found) in taken:
            return Absent()
        return Found(str(found))

    async def check(self) -> str:
        """Fetch `check_url`; without one, only connect."""
        place = urlsplit(self.settings.url)
        try:
            async with asyncio.timeout(self.settings.timeout):
                if self.settings.check_url is None:
                    return await self._connect()
                values = self.settings.values(None)
                reply = await self._request(
                    "GET", self.settings.check_url, values, self._headers(values), None
                )
        except aiohttp.ClientError as error:
            reason = _web.failure(error).reason
            raise GatewayProblem(f"{place.hostname} cannot be reached: {reason}") from None
        except TimeoutError:
            raise GatewayProblem(f"{place.hostname} does not answer") from None
        except OSError as error:
            raise GatewayProblem(f"{place.hostname} cannot be reached: {error}") from None
        if reply.status not in range(200, 300):
            raise GatewayProblem(f"check_url answered {reply.status}")
        return f"check_url answered {reply.status}"

    async def _connect(self) -> str:
        place = urlsplit(self.settings.url)
        secure = place.scheme == "https"
        port = place.port or (443 if secure else 80)
        context = ssl.create_default_context() if secure else None
        _, writer = await asyncio.open_connection(place.hostname, port, ssl=context)
        writer.close()
        await writer.wait_closed()
        return f"{place.hostname}:{port} takes connections; credentials were not tried"

    def _headers(self, values: Mapping[str, str]) -> dict[str, str]:
        headers = {
            name: fill(value.reveal(), values, as_it_is)
            for name, value in self.settings.headers.items()
        }
        if (basic := self.settings.basic_auth) is not None:
            headers["Authorization"] = _web.basic_auth(basic.username, basic.password.reveal())
        if self.settings.bearer is not None:
            headers["Authorization"] = f"Bearer {self.settings.bearer.reveal()}"
        return headers

    async def _request(
        self,
        method: str,
        url: str,
        values: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> _web.Reply:
        if self._session is None:
            raise RuntimeError("the gateway is used outside of its context")
        where = URL(fill(url, values, _in_url), encoded=True)
        return await _web.request(self._session, method, where, headers=headers, data=body)


def to_result(reply: _web.Reply, settings: Settings) -> SendResult:
    """Tell what an answer means, by the rules of the settings."""
    document = _json(reply.text)
    if reply.status in settings.retry_status:
        return Deferred(_words(reply, document, settings), reply.retry_after)
    if reply.status in settings.success.status:
        return _taken(reply, document, settings)
    permanent = settings.permanent_status
    if permanent is None:
        permanent = frozenset(range(400, 500)) - UNCLEAR
    if reply.status in permanent:
        return Rejected(_words(reply, document, settings), str(reply.status))
    return Uncertain(_words(reply, document, settings))


def _taken(reply: _web.Reply, document: Any, settings: Settings) -> SendResult:
    rule = settings.success
    if rule.json_path is not None:
        said = at_path(document, rule.json_path)
        if said is MISSING:
            return Uncertain(f"the gateway answered {reply.status} without {rule.json_path}")
        if not _agrees(said, rule):
            return Rejected(_words(reply, document, settings))
    elif reply.text is None:
        return Uncertain(f"the gateway answered {reply.status} with no readable text")
    ref = at_path(document, settings.id_path) if settings.id_path is not None else ""
    if not isinstance(ref, str | int) or isinstance(ref, bool):
        return Uncertain(f"the gateway answered {reply.status} without {settings.id_path}")
    return Accepted(str(ref)[:LONGEST_QUOTE])


def _agrees(said: Any, rule: Success) -> bool:
    if rule.matches is not None:
        return isinstance(said, str | int) and re.search(rule.matches, str(said)) is not None
    return type(said) is type(rule.equals) and bool(said == rule.equals)


def _words(reply: _web.Reply, document: Any, settings: Settings) -> str:
    words = f"the gateway answered {reply.status}"
    if 300 <= reply.status < 400:  # noqa: PLR2004 - HTTP
        words += ", a redirect, which is not followed: correct the url"
    if settings.error_path is not None:
        said = at_path(document, settings.error_path)
        if isinstance(said, str | int):
            words += f": {quoted(str(said))}"
    return words


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        return None
