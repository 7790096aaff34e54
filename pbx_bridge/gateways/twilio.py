"""Twilio, through its own library.

Twilio's Messages API knows no idempotency key: a request of unknown fate is never repeated, but
looked up in the list of messages to that number. The library's own retries stay off, they would
repeat a request that may have been taken.
"""

import json
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Literal, Self

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, model_validator
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]
from twilio.rest.api.v2010.account.message import MessageInstance  # type: ignore[import-untyped]

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
from pbx_bridge.gateways._number import E164, quoted
from pbx_bridge.ports import GatewayProblem
from pbx_bridge.secret import Secret

API = "https://api.twilio.com"
LONGEST_VALIDITY = 36000
#: Twilio's clock and ours may differ by this much.
CLOCK_SKEW = timedelta(seconds=120)
#: Put by Twilio before every text of an account that is still on trial.
TRIAL = "Sent from your Twilio trial account - "
PAGE = 50

TIMEOUT_STATUS = 408
TOO_MANY = 429
UNAUTHORISED = (401, 403)

#: Refusals that say "later"; they certainly sent nothing.
LATER = frozenset({"20429", "21611", "30001", "30022"})

#: What a refusal means for the office, where Twilio's own words do not say it plainly.
MEANING: Mapping[str, str] = {
    "20003": "wrong account_sid, auth_token or api key, or the account is suspended",
    "21211": "not a valid number",
    "21408": "this country is not enabled: Messaging Geo Permissions in the Twilio console",
    "21606": "from_number is not a number of this account that can send texts",
    "21608": "a trial account texts verified numbers only, or the compliance profile is missing",
    "21610": "this customer opted out (STOP)",
    "21612": "from_number cannot text this number",
    "21614": "not a mobile number",
    "21635": "a landline",
    "21703": "the messaging service has no number",
    "21704": "the messaging service has no number that fits",
    "30002": "the Twilio account is suspended",
    "30004": "blocked by the customer or the carrier",
    "30005": "unknown number",
    "30006": "a landline, or a carrier that cannot be reached",
    "30007": "filtered as spam by the carrier",
    "30032": "the toll-free number is not verified",
    "30034": "the number is not registered for US business texting (A2P 10DLC)",
    "30450": "blocked by Twilio as fraud",
}


class Settings(BaseModel):
    """`[gateways.NAME]` with `type = "twilio"`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["twilio"] = "twilio"
    account_sid: str = Field(pattern=r"^AC[0-9a-fA-F]{32}$")
    auth_token: Secret | None = None
    api_key: str | None = Field(default=None, pattern=r"^SK[0-9a-fA-F]{32}$")
    api_secret: Secret | None = None
    from_number: str | None = Field(default=None, pattern=r"^\+[0-9]{5,15}$")
    messaging_service_sid: str | None = Field(default=None, pattern=r"^MG[0-9a-fA-F]{32}$")
    base_url: str = Field(default=API, pattern=r"^https?://[^/?#@\s]+$")

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        with_key = self.api_key is not None and self.api_secret is not None
        any_key = self.api_key is not None or self.api_secret is not None
        if (self.auth_token is not None) == with_key or any_key != with_key:
            raise ValueError("give either auth_token, or api_key and api_secret")
        if (self.from_number is None) == (self.messaging_service_sid is None):
            raise ValueError("give either from_number or messaging_service_sid")
        return self

    def credentials(self) -> tuple[str, str]:
        """Give user and password for Twilio's API."""
        if self.api_key is not None and self.api_secret is not None:
            return self.api_key, self.api_secret.reveal()
        if self.auth_token is None:  # excluded by the validator
            raise GatewayProblem("give either auth_token, or api_key and api_secret")
        return self.account_sid, self.auth_token.reveal()


class _Refused(Exception):  # noqa: N818 - carries an answer past the library
    """An answer other than a JSON object with 2xx; the library would forget half of it."""

    def __init__(self, reply: _web.Reply) -> None:
        super().__init__(f"HTTP {reply.status}")
        self.reply = reply
        self.body = _json(reply.text)


class _Http:
    """A transport for the library: its own ignores time-outs, reads without end, logs numbers."""

    is_async = True

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(  # noqa: PLR0913, PLR0917 - the library's signature
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the sender limits the time
        allow_redirects: bool = False,  # noqa: ARG002, FBT001, FBT002 - never with credentials
    ) -> Response:
        if auth is not None:
            headers = {**(headers or {}), "Authorization": _web.basic_auth(*auth)}
        reply = await _web.request(
            self._session,
            method,
            url,
            headers=headers,
            params=params,
            data=data,
        )
        if not 200 <= reply.status < 300 or not isinstance(_json(reply.text), dict):  # noqa: PLR2004
            raise _Refused(reply)
        return Response(reply.status, reply.text or "")


class Gateway(ports.Gateway):
    """Sends through one Twilio account."""

    capabilities = Capabilities(can_lookup=True, handles_optout=True)

    def __init__(self, settings: Settings, around: ports.Surroundings = ports.ALONE) -> None:
        self.settings = settings
        self._now = around.now
        self._session: aiohttp.ClientSession | None = None
        self._client: Client | None = None

    async def __aenter__(self) -> Self:
        self._session = _web.session()
        user, password = self.settings.credentials()
        self._client = Client(
            user,
            password,
            self.settings.account_sid,
            http_client=_Http(self._session),
            environment={"TWILIO_EDGE": ""},  # an empty one would mean the process's own
        )
        self._client.api.base_url = self.settings.base_url
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()
        self._session = self._client = None

    async def send(self, message: Message) -> SendResult:
        """Create the message; Twilio drops it when it would come too late."""
        if E164.fullmatch(message.to) is None:
            return Rejected("not a number in E.164")
        left = int((message.expires_at - self._now()).total_seconds())
        wanted: dict[str, Any] = {
            "to": message.to,
            "body": message.body,
            "validity_period": max(1, min(left, LONGEST_VALIDITY)),
        }
        if self.settings.messaging_service_sid is not None:
            wanted["messaging_service_sid"] = self.settings.messaging_service_sid
        else:
            wanted["from_"] = self.settings.from_number
        try:
            created = await self._open().messages.create_async(**wanted)
        except aiohttp.ClientError as error:
            return _web.failure(error)
        except _Refused as refusal:
            return to_result(refusal.reply.status, refusal.body, refusal.reply.retry_after)
        return to_result(201, {"sid": created.sid})

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:
        """Look for the text in the list of messages to that number.

        The list's own date filter is no help: a queued message has no date of sending yet.
        """
        try:
            listed = await self._open().messages.list_async(
                to=message.to, limit=PAGE, page_size=PAGE
            )
        except aiohttp.ClientError as error:
            return Deferred(_web.failure(error).reason)
        except _Refused as refusal:
            words = _words(refusal.reply.status, refusal.body)
            return Deferred(words, refusal.reply.retry_after, _code(refusal.body))
        except TwilioException:  # its text has the whole answer
            return Deferred("Twilio answered with no list of messages")
        for candidate in listed:
            if candidate.sid and candidate.sid not in taken and _same(candidate, message):
                return Found(candidate.sid)
        return Absent()

    async def check(self) -> str:
        """Fetch the account; with an API key, which may not see the account, a message."""
        client = self._open()
        try:
            if self.settings.api_key is not None:
                await client.messages.list_async(limit=1, page_size=1)
                return "Twilio takes the API key"
            account = await client.api.v2010.accounts(self.settings.account_sid).fetch_async()
        except aiohttp.ClientError as error:
            reason = _web.failure(error).reason
            raise GatewayProblem(f"Twilio cannot be reached: {reason}") from None
        except _Refused as refusal:
            raise GatewayProblem(_words(refusal.reply.status, refusal.body)) from None
        except TwilioException:
            raise GatewayProblem("Twilio answered with no list of messages") from None
        if account.status != "active":
            raise GatewayProblem(f"the Twilio account is {account.status}")
        return f"Twilio account {quoted(account.friendly_name or '')!r} is active"

    def _open(self) -> Client:
        if self._client is None:
            raise RuntimeError("the gateway is used outside of its context")
        return self._client


def to_result(status: int, body: Any, retry_after: timedelta | None = None) -> SendResult:
    """Tell what an answer to "create a message" means; `body` is its JSON, None if it has none."""
    sid = body.get("sid") if isinstance(body, dict) else None
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP
        if isinstance(sid, str) and sid:
            return Accepted(sid)
        return Uncertain(f"Twilio answered {status} without a message id")
    code = _code(body)
    if status == TOO_MANY or (400 <= status < 500 and code in LATER):  # noqa: PLR2004 - HTTP
        return Deferred(_words(status, body), retry_after, code)
    if 400 <= status < 500 and status != TIMEOUT_STATUS:  # noqa: PLR2004 - HTTP
        return Rejected(_words(status, body), code)
    return Uncertain(_words(status, body))


def _words(status: int, body: Any) -> str:
    code = _code(body)
    said = body.get("message") if isinstance(body, dict) else None
    meaning = MEANING.get(code) or (quoted(said) if isinstance(said, str) else "")
    if status in UNAUTHORISED and not meaning:
        meaning = MEANING["20003"]
    return f"Twilio answered {status}" + (f": {meaning}" if meaning else "")


def _code(body: Any) -> str:
    code = body.get("code") if isinstance(body, dict) else None
    return str(code) if isinstance(code, int) else ""


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        return None


def _same(candidate: MessageInstance, message: Message) -> bool:
    """Tell whether a listed message is ours: text, direction and time."""
    if not (candidate.direction or "").startswith("outbound") or candidate.date_created is None:
        return False
    if candidate.date_created < message.created_at - CLOCK_SKEW:
        return False
    return (candidate.body or "").removeprefix(TRIAL).strip() == message.body.strip()
