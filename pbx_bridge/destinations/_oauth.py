"""Access by OAuth 2 (RFC 6749, 4.4 and 6): a token for an hour or so, fetched when it is needed."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from pbx_bridge.core.delivery import Blame, Deferred, Rejected
from pbx_bridge.core.text import clean
from pbx_bridge.destinations._http import (
    JSON_TYPE,
    LONGEST_CODE,
    LONGEST_WORDS,
    Failure,
    NotDone,
    Vendor,
    exchange,
)
from pbx_bridge.ports import Clock
from pbx_bridge.secret import Secret

#: A token that ends sooner is not begun with.
MARGIN = timedelta(minutes=1)
#: After a refusal nobody is asked again sooner: Zoho takes ten requests in ten minutes.
PAUSE = timedelta(minutes=2)


class Tokens:
    """Keeps one access token, as an `Access`.

    `place` gives the API's address from the answer of the token's server; it raises ValueError if
    there is none that may be told the token. `busy` are errors that mean "later".
    """

    def __init__(  # noqa: PLR0913 - what differs between servers
        self,
        vendor: Vendor,
        url: str,
        form: Mapping[str, str | Secret],
        *,
        scheme: str,
        place: Callable[[Mapping[str, Any]], str],
        timeout: float,
        now: Clock,
        busy: frozenset[str] = frozenset(),
    ) -> None:
        self._vendor = vendor
        self._url = URL(url)
        self._form = form
        self._scheme = scheme
        self._place = place
        self._timeout = timeout
        self._now = now
        self._busy = busy
        self._lock = asyncio.Lock()  # two requests at once need one token
        self._held: tuple[str, str] | None = None  #: address and header
        self._until: datetime | None = None
        self._refused: tuple[datetime, Failure] | None = None

    async def enter(self, http: aiohttp.ClientSession) -> tuple[str, str]:
        async with self._lock:
            if self._held is None or (self._until is not None and self._now() >= self._until):
                self._held = None
                self._held = await self._fetch(http)
            return self._held

    def expired(self) -> bool:
        self._held = None
        return True

    async def _fetch(self, http: aiohttp.ClientSession) -> tuple[str, str]:
        now = self._now()
        if self._refused is not None and now < self._refused[0]:
            raise NotDone(self._refused[1])
        self._refused = None
        answer = await exchange(
            http,
            "POST",
            self._url,
            headers={
                "Accept": JSON_TYPE,
                "Content-Type": "application/x-www-form-urlencoded",
            },
            data=urlencode({name: _plain(value) for name, value in self._form.items()}).encode(),
            timeout=self._timeout,
            writes=False,
            hidden=[one.reveal() for one in self._form.values() if isinstance(one, Secret)],
        )
        document = answer.document if isinstance(answer.document, dict) else {}
        token = document.get("access_token")
        if isinstance(token, str) and token.isascii() and token.isprintable() and " " not in token:
            try:
                place = self._place(document)
            except ValueError as error:
                raise self._no(Rejected(str(error), blame=Blame.GATEWAY)) from None
            lasts = document.get("expires_in")
            self._until = None
            if isinstance(lasts, int) and 0 < lasts < 10**7:
                self._until = now + max(timedelta(seconds=lasts) - MARGIN, MARGIN)
            return place, f"{self._scheme} {token}"
        raise self._no(self._refusal(answer.status, document))

    def _refusal(self, status: int, document: Mapping[str, Any]) -> Failure:
        code, words = (
            clean(text) if isinstance(text := document.get(name), str) else ""
            for name in ("error", "error_description")
        )
        details = ": ".join(filter(None, (code[:LONGEST_CODE], words[:LONGEST_WORDS])))
        said = f"{self._vendor.name} gave no access token: {details or f'it answered {status}'}"
        if status == 429 or code in self._busy:  # noqa: PLR2004 - Too Many Requests
            return Deferred(said, PAUSE, busy=True)
        if status >= 500 or not code:  # noqa: PLR2004 - not of our making
            return Deferred(said)
        return Rejected(f"{said}; {self._vendor.unauthorised}", code[:LONGEST_CODE], Blame.GATEWAY)

    def _no(self, failure: Failure) -> NotDone:
        self._refused = (self._now() + PAUSE, failure)
        return NotDone(failure)


class Fixed:
    """A token that does not end, as an `Access`."""

    def __init__(self, place: str, token: Secret) -> None:
        self._place = place
        self._token = token

    async def enter(self, http: aiohttp.ClientSession) -> tuple[str, str]:  # noqa: ARG002 - Access
        return self._place, f"Bearer {self._token.reveal()}"

    def expired(self) -> bool:
        return False


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value
