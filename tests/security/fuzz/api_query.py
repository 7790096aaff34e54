"""Queries and bodies of the API, as each operation's models read them."""

from collections.abc import Iterator
from urllib.parse import parse_qsl

from multidict import MultiDict
from pydantic import BaseModel, ValidationError

from pbx_bridge.store.paging import Mark
from pbx_bridge.web.api import cursors
from pbx_bridge.web.api.operations import OPERATIONS
from pbx_bridge.web.api.problems import Refusal, unreadable
from pbx_bridge.web.api.serve import _checked, _once
from pbx_bridge.web.api.shapes import FIRST


def check(data: bytes) -> None:
    """What is sent is read, or refused with where and why; a cursor is the one that was given."""
    which, sent = (data[0], data[1:]) if data else (0, b"")
    operation = OPERATIONS[which % len(OPERATIONS)]
    body: type[BaseModel] = operation.takes("body")
    try:
        read = body.model_validate_json(sent, strict=True)
    except ValidationError as error:
        _told(unreadable("body", error, body.model_fields))
    else:
        read.model_dump()
    query = MultiDict(parse_qsl(sent.decode(errors="replace"), keep_blank_values=True))
    try:
        asked = _checked("query", operation.takes("query"), _once(query))
        _cursor(getattr(asked, "cursor", None))
    except Refusal as refusal:
        _told(refusal)


def _cursor(cursor: str | None) -> None:
    for read in (cursors.mark, cursors.row):
        try:
            found: Mark | int | None = read(cursor)
        except Refusal as refusal:
            _told(refusal)
        else:
            assert found is None or read(cursors.written(found)) == found


def _told(refusal: Refusal) -> None:
    assert 400 <= refusal.status < 500
    assert refusal.detail
    assert refusal.response().body


def seeds() -> Iterator[bytes]:
    queries = (
        f"limit=20&cursor={cursors.written(Mark(FIRST, 7))}&since=2026-11-28T17:05:00Z",
        f"cursor={cursors.written(7)}&limit=-1&limit=2",
        "disposition=missed&reason=nobody_answered&caller=%2B12125550142&line=x",
    )
    for n in range(len(OPERATIONS)):
        for query in queries:
            yield bytes([n]) + query.encode()
        yield bytes([n]) + b'{"to": "+12125550142", "text": "\\ud800", "number": "1", "id": 1.0}'
        yield bytes([n]) + b'{"numbers": {"+1": "x"}, "name": "A", "at": "2026-02-30T24:00:60Z"}'
