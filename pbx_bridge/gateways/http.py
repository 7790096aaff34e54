"""Any gateway that takes a text by one HTTP request, described wholly in the configuration.

`_http_language` is the language, `presets/` are texts in it for services and devices that offices
have; docs/gateways/http.md is the reference.
"""

import asyncio
import ssl
from collections.abc import Collection, Mapping
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from pbx_bridge import ports
from pbx_bridge.core.delivery import (
    Absent,
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
from pbx_bridge.gateways import _signature, _web
from pbx_bridge.gateways._http_answers import json_of, to_result
from pbx_bridge.gateways._http_language import Settings
from pbx_bridge.gateways._http_polling import Poller
from pbx_bridge.gateways._number import E164
from pbx_bridge.gateways._template import as_it_is, fill
from pbx_bridge.gateways._values import at_path
from pbx_bridge.ports import Forged, GatewayProblem, HookAnswer, HookRequest

__all__ = ["Gateway", "Settings"]

NOT_FOUND = (404, 410)


class Gateway(ports.Gateway, ports.ReceivesHooks, ports.Listens):
    """Sends by the request that its settings describe, and hears what they say comes back."""

    def __init__(self, settings: Settings, around: ports.Surroundings = ports.ALONE) -> None:
        self.settings = settings
        self._around = around
        self.capabilities = _capabilities(settings, hooked=bool(around.hook_url))
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
            return Rejected(say("not a number in E.164"))
        if not self.settings.reaches(message):
            return Rejected(say("not a number of North America, the gateway takes no other"))
        if len(message.body) > self.settings.max_length:
            return Rejected(
                say(
                    "longer than the {max_length} characters it takes",
                    max_length=self.settings.max_length,
                )
            )
        values = self.settings.values(message, self._hook_url())
        body, content_type = self.settings.encoded(values)
        headers = self._headers(values)
        if content_type is not None:
            headers["Content-Type"] = content_type
        if self.settings.idempotency_header is not None:
            headers[self.settings.idempotency_header] = message.key
        where = self.settings.address(self.settings.url, values, self.settings.query)
        try:
            async with asyncio.timeout(self.settings.timeout):
                reply = await self._request(self.settings.method, where, headers, body)
        except aiohttp.ClientError as error:
            return _web.failure(error)
        except TimeoutError:
            return Uncertain(
                say("no answer within {timeout} s", timeout=f"{self.settings.timeout:g}")
            )
        return to_result(reply, self.settings)

    async def lookup(  # noqa: PLR0911 - an answer each
        self, message: Message, taken: Collection[str]
    ) -> LookupResult:
        asked = self.settings.lookup
        if asked is None:
            return Absent()
        values = self.settings.values(message)
        where = self.settings.address(asked.url, values)
        try:
            async with asyncio.timeout(self.settings.timeout):
                reply = await self._request("GET", where, self._headers(values))
        except aiohttp.ClientError as error:
            return Deferred(_web.failure(error).reason)
        except TimeoutError:
            return Deferred(
                say("no answer within {timeout} s", timeout=f"{self.settings.timeout:g}")
            )
        if reply.status in NOT_FOUND:
            return Absent()
        document = json_of(reply.text)
        if reply.status not in range(200, 300) or document is None:
            return Deferred(
                say("the gateway answered {status}", status=reply.status), reply.retry_after
            )
        found = at_path(document, asked.json_path)
        if not isinstance(found, str | int) or isinstance(found, bool) or str(found) in taken:
            return Absent()
        return Found(str(found))

    async def check(self) -> str:
        """Fetch `check_url`; without one, only connect."""
        values = self.settings.values(None)
        place = urlsplit(self.settings.address(self.settings.url, values))
        try:
            async with asyncio.timeout(self.settings.timeout):
                if self.settings.check_url is None:
                    return await self._connect()
                where = self.settings.address(self.settings.check_url, values)
                reply = await self._request("GET", where, self._headers(values))
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

    def hook(self, request: HookRequest) -> HookAnswer:
        hooks = self.settings.hooks
        if hooks is None:
            raise Forged("this gateway has no hooks")
        secret = self.settings.secrets[hooks.signature.secret].reveal()
        tail = _signature.prove(hooks.signature, secret, request, self._around.now())
        return HookAnswer(news=hooks.news(request, tail, self.settings.errors), body=hooks.answer)

    async def listen(self, tell: ports.Tell, cursor: ports.Cursor) -> None:
        poller = self.poller()
        if poller is None:  # it calls us, or it tells nothing
            await asyncio.Event().wait()
        else:
            await poller.run(tell, cursor)

    def poller(self) -> Poller | None:
        """Give what asks the device; None if it need not be asked."""
        around, poll = self._around, self.settings.poll
        if poll is None:
            return None
        return Poller(self.settings, poll, self._ask, name=around.name, now=around.now)

    async def _ask(self, method: str, where: str, values: Mapping[str, str]) -> _web.Reply:
        return await self._request(method, where, self._headers(values))

    def _hook_url(self) -> str:
        """Give where our webhooks arrive, with the token if that is how they prove themselves."""
        hooks = self.settings.hooks
        if hooks is None or not self._around.hook_url:
            return ""
        if hooks.signature.kind != "path":
            return self._around.hook_url
        token = self.settings.secrets[hooks.signature.secret].reveal()
        return f"{self._around.hook_url}/{token}"

    async def _connect(self) -> str:
        place = urlsplit(self.settings.address(self.settings.url, self.settings.values(None)))
        secure = place.scheme == "https"
        port = place.port or (443 if secure else 80)
        context = ssl.create_default_context() if secure else None
        _, writer = await asyncio.open_connection(place.hostname, port, ssl=context)
        writer.close()
        await writer.wait_closed()
        return f"{place.hostname}:{port} takes connections; credentials were not tried"

    def _headers(self, values: Mapping[str, str]) -> dict[str, str]:
        headers = self.settings.header_values(values)
        if (basic := self.settings.basic_auth) is not None:
            user, password = basic.username, basic.password.reveal()
            headers["Authorization"] = _web.basic_auth(
                fill(user, values, as_it_is), fill(password, values, as_it_is)
            )
        if self.settings.bearer is not None:
            token = fill(self.settings.bearer.reveal(), values, as_it_is)
            headers["Authorization"] = f"Bearer {token}"
        return headers

    async def _request(
        self, method: str, where: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> _web.Reply:
        if self._session is None:
            raise RuntimeError("the gateway is used outside of its context")
        url = URL(where, encoded=True)
        return await _web.request(
            self._session,
            method,
            url,
            headers=headers,
            data=body,
            within=self.settings.timeout,
        )


def _capabilities(settings: Settings, *, hooked: bool) -> Capabilities:
    hooks = settings.hooks if hooked else None
    receipts = hooks.receipts if hooks is not None else None
    return Capabilities(
        idempotent=settings.idempotent or settings.idempotency_header is not None,
        can_lookup=settings.lookup is not None,
        receipts=receipts is not None,
        inbound=settings.poll is not None or (hooks is not None and hooks.replies is not None),
        handles_optout=settings.handles_optout,
        max_length=settings.max_length,
        tells_price=settings.cost is not None
        or (receipts is not None and receipts.cost is not None),
    )
