"""What is wrong with a configuration file, in words for the person who edits it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pbx_bridge.config.lines import Path
from pbx_bridge.config.values import did_you_mean
from pbx_bridge.core.call import Reason
from pbx_bridge.core.text import clean
from pbx_bridge.secret import Secret

#: Names whose values are not shown, whatever the type says: a key may be misspelt or misplaced.
_PRIVATE = re.compile(r"secret|token|passw|credential|authorization|api_?key|bearer|basic|header")
_USERINFO = re.compile(r"//[^/@\s]*@")
_SHOWN = 60  # characters

#: pydantic's error types in our words; `{…}` is filled from the error's context.
_WRONG = {
    "bool_type": "neither true nor false (without quotes)",
    "int_type": "not a whole number (without quotes)",
    "string_type": "not a text in quotes",
    "path_type": "not a path in quotes",
    "tuple_type": "not a list",
    "list_type": "not a list",
    "frozen_set_type": "not a list",
    "dict_type": "not a table",
    "model_type": "not a table",
    "model_attributes_type": "not a table",
    "greater_than_equal": "too small: at least {ge}",
    "less_than_equal": "too large: at most {le}",
    "string_too_short": "empty",
    "string_too_long": "too long: at most {max_length} characters",
    "string_pattern_mismatch": "not of the right form; it has to match {pattern}",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `value` is as written, or empty where it is absent, a table or private."""

    file: str
    line: int  #: counted from 1; 0 for the file as a whole
    key: str  #: `pbx[1].port`: elements are counted from 1
    value: str
    message: str  #: what is wrong; what would be right

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        subject = f"{self.key} = {self.value}" if self.value else self.key
        return ": ".join(part for part in (place, subject, self.message) if part)


class ConfigError(Exception):
    """The configuration cannot be used; the text is the full report, one line a mistake."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


@dataclass(frozen=True, slots=True)
class Mistake:
    """A problem before its place in the file is known."""

    path: Path
    value: str
    message: str


def mistakes(error: ValidationError, model: type[BaseModel], prefix: Path) -> list[Mistake]:
    """Explain what pydantic found in the table at `prefix`, which should be a `model`."""
    return [_mistake(details, model, prefix) for details in error.errors(include_url=False)]


def _mistake(details: ErrorDetails, model: type[BaseModel], prefix: Path) -> Mistake:
    within = tuple(details["loc"])
    context = details.get("ctx", {})
    kind = details["type"]
    path = (*prefix, *within)
    if kind == "misplaced":
        value = details["input"]
        for part in context["path"]:
            value = value[part]
        return Mistake((*path, *context["path"]), show(value), context["message"])
    if kind == "extra_forbidden":
        # Its value stays unsaid: it may be a secret under a misspelt name.
        return Mistake(path, "", _unknown_key(path, _model_at(model, within[:-1])))
    field = _field_at(model, within)
    if kind == "missing":
        return Mistake(path, "", f"missing; {_right(field) or 'it is needed here'}")
    shown = "" if _is_private(path, field) else show(details["input"])
    return Mistake(path, shown, _in_words(details, field))


def fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Give the fields of a table by the names that they have in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def show(value: object) -> str:
    """Write a value as in the file, shortened; nothing for tables, lists and absent ones."""
    match value:
        case str():
            text = json.dumps(clean(_USERINFO.sub("//<hidden>@", value)), ensure_ascii=False)
        case bool():
            text = str(value).lower()
        case None | list() | dict():
            return ""
        case _:
            text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def key_name(path: Path) -> str:
    """Write a path as `pbx[1].port`, the first element being 1."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += f".{part}" if text else part
    return clean(text)


def _in_words(details: ErrorDetails, field: FieldInfo | None) -> str:
    context: Mapping[str, Any] = details.get("ctx", {})
    kind = details["type"]
    if kind == "value_error":
        return str(context["error"])
    if kind in ("literal_error", "enum"):
        known = re.findall(r"'([^']*)'", context["expected"])
        return f"not known; {did_you_mean(details['input'], known)}"
    wrong = _WRONG[kind].format_map(context) if kind in _WRONG else details["msg"]
    right = _right(field)
    return f"{wrong}; {right}" if right else wrong


def _right(field: FieldInfo | None) -> str:
    """Say what belongs there."""
    if field is None:
        return ""
    example = field.examples[0] if field.examples else None
    given = field.description or ""
    if example is None:
        return given
    # An example in braces is TOML already.
    is_toml = isinstance(example, str) and example.startswith("{ ")
    return f"{given}, such as {example if is_toml else json.dumps(example, ensure_ascii=False)}"


def _unknown_key(path: Path, model: type[BaseModel] | None) -> str:
    name = str(path[-1])
    if path[:2] == ("texting", "reasons"):
        if len(path) == 3 and name in list(Reason):  # noqa: PLR2004 - texting.reasons.NAME
            return f"calls of this reason are never texted; remove [texting.reasons.{name}]"
        if name == "act_on":
            return "only for voicemail_message and voicemail_hangup; remove it"
    return f"unknown key; {did_you_mean(name, fields(model) if model else ())}"


def is_private(path: Path, model: type[BaseModel]) -> bool:
    """Whether the value at a path of a `model` is a secret, by its type or by its name."""
    return _is_private(path, _field_at(model, path))


def _is_private(path: Path, field: FieldInfo | None) -> bool:
    if field is not None and _contains(field.annotation, Secret):
        return True
    return any(_PRIVATE.search(str(part).lower()) for part in path)


def _contains(annotation: object, wanted: type) -> bool:
    return annotation is wanted or any(_contains(arg, wanted) for arg in get_args(annotation))


def _model_at(model: type[BaseModel], within: Path) -> type[BaseModel] | None:
    found: type[BaseModel] | None = model
    names_an_entry = False  # of a table of tables, as in [sequences.NAME]
    for part in within:
        if names_an_entry:
            names_an_entry = False
        elif found is not None and isinstance(part, str):
            field = fields(found).get(part)
            found = _table_type(field.annotation) if field else None
            names_an_entry = field is not None and get_origin(field.annotation) is dict
    return found


def _field_at(model: type[BaseModel], within: Path) -> FieldInfo | None:
    names = [part for part in within if isinstance(part, str)]
    if not names:
        return None
    owner = _model_at(model, tuple(names[:-1]))
    return fields(owner).get(names[-1]) if owner else None


def _table_type(annotation: object) -> type[BaseModel] | None:
    """Find the class of a field's table or of its tables, through `| None`, lists and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    tables = (_table_type(argument) for argument in get_args(annotation))
    return next((table for table in tables if table is not None), None)
