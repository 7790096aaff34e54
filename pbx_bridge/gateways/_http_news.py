"""What comes back over HTTP, as the configuration describes it: receipts and replies.

A document is JSON, or a form or query as a flat table. It holds one event, or a list of them.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, Literal, Self
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import field_validator, model_validator

from pbx_bridge.core.delivery import Blame, Receipt, State
from pbx_bridge.core.reply import Reply
from pbx_bridge.gateways._number import quoted
from pbx_bridge.gateways._signature import OF_BODY_ONLY, Signature
from pbx_bridge.gateways._values import (
    MISSING,
    Cost,
    Errors,
    Meaning,
    Table,
    at_path,
    scalar,
    text_at,
)
from pbx_bridge.ports import HookRequest, News

#: A number that lacks only its plus.
SHORTEST_INTERNATIONAL = 7


class When(Table):
    """An event is meant if the text or number at `path` is one of these."""

    path: str
    one_of: frozenset[str]


class _Part(Table):
    """One of the things that come back, and how to know it."""

    tail: str | None = None  #: the path below `/hooks/NAME` where they arrive
    when: When | None = None

    def means(self, event: Any, tail: str | None = None) -> bool:
        """Tell whether an event is one of these."""
        if tail is not None and self.tail is not None and self.tail.strip("/") != tail.strip("/"):
            return False
        return self.when is None or scalar(event, self.when.path) in self.when.one_of


class Receipts(_Part):
    """Where a delivery receipt has what; `status` tells what each word of the gateway means."""

    id_path: str | None = None
    key_path: str | None = None  #: where the gateway gives our own {key} back
    status_path: str
    status: dict[str, Literal["accepted", "undelivered", "delivered"]]
    code_path: str | None = None
    detail_path: str | None = None
    errors: dict[str, Meaning] | None = None  #: where codes mean other things than in answers
    cost: Cost | None = None

    @model_validator(mode="after")
    def _of_a_message(self) -> Self:
        if self.id_path is None and self.key_path is None:
            raise ValueError("receipts need id_path or key_path, to know which message is meant")
        return self

    def read(self, event: Any, errors: Errors) -> Receipt | None:
        """Read a receipt; None if its status is not in the table.

        Raises:
            ValueError: it does not name a message.

        """
        word = self.status.get(scalar(event, self.status_path))
        if word is None:
            return None
        state = State(word)
        ref, key = scalar(event, self.id_path), scalar(event, self.key_path)
        if not ref and not key:
            raise ValueError("a receipt that names no message")
        code = scalar(event, self.code_path)
        known = self.errors if self.errors is not None else errors
        meaning = known.get(code) if state is State.UNDELIVERED else None
        detail = meaning.means if meaning is not None else scalar(event, self.detail_path)
        return Receipt(
            state=state,
            gateway_ref=ref,
            key=key,
            code=code,
            detail=quoted(detail),
            blame=meaning.blame if meaning is not None else Blame.MESSAGE,
            price=self.cost.of(event) if self.cost is not None else None,
        )


class Replies(_Part):
    """Where a customer's message has what."""

    id_path: str | None = None  #: without one, the same words at the same time are the same reply
    from_path: str
    to_path: str | None = None
    text_path: str
    time_path: str | None = None
    time_format: str = "iso"  #: or `unix`, or as in Python's strptime
    time_zone: str | None = None  #: of times that do not name theirs; without it those are unknown
    plus: bool = False  #: numbers come without their plus, but with the country

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        try:
            _ = ZoneInfo(name) if name is not None else None
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError('not a time zone; such as "Europe/Berlin"') from None
        return name

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.id_path is None and self.time_path is None:
            raise ValueError("replies need id_path or time_path, to tell one from another")
        return self

    def read(self, event: Any) -> Reply:
        """Read a reply.

        Raises:
            ValueError: it has no sender, or no text at all.

        """
        sender, body = scalar(event, self.from_path), text_at(event, self.text_path)
        if not sender or body is None:
            raise ValueError("a reply without sender or text")
        recipient, time = scalar(event, self.to_path), scalar(event, self.time_path)
        ref = scalar(event, self.id_path)
        if not ref:
            told = f"{sender}\0{recipient}\0{time}\0{body}"
            ref = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
        return Reply(
            gateway_ref=ref,
            sender=self._number(sender),
            body=body,
            recipient=self._number(recipient),
            sent_at=self._time(time),
        )

    def _number(self, text: str) -> str:
        whole = text.isascii() and text.isdigit() and len(text) >= SHORTEST_INTERNATIONAL
        return f"+{text}" if self.plus and whole else text

    def _time(self, text: str) -> datetime | None:
        try:
            if self.time_format == "unix":
                return datetime.fromtimestamp(float(text), UTC)
            if self.time_format == "iso":
                found = datetime.fromisoformat(text)
            else:
                found = datetime.strptime(text, self.time_format)  # noqa: DTZ007 - see below
        except (ValueError, OverflowError, OSError):
            return None
        if found.tzinfo is None:
            if self.time_zone is None:
                return None
            found = found.replace(tzinfo=ZoneInfo(self.time_zone))
        return found


class Hooks(Table):
    """`[gateways.NAME.hooks]`: what arrives at `/hooks/NAME`, and how it proves its origin."""

    signature: Signature
    read: Literal["body", "query"] = "body"
    events: str | None = None  #: where a list of events stands; by default the whole is one
    receipts: Receipts | None = None
    replies: Replies | None = None
    answer: str = ""  #: what the gateway wants to be told

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.receipts is None and self.replies is None:
            raise ValueError("hooks without receipts and replies are for nothing")
        if self.read == "query" and self.signature.kind in OF_BODY_ONLY:
            raise ValueError(f"a signature of kind {self.signature.kind} is not over the query")
        if (
            self.receipts is not None
            and self.replies is not None
            and (self.receipts.tail, self.receipts.when) == (self.replies.tail, self.replies.when)
        ):
            raise ValueError("receipts and replies need different tail or when, to tell them apart")
        return self

    def news(self, request: HookRequest, tail: str, errors: Errors) -> tuple[News, ...]:
        """Read what a proven request tells; events of other kinds tell nothing.

        Raises:
            ValueError: it cannot be read.

        """
        document = dict(request.query) if self.read == "query" else body_of(request)
        events = [document] if self.events is None else at_path(document, self.events)
        if not isinstance(events, list):
            raise ValueError(f"there is no list at {self.events}")  # noqa: TRY004 - for the caller
        return tuple(
            told for event in events if (told := self._told(event, tail, errors)) is not None
        )

    def _told(self, event: Any, tail: str, errors: Errors) -> News | None:
        if self.receipts is not None and self.receipts.means(event, tail):
            return self.receipts.read(event, errors)
        if self.replies is not None and self.replies.means(event, tail):
            return self.replies.read(event)
        return None


def body_of(request: HookRequest) -> Any:
    """Read the body of a request: JSON if it says or looks so, else a form.

    Raises:
        ValueError: it is neither.

    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    text = request.body.decode()  # UnicodeDecodeError is a ValueError
    if kind.endswith("json") or text.lstrip()[:1] in {"{", "["}:
        return parse_json(text)
    if not text:
        raise ValueError("an empty body")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True))
    except ValueError:  # its text has the body in it
        raise ValueError("neither JSON nor a form") from None


def parse_json(text: str) -> Any:
    """Read JSON.

    Raises:
        ValueError: it is none.

    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON within JSON without end") from None


def items_at(document: Any, path: str) -> list[Any] | None:
    """Give the list at a path, the whole document for an empty one; None if there is none."""
    found = document if not path else at_path(document, path)
    return found if found is not MISSING and isinstance(found, list) else None
