"""Twilio's REST API through its own library, with a transport that can be trusted.

The library's transport ignores time-outs, reads without end and logs numbers; its parser takes
whatever is there, and follows an address that an answer names, with the account's password.
"""

import asyncio
import json
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]
from twilio.rest.api.v2010.account.message import MessageInstance  # type: ignore[import-untyped]

from pbx_bridge.core.delivery import Blame, Deferred
from pbx_bridge.core.saying import say
from pbx_bridge.gateways import _web
from pbx_bridge.gateways._number import quoted
from pbx_bridge.gateways._twilio_codes import CREDENTIALS, MEANING

PAGE = 50
#: Bytes of one page: fifty messages of 1600 characters, each written \uXXXX, fit.
LARGEST_PAGE = 1_000_000
#: Messages to read back at most at once; more is no office.
MOST = 5000
#: A question that got no answer for so long gets none. Sending is limited by the sender.
ANSWER_SECONDS = 20.0

TOO_MANY = 429
UNAUTHORISED = (401, 403)

_TEXTS = (
    *("sid", "to", "from", "body", "direction", "status", "num_media"),
    *("messaging_service_sid", "price_unit", "error_message"),
)
_DATES = ("date_created", "date_sent")


class Refused(Exception):  # noqa: N818 - carries an answer past the library
    """An answer other than a usable JSON object with 2xx; the library would forget half of it."""

    def __init__(self, reply: _web.Reply, body: Any) -> None:
        super().__init__(f"HTTP {reply.status}")
        self.status = reply.status
        self.retry_after = reply.retry_after
        self.body = body


class Unanswered(Exception):  # noqa: N818 - names the fact
    """A question that Twilio did not answer.

    `answer` says why and when to ask again; `blame` is the gateway's if asking again is no use
    until somebody changes the credentials.
    """

    def __init__(self, answer: Deferred, blame: Blame = Blame.MESSAGE) -> None:
        super().__init__(answer.reason)
        self.answer = answer
        self.blame = blame


class _Http:
    """A transport for the library."""

    is_async = True

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._root = base_url.rstrip("/") + "/"

    async def request(  # noqa: PLR0913, PLR0917 - the library's signature
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - see ANSWER_SECONDS
        allow_redirects: bool = False,  # noqa: ARG002, FBT001, FBT002 - never with credentials
    ) -> Response:
        if not url.startswith(self._root):  # a list names its next page itself
            raise aiohttp.InvalidURL(self._root)
        if auth is not None:
            headers = {**(headers or {}), "Authorization": _web.basic_auth(*auth)}
        asking = method == "GET"
        try:
            async with asyncio.timeout(ANSWER_SECONDS if asking else None):
                reply = await _web.request(
                    self._session,
                    method,
                    url,
                    headers=headers,
                    params=params,
                    data=data,
                    largest=LARGEST_PAGE if asking else _web.LARGEST_BODY,
                )
        except aiohttp.ClientError:  # some of which are time-outs too, and certain ones
            raise
        except TimeoutError as error:
            raise _web.BrokenConnection("no answer in time") from error
        body = _json(reply.text)
        if not 200 <= reply.status < 300 or not _is_usable(body, listing=asking and _is_list(url)):  # noqa: PLR2004 - HTTP
            raise Refused(reply, body)
        return Response(reply.status, reply.text or "")


def client(
    session: aiohttp.ClientSession, account_sid: str, credentials: tuple[str, str], base_url: str
) -> Client:
    """Make the library's client; `credentials` are user and password."""
    user, password = credentials
    opened = Client(
        user,
        password,
        account_sid,
        http_client=_Http(session, base_url),
        environment={"TWILIO_EDGE": ""},  # an empty one would mean the process's own
    )
    opened.api.base_url = base_url
    return opened


async def listed(opened: Client, since: datetime, **wanted: str) -> list[MessageInstance]:
    """List messages, each once, newest first, back to those made at `since` (and some before).

    `wanted` is `to` or `from_`. The list's own filter by date is no help: it looks at the date of
    sending, and a queued message has none yet.

    Raises:
        Unanswered: there is no list, or not all of it.

    """
    found: dict[str, MessageInstance] = {}
    try:
        page = await opened.messages.page_async(page_size=PAGE, **wanted)
        while page is not None and len(found) < MOST:
            fresh = [one for one in page if one.sid and one.sid not in found]
            found |= {one.sid: one for one in fresh}
            dates = [one.date_created for one in fresh if one.date_created is not None]
            if not dates or dates[-1] < since:  # nothing new: it goes in a circle
                break
            page = await page.next_page_async()
    except (aiohttp.ClientError, Refused, TwilioException) as error:
        raise unanswered(error) from None
    return [*found.values()]


def unanswered(error: aiohttp.ClientError | Refused | TwilioException) -> Unanswered:
    """Tell why a question has no answer, without the answer's own text: it may have bodies."""
    match error:
        case Refused():
            code = code_of(error.status, error.body)
            meaning = MEANING.get(code)
            return Unanswered(
                Deferred(
                    words(error.status, error.body),
                    error.retry_after,
                    code,
                    busy=error.status == TOO_MANY,
                ),
                meaning.blame if meaning is not None else Blame.MESSAGE,
            )
        case aiohttp.ClientError():
            return Unanswered(Deferred(_web.failure(error).reason))
        case _:
            return Unanswered(Deferred(say("Twilio answered with no list of messages")))


def code_of(status: int, body: Any) -> str:
    """Give the code of a refusal; credentials that are not good have one in any case."""
    code = body.get("code") if isinstance(body, dict) else None
    said = str(code) if isinstance(code, int) and not isinstance(code, bool) else ""
    return CREDENTIALS if status in UNAUTHORISED and said not in MEANING else said


def words(status: int, body: Any) -> str:
    """Say what a refusal means: by its code, else in Twilio's own words."""
    meaning = MEANING.get(code_of(status, body))
    said = body.get("message") if isinstance(body, dict) else None
    quote = quoted(said) if isinstance(said, str) else ""
    plain = meaning.words if meaning is not None else quote
    if not plain:
        return say("Twilio answered {status}", status=status)
    return say("Twilio answered {status}: {words}", status=status, words=plain)


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        return None


def _is_usable(body: Any, *, listing: bool) -> bool:
    """Tell whether the library's parser may have it."""
    if not listing:
        return _is_message(body)  # or an account, which has no other dates
    if not isinstance(body, dict) or "meta" in body:  # a newer kind, which names whole addresses
        return False
    entries, after = body.get("messages"), body.get("next_page_uri")
    return (
        isinstance(entries, list)
        and all(_is_message(entry) for entry in entries)
        and (after is None or (isinstance(after, str) and _is_list(after)))
    )


def _is_list(url: str) -> bool:
    return url.partition("?")[0].endswith("/Messages.json")


def _is_message(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(name), str | None) for name in _TEXTS)
        and all(_is_date(entry.get(name)) for name in _DATES)
    )


def _is_date(value: Any) -> bool:
    if value is None:
        return True
    try:
        parsedate_to_datetime(value)
    except (ValueError, TypeError, AttributeError):  # nonsense, or no text at all
        return False
    return True
