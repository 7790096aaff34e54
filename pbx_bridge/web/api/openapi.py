"""The description of the API (OpenAPI 3.1), made of the operations themselves."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

import pbx_bridge
from pbx_bridge.web.api.operation import ALWAYS, Operation
from pbx_bridge.web.api.problems import CONTENT_TYPE, TITLES, ProblemDetails

JSON = dict[str, Any]

_REF = "#/components/schemas/{model}"
_TAGS = {
    "calls": "What became of each call, and why",
    "live": "Calls in progress",
    "tasks": "Missed callers whom somebody here is to speak to",
    "messages": "Texts and e-mails, and what customers write back",
    "call-backs": "Calling customers back",
    "contacts": "Whom the office knows",
    "opt-outs": "Who wants no texts, with the evidence",
    "follow-ups": "What is under way for which caller",
    "gateways": "How each gateway stands, and what that costs",
    "figures": "Whether following up wins callers back",
    "rules": "What is done about which missed calls",
    "health": "How the service stands",
    "events": "What changes, as it does",
    "description": "This description",
}
_ABOUT = """\
What the page shows and does, for other programs.

Every request needs a token: `Authorization: Bearer TOKEN`. An administrator makes one on the page
(API tokens), with a role: a **viewer** reads, an **agent** also works on what is open, an **admin**
also changes settings. Each operation says which it needs.

Listings come a page at a time. `next` is the `cursor` of the page that follows; a row that was
there when you began comes once, whatever is added meanwhile. Every answer to GET has an `ETag`:
with `If-None-Match` an answer that you have already costs nothing (304).

Refusals are `application/problem+json` (RFC 9457): `detail` says what is wrong and what would be
right, `errors` each mistake. 400: the request is not as described here. 422: it is, but makes no
sense, such as a number that is none. 409: not as things stand now.

Times are in UTC. Numbers are in E.164 where they are telephone numbers. Names, texts and whatever
else callers and customers say is theirs: treat it as hostile, escape it where you show it.\
"""


def description(operations: Iterable[Operation], server: str) -> JSON:
    """Describe operations; `server` is the URL, or the path, below which they are."""
    known = tuple(operations)
    schemas = _Schemas(known)
    paths: dict[str, JSON] = {}
    for one in known:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schemas)
    tags = dict.fromkeys(one.tag for one in known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pbx_bridge",
            "version": pbx_bridge.__version__,
            "summary": "Missed calls, and what is done about them",
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server}],
        "security": [{"token": []}],
        "tags": [{"name": tag, "description": _TAGS[tag]} for tag in tags],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "made on the page, under API tokens",
                }
            },
        },
    }


class _Schemas:
    """The schemas of all models, by name, and where each is."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
        wanted[ProblemDetails, "serialization"] = None
        for one in operations:
            for part in ("path", "query", "header", "body"):
                wanted[one.takes(part), "validation"] = None
            if one.gives is not None:
                wanted[one.gives, "serialization"] = None
        self._refs, definitions = models_json_schema(list(wanted), by_alias=True, ref_template=_REF)
        self._all: JSON = definitions["$defs"]
        self._inlined = {
            self._name(one.takes(part))
            for one in operations
            for part in ("path", "query", "header")
        } | {"Empty"}

    @property
    def components(self) -> JSON:
        """Those that are referred to."""
        return {
            name: schema for name, schema in sorted(self._all.items()) if name not in self._inlined
        }

    def ref(self, model: type[BaseModel], mode: JsonSchemaMode) -> JSON:
        """Refer to the schema of a model."""
        return self._refs[model, mode]

    def fields(self, model: type[BaseModel]) -> tuple[dict[str, JSON], set[str]]:
        """Give the schema of each field of a model, and which are required."""
        schema = self._all[self._name(model)]
        return schema.get("properties", {}), set(schema.get("required", ()))

    def _name(self, model: type[BaseModel]) -> str:
        return str(self._refs[model, "validation"]["$ref"]).rpartition("/")[2]


def _operation(one: Operation, schemas: _Schemas) -> JSON:
    told: JSON = {
        "operationId": one.name,
        "tags": [one.tag],
        "summary": one.summary,
        "description": "\n\n".join(filter(None, (one.description, f"Role: **{one.role}**."))),
        "x-role": one.role.value,
        "parameters": _parameters(one, schemas),
        "responses": _responses(one, schemas),
    }
    if one.wants("body"):
        body = one.takes("body")
        told["requestBody"] = {
            "required": any(field.is_required() for field in body.model_fields.values()),
            "content": {"application/json": {"schema": schemas.ref(body, "validation")}},
        }
    return told


def _parameters(one: Operation, schemas: _Schemas) -> list[JSON]:
    found = []
    for part in ("path", "query", "header"):
        properties, required = schemas.fields(one.takes(part))
        for name, schema in properties.items():
            parameter: JSON = {"name": name, "in": part, "schema": _plain(schema)}
            if "description" in schema:
                parameter["description"] = schema["description"]
            if name in required:
                parameter["required"] = True
            found.append(parameter)
    if one.if_match:
        found.append(_header("If-Match", "refuse (412) if the ETag is another by now"))
    if one.method == "GET" and one.gives is not None:
        found.append(_header("If-None-Match", "answer 304 if the ETag is still this"))
    return found


def _header(name: str, description: str) -> JSON:
    schema = {"type": "string"}  # RFC 9110 lets it be a list, or a star
    return {"name": name, "in": "header", "schema": schema, "description": description}


def _plain(schema: JSON) -> JSON:
    """Leave out what a parameter cannot say, that it is null, and what stands beside the schema."""
    told = {key: value for key, value in schema.items() if key not in {"title", "description"}}
    if told.get("default", ...) is None:
        del told["default"]
    kinds = [kind for kind in told.pop("anyOf", ()) if kind != {"type": "null"}]
    return told | kinds[0] if kinds else told


def _responses(one: Operation, schemas: _Schemas) -> JSON:
    answer: JSON = {"description": one.summary}
    if one.gives is not None:
        answer["content"] = {one.content_type: {"schema": schemas.ref(one.gives, "serialization")}}
        answer["headers"] = {
            "ETag": {"schema": {"type": "string"}, "description": "marks this very answer"}
        }
    elif one.status != 204:  # noqa: PLR2004 - no content
        kind = "object" if one.content_type == "application/json" else "string"
        answer["content"] = {one.content_type: {"schema": {"type": kind}}}
    responses: JSON = {str(one.status): answer}
    if one.method == "GET" and one.gives is not None:
        responses["304"] = {"description": "It is what you have already"}
    refusals = {*ALWAYS, *one.refuses, *((413, 415) if one.wants("body") else ())}
    for status in sorted(refusals):
        responses[str(status)] = {
            "description": TITLES[status],
            "content": {CONTENT_TYPE: {"schema": schemas.ref(ProblemDetails, "serialization")}},
        }
    return responses
