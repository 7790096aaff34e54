"""What every gateway over HTTP needs: one careful request, and which failure means what."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from yarl import URL

from pbx_bridge.core.delivery import Deferred, Uncertain
from pbx_bridge.core.saying import say

#: An answer of a gateway is short; a longer one is cut, and is no answer.
LARGEST_BODY = 65536


#: To connect to one address and agree on TLS; less than a send may take.
CONNECT_SECONDS = 5.0
#: To resolve the name and connect, of what a request may take in all: the rest is for the answer.
#: So a name server that is silent never looks like a request of unknown fate.
CONNECT_SHARE = 0.8
#: Where nobody says what a request may take in all: a send may take ten seconds.
LONGEST_CONNECT = 8.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; `text` is None if the body is too large or no text."""

    status: int
    text: str | None
    retry_after: timedelta | None


class BrokenConnection(aiohttp.ClientError):
    """A connection that broke after the request was, perhaps, written to it."""


async def _never_again(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Hide a broken connection from aiohttp, which would repeat a GET or PUT: a second text."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise BrokenConnection(type(error).__name__) from error


def session() -> aiohttp.ClientSession:
    """Open a session that keeps nothing: no cookies, and no connection for reuse.

    A kept connection may have been closed by the other side, and then nobody can tell whether a
    request on it went out.
    """
    return aiohttp.ClientSession(
        # The sender limits the whole; the connection has less, to know that nothing was sent.
        timeout=_timeout(LONGEST_CONNECT),
        middlewares=[_never_again],
        connector=aiohttp.TCPConnector(force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # a small body may unpack to a huge one
        skip_auto_headers={"Accept-Encoding"},
    )


def _timeout(connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=None, connect=connect, sock_connect=min(CONNECT_SECONDS, connect)
    )


async def request(  # noqa: PLR0913 - the parts of a request
    http: aiohttp.ClientSession,
    method: str,
    url: str | URL,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    data: Any = None,
    largest: int = LARGEST_BODY,
    within: float | None = None,
) -> Reply:
    """Make one request, without following redirects, and read at most `largest` bytes of answer.

    `within` are the seconds in which the caller wants all of it, and sees to that.

    Raises:
        aiohttp.ClientError: see `failure`.

    """
    async with http.request(
        method,
        url,
        headers=headers,
        params=params,
        data=data,
        allow_redirects=False,
        timeout=_timeout(LONGEST_CONNECT if within is None else within * CONNECT_SHARE),
    ) as response:
        body = bytearray()
        async for chunk in response.content.iter_chunked(8192):
            body += chunk
            if len(body) > largest:
                break
        retry_after = _retry_after(response.headers)
        if len(body) > largest:
            return Reply(response.status, None, retry_after)
        try:
            text = body.decode()
        except UnicodeDecodeError:
            text = None
        return Reply(response.status, text, retry_after)


def basic_auth(username: str, password: str) -> str:
    """Give the Authorization header of HTTP's basic authentication."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


def failure(error: aiohttp.ClientError) -> Deferred | Uncertain:
    """Tell whether a request that failed may have left.

    Only a connection that never came about is certain. The text never has the URL: there may be a
    secret in it.
    """
    match error:
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return Deferred(say("no connection: {words}", words=_words(error)))
        case aiohttp.InvalidURL():
            return Deferred(say("no connection: the address is not valid"))
        case _:
            return Uncertain(
                say("the connection broke after the request: {words}", words=_words(error))
            )


def _words(error: aiohttp.ClientError) -> str:
    if isinstance(error, BrokenConnection):
        return str(error)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "neither it nor the name server answered in time"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"its name cannot be resolved: {error.os_error.strerror or error.os_error}"
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
    return f"{type(error).__name__}: {cause}" if cause is not None else type(error).__name__


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Read Retry-After: seconds, or a date that counts from the answer's own Date."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit() and len(value) <= 9:  # noqa: PLR2004 - fits a timedelta
        return timedelta(seconds=int(value))
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):  # absent, nonsense, or one with and one without a zone
        return None
    return max(wait, timedelta())
