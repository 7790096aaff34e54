"""A webhook, as Standard Webhooks has it: one signed POST for each happening.

The signature is of `id.timestamp.body`, by every secret there is, so that one can be replaced
without a break: github.com/standard-webhooks/standard-webhooks.
"""

import asyncio
import hashlib
import hmac
import json
import ssl
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Self

import aiohttp
from yarl import URL

from pbx_bridge import __version__, ports
from pbx_bridge.core.delivery import Accepted, Blame, Deferred, Rejected, SendResult
from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.core.payloads import disclosed, written
from pbx_bridge.gateways import _web
from pbx_bridge.ports import Clock, DestinationProblem

SECRET_PREFIX = "whsec_"  # noqa: S105 - what is public of every secret
#: Bytes of a secret, by the specification: 192 to 512 bits.
SHORTEST_SECRET, LONGEST_SECRET = 24, 64
#: Answers that are about this one request; all others are about the endpoint.
ABOUT_THE_EVENT = frozenset({400, 413, 415, 422})
#: Answers of an endpoint that works and wants less, or later.
BUSY = frozenset({425, 429, 503})
#: What an endpoint answers does not matter, only the status.
LARGEST_ANSWER = 8192
CHECK_SECONDS = 10.0


def signing_key(secret: str) -> bytes:
    """Read a secret as people copy it: `whsec_` and base64.

    Raises:
        ValueError: it is none; the text shows nothing of it.

    """
    right = "`pbx-bridge webhooks secret` makes one"
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"not a signing secret, which begins with {SECRET_PREFIX}; {right}")
    try:
        key = b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        raise ValueError(f"not base64 after {SECRET_PREFIX}; {right}") from None
    if not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        raise ValueError(
            f"{len(key)} bytes; from {SHORTEST_SECRET} to {LONGEST_SECRET} are needed; {right}"
        )
    return key


def new_secret(random: bytes) -> str:
    """Write random bytes as a secret."""
    return SECRET_PREFIX + b64encode(random).decode()


def signature(keys: Sequence[bytes], key: str, at: datetime, body: bytes) -> dict[str, str]:
    """Give the headers by which a receiver knows that it was us, and when."""
    timestamp = str(int(at.timestamp()))
    signed = f"{key}.{timestamp}.".encode() + body
    signatures = (b64encode(hmac.digest(one, signed, "sha256")).decode() for one in keys)
    return {
        "webhook-id": key,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    url: str = field(repr=False)  #: often with a token in it
    keys: tuple[bytes, ...] = field(repr=False)
    kinds: frozenset[Happened]
    numbers: bool = True  #: whole, not only their end
    words: bool = False  #: what somebody wrote


class Webhook(ports.Destination):
    """Tells happenings to one URL, which is never left: redirects are failures."""

    def __init__(self, settings: WebhookSettings, now: Clock) -> None:
        self.kinds = settings.kinds
        self.fingerprint = _fingerprint(settings)
        self._settings = settings
        self._url = URL(settings.url)
        self._now = now
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = _web.session()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()
        self._session = None

    def body(self, happening: Happening) -> bytes:
        """Write what is told of a happening: the bytes that are signed, and sent."""
        settings = self._settings
        document = {
            "type": happening.kind.value,
            "timestamp": written(happening.at),
            "data": disclosed(happening, numbers=settings.numbers, words=settings.words),
        }
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        return text.encode()

    async def deliver(self, happening: Happening) -> SendResult:
        if self._session is None:
            raise RuntimeError("the webhook is used outside of its context")
        body = self.body(happening)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"pbx-bridge/{__version__}",
            **signature(self._settings.keys, happening.key, self._now(), body),
        }
        try:
            reply = await _web.request(
                self._session, "POST", self._url, headers=headers, data=body,
                largest=LARGEST_ANSWER,
            )  # fmt: skip
        except aiohttp.ClientError as error:
            return _web.failure(error)
        return _meaning(reply.status, reply.retry_after)

    async def check(self) -> str:
        """Connect, and say nothing: some endpoints take any request for an event."""
        host, port = self._url.host or "", self._url.port or 0
        context = ssl.create_default_context() if self._url.scheme == "https" else None
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                _, writer = await asyncio.open_connection(host, port, ssl=context)
                writer.close()
                await writer.wait_closed()
        except TimeoutError:
            raise DestinationProblem(f"{host} does not answer") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise DestinationProblem(f"{host} cannot be reached: {reason}") from None
        return f"{host}:{port} takes connections; `pbx-bridge webhooks test` tells it something"


def _meaning(status: int, retry_after: timedelta | None) -> SendResult:
    """Tell what a status means, as Standard Webhooks recommends."""
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP
        return Accepted("")
    code = str(status)
    words = f"it answered {status}{_phrase(status)}"
    if status == HTTPStatus.GONE:
        return Rejected(f"{words}: it wants nothing more", code, Blame.GATEWAY)
    if status in ABOUT_THE_EVENT:
        return Rejected(words, code)
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP
        words += ", a redirect, which is not followed: correct its url"
    return Deferred(words, retry_after, code, busy=status in BUSY)


def _phrase(status: int) -> str:
    # Ours, not the endpoint's: that may quote what a customer wrote.
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""


def _fingerprint(settings: WebhookSettings) -> str:
    parts = [
        settings.url.encode(),
        *settings.keys,
        *sorted(kind.encode() for kind in settings.kinds),
    ]
    flags = f"{settings.numbers} {settings.words}".encode()
    return hashlib.sha256(b"\0".join([*parts, flags])).hexdigest()
