"""The description of the API laid out for a page: chapters of calls, and the shapes of things."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A parameter, or a field of a shape."""

    name: str
    kind: str  #: in words
    shape: str  #: the name of the shape that it has, or that each of it has; empty: none
    required: bool
    description: str
    where: str = ""  #: of a parameter: path, query, header


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that the API does."""

    name: str
    method: str
    path: str
    role: str
    summary: str
    description: str
    parameters: tuple[Value, ...]
    body: str  #: the shape of what is sent; empty: nothing
    answer: str  #: the shape of what is answered; empty: nothing, or no JSON
    status: str
    refuses: tuple[tuple[str, str], ...]  #: other answers, and what they mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    name: str
    about: str
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    name: str
    about: str
    values: tuple[Value, ...]
    choices: tuple[str, ...]  #: of a word that is one of some


def chapters(told: JSON) -> list[Chapter]:
    """Give what the API does, by what it is about."""
    actions = list(_actions(told))
    return [
        Chapter(
            name=tag["name"],
            about=tag["description"],
            actions=tuple(action for name, action in actions if name == tag["name"]),
        )
        for tag in told["tags"]
    ]


def shapes(told: JSON) -> list[Shape]:
    """Give what is sent and answered, field by field."""
    return [
        Shape(
            name=name,
            about=schema.get("description", ""),
            values=tuple(_values(schema)),
            choices=tuple(schema.get("enum", ())),
        )
        for name, schema in told["components"]["schemas"].items()
    ]


def _actions(told: JSON) -> Iterator[tuple[str, Action]]:
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            (status, answer), *others = one["responses"].items()
            yield (
                one["tags"][0],
                Action(
                    name=one["operationId"],
                    method=method.upper(),
                    path=path,
                    role=one["x-role"],
                    summary=one["summary"],
                    description=one["description"],
                    parameters=tuple(map(_parameter, one["parameters"])),
                    body=_content(one.get("requestBody", {})),
                    answer=_content(answer),
                    status=status,
                    refuses=tuple((code, other["description"]) for code, other in others),
                ),
            )


def _parameter(one: JSON) -> Value:
    return Value(
        name=one["name"],
        kind=_kind(one["schema"]),
        shape=_shape(one["schema"]),
        required=one.get("required", False),
        description=one.get("description", ""),
        where=one["in"],
    )


def _values(schema: JSON) -> Iterator[Value]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        yield Value(
            name=name,
            kind=_kind(field),
            shape=_shape(field),
            required=name in required,
            description=field.get("description", ""),
        )


def _content(told: JSON) -> str:
    return next((_shape(one["schema"]) for one in told.get("content", {}).values()), "")


def _kind(schema: JSON) -> str:
    """Say in words what a value is."""
    if "anyOf" in schema:
        return " or ".join(filter(None, map(_kind, schema["anyOf"])))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {})) or 'these:'}"
    kind = str(schema.get("format", schema.get("type", "")))
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    bounds = [
        f"{word} {schema[key]}"
        for key, word in (
            ("minimum", "from"),
            ("maximum", "to"),
            ("minLength", "at least"),
            ("maxLength", "at most"),
        )
        if key in schema
    ]
    return " ".join([kind, *bounds])


def _shape(schema: JSON) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    inner = [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())]
    return next((name for one in inner if (name := _shape(one))), "")
