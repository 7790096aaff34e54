"""Happenings to tell, and what all fake CRMs have in common."""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pbx_bridge import destinations, ports
from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.core.samples import sample
from tests.gateways.fakes import Answer, Request, Told, answer

NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
CALLER = "+12125550143"
#: With all that could break out of where it stands.
HOSTILE = "O'Brien \\' OR Id != '' -- \"}]<script>alert(1)</script>&amp;{x}\x1b[2J\u202e Zoë 😀"
SECRET = "s3cret-nobody-may-see"
TOKEN = "t0ken-nobody-may-see"


@dataclass
class Clock:
    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **time: float) -> None:
        self.at += timedelta(**time)


def missed_call(key: str = "call-1", number: str = CALLER, **data: Any) -> Happening:
    found = sample(Happened.CALL_MISSED, key, NOON)
    told: dict[str, Any] = {**found.data, "contact": None, "number": number, **data}
    return Happening(key=key, kind=found.kind, at=NOON, number=number, data=told)


def text(state: str, key: str = "", number: str = CALLER, **data: Any) -> Happening:
    found = sample(Happened.MESSAGE_CHANGED, key or f"text-{state}", NOON)
    told: dict[str, Any] = {**found.data, "state": state, "purpose": "follow_up", **data}
    return Happening(key=found.key, kind=found.kind, at=NOON, number=number, data=told)


def reply(key: str = "reply-1", number: str = CALLER, **data: Any) -> Happening:
    found = sample(Happened.REPLY_RECEIVED, key, NOON)
    told: dict[str, Any] = {**found.data, "ignored": None, **data}
    return Happening(key=key, kind=found.kind, at=NOON, number=number, data=told)


@dataclass
class FakeCrm:
    """People and entries; `instead` misbehaves before anything is done, `after` when it was."""

    clock: Clock = field(default_factory=Clock)
    people: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    instead: Callable[[Request], Answer | None] = lambda _: None
    after: Callable[[Request], Answer | None] = lambda _: None
    tokens: int = 0  #: how many were given
    requests: list[Request] = field(default_factory=list)
    _ids: int = 1000

    kind = ""

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        if (misbehaviour := self.instead(request)) is not None:
            return misbehaviour
        done = self.serve(request, urlsplit(request.path).path)
        misbehaviour = self.after(request)
        return done if misbehaviour is None else misbehaviour

    def serve(self, request: Request, path: str) -> Answer:
        raise NotImplementedError

    def know(self, phone: str, name: str = "Ann Lee", status: str = "customer") -> str:
        """Have somebody in it; give the id."""
        raise NotImplementedError

    def settings(self, url: str) -> dict[str, Any]:
        """Give what is to be configured."""
        raise NotImplementedError

    def texts(self) -> list[str]:
        """Give all that each entry says."""
        return [json.dumps(entry, ensure_ascii=False) for entry in self.entries]

    def of_whom(self) -> list[str]:
        """Give the person of each entry."""
        raise NotImplementedError

    def new_id(self) -> str:
        self._ids += 1
        return str(self._ids)

    def writes(self) -> list[Request]:
        """Give the requests that made something."""
        return [one for one in self.requests if self.is_write(one)]

    def is_write(self, request: Request) -> bool:
        raise NotImplementedError

    @asynccontextmanager
    async def connected(self, **changes: Any) -> AsyncIterator[ports.Crm]:
        """Run it, and a connector to it."""
        async with Told(self).running() as server, self.connector(server.url, **changes) as crm:
            yield crm

    def connector(self, url: str, **changes: Any) -> ports.Crm:
        module = destinations.load(self.kind)
        settings = module.Settings.model_validate(self.settings(url) | changes)
        around = ports.Surroundings(
            name="crm", country="US", zone=ZoneInfo("America/New_York"), now=self.clock
        )
        crm: ports.Crm = module.Destination(settings, around)
        return crm


def told(status: int, document: Any = None, **headers: str) -> bytes:
    """Answer with JSON."""
    content = "" if document is None else json.dumps(document)
    return answer(status, content, Content_Type="application/json", **headers)


def body(request: Request) -> Any:
    return json.loads(request.body) if request.body else None


def strings(query: str) -> list[str]:
    """Give the strings in a query, as its language writes them."""
    return [re.sub(r"\\(.)", r"\1", found) for found in re.findall(r"'((?:[^'\\]|\\.)*)'", query)]


def has_one(record: Mapping[str, Any], values: list[str]) -> bool:
    return any(value in values for value in record.values() if isinstance(value, str))
