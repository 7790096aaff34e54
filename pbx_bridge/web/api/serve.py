"""Requests to operations: read and checked by their models, answered with theirs."""

import asyncio
from typing import Any

from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.web.api.answers import respond
from pbx_bridge.web.api.operation import Operation
from pbx_bridge.web.api.operations import PREFIX
from pbx_bridge.web.api.problems import Refusal, unreadable
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import Handler, Route

#: The largest that is asked of us: a contact with long notes is a quarter of that.
LARGEST_BODY = 262_144
#: Within this the body has to come.
READ_SECONDS = 10.0


def route(operation: Operation) -> Route:
    """Give the route of an operation."""
    return Route(
        method=operation.method,
        path=PREFIX + operation.path,
        handler=handler(operation),
        role=operation.role,
        api=True,
    )


def handler(operation: Operation) -> Handler:
    """Give what answers requests for an operation."""

    async def handle(visit: Visit) -> web.StreamResponse:
        try:
            return await _answer(operation, visit)
        except Refusal as refusal:
            return refusal.response()
        except StoreProblem as problem:
            return Refusal(503, str(problem), headers={"Retry-After": "60"}).response()

    return handle


async def _answer(operation: Operation, visit: Visit) -> web.StreamResponse:
    given: dict[str, Any] = {}
    for part in ("path", "query", "header"):
        model = operation.takes(part)
        read = _checked(part, model, _sent(part, model, visit))
        if operation.wants(part):
            given[part] = read
    body = await _body(operation, visit)
    if operation.wants("body"):
        given["body"] = body
    answer = await operation.run(visit, **given)
    if isinstance(answer, web.StreamResponse):
        return answer
    if answer is None:
        return web.Response(status=operation.status, headers={"Cache-Control": "no-store"})
    return respond(visit, answer, operation.status)


def _sent(part: str, model: type[BaseModel], visit: Visit) -> dict[str, str]:
    request = visit.request
    if part == "path":
        return dict(request.match_info)
    if part == "query":
        return _once(request.query)
    wanted = [field.alias or name for name, field in model.model_fields.items()]
    return {name: request.headers[name] for name in wanted if name in request.headers}


def _once(query: MultiMapping[str]) -> dict[str, str]:
    twice = sorted({name for name in query if len(query.getall(name)) > 1})
    if twice:
        wrong = [(f"query.{name}", "is there several times; once is enough") for name in twice]
        raise Refusal(400, f"{wrong[0][0]} {wrong[0][1]}", wrong)
    return dict(query.items())


def _checked(part: str, model: type[BaseModel], sent: dict[str, str]) -> BaseModel:
    known = [field.alias or name for name, field in model.model_fields.items()]
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        raise unreadable(part, error, known) from None


async def _body(operation: Operation, visit: Visit) -> BaseModel:
    request, model = visit.request, operation.takes("body")
    if request.content_length is not None and request.content_length > LARGEST_BODY:
        raise _too_large()
    try:
        async with asyncio.timeout(READ_SECONDS):
            sent = await request.content.read(LARGEST_BODY + 1)
            while not request.content.at_eof() and len(sent) <= LARGEST_BODY:
                sent += await request.content.read(LARGEST_BODY + 1 - len(sent))
    except TimeoutError:
        raise Refusal(400, f"the body did not come within {READ_SECONDS:.0f} s") from None
    if len(sent) > LARGEST_BODY:
        raise _too_large()
    if not sent and _may_be_empty(model):
        sent = b"{}"
    elif not operation.wants("body"):
        raise Refusal(400, "a body is not wanted here; leave it out")
    elif request.content_type != "application/json":
        said = f"{request.content_type!r} is not read here; send JSON as application/json"
        raise Refusal(415, said)
    try:
        return model.model_validate_json(sent, strict=True)
    except ValidationError as error:
        raise unreadable("body", error, model.model_fields) from None


def _may_be_empty(model: type[BaseModel]) -> bool:
    return not any(field.is_required() for field in model.model_fields.values())


def _too_large() -> Refusal:
    return Refusal(413, f"the body is too large; at most {LARGEST_BODY} bytes")
