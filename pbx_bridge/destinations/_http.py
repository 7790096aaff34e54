"""One careful request to a CRM, and what its failure means for what was to be told."""

import asyncio
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import aiohttp
from yarl import URL

from pbx_bridge.core.delivery import Blame, Deferred, Rejected, Uncertain
from pbx_bridge.core.text import clean
from pbx_bridge.gateways import _web
from pbx_bridge.secret import HIDDEN

UNAUTHORISED = 401
JSON_TYPE = "application/json"
#: Words of a CRM that go into a reason; its codes are shorter.
LONGEST_WORDS, LONGEST_CODE = 200, 32
#: An answer of ours lists a few people or calls; a longer one is cut, and is no answer.
LARGEST_ANSWER = 512 * 1024

Failure = Rejected | Deferred | Uncertain


class NotDone(Exception):  # noqa: N818 - it carries a result, and is no program error
    """A request came to nothing; `result` says what that means for what was to be told."""

    def __init__(self, result: Failure) -> None:
        self.result = result
        super().__init__(result.reason)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    document: Any = field(repr=False)  #: None if it is no JSON
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """What differs between CRMs in how they refuse."""

    name: str
    told: Callable[[Any], tuple[str, str]]  #: code and words of a refusal, from its document
    unauthorised: str  #: what to do when it does not know us
    forbidden: str  #: what to do when it does not let us
    busy: frozenset[str] = frozenset()  #: codes that mean "later", whatever the status
    busy_statuses: frozenset[int] = frozenset({429, 503})
    #: Codes of a 401 that a fresh token does not mend.
    forbidden_codes: frozenset[str] = frozenset()


class Access(Protocol):
    """How to get in: where the API is, and the header that proves us."""

    async def enter(self, http: aiohttp.ClientSession) -> tuple[str, str]:
        """Give the API's address and the Authorization header.

        Raises:
            NotDone: there is none to be had now.

        """

    def expired(self) -> bool:
        """Forget what was just refused; whether there may be a fresh one."""


class Api:
    """The API of one CRM, as one user of it."""

    def __init__(self, vendor: Vendor, access: Access, timeout: float) -> None:
        self.vendor = vendor
        self._access = access
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Begin; `close` ends it."""
        self._session = _web.session()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        self._session = None

    async def ask(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        writes: bool = False,
        also: Collection[int] = (),
    ) -> Answer:
        """Make one request; only an answer of 2xx, or of a status in `also`, comes back.

        `path` begins with a slash, its parts quoted. What `writes` may have been done although no
        answer came; whatever only reads was not.

        Raises:
            NotDone: with what follows.

        """
        if self._session is None:
            raise RuntimeError("the connector is used outside of its context")
        fresh = False
        while True:
            where, proof = await self._access.enter(self._session)
            url = URL(f"{where}{path}", encoded=True)
            answer = await exchange(
                self._session,
                method,
                url.with_query(dict(query)) if query else url,
                headers={"Authorization": proof, "Accept": JSON_TYPE}
                | ({"Content-Type": JSON_TYPE} if body is not None else {})
                | dict(headers or {}),
                data=json.dumps(body).encode() if body is not None else None,
                timeout=self._timeout,
                writes=writes,
                hidden=(proof.rpartition(" ")[2],),
            )
            if answer.status in range(200, 300) or answer.status in also:
                return answer
            failure = refusal(answer, self.vendor, writes=writes)
            aged = answer.status == UNAUTHORISED and not fresh
            if aged and not self._lacks_rights(failure) and self._access.expired():
                fresh = True  # once: a token that was given just now is not refused for its age
                continue
            raise NotDone(failure)

    def _lacks_rights(self, failure: Failure) -> bool:
        return isinstance(failure, Rejected) and failure.code in self.vendor.forbidden_codes


async def exchange(  # noqa: PLR0913 - the parts of a request
    http: aiohttp.ClientSession,
    method: str,
    url: URL,
    *,
    headers: Mapping[str, str],
    data: bytes | None,
    timeout: float,  # noqa: ASYNC109 - the whole exchange's
    writes: bool,
    hidden: Iterable[str],
) -> Answer:
    """Send and read, nothing else; what is to be `hidden` is not in the answer.

    Raises:
        NotDone: there is no answer.

    """
    try:
        async with asyncio.timeout(timeout):
            reply = await _web.request(
                http, method, url, headers=headers, data=data, largest=LARGEST_ANSWER
            )
    except aiohttp.ClientError as error:
        failure = _web.failure(error)
        raise NotDone(failure if writes else Deferred(failure.reason)) from None
    except TimeoutError:
        reason = f"no answer within {timeout:g} s"
        raise NotDone(Uncertain(reason) if writes else Deferred(reason)) from None
    text = reply.text or ""
    for secret in hidden:  # before anything is cut: a part of one is a secret too
        text = text.replace(secret, HIDDEN)
    return Answer(reply.status, _document(text), reply.retry_after)


def refusal(answer: Answer, vendor: Vendor, *, writes: bool) -> Failure:
    """Tell what an answer that is not 2xx means."""
    code, words = vendor.told(answer.document)
    code = clean(code)[:LONGEST_CODE]
    details = ": ".join(filter(None, (code, clean(words).strip()[:LONGEST_WORDS])))
    said = f"{vendor.name} answered {answer.status}{f' ({details})' if details else ''}"
    if answer.status in vendor.busy_statuses or code in vendor.busy:
        return Deferred(said, answer.retry_after, code, busy=True)
    if answer.status == 403 or code in vendor.forbidden_codes:  # noqa: PLR2004 - Forbidden
        return Rejected(f"{said}; {vendor.forbidden}", code, Blame.GATEWAY)
    if answer.status == UNAUTHORISED:
        return Rejected(f"{said}; {vendor.unauthorised}", code, Blame.GATEWAY)
    if answer.status == 408 or answer.status >= 500:  # noqa: PLR2004 - not of our making
        return Uncertain(said) if writes else Deferred(said, answer.retry_after, code)
    return Rejected(said, code)


def nonsense(vendor: Vendor, *, writes: bool) -> NotDone:
    """Tell that an answer was good by its status, and had nothing in it that makes sense."""
    reason = f"{vendor.name} answered what cannot be understood"
    return NotDone(Uncertain(reason) if writes else Deferred(reason))


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
