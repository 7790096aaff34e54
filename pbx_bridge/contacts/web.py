"""Requests to a server of contacts: careful with the password, and with how much is read.

Redirects are followed on the same host only, and never from TLS to none: nobody else gets to see
the password, and nobody else's contacts are taken for ours.
"""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from ssl import SSLContext

import aiohttp
from yarl import URL

from pbx_bridge.contacts.reading import LARGEST_FILE
from pbx_bridge.secret import Secret

MOST_REDIRECTS = 5
#: Seconds: to connect, without a byte, and for one whole request.
CONNECT_SECONDS, SILENT_SECONDS, WHOLE_SECONDS = 10.0, 30.0, 300.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class SourceProblem(Exception):  # noqa: N818 - it is a problem report, not a program error
    """A source could not be read; the text says why, and what to do where that is known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `url` is where it came from in the end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: URL


@dataclass(frozen=True, slots=True)
class Web:
    """A server, and how to log in to it."""

    origin: URL
    session: aiohttp.ClientSession
    username: str = ""
    password: Secret | None = field(default=None, repr=False)
    tls: SSLContext | None = None
    largest: int = LARGEST_FILE

    async def ask(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Make a request, and follow redirects that stay on the host.

        Raises:
            SourceProblem: no answer, one that is too large, or one that leads elsewhere.

        """
        for _ in range(MOST_REDIRECTS + 1):
            if not self.is_ours(url):
                raise SourceProblem(
                    f"{self._shown()} leads to {url.host}, another server; if that is right, "
                    "write its URL into the configuration"
                )
            answer = await self._once(method, url, dict(headers or {}), body)
            if answer.status not in _REDIRECTS or "Location" not in answer.headers:
                return answer
            url = self._target(url, answer.headers["Location"])
        raise SourceProblem(f"{self._shown()} redirects in circles")

    def is_ours(self, url: URL) -> bool:
        """Whether a URL is on the server that is configured, and no less private."""
        if url.host != self.origin.host:
            return False
        return url.origin() == self.origin.origin() or (
            self.origin.scheme == "http" and url.scheme == "https"
        )

    def _target(self, url: URL, location: str) -> URL:
        try:
            return url.join(URL(location))
        except ValueError as error:
            raise SourceProblem(f"{self._shown()} redirects to what is no URL") from error

    async def _once(self, method: str, url: URL, headers: dict[str, str], body: bytes) -> Answer:
        headers.setdefault("User-Agent", "pbx-bridge")
        if self.password is not None:
            pair = f"{self.username}:{self.password.reveal()}"
            headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
        try:
            async with (
                asyncio.timeout(WHOLE_SECONDS),
                self.session.request(
                    method,
                    url,
                    headers=headers,
                    data=body or None,
                    allow_redirects=False,
                    ssl=True if self.tls is None else self.tls,
                ) as response,
            ):
                return Answer(response.status, response.headers, await self._read(response), url)
        except TimeoutError as error:
            raise SourceProblem(f"{self._shown()} does not answer in time") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise SourceProblem(f"{self._shown()}: {_words(error)}") from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        read = bytearray()
        async for chunk in response.content.iter_chunked(65536):
            read += chunk
            if len(read) > self.largest:
                size = self.largest // 1024 // 1024
                raise SourceProblem(f"{self._shown()} sends more than {size} MiB")
        return bytes(read)

    def _shown(self) -> str:
        return str(self.origin.host)


def session() -> aiohttp.ClientSession:
    """Open a session that keeps nothing, and unpacks nothing: a small body may unpack to a huge."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers={"Accept-Encoding", "User-Agent"},
    )


def refusal(answer: Answer, what: str) -> SourceProblem:
    """Say why an answer is of no use."""
    host = answer.url.host
    match answer.status:
        case 401 | 403:
            return SourceProblem(
                f"{host} refuses the login ({answer.status}); correct username and password"
            )
        case 404 | 410:
            return SourceProblem(f"{host} has no {what} at {answer.url.path}; correct the url")
        case status:
            return SourceProblem(f"{host} answers {status} instead of the {what}")


def _words(error: Exception) -> str:
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
    return f"{type(error).__name__}: {cause}" if cause is not None else type(error).__name__
