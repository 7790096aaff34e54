"""The description of the API."""

import json

from jsonschema_rs import Draft202012Validator

from pbx_bridge.web.api.openapi import description
from pbx_bridge.web.api.operations import OPERATIONS

TOLD = description(OPERATIONS, "/api/v1")


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(TOLD)
    for name in TOLD["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, name
    for part in text.split('"#/components/schemas/')[1:]:
        assert part.partition('"')[0] in TOLD["components"]["schemas"]


def test_names_are_for_people() -> None:
    assert not [name for name in TOLD["components"]["schemas"] if not name.isalnum()]


def test_every_operation_says_how_it_refuses() -> None:
    for path, methods in TOLD["paths"].items():
        for method, one in methods.items():
            refusals = {int(status) for status in one["responses"] if int(status) >= 400}
            assert {400, 401, 403, 503} <= refusals, (method, path)
            assert ("requestBody" in one) == ("415" in one["responses"])
            assert ("{" in path) == any(p["in"] == "path" for p in one["parameters"])


def test_every_schema_is_one() -> None:
    for schema in TOLD["components"]["schemas"].values():
        Draft202012Validator({"$defs": {}, **schema, "components": TOLD["components"]})


def test_no_null_stands_in_a_parameter() -> None:
    parameters = [
        one
        for methods in TOLD["paths"].values()
        for operation in methods.values()
        for one in operation["parameters"]
    ]
    assert parameters
    assert '"null"' not in json.dumps(parameters)
