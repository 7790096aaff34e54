"""Answers as they go over the line, and the mark by which one is known again."""

import hashlib

from aiohttp import web
from pydantic import BaseModel

from pbx_bridge.web.api.problems import Refusal
from pbx_bridge.web.frame import Visit


def encoded(answer: BaseModel) -> bytes:
    return answer.model_dump_json().encode()


def etag(answer: BaseModel) -> str:
    """Give what stands in the header ETag: it is another as soon as the answer is."""
    return _etag(encoded(answer))


def respond(visit: Visit, answer: BaseModel, status: int) -> web.Response:
    """Answer with JSON, or that it is what the asker has already."""
    body = encoded(answer)
    headers = {"Cache-Control": "private, no-cache", "ETag": _etag(body)}
    if visit.request.method == "GET" and _is_named(visit, "If-None-Match", headers["ETag"]):
        return web.Response(status=304, headers=headers)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def require_unchanged(visit: Visit, now: BaseModel) -> None:
    """Refuse to change what is not any more what the asker last saw, if it says what that was.

    Raises:
        Refusal: it is another now.

    """
    if "If-Match" in visit.request.headers and not _is_named(visit, "If-Match", etag(now)):
        raise Refusal(412, "it was changed since you read it; read it again, and send its new ETag")


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _is_named(visit: Visit, header: str, tag: str) -> bool:
    named = visit.request.headers.get(header, "")
    return named.strip() == "*" or tag in (
        part.strip().removeprefix("W/") for part in named.split(",")
    )
