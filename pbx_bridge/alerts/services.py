"""Telling through apprise: more than a hundred services, each by a URL that is itself a secret.

apprise sends with blocking code. Its `async_notify` hands that to a pool of as many threads as the
machine has cores and four more, which all services of the process share and whose threads are
waited for at the end: a few services that hang would stop all others, and the process from ending.
So each service has a thread of its own here, one at a time, that nobody waits for.
"""

import asyncio
import logging
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from difflib import get_close_matches
from urllib.parse import unquote

import apprise
from apprise.attachment.memory import AttachMemory
from apprise.manager_plugins import NotificationManager

from pbx_bridge.alerts.channels import TOLD, Channel, Delivery
from pbx_bridge.core.alerting import NOT_ATTACHED, Words
from pbx_bridge.core.attachment import Attachment
from pbx_bridge.core.text import clean
from pbx_bridge.secret import Secret

# It logs URLs with tokens in them. What it warns of is taken from its results instead, without the
# secrets; a level of its own keeps that so whatever the service logs at.
_logger = logging.getLogger("apprise")
_logger.propagate = False
_logger.setLevel(logging.WARNING)
_logger.addHandler(logging.NullHandler())

LONGEST_PROBLEM = 200
#: Pieces of a URL shorter than that hide nothing.
SHORTEST_SECRET = 3
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://")


def problem_of(url: str) -> str:
    """Tell why apprise cannot use a URL, without showing it; empty if it can."""
    if _service(url) is not None:
        return ""
    found = _SCHEME.match(url)
    known: list[str] = NotificationManager().schemas(include_disabled=False)  # type: ignore[no-untyped-call]
    if found is None:
        return "not a URL of a service; it begins like mailto:// or slack://"
    scheme = found[1].lower()
    if scheme not in known:
        close = get_close_matches(scheme, known, n=1)
        right = f"did you mean {close[0]}://?" if close else "see docs/alerts.md"
        return f"no service is called {scheme}://; {right}"
    return f"not complete for {scheme}://; see https://github.com/caronc/apprise/wiki"


class Service(Channel):
    """One service that apprise knows."""

    def __init__(self, url: Secret, number: int) -> None:
        """Name it by its scheme and `number`, which counts the configured URLs from 1."""
        self._url = url
        found = _SCHEME.match(url.reveal())
        self._name = f"{found[1].lower() if found else 'url'} {number}"
        self._busy = threading.Lock()

    def __repr__(self) -> str:
        return f"Service({self._name!r})"

    @property
    def name(self) -> str:
        return self._name

    async def tell(self, words: Words, key: str) -> Delivery:  # noqa: ARG002 - no service takes one
        """Send in a thread; when this is cancelled that goes on, and the next has to wait."""
        if not self._busy.acquire(blocking=False):
            return Delivery("it has not finished with an earlier message yet")
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[Delivery] = loop.create_future()

        def hear(result: Delivery) -> None:
            if not heard.done():
                heard.set_result(result)

        def work() -> None:
            try:
                result = self._send(words)
            finally:
                self._busy.release()
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(hear, result)

        threading.Thread(target=work, name=f"alert-{self._name}", daemon=True).start()
        return await heard

    def remember(self, told_at: Sequence[datetime]) -> None:
        """Services are free, and limit what they take themselves."""

    def _send(self, words: Words) -> Delivery:
        """Send, blocking, with nothing raised: a thread has nobody to tell."""
        url = self._url.reveal()
        try:
            service = _service(url)
            if service is None:
                return Delivery("apprise cannot use its URL any more")
            one = apprise.Apprise(asset=_asset())
            one.add(service)
            if words.attachments and service.attachment_support:
                attached = apprise.AppriseAttachment([_Attached(a) for a in words.attachments])
                if one.notify(
                    title=words.title,
                    body=words.body,
                    body_format=apprise.NotifyFormat.TEXT,
                    attach=attached,
                ):
                    return TOLD
            # Perhaps it takes no such files, or none so large: better told twice than not at all.
            result = one.notify(
                title=words.title,
                body=words.body + (NOT_ATTACHED if words.attachments else ""),
                body_format=apprise.NotifyFormat.TEXT,
            )
            if result:
                return TOLD
            said = [entry.message for part in result.results for entry in part.logs()]
        except Exception as error:  # noqa: BLE001 - whatever a plugin of a hundred raises
            said = [f"its program failed: {type(error).__name__}"]
        return Delivery(without_secrets(said[-1] if said else "it was not taken", url))


def without_secrets(words: str, url: str) -> str:
    """Make a service's own words fit for log and listing: nothing of its URL is in them."""
    line = " ".join(clean(words).split())
    pieces = set(re.split(r"[^\w.~!$'()*%-]+", url)) | set(re.split(r"\W+", url))
    pieces |= {unquote(piece) for piece in pieces}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) >= SHORTEST_SECRET:
            line = line.replace(piece, "…")
    return line[:LONGEST_PROBLEM]


class _Attached(AttachMemory):
    """An attachment whose type need not stand in this machine's own list, as apprise wants it."""

    def __init__(self, attachment: Attachment) -> None:
        super().__init__(attachment.content, attachment.name)  # type: ignore[no-untyped-call]
        self._kind = attachment.kind

    @property
    def mimetype(self) -> str:
        return self._kind


def _asset() -> apprise.AppriseAsset:
    return apprise.AppriseAsset(
        app_id="pbx_bridge",
        app_desc="pbx_bridge",
        async_mode=False,  # together with no time limit: in this very thread
        service_timeout=0,
        allow_templates=False,  # customers' words are no templates
        interpret_emojis=False,
        interpret_escapes=False,
        pgp_autogen=False,  # nor does it write files
        pem_autogen=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        http_redirects=False,  # a POST that is led elsewhere arrives nowhere
    )


def _service(url: str) -> apprise.NotifyBase | None:
    return apprise.Apprise.instantiate(url, asset=_asset())
