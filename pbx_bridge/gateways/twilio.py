"""Twilio, both ways, through its own library.

Twilio's Messages API knows no idempotency key: a request of unknown fate is never repeated, but
looked up in the list of messages to that number. Where Twilio can call us, our key also rides in
the address that it reports to, so that its first report settles such a message. The library's own
retries stay off, they would repeat a request that may have been taken.
"""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Any, Literal, Self
from urllib.parse import quote, urlsplit

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, model_validator
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]
from twilio.rest.api.v2010.account.message import MessageInstance  # type: ignore[import-untyped]

from pbx_bridge import ports
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Blame,
    Capabilities,
    Deferred,
    Found,
    LookupResult,
    Message,
    Rejected,
    SendResult,
    Uncertain,
)
from pbx_bridge.core.saying import say
from pbx_bridge.gateways import _twilio_api as api
from pbx_bridge.gateways import _twilio_hooks as hooks
from pbx_bridge.gateways import _web
from pbx_bridge.gateways._number import E164, quoted
from pbx_bridge.gateways._twilio_codes import MEANING
from pbx_bridge.gateways._twilio_polling import Poller
from pbx_bridge.ports import GatewayProblem
from pbx_bridge.secret import Secret

API = "https://api.twilio.com"
LONGEST_VALIDITY = 36000
LONGEST_TEXT = 1600
#: Twilio's clock and ours may differ so much: somebody may set ours by a day. Another text like it
#: to that number is known by its id (`taken`); to miss the one asked for is to send it twice.
CLOCK_SKEW = timedelta(hours=25)
#: Put by Twilio before every text of an account that is still on trial.
TRIAL = "Sent from your Twilio trial account - "

TIMEOUT_STATUS = 408
#: Seconds between two looks for what webhooks could not tell. "An error is logged and nothing more
#: is done", says Twilio of a message whose webhook fails: by default it tries again only where it
#: could not connect, and once (webhooks-connection-overrides: `rc` 1, `rp` ct).
CATCH_UP_SECONDS = 300.0


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
    webhook_secret: Secret | None = Field(
        default=None,
        description="the secret of the shared key with which a Webhook Rule has Twilio sign",
        examples=['{ file = "/etc/pbx-bridge/twilio-webhook-secret" }'],
    )
    poll_seconds: float | None = Field(
        default=None,
        le=3600,
        allow_inf_nan=False,
        description="how often to ask Twilio for replies and receipts, in seconds; 0 is never. If "
        "it is not set, every 5 minutes where Twilio calls us, as a call that failed is not "
        "repeated; else never",
        examples=[10.0],
    )
    handles_optout: bool = Field(
        default=True,
        description="whether Twilio itself answers STOP, START and HELP, as it does by default",
        examples=[True],
    )
    base_url: str = Field(default=API, pattern=r"^https?://[^/?#@\s]+$")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        with_key = self.api_key is not None and self.api_secret is not None
        any_key = self.api_key is not None or self.api_secret is not None
        if any_key != with_key or (self.auth_token is None and not with_key):
            raise ValueError(
                "give either auth_token, or api_key and api_secret (and beside them auth_token if"
                " Twilio calls us: it signs with that)"
            )
        if (self.from_number is None) == (self.messaging_service_sid is None):
            raise ValueError("give either from_number or messaging_service_sid")
        if self.poll_seconds is not None and self.poll_seconds != 0 and self.poll_seconds < 1:
            raise ValueError("poll_seconds is too small; 0 for never, or at least 1")
        return self

    def credentials(self) -> tuple[str, str]:
        """Give user and password for Twilio's API: the key if there is one."""
        if self.api_key is not None and self.api_secret is not None:
            return self.api_key, self.api_secret.reveal()
        if self.auth_token is None:  # excluded by the validator
            raise GatewayProblem("give either auth_token, or api_key and api_secret")
        return self.account_sid, self.auth_token.reveal()

    def secrets(self) -> hooks.Secrets:
        """Give what Twilio's webhooks may be signed with."""
        return hooks.Secrets(
            self.auth_token.reveal() if self.auth_token is not None else None,
            self.webhook_secret.reveal() if self.webhook_secret is not None else None,
        )


class Gateway(ports.Gateway, ports.Listens, ports.ReceivesHooks):
    """Sends through one Twilio account, and hears what it reports and brings."""

    def __init__(self, settings: Settings, around: ports.Surroundings = ports.ALONE) -> None:
        self.settings = settings
        self._around = around
        provable = settings.auth_token is not None or settings.webhook_secret is not None
        #: Where Twilio is to call us; empty if it cannot, or we could not believe it.
        self._hook_url = around.hook_url if provable else ""
        hears = bool(self._hook_url) or self._polls
        self.capabilities = Capabilities(
            can_lookup=True,
            receipts=hears,
            inbound=hears,
            handles_optout=settings.handles_optout,
            max_length=LONGEST_TEXT,
            tells_price=self._polls,
        )
        self._session: aiohttp.ClientSession | None = None
        self._client: Client | None = None

    @property
    def _every(self) -> float:
        """Seconds between two questions for what came; 0 for never."""
        if self.settings.poll_seconds is not None:
            return self.settings.poll_seconds
        return CATCH_UP_SECONDS if self._hook_url else 0.0

    @property
    def _polls(self) -> bool:
        return self._every > 0

    async def __aenter__(self) -> Self:
        self._session = _web.session()
        self._client = api.client(
            self._session,
            self.settings.account_sid,
            self.settings.credentials(),
            self.settings.base_url,
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()
        self._session = self._client = None

    async def send(self, message: Message) -> SendResult:
        """Create the message; Twilio drops it when it would come too late."""
        if E164.fullmatch(message.to) is None:
            return Rejected(say("not a number in E.164"))
        left = int((message.expires_at - self._around.now()).total_seconds())
        wanted: dict[str, Any] = {
            "to": message.to,
            "body": message.body,
            "validity_period": max(1, min(left, LONGEST_VALIDITY)),
        }
        if self.settings.messaging_service_sid is not None:
            wanted["messaging_service_sid"] = self.settings.messaging_service_sid
        else:
            wanted["from_"] = self.settings.from_number
        if self._hook_url:
            key = quote(message.key, safe="")
            wanted["status_callback"] = f"{self._hook_url}/{hooks.STATUS}?m={key}"
        try:
            created = await self._open().messages.create_async(**wanted)
        except aiohttp.ClientError as error:
            return _web.failure(error)
        except api.Refused as refusal:
            return to_result(refusal.status, refusal.body, refusal.retry_after)
        return to_result(201, {"sid": created.sid})

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:
        """Look for the text in the list of messages to that number.

        Not by the sender: with a messaging service a new message has none yet.
        """
        since = message.created_at - CLOCK_SKEW
        try:
            listed = await api.listed(self._open(), since, to=message.to)
        except api.Unanswered as problem:
            return problem.answer
        for candidate in listed:
            if candidate.sid not in taken and self._is(candidate, message):
                return Found(candidate.sid)
        return Absent()

    async def check(self) -> str:
        """Fetch the account; with an API key, which may not see the account, a message."""
        if "_" in (urlsplit(self._hook_url).hostname or ""):
            raise GatewayProblem(
                "Twilio reports to no host with an underscore in its name: give public_url in"
                " [hooks] another"
            )
        client = self._open()
        try:
            if self.settings.api_key is not None:
                await client.messages.list_async(limit=1, page_size=1)
                return "Twilio takes the API key" + self._hears()
            account = await client.api.v2010.accounts(self.settings.account_sid).fetch_async()
        except aiohttp.ClientError as error:
            reason = _web.failure(error).reason
            raise GatewayProblem(f"Twilio cannot be reached: {reason}") from None
        except (api.Refused, TwilioException) as error:
            raise GatewayProblem(api.unanswered(error).answer.reason) from None
        if account.status != "active":
            raise GatewayProblem(f"the Twilio account is {quoted(str(account.status))}")
        return f"Twilio account {quoted(account.friendly_name or '')!r} is active" + (self._hears())

    async def listen(self, tell: ports.Tell, cursor: ports.Cursor) -> None:
        """Ask for replies and receipts, or for what webhooks could not tell; else wait for ever."""
        if not self._polls:
            await asyncio.get_running_loop().create_future()
        await Poller(
            opened=self._open(),
            number=self.settings.from_number,
            # Its webhook names those of this service only, so what it missed is of this one, too.
            service=self.settings.messaging_service_sid if self._hook_url else None,
            every=self._every,
            now=self._around.now,
            name=self._around.name,
        ).run(tell, cursor)

    def hook(self, request: ports.HookRequest) -> ports.HookAnswer:
        """Prove and read a status callback or a customer's message."""
        return hooks.read(request, self.settings.secrets())

    def _hears(self) -> str:
        """Say how replies come in, for `check`: half of that is set in Twilio's console."""
        if self._hook_url:
            return f"; its console must send incoming messages to {self._hook_url}/{hooks.REPLY}"
        if self._around.hook_url and not self._polls:
            return "; it signs with auth_token, without that no replies and receipts come in"
        return ""

    def _is(self, candidate: MessageInstance, message: Message) -> bool:
        """Tell whether a listed message is ours: text, direction, sender and time."""
        if candidate.direction != "outbound-api" or candidate.date_created is None:
            return False
        if candidate.date_created < message.created_at - CLOCK_SKEW:
            return False
        service, number = self.settings.messaging_service_sid, self.settings.from_number
        if service is not None and candidate.messaging_service_sid not in {None, service}:
            return False
        if number is not None and candidate.from_ not in {None, number}:
            return False
        return (candidate.body or "").removeprefix(TRIAL).strip() == message.body.strip()

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
        return Uncertain(say("Twilio answered {status} without a message id", status=status))
    code, words = api.code_of(status, body), api.words(status, body)
    if not 400 <= status < 500 or status == TIMEOUT_STATUS:  # noqa: PLR2004 - HTTP
        return Uncertain(words)
    meaning = MEANING.get(code)
    if status == api.TOO_MANY or (meaning is not None and meaning.later):
        wait = meaning.wait if meaning is not None and retry_after is None else retry_after
        return Deferred(words, wait, code, busy=True)
    return Rejected(words, code, meaning.blame if meaning is not None else Blame.MESSAGE)
